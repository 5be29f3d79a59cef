//! Values that belong to one process: after `fork` the child makes its own.
//!
//! A forked child has only the thread that forked. A thread pool that it inherits has no threads,
//! and a lock that another thread held at that moment is never released. So the child looks at
//! nothing of its parent's: values stand in a chain with the process that made each, a process uses
//! its own, and neither finding nor adding one waits for anything that the parent may have held.

use std::sync::OnceLock;

/// One value for each process that asks.
pub(crate) struct PerProcess<T> {
    first: OnceLock<Box<Link<T>>>,
}

struct Link<T> {
    process: u32,
    value: T,
    next: PerProcess<T>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess { first: OnceLock::new() }
    }

    /// The value of this process; `make` makes it the first time. Where several threads are first,
    /// each makes one and all get the same.
    ///
    /// # Errors
    /// Those of `make`; the next call tries again.
    pub(crate) fn get_or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        let process = std::process::id();
        let mut place = self;
        while let Some(link) = place.first.get() {
            if link.process == process {
                return Ok(&link.value);
            }
            place = &link.next;
        }
        let made = Box::new(Link { process, value: make()?, next: PerProcess::new() });
        Ok(&place.first.get_or_init(|| made).value)
    }
}

impl<T> Drop for PerProcess<T> {
    /// What an ancestor made is left alone: ending it may wait for threads that are not here.
    fn drop(&mut self) {
        let process = std::process::id();
        let mut rest = self.first.take();
        while let Some(link) = rest {
            let Link { process: owner, value, mut next } = *link;
            rest = next.first.take();
            if owner != process {
                std::mem::forget(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::sync::Arc;

    #[test]
    fn a_value_is_made_once_and_after_a_failure_again() {
        let kept = PerProcess::new();
        let failed = kept.get_or_make(|| Err(Error::invalid("threads", "none left")));
        assert!(failed.is_err());
        assert_eq!(kept.get_or_make(|| Ok::<_, Error>(3)).unwrap(), &3);
        assert_eq!(kept.get_or_make(|| Ok::<_, Error>(4)).unwrap(), &3);
    }

    #[test]
    fn a_value_of_another_process_is_neither_used_nor_ended() {
        let (foreign, own) = (Arc::new(1), Arc::new(2));
        let kept = PerProcess::new();
        let link = Link { process: 0, value: foreign.clone(), next: PerProcess::new() };
        assert!(kept.first.set(Box::new(link)).is_ok());
        assert_eq!(**kept.get_or_make(|| Ok::<_, Error>(own.clone())).unwrap(), 2);
        drop(kept);
        assert_eq!((Arc::strong_count(&foreign), Arc::strong_count(&own)), (2, 1));
    }
}

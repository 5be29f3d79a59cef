//! What tasks borrow from each other: scratch memory that is kept between them, and the first error.

use crate::per_process::PerProcess;
use crate::{Error, Result};
use std::convert::Infallible;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Things that workers borrow one at a time; as many are made as work at once. A forked child has none
/// of its parent's, whose lock a thread may hold that the child does not have.
pub struct Pool<T>(PerProcess<Mutex<Vec<T>>>);

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool(PerProcess::new())
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pool({})", self.kept().len())
    }
}

impl<T> Pool<T> {
    fn kept(&self) -> MutexGuard<'_, Vec<T>> {
        let Ok(kept) = self.0.get_or_make(|| Ok::<_, Infallible>(Mutex::default()));
        kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sum of `bytes_of` over the things that nobody has at the moment.
    pub fn memory_bytes(&self, bytes_of: impl Fn(&T) -> usize) -> usize {
        self.kept().iter().map(bytes_of).sum()
    }
}

impl<T: Default> Pool<T> {
    /// Runs `work` with a thing that nobody else has.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let taken = self.kept().pop();
        let mut thing = taken.unwrap_or_default();
        let answer = work(&mut thing);
        self.kept().push(thing);
        answer
    }
}

/// The error of the lowest index, whatever the order in which tasks fail.
#[derive(Debug, Default)]
pub struct FirstFailure(Mutex<Option<(usize, Error)>>);

impl FirstFailure {
    pub fn record(&self, index: usize, error: Error) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(before, _)| index < *before) {
            *first = Some((index, error));
        }
    }

    /// # Errors
    /// The recorded one.
    pub fn into_result(self) -> Result<()> {
        match self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

//! What is laid out for the sizes that were used last, up to a number of them.
//!
//! A network is an immutable description of a megabyte or so; its values lie in one arena that all
//! of them share. One that had to go is laid out again as it was, so that how many are kept changes
//! no result.

use crate::Result;

/// Values of different keys, up to a number of them.
#[derive(Debug)]
pub struct Kept<K, V> {
    /// The one that was used last is the last.
    entries: Vec<(K, V)>,
    entries_max: usize,
}

impl<K: PartialEq, V> Kept<K, V> {
    /// None yet; `entries_max` of them, at least 1, will be kept.
    pub fn new(entries_max: usize) -> Kept<K, V> {
        Kept { entries: Vec::new(), entries_max: entries_max.max(1) }
    }

    /// The value of `key`: the one that is kept, or what `make` makes, for which the one that was
    /// not used for longest goes.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn of(&mut self, key: K, make: impl FnOnce() -> Result<V>) -> Result<&mut V> {
        let entries = &mut self.entries;
        match entries.iter().position(|(kept, _)| *kept == key) {
            Some(place) => entries[place..].rotate_left(1),
            None => {
                // Before the new one is made, so that there is never one more.
                let surplus = (entries.len() + 1).saturating_sub(self.entries_max);
                entries.drain(..surplus);
                entries.push((key, make()?));
            }
        }
        let last = entries.len() - 1;
        Ok(&mut entries[last].1)
    }

    /// What is kept.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes() {
        let mut kept = Kept::new(2);
        let mut of = |key: u32, made: u32| *kept.of(key, || Ok(made)).unwrap();
        assert_eq!(
            [of(1, 10), of(2, 20), of(1, 11), of(3, 30), of(2, 21), of(3, 31)],
            [10, 20, 10, 30, 21, 30]
        );
        assert_eq!(kept.values().count(), 2);
    }
}

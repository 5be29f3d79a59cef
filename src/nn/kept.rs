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
        if self.get(&key).is_none() {
            // Before the new one is made, so that there is never one more.
            self.make_room();
            let made = make()?;
            self.entries.push((key, made));
        }
        let last = self.entries.len() - 1;
        Ok(&mut self.entries[last].1)
    }

    /// The value of `key`, if it is kept; it is then the one that was used last.
    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        let place = self.entries.iter().position(|(kept, _)| kept == key)?;
        self.entries[place..].rotate_left(1);
        self.entries.last_mut().map(|(_, value)| value)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn make_room(&mut self) {
        let surplus = (self.entries.len() + 1).saturating_sub(self.entries_max);
        self.entries.drain(..surplus);
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

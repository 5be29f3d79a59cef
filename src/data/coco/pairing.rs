//! Finds for each entry of one list the entry of another that is the same thing: by its name, then
//! by the longest part of its path that is one thing's alone; where a name is missing, by id.
//!
//! Names rule because ids are private to a program. A name that several entries share says nothing,
//! unless both lists give it to the same ids. What could be several things is never guessed.

use super::names::{parts_count, tail};
use std::collections::HashMap;

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// In the numbering of the second list; `None` for an id that it cannot hold.
    pub id: Option<i64>,
    /// Empty where the file does not say.
    pub key: String,
}

/// Positions of entries that cannot be told apart by name, in the first and in the second list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ambiguous {
    pub first: Vec<usize>,
    pub second: Vec<usize>,
}

/// Pairs of positions, in ascending order of the first. With `by_tail` the keys are paths, of which
/// the end is enough.
pub(super) fn pair(
    first: &[Named],
    second: &[Named],
    by_tail: bool,
) -> Result<Vec<(usize, usize)>, Ambiguous> {
    let mut pairing = Pairing { first, second, partners: vec![None; first.len()], taken: vec![] };
    pairing.taken.resize(second.len(), false);
    pairing.join(&Some)?;
    if by_tail {
        // More parts than either side has cannot be common to both.
        let longest = pairing.longest(first).min(pairing.longest(second));
        for count in (1..=longest).rev() {
            pairing.join(&|key| tail(key, count))?;
        }
    }
    pairing.join_nameless();
    let pairs = pairing.partners.iter().enumerate();
    Ok(pairs.filter_map(|(position, partner)| Some((position, (*partner)?))).collect())
}

struct Pairing<'a> {
    first: &'a [Named],
    second: &'a [Named],
    /// For each entry of the first list its partner in the second.
    partners: Vec<Option<usize>>,
    /// Whether an entry of the second list has a partner.
    taken: Vec<bool>,
}

impl<'a> Pairing<'a> {
    fn longest(&self, entries: &[Named]) -> usize {
        entries.iter().map(|entry| parts_count(&entry.key)).max().unwrap_or(0)
    }

    /// Joins those of the entries still alone whose names have the same `part`.
    fn join(&mut self, part: &dyn Fn(&'a str) -> Option<&'a str>) -> Result<(), Ambiguous> {
        let alone_in_second = (0..self.second.len()).filter(|&position| !self.taken[position]);
        let mut groups: HashMap<&str, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for position in alone_in_second {
            let key = self.second[position].key.as_str();
            if let (false, Some(part)) = (key.is_empty(), part(key)) {
                groups.entry(part).or_default().1.push(position);
            }
        }
        // In the order of the first list, so that messages do not depend on hashes.
        let mut order = Vec::new();
        for position in (0..self.first.len()).filter(|&place| self.partners[place].is_none()) {
            let key = self.first[position].key.as_str();
            if let (false, Some(part)) = (key.is_empty(), part(key))
                && let Some((members, _)) = groups.get_mut(part)
            {
                if members.is_empty() {
                    order.push(part);
                }
                members.push(position);
            }
        }
        for part in order {
            let (first, second) = groups.remove(part).unwrap_or_default();
            self.join_group(first, second)?;
        }
        Ok(())
    }

    fn join_group(&mut self, first: Vec<usize>, second: Vec<usize>) -> Result<(), Ambiguous> {
        if let ([one], [other]) = (first.as_slice(), second.as_slice()) {
            self.set(*one, *other);
            return Ok(());
        }
        if !self.agree(&first, &second) {
            return Err(Ambiguous { first, second });
        }
        for &one in &first {
            let partner = second.iter().find(|&&other| self.second[other].id == self.first[one].id);
            if let Some(&other) = partner {
                self.set(one, other);
            }
        }
        Ok(())
    }

    /// Whether both sides give one name to the same ids.
    fn agree(&self, first: &[usize], second: &[usize]) -> bool {
        let sorted = |positions: &[usize], entries: &[Named]| {
            let mut ids: Vec<_> = positions.iter().map(|&position| entries[position].id).collect();
            ids.sort_unstable();
            ids
        };
        let one_name = |positions: &[usize], entries: &[Named]| {
            positions.windows(2).all(|pair| entries[pair[0]].key == entries[pair[1]].key)
        };
        one_name(first, self.first)
            && one_name(second, self.second)
            && sorted(first, self.first) == sorted(second, self.second)
    }

    /// Joins by id what is still alone and has no name in one of the lists.
    fn join_nameless(&mut self) {
        let alone = |position: &usize| !self.taken[*position];
        let by_id: HashMap<i64, usize> = (0..self.second.len())
            .filter(alone)
            .filter_map(|position| Some((self.second[position].id?, position)))
            .collect();
        for position in 0..self.first.len() {
            let Named { id, key } = &self.first[position];
            if self.partners[position].is_none()
                && let Some(&partner) = id.and_then(|id| by_id.get(&id))
                && (key.is_empty() || self.second[partner].key.is_empty())
            {
                self.set(position, partner);
            }
        }
    }

    fn set(&mut self, first: usize, second: usize) {
        self.partners[first] = Some(second);
        self.taken[second] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(entries: &[(i64, &str)]) -> Vec<Named> {
        entries.iter().map(|&(id, key)| Named { id: Some(id), key: key.into() }).collect()
    }

    fn pairs(
        first: &[(i64, &str)],
        second: &[(i64, &str)],
    ) -> Result<Vec<(usize, usize)>, Ambiguous> {
        pair(&named(first), &named(second), true)
    }

    #[test]
    fn whole_names_come_first_then_the_longest_tail() {
        let first = [(1, "a/x"), (2, "y"), (3, "w"), (4, "s/q/b/z"), (5, "s/q/c/z"), (6, "x")];
        let second = [(1, "x"), (2, "a/x"), (3, "val/y"), (4, "t/q/c/z"), (5, "t/q/b/z")];
        assert_eq!(pairs(&first, &second).unwrap(), [(0, 1), (1, 2), (3, 4), (4, 3), (5, 0)]);
    }

    #[test]
    fn what_is_over_when_the_others_are_joined_stays_alone() {
        let first = [(1, "a/1"), (2, "b/1"), (3, "c/1")];
        assert_eq!(pairs(&first, &[(7, "i/a/1"), (8, "i/b/1")]).unwrap(), [(0, 0), (1, 1)]);
        assert_eq!(pairs(&first, &[(7, "c/1")]).unwrap(), [(2, 0)]);
    }

    #[test]
    fn what_could_be_several_things_is_ambiguous() {
        let several = pairs(&[(1, "b/z"), (2, "y"), (3, "c/z")], &[(1, "z")]);
        assert_eq!(several, Err(Ambiguous { first: vec![0, 2], second: vec![0] }));
        let several = pairs(&[(1, "z")], &[(1, "a/z"), (2, "b/z")]);
        assert_eq!(several, Err(Ambiguous { first: vec![0], second: vec![0, 1] }));
        // Same ids, but who says that `a` and `c` are the same folder?
        assert!(pairs(&[(1, "a/z"), (2, "b/z")], &[(1, "c/z"), (2, "d/z")]).is_err());
    }

    #[test]
    fn a_name_on_several_ids_joins_by_id_when_both_sides_agree() {
        let first = [(1, "z"), (2, "z"), (3, "y")];
        assert_eq!(
            pairs(&first, &[(9, "y"), (2, "z"), (1, "z")]).unwrap(),
            [(0, 2), (1, 1), (2, 0)]
        );
        assert_eq!(pairs(&first, &[(1, "i/z"), (2, "i/z")]).unwrap(), [(0, 0), (1, 1)]);
        assert_eq!(pairs(&first, &[(9, "y")]).unwrap(), [(2, 0)], "nothing asks for z");
        for second in [&[(1, "z")][..], &[(1, "z"), (5, "z")], &[(1, "z"), (2, "z"), (4, "z")]] {
            assert!(pairs(&first, second).is_err(), "{second:?}");
        }
    }

    #[test]
    fn a_missing_name_concerns_its_entry_alone() {
        let first = [(1, ""), (2, "b"), (3, "c"), (4, "d")];
        // 3 is named on both sides, otherwise: it stays alone.
        let second = [(12, "b"), (1, "a"), (3, "other"), (4, "")];
        assert_eq!(pairs(&first, &second).unwrap(), [(0, 1), (1, 0), (3, 3)]);
        // The id of the nameless one belongs to an entry that is joined by name.
        assert_eq!(pairs(&[(1, ""), (2, "b")], &[(1, "b"), (2, "a")]).unwrap(), [(1, 0)]);
    }
}

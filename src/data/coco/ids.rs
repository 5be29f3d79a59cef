//! Foreign ids, which may have gaps, mapped to 0..count in ascending order (conventions.md,
//! "Identity").

use std::collections::BTreeSet;

/// Ids spread over at most this many numbers are looked up in a table, others by bisection.
/// 4 million entries of 4 bytes cover COCO's image ids (below 600,000) in 2.4 MB.
const TABLE_LENGTH_MAX: i128 = 1 << 22;

const ABSENT: u32 = u32::MAX;

/// A set of ids and their ranks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DenseIds {
    ids: Vec<i64>,
    /// Rank of `ids[0] + position`, or [`ABSENT`]; empty when the ids are spread too widely.
    table: Vec<u32>,
}

impl DenseIds {
    /// Ranks the distinct ids among `ids`; at most `u32::MAX - 1` of them.
    pub fn new(ids: impl IntoIterator<Item = i64>) -> DenseIds {
        let mut distinct = BTreeSet::new();
        let mut last = None;
        for id in ids {
            // Boxes mostly come image by image, so this spares almost every insertion.
            if last != Some(id) {
                distinct.insert(id);
                last = Some(id);
            }
        }
        let ids: Vec<i64> = distinct.into_iter().collect();
        let table = match (ids.first(), ids.last()) {
            (Some(&first), Some(&last)) => table(&ids, first, i128::from(last) - i128::from(first)),
            _ => Vec::new(),
        };
        DenseIds { ids, table }
    }

    /// The ids in ascending order: rank to id.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// Number of distinct ids.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// The rank of `id`, or `None` for one that is not in the set.
    pub fn rank(&self, id: i64) -> Option<u32> {
        if self.table.is_empty() {
            return self.ids.binary_search(&id).ok().map(|rank| rank as u32);
        }
        let position = usize::try_from(id.checked_sub(self.ids[0])?).ok()?;
        self.table.get(position).copied().filter(|&rank| rank != ABSENT)
    }
}

fn table(ids: &[i64], first: i64, span: i128) -> Vec<u32> {
    if span >= TABLE_LENGTH_MAX {
        return Vec::new();
    }
    let mut table = vec![ABSENT; span as usize + 1];
    for (rank, id) in ids.iter().enumerate() {
        table[(id - first) as usize] = rank as u32;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_ascending_with_and_without_a_table() {
        for spread in [1, 1 << 40] {
            let ids = DenseIds::new([7, -3, 7, 90].map(|id| id * spread));
            assert_eq!(ids.ids(), [-3, 7, 90].map(|id| id * spread));
            assert_eq!(ids.table.is_empty(), spread > 1);
            assert_eq!(ids.rank(90 * spread), Some(2));
            for absent in [8 * spread, i64::MIN, i64::MAX] {
                assert_eq!(ids.rank(absent), None, "{absent}");
            }
        }
        assert_eq!(DenseIds::new([i64::MIN, i64::MAX]).rank(i64::MAX), Some(1));
        assert_eq!(DenseIds::new([]).rank(0), None);
    }
}

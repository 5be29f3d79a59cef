//! Indices in the order of what they stand for.
//!
//! A sort is three to thirty kilobytes of code for each comparison that is compiled into it, so
//! lists of hundreds of indices share one that calls its comparison.

use std::cmp::Ordering;

/// Sorts `indices` by `compare`; equal ones stay in the order of the indices. Allocates nothing.
pub fn rank(indices: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    indices.sort_unstable_by(|&a, &b| compare(a, b).then(a.cmp(&b)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_stay_in_the_order_of_the_indices() {
        let values = [2, 1, 2, 1, 0, 2];
        let mut indices: Vec<usize> = (0..6).rev().collect();
        rank(&mut indices, &|a, b| values[b].cmp(&values[a]));
        assert_eq!(indices, [0, 2, 5, 1, 3, 4]);
    }
}

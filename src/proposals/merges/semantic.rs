//! `semantic_merge = union` (claim 10, ¶60): regions with the same content are one region, on
//! the assumption that they show the same or similar objects.

use crate::proposals::regions::Regions;

/// Unites regions whose compared vectors have a cosine over `similarity`, chains included.
/// Answers how many regions vanished.
pub fn unite(regions: &mut Regions, similarity: f32) -> usize {
    regions.unite_linked(|regions, first, second| regions.similarity(first, second) > similarity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposals::filters::scene::strip;

    #[test]
    fn alike_regions_become_one_with_the_box_around_both() {
        let mut regions = strip(&[(0, 10, [1.0, 0.0]), (30, 40, [0.0, 1.0]), (80, 90, [0.8, 0.6])]);
        assert_eq!(unite(&mut regions, 0.8), 0);
        assert_eq!(unite(&mut regions, 0.79), 1);
        assert_eq!(regions.alive, [true, true, false]);
        assert_eq!(regions.boxes[0], [0.0, 0.0, 90.0, 1.0]);
        assert_eq!(regions.cells(0), 20);
        assert!((regions.shares[0] - 0.2).abs() < 1e-6);
    }
}

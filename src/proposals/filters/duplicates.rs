//! Filter (c): of two regions with (nearly) the same box the smaller one goes (patent ¶57:
//! IoU over 0.95; ¶61). "Smaller" is the region's area, as the boxes have almost the same.

use crate::proposals::regions::Regions;

/// Rejects regions whose box has an IoU over `iou` with that of a larger region. Answers how many.
pub fn reject(regions: &mut Regions, iou: f32) -> usize {
    regions.reject_smaller(|regions, larger, smaller| regions.box_overlap(larger, smaller) > iou)
}

#[cfg(test)]
mod tests {
    use super::super::scene::strip;
    use super::*;

    #[test]
    fn only_an_overlap_over_the_limit_counts() {
        // IoU 0.95 exactly, then 0.96.
        let mut regions = strip(&[(0, 95, [1.0, 0.0]), (0, 100, [0.0, 1.0])]);
        assert_eq!(reject(&mut regions, 0.95), 0);
        let mut regions = strip(&[(0, 96, [1.0, 0.0]), (0, 100, [0.0, 1.0])]);
        assert_eq!(reject(&mut regions, 0.95), 1);
        assert_eq!(regions.alive, [false, true]);
    }

    #[test]
    fn of_equal_regions_the_first_stays() {
        let mut regions = strip(&[(0, 10, [1.0, 0.0]), (0, 10, [1.0, 0.0]), (50, 60, [1.0, 0.0])]);
        assert_eq!(reject(&mut regions, 0.95), 1);
        assert_eq!(regions.alive, [true, false, true]);
    }

    #[test]
    fn with_one_box_the_smaller_region_goes() {
        let mut regions = strip(&[(0, 10, [1.0, 0.0]), (0, 10, [1.0, 0.0])]);
        regions.shares[0] = 0.05;
        assert_eq!(reject(&mut regions, 0.95), 1);
        assert_eq!(regions.alive, [false, true]);
    }
}

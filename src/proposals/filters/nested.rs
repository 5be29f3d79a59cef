//! Filter (d): of two regions with similar representations, one inside the other, the smaller
//! goes (patent ¶57 and ¶62). The patent gives no similarity and means by "subset" once the
//! region, once the box; both are keys.

use crate::geometry;
use crate::proposals::config::Containment;
use crate::proposals::regions::Regions;

/// Rejects regions that lie in a larger one by at least `share` and whose vectors have a cosine
/// over `similarity`; a similarity of 1 rejects none. Answers how many.
pub fn reject(
    regions: &mut Regions,
    similarity: f32,
    containment: Containment,
    share: f32,
) -> usize {
    if similarity >= 1.0 {
        return 0;
    }
    regions.reject_smaller(|regions, larger, smaller| {
        let inside = match containment {
            Containment::Region => {
                let shared = regions.shared_cells(larger, smaller);
                shared as f32 >= share * regions.cells(smaller) as f32
            }
            Containment::Box => {
                let (outer, inner) = (&regions.boxes[larger], &regions.boxes[smaller]);
                geometry::intersection(outer, inner) >= f64::from(share) * geometry::area(inner)
            }
        };
        inside && regions.similarity(larger, smaller) > similarity
    })
}

#[cfg(test)]
mod tests {
    use super::super::scene::strip;
    use super::*;

    #[test]
    fn both_similarity_and_containment_are_needed() {
        let (up, right, mixed) = ([0.0, 1.0], [1.0, 0.0], [0.6, 0.8]);
        let alive = |inner, share| {
            let mut regions = strip(&[(0, 50, up), inner]);
            reject(&mut regions, 0.7, Containment::Region, share);
            regions.alive[1]
        };
        assert!(!alive((10, 20, mixed), 1.0), "inside and similar");
        assert!(alive((10, 20, right), 1.0), "inside but different");
        assert!(alive((45, 55, mixed), 1.0), "similar but half outside");
        assert!(!alive((45, 55, mixed), 0.5), "half is asked for");
        assert!(alive((45, 55, mixed), 0.51), "just under the share");
    }

    #[test]
    fn the_similarity_must_be_over_the_limit_and_one_switches_the_filter_off() {
        let rejected = |similarity| {
            let mut regions = strip(&[(0, 50, [0.0, 1.0]), (10, 20, [0.6, 0.8])]);
            reject(&mut regions, similarity, Containment::Region, 0.95)
        };
        assert_eq!((rejected(0.8), rejected(0.79)), (0, 1));
        let mut regions = strip(&[(0, 50, [1.0, 0.0]), (0, 50, [1.0, 0.0])]);
        assert_eq!(reject(&mut regions, 1.0, Containment::Region, 0.95), 0);
    }

    #[test]
    fn boxes_may_contain_what_regions_do_not() {
        // A ring around its hole: the cells are disjoint, the boxes nested.
        let scene = || {
            let mut regions = strip(&[(0, 50, [0.0, 1.0]), (10, 20, [0.0, 1.0])]);
            (10..20).for_each(|cell| regions.masks[0] &= !(1 << cell));
            regions
        };
        assert_eq!(reject(&mut scene(), 0.9, Containment::Region, 0.95), 0);
        assert_eq!(reject(&mut scene(), 0.9, Containment::Box, 0.95), 1);
    }
}

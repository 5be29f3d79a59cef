//! Leaves out regions whose box takes nearly the whole image. What is behind all objects is a region
//! too, and the easiest one to find: a detector that learns it puts it first on every image. The patent
//! has no such filter; SoCo (Wei et al., NeurIPS 2021) bounds the root of a box's share by 0.8.

use crate::geometry;
use crate::proposals::regions::Regions;

/// Rejects regions whose box is more than `share_max` of an image of `image_area`, in the pixels of the
/// boxes. Answers how many.
pub fn reject(regions: &mut Regions, image_area: f64, share_max: f32) -> usize {
    let mut rejected = 0;
    for region in 0..regions.count() {
        let share = (geometry::area(&regions.boxes[region]) / image_area) as f32;
        if regions.alive[region] && share > share_max {
            regions.alive[region] = false;
            rejected += 1;
        }
    }
    rejected
}

#[cfg(test)]
mod tests {
    use super::super::scene::strip;
    use super::*;

    #[test]
    fn only_a_box_over_the_limit_goes() {
        let all = [(0, 100, [1.0, 0.0]), (5, 95, [1.0, 0.0]), (0, 91, [0.0, 1.0])];
        let alive = |share_max, first_alive: bool| {
            let mut regions = strip(&all);
            regions.alive[0] = first_alive;
            // Little of its box is the region's own.
            regions.shares[2] = 0.1;
            (reject(&mut regions, 100.0, share_max), regions.alive)
        };
        assert_eq!(alive(1.0, true), (0, vec![true, true, true]));
        assert_eq!(alive(0.9, true), (2, vec![false, true, false]));
        assert_eq!(alive(0.9, false), (1, vec![false, true, false]));
    }
}

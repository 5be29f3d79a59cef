//! Joins a detector's overlapping boxes into labels that are better than any of them: several queries,
//! or several views of an image, that found the same object agree on where it is.
//!
//! Sources: weighted boxes fusion (Solovyev, Wang, Gabruseva, arXiv:1910.13302): a box joins the group
//! whose mean it overlaps most, and means are weighted. Labels from an ensemble of views are those of
//! data distillation (Radosavovic et al., "Omni-supervised learning", CVPR 2018). Scores are ours: a
//! group's is the chance that one of its members at least is right were they independent, so that what
//! many queries found comes first.

use super::suppression::has_area;
use crate::detector::prediction::Detection;
use crate::geometry::intersection_over_union;

/// Boxes that are taken for one.
struct Group {
    /// Weighted sum of the members' sides, and of the weights.
    sides: [f64; 4],
    weights: f64,
    mean: [f32; 4],
    class: u32,
    /// The chance that every member is wrong.
    wrong: f64,
}

impl Group {
    fn of(first: &Detection) -> Group {
        let class = first.class;
        let mut group =
            Group { sides: [0.0; 4], weights: 0.0, mean: first.bounds, class, wrong: 1.0 };
        group.join(first);
        group
    }

    fn join(&mut self, member: &Detection) {
        let score = f64::from(member.score);
        // Squares, so that a good box is not moved far by many poor ones.
        let weight = (score * score).max(f64::MIN_POSITIVE);
        self.weights += weight;
        self.wrong *= 1.0 - score;
        for (side, bound) in self.sides.iter_mut().zip(member.bounds) {
            *side += weight * f64::from(bound);
        }
        self.mean = self.sides.map(|side| (side / self.weights) as f32);
    }
}

/// Joins `detections`, best first, each with the group whose mean it overlaps most, where their IoU is
/// above `overlap_min`; whatever the classes, of which the best member's stays. What comes out is best
/// first; boxes without area go.
pub fn fuse(detections: &mut Vec<Detection>, overlap_min: f64) {
    let mut groups: Vec<Group> = Vec::new();
    for detection in detections.drain(..).filter(has_area) {
        let mut best: Option<(usize, f64)> = None;
        for (place, group) in groups.iter().enumerate() {
            let overlap = intersection_over_union(&group.mean, &detection.bounds);
            if overlap > best.map_or(overlap_min, |(_, most)| most) {
                best = Some((place, overlap));
            }
        }
        match best {
            Some((place, _)) => groups[place].join(&detection),
            None => groups.push(Group::of(&detection)),
        }
    }
    let joined = |group: &Group| Detection {
        bounds: group.mean,
        class: group.class,
        score: (1.0 - group.wrong) as f32,
    };
    detections.extend(groups.iter().map(joined));
    // Stable: of equal scores the group of the better first box stays first.
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(left: f32, width: f32, score: f32, class: u32) -> Detection {
        Detection { bounds: [left, 0.0, left + width, 10.0], class, score }
    }

    #[test]
    fn boxes_of_one_object_become_their_weighted_mean_and_agree() {
        let mut found = vec![
            detection(50.0, 10.0, 0.7, 3),
            detection(0.0, 10.0, 0.6, 1),
            detection(1.0, 10.0, 0.5, 2),
            detection(0.0, 0.0, 0.4, 0),
        ];
        fuse(&mut found, 0.5);
        assert_eq!(found.len(), 2, "the empty box goes");
        // 1 - 0.4 * 0.5 is above 0.7, and the weights of 0 and 1 are 0.36 and 0.25.
        assert!((found[0].score - 0.8).abs() < 1e-6 && found[0].class == 1);
        let left = 0.25 / 0.61;
        assert!((found[0].bounds[0] - left).abs() < 1e-6);
        assert!((found[0].bounds[2] - 10.0 - left).abs() < 1e-5);
        assert_eq!((found[1].bounds, found[1].class), ([50.0, 0.0, 60.0, 10.0], 3));
    }

    #[test]
    fn a_box_joins_the_group_that_it_overlaps_most_and_equal_limits_stay_apart() {
        let mut found = vec![
            detection(0.0, 10.0, 0.9, 0),
            detection(8.0, 10.0, 0.8, 1),
            // IoU 1/4 with the first and 7/13 with the second.
            detection(5.0, 10.0, 0.1, 2),
        ];
        fuse(&mut found, 0.2);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].bounds, [0.0, 0.0, 10.0, 10.0]);
        assert!(found[1].bounds[0] < 8.0 && found[1].class == 1);
        // IoU just 0.5.
        let mut apart = vec![detection(0.0, 10.0, 0.9, 0), detection(0.0, 5.0, 0.8, 0)];
        fuse(&mut apart, 0.5);
        assert_eq!(apart.len(), 2);
        let mut none = vec![detection(0.0, 10.0, 0.0, 0), detection(0.0, 10.0, 0.0, 0)];
        fuse(&mut none, 0.5);
        assert_eq!((none.len(), none[0].bounds), (1, [0.0, 0.0, 10.0, 10.0]));
    }
}

//! Which of a detector's own boxes become labels: no threshold on scores, only overlap (patent ¶40).
//!
//! Boxes are taken best first; one is left out where it overlaps a kept one by more than the
//! limit, whatever the classes.

use crate::detector::prediction::Detection;
use crate::geometry::intersection_over_union;

/// Removes from `detections`, best first, each whose IoU with a kept one is above `overlap_max`, and
/// each without area.
pub fn suppress(detections: &mut Vec<Detection>, overlap_max: f64) {
    let mut kept: Vec<Detection> = Vec::with_capacity(detections.len());
    for detection in detections.drain(..) {
        let overlaps = |other: &Detection| {
            intersection_over_union(&other.bounds, &detection.bounds) > overlap_max
        };
        if has_area(&detection) && !kept.iter().any(overlaps) {
            kept.push(detection);
        }
    }
    *detections = kept;
}

/// Whether a box holds anything.
pub fn has_area(detection: &Detection) -> bool {
    let [left, top, right, bottom] = detection.bounds;
    right > left && bottom > top
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(bounds: [f32; 4], class: u32) -> Detection {
        Detection { bounds, class, score: 0.5 }
    }

    #[test]
    fn overlapping_boxes_go_whatever_their_class_and_equal_limits_stay() {
        let mut detections = vec![
            detection([0.0, 0.0, 10.0, 10.0], 0),
            // IoU 0.6 with the first.
            detection([0.0, 0.0, 10.0, 6.0], 1),
            // IoU exactly 0.5 with the first.
            detection([0.0, 0.0, 10.0, 5.0], 1),
            detection([20.0, 0.0, 20.0, 5.0], 1),
        ];
        suppress(&mut detections, 0.5);
        assert_eq!(detections.len(), 2);
        assert_eq!(detections[1].bounds[3], 5.0);
    }
}

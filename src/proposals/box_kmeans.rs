//! K-means of boxes under the distance 1 - IoU (patent ¶59: "the IoU metric may be determined using
//! k-means clustering"; anchors were chosen so by Redmon and Farhadi, YOLO9000, CVPR 2017).
//!
//! The first box and then always the one that overlaps the chosen ones least are where it starts; a
//! centre is the mean of its boxes, side by side. Nothing is drawn, so the answer depends on the
//! boxes and their order alone.

use super::numeric::{bytes_of, sized};
use crate::geometry::{BoundingBox, intersection_over_union};

/// Rounds at most; a few dozen boxes settle in fewer.
const ROUNDS_MAX: usize = 20;

/// The cluster of a box that takes no part.
const NONE: u32 = u32::MAX;

/// Memory of [`BoxKmeans::fit`], and its answer.
#[derive(Debug, Default)]
pub struct BoxKmeans {
    centres: Vec<BoundingBox>,
    labels: Vec<u32>,
    /// Sides and number of each cluster's boxes.
    sums: Vec<[f64; 5]>,
    /// Of each box, its largest overlap with a chosen one.
    overlaps: Vec<f64>,
}

impl BoxKmeans {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.centres)
            + bytes_of(&self.labels)
            + bytes_of(&self.sums)
            + bytes_of(&self.overlaps)
    }

    /// The centres, at most as many as were asked for.
    pub fn centres(&self) -> &[BoundingBox] {
        &self.centres
    }

    /// The centre of a box that took part.
    pub fn label(&self, index: usize) -> usize {
        self.labels[index] as usize
    }

    /// How many boxes each centre has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.centres.len()];
        for label in self.labels.iter().filter(|label| **label != NONE) {
            counts[*label as usize] += 1;
        }
        counts
    }

    /// Clusters those of `boxes` that `takes_part` says into `clusters` or fewer.
    pub fn fit(
        &mut self,
        boxes: &[BoundingBox],
        takes_part: impl Fn(usize) -> bool,
        clusters: usize,
    ) {
        self.seed(boxes, &takes_part, clusters);
        self.labels.clear();
        self.labels.resize(boxes.len(), NONE);
        for _ in 0..ROUNDS_MAX {
            if !self.assign(boxes, &takes_part) {
                break;
            }
            self.move_centres(boxes);
        }
    }

    /// No more than there are boxes, as a box without area overlaps nothing, itself included.
    fn seed(
        &mut self,
        boxes: &[BoundingBox],
        takes_part: &impl Fn(usize) -> bool,
        clusters: usize,
    ) {
        let BoxKmeans { centres, overlaps, .. } = self;
        centres.clear();
        sized(overlaps, boxes.len()).fill(0.0);
        let taking_part = || (0..boxes.len()).filter(|&index| takes_part(index));
        let clusters = clusters.min(taking_part().count());
        while centres.len() < clusters {
            let farthest =
                taking_part().reduce(|a, b| if overlaps[b] < overlaps[a] { b } else { a });
            let Some(index) = farthest.filter(|&index| centres.is_empty() || overlaps[index] < 1.0)
            else {
                break;
            };
            for (overlap, bounds) in overlaps.iter_mut().zip(boxes) {
                *overlap = overlap.max(intersection_over_union(bounds, &boxes[index]));
            }
            centres.push(boxes[index]);
        }
    }

    /// Answers whether a box has another centre than before.
    fn assign(&mut self, boxes: &[BoundingBox], takes_part: &impl Fn(usize) -> bool) -> bool {
        let mut changed = false;
        for index in (0..boxes.len()).filter(|&index| takes_part(index)) {
            let mut nearest = (0, f64::NEG_INFINITY);
            for (cluster, centre) in self.centres.iter().enumerate() {
                let overlap = intersection_over_union(&boxes[index], centre);
                if overlap > nearest.1 {
                    nearest = (cluster, overlap);
                }
            }
            changed |= self.labels[index] != nearest.0 as u32;
            self.labels[index] = nearest.0 as u32;
        }
        changed
    }

    fn move_centres(&mut self, boxes: &[BoundingBox]) {
        let sums = sized(&mut self.sums, self.centres.len());
        sums.fill([0.0; 5]);
        for (bounds, label) in boxes.iter().zip(&self.labels).filter(|(_, label)| **label != NONE) {
            let sum = &mut sums[*label as usize];
            for (total, side) in sum.iter_mut().zip(bounds) {
                *total += f64::from(*side);
            }
            sum[4] += 1.0;
        }
        for (centre, sum) in self.centres.iter_mut().zip(&*sums).filter(|(_, sum)| sum[4] > 0.0) {
            for (side, total) in centre.iter_mut().zip(sum) {
                *side = (total / sum[4]) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_gather_around_means_and_the_others_take_no_part() {
        let boxes = [
            [0.0, 0.0, 10.0, 10.0],
            [100.0, 0.0, 120.0, 10.0],
            [0.0, 0.0, 12.0, 10.0],
            [50.0, 50.0, 60.0, 60.0],
            [102.0, 0.0, 122.0, 10.0],
        ];
        let mut clusters = BoxKmeans::default();
        clusters.fit(&boxes, |index| index != 3, 2);
        assert_eq!(clusters.centres(), [[0.0, 0.0, 11.0, 10.0], [101.0, 0.0, 121.0, 10.0]]);
        assert_eq!([0, 1, 2, 4].map(|index| clusters.label(index)), [0, 1, 0, 1]);
        assert_eq!(clusters.counts(), [2, 2]);
        clusters.fit(&boxes, |_| true, 9);
        assert_eq!(clusters.centres().len(), 5);
        clusters.fit(&[[1.0; 4]; 3], |_| true, 9);
        assert_eq!(clusters.counts().iter().sum::<usize>(), 3);
        clusters.fit(&[], |_| true, 9);
        assert!(clusters.centres().is_empty());
    }
}

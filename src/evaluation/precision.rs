//! Precision at 101 recalls and the final recall of one category, for each threshold and area.
//!
//! A curve changes only where a detection hits; between hits precision falls. It is therefore
//! enough to know, for each hit, how many misses came before it, and most detections, which miss
//! at every threshold, cost one addition.

use super::matching::{ALL_THRESHOLDS, CategoryOutcomes, Outcome, ThresholdBits};
use super::protocol::{AREAS_COUNT, RECALLS_COUNT, THRESHOLDS_COUNT, recall_points};

/// What pycocotools writes where there is nothing to measure.
pub(super) const UNDEFINED: f64 = -1.0;

/// The curves of one category; [`UNDEFINED`] where an area has no objects.
#[derive(Debug, Clone)]
pub(super) struct CategoryCurves {
    /// `[areas][thresholds, recalls]`, at the largest number of detections; empty when undefined.
    pub precision: [Vec<f64>; AREAS_COUNT],
    /// `[areas][thresholds, maxima]`; empty when undefined.
    pub recall: [Vec<f64>; AREAS_COUNT],
}

impl CategoryCurves {
    pub(super) fn new(category: &CategoryOutcomes, detections_max: &[u32]) -> CategoryCurves {
        let mut curves =
            CategoryCurves { precision: Default::default(), recall: Default::default() };
        let last = detections_max.len() - 1;
        for area in 0..AREAS_COUNT {
            let objects_count = category.objects_count[area];
            if objects_count == 0 {
                continue;
            }
            let mut recall = vec![0.0; THRESHOLDS_COUNT * detections_max.len()];
            for (index, &rank_max) in detections_max.iter().enumerate() {
                let hits = Hits::new(&category.outcomes, area, rank_max);
                for threshold in 0..THRESHOLDS_COUNT {
                    recall[threshold * detections_max.len() + index] =
                        hits.count(threshold) as f64 / objects_count as f64;
                }
                if index == last {
                    curves.precision[area] = hits.precision(objects_count);
                }
            }
            curves.recall[area] = recall;
        }
        curves
    }
}

/// The hits of one area and one number of detections.
struct Hits {
    /// For each threshold, the misses before each hit.
    misses_before: [Vec<u32>; THRESHOLDS_COUNT],
}

impl Hits {
    fn new(outcomes: &[Outcome], area: usize, rank_max: u32) -> Hits {
        let mut misses_before: [Vec<u32>; THRESHOLDS_COUNT] = Default::default();
        // Misses at every threshold are counted once, others for each threshold.
        let (mut common, mut others) = (0, [0; THRESHOLDS_COUNT]);
        for outcome in outcomes.iter().filter(|outcome| outcome.rank < rank_max) {
            let (hits, misses) = (outcome.hits[area], outcome.misses[area]);
            if misses == ALL_THRESHOLDS {
                common += 1;
                continue;
            }
            for_each_bit(hits, |threshold| {
                misses_before[threshold].push(common + others[threshold]);
            });
            for_each_bit(misses, |threshold| others[threshold] += 1);
        }
        Hits { misses_before }
    }

    fn count(&self, threshold: usize) -> usize {
        self.misses_before[threshold].len()
    }

    /// `[thresholds, recalls]`: the best precision at this recall or a higher one, 0 where the
    /// recall is not reached.
    fn precision(&self, objects_count: usize) -> Vec<f64> {
        let mut answer = vec![0.0; THRESHOLDS_COUNT * RECALLS_COUNT];
        let points = recall_points();
        for (misses_before, row) in self.misses_before.iter().zip(answer.chunks_mut(RECALLS_COUNT))
        {
            let mut precision: Vec<f64> = misses_before
                .iter()
                .zip(1u32..)
                .map(|(&misses, hits)| {
                    // pycocotools keeps the quotient finite by one unit in the last place of 1.
                    f64::from(hits) / (f64::from(misses) + f64::from(hits) + f64::EPSILON)
                })
                .collect();
            for index in (1..precision.len()).rev() {
                precision[index - 1] = precision[index - 1].max(precision[index]);
            }
            let mut hit = 0;
            for (value, &point) in row.iter_mut().zip(&points) {
                while hit < precision.len() && ((hit + 1) as f64 / objects_count as f64) < point {
                    hit += 1;
                }
                let Some(&reached) = precision.get(hit) else { break };
                *value = reached;
            }
        }
        answer
    }
}

fn for_each_bit(mut bits: ThresholdBits, mut visit: impl FnMut(usize)) {
    while bits != 0 {
        visit(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

//! Greedy matching of one category: each detection, best score first, takes the object that it
//! overlaps most, for ten thresholds and four ranges of area together.
//!
//! An object outside the range of area, or a crowd, is ignored: it is taken only when no other
//! object can be, and then the detection counts neither for nor against. A crowd can be taken any
//! number of times, and the overlap with it is a share of the detection alone. Of equal overlaps
//! the later object wins, as in pycocotools.

use super::grouping::{Grouping, by_image};
use super::input::EvaluationInput;
use super::{AREA_RANGES, AREAS_COUNT, EvaluationOptions, THRESHOLDS_COUNT, iou_thresholds};

/// One bit for each IoU threshold, lowest threshold first.
pub(super) type ThresholdBits = u16;
pub(super) const ALL_THRESHOLDS: ThresholdBits = (1 << THRESHOLDS_COUNT) - 1;

/// What became of one detection. A threshold that is in neither set ignores the detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Outcome {
    /// Rank among the detections of its image, 0 = best.
    pub rank: u32,
    /// Thresholds at which it found an object, for each range of area.
    pub hits: [ThresholdBits; AREAS_COUNT],
    /// Thresholds at which it is a false alarm.
    pub misses: [ThresholdBits; AREAS_COUNT],
}

/// Everything that the curves of one category need.
#[derive(Debug, Default)]
pub(super) struct CategoryOutcomes {
    /// Best score first; ties by image, then by input order.
    pub outcomes: Vec<Outcome>,
    /// Objects that are to be found, for each range of area.
    pub objects_count: [usize; AREAS_COUNT],
}

pub(super) fn match_category(
    input: &EvaluationInput,
    objects: &Grouping,
    detections: &Grouping,
    category: usize,
    options: &EvaluationOptions,
) -> CategoryOutcomes {
    let (objects, detections) = (objects.category(category), detections.category(category));
    let mut answer = CategoryOutcomes::default();
    for &object in objects {
        for (area, count) in answer.objects_count.iter_mut().enumerate() {
            *count += usize::from(!input.objects.is_ignored(object as usize, area));
        }
    }
    if objects.is_empty() {
        // Without objects there is no curve, whatever was detected.
        return answer;
    }
    let mut matcher = ImageMatcher::new(input);
    let mut scored = Vec::with_capacity(detections.len());
    let mut object_groups = by_image(objects, &input.objects.boxes.images).peekable();
    let ranks_max = options.detections_max[options.detections_max.len() - 1] as usize;
    for group in by_image(detections, &input.detections.boxes.images) {
        let image = input.detections.boxes.images[group[0] as usize];
        let image_of = |group: &&[u32]| input.objects.boxes.images[group[0] as usize];
        while object_groups.next_if(|objects| image_of(objects) < image).is_some() {}
        let objects = object_groups.next_if(|objects| image_of(objects) == image);
        matcher.match_image(group, objects.unwrap_or(&[]), ranks_max, &mut scored);
    }
    // Stable, so that ties stay in the order of images and of input.
    scored.sort_by(|first, second| second.0.total_cmp(&first.0));
    answer.outcomes = scored.into_iter().map(|(_, outcome)| outcome).collect();
    answer
}

/// An object during the matching of its image.
struct Candidate {
    bounds: [f64; 4],
    is_crowd: bool,
    is_ignored: [bool; AREAS_COUNT],
    taken: [ThresholdBits; AREAS_COUNT],
}

/// Matches image after image with the same buffers.
struct ImageMatcher<'a> {
    input: &'a EvaluationInput,
    thresholds: [f64; THRESHOLDS_COUNT],
    ranked: Vec<u32>,
    candidates: Vec<Candidate>,
    /// Candidates that the current detection overlaps enough for the lowest threshold.
    near: Vec<(usize, f64)>,
}

impl<'a> ImageMatcher<'a> {
    fn new(input: &'a EvaluationInput) -> ImageMatcher<'a> {
        ImageMatcher {
            input,
            thresholds: iou_thresholds(),
            ranked: Vec::new(),
            candidates: Vec::new(),
            near: Vec::new(),
        }
    }

    fn match_image(
        &mut self,
        detections: &[u32],
        objects: &[u32],
        ranks_max: usize,
        scored: &mut Vec<(f64, Outcome)>,
    ) {
        let (input, scores) = (self.input, &self.input.detections.scores);
        self.candidates.clear();
        self.candidates.extend(objects.iter().map(|&object| object as usize).map(|object| {
            Candidate {
                bounds: input.objects.boxes.bounds[object],
                is_crowd: input.objects.crowds[object],
                is_ignored: std::array::from_fn(|area| input.objects.is_ignored(object, area)),
                taken: [0; AREAS_COUNT],
            }
        }));
        self.ranked.clear();
        self.ranked.extend_from_slice(detections);
        self.ranked
            .sort_by(|&first, &second| scores[second as usize].total_cmp(&scores[first as usize]));
        for rank in 0..self.ranked.len().min(ranks_max) {
            let detection = self.ranked[rank] as usize;
            let outcome = self.match_detection(detection, rank as u32);
            scored.push((scores[detection], outcome));
        }
    }

    fn match_detection(&mut self, detection: usize, rank: u32) -> Outcome {
        let bounds = self.input.detections.boxes.bounds[detection];
        self.near.clear();
        for (index, candidate) in self.candidates.iter().enumerate() {
            let overlap = overlap(&bounds, &candidate.bounds, candidate.is_crowd);
            if overlap >= self.thresholds[0] {
                self.near.push((index, overlap));
            }
        }
        let detection_area = bounds[2] * bounds[3];
        let mut outcome = Outcome { rank, ..Outcome::default() };
        for (area, &[low, high]) in AREA_RANGES.iter().enumerate() {
            let mut matched = 0;
            if !self.near.is_empty() {
                (outcome.hits[area], matched) = self.take(area);
            }
            if (low..=high).contains(&detection_area) {
                outcome.misses[area] = ALL_THRESHOLDS & !matched;
            }
        }
        outcome
    }

    /// Takes the best candidate at each threshold. Answers the thresholds at which it counts, and
    /// those at which there was any.
    fn take(&mut self, area: usize) -> (ThresholdBits, ThresholdBits) {
        let (mut hits, mut matched) = (0, 0);
        for (index, &threshold) in self.thresholds.iter().enumerate() {
            let bit = 1 << index;
            let best = |wanted_ignored: bool| {
                let mut best = None;
                let mut best_overlap = threshold.min(1.0 - 1e-10);
                for &(candidate, overlap) in &self.near {
                    let Candidate { is_crowd, is_ignored, taken, .. } = &self.candidates[candidate];
                    let is_free = *is_crowd || taken[area] & bit == 0;
                    if is_free && is_ignored[area] == wanted_ignored && overlap >= best_overlap {
                        best_overlap = overlap;
                        best = Some(candidate);
                    }
                }
                best
            };
            let Some(candidate) = best(false).or_else(|| best(true)) else { continue };
            let candidate = &mut self.candidates[candidate];
            candidate.taken[area] |= bit;
            matched |= bit;
            if !candidate.is_ignored[area] {
                hits |= bit;
            }
        }
        (hits, matched)
    }
}

/// Intersection over union of two xywh boxes, or over the detection alone for a crowd; in the
/// order of operations of pycocotools, on which the last bit depends.
fn overlap(detection: &[f64; 4], object: &[f64; 4], is_crowd: bool) -> f64 {
    let shared_side = |axis: usize| {
        (detection[axis + 2] + detection[axis]).min(object[axis + 2] + object[axis])
            - detection[axis].max(object[axis])
    };
    let (width, height) = (shared_side(0), shared_side(1));
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let shared = width * height;
    let detection_area = detection[2] * detection[3];
    let whole =
        if is_crowd { detection_area } else { detection_area + object[2] * object[3] - shared };
    shared / whole
}

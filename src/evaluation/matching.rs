//! Greedy matching of one category: each detection, best score first, takes the object that it
//! overlaps most, for ten thresholds and four ranges of area together.
//!
//! An object outside the range of area, or a crowd, is ignored: it is taken only when no other
//! object can be, and then the detection counts neither for nor against. A crowd can be taken any
//! number of times, and the overlap with it is a share of the detection alone. Of equal overlaps
//! the later object wins, as in pycocotools.

use super::protocol::{AREA_RANGES, AREAS_COUNT, THRESHOLDS_COUNT, iou_thresholds};

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

/// A detection as it is matched.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Detection {
    pub image: u32,
    pub score: f64,
    /// xywh
    pub bounds: [f64; 4],
}

/// An object as it is matched.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Object {
    pub image: u32,
    /// xywh
    pub bounds: [f64; 4],
    pub is_crowd: bool,
    /// Whether it need not be found, for each range of area.
    pub is_ignored: [bool; AREAS_COUNT],
}

/// Matches one category's detections with its objects, both image by image. Only the first
/// `ranks_max` detections of an image take part.
pub(super) fn match_category(
    objects: &[Object],
    detections: &[Detection],
    ranks_max: usize,
) -> CategoryOutcomes {
    let mut answer = CategoryOutcomes::default();
    for object in objects {
        for (count, &is_ignored) in answer.objects_count.iter_mut().zip(&object.is_ignored) {
            *count += usize::from(!is_ignored);
        }
    }
    if objects.is_empty() {
        // Without objects there is no curve, whatever was detected.
        return answer;
    }
    let mut matcher = ImageMatcher::default();
    let mut scored = Vec::with_capacity(detections.len());
    let mut object_groups = objects.chunk_by(|one, next| one.image == next.image).peekable();
    for group in detections.chunk_by(|one, next| one.image == next.image) {
        let image = group[0].image;
        while object_groups.next_if(|objects| objects[0].image < image).is_some() {}
        let objects = object_groups.next_if(|objects| objects[0].image == image);
        matcher.match_image(group, objects.unwrap_or(&[]), ranks_max, &mut scored);
    }
    // Stable, so that ties stay in the order of images and of input.
    scored.sort_by(|first, second| second.0.total_cmp(&first.0));
    answer.outcomes = scored.into_iter().map(|(_, outcome)| outcome).collect();
    answer
}

/// An object during the matching of its image.
struct Candidate {
    object: Object,
    /// Thresholds at which it is taken, for each range of area.
    taken: [ThresholdBits; AREAS_COUNT],
}

/// Matches image after image with the same buffers.
struct ImageMatcher {
    thresholds: [f64; THRESHOLDS_COUNT],
    ranked: Vec<Detection>,
    candidates: Vec<Candidate>,
    /// Candidates that the current detection overlaps enough for the lowest threshold.
    near: Vec<(usize, f64)>,
}

impl Default for ImageMatcher {
    fn default() -> ImageMatcher {
        ImageMatcher {
            thresholds: iou_thresholds(),
            ranked: Vec::new(),
            candidates: Vec::new(),
            near: Vec::new(),
        }
    }
}

impl ImageMatcher {
    fn match_image(
        &mut self,
        detections: &[Detection],
        objects: &[Object],
        ranks_max: usize,
        scored: &mut Vec<(f64, Outcome)>,
    ) {
        self.candidates.clear();
        let untaken = |&object| Candidate { object, taken: [0; AREAS_COUNT] };
        self.candidates.extend(objects.iter().map(untaken));
        self.ranked.clear();
        self.ranked.extend_from_slice(detections);
        self.ranked.sort_by(|first, second| second.score.total_cmp(&first.score));
        for rank in 0..self.ranked.len().min(ranks_max) {
            let Detection { score, bounds, .. } = self.ranked[rank];
            scored.push((score, self.match_detection(&bounds, rank as u32)));
        }
    }

    fn match_detection(&mut self, bounds: &[f64; 4], rank: u32) -> Outcome {
        self.near.clear();
        for (index, Candidate { object, .. }) in self.candidates.iter().enumerate() {
            let overlap = overlap(bounds, &object.bounds, object.is_crowd);
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
                    let Candidate { object, taken } = &self.candidates[candidate];
                    let is_free = object.is_crowd || taken[area] & bit == 0;
                    let is_wanted = is_free && object.is_ignored[area] == wanted_ignored;
                    if is_wanted && overlap >= best_overlap {
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
            if !candidate.object.is_ignored[area] {
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

//! From logits and boxes of one image to detections.
//!
//! Three readings: the official detectors' (the best pairs of query and class), and one box a query
//! with its best class, as in relabelling (patent ¶40), by the score of that class or by one of all
//! classes.

/// A box that a detector found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// xyxy in pixels of the original image, clipped to it.
    pub bounds: [f32; 4],
    pub class: u32,
    /// Sigmoid of the class logit, or as [`Reading`] says.
    pub score: f32,
}

/// What one image's predictions are read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The best pairs of query and class, so that a query may appear with several classes.
    Pairs,
    /// Each query once, with its best class.
    Queries,
    /// Each query once, with its best class; its score is one of all classes,
    /// `(1 - Π(1 - p^3))^(1/3)` over their probabilities p, which is p for a single one. Where classes are
    /// hard to tell apart, a query's certainty is spread over several, and the best one alone ranks boxes
    /// badly; without the power, what all classes have of background drowns the one that is sure.
    Objects,
}

/// Of the probabilities in the product. AP (x100) of two detectors of 16 classes, scenes, and of two of 64,
/// photographs: 18.8, 16.2, 1.7 and 1.7; of order 1 5.6, 4.7, 1.4 and 1.9; of order 4 19.1, 16.6, 1.3 and
/// 1.6; by the best class alone 18.8, 16.8, 0.8 and 1.4.
pub const OBJECTS_ORDER: f64 = 3.0;

/// The log-odds of the score of [`Reading::Objects`] of a query with the logits `row`.
fn any_class(row: &[f32]) -> f32 {
    let none_of_this = |&logit: &f32| {
        let logit = f64::from(logit);
        let probability = logit.min(0.0) - (-logit.abs()).exp().ln_1p();
        rest(OBJECTS_ORDER * probability)
    };
    let none: f64 = row.iter().map(none_of_this).sum();
    let score = rest(none) / OBJECTS_ORDER;
    (score - rest(score)) as f32
}

/// ln(1 - e^`x`) for `x` up to 0, where no digits are lost on either side; finite.
fn rest(x: f64) -> f64 {
    match x > -std::f64::consts::LN_2 {
        true => (-x.exp_m1()).max(f64::MIN_POSITIVE).ln(),
        false => (-x.exp()).ln_1p(),
    }
}

/// What was found on several images, in flat lists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detections {
    all: Vec<Detection>,
    /// Where the detections of each image end.
    ends: Vec<usize>,
}

/// Pairs of log-odds and number that are ranked, in memory that is used again.
pub type Candidates = Vec<(f32, u32)>;

/// Which boxes of an image are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// The best ones, at most as many.
    pub count: usize,
    /// Boxes with a lower score are left out.
    pub score_min: f32,
    pub reading: Reading,
}

impl Detections {
    /// Forgets every image.
    pub fn clear(&mut self) {
        self.all.clear();
        self.ends.clear();
    }

    /// Number of images.
    pub fn images_count(&self) -> usize {
        self.ends.len()
    }

    /// Those of all images, one image after another.
    pub fn all(&self) -> &[Detection] {
        &self.all
    }

    /// Those of each image, best first.
    pub fn images(&self) -> impl Iterator<Item = &[Detection]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.all[start..end])
    }

    /// Adds the wanted detections of one image, best first; ties by query, then by class.
    ///
    /// `logits` are `[queries, classes]`, `boxes` `[queries, 4]` cxcywh in units of the un-padded image
    /// of `width` by `height` pixels.
    pub fn add(
        &mut self,
        candidates: &mut Candidates,
        (logits, boxes): (&[f32], &[f32]),
        (width, height): (f32, f32),
        wanted: &Wanted,
    ) {
        let classes = logits.len() / (boxes.len() / 4).max(1);
        rank(candidates, (logits, classes), wanted);
        for &(logit, pair) in &*candidates {
            let (query, class) = (pair as usize / classes, pair as usize % classes);
            let [x, y, w, h] = [0, 1, 2, 3].map(|part| boxes[4 * query + part]);
            let clip = |value: f32, side: f32| (value * side).clamp(0.0, side);
            let bounds = [
                clip(x - w / 2.0, width),
                clip(y - h / 2.0, height),
                clip(x + w / 2.0, width),
                clip(y + h / 2.0, height),
            ];
            let score = 1.0 / (1.0 + (-logit).exp());
            if score >= wanted.score_min {
                self.all.push(Detection { bounds, class: class as u32, score });
            }
        }
        self.ends.push(self.all.len());
    }
}

/// The best pairs of query and class that a reading gives, best first.
fn rank(candidates: &mut Candidates, (logits, classes): (&[f32], usize), wanted: &Wanted) {
    let Wanted { count, reading, .. } = *wanted;
    candidates.clear();
    match reading {
        Reading::Pairs => {
            candidates.extend(logits.iter().enumerate().map(|(pair, logit)| (*logit, pair as u32)));
        }
        Reading::Queries | Reading::Objects => {
            let best_class = |(query, row): (usize, &[f32])| {
                let mut best = 0;
                for (class, logit) in row.iter().enumerate() {
                    if *logit > row[best] {
                        best = class;
                    }
                }
                let score = if reading == Reading::Objects { any_class(row) } else { row[best] };
                (score, (query * classes + best) as u32)
            };
            candidates.extend(logits.chunks_exact(classes).enumerate().map(best_class));
        }
    }
    let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if candidates.len() > count {
        candidates.select_nth_unstable_by(count, order);
        candidates.truncate(count);
    }
    candidates.sort_unstable_by(order);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(
        logits: &[f32],
        boxes: &[f32],
        sides: (f32, f32),
        count: usize,
        reading: Reading,
    ) -> Vec<Detection> {
        let mut found = Detections::default();
        let wanted = Wanted { count, score_min: 0.0, reading };
        found.add(&mut Candidates::default(), (logits, boxes), sides, &wanted);
        assert_eq!(found.images().next(), Some(found.all()));
        found.all().to_vec()
    }

    const BOXES: [f32; 8] = [0.5, 0.5, 0.5, 0.5, 0.1, 0.5, 0.4, 1.0];

    #[test]
    fn pairs_may_repeat_a_query_and_queries_may_not() {
        let logits = [2.0, 1.0, -3.0, 0.0, -1.0, -2.0];
        let found = best(&logits, &BOXES, (100.0, 50.0), 2, Reading::Pairs);
        assert_eq!([found[0].class, found[1].class], [0, 1]);
        assert_eq!(found[0].bounds, [25.0, 12.5, 75.0, 37.5]);
        assert!((found[0].score - 0.880_797).abs() < 1e-6);
        let found = best(&logits, &BOXES, (100.0, 50.0), 5, Reading::Queries);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].class, found[1].score), (0, 0.5));
        let left = found[1].bounds;
        assert!(left[0] == 0.0 && (left[2] - 30.0).abs() < 1e-4 && left[3] == 50.0);
    }

    #[test]
    fn objects_rank_by_all_their_classes() {
        // One class of 0.6, or three of 0.5 each.
        let logits = [0.405_465, -20.0, -20.0, 0.0, 0.0, 0.0];
        let read = |reading| best(&logits, &BOXES, (100.0, 50.0), 2, reading);
        let (queries, objects) = (read(Reading::Queries), read(Reading::Objects));
        assert_eq!([queries[0].class, objects[0].class], [0, 0]);
        assert_eq!(queries[0].bounds, objects[1].bounds);
        let wanted = (1.0 - 0.875f32.powi(3)).cbrt();
        assert!((objects[0].score - wanted).abs() < 1e-6, "{objects:?}");
        assert!((objects[1].score - queries[0].score).abs() < 1e-6);
    }

    #[test]
    fn the_score_is_the_formula() {
        for row in [[3.0, -1.0, 0.2], [-6.0, -5.0, -7.5], [0.0, 9.0, -0.1]] {
            let none: f64 =
                row.iter().map(|logit: &f64| 1.0 - (1.0 + (-logit).exp()).powi(-3)).product();
            let wanted = (1.0 - none).cbrt();
            let found = f64::from(any_class(&row.map(|logit| logit as f32)));
            let found = 1.0 / (1.0 + (-found).exp());
            assert!((found - wanted).abs() < 1e-6, "{row:?}: {found} and {wanted}");
        }
    }

    #[test]
    fn the_score_of_one_class_is_its_own_and_extremes_are_ranked() {
        for logit in [-80.0, -10.0, -0.3, 0.0, 2.5, 30.0] {
            let found = any_class(&[logit]);
            assert!((found - logit).abs() <= 1e-5 * logit.abs().max(1.0), "{logit}: {found}");
        }
        let rows = [[-f32::MAX; 3], [-300.0; 3], [0.0; 3], [300.0; 3], [f32::MAX; 3]];
        let found = rows.map(|row| any_class(&row));
        assert!(found.iter().all(|odds| odds.is_finite()) && found.is_sorted(), "{found:?}");
    }

    #[test]
    fn images_stay_apart_and_low_scores_are_left_out() {
        let (mut found, mut candidates) = (Detections::default(), Candidates::default());
        for score_min in [0.0, 0.6, 1.0] {
            let wanted = Wanted { count: 5, score_min, reading: Reading::Queries };
            found.add(&mut candidates, (&[2.0, 0.0], &BOXES), (100.0, 50.0), &wanted);
        }
        let counts: Vec<usize> = found.images().map(<[Detection]>::len).collect();
        assert_eq!((counts, found.images_count()), (vec![2, 1, 0], 3));
        found.clear();
        assert_eq!(found, Detections::default());
    }

    #[test]
    fn ties_go_to_the_first_query_and_class() {
        let found = best(&[1.0; 6], &BOXES, (1.0, 1.0), 3, Reading::Pairs);
        assert_eq!(found.iter().map(|one| one.class).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(found.iter().all(|one| one.bounds == found[0].bounds));
    }
}

//! What a detector predicts and what it should have: borrowed arrays after their checks.
//!
//! Boxes are cxcywh divided by the size of the un-padded image (conventions.md).

use super::assignment::first_non_finite;
use crate::{Error, Result};

/// How far a target may reach out of its image, as a share of its side: what rounding pixels to
/// f32 and back, or a labeller's hand, leaves over.
const OUTSIDE_MAX: f32 = 1e-3;

/// The outputs of every decoder layer.
#[derive(Debug, Clone, Copy)]
pub struct Predictions<'a> {
    logits: &'a [f32],
    boxes: &'a [[f32; 4]],
    shape: PredictionsShape,
}

/// The sizes of [`Predictions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredictionsShape {
    /// Decoder layers.
    pub layers: usize,
    /// Images.
    pub batch: usize,
    /// Queries of an image.
    pub queries: usize,
    /// Logits of a query; under softmax the last is "no object".
    pub classes: usize,
}

impl PredictionsShape {
    /// Pairs of layer and image: what is matched independently.
    pub fn units(&self) -> usize {
        self.layers * self.batch
    }

    /// Logits of one image in one layer.
    pub fn unit_logits(&self) -> usize {
        self.queries * self.classes
    }
}

impl<'a> Predictions<'a> {
    /// `logits` `[layers, batch, queries, classes]` and `boxes` `[layers, batch, queries, 4]`,
    /// the last layer of the decoder last. Sizes may be 0, except `classes`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the arrays do not have the sizes that `shape` says.
    pub fn new(
        logits: &'a [f32],
        boxes: &'a [f32],
        shape: PredictionsShape,
    ) -> Result<Predictions<'a>> {
        let PredictionsShape { layers, batch, queries, classes } = shape;
        if classes == 0 {
            return Err(Error::shape("logits", "at least one class", "0 classes"));
        }
        let rows = layers.checked_mul(batch).and_then(|units| units.checked_mul(queries));
        if rows.and_then(|rows| rows.checked_mul(classes)) != Some(logits.len()) {
            let expected = format!("[{layers}, {batch}, {queries}, {classes}]");
            return Err(Error::shape("logits", expected, format!("{} values", logits.len())));
        }
        if rows.and_then(|rows| rows.checked_mul(4)) != Some(boxes.len()) {
            let expected = format!("[{layers}, {batch}, {queries}, 4]");
            return Err(Error::shape("boxes", expected, format!("{} values", boxes.len())));
        }
        Ok(Predictions { logits, boxes: boxes.as_chunks().0, shape })
    }

    /// The sizes.
    pub fn shape(&self) -> PredictionsShape {
        self.shape
    }

    /// All logits and all numbers of the boxes.
    pub fn values(&self) -> (&'a [f32], &'a [f32]) {
        (self.logits, self.boxes.as_flattened())
    }

    /// The logits `[queries, classes]` of one image in one layer; `unit` is `layer * batch +
    /// image`.
    pub fn logits_of(&self, unit: usize) -> &'a [f32] {
        let length = self.shape.unit_logits();
        &self.logits[unit * length..][..length]
    }

    /// The boxes of one image in one layer.
    pub fn boxes_of(&self, unit: usize) -> &'a [[f32; 4]] {
        &self.boxes[unit * self.shape.queries..][..self.shape.queries]
    }

    /// Looks for numbers that nothing can be computed from in one image of one layer.
    ///
    /// # Errors
    /// [`Error::NonFinite`], or [`Error::InvalidArgument`] for a box of negative size, naming
    /// layer, image and query.
    pub fn check_unit(&self, unit: usize) -> Result<()> {
        let place = |query: usize| {
            let (layer, image) = (unit / self.shape.batch, unit % self.shape.batch);
            format!("layer {layer}, image {image}, query {query}")
        };
        let (logits, boxes) = (self.logits_of(unit), self.boxes_of(unit));
        if let Some(at) = first_non_finite(logits) {
            let (query, class) = (at / self.shape.classes, at % self.shape.classes);
            let name = format!("logits, {}, class {class}", place(query));
            let index = unit * logits.len() + at;
            return Err(Error::NonFinite { name, index, value: logits[at] });
        }
        if let Some(at) = first_non_finite(boxes.as_flattened()) {
            let name = format!("boxes, {}", place(at / 4));
            let index = unit * boxes.len() * 4 + at;
            return Err(Error::NonFinite { name, index, value: boxes[at / 4][at % 4] });
        }
        match boxes.iter().position(|bounds| bounds[2] < 0.0 || bounds[3] < 0.0) {
            Some(query) => {
                let [.., width, height] = boxes[query];
                let reason = format!("{}: size {width} x {height} is negative", place(query));
                Err(Error::invalid("boxes", reason))
            }
            None => Ok(()),
        }
    }
}

/// What the images of a batch hold.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// How many each image has, `[batch]`; 0 is fine.
    counts: &'a [u32],
    /// `[sum of counts]`, image by image.
    classes: &'a [u32],
    /// cxcywh, `[sum of counts]`.
    boxes: &'a [[f32; 4]],
    /// `[sum of counts]`: how sure a label is; `None` is 1 for all.
    scores: Option<&'a [f32]>,
    /// Every class is below it.
    classes_count: usize,
}

/// The targets of one image.
#[derive(Debug, Clone, Copy)]
pub struct ImageTargets<'a> {
    pub classes: &'a [u32],
    pub boxes: &'a [[f32; 4]],
    scores: Option<&'a [f32]>,
    /// Targets of the images before.
    pub first: usize,
}

impl ImageTargets<'_> {
    /// How sure the label of a target is.
    pub fn score(&self, target: usize) -> f32 {
        self.scores.map_or(1.0, |scores| scores[target])
    }
}

impl<'a> Targets<'a> {
    /// `counts` `[batch]`, `classes` and `boxes` `[sum of counts]`, image by image; classes below
    /// `classes_count`, boxes cxcywh of positive size within [0, 1].
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NonFinite`], or [`Error::InvalidArgument`] naming the target
    /// and its image.
    pub fn new(
        counts: &'a [u32],
        classes: &'a [u32],
        boxes: &'a [[f32; 4]],
        classes_count: usize,
    ) -> Result<Targets<'a>> {
        check_lengths(counts, classes, boxes)?;
        let targets = Targets { counts, classes, boxes, scores: None, classes_count };
        let place =
            |target: usize| format!("target {target} of image {}", image_of(counts, target));
        if let Some(at) = first_non_finite(boxes.as_flattened()) {
            let name = format!("target boxes, {}", place(at / 4));
            return Err(Error::NonFinite { name, index: at, value: boxes[at / 4][at % 4] });
        }
        check_classes(counts, classes, classes_count)?;
        for (target, bounds) in boxes.iter().enumerate() {
            if let Some(why) = wrong(bounds) {
                return Err(Error::invalid("target boxes", format!("{}: {why}", place(target))));
            }
        }
        Ok(targets)
    }

    /// With how sure the label of each target is, `[sum of counts]`; looked at by
    /// [`Targets::check_scores`].
    ///
    /// # Errors
    /// [`Error::Shape`] when there is not one for each target.
    pub fn with_scores(self, scores: &'a [f32]) -> Result<Targets<'a>> {
        match scores.len() == self.total() {
            true => Ok(Targets { scores: Some(scores), ..self }),
            false => Err(Error::shape("target scores", self.total(), scores.len())),
        }
    }

    /// Looks for scores that are no probabilities.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming the target and its image.
    pub fn check_scores(&self) -> Result<()> {
        let scores = self.scores.unwrap_or(&[]);
        match scores.iter().position(|score| !(0.0..=1.0).contains(score)) {
            Some(target) => {
                let (image, score) = (image_of(self.counts, target), scores[target]);
                let reason = format!("target {target} of image {image}: {score} is not in [0, 1]");
                Err(Error::invalid("target scores", reason))
            }
            None => Ok(()),
        }
    }

    /// The sum of all scores.
    pub fn scores_sum(&self) -> f64 {
        match self.scores {
            Some(scores) => scores.iter().map(|&score| f64::from(score)).sum(),
            None => self.total() as f64,
        }
    }

    /// Number of images.
    pub fn batch(&self) -> usize {
        self.counts.len()
    }

    /// The number that every class is below.
    pub fn classes_count(&self) -> usize {
        self.classes_count
    }

    /// Targets of all images.
    pub fn total(&self) -> usize {
        self.boxes.len()
    }

    /// The targets of one image.
    pub fn of_image(&self, image: usize) -> ImageTargets<'a> {
        let first: usize = self.counts[..image].iter().map(|&count| count as usize).sum();
        let end = first + self.counts[image] as usize;
        ImageTargets {
            classes: &self.classes[first..end],
            boxes: &self.boxes[first..end],
            scores: self.scores.map(|scores| &scores[first..end]),
            first,
        }
    }

    /// Pairs that a matching with `queries` queries for each image makes in one layer.
    pub fn pairs(&self, queries: usize) -> usize {
        self.counts.iter().map(|&count| queries.min(count as usize)).sum()
    }
}

/// The image of a target.
fn image_of(counts: &[u32], target: usize) -> usize {
    let mut end = 0;
    let ends = counts.iter().map(|&count| {
        end += count as usize;
        end
    });
    ends.take_while(|&end| end <= target).count()
}

/// # Errors
/// [`Error::Shape`] for arrays that do not have as many targets as the counts say.
pub(super) fn check_lengths(counts: &[u32], classes: &[u32], boxes: &[[f32; 4]]) -> Result<()> {
    let total: usize = counts.iter().map(|&count| count as usize).sum();
    for (name, length) in [("target classes", classes.len()), ("target boxes", boxes.len())] {
        if length != total {
            let expected = format!("{total} (the sum of {} counts)", counts.len());
            return Err(Error::shape(name, expected, length));
        }
    }
    Ok(())
}

/// # Errors
/// [`Error::InvalidArgument`] for a class that is not below `classes_count`.
pub(super) fn check_classes(counts: &[u32], classes: &[u32], classes_count: usize) -> Result<()> {
    match classes.iter().position(|&class| class as usize >= classes_count) {
        None => Ok(()),
        Some(target) => {
            let (image, class) = (image_of(counts, target), classes[target]);
            let reason =
                format!("target {target} of image {image}: {class} is not below {classes_count}");
            Err(Error::invalid("target classes", reason))
        }
    }
}

/// The corners of a cxcywh box.
pub(super) fn reach(&[x, y, width, height]: &[f32; 4]) -> [[f32; 2]; 2] {
    let half = [width / 2.0, height / 2.0];
    [[x - half[0], y - half[1]], [x + half[0], y + half[1]]]
}

/// What is wrong with a target's box, with its numbers.
pub(super) fn wrong(bounds: &[f32; 4]) -> Option<String> {
    let [x, y, width, height] = *bounds;
    if width <= 0.0 || height <= 0.0 {
        return Some(format!("size {width} x {height} is not positive"));
    }
    let [low, high] = reach(bounds);
    let is_outside = low[0].min(low[1]) < -OUTSIDE_MAX || high[0].max(high[1]) > 1.0 + OUTSIDE_MAX;
    is_outside.then(|| format!("cxcywh [{x}, {y}, {width}, {height}] reaches out of [0, 1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: PredictionsShape =
        PredictionsShape { layers: 1, batch: 2, queries: 3, classes: 2 };

    #[test]
    fn predictions_of_other_sizes_and_broken_numbers_are_named() {
        let (mut logits, mut boxes) = (vec![0.0; 12], vec![0.5; 24]);
        assert!(Predictions::new(&logits, &boxes, SHAPE).unwrap().check_unit(1).is_ok());
        let error = Predictions::new(&logits[1..], &boxes, SHAPE).unwrap_err();
        assert_eq!(error.to_string(), "logits: expected [1, 2, 3, 2], got 11 values");
        let error = Predictions::new(&logits, &boxes[..20], SHAPE).unwrap_err();
        assert_eq!(error.to_string(), "boxes: expected [1, 2, 3, 4], got 20 values");
        let none = PredictionsShape { classes: 0, ..SHAPE };
        assert!(Predictions::new(&[], &boxes, none).is_err());
        logits[9] = f32::NAN;
        let error = Predictions::new(&logits, &boxes, SHAPE).unwrap().check_unit(1).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("logits, layer 0, image 1, query 1, class 1: value NaN"),
            "{text}"
        );
        logits[9] = 0.0;
        boxes[22] = -0.25;
        let predictions = Predictions::new(&logits, &boxes, SHAPE).unwrap();
        assert!(predictions.check_unit(0).is_ok());
        let error = predictions.check_unit(1).unwrap_err();
        assert!(error.to_string().contains("query 2: size -0.25 x 0.5 is negative"), "{error}");
    }

    #[test]
    fn targets_that_cannot_be_are_named_with_their_image() {
        let good = [0.5, 0.5, 1.0, 1.0];
        let check = |boxes: [[f32; 4]; 3], classes: [u32; 3]| {
            Targets::new(&[1, 0, 2], &classes, &boxes, 5).map(|targets| targets.total())
        };
        assert_eq!(check([good; 3], [0, 4, 4]).unwrap(), 3);
        let bad = |bounds| check([good, good, bounds], [0; 3]).unwrap_err().to_string();
        for (bounds, part) in [
            ([0.5, 0.5, 0.0, 0.1], "target 2 of image 2: size 0 x 0.1 is not positive"),
            ([0.5, 0.5, 0.1, -0.1], "size 0.1 x -0.1 is not positive"),
            ([0.05, 0.5, 0.2, 0.1], "cxcywh [0.05, 0.5, 0.2, 0.1] reaches out of [0, 1]"),
            ([0.5, 0.98, 0.2, 0.1], "reaches out"),
            ([0.5, f32::NAN, 0.2, 0.1], "target boxes, target 2 of image 2: value NaN"),
        ] {
            assert!(bad(bounds).contains(part), "{}", bad(bounds));
        }
        let error = check([good; 3], [0, 5, 0]).unwrap_err().to_string();
        assert_eq!(error, "target classes: target 1 of image 2: 5 is not below 5");
        let error = Targets::new(&[2, 2], &[0; 3], &[good; 3], 5).unwrap_err().to_string();
        assert_eq!(error, "target classes: expected 4 (the sum of 2 counts), got 3");
    }

    #[test]
    fn scores_belong_to_targets_and_must_be_probabilities_where_they_are_used() {
        let boxes = [[0.5, 0.5, 0.5, 0.5]; 3];
        let targets = Targets::new(&[1, 0, 2], &[0; 3], &boxes, 1).unwrap();
        assert_eq!((targets.scores_sum(), targets.of_image(2).score(1)), (3.0, 1.0));
        let error = targets.with_scores(&[0.5; 2]).unwrap_err().to_string();
        assert_eq!(error, "target scores: expected 3, got 2");
        let scored = targets.with_scores(&[0.5, 0.0, 1.0]).unwrap();
        scored.check_scores().unwrap();
        assert_eq!((scored.scores_sum(), scored.of_image(2).score(0)), (1.5, 0.0));
        for bad in [f32::NAN, -0.5, 1.5, f32::INFINITY] {
            let scores = [0.5, 0.5, bad];
            let error = targets.with_scores(&scores).unwrap().check_scores().unwrap_err();
            let wanted = format!("target scores: target 2 of image 2: {bad} is not in [0, 1]");
            assert_eq!(error.to_string(), wanted);
        }
    }

    #[test]
    fn each_image_has_its_own_targets() {
        let boxes = [[0.5, 0.5, 0.5, 0.5]; 4];
        let targets = Targets::new(&[1, 0, 3], &[7, 8, 9, 9], &boxes, 10).unwrap();
        let of = |image| (targets.of_image(image).first, targets.of_image(image).classes);
        assert_eq!((of(0), of(1), of(2)), ((0, &[7][..]), (1, &[][..]), (1, &[8, 9, 9][..])));
        assert_eq!((targets.pairs(2), targets.batch()), (3, 3));
    }
}

//! A detector that lives in the host, as Algorithm 1 sees it: the library's matching, losses,
//! schedule and labels around the host's forward, backward and step.

use super::checkpoint::Position;
use super::config::TrainingConfig;
use super::host_checkpoint;
use super::host_model::{HostBatch, HostGradients, HostModel, HostUpdate};
use super::relabel_config::BoxScore;
use super::schedule;
use super::step::{Judge, StepPlace, StepReport};
use super::trainable::{StageStart, TrainableDetector, View};
use crate::criterion::{CriterionConfig, Gradients};
use crate::data::atomic_file;
use crate::data::coco::CocoCategory;
use crate::data::image::normalise::to_tensor;
use crate::data::image::{Image, resize};
use crate::data::training::batch::Batch;
use crate::detector::prediction::{Candidates, Detection, Detections, Reading, Wanted};
use crate::matching::{ClassLoss, Predictions};
use crate::workers::Workers;
use crate::{Error, Result, memory};
use std::path::{Path, PathBuf};

/// The place of a forward pass that trains nothing.
const NOWHERE: StepPlace = StepPlace { seed: 0, stage: 0, step: 0, steps_count: 0 };

/// A host's detector that is being trained.
pub struct HostDetector {
    model: Box<dyn HostModel>,
    training: TrainingConfig,
    judge: Judge,
    /// Of the labels, since the stage started.
    classes_count: usize,
    logits_gradient: Vec<f32>,
    boxes_gradient: Vec<f32>,
    map: Vec<f32>,
    workers: Workers,
}

impl HostDetector {
    /// `training` gives the schedule, `criterion` says how the detector is judged.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key out of range.
    pub fn new(
        model: Box<dyn HostModel>,
        training: &TrainingConfig,
        criterion: &CriterionConfig,
        workers: Workers,
    ) -> Result<HostDetector> {
        training.validate()?;
        Ok(HostDetector {
            model,
            training: training.clone(),
            judge: Judge::new(criterion)?,
            classes_count: 0,
            logits_gradient: Vec::new(),
            boxes_gradient: Vec::new(),
            map: Vec::new(),
            workers,
        })
    }

    fn logits_count(&self) -> usize {
        self.classes_count + usize::from(self.is_softmax())
    }

    fn is_softmax(&self) -> bool {
        self.judge.config().class_loss == ClassLoss::Softmax
    }

    fn accumulate(
        &mut self,
        part: &Batch,
        index: usize,
        report: &mut StepReport,
        place: &StepPlace,
    ) -> Result<()> {
        let logits_count = self.logits_count();
        let batch = HostBatch {
            maps: &part.maps,
            sizes: &part.sizes,
            height: part.height,
            width: part.width,
            training: true,
            place: *place,
            part: index,
        };
        let predictions = self.model.forward(&batch)?;
        check(&predictions, part.images_count(), logits_count)?;
        let (logits, boxes) = predictions.values();
        memory::resize(&mut self.logits_gradient, logits.len(), 0.0, "gradients of the logits")?;
        memory::resize(&mut self.boxes_gradient, boxes.len(), 0.0, "gradients of the boxes")?;
        let (logits, boxes) = (&mut self.logits_gradient, &mut self.boxes_gradient);
        let mut gradients = Gradients { logits, boxes };
        self.judge.evaluate(&predictions, part, &mut gradients, (report, place), &self.workers)?;
        let (logits, boxes) = (&self.logits_gradient, &self.boxes_gradient);
        self.model.backward(&HostGradients { logits, boxes, part: index })
    }

    /// The best boxes of the last layer of a forward pass.
    fn read_off(
        &mut self,
        image: &Image,
        view: &View,
        reading: Reading,
        count: usize,
    ) -> Result<Vec<Detection>> {
        let (width, height) = view.resize.target(image.width, image.height);
        let resized = resize(image, width, height)?;
        let (softmax, logits_count) = (self.is_softmax(), self.logits_count());
        memory::resize(&mut self.map, width as usize * height as usize * 3, 0.0, "an image")?;
        to_tensor(&resized, &view.normalisation, &mut self.map)?;
        let batch = HostBatch {
            maps: &self.map,
            sizes: &[[height, width]],
            height: height as usize,
            width: width as usize,
            training: false,
            place: NOWHERE,
            part: 0,
        };
        let predictions = self.model.forward(&batch)?;
        check(&predictions, 1, logits_count)?;
        let last = predictions.shape().layers - 1;
        predictions.check_unit(last)?;
        let (logits, boxes) = (predictions.logits_of(last), predictions.boxes_of(last));
        let sides = (image.width as f32, image.height as f32);
        let wanted = Wanted { count, score_min: 0.0, reading };
        let read = |logits: &[f32]| {
            let mut found = Detections::default();
            let predictions = (logits, boxes.as_flattened());
            found.add(&mut Candidates::default(), predictions, sides, &wanted);
            found.all().to_vec()
        };
        Ok(if softmax { read(&log_odds(logits, logits_count)) } else { read(logits) })
    }
}

impl TrainableDetector for HostDetector {
    fn checkpoint_extensions(&self) -> &'static [&'static str] {
        host_checkpoint::EXTENSIONS
    }

    fn start_stage(&mut self, start: &StageStart) -> Result<()> {
        self.classes_count = start.classes_count;
        self.model.start_stage(start)
    }

    fn step(&mut self, parts: &[Batch], place: &StepPlace) -> Result<StepReport> {
        let mut report = StepReport::of(parts);
        for (index, part) in parts.iter().enumerate() {
            self.accumulate(part, index, &mut report, place)?;
        }
        report.rate_factor = schedule::factor(&self.training, place.step, place.steps_count);
        report.gradient_norm = self.model.step(&HostUpdate {
            place: *place,
            rate_factor: report.rate_factor,
            learning_rate: self.training.learning_rate * report.rate_factor,
            loss: report.loss,
        })?;
        match report.gradient_norm.is_finite() {
            true => Ok(report),
            false => Err(report.diverged(place)),
        }
    }

    fn detect(
        &mut self,
        image: &Image,
        view: &View,
        score: BoxScore,
        count: usize,
    ) -> Result<Vec<Detection>> {
        match self.model.detect(image, count)? {
            Some(found) => accepted(found, image, count, self.classes_count),
            None => self.read_off(image, view, score.reading(), count),
        }
    }

    fn save(&mut self, path: &Path, position: &Position) -> Result<()> {
        host_checkpoint::save(path, position, self.model.as_mut())
    }

    fn load(&mut self, path: &Path, settings: &str) -> Result<Position> {
        host_checkpoint::load(path, settings, self.model.as_mut())
    }

    fn write_detector(
        &mut self,
        stem: &Path,
        _view: &View,
        _categories: &[CocoCategory],
    ) -> Result<PathBuf> {
        let path = stem.with_extension(host_checkpoint::EXTENSIONS[1]);
        atomic_file::write_by(&path, |partial| self.model.save(partial))?;
        Ok(path)
    }

    fn memory_bytes(&self) -> usize {
        let gradients = self.logits_gradient.capacity() + self.boxes_gradient.capacity();
        let floats = gradients + self.map.capacity();
        size_of::<HostDetector>() + floats * size_of::<f32>() + self.judge.memory_bytes()
    }
}

/// Whether a forward pass answered for what it was asked.
fn check(predictions: &Predictions<'_>, images_count: usize, logits_count: usize) -> Result<()> {
    let shape = predictions.shape();
    let fits = shape.batch == images_count && shape.classes == logits_count;
    if fits && shape.layers > 0 && shape.queries > 0 {
        return Ok(());
    }
    let expected = format!("[layers, {images_count}, queries, {logits_count}]");
    let got = format!("[{}, {}, {}, {}]", shape.layers, shape.batch, shape.queries, shape.classes);
    Err(Error::shape("the host's logits", expected, got))
}

/// The log-odds of each class of a softmax whose last class, "no object", is left out: their
/// sigmoid is the class's share, so that they are read as the logits of other detectors.
fn log_odds(logits: &[f32], logits_count: usize) -> Vec<f32> {
    let mut odds = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(logits_count) {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shares: Vec<f64> = row.iter().map(|logit| f64::from(logit - highest).exp()).collect();
        let sum: f64 = shares.iter().sum();
        let classes = &shares[..logits_count - 1];
        odds.extend(classes.iter().map(|share| {
            let others = (sum - share).max(f64::MIN_POSITIVE);
            (share.max(f64::MIN_POSITIVE) / others).ln() as f32
        }));
    }
    odds
}

/// The host's own boxes after their checks: clipped to the image, best first, at most `count`.
fn accepted(
    mut found: Vec<Detection>,
    image: &Image,
    count: usize,
    classes_count: usize,
) -> Result<Vec<Detection>> {
    let (width, height) = (image.width as f32, image.height as f32);
    for (index, detection) in found.iter_mut().enumerate() {
        let Detection { bounds, class, score } = *detection;
        if !bounds.iter().all(|side| side.is_finite()) {
            let reason = format!("number {index}: box {bounds:?} is not finite");
            return Err(Error::invalid("the host's detections", reason));
        }
        // Fusion and the losses of the next stage take it for a probability.
        if !(0.0..=1.0).contains(&score) {
            let reason = format!(
                "number {index} of an image of {width}x{height}: box {bounds:?} has score {score}, \
                 which is not in [0, 1]"
            );
            return Err(Error::invalid("the host's detections", reason));
        }
        if class as usize >= classes_count {
            let reason = format!("number {index}: class {class} is not below {classes_count}");
            return Err(Error::invalid("the host's detections", reason));
        }
        let [left, top, right, bottom] = bounds;
        if left > right || top > bottom {
            let reason = format!("number {index}: box {bounds:?} ends before it begins");
            return Err(Error::invalid("the host's detections", reason));
        }
        let (across, down) = (|x: f32| x.clamp(0.0, width), |y: f32| y.clamp(0.0, height));
        detection.bounds = [across(left), down(top), across(right), down(bottom)];
    }
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    found.truncate(count);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_are_the_classes_shares_without_no_object() {
        let odds = log_odds(&[1.0, 2.0, 3.0, 60.0, -60.0, 0.0], 3);
        let total = 1f32.exp() + 2f32.exp() + 3f32.exp();
        let share = |odds: f32| 1.0 / (1.0 + (-odds).exp());
        assert!((share(odds[0]) - 1f32.exp() / total).abs() < 1e-6);
        assert!((share(odds[1]) - 2f32.exp() / total).abs() < 1e-6);
        assert_eq!(odds.len(), 4);
        assert!(odds.iter().all(|value| value.is_finite()) && odds[2] > 50.0);
    }

    #[test]
    fn detections_of_the_host_are_clipped_sorted_and_checked() {
        let image = Image::filled(10, 8, [0; 3]).unwrap();
        let one = Detection { bounds: [-3.0, 1.0, 4.0, 99.0], class: 1, score: 0.25 };
        let other = Detection { score: 0.5, ..one };
        let found = accepted(vec![one, other], &image, 5, 2).unwrap();
        assert_eq!((found[0].score, found[0].bounds), (0.5, [0.0, 1.0, 4.0, 8.0]));
        assert_eq!(accepted(vec![one, other], &image, 1, 2).unwrap().len(), 1);
        let error = accepted(vec![one], &image, 5, 1).unwrap_err();
        assert!(error.to_string().contains("class 1 is not below 1"), "{error}");
        let turned = Detection { bounds: [5.0, 1.0, 4.0, 2.0], ..one };
        let error = accepted(vec![other, turned], &image, 5, 2).unwrap_err().to_string();
        assert!(error.contains("number 1: box [5.0, 1.0, 4.0, 2.0] ends before"), "{error}");
        let broken = Detection { bounds: [f32::NAN, 1.0, 4.0, 2.0], ..one };
        let error = accepted(vec![broken], &image, 5, 2).unwrap_err().to_string();
        assert!(error.contains("is not finite"), "{error}");
        for score in [f32::NAN, f32::INFINITY, -0.25, 1.5] {
            let error =
                accepted(vec![other, Detection { score, ..one }], &image, 5, 2).unwrap_err();
            let text =
                format!("box [-3.0, 1.0, 4.0, 99.0] has score {score}, which is not in [0, 1]");
            let error = error.to_string();
            assert!(
                error.contains("number 1 of an image of 10x8") && error.contains(&text),
                "{error}"
            );
        }
        let edges = [0.0, 1.0].map(|score| Detection { score, ..one });
        assert_eq!(accepted(edges.into(), &image, 5, 2).unwrap().len(), 2);
    }
}

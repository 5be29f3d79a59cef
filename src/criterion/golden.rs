//! The criterion against transformers' losses (tests/golden/criterion), and what it refuses.

use super::{Criterion, CriterionConfig, Gradients};
use crate::Error;
use crate::matching::input::PredictionsShape;
use crate::matching::{ClassLoss, Predictions, Targets, UNASSIGNED};
use crate::workers::Workers;

#[derive(serde::Deserialize)]
struct Case {
    class_loss: ClassLoss,
    shape: [usize; 4],
    counts: Vec<u32>,
    target_classes: Vec<u32>,
    target_boxes: Vec<[f32; 4]>,
    logits: Vec<f32>,
    boxes: Vec<f32>,
    losses: Vec<[f64; 3]>,
    total: f64,
    logits_gradient: Vec<f64>,
    boxes_gradient: Vec<f64>,
    matches: Vec<Vec<i64>>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../tests/golden/criterion/expected.json");
    serde_json::from_str(text).unwrap()
}

impl Case {
    fn shape(&self) -> PredictionsShape {
        let [layers, batch, queries, classes] = self.shape;
        PredictionsShape { layers, batch, queries, classes }
    }

    fn criterion(&self) -> Criterion {
        let class_loss = self.class_loss;
        Criterion::new(CriterionConfig { class_loss, ..CriterionConfig::default() }).unwrap()
    }

    /// Evaluates into gradients that were NaN before.
    fn run(
        &self,
        criterion: &mut Criterion,
        boxes_count: Option<f32>,
        workers: &Workers,
    ) -> crate::Result<(Vec<f32>, Vec<f32>)> {
        let (mut logits, mut boxes) =
            (vec![f32::NAN; self.logits.len()], vec![f32::NAN; self.boxes.len()]);
        let mut gradients = Gradients { logits: &mut logits, boxes: &mut boxes };
        let predictions = Predictions::new(&self.logits, &self.boxes, self.shape())?;
        let classes_count = self.class_loss.classes_of(self.shape[3]);
        let (classes, boxes_wanted) = (&self.target_classes, &self.target_boxes);
        let targets = Targets::new(&self.counts, classes, boxes_wanted, classes_count)?;
        criterion.evaluate(&predictions, &targets, boxes_count, &mut gradients, workers)?;
        Ok((logits, boxes))
    }
}

/// ‖found - wanted‖ / ‖wanted‖.
fn distance(found: &[f32], wanted: &[f64]) -> f64 {
    let pairs = found.iter().zip(wanted);
    let error: f64 = pairs.map(|(found, wanted)| (f64::from(*found) - wanted).powi(2)).sum();
    (error / wanted.iter().map(|wanted| wanted * wanted).sum::<f64>()).sqrt()
}

fn close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= 1e-5 * wanted.abs()
}

#[test]
fn losses_gradients_and_matches_are_those_of_transformers() {
    for case in cases() {
        let mut criterion = case.criterion();
        let (logits, boxes) = case.run(&mut criterion, None, &Workers::caller()).unwrap();
        let losses = criterion.losses();
        for (found, wanted) in losses.layers.iter().zip(&case.losses) {
            let found = [found.class, found.l1, found.giou];
            let all = found.iter().zip(wanted).all(|(found, wanted)| close(*found, *wanted));
            assert!(all, "{:?}: {found:?}, not {wanted:?}", case.class_loss);
        }
        assert_eq!(losses.layers.len(), case.losses.len());
        assert!(close(losses.total, case.total), "{} {}", losses.total, case.total);
        assert_eq!((losses.pairs_count, losses.unmatched_count), (3 + 6, 2));
        assert!(distance(&logits, &case.logits_gradient) < 1e-5);
        assert!(distance(&boxes, &case.boxes_gradient) < 1e-5);
        for (found, wanted) in criterion.matches().units().iter().zip(&case.matches) {
            let number = |query: u32| if query == UNASSIGNED { -1 } else { i64::from(query) };
            assert_eq!(found.queries.iter().map(|q| number(*q)).collect::<Vec<_>>(), *wanted);
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_workers_or_on_earlier_calls() {
    for case in cases() {
        let mut used = case.criterion();
        let first = case.run(&mut used, None, &Workers::caller()).unwrap();
        let losses = used.losses().clone();
        for threads in [1, 2, 3, 7] {
            let workers = Workers::with_threads(threads).unwrap();
            assert_eq!(case.run(&mut used, None, &workers).unwrap(), first);
            assert_eq!(*used.losses(), losses);
        }
    }
}

#[test]
fn the_number_of_boxes_can_be_given_and_is_at_least_one() {
    let case = &cases()[0];
    let mut criterion = case.criterion();
    case.run(&mut criterion, None, &Workers::caller()).unwrap();
    let total = criterion.losses().total;
    case.run(&mut criterion, Some(22.0), &Workers::caller()).unwrap();
    assert!(close(criterion.losses().total, total / 2.0));
    case.run(&mut criterion, Some(0.0), &Workers::caller()).unwrap();
    assert!(close(criterion.losses().total, total * 11.0));
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        let error = case.run(&mut criterion, Some(bad), &Workers::caller()).unwrap_err();
        assert!(error.to_string().starts_with("boxes_count:"), "{error}");
    }
}

#[test]
fn a_batch_without_targets_is_all_background() {
    for mut case in cases() {
        case.counts = vec![0; 3];
        case.target_classes.clear();
        case.target_boxes.clear();
        let mut criterion = case.criterion();
        let (logits, boxes) = case.run(&mut criterion, None, &Workers::caller()).unwrap();
        assert!(boxes.iter().all(|value| *value == 0.0));
        assert!(logits.iter().all(|value| value.is_finite()));
        let losses = criterion.losses();
        assert!(losses.total > 0.0 && losses.boxes_count == 1.0 && losses.pairs_count == 0);
        assert_eq!((losses.layers[0].l1, losses.layers[0].accuracy), (0.0, 0.0));
    }
}

#[test]
fn accuracy_counts_the_matched_queries_that_name_their_class() {
    let (logits, boxes) = ([3.0, 0.0, 0.0, 3.0, 0.0, 0.0], [0.5f32; 12]);
    let shape = PredictionsShape { layers: 1, batch: 1, queries: 3, classes: 2 };
    let predictions = Predictions::new(&logits, &boxes, shape).unwrap();
    let wanted = [[0.5; 4]; 3];
    let targets = Targets::new(&[3], &[0, 1, 1], &wanted, 2).unwrap();
    let mut criterion = Criterion::new(CriterionConfig::default()).unwrap();
    let (mut logits, mut boxes) = ([0.0; 6], [0.0; 12]);
    let mut gradients = Gradients { logits: &mut logits, boxes: &mut boxes };
    let workers = Workers::caller();
    let losses = criterion.evaluate(&predictions, &targets, None, &mut gradients, &workers);
    assert_eq!(losses.unwrap().layers[0].accuracy, 2.0 / 3.0);
}

#[test]
fn nothing_is_written_when_something_is_wrong() {
    let mut case = cases().remove(0);
    case.logits[200] = f32::NAN;
    let mut criterion = case.criterion();
    let (mut logits, mut boxes) = (vec![7.0; case.logits.len()], vec![7.0; case.boxes.len()]);
    let predictions = Predictions::new(&case.logits, &case.boxes, case.shape()).unwrap();
    let (classes, wanted) = (&case.target_classes, &case.target_boxes);
    let targets = Targets::new(&case.counts, classes, wanted, case.shape[3]).unwrap();
    let workers = Workers::with_threads(2).unwrap();
    let mut gradients = Gradients { logits: &mut logits, boxes: &mut boxes };
    let outcome = criterion.evaluate(&predictions, &targets, None, &mut gradients, &workers);
    assert!(matches!(outcome, Err(Error::NonFinite { index: 200, .. })));
    gradients.boxes = &mut [];
    let outcome = criterion.evaluate(&predictions, &targets, None, &mut gradients, &workers);
    let text = outcome.unwrap_err().to_string();
    assert_eq!(text, "boxes_gradient: expected [2, 3, 6, 4], got 0 values");
    assert!(logits.iter().chain(&boxes).all(|value| *value == 7.0));
}

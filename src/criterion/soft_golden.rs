//! The criterion with soft targets and weights against torch and RTDetrLoss (tests/golden/criterion,
//! make_soft.py), and the scores that it refuses.

use super::{ClassTarget, Criterion, CriterionConfig, Gradients, LabelScore};
use crate::matching::input::PredictionsShape;
use crate::matching::{ClassLoss, Predictions, Targets};
use crate::workers::Workers;

#[derive(serde::Deserialize)]
struct Document {
    inputs: Inputs,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Inputs {
    shape: [usize; 4],
    counts: Vec<u32>,
    classes_count: usize,
    logits: Vec<f32>,
    boxes: Vec<f32>,
    target_classes: Vec<u32>,
    target_boxes: Vec<[f32; 4]>,
    target_scores: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct Case {
    label_score: LabelScore,
    class_target: ClassTarget,
    class_loss: ClassLoss,
    boxes_count: f64,
    losses: Vec<[f64; 3]>,
    total: f64,
    logits_gradient: Vec<f64>,
    boxes_gradient: Vec<f64>,
}

fn document() -> Document {
    serde_json::from_str(include_str!("../../tests/golden/criterion/soft.json")).unwrap()
}

impl Case {
    fn criterion(&self) -> Criterion {
        let Case { label_score, class_target, class_loss, .. } = *self;
        let config =
            CriterionConfig { label_score, class_target, class_loss, ..CriterionConfig::default() };
        Criterion::new(config).unwrap()
    }
}

impl Inputs {
    /// Gradients of logits and boxes, which were NaN before.
    fn run(
        &self,
        criterion: &mut Criterion,
        scores: Option<&[f32]>,
        workers: &Workers,
    ) -> crate::Result<[Vec<f32>; 2]> {
        let [layers, batch, queries, classes] = self.shape;
        let shape = PredictionsShape { layers, batch, queries, classes };
        let predictions = Predictions::new(&self.logits, &self.boxes, shape)?;
        let (classes, boxes) = (&self.target_classes, &self.target_boxes);
        let mut targets = Targets::new(&self.counts, classes, boxes, self.classes_count)?;
        if let Some(scores) = scores {
            targets = targets.with_scores(scores)?;
        }
        let [mut logits, mut boxes] =
            [&self.logits, &self.boxes].map(|values| vec![f32::NAN; values.len()]);
        let mut gradients = Gradients { logits: &mut logits, boxes: &mut boxes };
        criterion.evaluate(&predictions, &targets, None, &mut gradients, workers)?;
        Ok([logits, boxes])
    }
}

fn close(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= 1e-5 * wanted.abs()
}

/// ‖found - wanted‖ / ‖wanted‖.
fn distance(found: &[f32], wanted: &[f64]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
    let error =
        squares(&mut found.iter().zip(wanted).map(|(found, wanted)| f64::from(*found) - wanted));
    (error / squares(&mut wanted.iter().copied())).sqrt()
}

#[test]
fn losses_and_gradients_are_those_of_torch_at_any_number_of_threads() {
    let Document { inputs, cases } = document();
    for case in &cases {
        let name = (case.class_loss, case.class_target, case.label_score);
        let mut criterion = case.criterion();
        let scores = Some(&inputs.target_scores[..]);
        let first = inputs.run(&mut criterion, scores, &Workers::caller()).unwrap();
        let losses = criterion.losses().clone();
        assert!(close(losses.boxes_count, case.boxes_count) && close(losses.total, case.total));
        for (found, wanted) in losses.layers.iter().zip(&case.losses) {
            let found = [found.class, found.l1, found.giou];
            let all = found.iter().zip(wanted).all(|(found, wanted)| close(*found, *wanted));
            assert!(all, "{name:?}: {found:?}, not {wanted:?}");
        }
        for (found, wanted) in first.iter().zip([&case.logits_gradient, &case.boxes_gradient]) {
            let distance = distance(found, wanted);
            assert!(distance < 1e-5, "{name:?}: {distance}");
        }
        for threads in [1, 2, 3] {
            let workers = Workers::with_threads(threads).unwrap();
            assert_eq!(inputs.run(&mut criterion, scores, &workers).unwrap(), first);
            assert_eq!(*criterion.losses(), losses);
        }
    }
    assert_eq!(cases.len(), 11);
}

#[test]
fn scores_of_one_and_scores_that_do_not_count_change_no_bit() {
    let Document { inputs, cases } = document();
    let run = |label_score, class_loss, scores: Option<&[f32]>| {
        let config = CriterionConfig { label_score, class_loss, ..CriterionConfig::default() };
        let mut criterion = Criterion::new(config).unwrap();
        let gradients = inputs.run(&mut criterion, scores, &Workers::caller()).unwrap();
        (gradients, criterion.losses().clone())
    };
    let ones = vec![1.0; inputs.target_scores.len()];
    let broken = vec![f32::NAN; inputs.target_scores.len()];
    for class_loss in [ClassLoss::Focal, ClassLoss::Varifocal, ClassLoss::Softmax] {
        let plain = run(LabelScore::Ignore, class_loss, None);
        assert_eq!(run(LabelScore::Ignore, class_loss, Some(&broken)), plain);
        for label_score in [LabelScore::SoftTarget, LabelScore::Weight] {
            if class_loss != ClassLoss::Softmax || label_score == LabelScore::Weight {
                assert_eq!(run(label_score, class_loss, Some(&ones)), plain);
                assert_eq!(run(label_score, class_loss, None), plain);
                let other = run(label_score, class_loss, Some(&inputs.target_scores));
                assert_ne!(other, plain, "{label_score:?} {class_loss:?}");
            }
        }
    }
    assert!(cases.iter().any(|case| case.class_loss == ClassLoss::Softmax));
}

#[test]
fn scores_that_are_no_probabilities_are_refused_where_they_count() {
    let Document { inputs, cases } = document();
    let mut scores = inputs.target_scores.clone();
    scores[4] = 1.25;
    for case in &cases {
        let outcome = inputs.run(&mut case.criterion(), Some(&scores), &Workers::caller());
        match case.label_score {
            LabelScore::Ignore => assert!(outcome.is_ok()),
            LabelScore::SoftTarget | LabelScore::Weight => {
                let error = outcome.unwrap_err().to_string();
                assert_eq!(error, "target scores: target 4 of image 2: 1.25 is not in [0, 1]");
            }
        }
    }
}

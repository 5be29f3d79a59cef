//! Groups of queries against LW-DETR of transformers: matches of every group, both box losses over all of
//! them, and their gradient, on predictions that come from a formula.

#[path = "support/formula.rs"]
mod formula;

use formula::uniform;
use serde_json::Value;
use simdetr::criterion::{Criterion, CriterionConfig, Gradients};
use simdetr::matching::input::PredictionsShape;
use simdetr::matching::{Predictions, Targets};
use simdetr::workers::Workers;

const GOLDEN: &str = include_str!("golden/query_groups/query_groups.json");
/// The sizes of `make.py`.
const SHAPE: PredictionsShape =
    PredictionsShape { layers: 2, batch: IMAGES * GROUPS, queries: 7, classes: 4 };
const IMAGES: usize = 2;
const GROUPS: usize = 3;
const TARGETS: [u32; IMAGES] = [3, 7];

fn boxes(name: &str, count: usize) -> Vec<[f32; 4]> {
    let drawn: Vec<f64> = uniform(name, 4 * count).collect();
    let (rows, _) = drawn.as_chunks::<4>();
    let (centre, side) = (|u: f64| (0.3 + 0.4 * u) as f32, |u: f64| (0.1 + 0.4 * u) as f32);
    rows.iter().map(|u| [centre(u[0]), centre(u[1]), side(u[2]), side(u[3])]).collect()
}

/// What every group of an image is to find.
fn repeated<T: Copy>(items: &[T]) -> Vec<T> {
    let mut answer = Vec::new();
    let mut first = 0;
    for count in TARGETS.map(|count| count as usize) {
        for _ in 0..GROUPS {
            answer.extend_from_slice(&items[first..first + count]);
        }
        first += count;
    }
    answer
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn matches_losses_and_gradients_of_all_groups_agree_with_the_peer() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let rows = SHAPE.batch * SHAPE.queries;
    let layers = 0..SHAPE.layers;
    let logits: Vec<f32> = layers
        .clone()
        .flat_map(|layer| uniform(&format!("logits {layer}"), rows * SHAPE.classes))
        .map(|u| (4.0 * u - 2.0) as f32)
        .collect();
    let found: Vec<[f32; 4]> =
        layers.flat_map(|layer| boxes(&format!("boxes {layer}"), rows)).collect();
    let predictions = Predictions::new(&logits, found.as_flattened(), SHAPE).unwrap();
    let count = TARGETS.iter().sum::<u32>() as usize;
    let classes: Vec<u32> =
        uniform("classes", count).map(|u| (u * SHAPE.classes as f64) as u32).collect();
    let (classes, wanted) = (repeated(&classes), repeated(&boxes("targets", count)));
    let counts: Vec<u32> = TARGETS.iter().flat_map(|&count| [count; GROUPS]).collect();
    let targets = Targets::new(&counts, &classes, &wanted, SHAPE.classes).unwrap();
    // The class loss has no peer here, and does not touch the boxes.
    let mut criterion = Criterion::new(CriterionConfig::default()).unwrap();
    let (mut of_logits, mut of_boxes) = (vec![0.0; logits.len()], vec![0.0; 4 * found.len()]);
    let mut gradients = Gradients { logits: &mut of_logits, boxes: &mut of_boxes };
    let workers = Workers::caller();
    let losses =
        criterion.evaluate(&predictions, &targets, None, &mut gradients, &workers).unwrap().clone();
    for (layer, golden) in golden["layers"].as_array().unwrap().iter().enumerate() {
        let units = &criterion.matches().units()[layer * SHAPE.batch..][..SHAPE.batch];
        for (unit, matches) in units.iter().enumerate() {
            let peer = &golden["matches"][unit / GROUPS][unit % GROUPS];
            let own = serde_json::to_value(&matches.queries).unwrap();
            assert_eq!(&own, peer, "layer {layer}, image {}", unit / GROUPS);
        }
        let found = &losses.layers[layer];
        for (own, peer) in [(found.l1, &golden["l1"]), (found.giou, &golden["giou"])] {
            assert!((own - number(peer)).abs() < 1e-5 * number(peer), "{own} and {peer}");
        }
        let own = &of_boxes[layer * 4 * rows..][..4 * rows];
        for (index, (own, peer)) in
            own.iter().zip(golden["gradient"].as_array().unwrap()).enumerate()
        {
            let difference = (f64::from(*own) - number(peer)).abs();
            assert!(difference < 1e-5, "layer {layer}, {index}: {own} and {peer}");
        }
    }
}

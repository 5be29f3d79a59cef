//! A training step that is repeated keeps nothing and asks for nothing that grows with the network,
//! by counting every allocation: forward, matching, losses, backward and AdamW work in memory that
//! the first step made. What is left are the packing buffers of small products, which their crate
//! allocates and frees. And a trainer that meets many shapes keeps few networks, and counts them.

#[path = "support/counting_allocator.rs"]
mod counting_allocator;

use counting_allocator::{LIVE, PEAK};
use simdetr::criterion::CriterionConfig;
use simdetr::data::image::{Image, Normalisation, ResizeRule};
use simdetr::data::training::batch::Batch;
use simdetr::detector::config::DetectorConfig;
use simdetr::training::config::TrainingConfig;
use simdetr::training::relabel::BoxScore;
use simdetr::training::step::StepPlace;
use simdetr::training::trainable::{TrainableDetector, View};
use simdetr::training::trainer::Trainer;
use simdetr::workers::Workers;
use std::sync::atomic::Ordering;

const STEPS: usize = 5;
/// Most that a repeated step holds beside what the first one made; one map of the backbone's first
/// stage is larger.
const PASSING_BYTES_MAX: usize = 64 << 10;

fn batch(height: usize, width: usize) -> Batch {
    let boxes = vec![[0.5, 0.5, 0.25, 0.5], [0.25, 0.75, 0.25, 0.25], [0.5, 0.25, 0.5, 0.25]];
    let maps = (0..2 * height * width * 3).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect();
    Batch {
        height,
        width,
        maps,
        sizes: vec![[height as u32, width as u32], [height as u32 - 8, width as u32]],
        boxes,
        classes: vec![0, 4, 2],
        offsets: vec![0, 1, 3],
        ..Batch::default()
    }
}

/// The smallest detector.
fn detector() -> DetectorConfig {
    DetectorConfig {
        backbone_depth: 18,
        backbone_width: 8,
        hidden_size: 32,
        encoder_layers_count: 1,
        decoder_layers_count: 2,
        feedforward_size: 16,
        queries_count: 5,
        classes_count: 7,
        ..DetectorConfig::default()
    }
}

fn trainer(training: &TrainingConfig) -> Trainer {
    let criterion = CriterionConfig::default();
    // One thread: which thread of several first needs a buffer of its own is chance.
    Trainer::new(&detector(), training, &criterion, 1, Workers::caller()).unwrap()
}

// One test, as whoever runs beside it is counted too.
#[test]
fn memory_is_that_of_the_first_step_and_of_the_networks_that_are_kept() {
    repeated_steps_work_in_the_memory_of_the_first();
    many_shapes_keep_few_networks_and_all_bytes_are_counted();
}

fn repeated_steps_work_in_the_memory_of_the_first() {
    let training = TrainingConfig { batch_size: 4, part_size: 2, ..TrainingConfig::default() };
    let mut trainer = trainer(&training);
    // Two sizes of batch, so that networks share one arena.
    let parts = [batch(64, 96), batch(96, 64)];
    let mut step = |step: usize| {
        let place = StepPlace { seed: 1, stage: 1, step, steps_count: 2 * STEPS };
        trainer.step(&parts, &place).unwrap().loss
    };
    let first = step(0);
    step(1);
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let losses: [f64; STEPS] = std::array::from_fn(|index| step(2 + index));
    let (after, peak) = (LIVE.load(Ordering::Relaxed), PEAK.load(Ordering::Relaxed));
    assert!(losses[STEPS - 1] < first, "{first} {losses:?}");
    assert!(after <= before, "{STEPS} steps keep {} bytes", after - before);
    assert!(peak - before < PASSING_BYTES_MAX, "a step holds {} bytes more", peak - before);
}

fn many_shapes_keep_few_networks_and_all_bytes_are_counted() {
    let shapes: Vec<[usize; 2]> =
        (2..6).flat_map(|y| (2..6).map(move |x| [16 * y, 16 * x])).collect();
    let resize = ResizeRule { image_short_side: 32, image_long_side_max: 96, side_multiple: 8 };
    let view = View { resize, normalisation: Normalisation::default() };
    // Bytes held and the answers: of every shape once, three times over.
    let run = |networks_kept: usize| {
        let before = LIVE.load(Ordering::Relaxed);
        let training = TrainingConfig { batch_size: 2, networks_kept, ..TrainingConfig::default() };
        let mut trainer = trainer(&training);
        let (mut losses, mut held, mut counted) = (Vec::new(), Vec::new(), Vec::new());
        for (step, [height, width]) in shapes.iter().cycle().take(3 * shapes.len()).enumerate() {
            let place = StepPlace { seed: 1, stage: 1, step, steps_count: 100 };
            losses.push(trainer.step(&[batch(*height, *width)], &place).unwrap().loss);
            let (high, wide) = (*height as u32, *width as u32);
            let image = Image::filled(wide, high, [40, 90, (step * 5) as u8]).unwrap();
            let found = trainer.detect(&image, &view, BoxScore::BestClass, 3).unwrap();
            losses.extend(found.iter().map(|detection| f64::from(detection.score)));
            held.push(LIVE.load(Ordering::Relaxed) - before);
            counted.push(trainer.memory_bytes());
        }
        (losses, held, counted)
    };
    let (losses, held, counted) = run(16);
    let (same, few_held, few_counted) = run(3);
    assert_eq!(losses, same, "how many networks are kept changes a result");
    let last = held.len() - 1;
    // Networks of training alone: those of predictions go with every step.
    assert!(few_held[last] + 12 * 80_000 < held[last], "{} {}", few_held[last], held[last]);
    let (once, thrice) = (few_held[shapes.len() - 1], few_held[last]);
    assert!(thrice < once + PASSING_BYTES_MAX, "{once} bytes grow to {thrice}");
    // The arenas, which are equal, lie in pages that the allocator does not see.
    let counted = (counted[last] - few_counted[last]) as f64;
    let held = (held[last] - few_held[last]) as f64;
    assert!((0.95..1.05).contains(&(counted / held)), "{counted} counted of {held} held");
}

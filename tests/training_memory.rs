//! A training step that is repeated keeps nothing and asks for nothing that grows with the network,
//! by counting every allocation: forward, matching, losses, backward and AdamW work in memory that
//! the first step made. What is left are the packing buffers of small products, which their crate
//! allocates and frees.

#[path = "support/counting_allocator.rs"]
mod counting_allocator;

use counting_allocator::{LIVE, PEAK};
use simdetr::criterion::CriterionConfig;
use simdetr::data::training::batch::Batch;
use simdetr::detector::deformable_detr::config::DetectorConfig;
use simdetr::training::config::TrainingConfig;
use simdetr::training::step::StepPlace;
use simdetr::training::trainable::TrainableDetector;
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

#[test]
fn repeated_steps_work_in_the_memory_of_the_first() {
    let detector = DetectorConfig {
        backbone_depth: 18,
        backbone_width: 8,
        hidden_size: 32,
        encoder_layers_count: 1,
        decoder_layers_count: 2,
        feedforward_size: 16,
        queries_count: 5,
        classes_count: 7,
        ..DetectorConfig::default()
    };
    let training = TrainingConfig { batch_size: 4, part_size: 2, ..TrainingConfig::default() };
    // One thread: which thread of several first needs a buffer of its own is chance.
    let workers = Workers::caller();
    let criterion = CriterionConfig::default();
    let mut trainer = Trainer::new(&detector, &training, &criterion, 1, workers).unwrap();
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

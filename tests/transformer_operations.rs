//! The transformer's trainable operations against torch and transformers: outputs and gradients.
//!
//! `tests/golden/operations/transformer_operations.py` made the numbers.

mod golden_file;

use simdetr::kernels::matrix_product::Update;
use simdetr::nn::cpu::{Backward, Forward, GradientMut, OnCpu};
use simdetr::nn::operation::StepKey;
use simdetr::nn::ops::attention::Attention;
use simdetr::nn::ops::box_refinement::BoxRefinement;
use simdetr::nn::ops::deformable_attention::DeformableAttention;
use simdetr::nn::ops::inverse_sigmoid::InverseSigmoid;
use simdetr::nn::ops::layer_norm::LayerNorm;
use simdetr::nn::ops::level_references::LevelReferences;
use simdetr::nn::ops::linear::Linear;
use simdetr::nn::ops::sampling_locations::SamplingLocations;
use simdetr::nn::ops::sigmoid::Sigmoid;
use simdetr::nn::ops::sine_positions::sine_positions;
use simdetr::nn::ops::softmax::Softmax;
use simdetr::workers::Workers;

const FILE: &str = "operations/transformer_operations.safetensors";
const STEP: StepKey = StepKey { seed: 1, stage: 0, step: 0, part: 0, training: true };

fn golden(name: &str) -> Vec<f32> {
    golden_file::tensor(FILE, name).1
}

/// Within `tolerance` of the golden tensor, as a share of its largest number.
fn assert_golden(found: &[f32], name: &str, tolerance: f32) {
    let (shape, wanted) = golden_file::tensor(FILE, name);
    let scale = wanted.iter().fold(1e-6, |most: f32, value| most.max(value.abs()));
    golden_file::assert_close(found, &shape, FILE, name, tolerance * scale);
}

/// Runs forward and backward; inputs whose places are in `fixed` ask for no gradient.
fn check(name: &str, operation: &dyn OnCpu<f32>, fixed: &[usize]) {
    let workers = Workers::with_threads(2).unwrap();
    let lengths = operation.input_lengths();
    let inputs: Vec<Vec<f32>> =
        (0..lengths.len()).map(|place| golden(&format!("{name}.input_{place}"))).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut output = vec![f32::NAN; operation.output_length()];
    let mut saved = vec![f32::NAN; operation.saved_length()];
    let mut scratch = vec![f32::NAN; operation.scratch_length(workers.count())];
    operation.forward(Forward {
        inputs: &inputs,
        output: &mut output,
        saved: &mut saved,
        scratch: &mut scratch,
        prepared: &[],
        step: &STEP,
        workers: &workers,
    });
    assert_golden(&output, &format!("{name}.output"), 1e-5);
    let mut gradients: Vec<Vec<f32>> = lengths.iter().map(|&length| vec![0.0; length]).collect();
    let mut wanted: Vec<Option<GradientMut<'_, f32>>> = gradients
        .iter_mut()
        .enumerate()
        .map(|(place, values)| {
            let update = Update::Overwrite;
            (!fixed.contains(&place)).then_some(GradientMut { values, update })
        })
        .collect();
    operation.backward(Backward {
        inputs: &inputs,
        output: &output,
        output_gradient: &golden(&format!("{name}.output_gradient")),
        saved: &saved,
        scratch: &mut scratch,
        input_gradients: &mut wanted,
        step: &STEP,
        workers: &workers,
    });
    for (place, gradient) in gradients.iter().enumerate() {
        if !fixed.contains(&place) {
            assert_golden(gradient, &format!("{name}.gradient_{place}"), 2e-5);
        }
    }
}

fn levels() -> Vec<(usize, usize)> {
    vec![(5, 4), (3, 2), (1, 1)]
}

#[test]
fn linear_layers_agree_with_torch() {
    let shape = Linear { rows: 11, inputs: 6, outputs: 7, relu: false };
    check("linear", &shape, &[]);
    check("linear_relu", &Linear { relu: true, ..shape }, &[]);
}

#[test]
fn layer_norm_agrees_with_torch() {
    let shape = LayerNorm { rows: 5, columns: 19, residual: false, epsilon: 1e-5 };
    check("layer_norm", &shape, &[]);
    check("layer_norm_residual", &LayerNorm { residual: true, ..shape }, &[]);
}

#[test]
fn softmax_and_attention_agree_with_torch() {
    check("softmax", &Softmax { groups: 9, length: 12 }, &[]);
    let shape =
        Attention { batch: 2, queries: 6, keys: 7, heads: 2, dim: 5, masked: false, dropout: None };
    check("attention", &shape, &[]);
    check("attention_masked", &Attention { queries: 7, masked: true, ..shape }, &[3]);
}

#[test]
fn deformable_attention_agrees_with_transformers() {
    let levels = levels();
    let shape = DeformableAttention { batch: 2, queries: 6, heads: 2, dim: 32, levels, points: 2 };
    check("deformable_attention", &shape, &[]);
}

#[test]
fn locations_references_and_boxes_agree_with_transformers() {
    for coordinates in [2, 4] {
        let levels = levels();
        let shape =
            SamplingLocations { batch: 2, queries: 3, heads: 2, levels, points: 2, coordinates };
        check(&format!("sampling_locations_{coordinates}"), &shape, &[]);
        let shape = LevelReferences { batch: 2, queries: 5, levels: 3, coordinates };
        check(&format!("level_references_{coordinates}"), &shape, &[1]);
        let shape = BoxRefinement { rows: 9, coordinates };
        check(&format!("box_refinement_{coordinates}"), &shape, &[]);
    }
}

#[test]
fn sigmoids_agree_with_torch_and_are_cut_off_where_transformers_cuts() {
    check("sigmoid", &Sigmoid { length: 17 }, &[]);
    check("inverse_sigmoid", &InverseSigmoid { length: 17 }, &[]);
}

#[test]
fn sine_positions_agree_with_transformers() {
    let mut output = vec![f32::NAN; 6 * 5 * 16];
    sine_positions(&golden("sine_positions.mask"), (6, 5), 8, &mut output);
    // Without a cell of the image a row's or column's angle is -0.5 / 1e-6 turns, which f32
    // cannot tell from another; such cells are padding.
    let wanted = golden("sine_positions.output");
    for (cell, (found, wanted)) in output.chunks_mut(16).zip(wanted.chunks(16)).enumerate() {
        let (y, x) = (cell / 5, cell % 5);
        if x >= 3 {
            found[..8].copy_from_slice(&wanted[..8]);
        }
        if y >= 4 {
            found[8..].copy_from_slice(&wanted[8..]);
        }
    }
    assert_golden(&output, "sine_positions.output", 1e-5);
}

//! One trainable operation of the transformer, forward and backward, that another program can time
//! in turns with its own.
//!
//! `transformer_operations OPERATION FOLDER THREADS NUMBER...` reads `FOLDER/input_0`, `input_1`...
//! and `FOLDER/output_gradient` (raw little-endian f32), then runs one forward and one backward
//! for each line of its standard input and prints their milliseconds; at the end it writes
//! `FOLDER/output` and `FOLDER/gradient_0`, `gradient_1`... `benches/peers_transformer_operations.py`
//! drives it. What the numbers mean stands in [`operation`].

use simdetr::kernels::matrix_product::Update;
use simdetr::memory::aligned::AlignedFloats;
use simdetr::nn::cpu::{Backward, Forward, GradientMut, OnCpu};
use simdetr::nn::operation::StepKey;
use simdetr::nn::ops::attention::Attention;
use simdetr::nn::ops::deformable_attention::DeformableAttention;
use simdetr::nn::ops::dropout::Dropout;
use simdetr::nn::ops::layer_norm::LayerNorm;
use simdetr::nn::ops::linear::Linear;
use simdetr::nn::ops::softmax::Softmax;
use simdetr::workers::Workers;
use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

const STEP: StepKey = StepKey { seed: 1, stage: 1, step: 1, part: 0, training: true };

fn operation(name: &str, numbers: &[usize]) -> Result<Box<dyn OnCpu<f32>>, Box<dyn Error>> {
    Ok(match (name, numbers) {
        ("deformable", &[batch, queries, heads, dim, points, ref levels @ ..]) => {
            let levels = levels.as_chunks::<2>().0.iter().map(|&[h, w]| (h, w)).collect();
            Box::new(DeformableAttention { batch, queries, heads, dim, levels, points })
        }
        ("linear", &[rows, inputs, outputs, relu]) => {
            Box::new(Linear { rows, inputs, outputs, relu: relu == 1 })
        }
        ("layer_norm", &[rows, columns]) => {
            Box::new(LayerNorm { rows, columns, residual: true, epsilon: 1e-5 })
        }
        ("attention", &[batch, queries, keys, heads, dim]) => {
            Box::new(Attention { batch, queries, keys, heads, dim, masked: false, dropout: None })
        }
        ("softmax", &[groups, length]) => Box::new(Softmax { groups, length }),
        ("dropout", &[length]) => Box::new(Dropout { length, rate: 0.1, number: 1 }),
        _ => return Err(format!("no operation {name} with {numbers:?}").into()),
    })
}

fn read(path: String) -> Result<AlignedFloats, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let values = bytes.as_chunks::<4>().0;
    let mut floats = AlignedFloats::zeros(values.len());
    for (to, from) in floats.as_mut_slice().iter_mut().zip(values) {
        *to = f32::from_le_bytes(*from);
    }
    Ok(floats)
}

fn write(path: String, values: &AlignedFloats) -> std::io::Result<()> {
    let bytes = values.as_slice().iter().flat_map(|value| value.to_le_bytes());
    std::fs::write(path, bytes.collect::<Vec<u8>>())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let [name, folder, numbers @ ..] = &arguments[..] else {
        println!("driven by benches/peers_transformer_operations.py");
        return Ok(());
    };
    let numbers = numbers.iter().map(|text| text.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [threads, numbers @ ..] = &numbers[..] else { return Err("THREADS are needed".into()) };
    let operation = operation(name, numbers)?;
    let workers = Workers::with_threads(*threads)?;
    let zeros = AlignedFloats::zeros;
    let lengths = operation.input_lengths();
    let inputs = (0..lengths.len())
        .map(|number| read(format!("{folder}/input_{number}")))
        .collect::<Result<Vec<_>, _>>()?;
    let inputs: Vec<&[f32]> = inputs.iter().map(AlignedFloats::as_slice).collect();
    let output_gradient = read(format!("{folder}/output_gradient"))?;
    let (mut output, mut saved) =
        (zeros(operation.output_length()), zeros(operation.saved_length()));
    let mut scratch = zeros(operation.scratch_length(workers.count()));
    let mut gradients: Vec<_> = lengths.iter().map(|length| zeros(*length)).collect();
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        operation.forward(Forward {
            inputs: &inputs,
            output: output.as_mut_slice(),
            saved: saved.as_mut_slice(),
            scratch: scratch.as_mut_slice(),
            prepared: &[],
            step: &STEP,
            workers: &workers,
        });
        let forward = start.elapsed();
        let mut wanted: Vec<_> = gradients
            .iter_mut()
            .map(|gradient| {
                let values = gradient.as_mut_slice();
                Some(GradientMut { values, update: Update::Overwrite })
            })
            .collect();
        let start = Instant::now();
        operation.backward(Backward {
            inputs: &inputs,
            output: output.as_slice(),
            output_gradient: output_gradient.as_slice(),
            saved: saved.as_slice(),
            scratch: scratch.as_mut_slice(),
            input_gradients: &mut wanted,
            step: &STEP,
            workers: &workers,
        });
        let [forward, backward] = [forward, start.elapsed()].map(|time| time.as_secs_f64() * 1e3);
        println!("{forward:.3} {backward:.3}");
    }
    write(format!("{folder}/output"), &output)?;
    for (number, gradient) in gradients.iter().enumerate() {
        write(format!("{folder}/gradient_{number}"), gradient)?;
    }
    Ok(())
}

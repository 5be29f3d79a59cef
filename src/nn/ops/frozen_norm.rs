//! A frozen batch normalisation as a factor and a shift for each channel.
//!
//! The convolution applies them to its sums; they are computed from the four stored tensors in
//! every step, so that a checkpoint's raw values stay the only truth.

use crate::nn::batch_norm::EPSILON;
use crate::nn::operation::{Backward, BackwardReads, Forward, Operation};

/// Which of the two numbers of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// weight / sqrt(variance + epsilon).
    Factor,
    /// bias - mean * factor.
    Shift,
}

/// Inputs: weight, bias, running mean and running variance, `[channels]` each, none of them trained.
/// Output: `[channels]`.
#[derive(Debug)]
pub struct FrozenNorm {
    pub channels: usize,
    pub part: Part,
}

impl Operation<f32> for FrozenNorm {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.channels; 4]
    }

    fn output_length(&self) -> usize {
        self.channels
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }

    fn forward(&self, run: Forward<'_, f32>) {
        let [weight, bias, mean, variance] = [0, 1, 2, 3].map(|input| run.inputs[input]);
        for (channel, value) in run.output.iter_mut().enumerate() {
            let deviation = (f64::from(variance[channel]) + EPSILON).sqrt();
            let factor = f64::from(weight[channel]) / deviation;
            *value = match self.part {
                Part::Factor => factor as f32,
                Part::Shift => {
                    (f64::from(bias[channel]) - f64::from(mean[channel]) * factor) as f32
                }
            };
        }
    }

    fn backward(&self, run: Backward<'_, '_, f32>) {
        // The table never trains a batch normalisation, so nobody asks.
        debug_assert!(run.input_gradients.iter().all(Option::is_none));
    }
}

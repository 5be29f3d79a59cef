//! A frozen batch normalisation as a factor and a shift for each channel.
//!
//! The convolution applies them to its sums; they are computed from the four stored tensors, in training
//! in every step and in prediction once, so that a checkpoint's raw values stay the only truth.

use crate::nn::batch_norm::factor_and_shift;
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrozenNorm {
    pub channels: usize,
    pub part: Part,
}

impl Operation for FrozenNorm {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.channels; 4]
    }

    fn output_length(&self) -> usize {
        self.channels
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for FrozenNorm {
    fn forward(&self, run: Forward<'_, T>) {
        for (channel, value) in run.output.iter_mut().enumerate() {
            let parts = [0, 1, 2, 3].map(|input| run.inputs[input][channel].as_f64());
            let (factor, shift) = factor_and_shift(parts);
            *value = T::from_f64(match self.part {
                Part::Factor => factor,
                Part::Shift => shift,
            });
        }
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        // The table never trains a batch normalisation, so nobody asks.
        debug_assert!(run.input_gradients.iter().all(Option::is_none));
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness;
    use super::*;
    use crate::workers::Workers;

    #[test]
    fn factor_and_shift_normalise() {
        let inputs = [vec![2.0f64, 0.5], vec![1.0, -1.0], vec![3.0, 0.0], vec![4.0, 0.25]];
        let of = |part| {
            let operation = FrozenNorm { channels: 2, part };
            harness::forward(&operation, &inputs, &Workers::caller()).output
        };
        let (factor, shift) = (of(Part::Factor), of(Part::Shift));
        for (channel, x) in [(0, 5.0), (1, -2.0)] {
            let [weight, bias, mean, variance] = [0, 1, 2, 3].map(|place| inputs[place][channel]);
            let wanted = (x - mean) / f64::sqrt(variance + 1e-5) * weight + bias;
            assert!((x * factor[channel] + shift[channel] - wanted).abs() < 1e-12);
        }
    }
}

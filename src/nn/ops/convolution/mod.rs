//! Convolution as ResNet uses it: square kernel, then a frozen batch norm or a bias, a residual
//! and ReLU in one pass.
//!
//! The norm's scale is multiplied into the weights as they are packed for a step, so that the raw
//! weights stay what is trained (conventions.md, "Numbers"). `f32` runs on the vector kernels:
//! products over pixels where they lie, Winograd's form for 3x3 at stride 1, sums of outer
//! products for the weights' gradient. Other types take one plain path ([`plain`]), which is also
//! the truth that `f32` is compared with.

mod blocks;
mod bordered;
mod data_gradient;
mod description;
mod direct;
mod fast;
mod forward;
mod geometry;
mod operands;
mod packing;
mod plain;
mod scratch_lines;
#[cfg(test)]
mod tests;
mod weight_gradient;

use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};
use crate::workers::Workers;
use operands::{Given, Inputs, single_gradients, single_inputs};
use std::ops::Range;

pub use description::{Channels, Convolution};
pub use geometry::Geometry;

impl Operation for Convolution {
    fn input_lengths(&self) -> Vec<usize> {
        let outputs = self.geometry.out_channels;
        let mut lengths = vec![self.input_layout().length(), self.geometry.weights_count()];
        match self.channels {
            Channels::Plain => {}
            Channels::FrozenNorm => lengths.extend([outputs, outputs]),
            Channels::Bias => lengths.push(outputs),
        }
        lengths.extend(self.residual.then(|| self.output_layout().length()));
        lengths
    }

    fn output_length(&self) -> usize {
        self.output_layout().length()
    }

    fn prepared_inputs(&self) -> Range<usize> {
        1..self.places().0.unwrap_or(1) + 1
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut inputs = [false; INPUTS_MAX];
        (inputs[0], inputs[1]) = (true, true);
        inputs[2] = self.channels == Channels::FrozenNorm;
        BackwardReads { inputs, output: self.relu }
    }
}

impl<T: Real> OnCpu<T> for Convolution {
    fn scratch_length(&self, _workers_count: usize) -> usize {
        match T::single(&[]) {
            Some(_) => fast::scratch_length(self),
            None => plain::scratch_length(self),
        }
    }

    fn prepared_length(&self) -> usize {
        T::single(&[]).map_or(0, |_| forward::prepared_length(self))
    }

    fn prepare(&self, inputs: &[&[T]], to: &mut [T], workers: &Workers) {
        let inputs = Inputs { residual: None, ..self.inputs(inputs) };
        if let (Some(inputs), Some(to)) = (single_inputs(inputs), T::single_mut(to)) {
            forward::prepare(self, &inputs, to, workers);
        }
    }

    fn prediction_scratch_length(&self, workers_count: usize, prepared: bool) -> usize {
        match (T::single(&[]), prepared) {
            (Some(_), prepared) => forward::scratch_length(self, prepared),
            (None, _) => OnCpu::<T>::scratch_length(self, workers_count),
        }
    }

    fn forward(&self, run: Forward<'_, T>) {
        let inputs = self.inputs(run.inputs);
        let (output, scratch) = (run.output, run.scratch);
        if let Some(inputs) = single_inputs(inputs) {
            // All slices are of one type, so these are never absent here.
            let single = (T::single(run.prepared), T::single_mut(output), T::single_mut(scratch));
            if let (Some(prepared), Some(output), Some(scratch)) = single {
                forward::forward(self, inputs, prepared, output, scratch, run.workers);
            }
        } else {
            plain::forward(self, inputs, output, scratch, run.workers);
        }
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let inputs = self.inputs(run.inputs);
        let gradients = self.gradients(run.input_gradients);
        let given = Given { inputs, output: run.output, gradient: run.output_gradient };
        match (given.single(), T::single(&[])) {
            (Some(given), Some(_)) => {
                if let Some(scratch) = T::single_mut(run.scratch) {
                    fast::backward(self, given, single_gradients(gradients), scratch, run.workers);
                }
            }
            _ => plain::backward(self, given, gradients, run.scratch, run.workers),
        }
    }
}

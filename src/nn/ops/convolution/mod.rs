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
mod direct;
mod fast;
mod forward;
mod geometry;
mod packing;
mod plain;
#[cfg(test)]
mod tests;
mod weight_gradient;

use crate::kernels::activation::Layout;
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};
use crate::workers::Workers;
use std::ops::Range;

pub use geometry::Geometry;

/// What is done to the sums of each output channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Nothing.
    Plain,
    /// Scaled and shifted by two inputs that are never trained: a frozen batch norm.
    FrozenNorm,
    /// A trained bias is added.
    Bias,
}

/// Inputs, in this order: the map `[images, height, width, in_channels]`; the weights
/// `[out_channels, in_channels, kernel, kernel]`; then scale and shift, or the bias, each
/// `[out_channels]`; then the residual, of the output's shape. Output: `[images, height', width',
/// out_channels]`. Scale and shift get no gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    pub geometry: Geometry,
    pub images: usize,
    /// Sides of the input map, at least as long as the kernel less the padding.
    pub height: usize,
    pub width: usize,
    pub channels: Channels,
    /// Whether a residual is added.
    pub residual: bool,
    /// Whether negative results become 0.
    pub relu: bool,
}

/// The inputs by name.
#[derive(Debug, Clone, Copy)]
struct Inputs<'a, T> {
    map: &'a [T],
    weights: &'a [T],
    scale: Option<&'a [T]>,
    /// Shift or bias.
    shift: Option<&'a [T]>,
    residual: Option<&'a [T]>,
}

/// The gradients that somebody wants, by name.
#[derive(Debug)]
struct Gradients<'a, T> {
    map: Option<GradientMut<'a, T>>,
    weights: Option<GradientMut<'a, T>>,
    bias: Option<GradientMut<'a, T>>,
    residual: Option<GradientMut<'a, T>>,
}

impl Convolution {
    /// Sides of the output map.
    pub fn output_size(&self) -> (usize, usize) {
        self.geometry.output_size(self.height, self.width)
    }

    fn input_layout(&self) -> Layout {
        let Convolution { images, height, width, .. } = *self;
        Layout { images, height, width, channels: self.geometry.in_channels, border: 0 }
    }

    fn output_layout(&self) -> Layout {
        let (height, width) = self.output_size();
        let channels = self.geometry.out_channels;
        Layout { images: self.images, height, width, channels, border: 0 }
    }

    /// Where shift or bias, and the residual, are in the list of inputs.
    fn places(&self) -> (Option<usize>, Option<usize>) {
        let (shift, next) = match self.channels {
            Channels::Plain => (None, 2),
            Channels::Bias => (Some(2), 3),
            Channels::FrozenNorm => (Some(3), 4),
        };
        (shift, self.residual.then_some(next))
    }

    fn inputs<'a, T>(&self, inputs: &[&'a [T]]) -> Inputs<'a, T> {
        let (shift, residual) = self.places();
        Inputs {
            map: inputs[0],
            weights: inputs[1],
            scale: (self.channels == Channels::FrozenNorm).then(|| inputs[2]),
            shift: shift.map(|place| inputs[place]),
            residual: residual.map(|place| inputs[place]),
        }
    }

    fn gradients<'a, T>(
        &self,
        gradients: &'a mut [Option<GradientMut<'_, T>>],
    ) -> Gradients<'a, T> {
        let (shift, residual) = self.places();
        let mut list = Gradients { map: None, weights: None, bias: None, residual: None };
        for (place, gradient) in gradients.iter_mut().enumerate() {
            let gradient = gradient.as_mut();
            let gradient = gradient
                .map(|GradientMut { values, update }| GradientMut { values, update: *update });
            match place {
                0 => list.map = gradient,
                1 => list.weights = gradient,
                _ if Some(place) == residual => list.residual = gradient,
                _ if Some(place) == shift && self.channels == Channels::Bias => {
                    list.bias = gradient;
                }
                _ => {}
            }
        }
        list
    }
}

/// The same inputs as `f32`, where they are.
fn single_inputs<'a, T: Real>(inputs: Inputs<'a, T>) -> Option<Inputs<'a, f32>> {
    let optional = |values: Option<&'a [T]>| values.and_then(T::single);
    Some(Inputs {
        map: T::single(inputs.map)?,
        weights: T::single(inputs.weights)?,
        scale: optional(inputs.scale),
        shift: optional(inputs.shift),
        residual: optional(inputs.residual),
    })
}

fn single_gradients<T: Real>(gradients: Gradients<'_, T>) -> Gradients<'_, f32> {
    fn single<T: Real>(gradient: Option<GradientMut<'_, T>>) -> Option<GradientMut<'_, f32>> {
        let GradientMut { values, update } = gradient?;
        Some(GradientMut { values: T::single_mut(values)?, update })
    }
    Gradients {
        map: single(gradients.map),
        weights: single(gradients.weights),
        bias: single(gradients.bias),
        residual: single(gradients.residual),
    }
}

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

/// What a backward reads.
#[derive(Debug, Clone, Copy)]
struct Given<'a, T> {
    inputs: Inputs<'a, T>,
    /// Empty without ReLU.
    output: &'a [T],
    /// The output's gradient.
    gradient: &'a [T],
}

impl<'a, T: Real> Given<'a, T> {
    fn single(self) -> Option<Given<'a, f32>> {
        Some(Given {
            inputs: single_inputs(self.inputs)?,
            output: T::single(self.output)?,
            gradient: T::single(self.gradient)?,
        })
    }
}

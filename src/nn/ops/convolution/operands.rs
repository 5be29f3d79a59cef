//! The inputs and gradients of a convolution by name, and as `f32` where they are.

use super::description::{Channels, Convolution};
use crate::nn::cpu::{GradientMut, Real};

/// The inputs by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs<'a, T> {
    pub map: &'a [T],
    pub weights: &'a [T],
    pub scale: Option<&'a [T]>,
    /// Shift or bias.
    pub shift: Option<&'a [T]>,
    pub residual: Option<&'a [T]>,
}

/// The gradients that somebody wants, by name.
#[derive(Debug)]
pub(super) struct Gradients<'a, T> {
    pub map: Option<GradientMut<'a, T>>,
    pub weights: Option<GradientMut<'a, T>>,
    pub bias: Option<GradientMut<'a, T>>,
    pub residual: Option<GradientMut<'a, T>>,
}

/// What a backward reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a, T> {
    pub inputs: Inputs<'a, T>,
    /// Empty without ReLU.
    pub output: &'a [T],
    /// The output's gradient.
    pub gradient: &'a [T],
}

impl<'a, T: Real> Given<'a, T> {
    pub(super) fn single(self) -> Option<Given<'a, f32>> {
        Some(Given {
            inputs: single_inputs(self.inputs)?,
            output: T::single(self.output)?,
            gradient: T::single(self.gradient)?,
        })
    }
}

impl Convolution {
    pub(super) fn inputs<'a, T>(&self, inputs: &[&'a [T]]) -> Inputs<'a, T> {
        let (shift, residual) = self.places();
        Inputs {
            map: inputs[0],
            weights: inputs[1],
            scale: (self.channels == Channels::FrozenNorm).then(|| inputs[2]),
            shift: shift.map(|place| inputs[place]),
            residual: residual.map(|place| inputs[place]),
        }
    }

    pub(super) fn gradients<'a, T>(
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
pub(super) fn single_inputs<'a, T: Real>(inputs: Inputs<'a, T>) -> Option<Inputs<'a, f32>> {
    let optional = |values: Option<&'a [T]>| values.and_then(T::single);
    Some(Inputs {
        map: T::single(inputs.map)?,
        weights: T::single(inputs.weights)?,
        scale: optional(inputs.scale),
        shift: optional(inputs.shift),
        residual: optional(inputs.residual),
    })
}

pub(super) fn single_gradients<T: Real>(gradients: Gradients<'_, T>) -> Gradients<'_, f32> {
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

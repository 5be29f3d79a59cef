//! How the CPU computes an operation: forward, backward, and the memory that they need.

use super::backend::Backend;
use super::element::Element;
use super::op::Op;
use super::operation::{Operation, StepKey};
use crate::kernels::matrix_product::{Scalar, Update};
use crate::workers::Workers;
use num_traits::{Float, NumAssign};
use std::fmt::Debug;
use std::iter::Sum;
use std::marker::PhantomData;

/// Numbers that a network computes with: `f32`, and `f64` for finite differences.
pub trait Real: Scalar + Float + NumAssign + Sum + Debug + Default {
    /// What plans call them.
    const ELEMENT: Element;

    /// The nearest number.
    fn from_f64(value: f64) -> Self;
    /// The same number in `f64`.
    fn as_f64(self) -> f64;
    /// The same values where the type is `f32`: what vector kernels are written for.
    fn single(values: &[Self]) -> Option<&[f32]>;
    /// The same values, to write, where the type is `f32`.
    fn single_mut(values: &mut [Self]) -> Option<&mut [f32]>;
    /// e to this power. For `f32` in arithmetic that compilers turn into vector instructions:
    /// within 3e-7 of the result, 0 under -87, no larger than at 88.
    fn exponential(self) -> Self;
    /// A whole number from 0 to 2^22 as an integer, in arithmetic that compilers turn into vector
    /// instructions; other numbers give any integer.
    fn whole(self) -> u32;
}

impl Real for f32 {
    const ELEMENT: Element = Element::F32;

    fn from_f64(value: f64) -> f32 {
        value as f32
    }

    fn as_f64(self) -> f64 {
        f64::from(self)
    }

    fn single(values: &[f32]) -> Option<&[f32]> {
        Some(values)
    }

    fn single_mut(values: &mut [f32]) -> Option<&mut [f32]> {
        Some(values)
    }

    #[inline(always)]
    fn exponential(self) -> f32 {
        crate::kernels::exponential::exponential(self)
    }

    #[inline(always)]
    fn whole(self) -> u32 {
        // Adding 2^23 leaves the integer in the low bits of the mantissa.
        (self + 8_388_608.0).to_bits() & 0x007f_ffff
    }
}

impl Real for f64 {
    const ELEMENT: Element = Element::F64;

    fn from_f64(value: f64) -> f64 {
        value
    }

    fn as_f64(self) -> f64 {
        self
    }

    fn single(_: &[f64]) -> Option<&[f32]> {
        None
    }

    fn single_mut(_: &mut [f64]) -> Option<&mut [f32]> {
        None
    }

    #[inline(always)]
    fn exponential(self) -> f64 {
        self.exp()
    }

    #[inline(always)]
    fn whole(self) -> u32 {
        self as u32
    }
}

impl Update {
    /// Writes or adds one number of a gradient.
    #[inline(always)]
    pub fn put<T: Real>(self, to: &mut T, value: T) {
        *to = if self == Update::Add { *to + value } else { value };
    }
}

/// The tensors of a forward.
#[derive(Debug)]
pub struct Forward<'a, T> {
    pub inputs: &'a [&'a [T]],
    /// Written whole; what it held before is not read.
    pub output: &'a mut [T],
    /// Kept until this operation's backward.
    pub saved: &'a mut [T],
    /// Free during the call; arbitrary values on entry.
    pub scratch: &'a mut [T],
    /// What [`OnCpu::prepare`] wrote for these inputs, where the network was built for
    /// prediction; empty in training, whose weights change with every step.
    pub prepared: &'a [T],
    pub step: &'a StepKey,
    pub workers: &'a Workers,
}

/// A gradient to write or to add to.
#[derive(Debug)]
pub struct GradientMut<'a, T> {
    pub values: &'a mut [T],
    /// `Overwrite` for the first of a tensor's consumers, `Add` for the others.
    pub update: Update,
}

/// The tensors of a backward. An input (or the output) that [`Operation::backward_reads`] did not
/// ask for is an empty slice.
#[derive(Debug)]
pub struct Backward<'a, 'b, T> {
    pub inputs: &'a [&'a [T]],
    pub output: &'a [T],
    pub output_gradient: &'a [T],
    pub saved: &'a [T],
    /// Free during the call; arbitrary values on entry.
    pub scratch: &'a mut [T],
    /// One for each input; `None` where nobody wants it (data, frozen parameters).
    pub input_gradients: &'a mut [Option<GradientMut<'b, T>>],
    pub step: &'a StepKey,
    pub workers: &'a Workers,
}

/// An operation on the CPU, in numbers `T`.
///
/// Results do not depend on the number of workers. Neither call allocates once its thread has run
/// it before.
pub trait OnCpu<T: Real>: Operation {
    /// Numbers of scratch memory that either call needs on `workers_count` workers.
    fn scratch_length(&self, _workers_count: usize) -> usize {
        0
    }

    /// Numbers that [`OnCpu::prepare`] writes; 0 for operations that have nothing to prepare.
    fn prepared_length(&self) -> usize {
        0
    }

    /// Brings weights into the form that forwards read, once for all of them. The form may depend on
    /// the size of the other inputs; forms that differ have different lengths, so that networks of
    /// several sizes share what has one length. Inputs outside [`Operation::prepared_inputs`] are empty slices.
    fn prepare(&self, _inputs: &[&[T]], _to: &mut [T], _workers: &Workers) {}

    /// Numbers of scratch memory that a forward in prediction needs, with or without what was
    /// prepared.
    fn prediction_scratch_length(&self, workers_count: usize, _prepared: bool) -> usize {
        self.scratch_length(workers_count)
    }

    /// Numbers of [`Forward::saved`] in prediction, which has no backward: 0 where the forward can do
    /// without.
    fn prediction_saved_length(&self) -> usize {
        self.saved_length()
    }

    /// Computes the output.
    fn forward(&self, run: Forward<'_, T>);

    /// Writes, or adds to, the gradients of the inputs.
    fn backward(&self, run: Backward<'_, '_, T>);
}

/// The CPU, in numbers `T`, on up to some workers.
#[derive(Debug)]
pub struct Cpu<T> {
    workers_count: usize,
    numbers: PhantomData<fn() -> T>,
}

impl<T: Real> Cpu<T> {
    pub fn new(workers_count: usize) -> Cpu<T> {
        Cpu { workers_count, numbers: PhantomData }
    }
}

impl<T: Real> Backend for Cpu<T> {
    fn element(&self) -> Element {
        T::ELEMENT
    }

    fn scratch_length(&self, op: &Op) -> usize {
        op.on_cpu::<T>().scratch_length(self.workers_count)
    }

    fn prediction_scratch_length(&self, op: &Op, prepared: bool) -> usize {
        op.on_cpu::<T>().prediction_scratch_length(self.workers_count, prepared)
    }

    fn prediction_saved_length(&self, op: &Op) -> usize {
        op.on_cpu::<T>().prediction_saved_length()
    }

    fn prepared_length(&self, op: &Op) -> usize {
        op.on_cpu::<T>().prepared_length()
    }
}

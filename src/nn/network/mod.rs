//! A trainable network: operations in order, every buffer's place in one arena, forward and back.
//!
//! The network is built once for each bucket of input sizes and never changes (design.md §4): a
//! [`Plan`], which knows no backend, and the CPU, which runs it here. Values live in a [`Memory`], which
//! networks of several sizes share, and parameters in flat arrays outside, so that an optimiser is one
//! pass. What prediction need not compute again is kept in [`Constants`]. A repeated step allocates
//! nothing.

mod builder;
mod carve;
mod constants;
mod footprint;
mod lives;
pub mod named;
mod plan;
mod purpose;
mod recompute;
mod run;
#[cfg(test)]
pub(crate) mod tests;

pub use builder::NetworkBuilder;
pub use constants::{Constants, PREDICTION};
pub use plan::{Plan, TensorId};
pub use purpose::Purpose;
pub use run::Memory;

use std::marker::PhantomData;
use std::ops::Range;

/// A plan that the CPU runs in numbers `T`.
#[derive(Debug)]
pub struct Network<T> {
    plan: Plan,
    numbers: PhantomData<fn() -> T>,
}

impl<T> Network<T> {
    /// Numbers of arena memory that one step needs.
    pub fn memory_length(&self) -> usize {
        self.plan.arena_bytes().div_ceil(size_of::<T>())
    }

    /// Length of a tensor.
    pub fn length(&self, tensor: TensorId) -> usize {
        self.plan.tensors[tensor.index].length
    }

    /// A place of the plan as a range of numbers.
    fn numbers_of(bytes: &Range<usize>) -> Range<usize> {
        bytes.start / size_of::<T>()..bytes.end / size_of::<T>()
    }
}

//! A trainable network: operations in order, every buffer's place in one arena, forward and back.
//!
//! The network is built once for each bucket of input sizes and never changes (design.md §4);
//! values live in a [`Memory`], which networks of several sizes share, and parameters in flat
//! arrays outside, so that an optimiser is one pass. What prediction need not compute again is kept
//! in [`Constants`]. A repeated step allocates nothing.

mod builder;
mod carve;
mod constants;
mod footprint;
mod lives;
pub mod named;
mod purpose;
mod recompute;
mod run;
#[cfg(test)]
pub(crate) mod tests;

pub use builder::NetworkBuilder;
pub use constants::{Constants, PREDICTION};
pub use purpose::Purpose;
pub use run::Memory;

use super::op::Op;
use std::marker::PhantomData;
use std::ops::Range;

/// Names a tensor of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TensorId {
    index: usize,
    detached: bool,
}

impl TensorId {
    /// The same tensor, through which no gradient flows back.
    pub fn detached(self) -> TensorId {
        TensorId { detached: true, ..self }
    }
}

/// Where a tensor's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// The caller writes them before each forward.
    Data,
    /// The caller gives them once, to [`Network::constants`].
    Constant,
    /// A range of the flat parameters.
    Parameter { range: Range<usize>, trained: bool },
    /// An operation writes them.
    Operation,
}

#[derive(Debug)]
struct TensorInfo {
    length: usize,
    source: Source,
}

#[derive(Debug)]
struct Node {
    op: Op,
    inputs: Vec<TensorId>,
    output: usize,
}

/// A network laid out for one input size.
#[derive(Debug)]
pub struct Network<T> {
    tensors: Vec<TensorInfo>,
    nodes: Vec<Node>,
    outputs: Vec<TensorId>,
    places: Places,
    /// For each tensor, whether it is the same in every forward; never in training.
    constant: Vec<bool>,
    /// For each node and input: what its gradient does with what is there. `None`: not wanted.
    updates: Vec<Vec<Option<crate::kernels::matrix_product::Update>>>,
    /// Trained parameters that no gradient reaches.
    unreached: Vec<Range<usize>>,
    /// What the CPU computes with.
    numbers: PhantomData<fn() -> T>,
}

/// Ranges of the arena; empty where there is nothing to keep.
#[derive(Debug, Default)]
struct Places {
    values: Vec<Range<usize>>,
    /// Where the values of the way back lie that are computed again.
    late_values: Vec<Range<usize>>,
    gradients: Vec<Range<usize>>,
    saved: Vec<Range<usize>>,
    /// Three for each node: forward, backward, forward again.
    scratch: Vec<Range<usize>>,
    /// For each node, those that run again before its backward.
    again: Vec<Vec<usize>>,
    length: usize,
}

impl Places {
    /// Where a tensor's values lie on the way back.
    fn late(&self, tensor: usize) -> &Range<usize> {
        let again = &self.late_values[tensor];
        if again.is_empty() { &self.values[tensor] } else { again }
    }
}

impl<T> Network<T> {
    /// Numbers of arena memory that one step needs.
    pub fn memory_length(&self) -> usize {
        self.places.length
    }

    /// Length of a tensor.
    pub fn length(&self, tensor: TensorId) -> usize {
        self.tensors[tensor.index].length
    }
}

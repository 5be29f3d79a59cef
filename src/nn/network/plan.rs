//! A network laid out for one input size: operations, tensors, and the place of every buffer.
//!
//! A plan never changes and holds no values. It knows its backend by [`Backend`] alone; places are bytes
//! from the start of an arena, whoever's memory that is.
//!
//! [`Backend`]: crate::nn::backend::Backend

use crate::kernels::matrix_product::Update;
use crate::nn::element::Element;
use crate::nn::op::Op;
use std::ops::Range;

/// Names a tensor of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TensorId {
    pub(super) index: usize,
    pub(super) detached: bool,
}

impl TensorId {
    /// The same tensor, through which no gradient flows back.
    pub fn detached(self) -> TensorId {
        TensorId { detached: true, ..self }
    }
}

/// Where a tensor's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The caller writes them before each forward.
    Data,
    /// The caller gives them once, to [`super::Network::constants`].
    Constant,
    /// A range of the flat parameters.
    Parameter { range: Range<usize>, trained: bool },
    /// An operation writes them.
    Operation,
}

#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) length: usize,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) inputs: Vec<TensorId>,
    pub(super) output: usize,
}

/// A network laid out for one input size and one backend.
#[derive(Debug)]
pub struct Plan {
    /// What every tensor holds.
    pub(super) element: Element,
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) nodes: Vec<Node>,
    pub(super) outputs: Vec<TensorId>,
    pub(super) places: Places,
    /// For each tensor, whether it is the same in every forward; never in training.
    pub(super) constant: Vec<bool>,
    /// For each node and input: what its gradient does with what is there. `None`: not wanted.
    pub(super) updates: Vec<Vec<Option<Update>>>,
    /// Trained parameters that no gradient reaches.
    pub(super) unreached: Vec<Range<usize>>,
}

impl Plan {
    /// What every tensor holds.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Bytes of arena memory that one step needs.
    pub fn arena_bytes(&self) -> usize {
        self.places.bytes
    }
}

/// Ranges of bytes of the arena; empty where there is nothing to keep.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) values: Vec<Range<usize>>,
    /// Where the values of the way back lie that are computed again.
    pub(super) late_values: Vec<Range<usize>>,
    pub(super) gradients: Vec<Range<usize>>,
    pub(super) saved: Vec<Range<usize>>,
    /// Three for each node: forward, backward, forward again.
    pub(super) scratch: Vec<Range<usize>>,
    /// For each node, those that run again before its backward.
    pub(super) again: Vec<Vec<usize>>,
    /// Of the whole arena.
    pub(super) bytes: usize,
}

impl Places {
    /// Where a tensor's values lie on the way back.
    pub(super) fn late(&self, tensor: usize) -> &Range<usize> {
        let again = &self.late_values[tensor];
        if again.is_empty() { &self.values[tensor] } else { again }
    }
}

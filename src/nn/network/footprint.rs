//! Bytes of a network's own description; its values lie in the arena.

use super::Network;
use super::plan::{Node, Places};
use crate::nn::cpu::Real;
use std::mem::size_of;
use std::ops::Range;

/// Bytes of a list's places, without what they point to.
fn list_bytes<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

impl<T: Real> Network<T> {
    /// Bytes held beside the arena: operations, tensors and their places.
    pub fn memory_bytes(&self) -> usize {
        let of_node = |node: &Node| node.op.description().list_bytes() + list_bytes(&node.inputs);
        let lists = list_bytes(&self.plan.tensors)
            + list_bytes(&self.plan.nodes)
            + list_bytes(&self.plan.outputs)
            + list_bytes(&self.plan.constant)
            + list_bytes(&self.plan.updates)
            + list_bytes(&self.plan.unreached);
        let inner: usize = self.plan.nodes.iter().map(of_node).sum();
        let updates: usize = self.plan.updates.iter().map(list_bytes).sum();
        size_of::<Network<T>>() + lists + inner + updates + self.plan.places.list_bytes()
    }
}

impl Places {
    fn list_bytes(&self) -> usize {
        let Places { values, late_values, gradients, saved, scratch, again, .. } = self;
        let ranges: usize = [values, late_values, gradients, saved, scratch]
            .map(list_bytes::<Range<usize>>)
            .iter()
            .sum();
        ranges + list_bytes(again) + again.iter().map(list_bytes).sum::<usize>()
    }
}

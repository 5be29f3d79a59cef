//! What a backend says of each operation before any runs: how much memory it needs for it. A plan is laid
//! out from that alone, so that it holds for a device as it does for the CPU.
//!
//! How a backend computes an operation is its own: the CPU's way is [`super::cpu::OnCpu`].

use super::element::Element;
use super::op::Op;
use std::fmt::Debug;

/// Who runs a plan.
pub trait Backend: Debug {
    /// What its tensors hold.
    fn element(&self) -> Element;

    /// Numbers of scratch memory that the forward or the backward of training needs.
    fn scratch_length(&self, op: &Op) -> usize;

    /// Numbers of scratch memory that a forward of prediction needs, with or without weights that were
    /// prepared.
    fn prediction_scratch_length(&self, op: &Op, prepared: bool) -> usize;

    /// Numbers that a forward of prediction wants to save, though nothing reads them later.
    fn prediction_saved_length(&self, op: &Op) -> usize;

    /// Numbers of the form into which it brings weights once for all predictions; 0 for none.
    fn prepared_length(&self, op: &Op) -> usize;
}

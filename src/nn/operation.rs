//! What an operation of a network is, whoever computes it: shapes, what is kept, what is read.
//!
//! A network is a list of operations over flat tensors (design.md §4). Parameters are inputs like
//! any other, so that one rule serves weights, activations and frozen parts: whoever wants a
//! gradient hands over the memory for it. Operations own no memory beside their shapes; the plan
//! lays out inputs, output, what is saved and scratch in one arena, so a repeated step allocates
//! nothing. How the CPU computes one stands beside its description ([`super::cpu::OnCpu`]).

use std::fmt::Debug;
use std::ops::Range;

/// Most inputs of one operation, parameters included.
pub const INPUTS_MAX: usize = 8;

/// Which of an operation's tensors its backward reads; the plan reuses the memory of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackwardReads {
    /// One flag for each input.
    pub inputs: [bool; INPUTS_MAX],
    pub output: bool,
}

impl BackwardReads {
    /// Every input, and not the output.
    pub const INPUTS: BackwardReads = BackwardReads { inputs: [true; INPUTS_MAX], output: false };
    /// The output alone.
    pub const OUTPUT: BackwardReads = BackwardReads { inputs: [false; INPUTS_MAX], output: true };
    /// Neither.
    pub const NOTHING: BackwardReads = BackwardReads { inputs: [false; INPUTS_MAX], output: false };
}

/// Which training step runs: what random operations (dropout) key their numbers by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepKey {
    pub seed: u64,
    pub stage: u16,
    /// Optimiser step, counted from 0.
    pub step: u32,
    /// Part of the step, where gradients are accumulated over several.
    pub part: u16,
    /// False at prediction: dropout passes its input on.
    pub training: bool,
}

/// One differentiable operation with fixed shapes.
pub trait Operation: Debug + Send + Sync {
    /// Lengths of the inputs, parameters included, in the order in which they are given.
    fn input_lengths(&self) -> Vec<usize>;

    /// Length of the output.
    fn output_length(&self) -> usize;

    /// Numbers kept from forward to backward.
    fn saved_length(&self) -> usize {
        0
    }

    /// The inputs that a backend may bring into another form once for all forwards of prediction:
    /// weights.
    fn prepared_inputs(&self) -> Range<usize> {
        0..0
    }

    /// Whether a forward costs little beside what its neighbours do, so that it may run again on
    /// the way back in place of keeping its output. Its second run must save what the first did.
    fn is_cheap(&self) -> bool {
        false
    }

    /// Bytes of the lists of shapes that it holds beside itself.
    fn list_bytes(&self) -> usize {
        0
    }

    /// What the backward reads.
    fn backward_reads(&self) -> BackwardReads;
}

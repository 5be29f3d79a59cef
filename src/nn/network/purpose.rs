//! What a network is built for, which decides how long its buffers live.

/// What a network is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Forward and backward. With `recompute`, the outputs of cheap operations are computed again
    /// on the way back where that saves memory; the numbers are the same.
    Training { recompute: bool },
    /// Forward alone: buffers are free as soon as nothing ahead reads them, and what does not
    /// depend on data is computed once ([`super::Constants`]).
    Prediction,
}

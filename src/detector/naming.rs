//! Who names the parameters of a detector's file, and the shapes of those that a naming splits.

use crate::nn::parameters::Parameter;

/// Who names the parameters of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The detector's official code.
    Official,
    /// `transformers`.
    HuggingFace,
}

/// The shape of one of `count` tensors that make up a parameter, by its rows.
pub(crate) fn part_shape(parameter: &Parameter, count: usize) -> Vec<usize> {
    let mut shape = parameter.shape.clone();
    if let Some(rows) = shape.first_mut() {
        *rows /= count;
    }
    shape
}

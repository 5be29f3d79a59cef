//! Tensors side by side: tokens of several levels behind each other, or channels.
//!
//! Both are one thing in memory: each of `outer` rows of the output is one row of the first input,
//! then one of the second, and so on. Behind each other along tokens, a row is an image; along
//! channels, a row is a pixel.

use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation};

/// Inputs: `[outer, length]` for each of up to eight lengths. Output: `[outer, sum of lengths]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concatenate {
    outer: usize,
    lengths: Vec<usize>,
}

impl Concatenate {
    /// `outer` rows of `lengths` elements each.
    ///
    /// # Panics
    /// With no input, or more than eight.
    pub fn new(outer: usize, lengths: Vec<usize>) -> Concatenate {
        assert!((1..=INPUTS_MAX).contains(&lengths.len()), "{} inputs", lengths.len());
        Concatenate { outer, lengths }
    }

    /// Maps `[images, tokens, channels]` behind each other: `[images, sum of tokens, channels]`.
    pub fn tokens(images: usize, tokens: &[usize], channels: usize) -> Concatenate {
        Concatenate::new(images, tokens.iter().map(|count| count * channels).collect())
    }

    /// Maps `[pixels, channels]` beside each other: `[pixels, sum of channels]`.
    pub fn channels(pixels: usize, channels: &[usize]) -> Concatenate {
        Concatenate::new(pixels, channels.to_vec())
    }

    fn row_length(&self) -> usize {
        self.lengths.iter().sum()
    }
}

impl Operation for Concatenate {
    fn input_lengths(&self) -> Vec<usize> {
        self.lengths.iter().map(|length| self.outer * length).collect()
    }

    fn output_length(&self) -> usize {
        self.outer * self.row_length()
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn list_bytes(&self) -> usize {
        size_of_val(self.lengths.as_slice())
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for Concatenate {
    fn forward(&self, run: Forward<'_, T>) {
        let rows = run.output.chunks_exact_mut(self.row_length().max(1));
        for (row, mut to) in rows.enumerate() {
            for (input, length) in run.inputs.iter().zip(&self.lengths) {
                let (part, rest) = to.split_at_mut(*length);
                part.copy_from_slice(&input[row * length..][..*length]);
                to = rest;
            }
        }
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let mut start = 0;
        for (gradient, length) in run.input_gradients.iter_mut().zip(&self.lengths) {
            if let Some(gradient) = gradient {
                let rows = run.output_gradient.chunks_exact(self.row_length().max(1));
                let parts = rows.map(|row| &row[start..start + length]);
                copy_rows(parts, *length, gradient);
            }
            start += length;
        }
    }
}

/// Writes or adds rows of `length` elements.
pub(super) fn copy_rows<'a, T: Real>(
    rows: impl Iterator<Item = &'a [T]>,
    length: usize,
    to: &mut GradientMut<'_, T>,
) {
    for (to_row, row) in to.values.chunks_exact_mut(length.max(1)).zip(rows) {
        match to.update {
            Update::Overwrite => to_row.copy_from_slice(row),
            Update::Add => to_row.iter_mut().zip(row).for_each(|(to, from)| *to += *from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;
    use crate::workers::Workers;

    #[test]
    fn gradients_are_finite_differences() {
        finite_difference::check(&Concatenate::tokens(2, &[3, 1, 4], 5), 1);
        finite_difference::check(&Concatenate::channels(3, &[2, 7]), 1);
    }

    #[test]
    fn rows_lie_side_by_side() {
        let inputs = [vec![1.0f32, 2.0], vec![3.0, 4.0, 5.0, 6.0]];
        let operation = Concatenate::channels(2, &[1, 2]);
        let kept = harness::forward(&operation, &inputs, &Workers::caller());
        assert_eq!(kept.output, [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    }
}

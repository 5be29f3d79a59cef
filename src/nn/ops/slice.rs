//! A run of each row of a tensor: some channels of a map, or some tokens of each image.

use super::concatenate::copy_rows;
use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, GradientMut, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};
use std::ops::Range;

/// Input: `[outer, length]`. Output: `[outer, range.len()]`, elements `range` of each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    outer: usize,
    length: usize,
    range: Range<usize>,
}

impl Slice {
    /// Elements `range` of each of `outer` rows of `length` elements.
    ///
    /// # Panics
    /// When the range leaves the row or is empty.
    pub fn new(outer: usize, length: usize, range: Range<usize>) -> Slice {
        assert!(range.start < range.end && range.end <= length, "{range:?} of {length}");
        Slice { outer, length, range }
    }

    /// Tokens `range` of `[images, tokens, channels]`.
    pub fn tokens(images: usize, tokens: usize, channels: usize, range: Range<usize>) -> Slice {
        let range = range.start * channels..range.end * channels;
        Slice::new(images, tokens * channels, range)
    }
}

impl Operation for Slice {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.outer * self.length]
    }

    fn output_length(&self) -> usize {
        self.outer * self.range.len()
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for Slice {
    fn forward(&self, run: Forward<'_, T>) {
        let rows = run.inputs[0].chunks_exact(self.length).map(|row| &row[self.range.clone()]);
        let mut to = GradientMut { values: run.output, update: Update::Overwrite };
        copy_rows(rows, self.range.len(), &mut to);
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let Some(GradientMut { values, update }) = &mut run.input_gradients[0] else { return };
        let rows = run.output_gradient.chunks_exact(self.range.len());
        for (to, from) in values.chunks_exact_mut(self.length).zip(rows) {
            if *update == Update::Overwrite {
                to.fill(T::ZERO);
            }
            let to = &mut to[self.range.clone()];
            to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
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
        finite_difference::check(&Slice::new(3, 7, 2..5), 1);
        finite_difference::check(&Slice::tokens(2, 4, 3, 1..2), 1);
    }

    #[test]
    fn the_run_of_each_row_is_taken() {
        let inputs = [vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]];
        let kept = harness::forward(&Slice::new(2, 3, 1..3), &inputs, &Workers::caller());
        assert_eq!(kept.output, [2.0, 3.0, 5.0, 6.0]);
    }
}

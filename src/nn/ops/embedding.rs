//! Learned rows, the same for every image of a batch.

use crate::kernels::matrix_product::Update;
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation};

/// Input: rows `[rows, columns]`. Output: `[batch, rows, columns]`, the rows once for each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding {
    pub batch: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Embedding {
    fn length(&self) -> usize {
        self.rows * self.columns
    }
}

impl Operation for Embedding {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.length()]
    }

    fn output_length(&self) -> usize {
        self.batch * self.length()
    }

    fn is_cheap(&self) -> bool {
        true
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for Embedding {
    fn forward(&self, run: Forward<'_, T>) {
        let input = run.inputs[0];
        for image in run.output.chunks_exact_mut(self.length().max(1)) {
            image.copy_from_slice(input);
        }
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        if let Some(to) = &mut run.input_gradients[0] {
            if to.update == Update::Overwrite {
                to.values.fill(T::ZERO);
            }
            for image in run.output_gradient.chunks_exact(self.length().max(1)) {
                for (to, gradient) in to.values.iter_mut().zip(image) {
                    *to += *gradient;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finite_difference;
    use super::*;

    #[test]
    fn gradients_are_finite_differences() {
        finite_difference::check(&Embedding { batch: 3, rows: 2, columns: 5 }, 1);
        finite_difference::check(&Embedding { batch: 1, rows: 1, columns: 1 }, 1);
    }
}

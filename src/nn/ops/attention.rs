//! Multi-head softmax attention over projected queries, keys and values.
//!
//! Vaswani et al., "Attention is all you need", arXiv:1706.03762, §3.2: softmax(q k^T / sqrt(dim))
//! v for each head. Probabilities are not kept but computed again from one saved number for each
//! query and head, the logarithm of its sum of exponentials (Dao et al., "FlashAttention",
//! arXiv:2205.14135, §3.1): one more small product instead of `[batch, heads, queries, keys]`.
//! Dropout leaves out probabilities, as torch's attention does, and is drawn again in the backward.

use super::dropout::{TOGETHER, Thinning};
use super::heads::HeadBlocks;
use super::reduce::{change_all, largest, sum_of};
use crate::kernels::matrix_product::{Matrix, MatrixMut, Update, product_here};
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{self, Arithmetic, Kernel};
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, INPUTS_MAX, Operation, StepKey};

/// Inputs: queries `[batch, queries, heads * dim]`, keys and values `[batch, keys, heads * dim]`,
/// and with `masked` a mask `[batch, keys]`, 1 where a key takes part and 0 where it is padding.
/// Output: `[batch, queries, heads * dim]`; zeros where every key is padding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    pub batch: usize,
    pub queries: usize,
    pub keys: usize,
    pub heads: usize,
    /// Channels of one head.
    pub dim: usize,
    /// Whether there is a mask of keys. It gets no gradient.
    pub masked: bool,
    /// Of the probabilities, in training.
    pub dropout: Option<Thinning>,
}

/// Queries of one task: enough rows for a product, few enough that their scores stay in cache.
const TASK_QUERIES: usize = 64;

impl Attention {
    fn width(&self) -> usize {
        self.heads * self.dim
    }

    fn tasks_of_image(&self) -> usize {
        self.queries.div_ceil(TASK_QUERIES)
    }

    /// Scores of one task for one head.
    fn scores_length(&self) -> usize {
        TASK_QUERIES.min(self.queries) * self.keys
    }

    /// Scratch of the forward: scores of all tasks of an image.
    fn forward_length(&self) -> usize {
        self.tasks_of_image() * self.scores_length()
    }

    /// Scratch of one head in the backward: its three gradients, then scores and their gradients.
    fn head_length(&self) -> usize {
        (self.queries + 2 * self.keys) * self.dim + 2 * self.scores_length()
    }

    /// Channels of one head of some rows.
    fn head_of<'a, T>(&self, rows: &'a [T], count: usize, head: usize) -> Matrix<'a, T> {
        let start = (head * self.dim).min(rows.len());
        Matrix::with_stride(&rows[start..], count, self.dim, self.width())
    }

    fn mask_of<'a, T>(&self, inputs: &[&'a [T]], image: usize) -> &'a [T] {
        if self.masked { &inputs[3][image * self.keys..][..self.keys] } else { &[] }
    }

    /// Dropout of the probabilities, or of their gradients, of task `task` of one head. Each task has
    /// elements of its own, whole groups of them.
    fn thin<T: Real>(
        &self,
        values: &mut [T],
        image: usize,
        head: usize,
        task: usize,
        step: &StepKey,
    ) {
        if let Some(dropout) = &self.dropout {
            let place = (image * self.heads + head) * self.tasks_of_image() + task;
            dropout.apply(values, place * self.scores_length().next_multiple_of(TOGETHER), step);
        }
    }

    /// 1 / sqrt(dim).
    fn scale<T: Real>(&self) -> T {
        T::ONE / T::from_f64(self.dim as f64).sqrt()
    }
}

impl Operation for Attention {
    fn input_lengths(&self) -> Vec<usize> {
        let rows = self.batch * self.width();
        let mut lengths = vec![rows * self.queries, rows * self.keys, rows * self.keys];
        if self.masked {
            lengths.push(self.batch * self.keys);
        }
        lengths
    }

    fn output_length(&self) -> usize {
        self.batch * self.queries * self.width()
    }

    fn saved_length(&self) -> usize {
        self.batch * self.queries * self.heads
    }

    fn backward_reads(&self) -> BackwardReads {
        let mut inputs = [false; INPUTS_MAX];
        inputs[..4].fill(true);
        BackwardReads { inputs, output: false }
    }
}

impl<T: Real> OnCpu<T> for Attention {
    fn scratch_length(&self, _workers_count: usize) -> usize {
        self.forward_length().max(self.batch * self.heads * self.head_length())
    }

    fn prediction_scratch_length(&self, _workers_count: usize, _prepared: bool) -> usize {
        self.forward_length()
    }

    fn forward(&self, run: Forward<'_, T>) {
        let (width, queries) = (self.width(), self.queries);
        let outputs = run.output.chunks_exact_mut((queries * width).max(1));
        let saved = run.saved.chunks_exact_mut((queries * self.heads).max(1));
        for (image, (output, saved)) in outputs.zip(saved).enumerate() {
            let [q, k, v] = [(0, queries), (1, self.keys), (2, self.keys)]
                .map(|(place, rows)| &run.inputs[place][image * rows * width..][..rows * width]);
            let mask = self.mask_of(run.inputs, image);
            let slices = [
                (output, TASK_QUERIES * width),
                (saved, TASK_QUERIES * self.heads),
                (&mut *run.scratch, self.scores_length()),
            ];
            run.workers.for_each_pieces(slices, |task, [output, saved, scores]| {
                let rows = output.len() / width;
                let q = &q[task * TASK_QUERIES * width..][..rows * width];
                let scores = &mut scores[..rows * self.keys];
                for head in 0..self.heads {
                    let target = MatrixMut::new(scores, rows, self.keys);
                    let keys = self.head_of(k, self.keys, head).transposed();
                    product_here(target, self.head_of(q, rows, head), keys, Update::Overwrite);
                    let Attention { keys, heads, .. } = *self;
                    let (scale, logarithms) = (self.scale(), &mut saved[head..]);
                    let kernel = Normalise { scores, keys, mask, scale, logarithms, heads };
                    plain::run(Level::best(), kernel);
                    self.thin(scores, image, head, task, run.step);
                    let scores = Matrix::new(scores, rows, self.keys);
                    let start = head * self.dim;
                    let target =
                        MatrixMut::with_stride(&mut output[start..], rows, self.dim, width);
                    product_here(
                        target,
                        scores,
                        self.head_of(v, self.keys, head),
                        Update::Overwrite,
                    );
                }
            });
        }
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        let head_length = self.head_length();
        let scratch = &mut run.scratch[..self.batch * self.heads * head_length];
        let (inputs, gradient, saved) = (run.inputs, run.output_gradient, run.saved);
        let step = run.step;
        run.workers.for_each_piece(scratch, head_length.max(1), |index, block| {
            let (image, head) = (index / self.heads, index % self.heads);
            self.head_backward((image, head), inputs, gradient, saved, step, block);
        });
        let (heads, stride, width) = (self.heads, head_length, self.dim);
        let places =
            [(0, self.queries), (self.queries, self.keys), (self.queries + self.keys, self.keys)];
        for (to, (before, rows)) in run.input_gradients.iter_mut().zip(places) {
            if let Some(to) = to {
                let blocks = HeadBlocks { heads, stride, offset: before * width, rows, width };
                blocks.merge(scratch, to, run.workers);
            }
        }
    }
}

impl Attention {
    /// The three gradients of one head of one image, into the front of `block`.
    fn head_backward<T: Real>(
        &self,
        (image, head): (usize, usize),
        inputs: &[&[T]],
        gradient: &[T],
        saved: &[T],
        step: &StepKey,
        block: &mut [T],
    ) {
        let (width, dim, keys) = (self.width(), self.dim, self.keys);
        let (gradients, scores) = block.split_at_mut((self.queries + 2 * keys) * dim);
        let (query_gradients, rest) = gradients.split_at_mut(self.queries * dim);
        let (key_gradients, value_gradients) = rest.split_at_mut(keys * dim);
        let (scores, slopes) = scores.split_at_mut(self.scores_length());
        let mask = self.mask_of(inputs, image);
        let k = self.head_of(&inputs[1][image * keys * width..], keys, head);
        let v = self.head_of(&inputs[2][image * keys * width..], keys, head);
        let mut update = Update::Overwrite;
        for first in (0..self.queries).step_by(TASK_QUERIES) {
            let rows = TASK_QUERIES.min(self.queries - first);
            let start = image * self.queries + first;
            let q = self.head_of(&inputs[0][start * width..], rows, head);
            let gradient = self.head_of(&gradient[start * width..], rows, head);
            let [scores, slopes] =
                [&mut *scores, &mut *slopes].map(|part| &mut part[..rows * keys]);
            let target = MatrixMut::new(scores, rows, keys);
            product_here(target, q, k.transposed(), Update::Overwrite);
            let target = MatrixMut::new(slopes, rows, keys);
            product_here(target, gradient, v.transposed(), Update::Overwrite);
            let task = first / TASK_QUERIES;
            self.thin(slopes, image, head, task, step);
            let logarithms = &saved[start * self.heads + head..];
            let (scale, heads) = (self.scale(), self.heads);
            let kernel = Slopes { scores, slopes, keys, mask, scale, logarithms, heads };
            plain::run(Level::best(), kernel);
            self.thin(scores, image, head, task, step);
            let scores = Matrix::new(scores, rows, keys);
            let slopes = Matrix::new(slopes, rows, keys);
            let target = MatrixMut::new(&mut query_gradients[first * dim..], rows, dim);
            product_here(target, slopes, k, Update::Overwrite);
            let target = MatrixMut::new(&mut *key_gradients, keys, dim);
            product_here(target, slopes.transposed(), q, update);
            let target = MatrixMut::new(&mut *value_gradients, keys, dim);
            product_here(target, scores.transposed(), gradient, update);
            update = Update::Add;
        }
    }
}

/// Scores of padded keys become minus infinity.
#[inline(always)]
fn hide<T: Real>(row: &mut [T], mask: &[T]) {
    for (score, mask) in row.iter_mut().zip(mask) {
        *score = if *mask == T::ZERO { T::neg_infinity() } else { *score };
    }
}

/// Scores become probabilities.
struct Normalise<'a, T> {
    scores: &'a mut [T],
    keys: usize,
    mask: &'a [T],
    scale: T,
    /// Every `heads`-th number gets the logarithm of a row's sum of exponentials.
    logarithms: &'a mut [T],
    heads: usize,
}

impl<T: Real> Kernel for Normalise<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let rows = self.scores.chunks_exact_mut(self.keys.max(1));
        for (row, logarithm) in rows.zip(self.logarithms.iter_mut().step_by(self.heads)) {
            hide(row, self.mask);
            let most = largest(row) * self.scale;
            if most == T::neg_infinity() {
                // Nothing to attend to; minus this logarithm, every exponential is 0 again.
                row.fill(T::ZERO);
                *logarithm = T::infinity();
                continue;
            }
            change_all(row, |score| A::multiply_add(score, self.scale, -most).exponential());
            let sum = sum_of([row], |[value]| value);
            let share = T::ONE / sum;
            change_all(row, |score| score * share);
            *logarithm = most + sum.ln();
        }
    }
}

/// Scores become probabilities once more, and gradients of probabilities those of scores.
struct Slopes<'a, T> {
    scores: &'a mut [T],
    slopes: &'a mut [T],
    keys: usize,
    mask: &'a [T],
    scale: T,
    logarithms: &'a [T],
    heads: usize,
}

impl<T: Real> Kernel for Slopes<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let rows = self.scores.chunks_exact_mut(self.keys.max(1));
        let rows = rows.zip(self.slopes.chunks_exact_mut(self.keys.max(1)));
        let logarithms = self.logarithms.iter().step_by(self.heads);
        for ((row, slopes), logarithm) in rows.zip(logarithms) {
            hide(row, self.mask);
            let least = -*logarithm;
            change_all(row, |score| A::multiply_add(score, self.scale, least).exponential());
            let mean = sum_of([row, slopes], |[probability, slope]| probability * slope);
            for (slope, probability) in slopes.iter_mut().zip(row.iter()) {
                *slope = (*slope - mean) * *probability * self.scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;
    use crate::workers::Workers;

    fn shape(queries: usize, keys: usize, masked: bool) -> Attention {
        Attention { batch: 2, queries, keys, heads: 3, dim: 4, masked, dropout: None }
    }

    /// Normal draws, and a mask that hides every third key.
    fn draw<T: Real>(operation: &Attention) -> Vec<Vec<T>> {
        let mut inputs = harness::draw_inputs(operation, 5);
        for mask in &mut inputs[3..] {
            for (key, mask) in mask.iter_mut().enumerate() {
                *mask = if key % 3 == 1 { T::ZERO } else { T::ONE };
            }
        }
        inputs
    }

    #[test]
    fn gradients_are_finite_differences() {
        for masked in [false, true] {
            for (queries, keys) in [(5, 7), (TASK_QUERIES + 1, 3)] {
                let operation = shape(queries, keys, masked);
                let inputs = draw(&operation);
                let wanted = &[true, true, true, false][..inputs.len()];
                finite_difference::check_at(&operation, &inputs, wanted);
                let dropout = Some(Thinning { rate: 0.3, number: 1 });
                let operation = Attention { dropout, ..operation };
                finite_difference::check_at(&operation, &inputs, wanted);
            }
        }
    }

    #[test]
    fn several_tasks_have_the_same_bits_and_precision() {
        let dropout = Some(Thinning { rate: 0.1, number: 2 });
        let operation = Attention { dropout, ..shape(3 * TASK_QUERIES + 5, 70, true) };
        let inputs = draw(&operation);
        let wanted = [true, true, true, false];
        harness::assert_same_bits(&operation, &inputs, &wanted);
        harness::assert_precisions_agree(&operation, &operation, &inputs, &wanted, 1e-5);
    }

    #[test]
    fn dropout_leaves_out_its_share_of_the_probabilities() {
        let (queries, keys) = (2 * TASK_QUERIES, 8);
        let whole = Attention {
            batch: 1,
            queries,
            keys,
            heads: 1,
            dim: keys,
            masked: false,
            dropout: None,
        };
        let mut inputs = harness::draw_inputs::<f32>(&whole, 3);
        // With unit vectors as values, the output is the probabilities.
        for (place, value) in inputs[2].iter_mut().enumerate() {
            *value = if place % (keys + 1) == 0 { 1.0 } else { 0.0 };
        }
        let rate = 0.25;
        let thinned = Attention { dropout: Some(Thinning { rate, number: 0 }), ..whole };
        let [whole, thinned] = [whole, thinned]
            .map(|operation| harness::forward(&operation, &inputs, &Workers::caller()).output);
        let mut dropped = 0;
        for (probability, kept) in whole.iter().zip(&thinned) {
            dropped += usize::from(*kept == 0.0);
            assert!(*kept == 0.0 || (kept * 0.75 - probability).abs() < 1e-6);
        }
        let share = dropped as f64 / whole.len() as f64;
        assert!((share - rate).abs() < 0.05, "{share}");
        assert!(thinned[..whole.len() / 2] != thinned[whole.len() / 2..]);
    }

    #[test]
    fn without_a_key_the_output_and_the_gradients_are_zero() {
        let operation = shape(2, 3, true);
        let mut inputs = draw::<f32>(&operation);
        inputs[3][3..].fill(0.0);
        let kept = harness::forward(&operation, &inputs, &Workers::caller());
        let image = kept.output.len() / 2;
        assert!(kept.output[..image].iter().all(|value| *value != 0.0));
        assert!(kept.output[image..].iter().all(|value| *value == 0.0));
        let gradient = vec![1.0; kept.output.len()];
        let wanted = [true, true, true, false];
        let gradients =
            harness::gradients(&operation, &inputs, &kept, &gradient, &wanted, &Workers::caller());
        for gradient in &gradients[..3] {
            assert!(gradient[gradient.len() / 2..].iter().all(|value| *value == 0.0));
        }
    }
}

//! Dropout whose mask is a function of the step and the element, and is never stored.
//!
//! Srivastava et al., "Dropout", JMLR 15 (2014), with the kept numbers divided by the share that
//! is kept. The mask comes from Philox (see [`crate::random`]) keyed by seed, stage, step, part
//! and the operation's number, so the backward draws it again, and any split of the work gives
//! the same one.

use crate::kernels::matrix_product::Update;
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{self, Arithmetic, Kernel};
use crate::nn::cpu::{Backward, Forward, OnCpu, Real};
use crate::nn::operation::{BackwardReads, Operation, StepKey};
use crate::random::{Purpose, StreamKey, philox4x32_10_lanes};
use crate::workers::Workers;

/// Input and output: `[length]`. The identity when not training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    pub length: usize,
    /// Share of the elements that becomes 0, in [0, 1).
    pub rate: f64,
    /// Tells the dropouts of one network apart.
    pub number: u16,
}

/// The dropout of numbers that another operation computes and does not keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thinning {
    /// Share of the elements that becomes 0, in [0, 1).
    pub rate: f64,
    /// Tells the dropouts of one network apart.
    pub number: u16,
}

impl Thinning {
    /// Leaves out elements of `values`, of which the first is element `first` of all; `first` is a
    /// multiple of [`TOGETHER`].
    pub(super) fn apply<T: Real>(&self, values: &mut [T], first: usize, step: &StepKey) {
        if step.training && self.rate > 0.0 {
            let draw = Draw::new(self.rate, self.number, step, first);
            let scale = T::from_f64(1.0 / (1.0 - self.rate));
            plain::run(Level::best(), Thin { values, draw, scale });
        }
    }
}

/// Blocks of Philox that are drawn together, one in each lane of a vector register.
const BLOCKS: usize = 16;
/// Elements that they decide: word `w` of block `b` decides element `w * BLOCKS + b`.
pub(super) const TOGETHER: usize = 4 * BLOCKS;
/// Elements of one task.
const TASK_LENGTH: usize = 256 * TOGETHER;

impl Dropout {
    /// `to` becomes, or is increased by, what passes of `from`.
    fn pass<T: Real>(
        &self,
        from: &[T],
        to: &mut [T],
        update: Update,
        step: &StepKey,
        workers: &Workers,
    ) {
        let rate = if step.training { self.rate } else { 0.0 };
        let scale = T::from_f64(1.0 / (1.0 - rate));
        workers.for_each_piece(to, TASK_LENGTH, |task, to| {
            let from = &from[task * TASK_LENGTH..][..to.len()];
            let draw = Draw::new(rate, self.number, step, task * TASK_LENGTH);
            plain::run(Level::best(), Pass { from, to, update, draw, scale });
        });
    }
}

impl Operation for Dropout {
    fn input_lengths(&self) -> Vec<usize> {
        vec![self.length]
    }

    fn output_length(&self) -> usize {
        self.length
    }

    fn backward_reads(&self) -> BackwardReads {
        BackwardReads::NOTHING
    }
}

impl<T: Real> OnCpu<T> for Dropout {
    fn forward(&self, run: Forward<'_, T>) {
        self.pass(run.inputs[0], run.output, Update::Overwrite, run.step, run.workers);
    }

    fn backward(&self, run: Backward<'_, '_, T>) {
        if let Some(to) = &mut run.input_gradients[0] {
            self.pass(run.output_gradient, to.values, to.update, run.step, run.workers);
        }
    }
}

/// Who decides about consecutive elements.
struct Draw {
    /// Number of the block that decides the first element.
    first_block: usize,
    stream: ([u32; 4], [u32; 2]),
    /// The largest 32-bit word that drops its element, plus one.
    threshold: u32,
}

impl Draw {
    fn new(rate: f64, number: u16, step: &StepKey, first: usize) -> Draw {
        let StepKey { seed, stage, step, part, .. } = *step;
        let purpose = Purpose::Dropout;
        let key = StreamKey { seed, stage, epoch: part, image_id: step, purpose };
        let threshold = (rate * 2f64.powi(32)) as u32;
        Draw { first_block: first / 4, stream: key.counter_and_key(number), threshold }
    }

    /// One word for each of [`TOGETHER`] elements; those below the threshold leave theirs out.
    #[inline(always)]
    fn words(&self, group: usize) -> [[u32; BLOCKS]; 4] {
        if self.threshold == 0 {
            return [[u32::MAX; BLOCKS]; 4];
        }
        let (counter, key) = self.stream;
        let first = (self.first_block + group * BLOCKS) as u32;
        let numbers = std::array::from_fn(|block| first.wrapping_add(block as u32));
        let [_, purpose, step, stage] = counter.map(|word| [word; BLOCKS]);
        philox4x32_10_lanes([numbers, purpose, step, stage], key)
    }
}

struct Thin<'a, T> {
    values: &'a mut [T],
    draw: Draw,
    scale: T,
}

impl<T: Real> Kernel for Thin<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for (group, values) in self.values.chunks_mut(TOGETHER).enumerate() {
            let words = self.draw.words(group);
            for (value, word) in values.iter_mut().zip(words.as_flattened()) {
                let kept = *word >= self.draw.threshold;
                *value = if kept { *value * self.scale } else { T::ZERO };
            }
        }
    }
}

struct Pass<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
    update: Update,
    draw: Draw,
    scale: T,
}

impl<T: Real> Kernel for Pass<'_, T> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let groups = self.to.chunks_mut(TOGETHER).zip(self.from.chunks(TOGETHER));
        for (group, (to, from)) in groups.enumerate() {
            let words = self.draw.words(group);
            for ((to, from), word) in to.iter_mut().zip(from).zip(words.as_flattened()) {
                let kept = if *word >= self.draw.threshold { *from * self.scale } else { T::ZERO };
                self.update.put(to, kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{finite_difference, harness};
    use super::*;
    use crate::random::philox4x32_10;

    fn run(operation: &Dropout, step: StepKey, input: &[f32]) -> Vec<f32> {
        let mut output = vec![f32::NAN; input.len()];
        operation.pass(input, &mut output, Update::Overwrite, &step, &Workers::caller());
        output
    }

    #[test]
    fn gradients_are_finite_differences() {
        for rate in [0.0, 0.3] {
            finite_difference::check(&Dropout { length: 131, rate, number: 2 }, 1);
        }
    }

    #[test]
    fn the_share_that_is_dropped_is_the_rate_and_the_mean_stays() {
        let operation = Dropout { length: 3 * TASK_LENGTH + 5, rate: 0.1, number: 0 };
        let output = run(&operation, harness::STEP, &vec![1.0; operation.length]);
        let dropped = output.iter().filter(|value| **value == 0.0).count();
        assert!((dropped as f64 / operation.length as f64 - 0.1).abs() < 0.005, "{dropped}");
        let kept = 1.0 / 0.9f32;
        assert!(output.iter().all(|value| *value == 0.0 || (value - kept).abs() < 1e-6));
        let inputs = harness::draw_inputs::<f32>(&operation, 1);
        harness::assert_same_bits(&operation, &inputs, &[true]);
    }

    #[test]
    fn an_element_is_decided_by_its_index_alone() {
        let long = Dropout { length: 2 * TASK_LENGTH, rate: 0.5, number: 3 };
        let output = run(&long, harness::STEP, &vec![1.0; long.length]);
        let short = Dropout { length: 77, ..long };
        assert_eq!(run(&short, harness::STEP, &[1.0; 77]), output[..77]);
        let key = StreamKey {
            seed: harness::STEP.seed,
            stage: harness::STEP.stage,
            epoch: harness::STEP.part,
            image_id: harness::STEP.step,
            purpose: Purpose::Dropout,
        };
        let (counter, key) = key.counter_and_key(3);
        for (index, value) in output.iter().enumerate() {
            let block = index / TOGETHER * BLOCKS + index % BLOCKS;
            let words = philox4x32_10([block as u32, counter[1], counter[2], counter[3]], key);
            assert_eq!(*value != 0.0, words[index % TOGETHER / BLOCKS] >= 1 << 31, "{index}");
        }
    }

    #[test]
    fn masks_differ_by_every_part_of_the_key_and_prediction_passes_all() {
        let operation = Dropout { length: 500, rate: 0.5, number: 1 };
        let input = vec![1.0; 500];
        let step = harness::STEP;
        let others = [
            StepKey { seed: 8, ..step },
            StepKey { stage: 2, ..step },
            StepKey { step: 4, ..step },
            StepKey { part: 1, ..step },
        ];
        let here = run(&operation, step, &input);
        for other in others {
            assert_ne!(run(&operation, other, &input), here);
        }
        assert_ne!(run(&Dropout { number: 2, ..operation }, step, &input), here);
        assert_eq!(run(&operation, StepKey { training: false, ..step }, &input), input);
    }
}

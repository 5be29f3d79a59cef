//! AdamW (Loshchilov and Hutter, ICLR 2019) over flat arrays, and the norm that gradients are
//! clipped to.
//!
//! One pass reads the gradient once and writes parameter and both moments. The norm is summed in
//! f64 over fixed blocks, so that neither depends on the number of threads.

use super::groups::Group;
use crate::workers::Workers;
use crate::{Result, memory};
use std::ops::Range;

const MOMENTUM: f32 = 0.9;
const SQUARE_MOMENTUM: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Numbers of one task, and of one partial sum of the norm.
const BLOCK: usize = 1 << 14;
/// What is added to the norm before it divides (torch's `clip_grad_norm_`).
const NORM_EPSILON: f64 = 1e-6;

/// The optimiser's memory.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    /// Mean of the gradients, one number for each trained parameter.
    pub means: Vec<f32>,
    /// Mean of their squares.
    pub squares: Vec<f32>,
    /// Steps taken.
    pub steps: u32,
    partial_sums: Vec<f64>,
}

/// What one step uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSettings {
    /// The schedule's factor on every group's learning rate.
    pub rate_factor: f64,
    pub weight_decay: f64,
    /// 0 leaves gradients as they are.
    pub gradient_norm_max: f64,
}

impl AdamW {
    /// For `length` trained numbers.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub fn new(length: usize) -> Result<AdamW> {
        let moments = || memory::filled(0.0, length, "the optimiser's moments");
        Ok(AdamW {
            means: moments()?,
            squares: moments()?,
            steps: 0,
            partial_sums: vec![0.0; length.div_ceil(BLOCK)],
        })
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        let moments = self.means.len() + self.squares.len();
        moments * size_of::<f32>() + size_of_val(self.partial_sums.as_slice())
    }

    /// Changes `parameters` against `gradients` (as long as the moments) and answers the norm of
    /// the gradients before clipping. Where that is not finite nothing is changed.
    pub fn step(
        &mut self,
        parameters: &mut [f32],
        gradients: &[f32],
        groups: &[Group],
        settings: &StepSettings,
        workers: &Workers,
    ) -> f64 {
        let norm = self.norm(gradients, workers);
        if !norm.is_finite() {
            return norm;
        }
        let clip = match settings.gradient_norm_max {
            0.0 => 1.0,
            most => (most / (norm + NORM_EPSILON)).min(1.0),
        };
        self.steps += 1;
        let corrections = [MOMENTUM, SQUARE_MOMENTUM]
            .map(|momentum| 1.0 - f64::from(momentum).powi(self.steps as i32));
        for group in groups {
            let rate = group.learning_rate * settings.rate_factor;
            let decay = if group.decays { settings.weight_decay } else { 0.0 };
            let update = Update {
                clip: clip as f32,
                keep: (1.0 - rate * decay) as f32,
                step: (rate / corrections[0]) as f32,
                square_scale: (1.0 / corrections[1].sqrt()) as f32,
            };
            let Range { start, end } = group.range;
            let data = [&mut *parameters, &mut self.means, &mut self.squares];
            let slices = data.map(|array| (&mut array[start..end], BLOCK));
            workers.for_each_pieces(slices, |block, arrays| {
                let first = start + block * BLOCK;
                update.apply(arrays, &gradients[first..end.min(first + BLOCK)]);
            });
        }
        norm
    }

    fn norm(&mut self, gradients: &[f32], workers: &Workers) -> f64 {
        workers.for_each_piece(&mut self.partial_sums, 1, |block, sum| {
            let first = block * BLOCK;
            let part = &gradients[first..gradients.len().min(first + BLOCK)];
            sum[0] = part.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
        });
        self.partial_sums.iter().sum::<f64>().sqrt()
    }
}

/// The factors of one group's step.
struct Update {
    clip: f32,
    keep: f32,
    step: f32,
    square_scale: f32,
}

impl Update {
    fn apply(&self, [parameters, means, squares]: [&mut [f32]; 3], gradients: &[f32]) {
        let moments = means.iter_mut().zip(squares);
        for ((parameter, (mean, square)), gradient) in
            parameters.iter_mut().zip(moments).zip(gradients)
        {
            let gradient = gradient * self.clip;
            *mean += (1.0 - MOMENTUM) * (gradient - *mean);
            *square += (1.0 - SQUARE_MOMENTUM) * (gradient * gradient - *square);
            let size = square.sqrt() * self.square_scale + EPSILON;
            *parameter = *parameter * self.keep - self.step * *mean / size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> StepSettings {
        StepSettings { rate_factor: 1.0, weight_decay: 0.01, gradient_norm_max: 0.5 }
    }

    fn group(range: Range<usize>, learning_rate: f64) -> Group {
        Group { range, learning_rate, decays: true }
    }

    const GOLDEN_PARAMETERS: [f32; 4] = [0.970_522_2, -2.029_411_8, 0.497_076_75, 2.997_146];
    const GOLDEN_NORMS: [f64; 3] = [1.643_167_734, 0.927_361_846, 0.374_165_773];

    /// torch 2 (`torch.optim.AdamW`, two groups, `clip_grad_norm_(0.5)` before each step):
    /// `tests/golden/training/adamw.py` prints these numbers.
    #[test]
    fn three_steps_are_those_of_torch() {
        let mut parameters = vec![1.0, -2.0, 0.5, 3.0];
        let mut optimiser = AdamW::new(4).unwrap();
        let groups = [group(0..2, 1e-2), group(2..4, 1e-3)];
        let mut norms = Vec::new();
        for step in 0..3 {
            let gradients: Vec<f32> =
                (0..4).map(|i| 0.3 * (i as f32 + 1.0) - 0.2 * (step * i) as f32).collect();
            let workers = Workers::caller();
            norms.push(optimiser.step(&mut parameters, &gradients, &groups, &settings(), &workers));
        }
        let wanted = GOLDEN_PARAMETERS;
        for (got, want) in parameters.iter().zip(wanted) {
            assert!((got - want).abs() < 2e-6, "{parameters:?}");
        }
        for (got, want) in norms.iter().zip(GOLDEN_NORMS) {
            assert!((got - want).abs() < 1e-6, "{norms:?}");
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let length = 100_000;
        let gradients: Vec<f32> =
            (0..length).map(|i| ((i * 37 % 101) as f32 - 50.0) / 9.0).collect();
        let groups = [group(0..70_001, 1e-2), group(70_001..length, 1e-3)];
        let run = |threads: usize| {
            let workers = Workers::with_threads(threads).unwrap();
            let (mut parameters, mut optimiser) = (vec![1.0; length], AdamW::new(length).unwrap());
            for _ in 0..2 {
                optimiser.step(&mut parameters, &gradients, &groups, &settings(), &workers);
            }
            (parameters, optimiser)
        };
        let alone = run(1);
        assert!([2, 3, 7].into_iter().all(|threads| run(threads) == alone));
    }

    #[test]
    fn decay_pulls_only_what_decays() {
        let (mut parameters, mut optimiser) = (vec![2.0f32; 2], AdamW::new(2).unwrap());
        let groups = [group(0..1, 0.1), Group { decays: false, ..group(1..2, 0.1) }];
        let workers = Workers::caller();
        optimiser.step(&mut parameters, &[0.0; 2], &groups, &settings(), &workers);
        assert_eq!(parameters, [2.0 * (1.0 - 0.1 * 0.01), 2.0]);
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let (mut parameters, mut optimiser) = (vec![1.0, 2.0], AdamW::new(2).unwrap());
        let before = optimiser.clone();
        let gradients = [f32::NAN, 1.0];
        let workers = Workers::caller();
        let groups = [group(0..2, 0.1)];
        let norm = optimiser.step(&mut parameters, &gradients, &groups, &settings(), &workers);
        assert!(norm.is_nan() && parameters == [1.0, 2.0] && optimiser.steps == 0);
        assert_eq!((optimiser.means, optimiser.squares), (before.means, before.squares));
    }
}

//! A network laid out for one input size: its steps in order and every buffer's place in one arena.
//!
//! Buffers that are never alive together share memory. A repeated run reuses everything; only
//! short lists of tasks are made anew. Training adds gradients and a backward list of steps to the
//! same arena (design.md §4).

use super::activation::{Activation, ActivationMut, Layout};
use super::aligned::AlignedFloats;
use super::convolution::{Convolution, Finish};
use super::max_pool::MaxPool;
use super::placement::place;
use super::scratch::Scratch;
use super::simd::Level;
use crate::Result;
use crate::workers::Workers;
use std::ops::Range;

/// Names a buffer of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferId(usize);

#[derive(Debug, Clone, Copy)]
enum Operation {
    /// The layer with this number in the list that [`Plan::run`] gets.
    Convolution {
        layer: usize,
        residual: Option<BufferId>,
        relu: bool,
    },
    MaxPool(MaxPool),
}

#[derive(Debug, Clone, Copy)]
struct Step {
    operation: Operation,
    input: BufferId,
    output: BufferId,
}

/// The memory of a plan that runs no more: the next one grows it to its own size or uses it as it
/// is, so that inputs of many sizes cost what the largest one does.
#[derive(Debug)]
pub struct PlanMemory {
    arena: AlignedFloats,
    scratch: Scratch,
}

impl Default for PlanMemory {
    fn default() -> PlanMemory {
        PlanMemory { arena: AlignedFloats::zeros(0), scratch: Scratch::new(0, 0) }
    }
}

/// Collects the steps of a network.
#[derive(Debug)]
pub struct PlanBuilder<'a> {
    layers: &'a [Convolution],
    layouts: Vec<Layout>,
    steps: Vec<Step>,
}

impl<'a> PlanBuilder<'a> {
    /// A network whose convolutions are `layers`, and its input.
    pub fn new(layers: &'a [Convolution], input: Layout) -> (PlanBuilder<'a>, BufferId) {
        (PlanBuilder { layers, layouts: vec![input], steps: Vec::new() }, BufferId(0))
    }

    /// The layout of a buffer.
    pub fn layout(&self, buffer: BufferId) -> Layout {
        self.layouts[buffer.0]
    }

    /// Adds a convolution; the answer has `border`, which is what its readers pad.
    pub fn convolution(
        &mut self,
        layer: usize,
        input: BufferId,
        residual: Option<BufferId>,
        relu: bool,
        border: usize,
    ) -> BufferId {
        let from = self.layout(input);
        let geometry = self.layers[layer].geometry();
        let (height, width) = geometry.output_size(from.height, from.width);
        let channels = geometry.out_channels;
        let layout = Layout { images: from.images, height, width, channels, border };
        self.add(Operation::Convolution { layer, residual, relu }, input, layout)
    }

    /// Adds a max-pooling; the answer has `border`.
    pub fn max_pool(&mut self, pool: MaxPool, input: BufferId, border: usize) -> BufferId {
        let from = self.layout(input);
        let (height, width) = pool.output_size(from.height, from.width);
        self.add(Operation::MaxPool(pool), input, Layout { height, width, border, ..from })
    }

    fn add(&mut self, operation: Operation, input: BufferId, layout: Layout) -> BufferId {
        let output = BufferId(self.layouts.len());
        self.layouts.push(layout);
        self.steps.push(Step { operation, input, output });
        output
    }

    /// Places the buffers in `memory`. `outputs` keep their values after a run, in this order.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub fn finish(self, outputs: &[BufferId], memory: PlanMemory) -> Result<Plan> {
        let lives = self.lives(outputs);
        let lengths: Vec<usize> = self.layouts.iter().map(Layout::length).collect();
        let places = place(&lengths, &lives);
        let length = places.iter().map(|place| place.end).max().unwrap_or(0);
        let scratch_length = self.steps.iter().map(|step| match step.operation {
            Operation::Convolution { layer, .. } => {
                self.layers[layer].scratch_length(&self.layout(step.input))
            }
            Operation::MaxPool(_) => 0,
        });
        let PlanMemory { mut arena, scratch } = memory;
        arena.try_grow(length, "a network's activations")?;
        Ok(Plan {
            scratch_length: scratch_length.max().unwrap_or(0),
            arena,
            scratch,
            layouts: self.layouts,
            places,
            steps: self.steps,
            outputs: outputs.to_vec(),
        })
    }

    /// First and last step during which each buffer holds values that are still wanted.
    fn lives(&self, outputs: &[BufferId]) -> Vec<Range<usize>> {
        let mut lives = vec![0..1; self.layouts.len()];
        for (number, step) in self.steps.iter().enumerate() {
            lives[step.output.0] = number..number + 1;
            lives[step.input.0].end = number + 1;
            if let Operation::Convolution { residual: Some(residual), .. } = step.operation {
                lives[residual.0].end = number + 1;
            }
        }
        for output in outputs {
            lives[output.0].end = usize::MAX;
        }
        lives
    }
}

/// A network laid out for one input size, with its memory.
#[derive(Debug)]
pub struct Plan {
    layouts: Vec<Layout>,
    places: Vec<Range<usize>>,
    steps: Vec<Step>,
    outputs: Vec<BufferId>,
    arena: AlignedFloats,
    scratch_length: usize,
    scratch: Scratch,
}

impl Plan {
    /// The input, to be filled before each run; its border included, which must be zeros.
    pub fn input(&mut self) -> ActivationMut<'_> {
        let data = &mut self.arena.as_mut_slice()[self.places[0].clone()];
        ActivationMut { data, layout: self.layouts[0] }
    }

    /// The layout of the input.
    pub fn input_layout(&self) -> Layout {
        self.layouts[0]
    }

    /// An output of the last run, by its place in the list that [`PlanBuilder::finish`] got.
    pub fn output(&self, index: usize) -> Activation<'_> {
        let buffer = self.outputs[index].0;
        let data = &self.arena.as_slice()[self.places[buffer].clone()];
        Activation { data, layout: self.layouts[buffer] }
    }

    /// Bytes of the arena and of scratch memory.
    pub fn memory_bytes(&self) -> usize {
        self.arena.memory_bytes() + self.scratch.memory_bytes()
    }

    /// Gives the memory to another plan.
    pub fn into_memory(self) -> PlanMemory {
        PlanMemory { arena: self.arena, scratch: self.scratch }
    }

    /// Runs every step. `layers` are the convolutions that the plan was built with. The input is
    /// used up: its memory serves later buffers.
    pub fn run(&mut self, layers: &[Convolution], level: Level, workers: &Workers) {
        let (count, length) = (self.scratch.count(), self.scratch.length());
        if count < workers.count() || length < self.scratch_length {
            self.scratch = Scratch::new(workers.count(), self.scratch_length);
        }
        for step in &self.steps {
            let (inputs, output) = borrow(&mut self.arena, &self.places, step);
            let read = |buffer: BufferId, data| Activation { data, layout: self.layouts[buffer.0] };
            let input = read(step.input, inputs[0]);
            let output = ActivationMut { data: output, layout: self.layouts[step.output.0] };
            match step.operation {
                Operation::Convolution { layer, residual, relu } => {
                    let residual = residual.map(|buffer| read(buffer, inputs[1]));
                    let finish = Finish { residual, relu, add: false };
                    layers[layer].forward(input, output, finish, &self.scratch, workers);
                }
                Operation::MaxPool(pool) => pool.forward(input, output, level, workers),
            }
        }
    }
}

/// The memory of a step's input and residual (empty where it has none), and of its output.
fn borrow<'a>(
    arena: &'a mut AlignedFloats,
    places: &[Range<usize>],
    step: &Step,
) -> ([&'a [f32]; 2], &'a mut [f32]) {
    let residual = match step.operation {
        Operation::Convolution { residual: Some(residual), .. } => places[residual.0].clone(),
        _ => 0..0,
    };
    let output = places[step.output.0].clone();
    let (below, rest) = arena.as_mut_slice().split_at_mut(output.start);
    let (middle, above) = rest.split_at_mut(output.len());
    let (below, above): (&[f32], &[f32]) = (below, above);
    // Buffers that are alive together do not overlap, so each range read lies on one side.
    let read = |range: Range<usize>| match range.start < output.start {
        true => &below[range],
        false if range.is_empty() => &above[..0],
        false => &above[range.start - output.end..range.end - output.end],
    };
    ([read(places[step.input.0].clone()), read(residual)], middle)
}

//! Forward and backward over the arena.

use super::Network;
use super::carve::{Request, carve};
use super::constants::{Constants, PREDICTION};
use super::plan::{Source, TensorId};
use crate::Result;
use crate::control::Control;
use crate::kernels::matrix_product::Update;
use crate::memory::aligned::Aligned;
use crate::nn::cpu::{Backward, Forward, GradientMut, Real};
use crate::nn::operation::{INPUTS_MAX, StepKey};
use crate::nn::parameter_values::ParameterValues;
use crate::workers::Workers;
use std::ops::Range;

/// The arena of one step at a time; networks of several sizes share it.
#[derive(Debug)]
pub struct Memory<T> {
    arena: Aligned<T>,
}

impl<T: Real> Default for Memory<T> {
    fn default() -> Memory<T> {
        Memory { arena: Aligned::zeros(0) }
    }
}

impl<T: Real> Memory<T> {
    /// Makes room for `network`, before anything is written for it; what was in it is lost if it has to
    /// grow.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`]; nothing is held then.
    pub fn fit(&mut self, network: &Network<T>) -> Result<()> {
        if self.arena.as_slice().len() < network.memory_length() {
            // Freed first, so that the old and the new arena are never held together.
            self.arena = Aligned::zeros(0);
            self.arena = Aligned::try_zeros(network.memory_length(), "a network's activations")?;
        }
        Ok(())
    }

    /// [`Memory::fit`] for callers that have not asked: tests and tools, whose networks are small.
    ///
    /// # Panics
    /// Where memory is refused.
    fn ensure(&mut self, network: &Network<T>) {
        if let Err(error) = self.fit(network) {
            panic!("Memory::fit was not called before: {error}");
        }
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.arena.memory_bytes()
    }
}

/// On which way an operation's forward runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    There,
    Back,
}

/// What the operations of a forward or a backward share.
struct Run<'a, T> {
    parameters: &'a [T],
    /// In prediction.
    constants: Option<&'a Constants<T>>,
    step: &'a StepKey,
    workers: &'a Workers,
}

impl<T: Real> Network<T> {
    fn to_read(place: &Range<usize>) -> Request {
        Request::read(&Self::numbers_of(place))
    }

    fn to_write(place: &Range<usize>) -> Request {
        Request::write(&Self::numbers_of(place))
    }

    /// A data tensor, to be filled before each forward.
    pub fn data_mut<'a>(&self, memory: &'a mut Memory<T>, tensor: TensorId) -> &'a mut [T] {
        memory.ensure(self);
        let values = Self::numbers_of(&self.plan.places.values[tensor.index]);
        &mut memory.arena.as_mut_slice()[values]
    }

    /// Several different data tensors at once; see [`Network::data_mut`].
    ///
    /// # Panics
    /// When they are more than a node may have inputs, or one is given twice.
    pub fn data_many<'a, const COUNT: usize>(
        &self,
        memory: &'a mut Memory<T>,
        tensors: [TensorId; COUNT],
    ) -> [&'a mut [T]; COUNT] {
        memory.ensure(self);
        let requests = tensors.map(|tensor| Self::to_write(&self.plan.places.values[tensor.index]));
        let mut parts = carve(memory.arena.as_mut_slice(), &requests);
        std::array::from_fn(|place| parts[place].write())
    }

    /// An output of the last forward, by its place in the list of outputs.
    pub fn output<'a>(&self, memory: &'a Memory<T>, output: usize) -> &'a [T] {
        let tensor = self.plan.outputs[output].index;
        &memory.arena.as_slice()[Self::numbers_of(&self.plan.places.values[tensor])]
    }

    /// Values of several different outputs and their gradients, which the caller writes between
    /// forward and backward. A gradient is empty where no trained parameter lies behind its output.
    ///
    /// # Panics
    /// When an output is given twice, or more of them than a node may have inputs.
    pub fn outputs_and_gradients<'a, const COUNT: usize>(
        &self,
        memory: &'a mut Memory<T>,
        outputs: [usize; COUNT],
    ) -> [(&'a [T], &'a mut [T]); COUNT] {
        let mut requests = [Request::read(&(0..0)); 2 * INPUTS_MAX];
        for (place, output) in outputs.into_iter().enumerate() {
            let tensor = self.plan.outputs[output].index;
            requests[2 * place] = Self::to_read(&self.plan.places.values[tensor]);
            requests[2 * place + 1] = Self::to_write(&self.plan.places.gradients[tensor]);
        }
        let mut parts = carve(memory.arena.as_mut_slice(), &requests[..2 * COUNT]);
        std::array::from_fn(|place| (parts[2 * place].read(), parts[2 * place + 1].write()))
    }

    /// Runs every operation on the data in `memory` and the flat `parameters`, in training.
    ///
    /// # Panics
    /// When the network was built for prediction.
    pub fn forward(
        &self,
        memory: &mut Memory<T>,
        parameters: &[T],
        step: &StepKey,
        workers: &Workers,
    ) {
        memory.ensure(self);
        let run = Run { parameters, constants: None, step, workers };
        workers.within(|| {
            for number in 0..self.plan.nodes.len() {
                self.forward_of(number, Pass::There, memory, &run);
            }
        });
    }

    /// Runs every operation that depends on the data in `memory`. `control` is asked before each of
    /// them.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    ///
    /// # Panics
    /// When `constants` are of other parameters or of another network.
    pub fn predict(
        &self,
        memory: &mut Memory<T>,
        parameters: &ParameterValues<T>,
        constants: &Constants<T>,
        (workers, control): (&Workers, &Control<'_>),
    ) -> Result<()> {
        memory.ensure(self);
        assert!(constants.are_of(parameters), "constants of earlier parameters");
        let parameters = parameters.as_slice();
        let run = Run { parameters, constants: Some(constants), step: &PREDICTION, workers };
        workers.within(|| {
            for (number, node) in self.plan.nodes.iter().enumerate() {
                if !self.plan.constant[node.output] {
                    control.check()?;
                    self.forward_of(number, Pass::There, memory, &run);
                }
            }
            Ok(())
        })
    }

    fn forward_of(&self, number: usize, pass: Pass, memory: &mut Memory<T>, run: &Run<'_, T>) {
        let (node, places) = (&self.plan.nodes[number], &self.plan.places);
        let (count, output) = (node.inputs.len(), node.output);
        let mut requests = [Request::read(&(0..0)); INPUTS_MAX + 3];
        for (request, input) in requests.iter_mut().zip(&node.inputs) {
            *request = Self::to_read(match pass {
                Pass::There => &places.values[input.index],
                Pass::Back => places.late(input.index),
            });
        }
        let (output, scratch) = match pass {
            Pass::There => (&places.values[output], &places.scratch[3 * number]),
            Pass::Back => (places.late(output), &places.scratch[3 * number + 2]),
        };
        requests[count] = Self::to_write(output);
        requests[count + 1] = Self::to_write(&places.saved[number]);
        requests[count + 2] = Self::to_write(scratch);
        let mut parts = carve(memory.arena.as_mut_slice(), &requests[..count + 3]);
        let mut inputs: [&[T]; INPUTS_MAX] = [&[]; INPUTS_MAX];
        for (place, input) in node.inputs.iter().enumerate() {
            inputs[place] = match (&self.plan.tensors[input.index].source, run.constants) {
                (Source::Parameter { range, .. }, _) => &run.parameters[range.clone()],
                (_, Some(constants)) if self.plan.constant[input.index] => {
                    constants.values[input.index].as_slice()
                }
                _ => parts[place].read(),
            };
        }
        let packed = run.constants.and_then(|constants| constants.packed[number].as_ref());
        node.op.on_cpu::<T>().forward(Forward {
            inputs: &inputs[..count],
            output: parts[count].write(),
            saved: parts[count + 1].write(),
            scratch: parts[count + 2].write(),
            prepared: packed.map_or(&[], |block| block.as_slice()),
            step: run.step,
            workers: run.workers,
        });
    }

    /// Runs back from the outputs' gradients. Each trained parameter's gradient is written to its
    /// range of `gradients`, or added to it under `Add` (several parts of one step).
    pub fn backward(
        &self,
        memory: &mut Memory<T>,
        parameters: &[T],
        gradients: &mut [T],
        update: Update,
        step: &StepKey,
        workers: &Workers,
    ) {
        if update == Update::Overwrite {
            self.plan.unreached.iter().for_each(|range| gradients[range.clone()].fill(T::ZERO));
        }
        let run = Run { parameters, constants: None, step, workers };
        workers.within(|| {
            for number in (0..self.plan.nodes.len()).rev() {
                if self.plan.updates[number].iter().any(Option::is_some) {
                    for &again in &self.plan.places.again[number] {
                        self.forward_of(again, Pass::Back, memory, &run);
                    }
                    self.backward_of(number, memory, &run, gradients, update);
                }
            }
        });
    }

    fn backward_of(
        &self,
        number: usize,
        memory: &mut Memory<T>,
        run: &Run<'_, T>,
        gradients: &mut [T],
        update: Update,
    ) {
        let node = &self.plan.nodes[number];
        let (count, places) = (node.inputs.len(), &self.plan.places);
        let (reads, updates) = (node.op.description().backward_reads(), &self.plan.updates[number]);
        let nothing = Request::read(&(0..0));
        let mut requests = [nothing; 2 * INPUTS_MAX + 4];
        let mut parameter_requests = [Request::write(&(0..0)); INPUTS_MAX];
        for (place, input) in node.inputs.iter().enumerate() {
            if reads.inputs[place] {
                requests[place] = Self::to_read(places.late(input.index));
            }
            requests[count + place] = match updates[place] {
                Some(_) => Self::to_write(&places.gradients[input.index]),
                None => Request::write(&(0..0)),
            };
            if let (Some(_), Source::Parameter { range, .. }) =
                (updates[place], &self.plan.tensors[input.index].source)
            {
                parameter_requests[place] = Request::write(range);
            }
        }
        if reads.output {
            requests[2 * count] = Self::to_read(places.late(node.output));
        }
        requests[2 * count + 1] = Self::to_read(&places.gradients[node.output]);
        requests[2 * count + 2] = Self::to_read(&places.saved[number]);
        requests[2 * count + 3] = Self::to_write(&places.scratch[3 * number + 1]);
        let mut parts = carve(memory.arena.as_mut_slice(), &requests[..2 * count + 4]);
        let mut parameter_parts = carve(gradients, &parameter_requests[..count]);
        let mut inputs: [&[T]; INPUTS_MAX] = [&[]; INPUTS_MAX];
        let mut input_gradients: [Option<GradientMut<'_, T>>; INPUTS_MAX] = Default::default();
        for (place, input) in node.inputs.iter().enumerate() {
            let range = match &self.plan.tensors[input.index].source {
                Source::Parameter { range, .. } => Some(range),
                _ => None,
            };
            if reads.inputs[place] {
                inputs[place] = match range {
                    Some(range) => &run.parameters[range.clone()],
                    None => parts[place].read(),
                };
            }
            if let Some(first) = updates[place] {
                input_gradients[place] = Some(match range {
                    Some(_) => GradientMut {
                        values: parameter_parts[place].write(),
                        update: if update == Update::Add { Update::Add } else { first },
                    },
                    None => GradientMut { values: parts[count + place].write(), update: first },
                });
            }
        }
        node.op.on_cpu::<T>().backward(Backward {
            inputs: &inputs[..count],
            output: parts[2 * count].read(),
            output_gradient: parts[2 * count + 1].read(),
            saved: parts[2 * count + 2].read(),
            scratch: parts[2 * count + 3].write(),
            input_gradients: &mut input_gradients[..count],
            step: run.step,
            workers: run.workers,
        });
    }
}

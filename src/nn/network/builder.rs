//! Collects the operations of a network and decides who gets a gradient.

use super::Network;
use super::constants::constant_tensors;
use super::lives::{Lives, lay_out};
use super::plan::{Node, Plan, Source, TensorId, TensorInfo};
use super::purpose::Purpose;
use crate::kernels::matrix_product::Update;
use crate::nn::backend::Backend;
use crate::nn::cpu::{Cpu, Real};
use crate::nn::op::Op;
use crate::nn::operation::INPUTS_MAX;
use std::marker::PhantomData;
use std::ops::Range;

/// Collects the operations of a network.
#[derive(Debug)]
pub struct NetworkBuilder {
    tensors: Vec<TensorInfo>,
    nodes: Vec<Node>,
    workers_count: usize,
}

impl NetworkBuilder {
    /// An empty network, to be run on up to `workers_count` workers.
    pub fn new(workers_count: usize) -> NetworkBuilder {
        NetworkBuilder { tensors: Vec::new(), nodes: Vec::new(), workers_count }
    }

    /// A tensor that the caller fills before each forward.
    pub fn data(&mut self, length: usize) -> TensorId {
        self.add_tensor(length, Source::Data)
    }

    /// A tensor whose values the caller gives once, to [`Network::constants`]; for prediction.
    pub fn constant(&mut self, length: usize) -> TensorId {
        self.add_tensor(length, Source::Constant)
    }

    /// A parameter: `range` of the flat parameters. `trained` ones get a gradient.
    pub fn parameter(&mut self, range: Range<usize>, trained: bool) -> TensorId {
        self.add_tensor(range.len(), Source::Parameter { range, trained })
    }

    fn add_tensor(&mut self, length: usize, source: Source) -> TensorId {
        self.tensors.push(TensorInfo { length, source });
        TensorId { index: self.tensors.len() - 1, detached: false }
    }

    /// Length of a tensor.
    pub fn length(&self, tensor: TensorId) -> usize {
        self.tensors[tensor.index].length
    }

    /// Adds an operation; answers its output.
    ///
    /// # Panics
    /// When the inputs' lengths are not those that the operation states, or a tensor that wants
    /// a gradient is given twice.
    pub fn add(&mut self, operation: impl Into<Op>, inputs: &[TensorId]) -> TensorId {
        let op = operation.into();
        let operation = op.description();
        let lengths: Vec<usize> = inputs.iter().map(|&input| self.length(input)).collect();
        assert_eq!(lengths, operation.input_lengths(), "inputs of {operation:?}");
        assert!(inputs.len() <= INPUTS_MAX, "{operation:?} has {} inputs", inputs.len());
        for (place, input) in inputs.iter().enumerate() {
            let twice = |other: &TensorId| other.index == input.index && !other.detached;
            assert!(input.detached || !inputs[..place].iter().any(twice), "{operation:?}");
        }
        let output = self.add_tensor(operation.output_length(), Source::Operation);
        self.nodes.push(Node { op, inputs: inputs.to_vec(), output: output.index });
        output
    }

    /// Lays the network out for the CPU, in numbers `T`; see [`NetworkBuilder::plan`].
    ///
    /// # Panics
    /// As [`NetworkBuilder::plan`].
    pub fn finish<T: Real>(self, outputs: &[TensorId], purpose: Purpose) -> Network<T> {
        let backend = Cpu::<T>::new(self.workers_count);
        Network { plan: self.plan(outputs, purpose, &backend), numbers: PhantomData }
    }

    /// Lays the network out for a backend. `outputs` keep their values until the backward, or the next
    /// forward.
    ///
    /// # Panics
    /// When a network for training has constants.
    pub fn plan(mut self, outputs: &[TensorId], purpose: Purpose, backend: &dyn Backend) -> Plan {
        if purpose == Purpose::Prediction {
            self.leave_out_unread(outputs);
        }
        let wants = match purpose {
            Purpose::Training { .. } => self.wants_gradient(),
            Purpose::Prediction => vec![false; self.tensors.len()],
        };
        let (updates, reached) = self.updates(outputs, &wants);
        let constant = self.constant_tensors(outputs, purpose);
        let (tensors, nodes) = (&self.tensors, &self.nodes);
        let lives = Lives::new(tensors, nodes, outputs, (&updates, &constant), (purpose, backend));
        let places = lay_out(tensors, nodes, &lives, backend);
        let unreached = self.tensors.iter().zip(reached).filter_map(|(tensor, reached)| {
            match (&tensor.source, reached, purpose) {
                (Source::Parameter { range, trained: true }, false, Purpose::Training { .. }) => {
                    Some(range.clone())
                }
                _ => None,
            }
        });
        Plan {
            element: backend.element(),
            unreached: unreached.collect(),
            outputs: outputs.to_vec(),
            places,
            constant,
            updates,
            tensors: self.tensors,
            nodes: self.nodes,
        }
    }

    /// Takes out operations whose outputs nobody reads.
    fn leave_out_unread(&mut self, outputs: &[TensorId]) {
        let mut read = vec![false; self.tensors.len()];
        outputs.iter().for_each(|output| read[output.index] = true);
        for node in self.nodes.iter().rev() {
            if read[node.output] {
                node.inputs.iter().for_each(|input| read[input.index] = true);
            }
        }
        self.nodes.retain(|node| read[node.output]);
    }

    /// Which tensors are the same in every forward.
    fn constant_tensors(&self, outputs: &[TensorId], purpose: Purpose) -> Vec<bool> {
        if purpose != Purpose::Prediction {
            let given = self.tensors.iter().any(|tensor| tensor.source == Source::Constant);
            assert!(!given, "a network for training has no constants");
            return vec![false; self.tensors.len()];
        }
        let fixed = |tensor: &TensorInfo| {
            matches!(tensor.source, Source::Constant | Source::Parameter { .. })
        };
        constant_tensors(self.tensors.iter().map(fixed), &self.nodes, outputs)
    }

    /// Which tensors depend on a trained parameter.
    fn wants_gradient(&self) -> Vec<bool> {
        let trained =
            |tensor: &TensorInfo| matches!(tensor.source, Source::Parameter { trained: true, .. });
        let mut wants: Vec<bool> = self.tensors.iter().map(trained).collect();
        for node in &self.nodes {
            wants[node.output] =
                node.inputs.iter().any(|input| !input.detached && wants[input.index]);
        }
        wants
    }

    /// For each node and input, what its gradient does with what is there, and which tensors a
    /// gradient reaches.
    fn updates(
        &self,
        outputs: &[TensorId],
        wants: &[bool],
    ) -> (Vec<Vec<Option<Update>>>, Vec<bool>) {
        let mut reached = vec![false; self.tensors.len()];
        outputs.iter().for_each(|output| reached[output.index] = wants[output.index]);
        let mut updates: Vec<Vec<Option<Update>>> =
            self.nodes.iter().map(|node| vec![None; node.inputs.len()]).collect();
        for (node, updates) in self.nodes.iter().zip(&mut updates).rev() {
            if !reached[node.output] {
                continue;
            }
            for (input, update) in node.inputs.iter().zip(updates) {
                if wants[input.index] && !input.detached {
                    let first = !std::mem::replace(&mut reached[input.index], true);
                    *update = Some(if first { Update::Overwrite } else { Update::Add });
                }
            }
        }
        (updates, reached)
    }
}

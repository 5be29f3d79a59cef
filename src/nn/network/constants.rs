//! What a prediction network computes once instead of in every forward.
//!
//! A tensor that depends on parameters and on constants of the caller alone is the same in every
//! forward, and so is the form in which a product reads its weights: normalisations that are
//! folded, positions, queries before they have seen an image, packed weights. Values belong to one
//! network, because they depend on its sizes; packed weights lie with the parameters and serve
//! networks of all sizes that want the same form ([`ParameterValues::packed`]).

use super::Network;
use super::plan::{Node, Source, TensorId};
use crate::Result;
use crate::memory::aligned::Aligned;
use crate::nn::cpu::{Forward, Real};
use crate::nn::operation::StepKey;
use crate::nn::parameter_values::{Packed, ParameterValues};
use crate::workers::Workers;

/// The step of every prediction: nothing random happens in it.
pub const PREDICTION: StepKey = StepKey { seed: 0, stage: 0, step: 0, part: 0, training: false };

/// What forwards of one network read beside data and parameters.
#[derive(Debug)]
pub struct Constants<T> {
    /// Of the parameters that these are of.
    edition: u64,
    /// For each tensor its values, empty where they are no constants or nobody reads them.
    pub(super) values: Vec<Aligned<T>>,
    /// For each node the weights that were packed for it.
    pub(super) packed: Vec<Option<Packed<T>>>,
}

impl<T: Real> Constants<T> {
    /// Whether they are of these parameters as they are now.
    pub fn are_of(&self, parameters: &ParameterValues<T>) -> bool {
        self.edition == parameters.edition()
    }

    /// Bytes of the values; what is packed belongs to the parameters.
    pub fn memory_bytes(&self) -> usize {
        let values: usize = self.values.iter().map(Aligned::memory_bytes).sum();
        values + size_of_val(self.packed.as_slice()) + size_of_val(self.values.as_slice())
    }
}

/// Which tensors are the same in every forward of a prediction network.
pub(super) fn constant_tensors(
    sources: impl Iterator<Item = bool>,
    nodes: &[Node],
    outputs: &[TensorId],
) -> Vec<bool> {
    let mut constant: Vec<bool> = sources.collect();
    for node in nodes {
        // Outputs are read from the arena.
        let asked_for = outputs.iter().any(|output| output.index == node.output);
        let fixed = node.inputs.iter().all(|input| constant[input.index]);
        constant[node.output] = fixed && !asked_for;
    }
    constant
}

impl<T: Real> Network<T> {
    /// Computes everything that does not depend on data. `given` are the values of the tensors
    /// that [`super::NetworkBuilder::constant`] made, all of them.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    ///
    /// # Panics
    /// When a constant is missing or has another length.
    pub fn constants(
        &self,
        parameters: &ParameterValues<T>,
        given: &[(TensorId, &[T])],
        workers: &Workers,
    ) -> Result<Constants<T>> {
        let mut values: Vec<Aligned<T>> =
            self.plan.tensors.iter().map(|_| Aligned::zeros(0)).collect();
        for (tensor, given) in given {
            assert_eq!(given.len(), self.length(*tensor), "a constant of another length");
            values[tensor.index] = block(given.len())?;
            values[tensor.index].as_mut_slice().copy_from_slice(given);
        }
        for (tensor, values) in self.plan.tensors.iter().zip(&values) {
            let filled =
                tensor.source != Source::Constant || values.as_slice().len() == tensor.length;
            assert!(filled, "a constant of {} numbers was not given", tensor.length);
        }
        for node in self.plan.nodes.iter().filter(|node| self.plan.constant[node.output]) {
            values[node.output] = self.compute(node, parameters, &values, workers)?;
        }
        let mut packed = Vec::with_capacity(self.plan.nodes.len());
        for number in 0..self.plan.nodes.len() {
            packed.push(self.pack(number, parameters, &values, workers)?);
        }
        for (read, values) in self.constants_read().into_iter().zip(&mut values) {
            if !read {
                *values = Aligned::zeros(0);
            }
        }
        Ok(Constants { edition: parameters.edition(), values, packed })
    }

    /// The values of a node that depends on no data.
    fn compute(
        &self,
        node: &Node,
        parameters: &ParameterValues<T>,
        values: &[Aligned<T>],
        workers: &Workers,
    ) -> Result<Aligned<T>> {
        let operation = node.op.on_cpu::<T>();
        let inputs: Vec<&[T]> = node
            .inputs
            .iter()
            .map(|input| self.fixed_input(input.index, parameters, values))
            .collect();
        let mut output = block(operation.output_length())?;
        let mut saved = block(operation.prediction_saved_length())?;
        let mut scratch = block(operation.prediction_scratch_length(workers.count(), false))?;
        operation.forward(Forward {
            inputs: &inputs,
            output: output.as_mut_slice(),
            saved: saved.as_mut_slice(),
            scratch: scratch.as_mut_slice(),
            prepared: &[],
            step: &PREDICTION,
            workers,
        });
        Ok(output)
    }

    /// What is packed for a node that data passes through.
    fn pack(
        &self,
        number: usize,
        parameters: &ParameterValues<T>,
        values: &[Aligned<T>],
        workers: &Workers,
    ) -> Result<Option<Packed<T>>> {
        if !self.is_prepared(number) {
            return Ok(None);
        }
        let node = &self.plan.nodes[number];
        let operation = node.op.on_cpu::<T>();
        let length = operation.prepared_length();
        let block = parameters.packed((number, length), || {
            let mut inputs: Vec<&[T]> = vec![&[]; node.inputs.len()];
            for place in operation.prepared_inputs() {
                inputs[place] = self.fixed_input(node.inputs[place].index, parameters, values);
            }
            let mut to = block(length)?;
            operation.prepare(&inputs, to.as_mut_slice(), workers);
            Ok(to)
        })?;
        Ok(Some(block))
    }

    fn fixed_input<'a>(
        &self,
        tensor: usize,
        parameters: &'a ParameterValues<T>,
        values: &'a [Aligned<T>],
    ) -> &'a [T] {
        match &self.plan.tensors[tensor].source {
            Source::Parameter { range, .. } => &parameters.as_slice()[range.clone()],
            _ => values[tensor].as_slice(),
        }
    }

    /// Whether a node's weights are packed once: data passes through it, and its weights are fixed.
    pub(super) fn is_prepared(&self, number: usize) -> bool {
        let node = &self.plan.nodes[number];
        is_prepared(node, &self.plan.constant, node.op.on_cpu::<T>().prepared_length())
    }

    /// For each tensor, whether a forward reads its constant values.
    fn constants_read(&self) -> Vec<bool> {
        let mut read = vec![false; self.plan.tensors.len()];
        for (number, node) in self.plan.nodes.iter().enumerate() {
            if self.plan.constant[node.output] {
                continue;
            }
            let packed = match self.is_prepared(number) {
                true => node.op.description().prepared_inputs(),
                false => 0..0,
            };
            for (place, input) in node.inputs.iter().enumerate() {
                read[input.index] |= self.plan.constant[input.index] && !packed.contains(&place);
            }
        }
        read
    }
}

/// [`Network::is_prepared`], before there is a network, for an operation whose backend brings its weights
/// into a form of `prepared_length` numbers.
pub(super) fn is_prepared(node: &Node, constant: &[bool], prepared_length: usize) -> bool {
    let mut weights = node.op.description().prepared_inputs();
    prepared_length > 0
        && !constant[node.output]
        && weights.all(|place| constant[node.inputs[place].index])
}

fn block<T: Real>(length: usize) -> Result<Aligned<T>> {
    Aligned::try_zeros(length, "a network's constants")
}

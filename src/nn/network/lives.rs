//! When each buffer of a network holds values that are still wanted, and where it lies for that.
//!
//! Time runs 0..n over the forward, n while the caller turns outputs into gradients, and
//! n+1..=2n back. What a backward does not read is free after the last forward that does.

use super::constants::is_prepared;
use super::plan::{Node, Places, Source, TensorId, TensorInfo};
use super::purpose::Purpose;
use super::recompute::LateReads;
use crate::kernels::matrix_product::Update;
use crate::nn::backend::Backend;
use crate::nn::placement::place;
use std::ops::Range;

/// First and last moment of every buffer; an empty range for one that is not needed.
#[derive(Debug)]
pub(super) struct Lives {
    values: Vec<Range<usize>>,
    /// Of what is computed again: from then to its last reader.
    late_values: Vec<Range<usize>>,
    /// For each node, the moment before which it runs again.
    again: Vec<Option<usize>>,
    gradients: Vec<Range<usize>>,
    saved: Vec<Range<usize>>,
    /// Whether each node runs backward.
    backward: Vec<bool>,
    scratch: Vec<ScratchOf>,
}

/// What a node's scratch memory has to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScratchOf {
    Training,
    Prediction {
        prepared: bool,
    },
    /// It does not run.
    Nothing,
}

impl ScratchOf {
    fn each(
        nodes: &[Node],
        constant: &[bool],
        (purpose, backend): (Purpose, &dyn Backend),
    ) -> Vec<ScratchOf> {
        let of = |node: &Node| match purpose {
            Purpose::Training { .. } => ScratchOf::Training,
            Purpose::Prediction if constant[node.output] => ScratchOf::Nothing,
            Purpose::Prediction => {
                let prepared = is_prepared(node, constant, backend.prepared_length(&node.op));
                ScratchOf::Prediction { prepared }
            }
        };
        nodes.iter().map(of).collect()
    }

    fn saved_length(self, node: &Node, backend: &dyn Backend) -> usize {
        match self {
            ScratchOf::Training => node.op.description().saved_length(),
            ScratchOf::Prediction { .. } => backend.prediction_saved_length(&node.op),
            ScratchOf::Nothing => 0,
        }
    }

    fn length(self, node: &Node, backend: &dyn Backend) -> usize {
        match self {
            ScratchOf::Training => backend.scratch_length(&node.op),
            ScratchOf::Prediction { prepared } => {
                backend.prediction_scratch_length(&node.op, prepared)
            }
            ScratchOf::Nothing => 0,
        }
    }
}

impl Lives {
    pub(super) fn new(
        tensors: &[TensorInfo],
        nodes: &[Node],
        outputs: &[TensorId],
        (updates, constant): (&[Vec<Option<Update>>], &[bool]),
        (purpose, backend): (Purpose, &dyn Backend),
    ) -> Lives {
        let count = nodes.len();
        let moment = |number: usize| moment_back(count, number);
        let backward: Vec<bool> =
            updates.iter().map(|list| list.iter().any(Option::is_some)).collect();
        let mut late = LateReads::new(tensors, nodes, &backward, moment);
        if purpose == (Purpose::Training { recompute: true }) {
            late.choose(tensors, nodes, outputs);
        }
        let mut values: Vec<Range<usize>> = vec![0..0; tensors.len()];
        let mut late_values = vec![0..0; tensors.len()];
        let mut saved = vec![0..0; count];
        for (tensor, life) in tensors.iter().zip(&mut values) {
            if tensor.source == Source::Data {
                *life = 0..1;
            }
        }
        for (number, node) in nodes.iter().enumerate() {
            values[node.output] = number..number + 1;
            node.inputs.iter().for_each(|input| extend(&mut values[input.index], number));
            saved[number] = number..number + 1;
            if backward[number] {
                extend(&mut saved[number], moment(number));
            }
        }
        for (number, node) in nodes.iter().enumerate() {
            if late.again[number].is_some() {
                late_values[node.output] = std::mem::take(&mut late.moments[node.output]);
            }
        }
        for (life, late) in values.iter_mut().zip(&late.moments) {
            life.end = life.end.max(late.end);
        }
        for output in outputs {
            extend(&mut values[output.index], count);
            if purpose == Purpose::Prediction {
                values[output.index].end = usize::MAX;
            }
        }
        let mut gradients = gradient_lives(tensors.len(), nodes, outputs, updates, &backward);
        for (number, tensor) in tensors.iter().enumerate() {
            if matches!(tensor.source, Source::Parameter { .. }) || constant[number] {
                (values[number], gradients[number]) = (0..0, 0..0);
            }
        }
        let scratch = ScratchOf::each(nodes, constant, (purpose, backend));
        for (life, scratch) in saved.iter_mut().zip(&scratch) {
            if *scratch == ScratchOf::Nothing {
                *life = 0..0;
            }
        }
        Lives { values, late_values, again: late.again, gradients, saved, backward, scratch }
    }
}

/// When the gradient of each tensor is held: from the first of its consumers on the way back, or from the
/// caller's writing it, until the operation that made the tensor has read it.
fn gradient_lives(
    tensors_count: usize,
    nodes: &[Node],
    outputs: &[TensorId],
    updates: &[Vec<Option<Update>>],
    backward: &[bool],
) -> Vec<Range<usize>> {
    let moment = |number: usize| moment_back(nodes.len(), number);
    let mut lives = vec![0..0; tensors_count];
    for (number, node) in nodes.iter().enumerate().filter(|(number, _)| backward[*number]) {
        let is_output = outputs.iter().any(|output| output.index == node.output);
        // Where a consumer is the first to write, the loop below sets the start.
        let start = if is_output { nodes.len() } else { usize::MAX };
        lives[node.output] = start..moment(number) + 1;
    }
    for (number, (node, updates)) in nodes.iter().zip(updates).enumerate() {
        for (input, _) in node.inputs.iter().zip(updates).filter(|(_, update)| update.is_some()) {
            let life: &mut Range<usize> = &mut lives[input.index];
            life.start = life.start.min(moment(number));
        }
    }
    lives
}

/// The moment of a node's backward: those of all forwards come before, the caller's between them.
fn moment_back(nodes_count: usize, number: usize) -> usize {
    2 * nodes_count - number
}

fn extend(life: &mut Range<usize>, moment: usize) {
    life.end = life.end.max(moment + 1);
}

/// Places every buffer.
pub(super) fn lay_out(
    tensors: &[TensorInfo],
    nodes: &[Node],
    lives: &Lives,
    backend: &dyn Backend,
) -> Places {
    let (mut sizes, mut times) = (Vec::new(), Vec::new());
    let number_bytes = backend.element().bytes();
    let mut push = |length: usize, life: Range<usize>| {
        sizes.push(if life.is_empty() { 0 } else { length * number_bytes });
        times.push(life);
    };
    for (tensor, life) in tensors.iter().zip(&lives.values) {
        push(tensor.length, life.clone());
    }
    for (tensor, life) in tensors.iter().zip(&lives.late_values) {
        push(tensor.length, life.clone());
    }
    for (tensor, life) in tensors.iter().zip(&lives.gradients) {
        push(tensor.length, life.clone());
    }
    for (number, (node, life)) in nodes.iter().zip(&lives.saved).enumerate() {
        push(lives.scratch[number].saved_length(node, backend), life.clone());
    }
    let last = 2 * nodes.len();
    for (number, node) in nodes.iter().enumerate() {
        let length = lives.scratch[number].length(node, backend);
        push(length, number..number + 1);
        let back = if lives.backward[number] { length } else { 0 };
        push(back, last - number..last - number + 1);
        let again = lives.again[number].map_or(0..0, |moment| moment..moment + 1);
        push(length, again);
    }
    let mut places = place(&sizes, &times).into_iter();
    let mut take = |count: usize| places.by_ref().take(count).collect::<Vec<_>>();
    let (values, late_values) = (take(tensors.len()), take(tensors.len()));
    let gradients = take(tensors.len());
    let (saved, scratch) = (take(nodes.len()), take(3 * nodes.len()));
    let all = [&values, &late_values, &gradients, &saved, &scratch].into_iter().flatten();
    let bytes = all.map(|place| place.end).max().unwrap_or(0);
    let mut again = vec![Vec::new(); nodes.len()];
    for (number, moment) in lives.again.iter().enumerate() {
        if let Some(moment) = moment {
            again[last - moment].push(number);
        }
    }
    Places { values, late_values, gradients, saved, scratch, again, bytes }
}

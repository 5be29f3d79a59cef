//! Which values are computed again on the way back instead of being kept since the way there.
//!
//! Chen et al. 2016 ("Training deep nets with sublinear memory cost") trade a second forward for
//! memory; here only operations that cost about as much as reading their inputs are run twice, and
//! only where those inputs are kept anyway. The second run reads the same numbers, so its output
//! has the same bits.

use super::plan::{Node, Source, TensorId, TensorInfo};
use std::ops::Range;

/// First and one past the last moment at which the way back reads each tensor; empty for those
/// that it does not read.
#[derive(Debug)]
pub(super) struct LateReads {
    pub(super) moments: Vec<Range<usize>>,
    /// For each node, the moment before which it runs again.
    pub(super) again: Vec<Option<usize>>,
}

impl LateReads {
    /// What the backward of every node in `backward` reads, at the moment that `moment` says.
    pub(super) fn new(
        tensors: &[TensorInfo],
        nodes: &[Node],
        backward: &[bool],
        moment: impl Fn(usize) -> usize,
    ) -> LateReads {
        let mut moments = vec![0..0; tensors.len()];
        for (number, node) in nodes.iter().enumerate().filter(|(number, _)| backward[*number]) {
            let reads = node.op.description().backward_reads();
            let inputs = node.inputs.iter().zip(reads.inputs).filter(|(_, read)| *read);
            for (input, _) in inputs {
                include(&mut moments[input.index], moment(number));
            }
            if reads.output {
                include(&mut moments[node.output], moment(number));
            }
        }
        LateReads { moments, again: vec![None; nodes.len()] }
    }

    /// Chooses what runs again. From the last node to the first, so that a node knows who reads
    /// its output when those run again.
    pub(super) fn choose(&mut self, tensors: &[TensorInfo], nodes: &[Node], outputs: &[TensorId]) {
        let at_hand = self.at_hand(tensors, nodes);
        for (number, node) in nodes.iter().enumerate().rev() {
            let life = &self.moments[node.output];
            let (first, read) = (life.start, life.start < life.end);
            let asked_for = outputs.iter().any(|output| output.index == node.output);
            if read && !asked_for && runs_from(node, &at_hand) {
                self.again[number] = Some(first);
                node.inputs.iter().for_each(|input| include(&mut self.moments[input.index], first));
            }
        }
    }

    /// For each tensor, whether the way back has it at no more than the cost of cheap operations.
    fn at_hand(&self, tensors: &[TensorInfo], nodes: &[Node]) -> Vec<bool> {
        let kept = |(tensor, life): (&TensorInfo, &Range<usize>)| {
            tensor.source != Source::Operation || life.start < life.end
        };
        let mut at_hand: Vec<bool> = tensors.iter().zip(&self.moments).map(kept).collect();
        for node in nodes {
            at_hand[node.output] |= runs_from(node, &at_hand);
        }
        at_hand
    }
}

/// Whether a node is cheap and finds its inputs.
fn runs_from(node: &Node, at_hand: &[bool]) -> bool {
    node.op.description().is_cheap() && node.inputs.iter().all(|input| at_hand[input.index])
}

fn include(life: &mut Range<usize>, moment: usize) {
    *life = match life.start == life.end {
        true => moment..moment + 1,
        false => life.start.min(moment)..life.end.max(moment + 1),
    };
}

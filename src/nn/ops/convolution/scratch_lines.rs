//! Scratch memory taken piece by piece, each on cache lines of its own.

use crate::memory::aligned::LINE;

/// Takes the first `length` floats of `scratch`, rounded up to whole cache lines.
pub(super) fn take<'a>(scratch: &mut &'a mut [f32], length: usize) -> &'a mut [f32] {
    let (part, rest) = std::mem::take(scratch).split_at_mut(length.next_multiple_of(LINE));
    *scratch = rest;
    &mut part[..length]
}

/// Floats that [`take`] takes for all these lengths.
pub(super) fn sum_of_lines(lengths: &[usize]) -> usize {
    lengths.iter().map(|length| length.next_multiple_of(LINE)).sum()
}

//! Borrows several ranges of one array at once, each to read or to write, by splitting it.

use std::ops::Range;

/// Most ranges that are borrowed together: inputs, their gradients, output, saved and scratch.
pub(super) const PARTS_MAX: usize = 2 * crate::nn::operation::INPUTS_MAX + 4;

/// A range that was borrowed.
#[derive(Debug)]
pub(super) enum Part<'a, T> {
    Read(&'a [T]),
    Write(&'a mut [T]),
    Taken,
}

impl<'a, T> Part<'a, T> {
    /// The range, to read.
    pub(super) fn read(&self) -> &'a [T] {
        match self {
            Part::Read(values) => values,
            _ => unreachable!("a range borrowed to write is read"),
        }
    }

    /// The range, to write; once.
    pub(super) fn write(&mut self) -> &'a mut [T] {
        match std::mem::replace(self, Part::Taken) {
            Part::Write(values) => values,
            _ => unreachable!("a range borrowed to read is written"),
        }
    }
}

/// What is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    start: usize,
    end: usize,
    write: bool,
}

impl Request {
    pub(super) fn read(range: &Range<usize>) -> Request {
        Request { start: range.start, end: range.end, write: false }
    }

    pub(super) fn write(range: &Range<usize>) -> Request {
        Request { start: range.start, end: range.end, write: true }
    }
}

/// Borrows `requests` of `memory`, in their order. The same range may be read several times.
///
/// # Panics
/// When ranges overlap that are not the same and read.
pub(super) fn carve<'a, T>(memory: &'a mut [T], requests: &[Request]) -> [Part<'a, T>; PARTS_MAX] {
    let mut parts: [Part<'a, T>; PARTS_MAX] = std::array::from_fn(|_| Part::Read(&[]));
    let mut order: [usize; PARTS_MAX] = std::array::from_fn(|index| index);
    let order = &mut order[..requests.len()];
    order.sort_unstable_by_key(|&index| requests[index].start);
    let (mut rest, mut position) = (memory, 0);
    let mut last: Option<usize> = None;
    for &index in &*order {
        let request = requests[index];
        if request.start == request.end {
            if request.write {
                parts[index] = Part::Write(&mut []);
            }
            continue;
        }
        if let Some(last) = last.filter(|&last| requests[last] == request && !request.write) {
            parts[index] = Part::Read(parts[last].read());
            continue;
        }
        assert!(position <= request.start, "{request:?} overlaps what ends at {position}");
        let (_, from) = rest.split_at_mut(request.start - position);
        let (part, after) = from.split_at_mut(request.end - request.start);
        (rest, position) = (after, request.end);
        parts[index] = if request.write { Part::Write(part) } else { Part::Read(part) };
        last = Some(index);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_back_in_the_order_of_the_requests() {
        let mut memory: Vec<u32> = (0..10).collect();
        let requests = [
            Request::read(&(6..8)),
            Request::write(&(2..4)),
            Request::read(&(6..8)),
            Request::write(&(0..0)),
        ];
        let mut parts = carve(&mut memory, &requests);
        assert_eq!((parts[0].read(), parts[2].read()), (&[6, 7][..], &[6, 7][..]));
        assert_eq!(parts[1].write(), [2, 3]);
        assert!(parts[3].write().is_empty());
    }

    #[test]
    #[should_panic(expected = "overlaps")]
    fn overlapping_ranges_are_refused() {
        let mut memory = [0u32; 10];
        carve(&mut memory, &[Request::read(&(0..4)), Request::write(&(3..5))]);
    }
}

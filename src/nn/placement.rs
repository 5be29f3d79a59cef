//! Where the buffers of a network lie in one arena: those never alive together share memory.

use crate::ranking::rank;
use std::ops::Range;

/// Bytes of which every place is a multiple: what CUDA's allocations start at, and four cache lines.
pub const ALIGNMENT_BYTES: usize = 256;

/// Puts each buffer, of that many bytes, at the lowest place that no buffer alive at the same time
/// holds, the largest buffer first.
pub fn place(lengths: &[usize], lives: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    rank(&mut order, &|a, b| lengths[b].cmp(&lengths[a]));
    let mut places: Vec<Range<usize>> = vec![0..0; lengths.len()];
    let mut placed: Vec<usize> = Vec::new();
    for buffer in order {
        let meets = |other: &&usize| {
            lives[**other].start < lives[buffer].end && lives[buffer].start < lives[**other].end
        };
        let mut taken: Vec<usize> = placed.iter().filter(meets).copied().collect();
        rank(&mut taken, &|a, b| places[a].start.cmp(&places[b].start));
        let mut start = 0;
        for range in taken.iter().map(|&other| &places[other]) {
            if range.start >= start + lengths[buffer] {
                break;
            }
            start = start.max(range.end.next_multiple_of(ALIGNMENT_BYTES));
        }
        places[buffer] = start..start + lengths[buffer];
        placed.push(buffer);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_alive_together_never_overlap_and_memory_is_reused() {
        let lengths = [1600, 1024, 1024, 4800, 256, 1280];
        let lives = [0..1, 0..3, 1..2, 2..4, 3..5, 4..usize::MAX];
        let places = place(&lengths, &lives);
        for (one, first) in places.iter().enumerate() {
            assert_eq!((first.len(), first.start % ALIGNMENT_BYTES), (lengths[one], 0));
            for (other, second) in places.iter().enumerate().skip(one + 1) {
                let together =
                    lives[one].start < lives[other].end && lives[other].start < lives[one].end;
                let apart = first.end <= second.start || second.end <= first.start;
                assert!(!together || apart, "{one} {other}");
            }
        }
        let end = places.iter().map(|place| place.end).max().unwrap();
        assert!(end < lengths.iter().sum());
    }
}

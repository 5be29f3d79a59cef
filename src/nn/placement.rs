//! Where the buffers of a network lie in one arena: those never alive together share memory.

use crate::memory::aligned::LINE;
use crate::ranking::rank;
use std::ops::Range;

/// Puts each buffer at the lowest place that no buffer alive at the same time holds, the largest
/// buffer first.
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
            start = start.max(range.end.next_multiple_of(LINE));
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
        let lengths = [100, 64, 64, 300, 16, 80];
        let lives = [0..1, 0..3, 1..2, 2..4, 3..5, 4..usize::MAX];
        let places = place(&lengths, &lives);
        for (one, first) in places.iter().enumerate() {
            assert_eq!(first.len(), lengths[one]);
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

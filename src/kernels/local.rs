//! Memory of a thread for the task that it runs: packed blocks that stay in its caches.
//!
//! It grows to the largest task that the thread has run and is kept, so a repeated step allocates
//! nothing. It does not belong to an arena, because which thread runs a task is not known there.

use super::aligned::AlignedFloats;
use std::cell::Cell;

thread_local! {
    static BLOCK: Cell<Option<AlignedFloats>> = const { Cell::new(None) };
}

/// Runs `task` with `length` floats, whose contents are whatever the last task left.
pub fn with_local<R>(length: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
    let kept = BLOCK.take().filter(|block| block.as_slice().len() >= length);
    let mut block = kept.unwrap_or_else(|| AlignedFloats::zeros(length));
    let answer = task(&mut block.as_mut_slice()[..length]);
    BLOCK.set(Some(block));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_task_reuses_the_memory_and_a_nested_one_has_its_own() {
        let first = with_local(100, |block| {
            block.fill(1.0);
            with_local(50, |inner| inner.fill(2.0));
            assert!(block.iter().all(|value| *value == 1.0));
            block.as_ptr() as usize
        });
        assert_eq!(with_local(10, |block| (block.as_ptr() as usize, block.len())), (first, 10));
    }
}

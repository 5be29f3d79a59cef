//! Memory of a task for as long as it runs: packed blocks that stay in the caches of a core.
//!
//! Each thread of a pool has a block of its own, which grows to the largest task that the thread has
//! run and is kept, so that a repeated step allocates nothing. The blocks belong to the workers: not to
//! an arena, because which thread runs a task is not known there, and not to the threads, whose memory
//! nobody could count and which end when the host wants them to. So each handle has blocks of its own,
//! until it is freed.
//!
//! No task waits for another's block, nor a forked child for one that a thread of its parent holds: a
//! block that is taken is passed by.

use crate::memory::aligned::AlignedFloats;
use std::sync::{Mutex, MutexGuard, TryLockError};

/// Blocks beside one for each worker: for callers that use a handle at once, and for tasks in tasks.
const MORE: usize = 16;

/// The blocks of some workers.
#[derive(Debug)]
pub(super) struct Scratch {
    blocks: Box<[Mutex<AlignedFloats>]>,
}

impl Scratch {
    /// Blocks, still empty, of `workers_count` workers.
    pub(super) fn new(workers_count: usize) -> Scratch {
        Scratch { blocks: (0..workers_count + MORE).map(|_| Mutex::default()).collect() }
    }

    /// Runs `task` with `length` floats, whose contents are whatever another task left.
    pub(super) fn with<R>(&self, length: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
        let run = |block: &mut AlignedFloats| {
            block.grow(length);
            task(&mut block.as_mut_slice()[..length])
        };
        // Threads of a host have no number.
        let own = rayon::current_thread_index().unwrap_or(0) % self.blocks.len();
        let (before, after) = self.blocks.split_at(own);
        match after.iter().chain(before).find_map(taken) {
            Some(mut block) => run(&mut block),
            None => run(&mut AlignedFloats::default()),
        }
    }

    /// Bytes of the blocks that no task has at the moment.
    pub(super) fn memory_bytes(&self) -> usize {
        self.blocks.iter().filter_map(taken).map(|block| block.memory_bytes()).sum()
    }
}

/// A block, where nobody has it.
fn taken(block: &Mutex<AlignedFloats>) -> Option<MutexGuard<'_, AlignedFloats>> {
    match block.try_lock() {
        Ok(block) => Some(block),
        // What a task that panicked has left there is as good as anything.
        Err(TryLockError::Poisoned(block)) => Some(block.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn threads_without_a_number_keep_blocks_of_their_own() {
        const THREADS: usize = 4;
        let scratch = Scratch::new(THREADS);
        let all_inside = Barrier::new(THREADS);
        let kept = || {
            std::thread::scope(|scope| {
                for number in 0..THREADS {
                    let (scratch, all_inside) = (&scratch, &all_inside);
                    scope.spawn(move || {
                        scratch.with(100, |block| {
                            block.fill(number as f32);
                            all_inside.wait();
                            assert!(block.iter().all(|value| *value == number as f32));
                        });
                    });
                }
            });
            scratch.memory_bytes()
        };
        let first = kept();
        assert!(first >= THREADS * 100 * size_of::<f32>());
        assert_eq!(kept(), first);
    }

    #[test]
    fn more_tasks_in_tasks_than_blocks_have_memory_of_their_own() {
        fn nested(scratch: &Scratch, depth: usize) {
            scratch.with(10, |block| {
                block.fill(depth as f32);
                if depth > 0 {
                    nested(scratch, depth - 1);
                }
                assert!(block.iter().all(|value| *value == depth as f32));
            });
        }
        nested(&Scratch::new(1), MORE + 3);
    }

    #[test]
    fn a_block_that_is_held_elsewhere_is_passed_by() {
        let scratch = Scratch::new(1);
        // As in a forked child, where the thread that holds them is not.
        let held: Vec<_> = scratch.blocks.iter().map(|block| block.try_lock().unwrap()).collect();
        assert_eq!(scratch.with(10, |block| block.len()), 10);
        assert_eq!((scratch.memory_bytes(), held.len()), (0, 1 + MORE));
    }
}

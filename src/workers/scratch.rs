//! Memory of a task for as long as it runs: packed blocks that stay in the caches of a core.
//!
//! Each thread of a pool has a block of its own, which grows to the largest task that the thread has
//! run and is kept, so that a repeated step allocates nothing. The blocks belong to the workers: not to
//! an arena, because which thread runs a task is not known there, and not to the threads, whose memory
//! nobody could count and which end when the host wants them to.

use super::lent::Pool;
use crate::memory::aligned::AlignedFloats;
use std::sync::{Mutex, TryLockError};

/// The blocks of some workers.
#[derive(Debug)]
pub(super) struct Scratch {
    own: Box<[Mutex<AlignedFloats>]>,
    /// Of threads that share a number: those of a host, and several callers at once.
    others: Pool<AlignedFloats>,
}

impl Scratch {
    /// Blocks, still empty, of `count` threads.
    pub(super) fn new(count: usize) -> Scratch {
        let own = (0..count).map(|_| Mutex::default()).collect();
        Scratch { own, others: Pool::default() }
    }

    /// Runs `task` with `length` floats, whose contents are whatever another task left.
    pub(super) fn with<R>(&self, length: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
        let run = |block: &mut AlignedFloats| {
            block.grow(length);
            task(&mut block.as_mut_slice()[..length])
        };
        let number = rayon::current_thread_index().unwrap_or(0) % self.own.len();
        match self.own[number].try_lock() {
            Ok(mut block) => run(&mut block),
            Err(TryLockError::Poisoned(block)) => run(&mut block.into_inner()),
            // Also in a forked child, where the thread that holds it is not.
            Err(TryLockError::WouldBlock) => self.others.with(run),
        }
    }

    /// Bytes of the blocks that no task has at the moment.
    pub(super) fn memory_bytes(&self) -> usize {
        let own = self.own.iter().map(|block| match block.try_lock() {
            Ok(block) => block.memory_bytes(),
            Err(TryLockError::Poisoned(block)) => block.into_inner().memory_bytes(),
            Err(TryLockError::WouldBlock) => 0,
        });
        own.sum::<usize>() + self.others.memory_bytes(AlignedFloats::memory_bytes)
    }
}

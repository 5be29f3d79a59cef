//! Scratch memory for tasks: one block for each task that runs at once, kept between forwards.

use super::aligned::AlignedFloats;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// Blocks of equal length. Tasks borrow a free one; nothing is allocated after construction.
#[derive(Debug)]
pub struct Scratch {
    blocks: Vec<Mutex<AlignedFloats>>,
}

impl Scratch {
    /// `count` blocks (at least one) of `length` floats.
    pub fn new(count: usize, length: usize) -> Scratch {
        let blocks = (0..count.max(1)).map(|_| Mutex::new(AlignedFloats::zeros(length))).collect();
        Scratch { blocks }
    }

    /// Number of blocks: tasks that can run at once without waiting.
    pub fn count(&self) -> usize {
        self.blocks.len()
    }

    /// Floats of each block.
    pub fn length(&self) -> usize {
        lock(&self.blocks[0]).as_slice().len()
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        let bytes = |block: &Mutex<AlignedFloats>| lock(block).memory_bytes();
        self.blocks.iter().map(bytes).sum()
    }

    /// Runs `task` with a block, whose contents are whatever the last task left.
    pub fn borrow<T>(&self, task: impl FnOnce(&mut [f32]) -> T) -> T {
        let free = self.blocks.iter().find_map(|block| match block.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        // A host that runs more tasks than it announced waits here.
        let mut block = free.unwrap_or_else(|| lock(&self.blocks[0]));
        task(block.as_mut_slice())
    }
}

/// A block left by a task that panicked is as good as any: nobody reads what it finds there.
fn lock(block: &Mutex<AlignedFloats>) -> MutexGuard<'_, AlignedFloats> {
    block.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_borrows_get_different_blocks() {
        let scratch = Scratch::new(2, 3);
        scratch.borrow(|first| {
            first.fill(1.0);
            scratch.borrow(|second| second.fill(2.0));
            assert_eq!(first, [1.0; 3]);
        });
        assert_eq!((scratch.count(), scratch.length()), (2, 3));
        assert!(scratch.memory_bytes() >= 24);
    }
}

//! The order in which a stage looks at the images: every epoch its own permutation.
//!
//! Positions count through the whole stage: position p is in epoch p / n, for a set of n images.
//! Batches follow one another without a gap, so one may span two epochs. Nothing is dropped at the
//! end of an epoch, every image is seen exactly once in each, and a set smaller than a batch needs
//! no rule of its own.

use crate::random::{Purpose, Random, StreamKey};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a position of the stage lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub epoch: u64,
    /// Position within the epoch.
    pub rank: usize,
}

/// The permutations of a stage, made when they are needed.
#[derive(Debug)]
pub struct Order {
    seed: u64,
    stage: u16,
    images_count: usize,
    /// The last epochs that were asked for; a batch touches two, and threads run ahead by a few
    /// batches.
    cache: Mutex<Vec<(u64, Arc<Vec<u32>>)>>,
}

const CACHED_EPOCHS: usize = 3;

impl Order {
    /// The order of a set of `images_count` images, at least 1.
    pub fn new(seed: u64, stage: u16, images_count: usize) -> Order {
        Order { seed, stage, images_count, cache: Mutex::default() }
    }

    /// Epoch and rank of a position of the stage.
    pub fn place(&self, position: u64) -> Place {
        let count = self.images_count as u64;
        Place { epoch: position / count, rank: (position % count) as usize }
    }

    /// The permutation of `epoch`: rank to index of the image in the set.
    pub fn epoch(&self, epoch: u64) -> Arc<Vec<u32>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, order)) = cache.iter().find(|(cached, _)| *cached == epoch) {
            return order.clone();
        }
        let order = Arc::new(shuffled(self.images_count, self.key(epoch)));
        if cache.len() == CACHED_EPOCHS {
            cache.remove(0);
        }
        cache.push((epoch, order.clone()));
        order
    }

    fn key(&self, epoch: u64) -> StreamKey {
        StreamKey {
            stage: self.stage,
            epoch: epoch_key(epoch),
            ..StreamKey::new(self.seed, Purpose::Order)
        }
    }
}

/// The epoch as a key of random streams. Keys have 16 bits for it; after 65,536 epochs the same
/// draws come again.
pub fn epoch_key(epoch: u64) -> u16 {
    (epoch & 0xFFFF) as u16
}

/// Fisher and Yates, from the end.
pub(super) fn shuffled(count: usize, key: StreamKey) -> Vec<u32> {
    let mut random = Random::new(key);
    let mut order: Vec<u32> = (0..count as u32).collect();
    for last in (1..count).rev() {
        order.swap(last, random.below(last as u64 + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_is_another_permutation_and_comes_again() {
        let order = Order::new(3, 1, 50);
        let first = order.epoch(0);
        let mut sorted = first.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        for epoch in 1..6 {
            assert_ne!(order.epoch(epoch), first);
        }
        assert_eq!(order.epoch(0), first);
        assert_ne!(Order::new(3, 2, 50).epoch(0), first);
        assert_eq!(order.place(149), Place { epoch: 2, rank: 49 });
    }
}

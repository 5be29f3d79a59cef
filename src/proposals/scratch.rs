//! The memory of one extraction, kept from image to image: it grows to the largest image seen
//! and then nothing is allocated (the frame loops of game and robotics engines ask for that).

use super::collector::Collector;
use super::features::Standardisation;
use super::filters::cap::Cap;
use super::map_clustering::MapClusterer;
use super::merges::overlap::BoxClusters;
use super::numeric::bytes_of;
use super::pooling::PoolingScratch;

/// One for each thread that extracts. Starts empty.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) first: Standardisation,
    pub(super) clusterer: MapClusterer,
    pub(super) counts: Vec<usize>,
    pub(super) collector: Collector,
    pub(super) pooling: PoolingScratch,
    pub(super) boxes: BoxClusters,
    pub(super) cap: Cap,
    pub(super) order: Vec<usize>,
}

impl Scratch {
    /// Bytes held now.
    pub fn memory_bytes(&self) -> usize {
        self.first.memory_bytes()
            + self.clusterer.memory_bytes()
            + bytes_of(&self.counts)
            + self.collector.memory_bytes()
            + self.pooling.memory_bytes()
            + self.boxes.memory_bytes()
            + self.cap.memory_bytes()
            + bytes_of(&self.order)
    }
}

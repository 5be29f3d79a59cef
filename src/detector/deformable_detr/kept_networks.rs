//! Networks that are laid out, for the batch shapes that were used last.
//!
//! A network is an immutable description of a megabyte or so; its values lie in one arena that all
//! of them share. One that had to go is laid out again as it was, so that how many are kept changes
//! no result.

use super::network::{BatchShape, DetectorNetwork};
use crate::Result;

/// Networks of different shapes, up to a number of them.
#[derive(Debug)]
pub struct KeptNetworks {
    /// The one that was used last is the last.
    networks: Vec<DetectorNetwork>,
    networks_max: usize,
}

impl KeptNetworks {
    /// None yet; `networks_max` of them, at least 1, will be kept.
    pub fn new(networks_max: usize) -> KeptNetworks {
        KeptNetworks { networks: Vec::new(), networks_max: networks_max.max(1) }
    }

    /// The network of `shape`: the one that is kept, or what `make` lays out, for which the one that
    /// was not used for longest goes.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn of(
        &mut self,
        shape: BatchShape,
        make: impl FnOnce() -> Result<DetectorNetwork>,
    ) -> Result<&DetectorNetwork> {
        let networks = &mut self.networks;
        let network = match networks.iter().position(|network| network.shape() == shape) {
            Some(place) => networks.remove(place),
            None => {
                // Before the new one is made, so that there is never one more.
                let surplus = (networks.len() + 1).saturating_sub(self.networks_max);
                networks.drain(..surplus);
                make()?
            }
        };
        let last = networks.len();
        networks.push(network);
        Ok(&networks[last])
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.networks.len()
    }

    /// Bytes of all of them.
    pub fn memory_bytes(&self) -> usize {
        self.networks.iter().map(DetectorNetwork::memory_bytes).sum()
    }
}

//! A detector that predicts: parameters, and networks for the sizes of image it has met.

use super::config::DetectorConfig;
use super::kept_networks::KeptNetworks;
use super::network::{BatchShape, DetectorNetwork};
use crate::Result;
use crate::data::image::normalise::to_tensor;
use crate::data::image::{Image, Normalisation, ResizeRule, resize};
use crate::detector::prediction::{Detection, Reading, best};
use crate::nn::network::{Memory, Purpose};
use crate::nn::operation::StepKey;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;

/// Sizes of image whose networks a detector keeps for later images.
const NETWORKS_KEPT: usize = 16;

/// Memory of predictions: what changes while parameters stay.
#[derive(Debug)]
pub struct PredictorMemory {
    networks: KeptNetworks,
    memory: Memory<f32>,
}

impl Default for PredictorMemory {
    fn default() -> PredictorMemory {
        PredictorMemory::keeping(NETWORKS_KEPT)
    }
}

impl PredictorMemory {
    /// Memory that keeps networks for `networks_max` sizes of image.
    pub fn keeping(networks_max: usize) -> PredictorMemory {
        PredictorMemory { networks: KeptNetworks::new(networks_max), memory: Memory::default() }
    }

    /// Bytes of the arena, which is as large as the largest image needed, and of the networks.
    pub fn memory_bytes(&self) -> usize {
        self.memory.memory_bytes() + self.networks.memory_bytes()
    }
}

/// Reads detections off images with given parameters.
#[derive(Debug, Clone, Copy)]
pub struct Predictor<'a> {
    pub config: &'a DetectorConfig,
    pub table: &'a ParameterTable,
    pub parameters: &'a [f32],
    /// The size that the detector sees.
    pub resize: &'a ResizeRule,
    /// That of the backbone.
    pub normalisation: &'a Normalisation,
}

impl Predictor<'_> {
    /// The `count` best detections of one upright image, in its pixels, best first.
    ///
    /// # Errors
    /// Those of [`DetectorNetwork::new`] and of resizing; [`crate::Error::OutOfMemory`].
    pub fn predict(
        &self,
        image: &Image,
        count: usize,
        reading: Reading,
        kept: &mut PredictorMemory,
        workers: &Workers,
    ) -> Result<Vec<Detection>> {
        let (width, height) = self.resize.target(image.width, image.height);
        let resized = resize(image, width, height)?;
        let shape = BatchShape { images: 1, height: height as usize, width: width as usize };
        let PredictorMemory { networks, memory } = kept;
        let network = networks.of(shape, || {
            let (table, purpose) = (self.table, Purpose::Prediction);
            DetectorNetwork::new(self.config, table, shape, purpose, workers.count())
        })?;
        memory.fit(network.network())?;
        to_tensor(&resized, self.normalisation, network.images_mut(memory))?;
        network.set_sizes(memory, &[[height, width]]);
        let step = StepKey { seed: 0, stage: 0, step: 0, part: 0, training: false };
        network.network().forward(memory, self.parameters, &step, workers);
        let last = self.config.decoder_layers_count - 1;
        let (logits, boxes) = (network.logits(memory, last), network.boxes(memory, last));
        let sides = (image.width as f32, image.height as f32);
        Ok(best(logits, boxes, sides, count, reading))
    }
}

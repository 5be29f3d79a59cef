//! A detector that predicts: parameters, and a network for each size of image it has met.

use super::config::DetectorConfig;
use super::network::{BatchShape, DetectorNetwork};
use crate::Result;
use crate::data::image::normalise::to_tensor;
use crate::data::image::{Image, Normalisation, ResizeRule, resize};
use crate::detector::prediction::{Detection, Reading, best};
use crate::nn::network::{Memory, Purpose};
use crate::nn::operation::StepKey;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;

/// Networks kept for later images.
const NETWORKS_KEPT: usize = 16;

/// Memory of predictions: what changes while parameters stay.
#[derive(Debug, Default)]
pub struct PredictorMemory {
    networks: Vec<DetectorNetwork>,
    memory: Memory<f32>,
}

impl PredictorMemory {
    /// Bytes of the arena.
    pub fn memory_bytes(&self) -> usize {
        self.memory.memory_bytes()
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
    /// Those of [`DetectorNetwork::new`] and of resizing.
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
        let network = self.network(shape, kept, workers)?;
        let memory = &mut kept.memory;
        to_tensor(&resized, self.normalisation, network.images_mut(memory))?;
        network.set_sizes(memory, &[[height, width]]);
        let step = StepKey { seed: 0, stage: 0, step: 0, part: 0, training: false };
        network.network().forward(memory, self.parameters, &step, workers);
        let last = self.config.decoder_layers_count - 1;
        let (logits, boxes) = (network.logits(memory, last), network.boxes(memory, last));
        let sides = (image.width as f32, image.height as f32);
        let found = best(logits, boxes, sides, count, reading);
        kept.networks.push(network);
        Ok(found)
    }

    /// A kept network of this shape, taken out of the list, or a new one.
    fn network(
        &self,
        shape: BatchShape,
        kept: &mut PredictorMemory,
        workers: &Workers,
    ) -> Result<DetectorNetwork> {
        let networks = &mut kept.networks;
        if let Some(place) = networks.iter().position(|network| network.shape() == shape) {
            return Ok(networks.remove(place));
        }
        if networks.len() >= NETWORKS_KEPT {
            networks.remove(0);
        }
        let count = workers.count();
        DetectorNetwork::new(self.config, self.table, shape, Purpose::Prediction, count)
    }
}

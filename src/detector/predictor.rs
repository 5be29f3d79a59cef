//! A detector that predicts: parameters, and networks for the sizes of image it has met.
//!
//! Small images of one size that follow each other are one forward. Weights are packed once and lie
//! with the parameters; a network of each size keeps what depends on its size alone. Once sizes
//! repeat, nothing is allocated.

use super::config::DetectorConfig;
use super::network::{BatchShape, DetectorNetwork};
use crate::Result;
use crate::control::Control;
use crate::data::image::normalise::to_tensor;
use crate::data::image::{Image, Normalisation, ResizeRule, Sampler, Window};
use crate::detector::prediction::{Candidates, Detections, Wanted};
use crate::nn::kept::Kept;
use crate::nn::network::{Constants, Memory, Purpose};
use crate::nn::parameter_values::ParameterValues;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;
use std::ops::Range;

/// Networks that a detector keeps for later images: one for each size and power of two of images that
/// follow each other.
const NETWORKS_KEPT: usize = 16;
/// Most pixels of one forward, if it is of several images. More leave the caches: a batch of 4
/// images of 160x224 pixels takes 0.94 of the time of four forwards with the preset `tiny`, one of
/// 480x640 pixels 1.12, and 8 images of 480x608 pixels 1.07 with `deformable-detr-r50` (one
/// thread).
const PIXELS_TOGETHER_MAX: u64 = 1 << 18;

/// Memory of predictions: what changes while parameters stay.
#[derive(Debug)]
pub struct PredictorMemory {
    networks: Kept<BatchShape, SizedNetwork>,
    /// Of the parameters whose constants the networks have.
    edition: Option<u64>,
    memory: Memory<f32>,
    /// The image that is read next.
    frame: Image,
    /// Images that wait for their forward, as the detector sees them.
    waiting: Vec<Waiting>,
    waiting_count: usize,
    sampler: Sampler,
    candidates: Candidates,
}

/// A network and what it computes once.
#[derive(Debug)]
struct SizedNetwork {
    network: DetectorNetwork,
    constants: Constants<f32>,
}

/// An image before its forward.
#[derive(Debug, Default)]
struct Waiting {
    /// Of the size that the detector sees.
    image: Image,
    /// Width and height of the original.
    sides: (f32, f32),
}

impl Default for PredictorMemory {
    fn default() -> PredictorMemory {
        PredictorMemory::keeping(NETWORKS_KEPT)
    }
}

impl PredictorMemory {
    /// Memory that keeps networks for `networks_max` sizes of image.
    pub fn keeping(networks_max: usize) -> PredictorMemory {
        PredictorMemory {
            networks: Kept::new(networks_max),
            edition: None,
            memory: Memory::default(),
            frame: Image::default(),
            waiting: Vec::new(),
            waiting_count: 0,
            sampler: Sampler::default(),
            candidates: Candidates::default(),
        }
    }

    /// Forgets the networks and their constants: for parameters that are about to change.
    pub fn forget(&mut self) {
        self.networks.clear();
        self.edition = None;
    }

    /// Bytes of the arena, which is as large as the largest images needed, of the networks with
    /// their constants, and of the images on their way.
    pub fn memory_bytes(&self) -> usize {
        let network =
            |one: &SizedNetwork| one.network.memory_bytes() + one.constants.memory_bytes();
        let networks: usize = self.networks.values().map(network).sum();
        let waiting: usize = self.waiting.iter().map(|one| one.image.pixels.capacity()).sum();
        self.memory.memory_bytes() + networks + self.frame.pixels.capacity() + waiting
    }
}

/// Reads detections off images with given parameters.
#[derive(Debug, Clone, Copy)]
pub struct Predictor<'a> {
    pub config: &'a DetectorConfig,
    pub table: &'a ParameterTable,
    pub parameters: &'a ParameterValues<f32>,
    /// The size that the detector sees.
    pub resize: &'a ResizeRule,
    /// That of the backbone.
    pub normalisation: &'a Normalisation,
}

impl Predictor<'_> {
    /// The `wanted` detections of `count` upright images, each in its own pixels, best first, in
    /// place of what `found` held. `read(index, image)` writes an image into memory that is used
    /// again, in the order of the indices. An image's answer does not depend on those beside it.
    /// `control` is looked at before every image and every layer and told of images that are done.
    ///
    /// # Errors
    /// Those of `read`, [`DetectorNetwork::new`] and resizing; [`crate::Error::OutOfMemory`];
    /// [`crate::Error::Cancelled`]. `found` then holds some of the images.
    pub fn predict(
        &self,
        (count, mut read): (usize, impl FnMut(usize, &mut Image) -> Result<()>),
        wanted: &Wanted,
        kept: &mut PredictorMemory,
        runners: (&Workers, &Control<'_>),
        found: &mut Detections,
    ) -> Result<()> {
        found.clear();
        kept.waiting_count = 0;
        if kept.edition != Some(self.parameters.edition()) {
            // What was packed from other parameters is not wanted any more.
            kept.networks.clear();
            kept.edition = Some(self.parameters.edition());
        }
        for index in 0..count {
            runners.1.check()?;
            read(index, &mut kept.frame)?;
            let size = self.resize.target(kept.frame.width, kept.frame.height);
            let first = kept.waiting.first().map(|one| (one.image.width, one.image.height));
            let pixels = u64::from(size.0) * u64::from(size.1) * (kept.waiting_count as u64 + 1);
            let joins = pixels <= PIXELS_TOGETHER_MAX && first == Some(size);
            if kept.waiting_count > 0 && !joins {
                self.forward(wanted, kept, runners, found)?;
                runners.1.report("predict", found.images_count() as u64, count as u64)?;
            }
            kept.queue(size)?;
        }
        if kept.waiting_count > 0 {
            self.forward(wanted, kept, runners, found)?;
            runners.1.report("predict", found.images_count() as u64, count as u64)?;
        }
        Ok(())
    }

    /// One forward of the images that wait.
    fn forward(
        &self,
        wanted: &Wanted,
        kept: &mut PredictorMemory,
        runners: (&Workers, &Control<'_>),
        found: &mut Detections,
    ) -> Result<()> {
        let mut rest = 0..std::mem::take(&mut kept.waiting_count);
        while !rest.is_empty() {
            // By powers of two: a few networks for each size serve every number of images.
            let together = 1 << rest.len().ilog2();
            self.forward_of(rest.start..rest.start + together, wanted, kept, runners, found)?;
            rest.start += together;
        }
        Ok(())
    }

    fn forward_of(
        &self,
        range: Range<usize>,
        wanted: &Wanted,
        kept: &mut PredictorMemory,
        runners: (&Workers, &Control<'_>),
        found: &mut Detections,
    ) -> Result<()> {
        let PredictorMemory { networks, memory, waiting, candidates, .. } = kept;
        let waiting = &waiting[range];
        let [height, width] = [waiting[0].image.height, waiting[0].image.width];
        let (images, workers) = (waiting.len(), runners.0);
        let shape = BatchShape { images, height: height as usize, width: width as usize };
        let make = || self.lay_out(shape, workers);
        let sized = networks.of(shape, make)?;
        let network = &sized.network;
        memory.fit(network.network())?;
        let tensor = network.images_mut(memory);
        for (one, to) in waiting.iter().zip(tensor.chunks_exact_mut(shape.height * shape.width * 3))
        {
            to_tensor(&one.image, self.normalisation, to)?;
        }
        network.network().predict(memory, self.parameters, &sized.constants, runners)?;
        let (logits, boxes) = (network.logits(memory, 0), network.boxes(memory, 0));
        let images = logits.chunks_exact(logits.len() / images);
        let boxes = boxes.chunks_exact(boxes.len() / waiting.len());
        for (one, (logits, boxes)) in waiting.iter().zip(images.zip(boxes)) {
            found.add(candidates, (logits, boxes), one.sides, wanted);
        }
        Ok(())
    }

    fn lay_out(&self, shape: BatchShape, workers: &Workers) -> Result<SizedNetwork> {
        let purpose = Purpose::Prediction;
        let network =
            DetectorNetwork::new(self.config, self.table, shape, purpose, workers.count())?;
        let constants = network.constants(self.parameters, None, workers)?;
        Ok(SizedNetwork { network, constants })
    }
}

impl PredictorMemory {
    /// Puts the frame at the end of the images that wait, with `width` by `height` pixels.
    fn queue(&mut self, (width, height): (u32, u32)) -> Result<()> {
        if self.waiting_count == self.waiting.len() {
            self.waiting.push(Waiting::default());
        }
        let to = &mut self.waiting[self.waiting_count];
        to.sides = (self.frame.width as f32, self.frame.height as f32);
        if (width, height) == (self.frame.width, self.frame.height) {
            std::mem::swap(&mut to.image, &mut self.frame);
        } else {
            let window = Window::whole(&self.frame);
            self.sampler.draw(&self.frame, window, (width, height), &mut to.image)?;
        }
        self.waiting_count += 1;
        Ok(())
    }
}

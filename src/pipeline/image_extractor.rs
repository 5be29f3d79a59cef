//! One image to its proposals: resize, encode, then local clustering or Selective Search.
//!
//! The single place where images meet proposals: the C ABI's extractor and the extraction of
//! folders both call it. Patent ¶32-34, ¶53; Table 8 for Selective Search.

use crate::control::Control;
use crate::data::image::{Image, ResizeRule};
use crate::data::proposal_set::ProposalSet;
use crate::encoder::Encoder;
use crate::pipeline::config::{Method, RunConfig};
use crate::pipeline::encoded_image::{EncodedImage, EncodingMemory, rule_for};
use crate::proposals::selective_search;
use crate::proposals::{ExtractCounts, Extractor, ImageMaps, Scratch};
use crate::workers::Workers;
use crate::{Error, Result};
use std::sync::Arc;

/// The memory of one extraction, kept from image to image: it grows to the largest image seen and then
/// nothing is allocated, as far as the encoder allocates nothing.
#[derive(Debug, Default)]
pub struct ImageMemory {
    encoding: EncodingMemory,
    encoded: EncodedImage,
    /// Of local clustering.
    pub scratch: Scratch,
}

impl ImageMemory {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.encoding.memory_bytes() + self.encoded.memory_bytes() + self.scratch.memory_bytes()
    }
}

/// Finds the proposals of images with one encoder and one configuration. Shared by threads; what
/// changes during a call lives in the [`ImageMemory`] that the caller brings.
pub struct ImageExtractor {
    encoder: Arc<dyn Encoder>,
    extractor: Extractor,
    resize: ResizeRule,
    config: RunConfig,
}

impl ImageExtractor {
    /// # Errors
    /// [`Error::InvalidArgument`] with the key that is out of range.
    pub fn new(encoder: Arc<dyn Encoder>, config: &RunConfig) -> Result<ImageExtractor> {
        config.validate()?;
        let resize = rule_for(&*encoder, &config.resize)?;
        let extractor = Extractor::new(config.proposals.clone())?;
        Ok(ImageExtractor { encoder, extractor, resize, config: config.clone() })
    }

    /// The encoder.
    pub fn encoder(&self) -> &Arc<dyn Encoder> {
        &self.encoder
    }

    /// The configuration that the extractor was made with.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Length of the proposals' vectors: the channels of the encoder's first map.
    pub fn dimensions(&self) -> usize {
        self.encoder.maps()[0].channels
    }

    /// Who shares several images among themselves, and who works inside each of them. Images go one
    /// to a worker, but for an encoder that needs the caller's thread: there they follow each other
    /// on it, and the workers share each. Results are the same.
    pub fn share(&self, workers: &Workers) -> (Workers, Workers) {
        match self.encoder.needs_caller_thread() {
            true => (workers.alone(), workers.clone()),
            false => (workers.clone(), workers.alone()),
        }
    }

    /// Finds the proposals of one upright image into `proposals`, whose memory is used again.
    /// Boxes are in pixels of `image`. `control` is looked at before the encoder and on the way to the
    /// proposals; it reports nothing.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; those of the encoder; [`Error::Internal`] if it answers for another number of images.
    pub fn extract(
        &self,
        image: &Image,
        image_id: u32,
        (workers, control): (&Workers, &Control<'_>),
        memory: &mut ImageMemory,
        proposals: &mut ProposalSet,
    ) -> Result<ExtractCounts> {
        control.check()?;
        let ImageMemory { encoding, encoded, scratch } = memory;
        let encoder = (&*self.encoder, &self.resize);
        encoded.fill(encoder, image, (workers, control), encoding)?;
        let levels = encoded.levels(self.encoder.maps());
        let maps = ImageMaps { maps: &levels, geometry: encoded.geometry, image_id };
        match self.config.method {
            Method::Spectral => self.extract_maps(&maps, (workers, control), scratch, proposals),
            Method::SelectiveSearch => {
                let run = (&self.config.selective_search, control);
                selective_search::extract(image, &maps, self.config.seed, run, proposals)
            }
        }
    }

    /// The same from feature maps that the caller has, deepest first; only local clustering can
    /// start there. Makes no allocation once `scratch` and `proposals` are warm and `workers` is
    /// the caller's thread.
    ///
    /// # Errors
    /// Those of [`Extractor::extract`]; [`Error::InvalidArgument`] with Selective Search, which
    /// needs the image.
    pub fn extract_maps(
        &self,
        maps: &ImageMaps<'_>,
        (workers, control): (&Workers, &Control<'_>),
        scratch: &mut Scratch,
        proposals: &mut ProposalSet,
    ) -> Result<ExtractCounts> {
        if self.config.method != Method::Spectral {
            return Err(Error::invalid("method", "selective-search needs an image, not maps"));
        }
        let (extractor, seed) = (&self.extractor, self.config.seed);
        workers.within(|| extractor.extract(maps, seed, (workers, control), scratch, proposals))
    }
}

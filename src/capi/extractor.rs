//! `simdetr_extractor_t`: images or feature maps to proposals.
//!
//! This file makes the handle and lends its memory. Feature maps go in through `extractor_maps`,
//! images through `extractor_images`.

use super::declare::{handle, memory_bytes};
use super::encoder::simdetr_encoder_t;
use super::error::simdetr_error_t;
use super::extractor_options::simdetr_extractor_options_t;
use super::guard::{Poison, guard, into_handle};
use super::host_maps::SIMDETR_MAPS_MAX;
use super::options::copy_options;
use super::pointers::{borrow, optional, output};
use super::status::simdetr_status_t;
use super::workers::workers;
use crate::data::image::Image;
use crate::data::proposal_set::ProposalSet;
use crate::pipeline::config::Method;
use crate::pipeline::image_extractor::{ImageExtractor, ImageMemory};
use crate::proposals::Extractor;
use crate::workers::Workers;
use crate::workers::lent::Pool;
use crate::{Error, Result};

/// Finds proposals. Never changes; any number of threads may use one, each with its own
/// `simdetr_proposals_t`.
pub struct simdetr_extractor_t {
    pub(super) extractor: Extractor,
    images: Option<ImageExtractor>,
    pub(super) method: Method,
    pub(super) seed: u64,
    pub(super) workers: Workers,
    memory: Pool<Memory>,
    poison: Poison,
}

/// What one call needs and the next one uses again.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) images: ImageMemory,
    /// The image of the host.
    pub(super) frame: Image,
    pub(super) proposals: ProposalSet,
    pub(super) dense_maps: [Vec<f32>; SIMDETR_MAPS_MAX],
}

impl simdetr_extractor_t {
    pub(super) fn images(&self) -> Result<&ImageExtractor> {
        self.images.as_ref().ok_or_else(|| {
            Error::invalid("extractor", "was made without an encoder, so it takes only maps")
        })
    }

    /// Lets `work` use memory that no other call uses; what it leaves in `Memory::proposals` goes
    /// to `target`, if it succeeds.
    pub(super) fn with_memory(
        &self,
        target: &mut ProposalSet,
        work: impl FnOnce(&mut Memory) -> Result<()>,
    ) -> Result<()> {
        self.memory.with(|memory| {
            work(memory)?;
            std::mem::swap(target, &mut memory.proposals);
            Ok(())
        })
    }
}

/// Makes an extractor.
///
/// @param[in] encoder Where feature maps come from; may be destroyed afterwards. NULL makes an
/// extractor that takes only feature maps of the host.
/// @param[in] options NULL is all defaults.
/// @param[out] out The extractor, to be given to `simdetr_extractor_destroy`.
/// @return `SIMDETR_ERROR_CONFIG_VALUE` or `SIMDETR_ERROR_INVALID_ARGUMENT` with the field.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_create(
    encoder: *const simdetr_encoder_t,
    options: *const simdetr_extractor_options_t,
    out: *mut *mut simdetr_extractor_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, given) = (output(out, "out")?, copy_options(options)?);
        let encoder = optional(encoder, |encoder| borrow(encoder, "encoder"))?;
        let config = given.config()?;
        let images =
            encoder.map(|given| ImageExtractor::new(given.encoder.clone(), &config)).transpose()?;
        out.set(into_handle(simdetr_extractor_t {
            images,
            method: config.method,
            seed: config.seed,
            extractor: Extractor::new(config.proposals)?,
            workers: workers(given.threads, given.parallel_for, given.parallel_for_user_data)?,
            memory: Pool::default(),
            poison: Poison::default(),
        }));
        Ok(())
    })
}

handle!(simdetr_extractor_t, extractor, simdetr_extractor_destroy, "Destroys an extractor.");

memory_bytes!(
    simdetr_extractor_t,
    extractor,
    simdetr_extractor_memory_bytes,
    "Says how many bytes an extractor holds between calls.",
    "Memory that is kept for the next calls."
);

impl simdetr_extractor_t {
    fn memory_bytes(&self) -> usize {
        let kept = self.memory.memory_bytes(|memory| {
            let maps = memory.dense_maps.iter().map(|map| map.capacity() * 4).sum::<usize>();
            let frame = memory.frame.pixels.capacity();
            memory.images.memory_bytes() + memory.proposals.memory_bytes() + maps + frame
        });
        self.workers.memory_bytes() + kept
    }
}

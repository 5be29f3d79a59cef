//! One encoded image on its way through a decoder: what every format checks and refuses alike.

use super::format::Format;
use super::limits::ImageLimits;
use crate::{Error, Result, memory};

/// Widest sample layout of any format read here: RGBA of 16 bits.
const PIXEL_BYTES_MAX: u64 = 8;
/// What a decoder may take beside the pixels: tables, profiles, texts.
const DECODER_BYTES: u64 = 64 << 20;

/// One encoded image and what its reading is bound to.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'a> {
    pub bytes: &'a [u8],
    /// Stands in errors.
    pub name: &'a str,
    pub format: Format,
    pub limits: &'a ImageLimits,
}

impl Encoded<'_> {
    /// The error that this image cannot be read for `reason`.
    pub(super) fn refuse(&self, reason: impl std::fmt::Display) -> Error {
        let reason = format!("{}: {reason}", self.format.name());
        Error::ImageDecode { image: self.name.into(), reason }
    }

    /// Holds the sides that a header states against the limits.
    pub(super) fn check_sides(&self, width: u32, height: u32) -> Result<()> {
        self.limits.check_pixels(self.name, width, height)?;
        match width == 0 || height == 0 {
            true => Err(self.refuse(format!("{width}x{height} pixels"))),
            false => Ok(()),
        }
    }

    /// Whether there is memory for the decoder's own samples, and for the same as RGB twice: as
    /// they lie and turned upright.
    pub(super) fn probe_memory(&self, width: u32, height: u32, samples_bytes: u64) -> Result<()> {
        let rgb_bytes = u64::from(width) * u64::from(height) * 3;
        memory::probe(samples_bytes.saturating_add(2 * rgb_bytes), self.name)
    }

    /// Most bytes that a decoder may take.
    pub(super) fn memory_max(&self) -> u64 {
        self.limits.pixels_max.saturating_mul(PIXEL_BYTES_MAX).saturating_add(DECODER_BYTES)
    }
}

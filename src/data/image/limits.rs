//! What an image may cost: limits that are held against headers before memory is taken.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// What an image may cost at most; checked before memory is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageLimits {
    /// Most pixels an image may have by its header. Default 100 million (conventions.md), 300 MB
    /// as 8-bit RGB: above any camera, below what stops a machine.
    pub pixels_max: u64,
    /// Most encoded bytes. Default 268,435,456 (256 MiB): an uncompressed image of 16-bit RGB
    /// with 44 million pixels, or 2.7 bytes for each pixel of the largest image.
    pub bytes_max: u64,
}

impl Default for ImageLimits {
    fn default() -> ImageLimits {
        ImageLimits { pixels_max: 100_000_000, bytes_max: 256 << 20 }
    }
}

impl ImageLimits {
    /// # Errors
    /// [`Error::InvalidArgument`] for a limit of 0, under which no image exists.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [("pixels_max", self.pixels_max), ("bytes_max", self.bytes_max)] {
            if value == 0 {
                return Err(Error::invalid(name, "0; at least 1 is needed"));
            }
        }
        Ok(())
    }

    /// # Errors
    /// [`Error::ImageTooLarge`] when `width` x `height` is over the limit of pixels.
    pub fn check_pixels(&self, name: impl Display, width: u32, height: u32) -> Result<()> {
        let pixels = u64::from(width) * u64::from(height);
        check_limit(name, "pixels", pixels, self.pixels_max)
    }
}

pub(super) fn check_limit(
    name: impl Display,
    what: &'static str,
    got: u64,
    limit: u64,
) -> Result<()> {
    match got > limit {
        true => Err(Error::ImageTooLarge { image: name.to_string(), what, got, limit }),
        false => Ok(()),
    }
}

//! What every look at an image changes: its frame, its company in a mosaic, its colours.
//!
//! Flip, resize and crop are composed into one [`framing::Framing`], so that the pixels are
//! sampled once whatever was drawn. [`recipe`] says which change comes when.

pub mod blur;
pub mod colour;
mod config;
pub mod copy_paste;
pub mod framing;
pub mod greyscale;
pub mod mosaic;
pub mod multi_scale;
pub mod recipe;
pub mod rotation;
pub mod shift;

pub use config::AugmentationConfig;

/// What comes in from outside a picture: ImageNet's mean colour, which normalisation turns into 0.
pub const FILL: [u8; 3] = [124, 116, 104];

#[cfg(test)]
pub(crate) mod test_scene;

//! Images: decoding with limits, orientation, colour, resizing, normalisation.
//!
//! Everything past this room sees one kind of image: upright, 8-bit RGB, rows from top to bottom
//! without padding. [`decode`] makes it from encoded bytes, [`view`] from pixels of the host,
//! [`resize`] brings it to the size an encoder takes and [`normalise`] turns it into numbers.

pub mod decode;
mod directory;
pub mod encode;
mod encoded;
pub mod format;
mod gif;
mod jpeg;
mod limits;
pub mod normalise;
mod orientation;
mod png;
pub mod resize;
pub mod sampler;
mod tiff;
mod tiff_colours;
pub mod view;
mod webp;

pub use limits::ImageLimits;
pub use normalise::Normalisation;
pub use resize::{ResizeRule, resize};
pub use sampler::{Sampler, Window};
pub use view::{ImageView, PixelFormat};

use crate::{Error, Result, memory};

/// An upright 8-bit RGB image, rows from top to bottom without padding.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Image {
    pub width: u32,
    pub height: u32,
    /// `height * width * 3` bytes.
    pub pixels: Vec<u8>,
}

impl Clone for Image {
    fn clone(&self) -> Image {
        Image { pixels: self.pixels.clone(), ..*self }
    }

    /// In the memory that it has.
    fn clone_from(&mut self, source: &Image) {
        (self.width, self.height) = (source.width, source.height);
        self.pixels.clone_from(&source.pixels);
    }
}

impl Image {
    /// An image from `[height, width, 3]` bytes.
    ///
    /// # Errors
    /// [`Error::Shape`] when a side is 0 or the sides do not multiply to the length.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Image> {
        let expected = u128::from(width) * u128::from(height) * 3;
        if pixels.is_empty() || pixels.len() as u128 != expected {
            return Err(Error::shape(
                "image",
                format!("{height}x{width}x3 bytes, none of them 0"),
                format!("{} bytes", pixels.len()),
            ));
        }
        Ok(Image { width, height, pixels })
    }

    /// An image of one colour.
    ///
    /// # Errors
    /// [`Error::Shape`] when a side is 0.
    pub fn filled(width: u32, height: u32, colour: [u8; 3]) -> Result<Image> {
        Image::new(width, height, colour.repeat(width as usize * height as usize))
    }

    /// The colour at column `x` and row `y`, both inside the image.
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = self.offset(x, y);
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// Sets the colour at column `x` and row `y`, both inside the image.
    pub fn set_pixel(&mut self, x: u32, y: u32, colour: [u8; 3]) {
        let at = self.offset(x, y);
        self.pixels[at..at + 3].copy_from_slice(&colour);
    }

    /// The image with left and right exchanged.
    pub fn mirrored(&self) -> Image {
        let row_length = self.width as usize * 3;
        let rows = self.pixels.chunks_exact(row_length);
        let pixels = rows.flat_map(|row| row.chunks_exact(3).rev().flatten().copied()).collect();
        Image { width: self.width, height: self.height, pixels }
    }

    fn offset(&self, x: u32, y: u32) -> usize {
        (y as usize * self.width as usize + x as usize) * 3
    }

    /// The part of the image from (`x`, `y`) on, `width` by `height` pixels, cut to what lies
    /// inside.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when nothing of it lies inside.
    pub fn crop(&self, x: u32, y: u32, width: u32, height: u32) -> Result<Image> {
        let width = width.min(self.width.saturating_sub(x));
        let height = height.min(self.height.saturating_sub(y));
        if width == 0 || height == 0 {
            return Err(Error::invalid(
                "crop",
                format!("({x}, {y}) + {width}x{height} of {}x{}", self.width, self.height),
            ));
        }
        let mut pixels = memory::with_capacity(width as usize * height as usize * 3, "an image")?;
        for row in y..y + height {
            let from = self.offset(x, row);
            pixels.extend_from_slice(&self.pixels[from..from + width as usize * 3]);
        }
        Image::new(width, height, pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_without_overflow() {
        assert!(Image::new(2, 1, vec![0; 6]).is_ok());
        let error = Image::new(2, 2, vec![0; 6]).unwrap_err();
        assert_eq!(error.to_string(), "image: expected 2x2x3 bytes, none of them 0, got 6 bytes");
        assert!(Image::new(0, 5, Vec::new()).is_err());
        assert!(Image::new(u32::MAX, u32::MAX, vec![0; 6]).is_err());
    }

    #[test]
    fn a_crop_is_cut_to_the_image() {
        let mut image = Image::filled(4, 3, [9, 9, 9]).unwrap();
        image.set_pixel(3, 2, [1, 2, 3]);
        let crop = image.crop(2, 2, 10, 10).unwrap();
        assert_eq!((crop.width, crop.height, crop.pixel(1, 0)), (2, 1, [1, 2, 3]));
        assert!(image.crop(4, 0, 1, 1).is_err());
    }
}

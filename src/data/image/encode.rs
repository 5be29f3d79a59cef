//! An [`Image`] as PNG (overlays, crops, demo scenes) or JPEG (pictures inside the report).

use super::Image;
use crate::{Error, Result};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// The bytes of a lossless PNG.
///
/// # Errors
/// [`Error::Shape`] when `image.pixels` does not fit its sides.
pub fn png(image: &Image) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write(image, PngEncoder::new(&mut bytes))?;
    Ok(bytes)
}

/// The bytes of a JPEG; `quality` from 1 to 100.
///
/// # Errors
/// [`Error::InvalidArgument`] for another quality; [`Error::Shape`] when `image.pixels` does not
/// fit its sides or a side is over JPEG's 65,535.
pub fn jpeg(image: &Image, quality: u8) -> Result<Vec<u8>> {
    if !(1..=100).contains(&quality) {
        return Err(Error::invalid("quality", format!("{quality} is outside 1 to 100")));
    }
    let mut bytes = Vec::new();
    write(image, JpegEncoder::new_with_quality(&mut bytes, quality))?;
    Ok(bytes)
}

fn write(image: &Image, encoder: impl ImageEncoder) -> Result<()> {
    let refuse = |reason: String| {
        Error::shape("image", format!("{}x{} pixels", image.width, image.height), reason)
    };
    let expected = image.width as usize * image.height as usize * 3;
    if image.pixels.len() != expected {
        return Err(refuse(format!("{} bytes", image.pixels.len())));
    }
    encoder
        .write_image(&image.pixels, image.width, image.height, ExtendedColorType::Rgb8)
        .map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::{ImageLimits, decode::decode};

    #[test]
    fn png_comes_back_exactly_and_jpeg_nearly() {
        let mut image = Image::filled(33, 17, [200, 100, 50]).unwrap();
        image.set_pixel(32, 16, [1, 2, 3]);
        let limits = ImageLimits::default();
        assert_eq!(decode(&png(&image).unwrap(), "a", &limits).unwrap(), image);
        let lossy = decode(&jpeg(&image, 90).unwrap(), "a", &limits).unwrap();
        assert!(lossy.pixel(0, 0).iter().zip([200, 100, 50]).all(|(a, b)| a.abs_diff(b) < 4));
        assert!(jpeg(&image, 0).is_err());
        image.pixels.pop();
        assert!(png(&image).is_err());
    }
}

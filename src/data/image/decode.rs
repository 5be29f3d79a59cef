//! Encoded bytes to an [`Image`]: JPEG, PNG, WebP, BMP and TIFF, recognised by content.
//!
//! What is decided here, and why:
//! - The name of a file says nothing about its format; its first bytes do.
//! - Size limits are held against the header before anything is allocated for pixels.
//! - EXIF orientation (TIFF's own tag there) is applied, so that boxes refer to the upright image.
//! - Grey, palette and 16-bit samples become 8-bit RGB; 16 bits are rounded to the nearest 8-bit
//!   level. Alpha is dropped and not composited: that is what the loaders behind the usual
//!   encoders do, and the alpha of a rendered frame often does not mean coverage at all.
//! - Colour profiles are not applied, and of an animation only the first picture is read.
//! - Samples in floating point are refused, as no range is agreed for them.
//! - Half an image is an error in every format ([`super::jpeg_end`]).

use super::{Image, jpeg_end};
use crate::{Error, Result};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use serde::{Deserialize, Serialize};
use std::io::{Cursor, Read};
use std::path::Path;

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
    pub fn check_pixels(&self, name: &str, width: u32, height: u32) -> Result<()> {
        let pixels = u64::from(width) * u64::from(height);
        check_limit(name, "pixels", pixels, self.pixels_max)
    }
}

fn check_limit(name: &str, what: &'static str, got: u64, limit: u64) -> Result<()> {
    match got > limit {
        true => Err(Error::ImageTooLarge { image: name.into(), what, got, limit }),
        false => Ok(()),
    }
}

/// Widest sample layout of any format read here: RGBA of 16 bits.
const PIXEL_BYTES_MAX: u64 = 8;
/// What a decoder may take beside the pixels: tables, profiles, texts.
const DECODER_BYTES: u64 = 64 << 20;

/// Reads and decodes one file.
///
/// # Errors
/// [`Error::Io`]; [`Error::ImageTooLarge`]; [`Error::ImageDecode`] for anything that is not a
/// whole readable image. All carry the path.
pub fn read(path: &Path, limits: &ImageLimits) -> Result<Image> {
    let name = path.display().to_string();
    let io = |source| Error::io(path, source);
    let file = std::fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    check_limit(&name, "bytes", length, limits.bytes_max)?;
    let mut bytes = Vec::with_capacity(length as usize);
    // The file may grow while it is read, and a pipe has no length at all.
    file.take(limits.bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    decode(&bytes, &name, limits)
}

/// Decodes one image. `name` stands in errors.
///
/// # Errors
/// [`Error::ImageTooLarge`]; [`Error::ImageDecode`] for anything that is not a whole readable
/// image.
pub fn decode(bytes: &[u8], name: &str, limits: &ImageLimits) -> Result<Image> {
    check_limit(name, "bytes", bytes.len() as u64, limits.bytes_max)?;
    let format = recognise(bytes).ok_or_else(|| Error::ImageDecode {
        image: name.into(),
        reason: format!(
            "not a JPEG, PNG, WebP, BMP or TIFF; {} bytes that begin with {:02x?}",
            bytes.len(),
            &bytes[..bytes.len().min(8)]
        ),
    })?;
    let refuse = |reason: String| Error::ImageDecode {
        image: name.into(),
        reason: format!("{}: {reason}", format_name(format)),
    };
    check_whole(bytes, format).map_err(refuse)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder_limits = image::Limits::no_limits();
    let pixel_bytes = limits.pixels_max.saturating_mul(PIXEL_BYTES_MAX);
    decoder_limits.max_alloc = Some(pixel_bytes.saturating_add(DECODER_BYTES));
    reader.limits(decoder_limits);
    let mut decoder = reader.into_decoder().map_err(|error| refuse(cause(&error)))?;
    let (width, height) = decoder.dimensions();
    limits.check_pixels(name, width, height)?;
    if width == 0 || height == 0 {
        return Err(refuse(format!("{width}x{height} pixels")));
    }
    let orientation = orientation(&mut decoder, format).map_err(|error| refuse(cause(&error)))?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(|error| refuse(cause(&error)))?;
    to_upright_rgb(decoded, orientation).map_err(refuse)
}

/// Whether the first bytes of a file are those of a format that [`decode`] reads.
pub fn is_recognised(bytes: &[u8]) -> bool {
    recognise(bytes).is_some()
}

/// How many of a file's first bytes [`is_recognised`] needs.
pub const RECOGNITION_BYTES: usize = 12;

fn recognise(bytes: &[u8]) -> Option<ImageFormat> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => Some(ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(ImageFormat::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(ImageFormat::WebP),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(ImageFormat::Tiff),
        // Bytes 6 to 9 of a bitmap are reserved and 0; the two letters alone would claim texts.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(ImageFormat::Bmp),
        _ => None,
    }
}

fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        _ => "TIFF",
    }
}

/// What went wrong, without the frame of words that [`decode`] puts around it again.
fn cause(error: &image::ImageError) -> String {
    let source = match error {
        image::ImageError::Decoding(_) => std::error::Error::source(error),
        _ => None,
    };
    source.map_or_else(|| error.to_string(), ToString::to_string).trim_end().to_string()
}

/// Catches truncation that the format's decoder would paper over.
fn check_whole(bytes: &[u8], format: ImageFormat) -> std::result::Result<(), String> {
    match format {
        ImageFormat::Jpeg => jpeg_end::check(bytes).map_err(|incomplete| incomplete.to_string()),
        ImageFormat::WebP => {
            // A RIFF file says its length, less the 8 bytes up to and with the length itself.
            let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
            let expected = u64::from(length) + 8;
            match (bytes.len() as u64) < expected {
                true => Err(format!("truncated: {} of {expected} bytes", bytes.len())),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn orientation(
    decoder: &mut impl ImageDecoder,
    format: ImageFormat,
) -> image::ImageResult<Orientation> {
    if format == ImageFormat::Tiff {
        return decoder.orientation();
    }
    let chunk = decoder.exif_metadata()?.unwrap_or_default();
    // The marker that JPEG puts before the EXIF data belongs to JPEG; some writers copy it into
    // WebP and PNG.
    let exif = chunk.strip_prefix(b"Exif\0\0").unwrap_or(&chunk);
    Ok(Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms))
}

fn to_upright_rgb(
    decoded: DynamicImage,
    orientation: Orientation,
) -> std::result::Result<Image, String> {
    if matches!(decoded, DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_)) {
        return Err("samples in floating point are not supported".into());
    }
    let mut upright = DynamicImage::ImageRgb8(decoded.into_rgb8());
    upright.apply_orientation(orientation);
    let upright = upright.into_rgb8();
    let (width, height) = upright.dimensions();
    Ok(Image { width, height, pixels: upright.into_raw() })
}

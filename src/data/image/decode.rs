//! Encoded bytes to an [`Image`]: JPEG, PNG, WebP, BMP, TIFF and GIF, recognised by content.
//!
//! What is decided here, and why:
//! - The name of a file says nothing about its format; its first bytes do.
//! - Size limits are held against the header before anything is allocated for pixels.
//! - Orientation is applied as Pillow does ([`super::orientation`]), so that boxes refer to the
//!   upright image.
//! - Grey, palette and 16-bit samples become 8-bit RGB; 16 bits are rounded to the nearest 8-bit
//!   level. Alpha is dropped and not composited: that is what the loaders behind the usual
//!   encoders do, and the alpha of a rendered frame often does not mean coverage at all.
//! - Colour profiles are not applied, and of an animation only the first picture is read.
//! - Samples in floating point are refused, as no range is agreed for them.
//! - Half an image is an error in every format ([`super::jpeg`]).
//! - A format that is known but not read is an error of its own, so that nobody takes a photograph
//!   in HEIC for a broken file.

use super::encoded::Encoded;
use super::format::{Format, READABLE, unsupported_by_content};
use super::limits::{ImageLimits, check_limit};
use super::{Image, gif, jpeg, orientation, png, tiff, webp};
use crate::{Error, Result, memory};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use std::io::{Cursor, Read};
use std::path::Path;

/// Reads and decodes one file.
///
/// # Errors
/// [`Error::Io`]; [`Error::ImageTooLarge`]; [`Error::UnsupportedImage`] for a known format that is
/// not read; [`Error::ImageDecode`] for anything else that is not a whole readable image. All
/// carry the path.
pub fn read(path: &Path, limits: &ImageLimits) -> Result<Image> {
    let name = path.display().to_string();
    let io = |source| Error::io(path, source);
    let file = std::fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    check_limit(&name, "bytes", length, limits.bytes_max)?;
    let mut bytes = memory::with_capacity(length as usize, &name)?;
    // The file may grow while it is read, and a pipe has no length at all.
    file.take(limits.bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    decode(&bytes, &name, limits)
}

/// Decodes one image. `name` stands in errors.
///
/// # Errors
/// [`Error::ImageTooLarge`]; [`Error::UnsupportedImage`] for a known format that is not read;
/// [`Error::ImageDecode`] for anything else that is not a whole readable image.
pub fn decode(bytes: &[u8], name: &str, limits: &ImageLimits) -> Result<Image> {
    check_limit(name, "bytes", bytes.len() as u64, limits.bytes_max)?;
    let format = Format::of(bytes).ok_or_else(|| not_readable(bytes, name))?;
    let input = Encoded { bytes, name, format, limits };
    let (decoded, orientation) = match format {
        Format::Jpeg => {
            let segments = jpeg::Segments::walk(bytes).map_err(|error| input.refuse(error))?;
            let plain = Encoded { bytes: &segments.plain, ..input };
            (plain.decode_as(ImageFormat::Jpeg)?, segments.metadata.orientation())
        }
        Format::Png => (input.decode_as(ImageFormat::Png)?, png::metadata(bytes).orientation()),
        Format::WebP => {
            input.check_riff_length()?;
            (input.decode_as(ImageFormat::WebP)?, webp::metadata(bytes).orientation())
        }
        Format::Bmp => (input.decode_as(ImageFormat::Bmp)?, Orientation::NoTransforms),
        Format::Tiff => (tiff::decode(&input)?.into(), orientation::of_tiff(bytes)),
        Format::Gif => (gif::decode(&input)?.into(), Orientation::NoTransforms),
    };
    Ok(to_upright_rgb(decoded, orientation))
}

fn not_readable(bytes: &[u8], name: &str) -> Error {
    let image = name.into();
    match unsupported_by_content(bytes) {
        Some(format) => Error::UnsupportedImage { image, format },
        None => {
            let (count, first) = (bytes.len(), &bytes[..bytes.len().min(8)]);
            let reason = format!("not a {READABLE}; {count} bytes that begin with {first:02x?}");
            Error::ImageDecode { image, reason }
        }
    }
}

impl Encoded<'_> {
    fn decode_as(&self, format: ImageFormat) -> Result<DynamicImage> {
        let refuse = |error: image::ImageError| self.refuse(cause(&error));
        let mut reader = ImageReader::with_format(Cursor::new(self.bytes), format);
        let mut decoder_limits = image::Limits::no_limits();
        decoder_limits.max_alloc = Some(self.memory_max());
        reader.limits(decoder_limits);
        let decoder = reader.into_decoder().map_err(refuse)?;
        let (width, height) = decoder.dimensions();
        self.check_sides(width, height)?;
        self.probe_memory(width, height, decoder.total_bytes())?;
        DynamicImage::from_decoder(decoder).map_err(refuse)
    }

    /// Catches truncation that the decoder of WebP would paper over.
    fn check_riff_length(&self) -> Result<()> {
        let bytes = self.bytes;
        // A RIFF file says its length, less the 8 bytes up to and with the length itself.
        let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let expected = u64::from(length) + 8;
        match (bytes.len() as u64) < expected {
            true => Err(self.refuse(format!("truncated: {} of {expected} bytes", bytes.len()))),
            false => Ok(()),
        }
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

fn to_upright_rgb(decoded: DynamicImage, orientation: Orientation) -> Image {
    let mut upright = DynamicImage::ImageRgb8(decoded.into_rgb8());
    upright.apply_orientation(orientation);
    let upright = upright.into_rgb8();
    let (width, height) = upright.dimensions();
    Image { width, height, pixels: upright.into_raw() }
}

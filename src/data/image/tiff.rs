//! The first picture of a TIFF, in the colours that Pillow reads.
//!
//! The decoder refuses palettes and YCbCr, and mixes up samples that come with extras and a
//! predictor. Colours differ in nothing but what the samples mean, so a copy of the file goes to the
//! decoder whose colour tag says grey; it then gives all samples as they are, and the meaning is
//! applied here. The bits of bytes that are stored backwards (`FillOrder` 2), which the decoder
//! does not look at, are turned in the same copy.
//!
//! What is not supported is an error that names it: Lab, masks, samples in floating point or with
//! a sign, chroma subsampled outside JPEG, depths other than 1, 2, 4, 8 and 16 bits.

use super::directory::Directory;
use super::encoded::Encoded;
use super::tiff_colours::{Colours, Samples};
use crate::Result;
use image::RgbImage;
use std::borrow::Cow;
use std::io::Cursor;
use tiff::decoder::{Decoder, DecodingResult, Limits};

mod tag {
    pub const COMPRESSION: u16 = 259;
    pub const COLOURS: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const STRIP_BYTES: u16 = 279;
    pub const SAMPLES: u16 = 277;
    pub const COLOUR_MAP: u16 = 320;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTES: u16 = 325;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const CHROMA_SUBSAMPLING: u16 = 530;
}

/// Values of the colour tag.
mod photometric {
    pub const WHITE_IS_ZERO: u64 = 0;
    pub const BLACK_IS_ZERO: u64 = 1;
    pub const RGB: u64 = 2;
    pub const PALETTE: u64 = 3;
    pub const CMYK: u64 = 5;
    pub const YCBCR: u64 = 6;
}

const UNCOMPRESSED: u64 = 1;
const JPEG: u64 = 7;
const PREMULTIPLIED_ALPHA: u64 = 1;
/// Levels of the largest palette, that of 16 bits.
const LEVELS_MAX: usize = 3 << 16;

pub(super) fn decode(input: &Encoded<'_>) -> Result<RgbImage> {
    let refuse = |error: tiff::TiffError| input.refuse(error);
    let directory = Directory::first(input.bytes).ok_or_else(|| input.refuse("no directory"))?;
    let colours = colours(input, &directory)?;
    let bytes = for_decoder(input.bytes, &directory);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = usize::try_from(input.memory_max()).unwrap_or(usize::MAX);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    limits.ifd_value_size = limits.decoding_buffer_size;
    let mut decoder = Decoder::new(Cursor::new(&bytes[..])).map_err(refuse)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(refuse)?;
    input.check_sides(width, height)?;
    check_chroma(input, &directory, &colours, u64::from(width) * u64::from(height))?;
    let kind = decoder.colortype().map_err(refuse)?;
    let (bits, channels) = (kind.bit_depth(), usize::from(kind.num_samples()));
    // The decoder takes a JPEG of two channels for one of three.
    let is_mixed_up = channels == 2 && directory.number(tag::COMPRESSION) == Some(JPEG);
    if channels < colours.samples_count() || is_mixed_up {
        return Err(input.refuse(format!("{channels} channels are not supported here")));
    }
    let samples = samples(input, &mut decoder, &colours, (bits, channels))?;
    let is_multiplied = channels > colours.samples_count()
        && directory.number(tag::EXTRA_SAMPLES) == Some(PREMULTIPLIED_ALPHA);
    let rgb = colours.paint(&samples, width as usize * height as usize, is_multiplied);
    RgbImage::from_raw(width, height, rgb).ok_or_else(|| input.refuse("too few pixels"))
}

/// All samples, of which each pixel has `channels` of `bits` bits.
fn samples(
    input: &Encoded<'_>,
    decoder: &mut Decoder<Cursor<&[u8]>>,
    colours: &Colours,
    (bits, channels): (u8, usize),
) -> Result<Samples> {
    let refuse = |error: tiff::TiffError| input.refuse(error);
    let unsupported = || input.refuse(format!("samples of {bits} bits are not supported"));
    let is_palette = matches!(colours, Colours::Palette(_));
    let is_packed = channels == 1 && matches!(bits, 1 | 2 | 4);
    if !(is_packed || bits == 8 || bits == 16 && !is_palette) {
        return Err(unsupported());
    }
    let (width, height) = decoder.dimensions().map_err(refuse)?;
    let samples_bytes = u64::from(width) * u64::from(height) * channels as u64 * 2;
    input.probe_memory(width, height, samples_bytes)?;
    let mut read = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut read).map_err(refuse)?;
    if read.as_buffer(0).as_bytes().len() < layout.complete_len {
        return Err(input.refuse(format!("{} bytes of samples", layout.complete_len)));
    }
    let levels = match read {
        DecodingResult::U8(packed) if is_packed => {
            unpack(&packed, width as usize, bits, is_palette)
        }
        DecodingResult::U8(levels) => levels,
        DecodingResult::U16(samples) => samples.into_iter().map(round).collect(),
        _ => return Err(unsupported()),
    };
    let pixels = width as usize * height as usize;
    let (pixel_step, channel_step) = if layout.planes > 1 { (1, pixels) } else { (channels, 1) };
    Ok(Samples { levels, pixel_step, channel_step })
}

/// The nearest 8-bit level.
fn round(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

/// What the file's colour tag says; refuses what is not read.
fn colours(input: &Encoded<'_>, directory: &Directory<'_>) -> Result<Colours> {
    for format in directory.numbers(tag::SAMPLE_FORMAT) {
        let kind = match format {
            1 => continue,
            2 => "samples with a sign",
            3 => "samples in floating point",
            _ => "samples of an unknown kind",
        };
        return Err(input.refuse(format!("{kind} are not supported")));
    }
    let samples = directory.number(tag::SAMPLES).unwrap_or(1);
    match directory.number(tag::COLOURS) {
        Some(photometric::WHITE_IS_ZERO) => Ok(Colours::Inverse),
        Some(photometric::BLACK_IS_ZERO) => Ok(Colours::Grey),
        Some(photometric::RGB) => Ok(Colours::Rgb),
        Some(photometric::PALETTE) => {
            let levels: Vec<u64> = directory.numbers(tag::COLOUR_MAP).take(LEVELS_MAX).collect();
            let count = levels.len() / 3;
            if count == 0 {
                return Err(input.refuse("a palette without its colours"));
            }
            // All reds, then all greens, then all blues, of 16 bits each.
            let level = |at: usize| (levels[at] >> 8) as u8;
            let colour = |index| [0, count, 2 * count].map(|plane| level(plane + index));
            Ok(Colours::Palette((0..count).map(colour).collect()))
        }
        Some(photometric::CMYK) => Ok(Colours::Cmyk),
        Some(photometric::YCBCR) if samples == 1 => Ok(Colours::Grey),
        Some(photometric::YCBCR) => Ok(Colours::YCbCr),
        other => {
            let name = match other {
                Some(4) => "a transparency mask".to_string(),
                Some(8..=10) => "the colour space Lab".to_string(),
                Some(number) => format!("the colour space {number}"),
                None => "a file without colour space".to_string(),
            };
            Err(input.refuse(format!("{name} is not supported")))
        }
    }
}

/// Subsampled chroma is only read from JPEG, which undoes it. Files without compression often do
/// not say that theirs is whole; their length does.
fn check_chroma(
    input: &Encoded<'_>,
    directory: &Directory<'_>,
    colours: &Colours,
    pixels: u64,
) -> Result<()> {
    let compression = directory.number(tag::COMPRESSION).unwrap_or(UNCOMPRESSED);
    let subsampling: Vec<u64> = directory.numbers(tag::CHROMA_SUBSAMPLING).take(2).collect();
    let is_whole = match &subsampling[..] {
        [1, 1] => true,
        _ if compression == UNCOMPRESSED => {
            let bytes =
                directory.numbers(tag::STRIP_BYTES).chain(directory.numbers(tag::TILE_BYTES));
            bytes.fold(0, u64::saturating_add) >= 3 * pixels
        }
        _ => compression == JPEG,
    };
    match matches!(colours, Colours::YCbCr) && !is_whole {
        true => Err(input.refuse("subsampled chroma outside JPEG is not supported")),
        false => Ok(()),
    }
}

/// The file as the decoder reads it.
fn for_decoder<'a>(bytes: &'a [u8], directory: &Directory<'_>) -> Cow<'a, [u8]> {
    let mut copy = Cow::Borrowed(bytes);
    if directory.number(tag::COLOURS) != Some(photometric::BLACK_IS_ZERO) {
        directory.replace(copy.to_mut(), tag::COLOURS, photometric::BLACK_IS_ZERO as u16);
    }
    let compression = directory.number(tag::COMPRESSION).unwrap_or(UNCOMPRESSED);
    if directory.number(tag::FILL_ORDER) == Some(2) && compression != JPEG {
        for (offsets, lengths) in
            [(tag::STRIP_OFFSETS, tag::STRIP_BYTES), (tag::TILE_OFFSETS, tag::TILE_BYTES)]
        {
            let chunks = directory.numbers(offsets).zip(directory.numbers(lengths));
            turn_bits(copy.to_mut(), chunks);
        }
    }
    copy
}

/// Turns the bits of every byte of `chunks`, each an offset and a length. Together they are no
/// longer than the file, unless the file lies.
fn turn_bits(bytes: &mut [u8], chunks: impl Iterator<Item = (u64, u64)>) {
    let mut rest = bytes.len() as u64;
    for (offset, length) in chunks {
        let range = offset as usize..offset.saturating_add(length) as usize;
        let Some(chunk) = bytes.get_mut(range).filter(|_| length <= rest) else { return };
        chunk.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        rest -= length;
    }
}

/// Samples of 1, 2 or 4 bits as bytes: palette numbers as they are, greys over the whole range.
fn unpack(packed: &[u8], width: usize, bits: u8, is_palette: bool) -> Vec<u8> {
    let per_byte = usize::from(8 / bits);
    let largest = 255_u8 >> (8 - bits);
    let scale = if is_palette { 1 } else { 255 / largest };
    let mut samples = Vec::with_capacity(packed.len() * per_byte);
    for row in packed.chunks(width.div_ceil(per_byte)) {
        samples.extend((0..width).map(|x| {
            let shift = 8 - bits as usize * (x % per_byte + 1);
            (row[x / per_byte] >> shift & largest) * scale
        }));
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_samples_are_unpacked_row_by_row() {
        assert_eq!(unpack(&[0b1010_0000, 0b0100_0000], 3, 1, false), [255, 0, 255, 0, 255, 0]);
        assert_eq!(unpack(&[0b0001_1011], 3, 2, false), [0, 85, 170]);
        assert_eq!(unpack(&[0x5F, 0x20], 3, 4, true), [5, 15, 2]);
    }

    #[test]
    fn bits_are_turned_once_for_each_byte_of_the_file() {
        let mut bytes = [1, 2, 4, 8];
        turn_bits(&mut bytes, [(1, 2), (9, 1)].into_iter());
        assert_eq!(bytes, [1, 64, 32, 8]);
        let mut bytes = [1, 2, 4, 8];
        turn_bits(&mut bytes, std::iter::repeat((0, 4)));
        assert_eq!(bytes, [128, 64, 32, 16]);
    }
}

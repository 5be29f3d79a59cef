//! The first picture of a GIF.
//!
//! Source: the GIF89a specification, appendices D to F; where it is silent, Pillow: the canvas
//! grows to hold the picture, what the picture leaves open has the transparent colour or colour 0,
//! numbers behind the end of the table are black, and without a table they are greys. Pixels that
//! look transparent keep their colour, as everywhere here.

use super::encoded::Encoded;
use crate::Result;
use image::RgbImage;
use std::array;
use weezl::{BitOrder, LzwStatus, decode::Configuration};

const EXTENSION: u8 = b'!';
const PICTURE: u8 = b',';
const TRAILER: u8 = b';';
const GRAPHIC_CONTROL: u8 = 0xF9;
/// Bits of the largest pixel; codes are one longer, and never longer than 12.
const PIXEL_BITS_MAX: u8 = 11;

type Colours = [[u8; 3]; 256];

/// What is still to be read.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at + count)?;
        self.at += count;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn short(&mut self) -> Option<u32> {
        self.take(2).map(|bytes| u32::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    }

    /// A chain of blocks, joined; one that is cut ends where the file does.
    fn blocks(&mut self) -> Vec<u8> {
        let mut joined = Vec::new();
        while let Some(length @ 1..) = self.byte() {
            let rest = &self.bytes[self.at..];
            joined.extend_from_slice(&rest[..rest.len().min(length.into())]);
            self.at += rest.len().min(length.into());
        }
        joined
    }

    /// A table of colours if `flags` announce one.
    fn colours(&mut self, flags: u8) -> Option<Option<Colours>> {
        if flags & 0x80 == 0 {
            return Some(None);
        }
        let mut colours = [[0; 3]; 256];
        let table = self.take(3 << ((flags & 7) + 1))?;
        for (colour, entry) in colours.iter_mut().zip(table.chunks_exact(3)) {
            colour.copy_from_slice(entry);
        }
        Some(Some(colours))
    }
}

/// Where the first picture is and how it is painted.
struct Picture {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    canvas: (u32, u32),
    is_interlaced: bool,
    background: u8,
    colours: Colours,
    pixel_bits: u8,
}

pub(super) fn decode(input: &Encoded<'_>) -> Result<RgbImage> {
    let mut reader = Reader { bytes: input.bytes, at: 6 };
    let truncated = || input.refuse(format!("truncated: {} bytes", input.bytes.len()));
    let picture = header(&mut reader).ok_or_else(truncated)?;
    let (width, height) = picture.canvas;
    input.check_sides(width, height)?;
    if picture.width == 0 || picture.height == 0 || picture.pixel_bits > PIXEL_BITS_MAX {
        let (width, height, bits) = (picture.width, picture.height, picture.pixel_bits);
        return Err(input.refuse(format!("a picture of {width}x{height} pixels of {bits} bits")));
    }
    input.probe_memory(width, height, u64::from(picture.width) * u64::from(picture.height))?;
    let packed = reader.blocks();
    let mut pixels = vec![0; picture.width as usize * picture.height as usize];
    let count = unpack(&packed, picture.pixel_bits, &mut pixels);
    if count < pixels.len() {
        return Err(input.refuse(format!("truncated: {count} of {} pixels", pixels.len())));
    }
    Ok(picture.paint(&pixels))
}

/// Everything up to the pixels of the first picture; `None` where the file ends before.
fn header(reader: &mut Reader<'_>) -> Option<Picture> {
    let (screen_width, screen_height) = (reader.short()?, reader.short()?);
    let flags = reader.byte()?;
    reader.take(2)?;
    let shared = reader.colours(flags)?;
    let mut transparent = None;
    loop {
        match reader.byte()? {
            EXTENSION => {
                let is_control = reader.byte()? == GRAPHIC_CONTROL;
                let body = reader.blocks();
                if let (true, [flags, _, _, number, ..]) = (is_control, &body[..]) {
                    transparent = (flags & 1 == 1).then_some(*number).or(transparent);
                }
            }
            PICTURE => break,
            TRAILER => return None,
            _ => {}
        }
    }
    let (left, top) = (reader.short()?, reader.short()?);
    let (width, height) = (reader.short()?, reader.short()?);
    let flags = reader.byte()?;
    Some(Picture {
        left,
        top,
        width,
        height,
        canvas: (screen_width.max(left + width), screen_height.max(top + height)),
        is_interlaced: flags & 0x40 != 0,
        background: transparent.unwrap_or(0),
        colours: reader
            .colours(flags)?
            .or(shared)
            .unwrap_or_else(|| array::from_fn(|n| [n as u8; 3])),
        pixel_bits: reader.byte()?,
    })
}

/// Fills `pixels` and says how many there were.
fn unpack(packed: &[u8], pixel_bits: u8, pixels: &mut [u8]) -> usize {
    // What stands behind the last pixel, or is missing there, is nobody's business.
    let mut decoder =
        Configuration::new(BitOrder::Lsb, pixel_bits).with_yield_on_full_buffer(true).build();
    let (mut read, mut written) = (0, 0);
    while written < pixels.len() {
        let step = decoder.decode_bytes(&packed[read..], &mut pixels[written..]);
        read += step.consumed_in;
        written += step.consumed_out;
        match step.status {
            Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            _ => break,
        }
    }
    written
}

impl Picture {
    fn paint(&self, pixels: &[u8]) -> RgbImage {
        let colour = |number: u8| image::Rgb(self.colours[usize::from(number)]);
        let (width, height) = self.canvas;
        let mut canvas = RgbImage::from_pixel(width, height, colour(self.background));
        let rows = pixels.chunks_exact(self.width as usize);
        for (y, row) in self.row_order().zip(rows) {
            for (x, number) in (0..).zip(row) {
                canvas.put_pixel(self.left + x, self.top + y, colour(*number));
            }
        }
        canvas
    }

    /// The rows in the order in which they are stored.
    fn row_order(&self) -> impl Iterator<Item = u32> {
        let passes: &[(u32, usize)] =
            if self.is_interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
        let height = self.height;
        passes.iter().flat_map(move |(first, step)| (*first..height).step_by(*step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(is_interlaced: bool) -> Picture {
        Picture {
            left: 1,
            top: 0,
            width: 1,
            height: 5,
            canvas: (2, 5),
            is_interlaced,
            background: 7,
            colours: array::from_fn(|number| [number as u8; 3]),
            pixel_bits: 8,
        }
    }

    #[test]
    fn rows_are_stored_in_passes_where_the_picture_is_interlaced() {
        assert_eq!(picture(false).row_order().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(picture(true).row_order().collect::<Vec<_>>(), [0, 4, 2, 1, 3]);
        let painted = picture(true).paint(&[10, 14, 12, 11, 13]);
        let levels: Vec<u8> = painted.pixels().map(|pixel| pixel[0]).collect();
        assert_eq!(levels, [7, 10, 7, 11, 7, 12, 7, 13, 7, 14]);
    }
}

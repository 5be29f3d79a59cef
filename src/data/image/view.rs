//! Pixels that belong to the host: a borrowed view with its own row stride and channel order.
//!
//! `simdetr_image_t` of the C ABI becomes an [`ImageView`]. Frame buffers are often stored bottom
//! row first; a negative stride describes them without a copy.

use super::Image;
use crate::{Error, Result};

/// How pixels lie in memory. Alpha is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    Rgb8,
    Bgr8,
    Rgba8,
    Bgra8,
    Gray8,
    /// Rows of brightness, then, below the last of them, half as many rows of colour differences:
    /// blue's and red's, one pair for four pixels. What cameras and video decoders give.
    Nv12,
    /// Brightness, blue's difference, brightness, red's difference: four bytes for two pixels.
    Yuyv,
}

impl PixelFormat {
    /// Bytes of a row of `width` pixels.
    fn row_bytes(self, width: usize) -> usize {
        match self {
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => 3 * width,
            PixelFormat::Rgba8 | PixelFormat::Bgra8 => 4 * width,
            PixelFormat::Gray8 | PixelFormat::Nv12 => width,
            PixelFormat::Yuyv => 2 * width,
        }
    }

    /// Rows in memory of an image with `height` rows of pixels.
    fn rows_count(self, height: usize) -> usize {
        if self == PixelFormat::Nv12 { height + height / 2 } else { height }
    }

    /// Refuses sides that cut a group of pixels that share colours.
    fn check_sides(self, width: u32, height: u32) -> Result<()> {
        let (across, down) = match self {
            PixelFormat::Nv12 => (2, 2),
            PixelFormat::Yuyv => (2, 1),
            _ => (1, 1),
        };
        if width.is_multiple_of(across) && height.is_multiple_of(down) {
            return Ok(());
        }
        let reason = format!("{width}x{height} pixels; {self:?} needs even sides");
        Err(Error::invalid("image", reason))
    }
}

/// Writes RGB pixels of a row.
fn write_row(format: PixelFormat, row: &[u8], colours: &[u8], target: &mut [u8]) {
    let pixels = target.chunks_exact_mut(3);
    let pick = |source: &[u8], order: [usize; 3]| order.map(|channel| source[channel]);
    match format {
        PixelFormat::Rgb8 => target.copy_from_slice(row),
        PixelFormat::Bgr8 => {
            let sources = row.chunks_exact(3);
            pixels.zip(sources).for_each(|(to, from)| to.copy_from_slice(&pick(from, [2, 1, 0])));
        }
        PixelFormat::Rgba8 => {
            pixels.zip(row.chunks_exact(4)).for_each(|(to, from)| to.copy_from_slice(&from[..3]));
        }
        PixelFormat::Bgra8 => {
            let sources = row.chunks_exact(4);
            pixels.zip(sources).for_each(|(to, from)| to.copy_from_slice(&pick(from, [2, 1, 0])));
        }
        PixelFormat::Gray8 => pixels.zip(row).for_each(|(to, level)| to.fill(*level)),
        PixelFormat::Nv12 => {
            let pairs = row.chunks_exact(2).zip(colours.chunks_exact(2));
            for (to, (levels, colour)) in target.chunks_exact_mut(6).zip(pairs) {
                to[..3].copy_from_slice(&from_video(levels[0], colour[0], colour[1]));
                to[3..].copy_from_slice(&from_video(levels[1], colour[0], colour[1]));
            }
        }
        PixelFormat::Yuyv => {
            for (to, from) in target.chunks_exact_mut(6).zip(row.chunks_exact(4)) {
                to[..3].copy_from_slice(&from_video(from[0], from[1], from[3]));
                to[3..].copy_from_slice(&from_video(from[2], from[1], from[3]));
            }
        }
    }
}

/// Bits behind the point of the factors below.
const VIDEO_BITS: i32 = 16;

/// RGB of brightness and the differences of blue and red as video has them: ITU-R BT.601, brightness
/// from 16 to 235 and differences from 16 to 240.
fn from_video(level: u8, blue: u8, red: u8) -> [u8; 3] {
    // 255/219, and 255/224 times 2 (1 - 0.114) and 2 (1 - 0.299), and what both say about green.
    const LEVEL: i32 = 76_309;
    const RED_OF_RED: i32 = 104_597;
    const GREEN_OF_BLUE: i32 = 25_675;
    const GREEN_OF_RED: i32 = 53_279;
    const BLUE_OF_BLUE: i32 = 132_201;
    let light = (i32::from(level) - 16).max(0) * LEVEL + (1 << (VIDEO_BITS - 1));
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let sums = [
        light + RED_OF_RED * red,
        light - GREEN_OF_BLUE * blue - GREEN_OF_RED * red,
        light + BLUE_OF_BLUE * blue,
    ];
    sums.map(|sum| (sum >> VIDEO_BITS).clamp(0, 255) as u8)
}

/// Where the rows of a view lie in memory. The *data pointer* of a host points at the first byte
/// of the top row, whatever the sign of the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the row below it; negative where the bottom row comes first in
    /// memory; 0 for rows without padding, top row first.
    pub row_stride_bytes: isize,
    /// Channel order.
    pub format: PixelFormat,
}

impl Layout {
    /// How many bytes lie before the data pointer, and how many there are in all from the lowest
    /// to the highest byte of any row.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a side of 0, a stride shorter than a row, or an extent that
    /// no memory holds.
    pub fn span(&self) -> Result<(usize, usize)> {
        if self.width == 0 || self.height == 0 {
            return Err(Error::invalid("image", format!("{}x{} pixels", self.width, self.height)));
        }
        self.format.check_sides(self.width, self.height)?;
        let row = self.format.row_bytes(self.width as usize);
        let rows = self.format.rows_count(self.height as usize);
        let stride = self.stride_or_tight(row);
        if stride.unsigned_abs() < row {
            return Err(Error::invalid(
                "row_stride_bytes",
                format!("{stride} for rows of {row} bytes"),
            ));
        }
        if stride < 0 && self.format == PixelFormat::Nv12 {
            let reason = format!("{stride}; NV12 has its top row first");
            return Err(Error::invalid("row_stride_bytes", reason));
        }
        let extent = stride
            .unsigned_abs()
            .checked_mul(rows - 1)
            .filter(|below| below.checked_add(row).is_some_and(|all| all <= isize::MAX as usize))
            .ok_or_else(|| {
                Error::invalid("row_stride_bytes", format!("{stride} x {} rows", self.height))
            })?;
        Ok((if stride < 0 { extent } else { 0 }, extent + row))
    }

    fn stride_or_tight(&self, row: usize) -> isize {
        if self.row_stride_bytes == 0 { row as isize } else { self.row_stride_bytes }
    }
}

/// Borrowed pixels of any [`PixelFormat`].
#[derive(Debug, Clone, Copy)]
pub struct ImageView<'a> {
    bytes: &'a [u8],
    layout: Layout,
    top_row: usize,
}

impl<'a> ImageView<'a> {
    /// A view of `bytes`, which begin at the lowest byte of any row: for a negative stride that
    /// is the bottom row ([`Layout::span`] says how far before the data pointer).
    ///
    /// # Errors
    /// Those of [`Layout::span`]; [`Error::Shape`] when `bytes` are too few.
    pub fn new(bytes: &'a [u8], layout: Layout) -> Result<ImageView<'a>> {
        let (top_row, span) = layout.span()?;
        if bytes.len() < span {
            return Err(Error::shape(
                "image",
                format!("{span} bytes for {}x{} pixels", layout.width, layout.height),
                format!("{} bytes", bytes.len()),
            ));
        }
        Ok(ImageView { bytes, layout, top_row })
    }

    /// Copies the pixels as RGB.
    pub fn to_image(&self) -> Image {
        let mut image = Image::default();
        self.copy_into(&mut image);
        image
    }

    /// [`ImageView::to_image`] into memory that is used again: nothing is allocated once
    /// `image` has held one of this size.
    pub fn copy_into(&self, image: &mut Image) {
        let Layout { width, height, format, .. } = self.layout;
        let row = format.row_bytes(width as usize);
        let stride = self.layout.stride_or_tight(row);
        (image.width, image.height) = (width, height);
        image.pixels.resize(width as usize * height as usize * 3, 0);
        let row_at = |y: usize| {
            let from = self.top_row.wrapping_add_signed(stride * y as isize);
            &self.bytes[from..from + row]
        };
        for (y, target) in image.pixels.chunks_exact_mut(width as usize * 3).enumerate() {
            let colours = match format {
                PixelFormat::Nv12 => row_at(height as usize + y / 2),
                _ => &[],
            };
            write_row(format, row_at(y), colours, target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(width: u32, height: u32, row_stride_bytes: isize, format: PixelFormat) -> Layout {
        Layout { width, height, row_stride_bytes, format }
    }

    #[test]
    fn every_format_becomes_rgb() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let read = |width, format| {
            ImageView::new(&bytes, layout(width, 1, 0, format)).unwrap().to_image().pixels
        };
        assert_eq!(read(2, PixelFormat::Rgb8), [1, 2, 3, 4, 5, 6]);
        assert_eq!(read(2, PixelFormat::Bgr8), [3, 2, 1, 6, 5, 4]);
        assert_eq!(read(2, PixelFormat::Rgba8), [1, 2, 3, 5, 6, 7]);
        assert_eq!(read(2, PixelFormat::Bgra8), [3, 2, 1, 7, 6, 5]);
        assert_eq!(read(2, PixelFormat::Gray8), [1, 1, 1, 2, 2, 2]);
    }

    /// OpenCV 5.0.0: `cvtColor` with `COLOR_YUV2RGB_NV12` and `COLOR_YUV2RGB_YUYV`.
    #[test]
    fn video_becomes_what_opencv_makes_of_it() {
        let planes = [16, 235, 120, 81, 41, 210, 145, 200, 128, 128, 90, 240];
        let wanted = [
            [0, 0, 0, 255, 255, 255, 255, 45, 44, 254, 0, 0],
            [29, 29, 29, 226, 226, 226, 255, 74, 73, 255, 138, 137],
        ];
        let view = ImageView::new(&planes, layout(4, 2, 0, PixelFormat::Nv12)).unwrap();
        let near = |found: &[u8], wanted: &[u8]| {
            assert_eq!(found.len(), wanted.len());
            assert!(found.iter().zip(wanted).all(|(a, b)| a.abs_diff(*b) <= 1), "{found:?}");
        };
        near(&view.to_image().pixels, wanted.as_flattened());
        let pairs = [16, 128, 235, 128, 120, 90, 81, 240, 41, 54, 210, 34, 145, 200, 200, 60];
        let wanted = [
            [0, 0, 0, 255, 255, 255, 255, 45, 44, 254, 0, 0],
            [0, 134, 0, 76, 255, 76, 42, 177, 255, 106, 241, 255],
        ];
        let view = ImageView::new(&pairs, layout(4, 2, 0, PixelFormat::Yuyv)).unwrap();
        near(&view.to_image().pixels, wanted.as_flattened());
        // Padded rows, as decoders give them.
        let padded = [16, 16, 0, 0, 235, 235, 0, 0, 128, 128, 0, 0];
        let view = ImageView::new(&padded, layout(2, 2, 4, PixelFormat::Nv12)).unwrap();
        assert_eq!(view.to_image().pixels, [0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn padding_is_skipped_and_a_negative_stride_turns_the_rows() {
        let bytes = [1, 2, 99, 3, 4, 99, 5, 6];
        let down = ImageView::new(&bytes, layout(2, 3, 3, PixelFormat::Gray8)).unwrap().to_image();
        assert_eq!((down.pixel(0, 0), down.pixel(1, 2)), ([1; 3], [6; 3]));
        let up = layout(2, 3, -3, PixelFormat::Gray8);
        assert_eq!(up.span().unwrap(), (6, 8));
        let up = ImageView::new(&bytes, up).unwrap().to_image();
        assert_eq!((up.pixel(0, 0), up.pixel(1, 2)), ([5; 3], [2; 3]));
    }

    #[test]
    fn impossible_layouts_are_refused_with_numbers() {
        let refused = |layout: Layout| layout.span().unwrap_err().to_string();
        assert!(refused(layout(0, 3, 0, PixelFormat::Rgb8)).contains("0x3"));
        assert!(refused(layout(4, 2, -11, PixelFormat::Rgb8)).contains("-11 for rows of 12"));
        assert!(refused(layout(1, u32::MAX, isize::MAX, PixelFormat::Rgb8)).contains("rows"));
        assert!(refused(layout(1, 2, isize::MIN, PixelFormat::Rgb8)).contains("rows"));
        assert!(refused(layout(3, 2, 0, PixelFormat::Nv12)).contains("3x2 pixels; Nv12"));
        assert!(refused(layout(2, 3, 0, PixelFormat::Nv12)).contains("even sides"));
        assert!(refused(layout(2, 2, -2, PixelFormat::Nv12)).contains("top row first"));
        assert!(refused(layout(3, 3, 0, PixelFormat::Yuyv)).contains("even sides"));
        let error = ImageView::new(&[0; 11], layout(2, 2, 0, PixelFormat::Rgb8)).unwrap_err();
        assert!(error.to_string().contains("12 bytes") && error.to_string().contains("11 bytes"));
    }
}

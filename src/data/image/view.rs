//! Pixels that belong to the host: a borrowed view with its own row stride and channel order.
//!
//! `simdetr_image_t` of the C ABI becomes an [`ImageView`]. Frame buffers are often stored bottom
//! row first; a negative stride describes them without a copy.

use super::Image;
use crate::{Error, Result};

/// Order of the bytes of one pixel. Alpha is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    Rgb8,
    Bgr8,
    Rgba8,
    Bgra8,
    Gray8,
}

impl PixelFormat {
    /// Bytes of one pixel.
    pub fn bytes_count(self) -> usize {
        match self {
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => 3,
            PixelFormat::Rgba8 | PixelFormat::Bgra8 => 4,
            PixelFormat::Gray8 => 1,
        }
    }

    /// Which bytes of a pixel hold red, green and blue.
    fn channels(self) -> [usize; 3] {
        match self {
            PixelFormat::Rgb8 | PixelFormat::Rgba8 => [0, 1, 2],
            PixelFormat::Bgr8 | PixelFormat::Bgra8 => [2, 1, 0],
            PixelFormat::Gray8 => [0, 0, 0],
        }
    }
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
        let row = self.width as usize * self.format.bytes_count();
        let stride = self.stride_or_tight(row);
        if stride.unsigned_abs() < row {
            return Err(Error::invalid(
                "row_stride_bytes",
                format!("{stride} for rows of {row} bytes"),
            ));
        }
        let extent = stride
            .unsigned_abs()
            .checked_mul(self.height as usize - 1)
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
        let (row, pixel) = (width as usize * format.bytes_count(), format.bytes_count());
        let stride = self.layout.stride_or_tight(row);
        (image.width, image.height) = (width, height);
        image.pixels.resize(width as usize * height as usize * 3, 0);
        let [red, green, blue] = format.channels();
        let rows = image.pixels.chunks_exact_mut(width as usize * 3);
        for (y, target) in rows.enumerate() {
            let from = self.top_row.wrapping_add_signed(stride * y as isize);
            let source = &self.bytes[from..from + row];
            if format == PixelFormat::Rgb8 {
                target.copy_from_slice(source);
                continue;
            }
            for (target, source) in target.chunks_exact_mut(3).zip(source.chunks_exact(pixel)) {
                target.copy_from_slice(&[source[red], source[green], source[blue]]);
            }
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
        let error = ImageView::new(&[0; 11], layout(2, 2, 0, PixelFormat::Rgb8)).unwrap_err();
        assert!(error.to_string().contains("12 bytes") && error.to_string().contains("11 bytes"));
    }
}

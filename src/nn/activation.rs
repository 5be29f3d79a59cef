//! Activations: a batch of NHWC maps with a border of zeros around each, in borrowed memory.
//!
//! The border is what a convolution's padding reads, so that the inner loops know no edges. Who
//! writes a map writes its border too, because the memory is shared by maps of other shapes.

use crate::workers::Workers;
use std::ops::Range;

/// Where the values of a batch of maps lie: image by image, row by row, pixel by pixel, channels
/// together; `border` pixels of zeros on each side of each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub images: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub border: usize,
}

impl Layout {
    /// The same maps with another border.
    pub fn with_border(self, border: usize) -> Layout {
        Layout { border, ..self }
    }

    /// Floats of a row of pixels, border included.
    pub fn row_length(&self) -> usize {
        (self.width + 2 * self.border) * self.channels
    }

    /// Rows of an image, border included.
    pub fn image_rows(&self) -> usize {
        self.height + 2 * self.border
    }

    /// Rows of the batch, borders included.
    pub fn rows(&self) -> usize {
        self.images * self.image_rows()
    }

    /// Floats of the batch, borders included.
    pub fn length(&self) -> usize {
        self.rows() * self.row_length()
    }

    /// First float of a pixel, counted from the corner of the border: pixel (0, 0) of the image
    /// is (`border`, `border`) here.
    pub fn offset(&self, image: usize, row: usize, column: usize) -> usize {
        (image * self.image_rows() + row) * self.row_length() + column * self.channels
    }
}

/// A batch of maps to read.
#[derive(Debug, Clone, Copy)]
pub struct Activation<'a> {
    pub data: &'a [f32],
    pub layout: Layout,
}

/// A batch of maps to write, border included.
#[derive(Debug)]
pub struct ActivationMut<'a> {
    pub data: &'a mut [f32],
    pub layout: Layout,
}

/// Consecutive rows of one image that one task writes, with the border that touches them.
#[derive(Debug)]
pub struct Band<'a> {
    pub data: &'a mut [f32],
    pub layout: Layout,
    pub image: usize,
    /// The rows of the image.
    pub rows: Range<usize>,
}

impl Band<'_> {
    /// First float of pixel (`y`, `x`) of the image in the band's data; `y` is one of its rows.
    pub fn offset(&self, y: usize, x: usize) -> usize {
        let above = if self.rows.start == 0 { self.layout.border } else { 0 };
        (above + y - self.rows.start) * self.layout.row_length()
            + (self.layout.border + x) * self.layout.channels
    }

    fn clear_border(&mut self) {
        let side = self.layout.border * self.layout.channels;
        if side == 0 {
            return;
        }
        let row_length = self.layout.row_length();
        let first = self.offset(self.rows.start, 0) - side;
        let (above, rows) = self.data.split_at_mut(first);
        let (rows, below) = rows.split_at_mut(self.rows.len() * row_length);
        above.fill(0.0);
        below.fill(0.0);
        for row in rows.chunks_exact_mut(row_length) {
            row[..side].fill(0.0);
            row[row_length - side..].fill(0.0);
        }
    }
}

impl ActivationMut<'_> {
    /// Cuts each image into bands of `band_rows` rows, zeros their borders and gives each band to
    /// `write`, on `workers`.
    pub fn for_each_band(
        self,
        band_rows: usize,
        workers: &Workers,
        write: impl Fn(Band<'_>) + Sync,
    ) {
        let layout = self.layout;
        assert_eq!(self.data.len(), layout.length());
        let mut bands = Vec::with_capacity(layout.images * layout.height.div_ceil(band_rows));
        let mut rest = self.data;
        for image in 0..layout.images {
            for start in (0..layout.height).step_by(band_rows) {
                let rows = start..(start + band_rows).min(layout.height);
                let above = if start == 0 { layout.border } else { 0 };
                let below = if rows.end == layout.height { layout.border } else { 0 };
                let length = (above + rows.len() + below) * layout.row_length();
                let (data, after) = std::mem::take(&mut rest).split_at_mut(length);
                bands.push(Some(Band { data, layout, image, rows }));
                rest = after;
            }
        }
        workers.for_each_piece(&mut bands, 1, |_, band| {
            if let Some(mut band) = band[0].take() {
                band.clear_border();
                write(band);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_every_pixel_once_and_clear_the_border() {
        let layout = Layout { images: 2, height: 3, width: 2, channels: 2, border: 1 };
        for band_rows in [1, 2, 3, 100] {
            let mut data = vec![7.0; layout.length()];
            let output = ActivationMut { data: &mut data, layout };
            output.for_each_band(band_rows, &Workers::caller(), |band| {
                for y in band.rows.clone() {
                    let start = band.offset(y, 0);
                    for value in &mut band.data[start..start + 4] {
                        *value += (band.image * 10 + y) as f32;
                    }
                }
            });
            for image in 0..2 {
                for row in 0..5 {
                    for column in 0..4 {
                        let inside = (1..4).contains(&row) && (1..3).contains(&column);
                        let wanted = if inside { (image * 10 + row - 1) as f32 + 7.0 } else { 0.0 };
                        assert_eq!(data[layout.offset(image, row, column)], wanted);
                    }
                }
            }
        }
    }
}

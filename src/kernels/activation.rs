//! Activations: a batch of NHWC maps with a border of zeros around each, in borrowed memory.
//!
//! The border is what a convolution's padding reads, so that the inner loops know no edges.

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

/// Consecutive rows of one image that one task writes, with the border that touches them. Who
/// made the band has written the border.
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
}

//! What a convolution is: its sizes, what is done to its sums, and how its maps lie.

use super::geometry::Geometry;
use crate::kernels::activation::Layout;

/// What is done to the sums of each output channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Nothing.
    Plain,
    /// Scaled and shifted by two inputs that are never trained: a frozen batch norm.
    FrozenNorm,
    /// A trained bias is added.
    Bias,
}

/// Inputs, in this order: the map `[images, height, width, in_channels]`; the weights
/// `[out_channels, in_channels, kernel, kernel]`; then scale and shift, or the bias, each
/// `[out_channels]`; then the residual, of the output's shape. Output: `[images, height', width',
/// out_channels]`. Scale and shift get no gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    pub geometry: Geometry,
    pub images: usize,
    /// Sides of the input map, at least as long as the kernel less the padding.
    pub height: usize,
    pub width: usize,
    pub channels: Channels,
    /// Whether a residual is added.
    pub residual: bool,
    /// Whether negative results become 0.
    pub relu: bool,
}

impl Convolution {
    /// Sides of the output map.
    pub fn output_size(&self) -> (usize, usize) {
        self.geometry.output_size(self.height, self.width)
    }

    pub(super) fn input_layout(&self) -> Layout {
        let Convolution { images, height, width, .. } = *self;
        Layout { images, height, width, channels: self.geometry.in_channels, border: 0 }
    }

    pub(super) fn output_layout(&self) -> Layout {
        let (height, width) = self.output_size();
        let channels = self.geometry.out_channels;
        Layout { images: self.images, height, width, channels, border: 0 }
    }

    /// Where shift or bias, and the residual, are in the list of inputs.
    pub(super) fn places(&self) -> (Option<usize>, Option<usize>) {
        let (shift, next) = match self.channels {
            Channels::Plain => (None, 2),
            Channels::Bias => (Some(2), 3),
            Channels::FrozenNorm => (Some(3), 4),
        };
        (shift, self.residual.then_some(next))
    }
}

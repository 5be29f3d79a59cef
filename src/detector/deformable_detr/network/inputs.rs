//! The tensors of a Deformable DETR that come from outside: images, and what follows from their sizes.

use super::parts::Parts;
use crate::nn::network::{Purpose, TensorId};

/// What the caller fills before each forward; in prediction all but the images once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs {
    /// `[images, height, width, 3]`, normalised; padding is 0.
    pub images: TensorId,
    /// `[images, cells]`.
    pub mask: TensorId,
    /// `[images, levels, 2]`.
    pub valid_shares: TensorId,
    /// `[images, cells, levels, 2]`.
    pub references: TensorId,
    /// `[images, cells, hidden]`.
    pub positions: TensorId,
}

impl Inputs {
    pub fn new(
        parts: &mut Parts<'_>,
        purpose: Purpose,
        (height, width): (usize, usize),
        (cells, levels): (usize, usize),
    ) -> Inputs {
        let (images, columns) = (parts.images, parts.config.hidden_size);
        let mut of_sizes = |length: usize| match purpose {
            Purpose::Training { .. } => parts.builder.network.data(length),
            Purpose::Prediction => parts.builder.network.constant(length),
        };
        Inputs {
            mask: of_sizes(images * cells),
            valid_shares: of_sizes(images * levels * 2),
            references: of_sizes(images * cells * levels * 2),
            positions: of_sizes(images * cells * columns),
            images: parts.builder.network.data(images * height * width * 3),
        }
    }
}

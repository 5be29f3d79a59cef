//! The operations of a ResNet, for encoders and detectors alike.
//!
//! He et al., CVPR 2016, with frozen batch norms, which the convolutions apply to their sums.

use super::architecture::{Architecture, Block, NORM_PARTS, NamedConvolution, STAGES};
use crate::nn::network::TensorId;
use crate::nn::network::named::NamedBuilder;
use crate::nn::ops::convolution::{Channels, Convolution, Geometry};
use crate::nn::ops::frozen_norm::{FrozenNorm, Part};
use crate::nn::ops::max_pool::{MaxPool, Window};
use crate::{Error, Result};

/// The pool after the stem.
const POOL: Window = Window { window: 3, stride: 2, padding: 1 };

/// A batch of maps, `[images, height, width, channels]`.
#[derive(Debug, Clone, Copy)]
pub struct Map {
    pub tensor: TensorId,
    pub images: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

/// Adds a ResNet.
#[derive(Debug)]
pub struct ResNetOperations<'a, 'b> {
    pub builder: &'a mut NamedBuilder<'b>,
    pub architecture: Architecture,
    /// What comes before torchvision's names in those of the parameters.
    pub prefix: &'static str,
}

impl ResNetOperations<'_, '_> {
    /// The maps of the first `stages` stages, finest first, of normalised images with three channels.
    ///
    /// # Errors
    /// [`Error::Internal`] for a parameter that the table lacks.
    pub fn maps(&mut self, images: Map, stages: usize) -> Result<Vec<Map>> {
        let mut layers = self.architecture.convolutions().into_iter();
        let mut next = || {
            layers.next().ok_or_else(|| Error::Internal {
                reason: "the backbone has fewer convolutions than blocks".into(),
            })
        };
        let stem = self.convolve(&next()?, images, None, true)?;
        let mut map = self.pool(stem);
        let mut maps = Vec::with_capacity(STAGES);
        for stage in 0..stages {
            for index in 0..self.architecture.blocks[stage] {
                let count = self.architecture.block_convolutions();
                let block = (0..count).map(|_| next()).collect::<Result<Vec<_>>>()?;
                let residual = match self.architecture.has_shortcut(stage, index) {
                    true => self.convolve(&next()?, map, None, false)?,
                    false => map,
                };
                let inner = self.convolve(&block[0], map, None, true)?;
                map = match self.architecture.block {
                    Block::Basic => self.convolve(&block[1], inner, Some(residual), true)?,
                    Block::Bottleneck => {
                        let middle = self.convolve(&block[1], inner, None, true)?;
                        self.convolve(&block[2], middle, Some(residual), true)?
                    }
                };
            }
            maps.push(map);
        }
        Ok(maps)
    }

    fn convolve(
        &mut self,
        layer: &NamedConvolution,
        input: Map,
        residual: Option<Map>,
        relu: bool,
    ) -> Result<Map> {
        let (builder, prefix) = (&mut *self.builder, self.prefix);
        let weights = builder.parameter(&format!("{prefix}{}.weight", layer.name))?;
        let mut norm = Vec::with_capacity(NORM_PARTS.len());
        for part in NORM_PARTS {
            norm.push(builder.parameter(&format!("{prefix}{}.{part}", layer.norm))?);
        }
        let channels = layer.geometry.out_channels;
        let factor = builder.network.add(FrozenNorm { channels, part: Part::Factor }, &norm);
        let shift = builder.network.add(FrozenNorm { channels, part: Part::Shift }, &norm);
        let operation = convolution(layer.geometry, input, Channels::FrozenNorm);
        let operation = Convolution { residual: residual.is_some(), relu, ..operation };
        let (height, width) = operation.output_size();
        let mut inputs = vec![input.tensor, weights, factor, shift];
        inputs.extend(residual.map(|map| map.tensor));
        let tensor = builder.network.add(operation, &inputs);
        Ok(Map { tensor, height, width, channels, ..input })
    }

    fn pool(&mut self, input: Map) -> Map {
        let Map { images, height, width, channels, .. } = input;
        let operation = MaxPool { geometry: POOL, images, height, width, channels };
        let (height, width) = POOL.output_size(height, width);
        let tensor = self.builder.network.add(operation, &[input.tensor]);
        Map { tensor, height, width, ..input }
    }
}

/// A convolution over a map, without residual and ReLU.
pub fn convolution(geometry: Geometry, input: Map, channels: Channels) -> Convolution {
    let Map { images, height, width, .. } = input;
    Convolution { geometry, images, height, width, channels, residual: false, relu: false }
}

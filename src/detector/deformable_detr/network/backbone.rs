//! The ResNet under the detector, trainable, and the projections of its maps to one width.
//!
//! He et al., CVPR 2016, with frozen batch norms; then as Deformable DETR: 1x1 convolutions and group
//! norms, and for the coarsest level a 3x3 convolution of stride 2 on the deepest map.

use super::super::batch_geometry::BatchGeometry;
use super::super::config::PROJECTION_GROUPS;
use super::super::names::BACKBONE_PREFIX;
use super::frozen_norm::{FrozenNorm, Part};
use super::parts::{Parts, Rows};
use crate::Result;
use crate::backbone::architecture::{Block, NORM_PARTS, NamedConvolution, STAGES};
use crate::nn::convolution::Geometry;
use crate::nn::max_pool::MaxPool as Window;
use crate::nn::network::TensorId;
use crate::nn::ops::concatenate::Concatenate;
use crate::nn::ops::convolution::{Channels, Convolution};
use crate::nn::ops::group_norm::GroupNorm;
use crate::nn::ops::max_pool::MaxPool;

/// The pool after the stem.
const POOL: Window = Window { window: 3, stride: 2, padding: 1 };
/// Added to variances by the group norms (torch's default).
const EPSILON: f64 = 1e-5;

/// A batch of maps, `[images, height, width, channels]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Map {
    tensor: TensorId,
    height: usize,
    width: usize,
    channels: usize,
}

/// The maps of the four stages, finest first.
pub(super) fn maps(
    parts: &mut Parts<'_>,
    images: TensorId,
    height: usize,
    width: usize,
) -> Result<Vec<Map>> {
    let architecture = parts.config.architecture()?;
    let mut layers = architecture.convolutions().into_iter();
    let mut next = || {
        layers.next().ok_or_else(|| crate::Error::Internal {
            reason: "the backbone has fewer convolutions than blocks".into(),
        })
    };
    let input = Map { tensor: images, height, width, channels: 3 };
    let stem = convolve(parts, &next()?, input, None, true)?;
    let mut map = pool(parts, stem);
    let mut maps = Vec::with_capacity(STAGES);
    for stage in 0..STAGES {
        for index in 0..architecture.blocks[stage] {
            let count = architecture.block_convolutions();
            let block = (0..count).map(|_| next()).collect::<Result<Vec<_>>>()?;
            let residual = match architecture.has_shortcut(stage, index) {
                true => convolve(parts, &next()?, map, None, false)?,
                false => map,
            };
            let inner = convolve(parts, &block[0], map, None, true)?;
            map = match architecture.block {
                Block::Basic => convolve(parts, &block[1], inner, Some(residual), true)?,
                Block::Bottleneck => {
                    let middle = convolve(parts, &block[1], inner, None, true)?;
                    convolve(parts, &block[2], middle, Some(residual), true)?
                }
            };
        }
        maps.push(map);
    }
    Ok(maps)
}

fn convolve(
    parts: &mut Parts<'_>,
    layer: &NamedConvolution,
    input: Map,
    residual: Option<Map>,
    relu: bool,
) -> Result<Map> {
    let weights = parts.parameter(&format!("{BACKBONE_PREFIX}{}.weight", layer.name))?;
    let mut norm = Vec::with_capacity(NORM_PARTS.len());
    for part in NORM_PARTS {
        norm.push(parts.parameter(&format!("{BACKBONE_PREFIX}{}.{part}", layer.norm))?);
    }
    let channels = layer.geometry.out_channels;
    let factor = parts.network.add(FrozenNorm { channels, part: Part::Factor }, &norm);
    let shift = parts.network.add(FrozenNorm { channels, part: Part::Shift }, &norm);
    let operation = Convolution {
        geometry: layer.geometry,
        images: parts.images,
        height: input.height,
        width: input.width,
        channels: Channels::FrozenNorm,
        residual: residual.is_some(),
        relu,
    };
    let (height, width) = operation.output_size();
    let mut inputs = vec![input.tensor, weights, factor, shift];
    inputs.extend(residual.map(|map| map.tensor));
    Ok(Map { tensor: parts.network.add(operation, &inputs), height, width, channels })
}

fn pool(parts: &mut Parts<'_>, input: Map) -> Map {
    let Map { height, width, channels, .. } = input;
    let images = parts.images;
    let operation = MaxPool { geometry: POOL, images, height, width, channels };
    let (height, width) = POOL.output_size(height, width);
    Map { tensor: parts.network.add(operation, &[input.tensor]), height, width, channels }
}

/// The cells of all levels, `[images * cells, hidden]`, finest level first in each image.
pub(super) fn project(
    parts: &mut Parts<'_>,
    maps: &[Map],
    geometry: &BatchGeometry,
) -> Result<Rows> {
    let stages = parts.config.stages();
    let mut levels: Vec<(Map, Geometry)> = Vec::new();
    for &map in &maps[stages] {
        levels.push((map, projection(map.channels, parts.config.hidden_size, 1, 1)));
    }
    if parts.config.has_extra_level() {
        let map = maps[STAGES - 1];
        levels.push((map, projection(map.channels, parts.config.hidden_size, 3, 2)));
    }
    let mut tensors = Vec::with_capacity(levels.len());
    for (level, (map, shape)) in levels.into_iter().enumerate() {
        tensors.push(project_level(parts, level, map, shape)?);
    }
    let columns = parts.config.hidden_size;
    let cells = geometry.levels.iter().map(|(height, width)| height * width * columns);
    let operation = Concatenate::new(parts.images, cells.collect());
    let rows = parts.images * geometry.cells_count();
    Ok(Rows { tensor: parts.network.add(operation, &tensors), rows, columns })
}

fn projection(in_channels: usize, out_channels: usize, kernel: usize, stride: usize) -> Geometry {
    Geometry { in_channels, out_channels, kernel, stride, padding: kernel / 2 }
}

fn project_level(
    parts: &mut Parts<'_>,
    level: usize,
    map: Map,
    geometry: Geometry,
) -> Result<TensorId> {
    let parameters = ["0.weight", "0.bias", "1.weight", "1.bias"];
    let mut inputs = Vec::with_capacity(parameters.len());
    for part in parameters {
        inputs.push(parts.parameter(&format!("input_proj.{level}.{part}"))?);
    }
    let operation = Convolution {
        geometry,
        images: parts.images,
        height: map.height,
        width: map.width,
        channels: Channels::Bias,
        residual: false,
        relu: false,
    };
    let (height, width) = operation.output_size();
    let projected = parts.network.add(operation, &[map.tensor, inputs[0], inputs[1]]);
    let norm = GroupNorm {
        images: parts.images,
        pixels: height * width,
        channels: geometry.out_channels,
        groups: PROJECTION_GROUPS,
        epsilon: EPSILON,
    };
    Ok(parts.network.add(norm, &[projected, inputs[2], inputs[3]]))
}

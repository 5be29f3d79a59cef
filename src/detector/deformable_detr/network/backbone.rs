//! The ResNet under the detector, trainable, and the projections of its maps to one width.
//!
//! The ResNet is [`ResNetOperations`]; the rest is as Deformable DETR has it: 1x1 convolutions and group
//! norms, and for the coarsest level a 3x3 convolution of stride 2 on the deepest map.

use super::super::batch_geometry::BatchGeometry;
use super::super::names::BACKBONE_PREFIX;
use super::parts::{Parts, Rows};
use crate::Result;
use crate::backbone::architecture::STAGES;
use crate::backbone::operations::{Map, ResNetOperations, convolution};
use crate::detector::deformable_detr::sizes::{PROJECTION_GROUPS, has_extra_level, stages};
use crate::nn::network::TensorId;
use crate::nn::ops::concatenate::Concatenate;
use crate::nn::ops::convolution::{Channels, Geometry};
use crate::nn::ops::group_norm::GroupNorm;

/// Added to variances by the group norms (torch's default).
const EPSILON: f64 = 1e-5;

/// The cells of all levels, `[images * cells, hidden]`, finest level first in each image.
pub(super) fn cells(parts: &mut Parts<'_>, images: Map, geometry: &BatchGeometry) -> Result<Rows> {
    let architecture = parts.config.architecture()?;
    let (builder, prefix) = (&mut parts.builder, BACKBONE_PREFIX);
    let maps = ResNetOperations { builder, architecture, prefix }.maps(images, STAGES)?;
    let stages = stages(parts.config);
    let mut levels: Vec<(Map, Geometry)> = Vec::new();
    for &map in &maps[stages] {
        levels.push((map, projection(map.channels, parts.config.hidden_size, 1, 1)));
    }
    if has_extra_level(parts.config) {
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
    Ok(Rows { tensor: parts.builder.network.add(operation, &tensors), rows, columns })
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
        inputs.push(parts.builder.parameter(&format!("input_proj.{level}.{part}"))?);
    }
    let operation = convolution(geometry, map, Channels::Bias);
    let (height, width) = operation.output_size();
    let projected = parts.builder.network.add(operation, &[map.tensor, inputs[0], inputs[1]]);
    let norm = GroupNorm {
        images: parts.images,
        pixels: height * width,
        channels: geometry.out_channels,
        groups: PROJECTION_GROUPS,
        epsilon: EPSILON,
    };
    Ok(parts.builder.network.add(norm, &[projected, inputs[2], inputs[3]]))
}

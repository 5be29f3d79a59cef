//! The ResNet with its batch norms folded into the convolutions, and the projections of its maps.

use super::parts::{EPSILON, Parts};
use crate::backbone::architecture::{NORM_PARTS, NamedConvolution, STAGES};
use crate::detector::deformable_detr::names::BACKBONE_PREFIX;
use crate::detector::deformable_detr::sizes::{PROJECTION_GROUPS, has_extra_level, stages};
use crate::detector::onnx::graph::{Attribute, Value};
use crate::nn::batch_norm::BatchNorm;
use crate::nn::ops::convolution::Geometry;
use crate::{Error, Result};

/// The maps of the four stages, `[batch, channels, height, width]`, finest first.
pub(super) fn maps(parts: &mut Parts<'_>, images: &Value) -> Result<Vec<Value>> {
    let architecture = parts.config().architecture()?;
    let mut layers = architecture.convolutions().into_iter();
    let mut next = || {
        layers.next().ok_or_else(|| Error::Internal {
            reason: "the backbone has fewer convolutions than blocks".into(),
        })
    };
    let stem = convolve(parts, &next()?, images)?;
    let stem = parts.relu(&stem);
    let mut map = parts.graph.node(
        "MaxPool",
        &[&stem],
        &[
            Attribute::Integers("kernel_shape", vec![3, 3]),
            Attribute::Integers("strides", vec![2, 2]),
            Attribute::Integers("pads", vec![1; 4]),
        ],
    );
    let mut maps = Vec::with_capacity(STAGES);
    for stage in 0..STAGES {
        for index in 0..architecture.blocks[stage] {
            let count = architecture.block_convolutions();
            let block = (0..count).map(|_| next()).collect::<Result<Vec<_>>>()?;
            let residual = match architecture.has_shortcut(stage, index) {
                true => convolve(parts, &next()?, &map)?,
                false => map.clone(),
            };
            for (place, layer) in block.iter().enumerate() {
                map = convolve(parts, layer, &map)?;
                if place + 1 < block.len() {
                    map = parts.relu(&map);
                }
            }
            map = parts.graph.add(&map, &residual);
            map = parts.relu(&map);
        }
        maps.push(map.clone());
    }
    Ok(maps)
}

/// A convolution and the batch norm after it.
fn convolve(parts: &mut Parts<'_>, layer: &NamedConvolution, input: &Value) -> Result<Value> {
    let name = format!("{BACKBONE_PREFIX}{}", layer.name);
    let part = |part: &str| parts.values(&format!("{BACKBONE_PREFIX}{}.{part}", layer.norm));
    let [scale, shift, mean, variance] = NORM_PARTS.map(part);
    let norm = BatchNorm { scale: scale?, shift: shift?, mean: mean?, variance: variance? };
    let (weights, bias) = norm.fold(parts.values(&format!("{name}.weight"))?);
    Ok(convolution(parts, &name, &layer.geometry, input, &weights, &bias))
}

fn convolution(
    parts: &mut Parts<'_>,
    name: &str,
    geometry: &Geometry,
    input: &Value,
    weights: &[f32],
    bias: &[f32],
) -> Value {
    let Geometry { in_channels, out_channels, kernel, stride, padding } = *geometry;
    let weights = parts.graph.floats(name, &[out_channels, in_channels, kernel, kernel], weights);
    let bias = parts.graph.floats(name, &[out_channels], bias);
    let attributes = [
        Attribute::Integers("kernel_shape", vec![kernel as i64; 2]),
        Attribute::Integers("strides", vec![stride as i64; 2]),
        Attribute::Integers("pads", vec![padding as i64; 4]),
    ];
    parts.graph.node("Conv", &[input, &weights, &bias], &attributes)
}

/// The cells of all levels, `[batch, cells, hidden]`, finest level first, and the levels' maps, which
/// have their sizes.
pub(super) fn project(parts: &mut Parts<'_>, maps: &[Value]) -> Result<(Value, Vec<Value>)> {
    let config = parts.config();
    let architecture = config.architecture()?;
    let mut sources: Vec<(usize, usize, usize)> =
        stages(config).map(|stage| (stage, 1, 1)).collect();
    if has_extra_level(config) {
        sources.push((STAGES - 1, 3, 2));
    }
    let (mut cells, mut levels) = (Vec::new(), Vec::new());
    for (level, (stage, kernel, stride)) in sources.into_iter().enumerate() {
        let geometry = Geometry {
            in_channels: architecture.stage_channels(stage),
            out_channels: config.hidden_size,
            kernel,
            stride,
            padding: kernel / 2,
        };
        let name = format!("input_proj.{level}.0");
        let (weights, bias) =
            (parts.values(&format!("{name}.weight"))?, parts.values(&format!("{name}.bias"))?);
        let map = convolution(parts, &name, &geometry, &maps[stage], weights, bias);
        let rows = group_norm(parts, &format!("input_proj.{level}.1"), &map)?;
        cells.push(parts.graph.transpose(&rows, &[0, 2, 1]));
        levels.push(map);
    }
    Ok((parts.graph.concatenate(&cells, 1), levels))
}

/// Group normalisation of `[batch, channels, height, width]`: `[batch, channels, cells]`. Operators
/// before version 21 have none that is usable; each group is one channel of an instance norm.
fn group_norm(parts: &mut Parts<'_>, name: &str, map: &Value) -> Result<Value> {
    let channels = parts.config().hidden_size;
    let groups = PROJECTION_GROUPS;
    let grouped = parts.graph.reshape(map, &[0, groups as i64, -1]);
    let ones = parts.graph.floats("ones", &[groups], &vec![1.0; groups]);
    let zeros = parts.graph.floats("zeros", &[groups], &vec![0.0; groups]);
    let epsilon = [Attribute::Float("epsilon", EPSILON)];
    let normal = parts.graph.node("InstanceNormalization", &[&grouped, &ones, &zeros], &epsilon);
    let normal = parts.graph.reshape(&normal, &[0, channels as i64, -1]);
    let weight = parts.parameter(&format!("{name}.weight"), &[channels, 1])?;
    let bias = parts.parameter(&format!("{name}.bias"), &[channels, 1])?;
    let scaled = parts.graph.multiply(&normal, &weight);
    Ok(parts.graph.add(&scaled, &bias))
}

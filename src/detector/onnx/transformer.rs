//! The encoder's and the decoder's layers, and the heads that read the last one.

use super::attention::{References, as_grid, attend, attended, look_at_each_other};
use super::graph::{Attribute, Value};
use super::parts::Parts;
use crate::Result;
use crate::detector::deformable_detr::batch_geometry::GeometryTensors;
use crate::detector::deformable_detr::names::heads_count;
use crate::nn::ops::sine_positions::sine_positions;

/// Least value of both terms of an inverse sigmoid (official code).
const EPSILON: f32 = 1e-5;

/// The cells after the encoder's layers, `[batch, cells, hidden]`.
pub(super) fn encode(parts: &mut Parts<'_>, cells: Value) -> Result<Value> {
    let (positions, references) = places(parts)?;
    let references = References::Points(references);
    let (mut cells, count) = (cells, parts.geometry.cells_count());
    for layer in 0..parts.config().encoder_layers_count {
        let name = format!("transformer.encoder.layers.{layer}");
        let attention = format!("{name}.self_attn");
        let looking = parts.graph.add(&cells, &positions);
        let maps = attended(parts, &attention, &cells)?;
        let change = attend(parts, &attention, &looking, count, &maps, &references)?;
        cells = parts.residual_norm(&format!("{name}.norm1"), &cells, &change)?;
        cells = parts.feedforward(&name, "norm2", &cells)?;
    }
    Ok(cells)
}

/// Positions of the cells, `[1, cells, hidden]`, and where they look, `[1, cells, 1, levels, 1, 2]`:
/// those of images without padding.
fn places(parts: &mut Parts<'_>) -> Result<(Value, Value)> {
    let (hidden, cells) = (parts.config().hidden_size, parts.geometry.cells_count());
    let levels = parts.geometry.levels.len();
    let (mut mask, mut shares) = (vec![0.0; cells], vec![0.0; levels * 2]);
    let mut references = vec![0.0; cells * levels * 2];
    let (height, width) = (parts.geometry.height, parts.geometry.width);
    let mut tensors =
        GeometryTensors { mask: &mut mask, valid_shares: &mut shares, references: &mut references };
    parts.geometry.fill(&[[height as u32, width as u32]], &mut tensors);
    let of_levels = parts.values("transformer.level_embed")?;
    let mut positions = vec![0.0; cells * hidden];
    let (mut masks, mut targets) = (&mask[..], &mut positions[..]);
    for (&(height, width), of_level) in
        parts.geometry.levels.iter().zip(of_levels.chunks_exact(hidden))
    {
        let (mask, masks_left) = masks.split_at(height * width);
        let (target, left) = targets.split_at_mut(height * width * hidden);
        sine_positions(mask, (height, width), hidden / 2, target);
        for row in target.chunks_exact_mut(hidden) {
            row.iter_mut().zip(of_level).for_each(|(sum, of_level)| *sum += of_level);
        }
        (masks, targets) = (masks_left, left);
    }
    references.iter_mut().for_each(|share| *share = 2.0 * *share - 1.0);
    let positions = parts.graph.floats("positions", &[1, cells, hidden], &positions);
    let references = parts.graph.floats("references", &[1, cells, 1, levels, 1, 2], &references);
    Ok((positions, references))
}

/// Logits `[batch, queries, classes]` and boxes `[batch, queries, 4]` of the last layer.
pub(super) fn decode(
    parts: &mut Parts<'_>,
    memory: &Value,
    images: &Value,
) -> Result<(Value, Value)> {
    let config = parts.config();
    let count = config.queries_count;
    let (positions, mut queries) = queries(parts, images)?;
    let points = parts.linear("transformer.reference_points", &positions, 2)?;
    let points = parts.graph.node("Sigmoid", &[&points], &[]);
    let mut correctable = inverse_sigmoid(parts, &points);
    let nothing = parts.graph.floats("zeros", &[1, count, 2], &vec![0.0; count * 2]);
    correctable = parts.graph.concatenate(&[correctable, nothing], 2);
    let grid = as_grid(parts, &points);
    let mut references =
        References::Points(parts.graph.reshape(&grid, &[1, count as i64, 1, 1, 1, 2]));
    let mut boxes = None;
    for layer in 0..config.decoder_layers_count {
        let name = format!("transformer.decoder.layers.{layer}");
        let attention = format!("{name}.self_attn");
        let change = look_at_each_other(parts, &attention, &queries, &positions)?;
        queries = parts.residual_norm(&format!("{name}.norm2"), &queries, &change)?;
        let attention = format!("{name}.cross_attn");
        let looking = parts.graph.add(&queries, &positions);
        let maps = attended(parts, &attention, memory)?;
        let change = attend(parts, &attention, &looking, count, &maps, &references)?;
        queries = parts.residual_norm(&format!("{name}.norm1"), &queries, &change)?;
        queries = parts.feedforward(&name, "norm3", &queries)?;
        let last = layer + 1 == config.decoder_layers_count;
        if last || config.box_refinement {
            let found = boxes_of(parts, layer % heads_count(config), &queries, &correctable)?;
            if !last {
                correctable = inverse_sigmoid(parts, &found);
                references = References::Boxes(found.clone());
            }
            boxes = Some(found);
        }
    }
    let head = (config.decoder_layers_count - 1) % heads_count(config);
    let logits = parts.linear(&format!("class_embed.{head}"), &queries, config.classes_count)?;
    // A valid configuration has at least one layer.
    let boxes = boxes.ok_or_else(|| crate::Error::invalid("decoder_layers_count", "0"))?;
    Ok((logits, boxes))
}

/// Positions `[1, queries, hidden]`, and contents for every image, `[batch, queries, hidden]`.
fn queries(parts: &mut Parts<'_>, images: &Value) -> Result<(Value, Value)> {
    let (count, hidden) = (parts.config().queries_count, parts.config().hidden_size);
    let learned = parts.values("query_embed.weight")?;
    let half = |first: usize| -> Vec<f32> {
        learned
            .chunks_exact(2 * hidden)
            .flat_map(|row| &row[first..first + hidden])
            .copied()
            .collect()
    };
    let shape = [1, count, hidden];
    let positions = parts.graph.floats("query_positions", &shape, &half(0));
    let contents = parts.graph.floats("query_contents", &shape, &half(hidden));
    let first = [Attribute::Integer("start", 0), Attribute::Integer("end", 1)];
    let batch = parts.graph.node("Shape", &[images], &first);
    let sides = parts.graph.integers(&[count as i64, hidden as i64]);
    let shape = parts.graph.concatenate(&[batch, sides], 0);
    Ok((positions, parts.graph.node("Expand", &[&contents, &shape], &[])))
}

/// sigmoid(correction + `correctable`).
fn boxes_of(
    parts: &mut Parts<'_>,
    head: usize,
    queries: &Value,
    correctable: &Value,
) -> Result<Value> {
    let hidden = parts.config().hidden_size;
    let mut rows = queries.clone();
    for (layer, outputs) in [hidden, hidden, 4].into_iter().enumerate() {
        rows = parts.linear(&format!("bbox_embed.{head}.layers.{layer}"), &rows, outputs)?;
        if layer < 2 {
            rows = parts.relu(&rows);
        }
    }
    let corrected = parts.graph.add(&rows, correctable);
    Ok(parts.graph.node("Sigmoid", &[&corrected], &[]))
}

/// ln(x / (1 - x)), both terms at least [`EPSILON`].
fn inverse_sigmoid(parts: &mut Parts<'_>, shares: &Value) -> Value {
    let (one, least) = (parts.graph.number(1.0), parts.graph.number(EPSILON));
    let rest = parts.graph.node("Sub", &[&one, shares], &[]);
    let above = parts.graph.node("Max", &[shares, &least], &[]);
    let below = parts.graph.node("Max", &[&rest, &least], &[]);
    let quotient = parts.graph.node("Div", &[&above, &below], &[]);
    parts.graph.node("Log", &[&quotient], &[])
}

//! The encoder's and the decoder's layers, and the heads that read the last one.

use super::attention::{References, as_grid, attend, attended, look_at_each_other};
use super::parts::Parts;
use super::sizes::Sizes;
use crate::Result;
use crate::detector::deformable_detr::sizes::heads_count;
use crate::detector::onnx::graph::{Attribute, Value};

/// Least value of both terms of an inverse sigmoid (official code).
const EPSILON: f32 = 1e-5;

/// The cells after the encoder's layers, `[batch, cells, hidden]`.
pub(super) fn encode(parts: &mut Parts<'_>, mut cells: Value, sizes: &Sizes) -> Result<Value> {
    let references =
        References::Points { points: sizes.centres.clone(), cells: sizes.cells.clone() };
    for layer in 0..parts.config().encoder_layers_count {
        let name = format!("transformer.encoder.layers.{layer}");
        let attention = format!("{name}.self_attn");
        let looking = parts.graph.add(&cells, &sizes.positions);
        let maps = attended(parts, &attention, &cells, sizes)?;
        let change = attend(parts, &attention, &looking, &maps, &sizes.grids, &references)?;
        cells = parts.residual_norm(&format!("{name}.norm1"), &cells, &change)?;
        cells = parts.feedforward(&name, "norm2", &cells)?;
    }
    Ok(cells)
}

/// Logits `[batch, queries, classes]` and boxes `[batch, queries, 4]` of the last layer.
pub(super) fn decode(
    parts: &mut Parts<'_>,
    memory: &Value,
    images: &Value,
    sizes: &Sizes,
) -> Result<(Value, Value)> {
    let config = parts.config();
    let count = config.queries_count;
    let grids = parts.graph.integers(&[-1, count as i64, config.points_count as i64, 2]);
    let (positions, mut queries) = queries(parts, images)?;
    let points = parts.linear("transformer.reference_points", &positions, 2)?;
    let points = parts.graph.node("Sigmoid", &[&points], &[]);
    let mut correctable = inverse_sigmoid(parts, &points);
    let nothing = parts.graph.floats("zeros", &[1, count, 2], &vec![0.0; count * 2]);
    correctable = parts.graph.concatenate(&[correctable, nothing], 2);
    let points = as_grid(parts, &points);
    let points = parts.graph.reshape(&points, &[1, count as i64, 1, 1, 1, 2]);
    let mut references = References::Points { points, cells: sizes.cells.clone() };
    let mut boxes = None;
    for layer in 0..config.decoder_layers_count {
        let name = format!("transformer.decoder.layers.{layer}");
        let attention = format!("{name}.self_attn");
        let change = look_at_each_other(parts, &attention, &queries, &positions)?;
        queries = parts.residual_norm(&format!("{name}.norm2"), &queries, &change)?;
        let attention = format!("{name}.cross_attn");
        let looking = parts.graph.add(&queries, &positions);
        let maps = attended(parts, &attention, memory, sizes)?;
        let change = attend(parts, &attention, &looking, &maps, &grids, &references)?;
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

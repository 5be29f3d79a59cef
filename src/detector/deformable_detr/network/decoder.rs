//! The decoder: queries look at each other, then at sampled cells; heads read every layer.
//!
//! With box refinement each layer's boxes are the next layer's references, through which no
//! gradient flows (Zhu et al., A.4). With look forward twice the next layer's boxes are corrections of
//! boxes through which one does, to this layer's correction and no further (DINO, §3.5).

use super::super::batch_geometry::BatchGeometry;
use super::super::sizes::heads_count;
use super::encoder::{References, attend, attended};
use super::inputs::Inputs;
use super::parts::{Parts, Rows};
use crate::Result;
use crate::nn::network::TensorId;
use crate::nn::ops::attention::Attention;
use crate::nn::ops::box_refinement::BoxRefinement;
use crate::nn::ops::embedding::Embedding;
use crate::nn::ops::level_references::LevelReferences;
use crate::nn::ops::sigmoid::Sigmoid;
use crate::nn::ops::slice::Slice;

/// Logits and boxes of every layer.
pub(super) fn decode(
    parts: &mut Parts<'_>,
    memory: Rows,
    inputs: &Inputs,
    geometry: &BatchGeometry,
) -> Result<(Vec<TensorId>, Vec<TensorId>)> {
    let [position, content] = queries(parts)?;
    let points = parts.linear("transformer.reference_points", position, 2, false)?;
    let sigmoid = Sigmoid { length: points.rows * points.columns };
    // Where queries look, and what their boxes correct: of the same numbers, but for the gradient.
    let mut reference =
        Reference { tensor: parts.builder.network.add(sigmoid, &[points.tensor]), coordinates: 2 };
    let mut corrected = reference;
    let (mut logits, mut boxes) = (Vec::new(), Vec::new());
    let mut queries = content;
    let last = parts.config.decoder_layers_count - 1;
    for layer in 0..=last {
        let name = format!("transformer.decoder.layers.{layer}");
        queries = look_at_each_other(parts, &name, queries, position)?;
        let looking = parts.add(queries, position.tensor);
        let attention = format!("{name}.cross_attn");
        let values = attended(parts, &attention, memory, inputs)?;
        let references = in_levels(parts, &reference, inputs, geometry);
        let change = attend(parts, &attention, looking, values, &references, geometry)?;
        queries = parts.residual_norm(&format!("{name}.norm1"), queries, change)?;
        queries = parts.feedforward(&name, "norm3", queries)?;
        let head = layer % heads_count(parts.config);
        let classes = parts.config.classes_count;
        logits.push(parts.linear(&format!("class_embed.{head}"), queries, classes, false)?.tensor);
        let correction = correction(parts, head, queries)?;
        let found = boxes_of(parts, correction, &corrected);
        boxes.push(found);
        if parts.config.box_refinement {
            let boxes = |tensor| Reference { tensor, coordinates: 4 };
            corrected = match parts.config.look_forward_twice {
                // The first layer's references are not detached.
                true if layer == 0 => boxes(found),
                // Of the last layer nobody corrects them.
                true if layer < last => boxes(boxes_of(parts, correction, &reference)),
                _ => boxes(found.detached()),
            };
            reference = boxes(found.detached());
        }
    }
    Ok((logits, boxes))
}

/// Reference points or boxes `[images, queries, coordinates]` in shares of the image.
#[derive(Clone, Copy)]
struct Reference {
    tensor: TensorId,
    coordinates: usize,
}

/// Position and content of every query, once for each image.
fn queries(parts: &mut Parts<'_>) -> Result<[Rows; 2]> {
    let (hidden, queries) = (parts.config.hidden_size, queries_of_image(parts));
    let learned = parts.builder.part_of("query_embed.weight", 0..queries * 2 * hidden)?;
    let batch = parts.images;
    Ok([0, hidden].map(|first| {
        let half = Slice::new(queries, 2 * hidden, first..first + hidden);
        let half = parts.builder.network.add(half, &[learned]);
        let operation = Embedding { batch, rows: queries, columns: hidden };
        let tensor = parts.builder.network.add(operation, &[half]);
        Rows { tensor, rows: batch * queries, columns: hidden }
    }))
}

/// Queries of all groups of an image.
fn queries_of_image(parts: &Parts<'_>) -> usize {
    parts.groups * parts.config.queries_count
}

/// Self-attention of the queries of each group. The joint projection's rows are those of queries, keys and values.
fn look_at_each_other(
    parts: &mut Parts<'_>,
    name: &str,
    queries: Rows,
    position: Rows,
) -> Result<Rows> {
    let hidden = parts.config.hidden_size;
    let looking = parts.add(queries, position.tensor);
    let mut projected = Vec::with_capacity(3);
    for (part, rows) in [looking, looking, queries].into_iter().enumerate() {
        let weight = part * hidden * hidden..(part + 1) * hidden * hidden;
        let weight = parts.builder.part_of(&format!("{name}.self_attn.in_proj_weight"), weight)?;
        let bias = part * hidden..(part + 1) * hidden;
        let bias = parts.builder.part_of(&format!("{name}.self_attn.in_proj_bias"), bias)?;
        projected.push(parts.linear_of(rows, weight, bias, hidden, false).tensor);
    }
    let count = parts.config.queries_count;
    let heads = parts.config.heads_count;
    let attention = Attention {
        batch: parts.images * parts.groups,
        queries: count,
        keys: count,
        heads,
        dim: hidden / heads,
        masked: false,
        dropout: parts.thinning(),
    };
    let found = Rows { tensor: parts.builder.network.add(attention, &projected), ..queries };
    let change = parts.linear(&format!("{name}.self_attn.out_proj"), found, hidden, false)?;
    parts.residual_norm(&format!("{name}.norm2"), queries, change)
}

fn in_levels(
    parts: &mut Parts<'_>,
    reference: &Reference,
    inputs: &Inputs,
    geometry: &BatchGeometry,
) -> References {
    let operation = LevelReferences {
        batch: parts.images,
        queries: queries_of_image(parts),
        levels: geometry.levels.len(),
        coordinates: reference.coordinates,
    };
    let tensor = parts.builder.network.add(operation, &[reference.tensor, inputs.valid_shares]);
    References { tensor, coordinates: reference.coordinates }
}

/// What the box head says of every query.
fn correction(parts: &mut Parts<'_>, head: usize, queries: Rows) -> Result<Rows> {
    let hidden = parts.config.hidden_size;
    let mut rows = queries;
    for (layer, outputs) in [hidden, hidden, 4].into_iter().enumerate() {
        let name = format!("bbox_embed.{head}.layers.{layer}");
        rows = parts.linear(&name, rows, outputs, layer < 2)?;
    }
    Ok(rows)
}

fn boxes_of(parts: &mut Parts<'_>, correction: Rows, reference: &Reference) -> TensorId {
    let operation = BoxRefinement { rows: correction.rows, coordinates: reference.coordinates };
    parts.builder.network.add(operation, &[correction.tensor, reference.tensor])
}

//! The encoder: every cell of every level looks at sampled cells of all levels.

use super::super::batch_geometry::BatchGeometry;
use super::inputs::Inputs;
use super::parts::{Parts, Rows};
use crate::Result;
use crate::nn::network::TensorId;
use crate::nn::ops::deformable_attention::DeformableAttention;
use crate::nn::ops::level_embedding::LevelEmbedding;
use crate::nn::ops::mask_rows::MaskRows;
use crate::nn::ops::sampling_locations::SamplingLocations;
use crate::nn::ops::softmax::Softmax;

/// The cells after the encoder's layers, `[images * cells, hidden]`.
pub(super) fn encode(
    parts: &mut Parts<'_>,
    cells: Rows,
    inputs: &Inputs,
    geometry: &BatchGeometry,
) -> Result<Rows> {
    let positions = positions(parts, inputs, geometry)?;
    let mut cells = cells;
    for layer in 0..parts.config.encoder_layers_count {
        let name = format!("transformer.encoder.layers.{layer}");
        let looking = parts.add(cells, positions);
        let values = attended(parts, &format!("{name}.self_attn"), cells, inputs)?;
        let references = References { tensor: inputs.references, coordinates: 2 };
        let attention = format!("{name}.self_attn");
        let change = attend(parts, &attention, looking, values, &references, geometry)?;
        cells = parts.residual_norm(&format!("{name}.norm1"), cells, change)?;
        cells = parts.feedforward(&name, "norm2", cells)?;
    }
    Ok(cells)
}

/// Sine positions plus a learned one for each level.
fn positions(parts: &mut Parts<'_>, inputs: &Inputs, geometry: &BatchGeometry) -> Result<TensorId> {
    let levels = parts.builder.parameter("transformer.level_embed")?;
    let operation = LevelEmbedding {
        batch: parts.images,
        cells: geometry.levels.iter().map(|(height, width)| height * width).collect(),
        columns: parts.config.hidden_size,
    };
    Ok(parts.builder.network.add(operation, &[inputs.positions, levels]))
}

/// Reference points of every query in every level.
pub(super) struct References {
    /// `[images, queries, levels, coordinates]`.
    pub(super) tensor: TensorId,
    /// 2: points; 4: boxes.
    pub(super) coordinates: usize,
}

/// The values that deformable attention samples: projected, padding zeroed.
pub(super) fn attended(
    parts: &mut Parts<'_>,
    name: &str,
    cells: Rows,
    inputs: &Inputs,
) -> Result<TensorId> {
    let values = parts.linear(&format!("{name}.value_proj"), cells, cells.columns, false)?;
    let operation = MaskRows { rows: values.rows, columns: values.columns };
    Ok(parts.builder.network.add(operation, &[values.tensor, inputs.mask]))
}

/// Multi-scale deformable attention of `queries` over `values`, projected.
pub(super) fn attend(
    parts: &mut Parts<'_>,
    name: &str,
    queries: Rows,
    values: TensorId,
    references: &References,
    geometry: &BatchGeometry,
) -> Result<Rows> {
    let config = parts.config;
    let (heads, points) = (config.heads_count, config.points_count);
    let levels = geometry.levels.clone();
    let samples = levels.len() * points;
    let (batch, queries_count) = (parts.images, queries.rows / parts.images);
    let offsets_size = 2 * heads * samples;
    let offsets =
        parts.linear(&format!("{name}.sampling_offsets"), queries, offsets_size, false)?;
    let scores =
        parts.linear(&format!("{name}.attention_weights"), queries, heads * samples, false)?;
    let softmax = Softmax { groups: queries.rows * heads, length: samples };
    let weights = parts.builder.network.add(softmax, &[scores.tensor]);
    let locations = SamplingLocations {
        batch,
        queries: queries_count,
        heads,
        levels: levels.clone(),
        points,
        coordinates: references.coordinates,
    };
    let locations = parts.builder.network.add(locations, &[offsets.tensor, references.tensor]);
    let dim = config.hidden_size / heads;
    let core = DeformableAttention { batch, queries: queries_count, heads, dim, levels, points };
    let tensor = parts.builder.network.add(core, &[values, locations, weights]);
    let found = Rows { tensor, ..queries };
    parts.linear(&format!("{name}.output_proj"), found, config.hidden_size, false)
}

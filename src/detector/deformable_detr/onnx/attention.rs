//! Attention of the queries to each other, and multi-scale deformable attention by grid samples.
//!
//! Zhu et al., arXiv:2010.04159, eq. 2: each head samples its points bilinearly, zeros outside,
//! which is `GridSample` with coordinates from -1 to 1 across a map; then a weighted sum.

use super::parts::Parts;
use super::sizes::Sizes;
use crate::Result;
use crate::detector::onnx::graph::{Attribute, Value};

/// Where queries look before their own offsets.
pub(super) enum References {
    /// Points as grid coordinates, `[1, queries, 1, 1, 1, 2]`, and the sides of each level's cells,
    /// `[1, 1, 1, levels, 1, 2]`, of which offsets are so many.
    Points { points: Value, cells: Value },
    /// Boxes `[batch, queries, 4]` in shares of the image.
    Boxes(Value),
}

/// `shares` of a side as coordinates of a grid: from -1 to 1.
pub(super) fn as_grid(parts: &mut Parts<'_>, shares: &Value) -> Value {
    let (two, one) = (parts.graph.number(2.0), parts.graph.number(1.0));
    let doubled = parts.graph.multiply(shares, &two);
    parts.graph.node("Sub", &[&doubled, &one], &[])
}

/// The maps that attention samples, one for each level: `[batch * heads, channels, height, width]`.
pub(super) fn attended(
    parts: &mut Parts<'_>,
    name: &str,
    cells: &Value,
    sizes: &Sizes,
) -> Result<Vec<Value>> {
    let (hidden, heads) = (parts.config().hidden_size, parts.config().heads_count);
    let values = parts.linear(&format!("{name}.value_proj"), cells, hidden)?;
    let split = [0, 0, heads as i64, (hidden / heads) as i64];
    let values = parts.graph.reshape(&values, &split);
    let values = parts.graph.transpose(&values, &[0, 2, 3, 1]);
    let maps = parts.graph.split_by(&values, 3, &sizes.lengths, sizes.maps.len());
    let maps = maps.iter().zip(&sizes.maps);
    let maps = maps.map(|(map, shape)| parts.graph.node("Reshape", &[map, shape], &[]));
    Ok(maps.collect())
}

/// Deformable attention of `queries` `[batch, count, hidden]` over `maps`, projected; `grids` is the
/// shape of a level's samples, `[batch * heads, count, points, 2]`.
pub(super) fn attend(
    parts: &mut Parts<'_>,
    name: &str,
    queries: &Value,
    maps: &[Value],
    grids: &Value,
    references: &References,
) -> Result<Value> {
    let (hidden, heads) = (parts.config().hidden_size, parts.config().heads_count);
    let (levels, points) = (maps.len(), parts.config().points_count);
    let samples = levels * points;
    let offsets =
        parts.linear(&format!("{name}.sampling_offsets"), queries, 2 * heads * samples)?;
    let shape = [0, 0, heads, levels, points, 2].map(|side| side as i64);
    let offsets = parts.graph.reshape(&offsets, &shape);
    let grid = grid(parts, &offsets, references);
    let grid = parts.graph.transpose(&grid, &[0, 2, 1, 3, 4, 5]);
    let of_levels = parts.graph.split(&grid, 3, &vec![1; levels]);
    let bilinear = [
        Attribute::Text("mode", "bilinear"),
        Attribute::Text("padding_mode", "zeros"),
        Attribute::Integer("align_corners", 0),
    ];
    let found: Vec<Value> = maps
        .iter()
        .zip(&of_levels)
        .map(|(map, grid)| {
            let grid = parts.graph.node("Reshape", &[grid, grids], &[]);
            parts.graph.node("GridSample", &[map, &grid], &bilinear)
        })
        .collect();
    let found = parts.graph.concatenate(&found, 3);
    let scores = parts.linear(&format!("{name}.attention_weights"), queries, heads * samples)?;
    let scores = parts.graph.reshape(&scores, &[0, 0, heads as i64, samples as i64]);
    let weights = parts.graph.node("Softmax", &[&scores], &[Attribute::Integer("axis", -1)]);
    let weights = parts.graph.transpose(&weights, &[0, 2, 1, 3]);
    let weights = parts.graph.reshape(&weights, &[-1, 1, 0, samples as i64]);
    let weighted = parts.graph.multiply(&found, &weights);
    let axes = parts.graph.integers(&[3]);
    let no_side = [Attribute::Integer("keepdims", 0)];
    let summed = parts.graph.node("ReduceSum", &[&weighted, &axes], &no_side);
    let joined = parts.graph.reshape(&summed, &[-1, hidden as i64, 0]);
    let joined = parts.graph.transpose(&joined, &[0, 2, 1]);
    parts.linear(&format!("{name}.output_proj"), &joined, hidden)
}

/// Reference points plus offsets, `[batch, queries, heads, levels, points, 2]`. Offsets count cells
/// around a point, or `1 / points` of half a box's sides (eq. 3 and A.3); a grid is two wide.
fn grid(parts: &mut Parts<'_>, offsets: &Value, references: &References) -> Value {
    match references {
        References::Points { points, cells } => {
            let scaled = parts.graph.multiply(offsets, cells);
            parts.graph.add(&scaled, points)
        }
        References::Boxes(boxes) => {
            let boxes = parts.graph.reshape(boxes, &[0, 0, 1, 1, 1, 4]);
            let halves = parts.graph.split(&boxes, 5, &[2, 2]);
            let centres = as_grid(parts, &halves[0]);
            let share = parts.graph.number(1.0 / parts.config().points_count as f32);
            let sides = parts.graph.multiply(&halves[1], &share);
            let scaled = parts.graph.multiply(offsets, &sides);
            parts.graph.add(&scaled, &centres)
        }
    }
}

/// Self-attention of the queries, projected; the joint projection's rows are those of queries, keys
/// and values.
pub(super) fn look_at_each_other(
    parts: &mut Parts<'_>,
    name: &str,
    queries: &Value,
    positions: &Value,
) -> Result<Value> {
    let (hidden, heads) = (parts.config().hidden_size, parts.config().heads_count);
    let weight = parts.values(&format!("{name}.in_proj_weight"))?;
    let bias = parts.values(&format!("{name}.in_proj_bias"))?;
    let looking = parts.graph.add(queries, positions);
    let weights = weight.chunks_exact(hidden * hidden).zip(bias.chunks_exact(hidden));
    // Keys lie transposed.
    let orders = [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]];
    let mut projected = Vec::with_capacity(orders.len());
    for ((rows, (weight, bias)), order) in
        [&looking, &looking, queries].into_iter().zip(weights).zip(orders)
    {
        let rows = parts.linear_of(name, rows, weight, bias, hidden);
        let split = [0, 0, heads as i64, (hidden / heads) as i64];
        let rows = parts.graph.reshape(&rows, &split);
        projected.push(parts.graph.transpose(&rows, &order));
    }
    let scores = parts.graph.node("MatMul", &[&projected[0], &projected[1]], &[]);
    let scale = parts.graph.number(1.0 / ((hidden / heads) as f32).sqrt());
    let scores = parts.graph.multiply(&scores, &scale);
    let weights = parts.graph.node("Softmax", &[&scores], &[Attribute::Integer("axis", -1)]);
    let found = parts.graph.node("MatMul", &[&weights, &projected[2]], &[]);
    let found = parts.graph.transpose(&found, &[0, 2, 1, 3]);
    let found = parts.graph.reshape(&found, &[0, 0, hidden as i64]);
    parts.linear(&format!("{name}.out_proj"), &found, hidden)
}

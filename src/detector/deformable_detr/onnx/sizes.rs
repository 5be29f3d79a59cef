//! What depends on the size of the images: as constants, for a graph of one size. `free_sizes` computes
//! the same in the graph.

use super::parts::Parts;
use crate::Result;
use crate::detector::deformable_detr::sizes::level_sizes;
use crate::detector::onnx::graph::Value;
use crate::nn::ops::sine_positions::sine_positions;

/// Values of the graph that follow from the sizes of the levels, finest first.
pub(super) struct Sizes {
    /// Shapes `[batch * heads, channels, height, width]` of a head's maps, one for each level.
    pub(super) maps: Vec<Value>,
    /// Cells of each level, `[levels]`.
    pub(super) lengths: Value,
    /// Shape `[batch * heads, cells, points, 2]` of the grids with which the encoder's cells sample a
    /// level.
    pub(super) grids: Value,
    /// Width and height of each level's cells, a map being 2 wide and 2 high: `[1, 1, 1, levels, 1, 2]`.
    pub(super) cells: Value,
    /// Sine positions of the cells plus what their level adds, `[1, cells, hidden]`.
    pub(super) positions: Value,
    /// Centres of the cells as grid coordinates, `[1, cells, 1, 1, 1, 2]`: the same in every level, as
    /// images fill their batch.
    pub(super) centres: Value,
}

impl Sizes {
    /// Those of images of `height` by `width`.
    pub(super) fn fixed(parts: &mut Parts<'_>, height: usize, width: usize) -> Result<Sizes> {
        let config = parts.config();
        let levels = level_sizes(config, height, width);
        let lengths: Vec<i64> =
            levels.iter().map(|(height, width)| (height * width) as i64).collect();
        let count: i64 = lengths.iter().sum();
        let channels = (config.hidden_size / config.heads_count) as i64;
        let map = |&(height, width): &(usize, usize)| {
            parts.graph.integers(&[-1, channels, height as i64, width as i64])
        };
        let maps = levels.iter().map(map).collect();
        let cell = |&(height, width): &(usize, usize)| [2.0 / width as f32, 2.0 / height as f32];
        let cells: Vec<[f32; 2]> = levels.iter().map(cell).collect();
        let positions = positions(parts, &levels)?;
        let mut all_centres = Vec::new();
        levels.iter().for_each(|&level| push_centres(level, &mut all_centres));
        let (count_of_cells, hidden) = (count as usize, config.hidden_size);
        Ok(Sizes {
            maps,
            lengths: parts.graph.integers(&lengths),
            grids: parts.graph.integers(&[-1, count, config.points_count as i64, 2]),
            cells: parts.graph.floats(
                "cells",
                &[1, 1, 1, levels.len(), 1, 2],
                cells.as_flattened(),
            ),
            positions: parts.graph.floats("positions", &[1, count_of_cells, hidden], &positions),
            centres: parts.graph.floats("centres", &[1, count_of_cells, 1, 1, 1, 2], &all_centres),
        })
    }
}

/// Positions of the cells of all `levels`, `[cells, hidden]`.
fn positions(parts: &Parts<'_>, levels: &[(usize, usize)]) -> Result<Vec<f32>> {
    let hidden = parts.config().hidden_size;
    let of_levels = parts.values("transformer.level_embed")?;
    let mut positions = Vec::new();
    for (&(height, width), of_level) in levels.iter().zip(of_levels.chunks_exact(hidden)) {
        let mut rows = vec![0.0; height * width * hidden];
        sine_positions(&vec![1.0; height * width], (height, width), hidden / 2, &mut rows);
        for row in rows.chunks_exact_mut(hidden) {
            row.iter_mut().zip(of_level).for_each(|(sum, of_level)| *sum += of_level);
        }
        positions.extend(rows);
    }
    Ok(positions)
}

/// Adds the centres of a level's cells, x before y, from -1 to 1.
fn push_centres((height, width): (usize, usize), centres: &mut Vec<f32>) {
    let centre = |place: usize, side: usize| 2.0 * ((place as f32 + 0.5) / side as f32) - 1.0;
    for y in 0..height {
        for x in 0..width {
            centres.extend([centre(x, width), centre(y, height)]);
        }
    }
}

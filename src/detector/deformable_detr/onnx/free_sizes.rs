//! What depends on the size of the images, computed in the graph from the shapes of the levels' maps.
//!
//! Columns and rows are apart as long as they can be: waves and centres of a map of h by w cells are
//! made of h + w lines of numbers, and one addition spreads them over the h * w cells.

use super::parts::Parts;
use super::sizes::Sizes;
use crate::Result;
use crate::detector::onnx::graph::{Attribute, Value};
use std::f64::consts::{FRAC_PI_2, TAU};

/// Base of the wavelengths (Carion et al., arXiv:2005.12872, A.4).
const TEMPERATURE: f64 = 10_000.0;

/// Rows or columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Rows,
    Columns,
}

impl Sizes {
    /// Those of the levels whose `maps` are `[batch, channels, height, width]`, finest first.
    pub(super) fn free(parts: &mut Parts<'_>, maps: &[Value]) -> Result<Sizes> {
        let config = parts.config();
        let hidden = config.hidden_size;
        let channels = parts.graph.integers(&[-1, (hidden / config.heads_count) as i64]);
        let of_levels = parts.values("transformer.level_embed")?;
        let (mut shapes, mut all_sides) = (Vec::new(), Vec::new());
        let (mut positions, mut centres) = (Vec::new(), Vec::new());
        for (map, of_level) in maps.iter().zip(of_levels.chunks_exact(hidden)) {
            let sides = parts.graph.node("Shape", &[map], &[Attribute::Integer("start", 2)]);
            shapes.push(parts.graph.concatenate(&[channels.clone(), sides.clone()], 0));
            let (of_cells, centres_of_cells) = places(parts, &sides, of_level);
            positions.push(of_cells);
            centres.push(centres_of_cells);
            all_sides.push(sides);
        }
        let sides = parts.graph.concatenate(&all_sides, 0);
        let sides = parts.graph.reshape(&sides, &[-1, 2]);
        let of_each = [Attribute::Integers("axes", vec![1]), Attribute::Integer("keepdims", 0)];
        let lengths = parts.graph.node("ReduceProd", &[&sides], &of_each);
        Ok(Sizes {
            maps: shapes,
            grids: grids(parts, &lengths),
            lengths,
            cells: cells(parts, &sides),
            positions: parts.graph.concatenate(&positions, 1),
            centres: parts.graph.concatenate(&centres, 1),
        })
    }
}

/// `[-1, cells of all levels, points, 2]`.
fn grids(parts: &mut Parts<'_>, lengths: &Value) -> Value {
    let levels = parts.graph.integers(&[0]);
    let count = parts.graph.node("ReduceSum", &[lengths, &levels], &[]);
    let heads = parts.graph.integers(&[-1]);
    let points = parts.config().points_count as i64;
    let points = parts.graph.integers(&[points, 2]);
    parts.graph.concatenate(&[heads, count, points], 0)
}

/// Width and height of cells, `[1, 1, 1, levels, 1, 2]`, of `sides` `[levels, 2]`, height before width.
fn cells(parts: &mut Parts<'_>, sides: &Value) -> Value {
    let width_first = parts.graph.integers(&[1, 0]);
    let sides =
        parts.graph.node("Gather", &[sides, &width_first], &[Attribute::Integer("axis", 1)]);
    let sides = parts.graph.as_float(&sides);
    let two = parts.graph.number(2.0);
    let cells = parts.graph.node("Div", &[&two, &sides], &[]);
    parts.graph.reshape(&cells, &[1, 1, 1, -1, 1, 2])
}

/// Positions `[1, cells, hidden]` and centres `[1, cells, 1, 1, 1, 2]` of a level's cells; `sides` are
/// its height and width.
fn places(parts: &mut Parts<'_>, sides: &Value, of_level: &[f32]) -> (Value, Value) {
    let hidden = of_level.len();
    let sides = parts.graph.as_float(sides);
    let sides = parts.graph.split(&sides, 0, &[1, 1]);
    let rows = shares(parts, &sides[0], Axis::Rows);
    let columns = shares(parts, &sides[1], Axis::Columns);
    let of_level = parts.graph.floats("level", &[hidden], of_level);
    let along = waves(parts, &columns, Axis::Columns, hidden);
    let along = parts.graph.add(&along, &of_level);
    let down = waves(parts, &rows, Axis::Rows, hidden);
    let positions = parts.graph.add(&down, &along);
    let positions = parts.graph.reshape(&positions, &[1, -1, hidden as i64]);
    let (x, y) =
        (parts.graph.floats("x", &[2], &[2.0, 0.0]), parts.graph.floats("y", &[2], &[0.0, 2.0]));
    let one = parts.graph.number(1.0);
    let (x, y) = (parts.graph.multiply(&columns, &x), parts.graph.multiply(&rows, &y));
    let x = parts.graph.node("Sub", &[&x, &one], &[]);
    let centres = parts.graph.add(&y, &x);
    (positions, parts.graph.reshape(&centres, &[1, -1, 1, 1, 1, 2]))
}

/// Where the middles of `side` rows or columns lie, as shares of the map: `[side, 1, 1]` or
/// `[1, side, 1]`.
fn shares(parts: &mut Parts<'_>, side: &Value, axis: Axis) -> Value {
    let side = parts.graph.node("Squeeze", &[side], &[]);
    let (half, one) = (parts.graph.number(0.5), parts.graph.number(1.0));
    let middles = parts.graph.node("Range", &[&half, &side, &one], &[]);
    let shares = parts.graph.node("Div", &[&middles, &side], &[]);
    let shape = if axis == Axis::Rows { [-1, 1, 1] } else { [1, -1, 1] };
    parts.graph.reshape(&shares, &shape)
}

/// Sines and cosines in turns of `shares` of a turn, at falling rates, on the half of the `hidden` numbers
/// that belongs to the axis (rows come first), and 0 on the other. A cosine is the sine of a quarter more.
fn waves(parts: &mut Parts<'_>, shares: &Value, axis: Axis, hidden: usize) -> Value {
    let features = hidden / 2;
    let rate = |feature: usize| {
        let power = (feature / 2 * 2) as f64 / features as f64;
        (TAU * TEMPERATURE.powf(-power)) as f32
    };
    let ahead = |feature: usize| if feature.is_multiple_of(2) { 0.0 } else { FRAC_PI_2 as f32 };
    let nothing = vec![0.0; features];
    let spread = |of: &dyn Fn(usize) -> f32| -> Vec<f32> {
        let own: Vec<f32> = (0..features).map(of).collect();
        match axis {
            Axis::Rows => [own, nothing.clone()].concat(),
            Axis::Columns => [nothing.clone(), own].concat(),
        }
    };
    let rates = parts.graph.floats("rates", &[hidden], &spread(&rate));
    let phases = parts.graph.floats("phases", &[hidden], &spread(&ahead));
    let angles = parts.graph.multiply(shares, &rates);
    let angles = parts.graph.add(&angles, &phases);
    parts.graph.node("Sin", &[&angles], &[])
}

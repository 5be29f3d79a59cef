//! Rough scores from 8-bit integers, and how wrong they can be.
//!
//! Vectors and centroids are centred on the centroids' mean and rounded to 8 bits, each with its
//! own scale. With x = x̂ + e and c = ĉ + f the exact inner product is <x̂, ĉ> + <x̂, f> + <e, c>,
//! so by Cauchy and Schwarz it differs from the rough one by at most |x̂| |f| + |e| |c|, all of
//! which rounding measures. Centring takes out what all vectors share (features after a ReLU have
//! large means), and is undone exactly by a bias for each centroid and an offset for each vector.

use super::centroids::{Centroids, distinct, squared_length};
use super::contest::Contest;
use super::inner_products::rounding_bound;
use super::projection::Projection;
use crate::kernels::simd::Level;
use crate::kernels::simd::rows::{self, Rounded};
use crate::kernels::simd::score_int8::{COLUMNS, Engine, ROWS, Tile};

/// Centroids as panels of 32 columns of bytes.
pub(super) struct Int8Filter {
    engine: Engine,
    /// Class of each column; what is beyond pads the last panel.
    classes: Vec<u32>,
    /// `[panels, groups, COLUMNS, 4]` integers plus 128.
    panels: Vec<u8>,
    groups: usize,
    scales: Vec<[f32; COLUMNS]>,
    /// Minus infinity for padding, which therefore never passes.
    biases: Vec<[f32; COLUMNS]>,
    center: Vec<f32>,
    center_length: f32,
    projection: Option<Projection>,
    /// Of the last coordinate of projected centroids, the length of the rest.
    rest_max: f32,
    /// Largest |f| and |c| of all centred centroids, and largest |bias|.
    error_max: f32,
    length_max: f32,
    bias_max: f32,
    level: Level,
}

/// Vectors as bytes.
#[derive(Debug, Default)]
pub(super) struct Int8Rows {
    /// `[rows, groups * 4]`, padded to whole tiles.
    integers: Vec<i8>,
    sums: Vec<i32>,
    scales: Vec<f32>,
    centered: Vec<f32>,
    projected: Vec<f32>,
}

impl Int8Rows {
    /// Bytes for `count` vectors.
    pub fn memory_bytes(count: usize, dimensions: usize) -> usize {
        count.next_multiple_of(ROWS) * (dimensions.next_multiple_of(4) * 2 + 8) + dimensions * 4
    }
}

impl Int8Filter {
    /// Whether this processor is fast at it.
    pub fn is_available() -> bool {
        Engine::detect().is_some()
    }

    /// Bytes for so many centroids.
    pub fn memory_bytes(classes: usize, dimensions: usize) -> usize {
        let panels = classes.next_multiple_of(COLUMNS) * (dimensions.next_multiple_of(4) + 12);
        panels + dimensions * 4 + Projection::memory_bytes(classes, dimensions)
    }

    /// Rounds the centroids, whose biases are `biases`; none where the processor is slow at it.
    pub fn new(centroids: &Centroids, biases: &[f32]) -> Option<Int8Filter> {
        let engine = Engine::detect()?;
        let classes = distinct(centroids);
        let center = mean(centroids);
        let projection = Projection::find(centroids, &center);
        let length = projection.as_ref().map_or(center.len(), Projection::length);
        let (panels_count, groups) = (classes.len().div_ceil(COLUMNS), length.div_ceil(4));
        let mut filter = Int8Filter {
            engine,
            panels: vec![128; panels_count * groups * COLUMNS * 4],
            groups,
            scales: vec![[0.0; COLUMNS]; panels_count],
            biases: vec![[f32::NEG_INFINITY; COLUMNS]; panels_count],
            center_length: squared_length(&center).sqrt() as f32,
            error_max: 0.0,
            length_max: 0.0,
            bias_max: 0.0,
            rest_max: 0.0,
            level: Level::best(),
            classes,
            center,
            projection,
        };
        let mut scratch = Int8Rows::default();
        for column in 0..filter.classes.len() {
            let class = filter.classes[column] as usize;
            let row = centroids.row(class);
            let (rounded, rest) = filter.round_one(row, &mut scratch);
            let shift: f64 =
                row.iter().zip(&filter.center).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let bias = (shift + f64::from(biases[class])) as f32;
            filter.place(column, &scratch.integers, rounded.scale, bias);
            filter.error_max = filter.error_max.max(rounded.error);
            filter.length_max = filter.length_max.max(rounded.length + rounded.error);
            filter.bias_max = filter.bias_max.max(bias.abs());
            filter.rest_max = filter.rest_max.max(rest);
        }
        Some(filter)
    }

    /// Rounds a centroid into `scratch.integers`; also answers the length of its rest.
    fn round_one(&self, row: &[f32], scratch: &mut Int8Rows) -> (Rounded, f32) {
        scratch.integers.resize(self.groups * 4, 0);
        scratch.centered.resize(self.center.len(), 0.0);
        let Int8Rows { integers, centered, projected, .. } = scratch;
        match &self.projection {
            Some(projection) => {
                projection.apply(row, projected, &mut [0.0]);
                let rest = projected[projected.len() - 1];
                (self.round_projected(projected, centered, integers), rest)
            }
            None => (rows::round_to_i8(self.level, row, &self.center, centered, integers), 0.0),
        }
    }

    /// Projected rows have lost the center already.
    fn round_projected(&self, row: &[f32], spare: &mut [f32], integers: &mut [i8]) -> Rounded {
        const ORIGIN: [f32; 128] = [0.0; 128];
        let spare = &mut spare[..row.len()];
        rows::round_to_i8(self.level, row, &ORIGIN[..row.len()], spare, integers)
    }

    fn place(&mut self, column: usize, integers: &[i8], scale: f32, bias: f32) {
        let (panel, lane) = (column / COLUMNS, column % COLUMNS);
        let panel_bytes = self.groups * COLUMNS * 4;
        let bytes = &mut self.panels[panel * panel_bytes..(panel + 1) * panel_bytes];
        for (group, four) in integers.as_chunks::<4>().0.iter().enumerate() {
            let at = (group * COLUMNS + lane) * 4;
            for (byte, integer) in bytes[at..at + 4].iter_mut().zip(four) {
                *byte = integer.wrapping_add(i8::MIN) as u8;
            }
        }
        self.scales[panel][lane] = scale;
        self.biases[panel][lane] = bias;
    }

    /// Rounds `vectors` and says how wrong their scores can be.
    pub fn prepare(&self, vectors: &[f32], rounded: &mut Int8Rows, contest: &mut Contest) {
        let dimensions = self.center.len();
        let count = vectors.len() / dimensions;
        let (padded, row_bytes) = (count.next_multiple_of(ROWS), self.groups * 4);
        rounded.integers.resize(padded * row_bytes, 0);
        rounded.sums.resize(padded, 0);
        rounded.scales.resize(padded, 0.0);
        rounded.centered.resize(dimensions, 0.0);
        let Int8Rows { integers, sums, scales, centered, projected } = rounded;
        if let Some(projection) = &self.projection {
            projection.apply(vectors, projected, &mut contest.offsets);
        }
        for (row, vector) in vectors.chunks_exact(dimensions).enumerate() {
            let integers = &mut integers[row * row_bytes..(row + 1) * row_bytes];
            let (answer, rest) = match &self.projection {
                Some(projection) => {
                    let projected = &projected[row * projection.length()..][..projection.length()];
                    let rest = projected[projected.len() - 1];
                    (self.round_projected(projected, centered, integers), rest)
                }
                None => {
                    let (center, offset) = (&self.center, &mut contest.offsets[row..=row]);
                    let answer = rows::round_to_i8(self.level, vector, center, centered, integers);
                    rows::products(self.level, centered, center, &[0], offset);
                    (answer, 0.0)
                }
            };
            sums[row] = answer.sum;
            scales[row] = answer.scale;
            contest.slacks[row] = self.slack(&answer);
            contest.spans[row] = 2.0 * (contest.slacks[row] + rest * self.rest_max);
        }
    }

    /// The bound of the module's head, and the rounding of f32 in both ways of scoring.
    fn slack(&self, row: &Rounded) -> f32 {
        let bound = row.length * self.error_max + row.error * self.length_max;
        let lengths =
            (row.length + row.error + self.center_length) * (self.length_max + self.center_length);
        let rounding = (2.0 * lengths + self.bias_max) * rounding_bound(self.center.len());
        bound * 1.0001 + rounding
    }

    /// Offers every centroid that may be the best to `contest`.
    pub fn scan(&self, rounded: &Int8Rows, contest: &mut Contest) {
        let (row_bytes, panel_bytes) = (self.groups * 4, self.groups * COLUMNS * 4);
        let (mut scores, mut passed) = ([[0.0; COLUMNS]; ROWS], [0u32; ROWS]);
        for (panel, columns) in self.panels.chunks_exact(panel_bytes).enumerate() {
            let tiles = rounded.integers.chunks_exact(ROWS * row_bytes);
            let sums = rounded.sums.as_chunks::<ROWS>().0.iter();
            let scales = rounded.scales.as_chunks::<ROWS>().0.iter();
            for (number, ((rows, row_sums), row_scales)) in tiles.zip(sums).zip(scales).enumerate()
            {
                let tile = Tile {
                    rows,
                    columns,
                    groups: self.groups,
                    row_sums,
                    row_scales,
                    column_scales: &self.scales[panel],
                    column_biases: &self.biases[panel],
                    thresholds: &contest.thresholds.as_chunks().0[number],
                };
                let mut any = self.engine.score(&tile, &mut scores, &mut passed);
                while any != 0 {
                    let row = any.trailing_zeros() as usize;
                    any &= any - 1;
                    let classes = &self.classes[panel * COLUMNS..];
                    offer(contest, number * ROWS + row, passed[row], &scores[row], classes);
                }
            }
        }
    }
}

/// Offers the columns of a row that `passed`; the row's threshold may rise on the way.
fn offer(
    contest: &mut Contest,
    row: usize,
    mut passed: u32,
    scores: &[f32; COLUMNS],
    classes: &[u32],
) {
    while passed != 0 {
        let column = passed.trailing_zeros() as usize;
        passed &= passed - 1;
        if scores[column] > contest.thresholds[row] {
            contest.offer(row, classes[column], scores[column]);
        }
    }
}

fn mean(centroids: &Centroids) -> Vec<f32> {
    let dimensions = centroids.dimensions();
    let mut sums = vec![0.0f64; dimensions];
    for row in centroids.values().chunks_exact(dimensions) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sums.iter().map(|sum| (sum / centroids.classes() as f64) as f32).collect()
}

//! Rough scores from 8-bit integers, and how wrong they can be.
//!
//! Vectors and centroids are centred on the centroids' mean and rounded to 8 bits, each with its
//! own scale. With x = x̂ + e and c = ĉ + f the exact inner product is <x̂, ĉ> + <x̂, f> + <e, c>,
//! so by Cauchy and Schwarz it differs from the rough one by at most |x̂| |f| + |e| |c|, all of
//! which rounding measures. Centring takes out what all vectors share (features after a ReLU have
//! large means), and is undone exactly by a bias for each centroid and an offset for each vector.

use super::centroids::Centroids;
use super::nearest::{Contest, distinct, rounding_bound};
use crate::nn::simd::Level;
use crate::nn::simd::rows::{self, Rounded};
use crate::nn::simd::score_int8::{self, COLUMNS, ROWS, Tile};

/// Centroids as panels of 32 columns of bytes.
pub(super) struct Int8Filter {
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
}

impl Int8Rows {
    /// Bytes for `count` vectors.
    pub fn memory_bytes(count: usize, dimensions: usize) -> usize {
        count.next_multiple_of(ROWS) * (dimensions.next_multiple_of(4) + 8) + dimensions * 4
    }
}

impl Int8Filter {
    /// Whether this processor is fast at it.
    pub fn is_available() -> bool {
        score_int8::is_available()
    }

    /// Bytes for so many centroids.
    pub fn memory_bytes(classes: usize, dimensions: usize) -> usize {
        classes.next_multiple_of(COLUMNS) * (dimensions.next_multiple_of(4) + 12) + dimensions * 4
    }

    /// Rounds the centroids; `biases` are theirs.
    pub fn new(centroids: &Centroids, biases: &[f32]) -> Int8Filter {
        let dimensions = centroids.dimensions();
        let classes = distinct(centroids);
        let (panels_count, groups) = (classes.len().div_ceil(COLUMNS), dimensions.div_ceil(4));
        let center = mean(centroids);
        let mut filter = Int8Filter {
            panels: vec![128; panels_count * groups * COLUMNS * 4],
            groups,
            scales: vec![[0.0; COLUMNS]; panels_count],
            biases: vec![[f32::NEG_INFINITY; COLUMNS]; panels_count],
            center_length: length(&center),
            error_max: 0.0,
            length_max: 0.0,
            bias_max: 0.0,
            level: Level::best(),
            classes,
            center,
        };
        let (mut centered, mut integers) = (vec![0.0; dimensions], vec![0i8; groups * 4]);
        for column in 0..filter.classes.len() {
            let class = filter.classes[column] as usize;
            let row = centroids.row(class);
            let rounded =
                rows::round_to_i8(filter.level, row, &filter.center, &mut centered, &mut integers);
            let shift: f64 =
                row.iter().zip(&filter.center).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let bias = (shift + f64::from(biases[class])) as f32;
            filter.place(column, &integers, rounded.scale, bias);
            filter.error_max = filter.error_max.max(rounded.error);
            filter.length_max = filter.length_max.max(rounded.length + rounded.error);
            filter.bias_max = filter.bias_max.max(bias.abs());
        }
        filter
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
        for (row, vector) in vectors.chunks_exact(dimensions).enumerate() {
            let integers = &mut rounded.integers[row * row_bytes..(row + 1) * row_bytes];
            let centered = &mut rounded.centered;
            let answer = rows::round_to_i8(self.level, vector, &self.center, centered, integers);
            rounded.sums[row] = answer.sum;
            rounded.scales[row] = answer.scale;
            contest.slacks[row] = self.slack(&answer);
            let offset = &mut contest.offsets[row..=row];
            rows::products(self.level, centered, &self.center, &[0], offset);
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
        let count = contest.thresholds.len();
        let (mut scores, mut passed) = ([[0.0; COLUMNS]; ROWS], [0u32; ROWS]);
        for (panel, columns) in self.panels.chunks_exact(panel_bytes).enumerate() {
            for first in (0..count).step_by(ROWS) {
                let rows = ROWS.min(count - first);
                let mut thresholds = [f32::INFINITY; ROWS];
                thresholds[..rows].copy_from_slice(&contest.thresholds[first..first + rows]);
                let (Some(row_sums), Some(row_scales)) =
                    (rounded.sums[first..].first_chunk(), rounded.scales[first..].first_chunk())
                else {
                    continue;
                };
                let tile = Tile {
                    rows: &rounded.integers[first * row_bytes..(first + ROWS) * row_bytes],
                    columns,
                    groups: self.groups,
                    row_sums,
                    row_scales,
                    column_scales: &self.scales[panel],
                    column_biases: &self.biases[panel],
                    thresholds: &thresholds,
                };
                score_int8::score(&tile, &mut scores, &mut passed);
                for row in 0..rows {
                    let mut bits = passed[row];
                    while bits != 0 {
                        let column = bits.trailing_zeros() as usize;
                        bits &= bits - 1;
                        let score = scores[row][column];
                        if score > contest.thresholds[first + row] {
                            let class = self.classes[panel * COLUMNS + column];
                            contest.offer(first + row, class, score);
                        }
                    }
                }
            }
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

fn length(row: &[f32]) -> f32 {
    super::centroids::squared_length(row).sqrt() as f32
}

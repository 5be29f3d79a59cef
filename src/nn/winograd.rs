//! Winograd's convolution F(4x4, 3x3): 36 multiplications where the direct form needs 144.
//!
//! Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. Each tile of
//! 4x4 output pixels comes from 6x6 input pixels: transform the input tile (`B^T d B`), multiply
//! its 36 places by transformed weights (36 small matrix products over the channels), transform
//! back (`A^T m A`). The points of interpolation are 0, ±3/4, ±3/2 and infinity: against the usual
//! 0, ±1, ±2 the error is a quarter, and the transforms cost the same (the choice of points:
//! Barabasz, Anderson, Soodhalter, Gregg, "Error analysis and improving the accuracy of Winograd
//! convolution", ACM TOMS 2020).

use super::activation::{Activation, ActivationMut, Band, Layout};
use super::aligned::LINE;
use super::convolution::{Finish, Geometry};
use super::scratch::Scratch;
use super::simd::Level;
use super::simd::panels::{Epilogue, Panels, Rows, multiply};
use super::simd::winograd::{
    CHANNELS_MIN, INPUT_SIDE, OUTPUT_SIDE, PLACES, POINT_P, POINT_Q, Tile, transform_input,
    transform_output,
};
use crate::workers::Workers;

/// Tiles that one task transforms together at most: enough rows for the products to use a panel
/// of weights often, few enough for the transformed tiles to stay in the cache.
const TILES_TOGETHER: usize = 24;

/// Output channels whose products are formed and transformed back together, so that the products
/// of all tiles stay in the cache.
const GROUP: usize = 64;

/// Tiles whose offsets are collected together: a multiple of the six rows of a product's tile.
const OFFSETS_TOGETHER: usize = 96;

/// Transformed weights.
#[derive(Debug)]
pub struct Winograd {
    in_channels: usize,
    out_channels: usize,
    level: Level,
    /// For each group of output channels, for each of the 36 places, the matrix
    /// (input channel, output channel of the group).
    weights: Vec<Vec<Panels>>,
    bias: Vec<f32>,
}

impl Winograd {
    /// Whether this form computes `geometry` and is faster than the direct one. Fewer channels in
    /// a group than the transforms ask for leave too little multiplication to pay for them.
    pub fn pays(geometry: &Geometry) -> bool {
        let fits = geometry.kernel == 3 && geometry.stride == 1 && geometry.padding == 1;
        let last_group = (geometry.out_channels - 1) % GROUP + 1;
        fits && geometry.in_channels.min(last_group) >= CHANNELS_MIN
    }

    /// Transforms `weights` (OIHW).
    pub fn new(geometry: &Geometry, weights: &[f32], bias: &[f32], level: Level) -> Winograd {
        let (inputs, outputs) = (geometry.in_channels, geometry.out_channels);
        let mut transformed = vec![0.0f32; PLACES * inputs * outputs];
        for (pair, kernel) in weights.chunks_exact(9).enumerate() {
            for (place, value) in transform_kernel(kernel).into_iter().enumerate() {
                transformed[place * inputs * outputs + pair] = value;
            }
        }
        let matrices: Vec<&[f32]> = transformed.chunks_exact(inputs * outputs).collect();
        let pack_group = |first: usize| {
            let columns = GROUP.min(outputs - first);
            let pack = |matrix: &&[f32]| {
                Panels::pack(level, inputs, columns, &[], |step, column| {
                    matrix[(first + column) * inputs + step]
                })
            };
            matrices.iter().map(pack).collect()
        };
        let weights = (0..outputs).step_by(GROUP).map(pack_group).collect();
        Winograd { in_channels: inputs, out_channels: outputs, level, weights, bias: bias.to_vec() }
    }

    /// Bytes of the transformed weights.
    pub fn memory_bytes(&self) -> usize {
        self.weights.iter().flatten().map(Panels::memory_bytes).sum()
    }

    /// Floats of scratch memory that one task of a forward on `input` needs.
    pub fn scratch_length(&self, input: &Layout) -> usize {
        let tiles = TILES_TOGETHER.max(input.width.div_ceil(OUTPUT_SIDE));
        PLACES * (self.input_stride(tiles) + product_stride(tiles))
            + INPUT_SIDE * INPUT_SIDE * self.in_channels
    }

    /// Floats between the places of transformed input tiles. The extra line keeps the 36 streams
    /// that are written together out of one set of the cache.
    fn input_stride(&self, tiles: usize) -> usize {
        (tiles * self.in_channels).next_multiple_of(LINE) + LINE
    }

    /// Writes `output`, border included. The caller has checked the layouts.
    pub fn forward(
        &self,
        input: Activation<'_>,
        output: ActivationMut<'_>,
        finish: Finish<'_>,
        scratch: &Scratch,
        workers: &Workers,
    ) {
        let across = output.layout.width.div_ceil(OUTPUT_SIDE);
        let band_rows = (TILES_TOGETHER / across).max(1) * OUTPUT_SIDE;
        output.for_each_band(band_rows, workers, |band| {
            scratch.borrow(|memory| self.write_band(input, finish, band, memory));
        });
    }

    fn write_band(
        &self,
        input: Activation<'_>,
        finish: Finish<'_>,
        mut band: Band<'_>,
        memory: &mut [f32],
    ) {
        let across = band.layout.width.div_ceil(OUTPUT_SIDE);
        let tiles = self.tiles_of(&band);
        let input_stride = self.input_stride(tiles);
        let (transformed, memory) = memory.split_at_mut(PLACES * input_stride);
        let (products, memory) = memory.split_at_mut(PLACES * product_stride(tiles));
        let first_row = band.rows.start;
        let corner =
            |tile: usize| (first_row + tile / across * OUTPUT_SIDE, tile % across * OUTPUT_SIDE);
        for tile in 0..tiles {
            let (patch, pitch) = self.patch(input, band.image, corner(tile), memory);
            let to = &mut transformed[tile * self.in_channels..];
            transform_input(self.level, (patch, pitch), self.in_channels, (to, input_stride));
        }
        for group in 0..self.weights.len() {
            self.multiply_places(group, tiles, (transformed, input_stride), products);
            for tile in 0..tiles {
                self.write_tile(group, corner(tile), &products[tile * GROUP..], finish, &mut band);
            }
        }
    }

    /// The 6x6 input pixels of the tile at output pixel (`y`, `x`) and the floats between their
    /// rows: where they lie or, at edges that the border does not cover, a copy with zeros.
    fn patch<'a>(
        &self,
        input: Activation<'a>,
        image: usize,
        (y, x): (usize, usize),
        copy: &'a mut [f32],
    ) -> (&'a [f32], usize) {
        let layout = input.layout;
        let (channels, pitch) = (layout.channels, layout.row_length());
        let (top, left) = (y + layout.border - 1, x + layout.border - 1);
        let rows = INPUT_SIDE.min(layout.image_rows() - top);
        let columns = INPUT_SIDE.min(layout.width + 2 * layout.border - left);
        let start = layout.offset(image, top, left);
        if rows == INPUT_SIDE && columns == INPUT_SIDE {
            return (&input.data[start..], pitch);
        }
        let copy = &mut copy[..INPUT_SIDE * INPUT_SIDE * channels];
        copy.fill(0.0);
        for (row, to) in copy.chunks_exact_mut(INPUT_SIDE * channels).take(rows).enumerate() {
            let from = start + row * pitch;
            to[..columns * channels].copy_from_slice(&input.data[from..from + columns * channels]);
        }
        (copy, INPUT_SIDE * channels)
    }

    /// The 36 products of one group of output channels; a tile's are `GROUP` floats apart.
    fn multiply_places(
        &self,
        group: usize,
        tiles: usize,
        (transformed, input_stride): (&[f32], usize),
        products: &mut [f32],
    ) {
        let mut inputs = [0; OFFSETS_TOGETHER];
        let mut outputs = [0; OFFSETS_TOGETHER];
        for first in (0..tiles).step_by(OFFSETS_TOGETHER) {
            let count = OFFSETS_TOGETHER.min(tiles - first);
            for index in 0..count {
                inputs[index] = (first + index) * self.in_channels;
                outputs[index] = (first + index) * GROUP;
            }
            for (place, panels) in self.weights[group].iter().enumerate() {
                let rows = Rows {
                    data: &transformed[place * input_stride..],
                    offsets: &inputs[..count],
                    segments: &[0],
                    segment_length: self.in_channels,
                };
                let output = &mut products[place * product_stride(tiles)..];
                multiply(rows, panels, Epilogue::default(), output, &outputs[..count]);
            }
        }
    }

    /// Transforms the products of a tile back and writes its pixels, as many as the band holds.
    fn write_tile(
        &self,
        group: usize,
        (y, x): (usize, usize),
        products: &[f32],
        finish: Finish<'_>,
        band: &mut Band<'_>,
    ) {
        let first = group * GROUP;
        let layout = band.layout;
        let tiles = self.tiles_of(band);
        let tile = Tile {
            rows: OUTPUT_SIDE.min(band.rows.end - y),
            columns: OUTPUT_SIDE.min(layout.width - x),
            channels: GROUP.min(self.out_channels - first),
            pixel: self.out_channels,
            residual: finish.residual.map(|map| {
                let border = map.layout.border;
                let start = map.layout.offset(band.image, y + border, x + border) + first;
                (&map.data[start..], map.layout.row_length())
            }),
            relu: finish.relu,
        };
        let start = band.offset(y, x) + first;
        transform_output(
            self.level,
            (products, product_stride(tiles)),
            &self.bias[first..],
            tile,
            (&mut band.data[start..], layout.row_length()),
        );
    }

    fn tiles_of(&self, band: &Band<'_>) -> usize {
        band.rows.len().div_ceil(OUTPUT_SIDE) * band.layout.width.div_ceil(OUTPUT_SIDE)
    }
}

/// Floats between the places of products, one line more than they need (see `input_stride`).
fn product_stride(tiles: usize) -> usize {
    tiles * GROUP + LINE
}

/// `G g G^T` for one 3x3 kernel: its values at the 36 places, in double precision.
fn transform_kernel(kernel: &[f32]) -> [f32; PLACES] {
    let points = [0.0, POINT_P, -POINT_P, POINT_Q, -POINT_Q].map(f64::from);
    let mut rows = [[0.0, 0.0, 1.0]; INPUT_SIDE];
    for (row, point) in rows.iter_mut().zip(points) {
        let others = points.iter().filter(|other| **other != point);
        let scale: f64 = others.map(|other| point - other).product();
        *row = [1.0 / scale, point / scale, point * point / scale];
    }
    std::array::from_fn(|place| {
        let (down, across) = (&rows[place / INPUT_SIDE], &rows[place % INPUT_SIDE]);
        let pairs = kernel.iter().enumerate();
        pairs.map(|(at, value)| f64::from(*value) * down[at / 3] * across[at % 3]).sum::<f64>()
            as f32
    })
}

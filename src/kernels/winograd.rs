//! Winograd's convolution F(4x4, 3x3): 36 multiplications where the direct form needs 144.
//!
//! Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016. Each tile of
//! 4x4 output pixels comes from 6x6 input pixels: transform the input tile (`B^T d B`), multiply
//! its 36 places by transformed weights (36 small matrix products over the channels), transform
//! back (`A^T m A`). The points of interpolation are 0, ±3/4, ±3/2 and infinity: against the usual
//! 0, ±1, ±2 the error is a quarter, and the transforms cost the same (the choice of points:
//! Barabasz, Anderson, Soodhalter, Gregg, "Error analysis and improving the accuracy of Winograd
//! convolution", ACM TOMS 2020).

use super::activation::{Activation, Band, Layout};
use super::simd::Level;
use super::simd::panels::{Epilogue, PanelsView, Rows, multiply};
use super::simd::winograd::{
    CHANNELS_MIN, INPUT_SIDE, KERNEL_VALUES, Kernels, LANES_MAX, OUTPUT_SIDE, PLACES, Tile,
    transform_input, transform_kernels, transform_output,
};
use crate::memory::aligned::LINE;
use crate::workers::Workers;

/// Tiles that one task transforms together, about: enough rows for the products to use a panel
/// of weights often, few enough for the transformed tiles to stay in the cache.
const TILES_TOGETHER: usize = 24;

/// Output channels whose products are formed and transformed back together, so that the products
/// of all tiles stay in the cache.
const GROUP: usize = 64;

/// Tiles whose offsets are collected together: a multiple of the six rows of a product's tile.
const OFFSETS_TOGETHER: usize = 96;

/// What is added to the sums, and whether negative results become 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Finish<'a> {
    /// A map of the output's shape (its border may differ).
    pub residual: Option<Activation<'a>>,
    pub relu: bool,
    /// What the output holds is added too (gradients).
    pub add: bool,
}

/// Floats between the places of one group's transformed weights, of `columns` columns. The extra
/// line keeps the 36 streams that are written together out of one set of the cache.
fn place_stride(level: Level, inner: usize, columns: usize) -> usize {
    PanelsView::length(level, inner, columns) + LINE
}

/// Transforms kernels for all groups of output channels, on `workers`: for each group, for each of
/// the 36 places, the packed matrix (step, column of the group). `fill(step, first, count,
/// kernels)` writes the kernels of `count` columns from `first` on, a lane each; `to` has
/// [`WinogradView::weights_length`].
pub fn transform_weights(
    level: Level,
    (inner, columns): (usize, usize),
    fill: impl Fn(usize, usize, usize, &mut Kernels) + Sync,
    to: &mut [f32],
    workers: &Workers,
) {
    let group_length = PLACES * place_stride(level, inner, GROUP);
    workers.for_each_piece(to, group_length, |group, to| {
        let first = group * GROUP;
        let in_group = GROUP.min(columns - first);
        let stride = place_stride(level, inner, in_group);
        for step in 0..inner {
            for column in (0..in_group).step_by(level.width()) {
                let mut kernels: Kernels = [[0.0; LANES_MAX]; KERNEL_VALUES];
                let count = level.width().min(in_group - column);
                fill(step, first + column, count, &mut kernels);
                let place = PanelsView::place(level, (inner, in_group), step, column);
                transform_kernels(level, &kernels, (&mut to[place..], stride));
            }
        }
    });
}

/// Transformed weights in borrowed memory.
#[derive(Debug, Clone, Copy)]
pub struct WinogradView<'a> {
    pub in_channels: usize,
    pub out_channels: usize,
    pub level: Level,
    /// What [`transform_weights`] wrote.
    pub weights: &'a [f32],
    /// One for each output channel, or none at all (zeros).
    pub bias: &'a [f32],
}

impl WinogradView<'_> {
    /// Whether there are enough channels: fewer in a group than the transforms ask for leave too little
    /// multiplication to pay for them.
    pub fn channels_suffice(in_channels: usize, out_channels: usize) -> bool {
        let last_group = (out_channels - 1) % GROUP + 1;
        in_channels.min(last_group) >= CHANNELS_MIN
    }

    /// Floats of transformed weights.
    pub fn weights_length(level: Level, in_channels: usize, out_channels: usize) -> usize {
        let whole = out_channels / GROUP * place_stride(level, in_channels, GROUP);
        let rest = match out_channels % GROUP {
            0 => 0,
            columns => place_stride(level, in_channels, columns),
        };
        PLACES * (whole + rest)
    }

    /// Floats of scratch memory that a band of `rows` rows needs, for an output of that `width`.
    pub fn scratch_length(&self, rows: usize, width: usize) -> usize {
        let tiles = rows.div_ceil(OUTPUT_SIDE) * width.div_ceil(OUTPUT_SIDE);
        PLACES * (self.input_stride(tiles) + product_stride(tiles))
            + INPUT_SIDE * INPUT_SIDE * self.in_channels
    }

    /// Rows of the bands into which each image of the output is best cut: about [`TILES_TOGETHER`]
    /// tiles, bands of one image alike, and no more rows of tiles than an even share of each of
    /// `workers_count` workers.
    pub fn band_rows(output: &Layout, workers_count: usize) -> usize {
        let [down, across] = [output.height, output.width].map(|side| side.div_ceil(OUTPUT_SIDE));
        let bands = (down * across + TILES_TOGETHER / 2) / TILES_TOGETHER;
        let least = workers_count.div_ceil(output.images.max(1));
        down.div_ceil(bands.max(least).clamp(1, down.max(1))).max(1) * OUTPUT_SIDE
    }

    /// Floats between the places of transformed input tiles. The extra line keeps the 36 streams
    /// that are written together out of one set of the cache.
    fn input_stride(&self, tiles: usize) -> usize {
        (tiles * self.in_channels).next_multiple_of(LINE) + LINE
    }

    /// The packed matrix of one place of one group.
    fn panels(&self, group: usize, place: usize) -> PanelsView<'_> {
        let columns = GROUP.min(self.out_channels - group * GROUP);
        let start = group * PLACES * place_stride(self.level, self.in_channels, GROUP)
            + place * place_stride(self.level, self.in_channels, columns);
        PanelsView::new(self.level, self.in_channels, columns, &self.weights[start..], &[])
    }

    /// Computes one band of the output, which starts at a multiple of four rows. The input's
    /// border may be narrower than the padding of one pixel.
    pub fn write_band(
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
        for group in 0..self.out_channels.div_ceil(GROUP) {
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
        // Counted from one pixel outside the border, so that nothing is negative.
        let span = |at: usize, length: usize| {
            let first = at + layout.border;
            (first.max(1), (first + INPUT_SIDE).min(length + 1))
        };
        let (top, bottom) = span(y, layout.image_rows());
        let (left, right) = span(x, layout.width + 2 * layout.border);
        let start = layout.offset(image, top - 1, left - 1);
        if bottom - top == INPUT_SIDE && right - left == INPUT_SIDE {
            return (&input.data[start..], pitch);
        }
        let copy = &mut copy[..INPUT_SIDE * INPUT_SIDE * channels];
        copy.fill(0.0);
        let (above, before) = (top - y - layout.border, left - x - layout.border);
        let rows = copy.chunks_exact_mut(INPUT_SIDE * channels).skip(above);
        for (row, to) in rows.take(bottom - top).enumerate() {
            let from = &input.data[start + row * pitch..][..(right - left) * channels];
            to[before * channels..][..from.len()].copy_from_slice(from);
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
            for place in 0..PLACES {
                let panels = self.panels(group, place);
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
            add: finish.add,
        };
        let start = band.offset(y, x) + first;
        transform_output(
            self.level,
            (products, product_stride(tiles)),
            self.bias.get(first..).unwrap_or(&[]),
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

//! The transforms of Winograd's F(4x4, 3x3), vectors of channels at a time.
//!
//! With points 0, ±p, ±q and infinity and a = p², b = q², the transforms of one dimension are
//!
//! ```text
//! kernel  (g0 + z g1 + z² g2) / product over the other points w of (z - w), at infinity g2
//! input   v0 = ab x0 - (a+b) x2 + x4          output  y0 = m0 + (m1+m2) + (m3+m4)
//!         v1,2 = (x4 - b x2) ± p (x3 - b x1)          y1 = p (m1-m2) + q (m3-m4)
//!         v3,4 = (x4 - a x2) ± q (x3 - a x1)          y2 = a (m1+m2) + b (m3+m4)
//!         v5 = ab x1 - (a+b) x3 + x5                  y3 = p³ (m1-m2) + q³ (m3-m4) + m5
//! ```
//!
//! applied to the columns of a tile and then to its rows ([`crate::kernels::winograd`] says why these
//! points). All their products are exact in single precision.

use super::lanes::Lanes;
use super::{Level, dispatch};

/// Side of an input tile.
pub const INPUT_SIDE: usize = 6;
/// Side of an output tile.
pub const OUTPUT_SIDE: usize = 4;
/// Values of a transformed tile.
pub const PLACES: usize = INPUT_SIDE * INPUT_SIDE;
/// The inner pair of points is plus and minus this.
pub const POINT_P: f32 = 0.75;
/// The outer pair of points.
pub const POINT_Q: f32 = 1.5;
/// Fewest channels: the last vector of a tile overlaps the one before it.
pub const CHANNELS_MIN: usize = 16;

const A: f32 = POINT_P * POINT_P;
const B: f32 = POINT_Q * POINT_Q;

/// Side of a kernel.
const KERNEL_SIDE: usize = 3;
/// Values of a kernel.
pub const KERNEL_VALUES: usize = KERNEL_SIDE * KERNEL_SIDE;
/// Lanes of the widest vector.
pub const LANES_MAX: usize = 16;

/// As many kernels as the level's vectors have lanes: value by value, lane by lane.
pub type Kernels = [[f32; LANES_MAX]; KERNEL_VALUES];

/// Transforms kernels (`G g G^T`): place `i` of all goes to `to[i * stride..]`, one vector each.
///
/// # Panics
/// When `to` is too short.
pub fn transform_kernels(level: Level, kernels: &Kernels, (to, stride): (&mut [f32], usize)) {
    assert!(to.len() >= (PLACES - 1) * stride + level.width());
    let to = to.as_mut_ptr();
    dispatch!(level, kernels_kernel(kernels: &Kernels, to: *mut f32, stride: usize));
}

/// Transforms one tile of 6x6 pixels. `patch` starts at its first pixel and its rows are `pitch`
/// floats apart; place `i` goes to `to[i * stride..][..channels]`.
///
/// # Panics
/// When the slices are too short or `channels` is under [`CHANNELS_MIN`].
pub fn transform_input(
    level: Level,
    (patch, pitch): (&[f32], usize),
    channels: usize,
    (to, stride): (&mut [f32], usize),
) {
    assert!(channels >= CHANNELS_MIN);
    assert!(patch.len() >= (INPUT_SIDE - 1) * pitch + INPUT_SIDE * channels);
    assert!(to.len() >= (PLACES - 1) * stride + channels);
    let (patch, to) = (patch.as_ptr(), to.as_mut_ptr());
    dispatch!(
        level,
        input_kernel(
            patch: *const f32,
            pitch: usize,
            channels: usize,
            to: *mut f32,
            stride: usize,
        )
    );
}

/// What is written of a tile, and how.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// Rows and columns that lie inside the output: 1 to 4.
    pub rows: usize,
    pub columns: usize,
    /// Channels to write, and floats between neighbouring pixels of output and residual.
    pub channels: usize,
    pub pixel: usize,
    /// Values to add: from the tile's first pixel on, rows this far apart.
    pub residual: Option<(&'a [f32], usize)>,
    /// Negative results become 0.
    pub relu: bool,
    /// What the output holds is added too.
    pub add: bool,
}

/// Transforms one tile of products back, adds bias (none where empty) and residual, and writes it.
/// Place `i` is `products[i * stride..][..channels]`; `output` starts at the tile's first pixel,
/// rows `pitch` floats apart.
///
/// # Panics
/// When the slices are too short, `tile.channels` is under [`CHANNELS_MIN`], or `tile.add` meets
/// channels that fill no whole vectors (the last would be added twice).
pub fn transform_output(
    level: Level,
    (products, stride): (&[f32], usize),
    bias: &[f32],
    tile: Tile<'_>,
    (output, pitch): (&mut [f32], usize),
) {
    let sides = 1..=OUTPUT_SIDE;
    assert!(sides.contains(&tile.rows) && sides.contains(&tile.columns));
    assert!(tile.channels >= CHANNELS_MIN);
    assert!(!tile.add || tile.channels.is_multiple_of(LANES_MAX));
    assert!(bias.is_empty() || bias.len() >= tile.channels);
    assert!(products.len() >= (PLACES - 1) * stride + tile.channels);
    let reach =
        |pitch: usize| (tile.rows - 1) * pitch + (tile.columns - 1) * tile.pixel + tile.channels;
    assert!(output.len() >= reach(pitch));
    if let Some((residual, pitch)) = tile.residual {
        assert!(residual.len() >= reach(pitch));
    }
    let (products, output) = (products.as_ptr(), output.as_mut_ptr());
    let bias = (!bias.is_empty()).then_some(bias.as_ptr());
    dispatch!(
        level,
        output_kernel(
            products: *const f32,
            stride: usize,
            bias: Option<*const f32>,
            tile: Tile<'_>,
            output: *mut f32,
            pitch: usize,
        )
    );
}

/// # Safety
/// The level's instructions are enabled; [`transform_kernels`] checked the rest.
#[inline(always)]
unsafe fn kernels_kernel<L: Lanes>(kernels: &Kernels, to: *mut f32, stride: usize) {
    // SAFETY: vectors are no longer than the kernels' lanes; the caller's promise.
    unsafe {
        let load = |value: usize| L::load(kernels[value].as_ptr());
        let left = kernel_line::<L>([load(0), load(3), load(6)]);
        let middle = kernel_line::<L>([load(1), load(4), load(7)]);
        let right = kernel_line::<L>([load(2), load(5), load(8)]);
        for (row, line) in left.into_iter().zip(middle).zip(right).enumerate() {
            let ((left, middle), right) = line;
            let values = kernel_line::<L>([left, middle, right]);
            for (column, value) in values.into_iter().enumerate() {
                L::store(to.add((row * INPUT_SIDE + column) * stride), value);
            }
        }
    }
}

/// # Safety
/// The level's instructions are enabled; [`transform_input`] checked the rest.
#[inline(always)]
unsafe fn input_kernel<L: Lanes>(
    patch: *const f32,
    pitch: usize,
    channels: usize,
    to: *mut f32,
    stride: usize,
) {
    for start in (0..channels).step_by(L::WIDTH) {
        let channel = start.min(channels - L::WIDTH);
        // SAFETY: `WIDTH` channels from `channel` on exist in each of the 36 pixels and places.
        unsafe {
            let zero = L::splat(0.0);
            let mut columns = [[zero; INPUT_SIDE]; INPUT_SIDE];
            for (column, line) in columns.iter_mut().enumerate() {
                *line =
                    input_line::<L>(load_line::<L>(patch.add(column * channels + channel), pitch));
            }
            for row in 0..INPUT_SIDE {
                let line = input_line::<L>(row_of(&columns, row));
                for (column, &value) in line.iter().enumerate() {
                    let place = row * INPUT_SIDE + column;
                    L::store(to.add(place * stride + channel), value);
                }
            }
        }
    }
}

/// # Safety
/// The level's instructions are enabled; [`transform_output`] checked the rest.
#[inline(always)]
unsafe fn output_kernel<L: Lanes>(
    products: *const f32,
    stride: usize,
    bias: Option<*const f32>,
    tile: Tile<'_>,
    output: *mut f32,
    pitch: usize,
) {
    for start in (0..tile.channels).step_by(L::WIDTH) {
        let channel = start.min(tile.channels - L::WIDTH);
        // SAFETY: `WIDTH` channels from `channel` on exist in each place and in each pixel of
        // the first `rows` rows and `columns` columns.
        unsafe {
            let zero = L::splat(0.0);
            let mut columns = [[zero; OUTPUT_SIDE]; INPUT_SIDE];
            for (column, line) in columns.iter_mut().enumerate() {
                let first = products.add(column * stride + channel);
                *line = output_line::<L>(load_line::<L>(first, INPUT_SIDE * stride));
            }
            let bias = bias.map_or(zero, |bias| L::load(bias.add(channel)));
            for row in 0..OUTPUT_SIDE {
                let values = output_line::<L>(row_of(&columns, row));
                for (column, &value) in values.iter().enumerate() {
                    // Bounds that are known when this is compiled keep the tile in registers.
                    if row < tile.rows && column < tile.columns {
                        let place = column * tile.pixel + channel;
                        let mut value = L::add(value, bias);
                        if let Some((residual, pitch)) = tile.residual {
                            let residual = residual.as_ptr().add(row * pitch + place);
                            value = L::add(value, L::load(residual));
                        }
                        if tile.add {
                            value = L::add(value, L::load(output.add(row * pitch + place)));
                        }
                        if tile.relu {
                            value = L::maximum(zero, value);
                        }
                        L::store(output.add(row * pitch + place), value);
                    }
                }
            }
        }
    }
}

/// Six vectors, `step` floats apart.
///
/// # Safety
/// The level's instructions are enabled and the floats exist.
#[inline(always)]
unsafe fn load_line<L: Lanes>(from: *const f32, step: usize) -> [L::Vector; INPUT_SIDE] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            L::load(from),
            L::load(from.add(step)),
            L::load(from.add(2 * step)),
            L::load(from.add(3 * step)),
            L::load(from.add(4 * step)),
            L::load(from.add(5 * step)),
        ]
    }
}

/// Row `row` of a tile that is kept by columns.
#[inline(always)]
fn row_of<V: Copy, const ROWS: usize>(
    columns: &[[V; ROWS]; INPUT_SIDE],
    row: usize,
) -> [V; INPUT_SIDE] {
    [
        columns[0][row],
        columns[1][row],
        columns[2][row],
        columns[3][row],
        columns[4][row],
        columns[5][row],
    ]
}

/// `factor * value + plus`.
///
/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn times<L: Lanes>(factor: f32, value: L::Vector, plus: L::Vector) -> L::Vector {
    // SAFETY: the caller's promise.
    unsafe { L::multiply_add(L::splat(factor), value, plus) }
}

/// The input transform of one dimension.
///
/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn input_line<L: Lanes>(x: [L::Vector; INPUT_SIDE]) -> [L::Vector; INPUT_SIDE] {
    // SAFETY: the caller's promise.
    unsafe {
        let (even_p, odd_p) = (times::<L>(-B, x[2], x[4]), times::<L>(-B, x[1], x[3]));
        let (even_q, odd_q) = (times::<L>(-A, x[2], x[4]), times::<L>(-A, x[1], x[3]));
        [
            times::<L>(A * B, x[0], times::<L>(-(A + B), x[2], x[4])),
            times::<L>(POINT_P, odd_p, even_p),
            times::<L>(-POINT_P, odd_p, even_p),
            times::<L>(POINT_Q, odd_q, even_q),
            times::<L>(-POINT_Q, odd_q, even_q),
            times::<L>(A * B, x[1], times::<L>(-(A + B), x[3], x[5])),
        ]
    }
}

/// The kernel transform of one dimension: the kernel's polynomial at each point, divided by the
/// product of the point's distances to the others.
///
/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn kernel_line<L: Lanes>(g: [L::Vector; KERNEL_SIDE]) -> [L::Vector; INPUT_SIDE] {
    const SCALE_P: f32 = 1.0 / (2.0 * A * (A - B));
    const SCALE_Q: f32 = 1.0 / (2.0 * B * (B - A));
    // SAFETY: the caller's promise.
    unsafe {
        let zero = L::splat(0.0);
        let even_p = times::<L>(SCALE_P, g[0], times::<L>(A * SCALE_P, g[2], zero));
        let even_q = times::<L>(SCALE_Q, g[0], times::<L>(B * SCALE_Q, g[2], zero));
        [
            times::<L>(1.0 / (A * B), g[0], zero),
            times::<L>(POINT_P * SCALE_P, g[1], even_p),
            times::<L>(-POINT_P * SCALE_P, g[1], even_p),
            times::<L>(POINT_Q * SCALE_Q, g[1], even_q),
            times::<L>(-POINT_Q * SCALE_Q, g[1], even_q),
            g[2],
        ]
    }
}

/// The output transform of one dimension.
///
/// # Safety
/// The level's instructions are enabled.
#[inline(always)]
unsafe fn output_line<L: Lanes>(m: [L::Vector; INPUT_SIDE]) -> [L::Vector; OUTPUT_SIDE] {
    // SAFETY: the caller's promise.
    unsafe {
        let zero = L::splat(0.0);
        let (sum_p, difference_p) = (L::add(m[1], m[2]), L::subtract(m[1], m[2]));
        let (sum_q, difference_q) = (L::add(m[3], m[4]), L::subtract(m[3], m[4]));
        [
            L::add(m[0], L::add(sum_p, sum_q)),
            times::<L>(POINT_P, difference_p, times::<L>(POINT_Q, difference_q, zero)),
            times::<L>(A, sum_p, times::<L>(B, sum_q, zero)),
            times::<L>(A * POINT_P, difference_p, times::<L>(B * POINT_Q, difference_q, m[5])),
        ]
    }
}

//! Convolution with bias, residual and ReLU: the direct form, and Winograd's for 3x3 at stride 1.
//!
//! Both run on [`simd::panels`](super::simd::panels): the direct form reads the input where it
//! lies, Winograd's (see [`super::winograd`]) transforms tiles of it and needs a quarter of the
//! multiplications.

use super::activation::{Activation, ActivationMut, Band, Layout};
use super::scratch::Scratch;
use super::simd::Level;
use super::simd::panels::{Epilogue, Panels, Rows, multiply};
use super::winograd::Winograd;
use crate::workers::Workers;

/// Shape of a convolution with a square kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub in_channels: usize,
    pub out_channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    pub stride: usize,
    /// Zeros on each side of the input.
    pub padding: usize,
}

impl Geometry {
    /// Sides of the output for an input of `height` by `width`; 0 where the kernel does not fit.
    pub fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        let side = |length: usize| {
            (length + 2 * self.padding)
                .checked_sub(self.kernel)
                .map_or(0, |room| room / self.stride + 1)
        };
        (side(height), side(width))
    }

    /// Number of weights.
    pub fn weights_count(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel * self.kernel
    }
}

/// A convolution whose weights are packed for one level.
#[derive(Debug)]
pub struct Convolution {
    geometry: Geometry,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Direct(Panels),
    Winograd(Winograd),
}

/// What is added to the sums, and whether negative results become 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Finish<'a> {
    /// A map of the output's shape (its border may differ).
    pub residual: Option<Activation<'a>>,
    pub relu: bool,
    /// What the output holds is added too (gradients).
    pub add: bool,
}

/// Pixels whose offsets are collected before they are multiplied: a multiple of the tile's six
/// rows, enough to use a panel of weights often while it is in the cache.
const PIXELS_TOGETHER: usize = 96;
/// Largest side of a kernel.
const KERNEL_MAX: usize = 7;
/// Bands that a layer is cut into at least, where it has the rows, so that a few dozen workers
/// share it evenly.
const BANDS_MIN: usize = 48;

impl Convolution {
    /// Packs `weights` (OIHW) and `bias` (one for each output channel).
    ///
    /// # Panics
    /// When the counts do not fit `geometry`.
    pub fn new(geometry: Geometry, weights: &[f32], bias: &[f32], level: Level) -> Convolution {
        assert_eq!(weights.len(), geometry.weights_count());
        assert_eq!(bias.len(), geometry.out_channels);
        assert!(geometry.kernel <= KERNEL_MAX && geometry.stride > 0);
        let form = if Winograd::pays(&geometry) {
            Form::Winograd(Winograd::new(&geometry, weights, bias, level))
        } else {
            Form::Direct(pack(&geometry, weights, bias, level))
        };
        Convolution { geometry, form }
    }

    /// The shape.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Floats of scratch memory that one task of a forward on `input` needs.
    pub fn scratch_length(&self, input: &Layout) -> usize {
        match &self.form {
            Form::Direct(_) => 0,
            Form::Winograd(winograd) => winograd.scratch_length(input),
        }
    }

    /// Bytes of the packed weights.
    pub fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Direct(panels) => panels.memory_bytes(),
            Form::Winograd(winograd) => winograd.memory_bytes(),
        }
    }

    /// Writes `output`, border included.
    ///
    /// # Panics
    /// When the layouts do not fit: the input's border must be at least the padding.
    pub fn forward(
        &self,
        input: Activation<'_>,
        output: ActivationMut<'_>,
        finish: Finish<'_>,
        scratch: &Scratch,
        workers: &Workers,
    ) {
        self.check(&input.layout, &output.layout, &finish);
        match &self.form {
            Form::Direct(panels) => {
                let band_rows = band_rows(&output.layout);
                output.for_each_band(band_rows, workers, |band| {
                    self.write_band(panels, input, finish, band);
                });
            }
            Form::Winograd(winograd) => winograd.forward(input, output, finish, scratch, workers),
        }
    }

    fn check(&self, input: &Layout, output: &Layout, finish: &Finish<'_>) {
        let geometry = &self.geometry;
        let (height, width) = geometry.output_size(input.height, input.width);
        assert!(input.channels == geometry.in_channels && input.border >= geometry.padding);
        let wanted = Layout { height, width, channels: geometry.out_channels, ..*output };
        assert!(*output == wanted && output.images == input.images, "{output:?} for {wanted:?}");
        if let Some(residual) = finish.residual {
            let wanted = Layout { border: residual.layout.border, ..*output };
            assert_eq!(residual.layout, wanted);
        }
    }

    fn write_band(
        &self,
        panels: &Panels,
        input: Activation<'_>,
        finish: Finish<'_>,
        band: Band<'_>,
    ) {
        let geometry = &self.geometry;
        let segment_length = geometry.kernel * geometry.in_channels;
        let mut segments = [0; KERNEL_MAX];
        for (row, segment) in segments.iter_mut().enumerate() {
            *segment = row * input.layout.row_length();
        }
        let mut pixels = Pixels::default();
        let flush = |pixels: &mut Pixels, output: &mut [f32]| {
            let rows = Rows {
                data: input.data,
                offsets: &pixels.input[..pixels.count],
                segments: &segments[..geometry.kernel],
                segment_length,
            };
            let residual = finish.residual.map(|map| (map.data, &pixels.residual[..pixels.count]));
            let epilogue = Epilogue { residual, relu: finish.relu, add: finish.add };
            multiply(rows, panels.view(), epilogue, output, &pixels.output[..pixels.count]);
            pixels.count = 0;
        };
        let corner = input.layout.border - geometry.padding;
        for y in band.rows.clone() {
            for x in 0..band.layout.width {
                let (top, left) = (corner + y * geometry.stride, corner + x * geometry.stride);
                pixels.input[pixels.count] = input.layout.offset(band.image, top, left);
                pixels.output[pixels.count] = band.offset(y, x);
                if let Some(map) = finish.residual {
                    let border = map.layout.border;
                    pixels.residual[pixels.count] =
                        map.layout.offset(band.image, y + border, x + border);
                }
                pixels.count += 1;
                if pixels.count == PIXELS_TOGETHER {
                    flush(&mut pixels, band.data);
                }
            }
        }
        flush(&mut pixels, band.data);
    }
}

/// Offsets of pixels that are multiplied together.
struct Pixels {
    count: usize,
    input: [usize; PIXELS_TOGETHER],
    output: [usize; PIXELS_TOGETHER],
    residual: [usize; PIXELS_TOGETHER],
}

impl Default for Pixels {
    fn default() -> Pixels {
        let none = [0; PIXELS_TOGETHER];
        Pixels { count: 0, input: none, output: none, residual: none }
    }
}

/// Rows of a band: enough pixels to fill the offsets, fewer where that would leave workers idle.
fn band_rows(output: &Layout) -> usize {
    let full = PIXELS_TOGETHER.div_ceil(output.width.max(1));
    full.min(output.images * output.height / BANDS_MIN).max(1)
}

/// Packs OIHW weights so that the inner dimension runs over (kernel row, kernel column, input
/// channel), as pixels lie in memory.
fn pack(geometry: &Geometry, weights: &[f32], bias: &[f32], level: Level) -> Panels {
    let (side, channels) = (geometry.kernel, geometry.in_channels);
    let inner = side * side * channels;
    Panels::pack(level, inner, geometry.out_channels, bias, |step, column| {
        let (place, channel) = (step / channels, step % channels);
        weights[(column * channels + channel) * side * side + place]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random, StreamKey};

    fn draw(count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
        (0..count).map(|_| random.uniform() as f32 - 0.5).collect()
    }

    /// Random pixels inside a border of zeros.
    fn draw_map(layout: Layout, seed: u64) -> Vec<f32> {
        let mut data = vec![0.0; layout.length()];
        let values = draw(layout.length(), seed);
        ActivationMut { data: &mut data, layout }.for_each_band(1, &Workers::caller(), |band| {
            let start = band.offset(band.rows.start, 0);
            let length = layout.width * layout.channels;
            let from = (band.image * layout.height + band.rows.start) * length;
            band.data[start..start + length].copy_from_slice(&values[from..from + length]);
        });
        data
    }

    /// The definition, in double precision.
    fn plain(
        geometry: &Geometry,
        weights: &[f32],
        bias: &[f32],
        input: Activation<'_>,
        residual: Activation<'_>,
    ) -> Vec<f32> {
        let layout = residual.layout;
        let mut output = vec![0.0; layout.length()];
        let side = geometry.kernel;
        for index in 0..layout.images * layout.height * layout.width * layout.channels {
            let (pixel, channel) = (index / layout.channels, index % layout.channels);
            let (row, x) = (pixel / layout.width, pixel % layout.width);
            let (image, y) = (row / layout.height, row % layout.height);
            let corner = input.layout.border - geometry.padding;
            let mut sum = f64::from(bias[channel]);
            for place in 0..side * side * geometry.in_channels {
                let (from, place) = (place / (side * side), place % (side * side));
                let row = corner + y * geometry.stride + place / side;
                let column = corner + x * geometry.stride + place % side;
                let value = input.data[input.layout.offset(image, row, column) + from];
                let at = (channel * geometry.in_channels + from) * side * side + place;
                sum += f64::from(value) * f64::from(weights[at]);
            }
            let at = layout.offset(image, y + layout.border, x + layout.border) + channel;
            output[at] = (sum as f32 + residual.data[at]).max(0.0);
        }
        output
    }

    /// Both forms, every level, odd sizes, narrow and wide borders: error and border.
    #[test]
    fn every_form_agrees_with_the_definition() {
        let cases = [
            (3, 20, 7, 2, 3, 11, 14),
            (5, 70, 1, 1, 0, 7, 9),
            (16, 40, 1, 2, 0, 7, 9),
            (8, 8, 3, 1, 1, 5, 6),
            (24, 33, 3, 2, 1, 7, 5),
            (16, 16, 3, 1, 1, 1, 1),
            (20, 90, 3, 1, 1, 9, 13),
            (64, 130, 3, 1, 1, 12, 50),
        ];
        for (in_channels, out_channels, kernel, stride, padding, height, width) in cases {
            let geometry = Geometry { in_channels, out_channels, kernel, stride, padding };
            let weights = draw(geometry.weights_count(), 1);
            let bias = draw(out_channels, 2);
            let border = padding.max(1);
            let from = Layout { images: 2, height, width, channels: in_channels, border };
            let data = draw_map(from, 3);
            let input = Activation { data: &data, layout: from };
            let (height, width) = geometry.output_size(height, width);
            let to = Layout { images: 2, height, width, channels: out_channels, border: 2 };
            let added = draw_map(to, 4);
            let residual = Activation { data: &added, layout: to };
            let wanted = plain(&geometry, &weights, &bias, input, residual);
            for level in Level::available() {
                let layer = Convolution::new(geometry, &weights, &bias, level);
                let scratch = Scratch::new(2, layer.scratch_length(&from));
                let finish = Finish { residual: Some(residual), relu: true, add: false };
                let mut results = Vec::new();
                for threads in [1, 2] {
                    let workers = Workers::with_threads(threads).unwrap();
                    let mut data = vec![9.0; to.length()];
                    let output = ActivationMut { data: &mut data, layout: to };
                    layer.forward(input, output, finish, &scratch, &workers);
                    results.push(data);
                }
                assert_eq!(results[0], results[1], "threads {level:?} {geometry:?}");
                let errors = results[0].iter().zip(&wanted).map(|(got, want)| (got - want).abs());
                let error = errors.fold(0.0, f32::max);
                assert!(error < 2e-5, "{error} {level:?} {geometry:?}");
            }
        }
    }

    #[test]
    fn a_kernel_that_does_not_fit_gives_nothing() {
        let geometry =
            Geometry { in_channels: 1, out_channels: 1, kernel: 3, stride: 2, padding: 0 };
        assert_eq!(geometry.output_size(2, 7), (0, 3));
    }
}

//! What regions are compared by: histograms of colour and texture, sizes and bounding boxes.
//!
//! Source: Uijlings et al., "Selective search for object recognition", IJCV 2013, §3.2: 25 bins
//! for each colour channel, 10 bins for each of 8 directions of the derivative in each channel,
//! histograms of sum 1, compared by their intersection.

use super::segmentation::{Segmentation, mirror};
use std::f32::consts::FRAC_1_SQRT_2;

const COLOUR_BINS: usize = 25;
const TEXTURE_BINS: usize = 10;
const DIRECTIONS: usize = 8;
/// The directions as unit vectors. Written out, as rounded sines of upright axes would let noise
/// pass for a derivative.
const AXES: [[f32; 2]; DIRECTIONS] = [
    [1.0, 0.0],
    [FRAC_1_SQRT_2, FRAC_1_SQRT_2],
    [0.0, 1.0],
    [-FRAC_1_SQRT_2, FRAC_1_SQRT_2],
    [-1.0, 0.0],
    [-FRAC_1_SQRT_2, -FRAC_1_SQRT_2],
    [0.0, -1.0],
    [FRAC_1_SQRT_2, -FRAC_1_SQRT_2],
];
/// Length of a colour histogram.
const COLOUR_LENGTH: usize = 3 * COLOUR_BINS;
/// Length of a texture histogram.
const TEXTURE_LENGTH: usize = 3 * DIRECTIONS * TEXTURE_BINS;

/// A region: a segment, or two regions united.
#[derive(Debug, Clone)]
pub(super) struct Region {
    /// `[x0, y0, x1, y1)` in pixels.
    pub(super) bounds: [u32; 4],
    pub(super) pixels: u32,
    colour: Vec<f32>,
    texture: Vec<f32>,
}

/// How much each similarity counts; the sum is divided by the sum of the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mix {
    pub(super) colour: f32,
    pub(super) texture: f32,
    pub(super) size: f32,
    pub(super) fill: f32,
}

impl Region {
    /// The two as one; histograms are averaged by size.
    pub(super) fn unite(&self, other: &Region) -> Region {
        let pixels = self.pixels + other.pixels;
        let share = self.pixels as f32 / pixels as f32;
        let average = |first: &[f32], second: &[f32]| {
            first.iter().zip(second).map(|(a, b)| a * share + b * (1.0 - share)).collect()
        };
        Region {
            bounds: unite(self.bounds, other.bounds),
            pixels,
            colour: average(&self.colour, &other.colour),
            texture: average(&self.texture, &other.texture),
        }
    }

    /// How well two regions go together, in [0, 1], in an image of `image_pixels`.
    pub(super) fn similarity(&self, other: &Region, mix: Mix, image_pixels: u32) -> f32 {
        let both = self.pixels + other.pixels;
        let [x0, y0, x1, y1] = unite(self.bounds, other.bounds);
        let gap = ((x1 - x0) * (y1 - y0)).saturating_sub(both);
        let share = |pixels: u32| (1.0 - pixels as f32 / image_pixels as f32).clamp(0.0, 1.0);
        let mut total = mix.size * share(both) + mix.fill * share(gap);
        total += mix.texture * intersection(&self.texture, &other.texture);
        // One mix leaves colour out; the texture is always needed.
        if mix.colour > 0.0 {
            total += mix.colour * intersection(&self.colour, &other.colour);
        }
        total / (mix.colour + mix.texture + mix.size + mix.fill)
    }
}

fn unite(first: [u32; 4], second: [u32; 4]) -> [u32; 4] {
    [
        first[0].min(second[0]),
        first[1].min(second[1]),
        first[2].max(second[2]),
        first[3].max(second[3]),
    ]
}

fn intersection(first: &[f32], second: &[f32]) -> f32 {
    first.iter().zip(second).map(|(a, b)| a.min(*b)).sum()
}

/// For each pixel the bin of each direction of each channel.
pub(super) type TextureBins = Vec<[u8; 3 * DIRECTIONS]>;

/// Bins the derivatives of an image of `side * side` pixels.
///
/// Four axes by Scharr's operator, whose response turns with the axis, so that the diagonal ones
/// are combinations of the two upright ones; each is split by sign and scaled by its largest
/// value in the image.
pub(super) fn texture_bins(pixels: &[[u8; 3]], side: usize) -> TextureBins {
    let mut bins = vec![[0; 3 * DIRECTIONS]; pixels.len()];
    for channel in 0..3 {
        let gradients: Vec<[f32; 2]> =
            (0..pixels.len()).map(|pixel| scharr(pixels, side, channel, pixel)).collect();
        for direction in 0..DIRECTIONS {
            let [along_x, along_y] = AXES[direction];
            let response = |[x, y]: &[f32; 2]| (along_x * x + along_y * y).max(0.0);
            let largest = gradients.iter().map(response).fold(f32::MIN_POSITIVE, f32::max);
            for (bins, gradient) in bins.iter_mut().zip(&gradients) {
                let bin = response(gradient) / largest * TEXTURE_BINS as f32;
                bins[channel * DIRECTIONS + direction] = (bin as u8).min(TEXTURE_BINS as u8 - 1);
            }
        }
    }
    bins
}

/// Derivatives along x and y (Scharr 2000: weights 3, 10, 3).
fn scharr(pixels: &[[u8; 3]], side: usize, channel: usize, pixel: usize) -> [f32; 2] {
    let (x, y) = ((pixel % side) as i64, (pixel / side) as i64);
    let at = |dx: i64, dy: i64| {
        f32::from(pixels[mirror(y + dy, side) * side + mirror(x + dx, side)][channel])
    };
    let line = |before: f32, middle: f32, after: f32| 3.0 * before + 10.0 * middle + 3.0 * after;
    [
        line(at(1, -1), at(1, 0), at(1, 1)) - line(at(-1, -1), at(-1, 0), at(-1, 1)),
        line(at(-1, 1), at(0, 1), at(1, 1)) - line(at(-1, -1), at(0, -1), at(1, -1)),
    ]
}

/// Describes every segment.
pub(super) fn describe(
    pixels: &[[u8; 3]],
    textures: &TextureBins,
    segmentation: &Segmentation,
    side: usize,
) -> Vec<Region> {
    let empty = Region {
        bounds: [u32::MAX, u32::MAX, 0, 0],
        pixels: 0,
        colour: vec![0.0; COLOUR_LENGTH],
        texture: vec![0.0; TEXTURE_LENGTH],
    };
    let mut regions = vec![empty; segmentation.count];
    for (pixel, label) in segmentation.labels.iter().enumerate() {
        let region = &mut regions[*label as usize];
        let (x, y) = ((pixel % side) as u32, (pixel / side) as u32);
        region.bounds = unite(region.bounds, [x, y, x + 1, y + 1]);
        region.pixels += 1;
        for (channel, level) in pixels[pixel].iter().enumerate() {
            let bin = usize::from(*level) * COLOUR_BINS / 256;
            region.colour[channel * COLOUR_BINS + bin] += 1.0;
        }
        for (direction, bin) in textures[pixel].iter().enumerate() {
            region.texture[direction * TEXTURE_BINS + usize::from(*bin)] += 1.0;
        }
    }
    for region in &mut regions {
        let count = region.pixels as f32;
        region.colour.iter_mut().for_each(|bin| *bin /= 3.0 * count);
        region.texture.iter_mut().for_each(|bin| *bin /= (3 * DIRECTIONS) as f32 * count);
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe_halves() -> Vec<Region> {
        let side = 8;
        let colour = |pixel: usize| if pixel % side < 4 { [10, 0, 0] } else { [250, 0, 0] };
        let pixels: Vec<[u8; 3]> = (0..64).map(colour).collect();
        let labels = (0..64).map(|pixel| u32::from(pixel % side >= 4)).collect();
        let segmentation = Segmentation { labels, count: 2 };
        describe(&pixels, &texture_bins(&pixels, side), &segmentation, side)
    }

    #[test]
    fn histograms_sum_to_one_and_unions_stay_so() {
        let regions = describe_halves();
        let union = regions[0].unite(&regions[1]);
        for region in regions.iter().chain([&union]) {
            assert!((region.colour.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!((region.texture.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
        assert_eq!((union.bounds, union.pixels), ([0, 0, 8, 8], 64));
    }

    #[test]
    fn each_similarity_is_the_papers() {
        let regions = describe_halves();
        let similarity = |mix| regions[0].similarity(&regions[1], mix, 128);
        let none = Mix { colour: 0.0, texture: 0.0, size: 0.0, fill: 0.0 };
        // Two of three channels are equal, red shares no bin.
        assert!((similarity(Mix { colour: 1.0, ..none }) - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!(similarity(Mix { size: 0.5, ..none }), 0.5);
        assert_eq!(similarity(Mix { fill: 1.0, ..none }), 1.0);
        let mixed = similarity(Mix { size: 1.0, fill: 3.0, ..none });
        assert!((mixed - 0.875).abs() < 1e-6);
    }

    #[test]
    fn an_edge_falls_into_the_directions_that_face_it() {
        let side = 8;
        let level = |pixel: usize| if pixel % side < 4 { [0; 3] } else { [90; 3] };
        let bins = texture_bins(&(0..64).map(level).collect::<Vec<_>>(), side);
        // Directions 0, 1 and 7 look along rising x; 2 and 6 along the edge; 3 to 5 down it.
        assert_eq!(bins[3 * side + 4][..8], [9, 9, 0, 0, 0, 0, 0, 9]);
        assert_eq!(bins[3 * side + 1], [0; 24]);
    }
}

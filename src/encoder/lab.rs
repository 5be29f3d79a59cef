//! sRGB bytes to CIE L*a*b* (CIE 15:2004, white point D65, the sRGB matrix of IEC 61966-2-1).
//!
//! In L*a*b* a difference of one is about equally visible everywhere, so that means and
//! deviations of regions compare fairly. A table takes the bytes to linear light; the cube roots
//! are three Newton steps from a guess on the exponent, which compilers vectorise.

/// sRGB to XYZ, each row divided by the white point's X, Y or Z.
const TO_XYZ: [[f32; 3]; 3] = [
    [0.412_456_4 / 0.950_47, 0.357_576_1 / 0.950_47, 0.180_437_5 / 0.950_47],
    [0.212_672_9, 0.715_152_2, 0.072_175],
    [0.019_333_9 / 1.088_83, 0.119_192 / 1.088_83, 0.950_304_1 / 1.088_83],
];

/// Below this share of the white point the cube root becomes a straight line.
const LINEAR_BELOW: f32 = 216.0 / 24389.0;
const LINEAR_SLOPE: f32 = 24389.0 / 27.0;

/// Pixels that are converted together: small enough for the first cache.
const BLOCK: usize = 64;

/// The conversion with its table.
pub(super) struct Lab {
    linear: [f32; 256],
}

impl Lab {
    pub fn new() -> Lab {
        let linear = std::array::from_fn(|byte| {
            let value = byte as f64 / 255.0;
            let linear =
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
            linear as f32
        });
        Lab { linear }
    }

    /// Converts RGB pixels, three bytes each, to planes of one number for each pixel: lightness
    /// in [0, 100], green to red and blue to yellow in about [-128, 128].
    #[inline(always)]
    pub fn convert(&self, pixels: &[u8], [lightness, red, yellow]: [&mut [f32]; 3]) {
        let blocks = pixels
            .chunks(3 * BLOCK)
            .zip(lightness.chunks_mut(BLOCK))
            .zip(red.chunks_mut(BLOCK).zip(yellow.chunks_mut(BLOCK)));
        for ((pixels, lightness), (red, yellow)) in blocks {
            let mut roots = [[0.0f32; BLOCK]; 3];
            self.roots(pixels, &mut roots);
            let [x, y, z] = &roots;
            for (index, lightness) in lightness.iter_mut().enumerate() {
                *lightness = 116.0 * y[index] - 16.0;
            }
            for (index, (red, yellow)) in red.iter_mut().zip(yellow).enumerate() {
                *red = 500.0 * (x[index] - y[index]);
                *yellow = 200.0 * (y[index] - z[index]);
            }
        }
    }

    #[inline(always)]
    fn roots(&self, pixels: &[u8], roots: &mut [[f32; BLOCK]; 3]) {
        let mut linear = [[0.0f32; BLOCK]; 3];
        for (index, pixel) in pixels.chunks_exact(3).enumerate() {
            for channel in 0..3 {
                linear[channel][index] = self.linear[pixel[channel] as usize];
            }
        }
        let [red, green, blue] = &linear;
        for (root, [from_red, from_green, from_blue]) in roots.iter_mut().zip(TO_XYZ) {
            for (index, root) in root.iter_mut().enumerate() {
                let share =
                    from_red * red[index] + from_green * green[index] + from_blue * blue[index];
                let line = (LINEAR_SLOPE * share + 16.0) / 116.0;
                *root = if share > LINEAR_BELOW { cube_root(share) } else { line };
            }
        }
    }
}

/// The cube root of a positive normal number, to about one part in ten million.
#[inline(always)]
fn cube_root(value: f32) -> f32 {
    // A third of the exponent; the constant centres the error of the first guess.
    let mut root = f32::from_bits(value.to_bits() / 3 + 0x2a51_4067);
    for _ in 0..3 {
        root = (2.0 * root + value / (root * root)) * (1.0 / 3.0);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab(rgb: [u8; 3]) -> [f32; 3] {
        let (mut lightness, mut red, mut yellow) = ([0.0], [0.0], [0.0]);
        Lab::new().convert(&rgb, [&mut lightness, &mut red, &mut yellow]);
        [lightness[0], red[0], yellow[0]]
    }

    #[test]
    fn colours_have_their_published_values() {
        // Lindbloom's CIE colour calculator, sRGB, D65.
        for (rgb, expected) in [
            ([255, 0, 0], [53.2408, 80.0925, 67.2032]),
            ([0, 255, 0], [87.7347, -86.1827, 83.1793]),
            ([0, 0, 255], [32.2970, 79.1875, -107.8602]),
            ([255, 255, 255], [100.0, 0.0, 0.0]),
            ([0, 0, 0], [0.0, 0.0, 0.0]),
        ] {
            for (got, expected) in lab(rgb).into_iter().zip(expected) {
                assert!((got - expected).abs() < 0.02, "{rgb:?}: {got} is not {expected}");
            }
        }
    }

    #[test]
    fn cube_roots_are_exact_to_the_last_bits() {
        for step in 1..10_000 {
            let value = step as f32 / 9000.0;
            let error = (cube_root(value) as f64 / (value as f64).cbrt() - 1.0).abs();
            assert!(error < 3e-7, "{value}: {error}");
        }
    }

    #[test]
    fn rows_longer_than_a_block_are_converted_to_the_end() {
        let pixels: Vec<u8> = (0..3 * 150).map(|value| (value * 7 % 256) as u8).collect();
        let mut planes = [vec![0.0; 150], vec![0.0; 150], vec![0.0; 150]];
        let [lightness, red, yellow] = &mut planes;
        Lab::new().convert(&pixels, [lightness, red, yellow]);
        for (index, pixel) in pixels.chunks_exact(3).enumerate() {
            let alone = lab([pixel[0], pixel[1], pixel[2]]);
            assert_eq!([planes[0][index], planes[1][index], planes[2][index]], alone);
        }
    }
}

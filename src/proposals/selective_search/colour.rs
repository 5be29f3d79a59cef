//! The two colour spaces of the fast mode, as 8-bit levels like those of common image libraries:
//! hue in [0, 180), all else in [0, 255].

/// A colour space in which an image is segmented and described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColourSpace {
    Hsv,
    Lab,
}

impl ColourSpace {
    /// Converts RGB pixels.
    pub(super) fn convert(self, rgb: &[u8]) -> Vec<[u8; 3]> {
        let linear: [f64; 256] = std::array::from_fn(|level| linear_light(level as f64 / 255.0));
        let pixels = rgb.chunks_exact(3);
        pixels
            .map(|pixel| match self {
                ColourSpace::Hsv => hsv(pixel),
                ColourSpace::Lab => {
                    lab([0, 1, 2].map(|channel: usize| linear[usize::from(pixel[channel])]))
                }
            })
            .collect()
    }
}

/// Hue in steps of two degrees, saturation, value.
fn hsv(rgb: &[u8]) -> [u8; 3] {
    let [red, green, blue] = [rgb[0], rgb[1], rgb[2]].map(f64::from);
    let value = red.max(green).max(blue);
    let range = value - red.min(green).min(blue);
    if range == 0.0 {
        return [0, 0, value as u8];
    }
    let sixth = if value == red {
        (green - blue) / range
    } else if value == green {
        2.0 + (blue - red) / range
    } else {
        4.0 + (red - green) / range
    };
    let hue = (sixth.rem_euclid(6.0) * 30.0).round() as u8 % 180;
    [hue, (255.0 * range / value).round() as u8, value as u8]
}

/// The light of an sRGB level, both in [0, 1] (IEC 61966-2-1).
fn linear_light(level: f64) -> f64 {
    if level <= 0.04045 { level / 12.92 } else { ((level + 0.055) / 1.055).powf(2.4) }
}

/// CIE 1976 L*a*b* under D65: L* stretched to 255, a* and b* with 128 added.
fn lab(linear: [f64; 3]) -> [u8; 3] {
    /// Rows X, Y, Z of the sRGB primaries, each divided by the white point's.
    const TO_XYZ: [[f64; 3]; 3] = [
        [0.433_953, 0.376_219, 0.189_828],
        [0.212_671, 0.715_160, 0.072_169],
        [0.017_758, 0.109_477, 0.872_765],
    ];
    let [x, y, z] = TO_XYZ.map(|row| {
        let share: f64 = row.iter().zip(linear).map(|(weight, light)| weight * light).sum();
        if share > 0.008_856 { share.cbrt() } else { 7.787 * share + 16.0 / 116.0 }
    });
    let levels =
        [(116.0 * y - 16.0) * 255.0 / 100.0, 500.0 * (x - y) + 128.0, 200.0 * (y - z) + 128.0];
    levels.map(|level| level.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenCV 5.0: `cvtColor` of the same pixels, RGB order.
    #[test]
    fn levels_are_those_of_opencv() {
        let rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 128, 128, 128, 10, 200, 90, 255, 255, 255];
        assert_eq!(ColourSpace::Hsv.convert(&rgb), HSV);
        assert_eq!(ColourSpace::Lab.convert(&rgb), LAB);
    }

    const HSV: [[u8; 3]; 6] =
        [[0, 255, 255], [60, 255, 255], [120, 255, 255], [0, 0, 128], [73, 242, 200], [0, 0, 255]];
    const LAB: [[u8; 3]; 6] = [
        [136, 208, 195],
        [224, 42, 211],
        [82, 207, 20],
        [137, 128, 128],
        [181, 63, 171],
        [255, 128, 128],
    ];
}

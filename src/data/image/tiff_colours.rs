//! From the samples of a TIFF to RGB, as Pillow converts them.

/// Samples of 8 bits, with the steps from one to the next: they stand together for each pixel, or in
/// planes, one for each channel.
pub(super) struct Samples {
    pub levels: Vec<u8>,
    pub pixel_step: usize,
    pub channel_step: usize,
}

impl Samples {
    fn get(&self, pixel: usize, channel: usize) -> u8 {
        self.levels[pixel * self.pixel_step + channel * self.channel_step]
    }
}

/// What the samples of a pixel mean.
pub(super) enum Colours {
    Grey,
    /// Grey, from white to black.
    Inverse,
    Palette(Vec<[u8; 3]>),
    Rgb,
    YCbCr,
    Cmyk,
}

impl Colours {
    /// Samples without alpha and other extras.
    pub(super) fn samples_count(&self) -> usize {
        match self {
            Colours::Grey | Colours::Inverse | Colours::Palette(_) => 1,
            Colours::Rgb | Colours::YCbCr => 3,
            Colours::Cmyk => 4,
        }
    }

    /// RGB of all pixels. Where colours `is_multiplied` with the alpha behind them, that is undone.
    pub(super) fn paint(&self, samples: &Samples, pixels: usize, is_multiplied: bool) -> Vec<u8> {
        let count = self.samples_count();
        let mut rgb = Vec::with_capacity(pixels * 3);
        for pixel in 0..pixels {
            let mut values = [0; 4];
            for (channel, value) in values[..count].iter_mut().enumerate() {
                *value = samples.get(pixel, channel);
            }
            let colour = self.to_rgb(values);
            match is_multiplied {
                true => {
                    let alpha = samples.get(pixel, count);
                    rgb.extend(colour.map(|level| divide(level, alpha)));
                }
                false => rgb.extend(colour),
            }
        }
        rgb
    }

    fn to_rgb(&self, samples: [u8; 4]) -> [u8; 3] {
        let [a, b, c, black] = samples;
        match self {
            Colours::Grey => [a; 3],
            Colours::Inverse => [255 - a; 3],
            Colours::Palette(colours) => colours.get(usize::from(a)).copied().unwrap_or_default(),
            Colours::Rgb => [a, b, c],
            Colours::YCbCr => from_ycbcr(a, b, c),
            Colours::Cmyk => [a, b, c].map(|ink| from_ink(ink, black)),
        }
    }
}

/// ITU-R BT.601 over the whole range, as in JFIF.
fn from_ycbcr(y: u8, blue: u8, red: u8) -> [u8; 3] {
    let (y, blue, red) = (f32::from(y), f32::from(blue) - 128.0, f32::from(red) - 128.0);
    [y + 1.402 * red, y - 0.344_136 * blue - 0.714_136 * red, y + 1.772 * blue]
        .map(|level| level.round() as u8)
}

/// What an ink leaves of the light that black leaves.
fn from_ink(ink: u8, black: u8) -> u8 {
    let light = 255 - u32::from(black);
    let product = u32::from(ink) * light + 128;
    (light - ((product >> 8) + product) / 256) as u8
}

/// A level that was multiplied with its alpha, as it was before; black where nothing is left.
fn divide(level: u8, alpha: u8) -> u8 {
    (u32::from(level) * 255).checked_div(alpha.into()).unwrap_or(0).min(255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_differences_and_alpha_become_light() {
        assert_eq!(Colours::Cmyk.to_rgb([0, 255, 128, 0]), [255, 0, 127]);
        assert_eq!(Colours::Cmyk.to_rgb([0, 255, 128, 255]), [0; 3]);
        assert_eq!(Colours::YCbCr.to_rgb([76, 85, 255, 0]), [254, 0, 0]);
        assert_eq!(Colours::YCbCr.to_rgb([255, 128, 128, 0]), [255; 3]);
        assert_eq!(Colours::Inverse.to_rgb([5, 0, 0, 0]), [250; 3]);
        assert_eq!(Colours::Palette(vec![[1, 2, 3]]).to_rgb([1, 0, 0, 0]), [0; 3]);
        assert_eq!([divide(50, 100), divide(50, 0), divide(200, 100)], [127, 0, 255]);
    }

    #[test]
    fn samples_lie_together_or_in_planes() {
        let together =
            Samples { levels: vec![1, 2, 3, 9, 4, 5, 6, 9], pixel_step: 4, channel_step: 1 };
        let planes = Samples { levels: vec![1, 4, 2, 5, 3, 6], pixel_step: 1, channel_step: 2 };
        for samples in [together, planes] {
            assert_eq!(Colours::Rgb.paint(&samples, 2, false), [1, 2, 3, 4, 5, 6]);
        }
    }
}

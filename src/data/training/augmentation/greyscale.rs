//! An image without its colours: every channel becomes the luma of ITU-R BT.601.

use crate::data::image::Image;

/// Weights of red, green and blue.
pub(super) const LUMA: [f32; 3] = [0.2989, 0.587, 0.114];

/// Replaces the colours in place; rounded down to whole levels, as torchvision does.
pub fn apply(image: &mut Image) {
    let (pixels, _) = image.pixels.as_chunks_mut::<3>();
    for pixel in pixels {
        let [red, green, blue] = pixel.map(f32::from);
        *pixel = [(red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]) as u8; 3];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torchvision 0.29: `rgb_to_grayscale` of these pixels in uint8.
    #[test]
    fn levels_are_those_of_torchvision() {
        let mut image = Image::new(3, 1, vec![255, 255, 255, 10, 200, 30, 0, 1, 2]).unwrap();
        apply(&mut image);
        assert_eq!(image.pixels, [254, 254, 254, 123, 123, 123, 0, 0, 0]);
    }
}

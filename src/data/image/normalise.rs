//! Pixels to numbers: `(value / 255 - mean) / deviation` for each channel, f32, HWC.

use super::Image;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Mean and deviation of red, green and blue, on the scale from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Normalisation {
    /// Default 0.485, 0.456, 0.406: ImageNet's, which public backbones were trained with.
    pub mean: [f32; 3],
    /// Default 0.229, 0.224, 0.225: ImageNet's.
    pub deviation: [f32; 3],
}

impl Default for Normalisation {
    fn default() -> Normalisation {
        Normalisation { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] }
    }
}

impl Normalisation {
    /// # Errors
    /// [`Error::InvalidArgument`] for a mean that is not finite or a deviation that is not a
    /// finite number above 0.
    pub fn validate(&self) -> Result<()> {
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return Err(Error::invalid("mean", format!("{mean} is not finite")));
        }
        let wrong = |deviation: &&f32| !deviation.is_finite() || **deviation <= 0.0;
        match self.deviation.iter().find(wrong) {
            Some(deviation) => Err(Error::invalid("deviation", format!("{deviation} is not > 0"))),
            None => Ok(()),
        }
    }

    /// The 256 possible results of each channel, in the order of operations of torchvision's
    /// `to_tensor` and `normalize`, hence equal to theirs to the last bit.
    pub fn table(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|channel| {
            std::array::from_fn(|level| {
                (level as f32 / 255.0 - self.mean[channel]) / self.deviation[channel]
            })
        })
    }
}

/// Writes the normalised image as `[height, width, 3]`.
///
/// # Errors
/// [`Error::Shape`] when `tensor` has another length.
pub fn to_tensor(image: &Image, normalisation: &Normalisation, tensor: &mut [f32]) -> Result<()> {
    if tensor.len() != image.pixels.len() {
        return Err(Error::shape(
            "tensor",
            format!("{}x{}x3 values", image.height, image.width),
            format!("{} values", tensor.len()),
        ));
    }
    let [red, green, blue] = normalisation.table();
    for (target, source) in tensor.chunks_exact_mut(3).zip(image.pixels.chunks_exact(3)) {
        target[0] = red[usize::from(source[0])];
        target[1] = green[usize::from(source[1])];
        target[2] = blue[usize::from(source[2])];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_becomes_zero_and_a_deviation_more_becomes_one() {
        let image = Image::new(1, 2, vec![0, 51, 255, 102, 0, 0]).unwrap();
        let rule = Normalisation { mean: [0.0, 0.2, 0.0], deviation: [0.4, 1.0, 0.5] };
        let mut tensor = [0.0; 6];
        to_tensor(&image, &rule, &mut tensor).unwrap();
        assert_eq!(tensor, [0.0, 0.0, 2.0, 1.0, -0.2, 0.0]);
        assert!(to_tensor(&image, &rule, &mut [0.0; 5]).is_err());
    }

    /// torchvision 0.29: `normalize(to_tensor(pixel (0, 128, 255)), mean, deviation)`.
    #[test]
    fn the_default_is_torchvisions() {
        let image = Image::new(1, 1, vec![0, 128, 255]).unwrap();
        let mut tensor = [0.0; 3];
        to_tensor(&image, &Normalisation::default(), &mut tensor).unwrap();
        assert_eq!(tensor, [-2.117_904, 0.205_182_2, 2.64]);
    }

    #[test]
    fn a_deviation_of_zero_is_refused() {
        let rule = Normalisation { deviation: [1.0, 0.0, 1.0], ..Normalisation::default() };
        assert!(rule.validate().is_err() && Normalisation::default().validate().is_ok());
        let rule = Normalisation { mean: [f32::NAN; 3], ..Normalisation::default() };
        assert!(rule.validate().is_err());
    }
}

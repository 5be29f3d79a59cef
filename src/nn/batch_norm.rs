//! Batch normalisation with frozen statistics, and folded into the convolution before it for files
//! that hold no norm.

/// The trained values of a batch normalisation, one of each for every channel.
#[derive(Debug, Clone, Copy)]
pub struct BatchNorm<'a> {
    pub scale: &'a [f32],
    pub shift: &'a [f32],
    pub mean: &'a [f32],
    pub variance: &'a [f32],
}

/// Added to variances; torch's default and that of every public ResNet.
const EPSILON: f64 = 1e-5;

/// What a channel's values are multiplied by, and what is then added, from its trained scale, shift,
/// mean and variance.
pub fn factor_and_shift([scale, shift, mean, variance]: [f64; 4]) -> (f64, f64) {
    let factor = scale / (variance + EPSILON).sqrt();
    (factor, shift - mean * factor)
}

impl BatchNorm<'_> {
    /// Weights (OIHW) and bias of the convolution that equals `weights` followed by this.
    ///
    /// # Panics
    /// When the counts differ.
    pub fn fold(&self, weights: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let channels = self.scale.len();
        assert!([self.shift, self.mean, self.variance].iter().all(|list| list.len() == channels));
        assert!(channels > 0 && weights.len().is_multiple_of(channels));
        let mut folded = weights.to_vec();
        let mut bias = Vec::with_capacity(channels);
        for (channel, kernel) in folded.chunks_exact_mut(weights.len() / channels).enumerate() {
            let parts = [self.scale, self.shift, self.mean, self.variance];
            let (factor, shift) = factor_and_shift(parts.map(|part| f64::from(part[channel])));
            for weight in kernel {
                *weight = (f64::from(*weight) * factor) as f32;
            }
            bias.push(shift as f32);
        }
        (folded, bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_equals_normalising_afterwards() {
        let norm = BatchNorm {
            scale: &[2.0, 0.5],
            shift: &[1.0, -1.0],
            mean: &[3.0, 0.0],
            variance: &[4.0, 0.25],
        };
        let (weights, bias) = norm.fold(&[1.0, 2.0, 3.0, 4.0]);
        for (channel, input) in [(0, [5.0, 7.0]), (1, [-2.0, 0.5])] {
            let of = |weights: &[f32]| {
                weights[2 * channel] * input[0] + weights[2 * channel + 1] * input[1]
            };
            let plain = of(&[1.0, 2.0, 3.0, 4.0]);
            let wanted = (plain - norm.mean[channel]) / (norm.variance[channel] + 1e-5).sqrt()
                * norm.scale[channel]
                + norm.shift[channel];
            assert!((of(&weights) + bias[channel] - wanted).abs() < 1e-5);
        }
    }
}

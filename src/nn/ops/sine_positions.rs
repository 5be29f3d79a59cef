//! Sine positions of the cells of a padded map. A function of the padding alone, without a
//! gradient.
//!
//! Carion et al., "End-to-end object detection with transformers", arXiv:2005.12872, A.4, with
//! the half-cell offset of Deformable DETR's official code: cells are counted from one half, in
//! units of the image's last cell, times 2 pi.

use crate::nn::cpu::Real;

/// Base of the wavelengths.
const TEMPERATURE: f64 = 10_000.0;
/// Most numbers of one axis.
pub const FEATURES_MAX: usize = 512;
/// Keeps positions finite where a row or column is padding altogether.
const EPSILON: f64 = 1e-6;

/// Writes `[height * width, 2 * features]`: for each cell `features` numbers of its y, then as
/// many of its x, sines and cosines in turns.
///
/// `mask` is `[height, width]`: 1 where a cell belongs to the image, 0 where it is padding.
///
/// # Panics
/// When the lengths do not fit together, or `features` is over [`FEATURES_MAX`].
pub fn sine_positions<T: Real>(
    mask: &[T],
    (height, width): (usize, usize),
    features: usize,
    output: &mut [T],
) {
    assert_eq!(mask.len(), height * width, "mask of {height}x{width} cells");
    assert_eq!(output.len(), mask.len() * 2 * features, "{features} features each way");
    assert!(features <= FEATURES_MAX, "{features} features are over {FEATURES_MAX}");
    let mut rates = [0.0; FEATURES_MAX];
    for (feature, rate) in rates[..features].iter_mut().enumerate() {
        *rate = TEMPERATURE.powf(-((feature / 2 * 2) as f64) / features as f64);
    }
    let rates = &rates[..features];
    let inside = |y: usize, x: usize| mask[y * width + x].as_f64();
    for (cell, output) in output.chunks_exact_mut((2 * features).max(1)).enumerate() {
        let (y, x) = (cell / width, cell % width);
        let (of_y, of_x) = output.split_at_mut(features);
        let rows = |end: usize| (0..end).map(|other| inside(other, x)).sum::<f64>();
        let columns = |end: usize| (0..end).map(|other| inside(y, other)).sum::<f64>();
        write_waves(position(rows(y + 1), rows(height)), rates, of_y);
        write_waves(position(columns(x + 1), columns(width)), rates, of_x);
    }
}

/// The angle of the cell that is `count`-th of `total`.
fn position(count: f64, total: f64) -> f64 {
    (count - 0.5) / (total + EPSILON) * std::f64::consts::TAU
}

fn write_waves<T: Real>(position: f64, rates: &[f64], output: &mut [T]) {
    for (feature, (to, rate)) in output.iter_mut().zip(rates).enumerate() {
        let angle = position * rate;
        *to = T::from_f64(if feature % 2 == 0 { angle.sin() } else { angle.cos() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_unpadded_map_is_half_a_turn() {
        let mut output = vec![0.0; 3 * 3 * 8];
        sine_positions(&[1.0; 9], (3, 3), 4, &mut output);
        let middle = &output[4 * 8..5 * 8];
        for half in middle.chunks_exact(4) {
            let wanted = [0.0, -1.0, 0.031_410_759, 0.999_506_56];
            assert!(half.iter().zip(wanted).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-5));
        }
    }

    #[test]
    fn padding_does_not_move_the_cells_of_the_image() {
        let (mut padded, mut plain) = (vec![0.0f32; 2 * 3 * 4], vec![0.0; 2 * 2 * 4]);
        sine_positions(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0], (2, 3), 2, &mut padded);
        sine_positions(&[1.0; 4], (2, 2), 2, &mut plain);
        for row in 0..2 {
            assert_eq!(padded[row * 12..][..8], plain[row * 8..][..8]);
        }
        assert!(padded.iter().all(|value| value.is_finite()));
    }
}

//! From inner products to affinities: the function that each affinity applies to every pair.

use crate::kernels::simd::Level;
use crate::kernels::simd::elementary::exponential;
use crate::kernels::simd::plain::{Arithmetic, Kernel, run};

/// What `binary` gives to pairs under `tau`, so that the graph stays connected (TokenCut).
const BINARY_LOW: f32 = 1e-5;

/// What becomes of the inner product x of two rows.
#[derive(Debug, Clone, Copy)]
pub enum Pointwise<'a> {
    /// exp((x - 1) `sharpness`), at most 1.
    Exponential { sharpness: f32 },
    /// (x - `low`) / `range`; 1 where there is no range.
    Stretched { low: f32, range: f32 },
    /// 1 above `tau`, else nearly 0.
    Binary { tau: f32 },
    /// exp(-d² `sharpness`) of the distance d of the rows; `squares` are their squared lengths.
    Gaussian { sharpness: f32, squares: &'a [f32] },
    /// x, at least 0.
    Clamped,
}

impl Pointwise<'_> {
    /// Applies the function to the inner products of row `row` with the first rows.
    pub fn apply(&self, row: usize, values: &mut [f32]) {
        run(Level::best(), Row { function: *self, row, values });
    }
}

struct Row<'a, 'b> {
    function: Pointwise<'a>,
    row: usize,
    values: &'b mut [f32],
}

impl Kernel for Row<'_, '_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let values = self.values;
        match self.function {
            Pointwise::Exponential { sharpness } => {
                for value in values {
                    let below = *value - 1.0;
                    *value = exponential((if below > 0.0 { 0.0 } else { below }) * sharpness);
                }
            }
            Pointwise::Stretched { low, range } if range > 0.0 => {
                for value in values {
                    *value = (*value - low) / range;
                }
            }
            Pointwise::Stretched { .. } => values.fill(1.0),
            Pointwise::Binary { tau } => {
                for value in values {
                    *value = if *value > tau { 1.0 } else { BINARY_LOW };
                }
            }
            Pointwise::Gaussian { sharpness, squares } => {
                let mine = squares[self.row];
                for (value, square) in values.iter_mut().zip(squares) {
                    let distance = mine + square - 2.0 * *value;
                    let distance = if distance > 0.0 { distance } else { 0.0 };
                    *value = exponential(-distance * sharpness);
                }
            }
            Pointwise::Clamped => {
                for value in values {
                    *value = if *value > 0.0 { *value } else { 0.0 };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(function: Pointwise<'_>) -> [f32; 4] {
        let mut values = [1.0 + 1e-6, 0.5, 0.0, -1.0];
        function.apply(1, &mut values);
        values
    }

    #[test]
    fn every_function_is_what_its_name_says() {
        let exact = [0.0f32, -1.0, -2.0, -4.0].map(f32::exp);
        let found = applied(Pointwise::Exponential { sharpness: 2.0 });
        assert!(found.iter().zip(exact).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        assert_eq!(found[0], 1.0);
        let found = applied(Pointwise::Stretched { low: -1.0, range: 2.0 });
        assert_eq!(found[1..], [0.75, 0.5, 0.0]);
        assert_eq!(applied(Pointwise::Stretched { low: 1.0, range: 0.0 }), [1.0; 4]);
        assert_eq!(applied(Pointwise::Binary { tau: 0.4 }), [1.0, 1.0, BINARY_LOW, BINARY_LOW]);
        assert_eq!(applied(Pointwise::Clamped)[1..], [0.5, 0.0, 0.0]);
        // Squared distances 0, 1, 2 and 5 with row 1 of squared length 1.
        let squares = [1.0, 1.0, 1.0, 2.0];
        let found = applied(Pointwise::Gaussian { sharpness: 1.0, squares: &squares });
        let exact = [0.0f32, -1.0, -2.0, -5.0].map(f32::exp);
        assert!(found.iter().zip(exact).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
    }
}

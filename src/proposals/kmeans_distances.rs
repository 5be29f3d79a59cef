//! The loops of k-means over all points, compiled for every level: from inner products to squared
//! distances, |p - c|² = |p|² + |c|² - 2 p·c.

use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{Arithmetic, Kernel, run};

/// Squared distances under this share of the squared lengths are rounding.
const DISTANCE_NOISE: f32 = 1e-6;
/// Independent partial sums.
const LANES: usize = 8;

/// What each point's squared distance to its nearest centre would be with one centre more, whose
/// inner products with the points are `products`: they are overwritten. `square` is that centre's
/// squared length, `squares` are the points', `closest` their distances so far. Answers the sum.
pub fn distances_with(products: &mut [f32], square: f32, squares: &[f32], closest: &[f32]) -> f64 {
    let mut sum = 0.0;
    run(Level::best(), With { products, square, squares, closest, sum: &mut sum });
    sum
}

struct With<'a> {
    products: &'a mut [f32],
    square: f32,
    squares: &'a [f32],
    closest: &'a [f32],
    sum: &'a mut f64,
}

impl Kernel for With<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let points = self.products.iter_mut().zip(self.squares).zip(self.closest);
        for ((value, square), closest) in points {
            let lengths = square + self.square;
            let distance = lengths - 2.0 * *value;
            let distance = if distance <= DISTANCE_NOISE * lengths { 0.0 } else { distance };
            *value = if distance < *closest { distance } else { *closest };
        }
        *self.sum = total(self.products);
    }
}

/// Takes centre `number`, whose inner products with the points are `products`, into account:
/// `least` is |c|² - 2 p·c of the best centre so far, `nearest` its number; the first of equals
/// stays.
pub fn compare(products: &[f32], square: f32, number: u32, least: &mut [f32], nearest: &mut [u32]) {
    run(Level::best(), Compare { products, square, number, least, nearest });
}

struct Compare<'a> {
    products: &'a [f32],
    square: f32,
    number: u32,
    least: &'a mut [f32],
    nearest: &'a mut [u32],
}

impl Kernel for Compare<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for ((value, least), nearest) in self.products.iter().zip(self.least).zip(self.nearest) {
            let distance = self.square - 2.0 * value;
            let better = distance < *least;
            *least = if better { distance } else { *least };
            *nearest = if better { self.number } else { *nearest };
        }
    }
}

/// Adds the points' squared lengths to `least` and answers the sum of the results.
pub fn add_squares(least: &mut [f32], squares: &[f32]) -> f64 {
    let mut sum = 0.0;
    run(Level::best(), AddSquares { least, squares, sum: &mut sum });
    sum
}

struct AddSquares<'a> {
    least: &'a mut [f32],
    squares: &'a [f32],
    sum: &'a mut f64,
}

impl Kernel for AddSquares<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for (least, square) in self.least.iter_mut().zip(self.squares) {
            *least += square;
        }
        *self.sum = total(self.least);
    }
}

/// The sum in f64, in an order that depends on the length alone.
#[inline(always)]
fn total(values: &[f32]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += f64::from(chunk[lane]);
        }
    }
    let mut sum = 0.0;
    for lane in lanes {
        sum += lane;
    }
    for value in rest {
        sum += f64::from(*value);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_formula_and_rounding_is_zero() {
        let count = 21;
        let squares: Vec<f32> = (0..count).map(|point| point as f32).collect();
        let products: Vec<f32> = (0..count).map(|point| 0.25 * point as f32).collect();
        let mut found = products.clone();
        let sum = distances_with(&mut found, 2.0, &squares, &[9.0; 21]);
        let wanted = |point: usize| (squares[point] + 2.0 - 2.0 * products[point]).min(9.0);
        assert!((0..count).all(|point| found[point] == wanted(point)));
        assert_eq!(sum, (0..count).map(|point| f64::from(wanted(point))).sum::<f64>());
        assert_eq!(distances_with(&mut [1.0 - 1e-7], 1.0, &[1.0], &[9.0]), 0.0);
    }

    #[test]
    fn the_first_of_equal_centres_stays() {
        let (mut least, mut nearest) = (vec![f32::INFINITY; 19], vec![7u32; 19]);
        for (number, value) in [(0, 1.0), (1, 2.0), (2, 2.0)] {
            compare(&[value; 19], 4.0, number, &mut least, &mut nearest);
        }
        assert_eq!((least[18], nearest), (0.0, vec![1; 19]));
        assert_eq!(add_squares(&mut least, &[0.5; 19]), 9.5);
    }
}

//! Exact sums of vectors by class.
//!
//! Each number is rounded once to a fixed-point integer, 2^-36 of the largest magnitude, and then
//! only integers are added. Integer addition is associative, so threads, shards, processes and
//! any all-reduce give the same bits in whatever order they add, without the fixed blocks that
//! f64 sums need. Values of an f16 store are multiples of 2^-24: their sums lose nothing at all.

use crate::kernels::simd::{Level, rows};
use crate::{Error, Result, memory};

/// Bits after the point, of a number that is 1 at most.
const FRACTION_BITS: i32 = 36;
/// Most vectors of one class: 2^26 times 2^36 leaves a bit of an i64 to spare.
const COUNT_MAX: i64 = 1 << 26;
/// Bits after the point of the objective, of a squared distance that is 4 at most.
const OBJECTIVE_BITS: i32 = 30;

/// Sums and counts of each class, and the sum of squared distances to the centroids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accumulator {
    classes: usize,
    dimensions: usize,
    /// Power of two that no vector's coordinate exceeds.
    magnitude_exponent: i32,
    /// `[classes, dimensions]` sums, `[classes]` counts, one objective.
    values: Vec<i64>,
}

impl Accumulator {
    /// Empty sums. `magnitude_max` bounds the coordinates' absolute values: 1 for unit vectors,
    /// and therefore for every store and all spherical clustering.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for sizes of 0 or a magnitude that is not a positive number.
    pub fn new(classes: usize, dimensions: usize, magnitude_max: f32) -> Result<Accumulator> {
        if classes == 0 || dimensions == 0 {
            let reason = format!("[{classes},{dimensions}] has no elements");
            return Err(Error::invalid("accumulator", reason));
        }
        if !magnitude_max.is_normal() || magnitude_max < 0.0 {
            let reason = format!("{magnitude_max} is not a positive number");
            return Err(Error::invalid("magnitude_max", reason));
        }
        let length = classes.saturating_mul(dimensions).saturating_add(classes + 1);
        Ok(Accumulator {
            classes,
            dimensions,
            magnitude_exponent: f64::from(magnitude_max).log2().ceil() as i32,
            values: memory::filled(0, length, "sums of the clusters")?,
        })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Length of a vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// All of it as one flat array, for any process group that can add 64-bit integers:
    /// `[classes * dimensions]` sums, `[classes]` counts, one objective.
    pub fn values(&self) -> &[i64] {
        &self.values
    }

    /// The same array to write: what an all-reduce puts there replaces the sums.
    pub fn values_mut(&mut self) -> &mut [i64] {
        &mut self.values
    }

    /// Vectors of each class.
    pub fn counts(&self) -> &[i64] {
        &self.values[self.classes * self.dimensions..][..self.classes]
    }

    /// Sum of the squared distances of the vectors to the centroids that they were assigned to.
    pub fn objective(&self) -> f64 {
        self.values.last().map_or(0.0, |sum| *sum as f64) / self.objective_scale()
    }

    /// Largest coordinate that may be added.
    pub(super) fn magnitude_max(&self) -> f32 {
        2f64.powi(self.magnitude_exponent) as f32
    }

    fn scale(&self) -> f64 {
        2f64.powi(FRACTION_BITS - self.magnitude_exponent)
    }

    /// A squared distance is at most 4 times the dimensions times the squared magnitude.
    fn objective_scale(&self) -> f64 {
        let exponent = (self.dimensions as f64).log2().ceil() as i32 + 2 * self.magnitude_exponent;
        2f64.powi(OBJECTIVE_BITS - exponent)
    }

    /// Adds what another process or thread has summed up.
    ///
    /// # Errors
    /// [`Error::Shape`] when sizes or magnitudes differ; nothing is added then.
    pub fn merge(&mut self, other: &Accumulator) -> Result<()> {
        let key = |sums: &Accumulator| (sums.classes, sums.dimensions, sums.magnitude_exponent);
        if key(self) != key(other) {
            let text = |sums: &Accumulator| {
                let (classes, dimensions, exponent) = key(sums);
                format!("[{classes},{dimensions}] of magnitude 2^{exponent}")
            };
            return Err(Error::shape("accumulator", text(self), text(other)));
        }
        for (sum, other) in self.values.iter_mut().zip(&other.values) {
            *sum = sum.wrapping_add(*other);
        }
        Ok(())
    }

    /// The parts that a parallel addition fills: the sums, the counts with the objective, and how
    /// to add a row of numbers to a row of sums.
    pub(super) fn parts(&mut self) -> (&mut [i64], &mut [i64], RowAdder) {
        let adder = RowAdder { level: Level::best(), scale: self.scale() };
        let (sums, rest) = self.values.split_at_mut(self.classes * self.dimensions);
        (sums, rest, adder)
    }

    /// Adds squared distances to the objective; integers again, so in any order.
    pub(super) fn add_distances(&mut self, squared_distances: impl Iterator<Item = f32>) {
        let scale = self.objective_scale();
        let sum: i64 =
            squared_distances.map(|distance| (f64::from(distance) * scale).round() as i64).sum();
        if let Some(objective) = self.values.last_mut() {
            *objective = objective.wrapping_add(sum);
        }
    }

    /// # Errors
    /// [`Error::InvalidArgument`] when a class has more vectors than its sums can hold.
    pub(super) fn check_counts(&self) -> Result<()> {
        match self.counts().iter().position(|count| *count > COUNT_MAX) {
            Some(class) => {
                let reason = format!("class {class} has over {COUNT_MAX} vectors");
                Err(Error::invalid("accumulator", reason))
            }
            None => Ok(()),
        }
    }

    /// Writes the mean of a class that has vectors; false where all coordinates are 0.
    pub(super) fn mean(&self, class: usize, mean: &mut [f32]) -> bool {
        let divisor = self.counts()[class] as f64 * self.scale();
        let sums = &self.values[class * self.dimensions..(class + 1) * self.dimensions];
        for (mean, sum) in mean.iter_mut().zip(sums) {
            *mean = (*sum as f64 / divisor) as f32;
        }
        mean.iter().any(|value| *value != 0.0)
    }
}

/// Adds rows of numbers to rows of fixed-point sums.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowAdder {
    level: Level,
    scale: f64,
}

impl RowAdder {
    pub fn add(&self, sums: &mut [i64], row: &[f32]) {
        rows::add_fixed_point(self.level, sums, row, self.scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(sums: &mut Accumulator, class: usize, row: &[f32]) {
        let dimensions = sums.dimensions;
        let (totals, counts, adder) = sums.parts();
        adder.add(&mut totals[class * dimensions..(class + 1) * dimensions], row);
        counts[class] += 1;
    }

    #[test]
    fn halves_sum_up_exactly_and_in_any_order() {
        let rows: Vec<Vec<f32>> = (0..1000)
            .map(|row| {
                [0, 1, 2].map(|d| half::f16::from_f32(((row * 7 + d) as f32).sin()).to_f32())
            })
            .map(Vec::from)
            .collect();
        let [mut forward, mut backward, mut other] =
            [(); 3].map(|()| Accumulator::new(2, 3, 1.0).unwrap());
        rows.iter().for_each(|row| add(&mut forward, 1, row));
        rows[..400].iter().rev().for_each(|row| add(&mut backward, 1, row));
        rows[400..].iter().for_each(|row| add(&mut other, 1, row));
        backward.merge(&other).unwrap();
        assert_eq!(forward, backward);
        let mut mean = [0.0; 3];
        assert!(forward.mean(1, &mut mean));
        for (dimension, mean) in mean.into_iter().enumerate() {
            let sum: f64 = rows.iter().map(|row| f64::from(row[dimension])).sum();
            assert_eq!(mean, (sum / 1000.0) as f32);
        }
        assert_eq!(forward.counts(), [0, 1000]);
    }

    #[test]
    fn sizes_and_magnitudes_must_agree() {
        let mut sums = Accumulator::new(2, 3, 1.0).unwrap();
        for other in [Accumulator::new(2, 4, 1.0), Accumulator::new(2, 3, 3.0)] {
            assert!(matches!(sums.merge(&other.unwrap()), Err(Error::Shape { .. })));
        }
        assert!(Accumulator::new(0, 3, 1.0).is_err() && Accumulator::new(2, 3, 0.0).is_err());
        assert_eq!(Accumulator::new(2, 3, 3.0).unwrap().magnitude_max(), 4.0);
        sums.values_mut()[6] = COUNT_MAX + 1;
        assert!(sums.check_counts().is_err());
    }
}

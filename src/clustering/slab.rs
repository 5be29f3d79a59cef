//! A few hundred vectors that one task reads, checks and searches.

use super::config::Metric;
use super::inner_products::square;
use super::nearest::{NO_GUESS, Nearest, Scratch};
use crate::data::vectors::VectorSource;
use crate::{Error, Result, memory};

/// What the vectors of a run must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub metric: Metric,
    /// Largest absolute value of a coordinate; spherical vectors are scaled and need no limit.
    pub magnitude_max: f32,
}

/// Vectors in memory with what was found out about them.
#[derive(Debug, Default)]
pub(super) struct Slab {
    /// Row of the first vector in its source.
    pub first: u64,
    /// `[count, dimensions]`.
    pub vectors: Vec<f32>,
    /// Before a search guesses or [`NO_GUESS`], afterwards the classes.
    pub labels: Vec<u32>,
    /// What the classes were chosen by.
    pub scores: Vec<f32>,
    scratch: Scratch,
}

impl Slab {
    /// Reads `count` rows from `first` on and applies `rules`; labels become [`NO_GUESS`].
    ///
    /// # Errors
    /// Those of the source, [`check_row`]'s.
    pub fn load(
        &mut self,
        source: &dyn VectorSource,
        first: u64,
        count: usize,
        rules: Rules,
    ) -> Result<()> {
        let dimensions = source.dimensions();
        self.first = first;
        memory::resize(&mut self.vectors, count * dimensions, 0.0, "a block of vectors")?;
        self.labels.clear();
        self.labels.resize(count, NO_GUESS);
        self.scores.resize(count, 0.0);
        source.read(first, &mut self.vectors)?;
        for (row, vector) in self.vectors.chunks_exact_mut(dimensions).enumerate() {
            check_row(vector, first + row as u64, rules)?;
        }
        Ok(())
    }

    /// Finds the class of each vector.
    pub fn search(&mut self, nearest: &Nearest<'_>) {
        nearest.search(&self.vectors, &mut self.labels, &mut self.scores, &mut self.scratch);
    }

    /// Squared distance of each vector to its centroid.
    pub fn squared_distances(&self, metric: Metric) -> impl Iterator<Item = f32> + '_ {
        let dimensions = self.vectors.len() / self.scores.len().max(1);
        self.scores.iter().enumerate().map(move |(row, score)| {
            let square = match metric {
                Metric::Spherical => 1.0,
                Metric::Euclidean => {
                    square(&self.vectors[row * dimensions..(row + 1) * dimensions])
                }
            };
            // A spherical score lacks the centroid's half square, which is a half.
            let distance = match metric {
                Metric::Spherical => 2.0 * (square - score),
                Metric::Euclidean => square - 2.0 * score,
            };
            distance.max(0.0)
        })
    }
}

/// Squares between these neither overflowed nor lost digits.
const SQUARE_RANGE: std::ops::RangeInclusive<f32> = 1e-24..=1e24;

/// Refuses a vector that breaks the rules and makes a spherical one a unit vector.
///
/// # Errors
/// [`Error::NonFinite`] with the index in the whole table; [`Error::ZeroVector`] for a spherical
/// vector without direction; [`Error::InvalidArgument`] for a Euclidean one over the magnitude.
pub(super) fn check_row(vector: &mut [f32], row: u64, rules: Rules) -> Result<()> {
    match rules.metric {
        Metric::Spherical => {
            let length = square(vector);
            if SQUARE_RANGE.contains(&length) {
                let inverse = 1.0 / length.sqrt();
                vector.iter_mut().for_each(|value| *value *= inverse);
                return Ok(());
            }
            check_finite(vector, row)?;
            if super::centroids::normalize(vector) {
                return Ok(());
            }
            Err(Error::ZeroVector { name: "vectors".into(), index: row as usize })
        }
        Metric::Euclidean => {
            let limit = rules.magnitude_max;
            if vector.iter().fold(true, |inside, value| inside & (value.abs() <= limit)) {
                return Ok(());
            }
            check_finite(vector, row)?;
            let reason = format!("row {row} has a coordinate over magnitude_max {limit}");
            Err(Error::invalid("vectors", reason))
        }
    }
}

fn check_finite(vector: &[f32], row: u64) -> Result<()> {
    match vector.iter().position(|value| !value.is_finite()) {
        Some(at) => {
            let index = row as usize * vector.len() + at;
            Err(Error::NonFinite { name: "vectors".into(), index, value: vector[at] })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spherical_rows_become_unit_vectors_at_any_scale() {
        let rules = Rules { metric: Metric::Spherical, magnitude_max: 1.0 };
        for scale in [1e-42, 1e-25, 1.0, 1e15, 1e37] {
            let mut row = [3.0 * scale, 4.0 * scale];
            check_row(&mut row, 0, rules).unwrap();
            assert!((row[0] - 0.6).abs() < 1e-2 && (square(&row) - 1.0).abs() < 1e-6, "{scale}");
        }
        let error = check_row(&mut [0.0; 3], 7, rules).unwrap_err();
        assert!(matches!(error, Error::ZeroVector { index: 7, .. }));
    }

    #[test]
    fn numbers_that_are_none_are_named_by_their_place() {
        for metric in [Metric::Spherical, Metric::Euclidean] {
            let rules = Rules { metric, magnitude_max: 2.0 };
            let error = check_row(&mut [1.0, f32::NAN], 3, rules).unwrap_err();
            assert!(matches!(error, Error::NonFinite { index: 7, .. }), "{error}");
        }
        let rules = Rules { metric: Metric::Euclidean, magnitude_max: 2.0 };
        check_row(&mut [2.0, 0.0], 0, rules).unwrap();
        let error = check_row(&mut [2.5, 0.0], 9, rules).unwrap_err();
        assert!(error.to_string().contains("row 9"), "{error}");
    }
}

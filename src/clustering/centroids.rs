//! Centroids, and their update from sums.

use super::accumulator::Accumulator;
use super::config::{EmptyClusters, Metric};
use crate::ranking::rank;
use crate::{Error, Result};

/// One centroid for each pseudo-class.
#[derive(Debug, Clone, PartialEq)]
pub struct Centroids {
    values: Vec<f32>,
    classes: usize,
    dimensions: usize,
    metric: Metric,
}

impl Centroids {
    /// `values` is `[classes, dimensions]`; spherical centroids are made unit vectors.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NonFinite`]; [`Error::ZeroVector`] for a spherical centroid
    /// without direction.
    pub fn new(
        mut values: Vec<f32>,
        classes: usize,
        dimensions: usize,
        metric: Metric,
    ) -> Result<Centroids> {
        if classes == 0 || dimensions == 0 || values.len() != classes * dimensions {
            let expected = format!("[{classes},{dimensions}] values, none of them 0");
            return Err(Error::shape("centroids", expected, format!("{} values", values.len())));
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let value = values[index];
            return Err(Error::NonFinite { name: "centroids".into(), index, value });
        }
        if metric == Metric::Spherical {
            for (index, row) in values.chunks_exact_mut(dimensions).enumerate() {
                if !normalize(row) {
                    return Err(Error::ZeroVector { name: "centroids".into(), index });
                }
            }
        }
        Ok(Centroids { values, classes, dimensions, metric })
    }

    /// `[classes, dimensions]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One centroid.
    pub fn row(&self, class: usize) -> &[f32] {
        &self.values[class * self.dimensions..(class + 1) * self.dimensions]
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Length of a centroid.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// What "near" means to them.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// What is added to the inner product of a vector with each centroid to rank the centroids:
    /// 0 for spherical ones, minus half the squared length for Euclidean ones.
    pub(super) fn biases(&self) -> Vec<f32> {
        let bias = |row: &[f32]| match self.metric {
            Metric::Spherical => 0.0,
            Metric::Euclidean => (-0.5 * squared_length(row)) as f32,
        };
        self.values.chunks_exact(self.dimensions).map(bias).collect()
    }

    /// The centroids of the next round: the mean of each class's vectors, made a unit vector if
    /// spherical. A class without vectors, or whose vectors cancel out, follows `empty`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the sums are of another size.
    pub fn update(&self, sums: &Accumulator, empty: EmptyClusters) -> Result<Centroids> {
        if (sums.classes(), sums.dimensions()) != (self.classes, self.dimensions) {
            return Err(Error::shape(
                "accumulator",
                format!("[{},{}]", self.classes, self.dimensions),
                format!("[{},{}]", sums.classes(), sums.dimensions()),
            ));
        }
        let mut next = self.clone();
        let mut counts = sums.counts().to_vec();
        for (class, count) in counts.iter_mut().enumerate() {
            let row = &mut next.values[class * self.dimensions..(class + 1) * self.dimensions];
            let kept = *count == 0 || !sums.mean(class, row);
            if kept || (self.metric == Metric::Spherical && !normalize(row)) {
                row.copy_from_slice(self.row(class));
                *count = 0;
            }
        }
        if empty == EmptyClusters::Split {
            next.split_largest(&mut counts);
        }
        Ok(next)
    }

    /// Gives each empty class half of the class that is the largest then (the lowest of equals):
    /// two centroids a 512th of each coordinate apart, in alternating directions.
    fn split_largest(&mut self, counts: &mut [i64]) {
        for class in 0..self.classes {
            if counts[class] > 0 {
                continue;
            }
            let largest =
                (0..self.classes).max_by_key(|other| (counts[*other], std::cmp::Reverse(*other)));
            let Some(largest) = largest.filter(|largest| counts[*largest] > 1) else { return };
            for dimension in 0..self.dimensions {
                let nudge = if dimension % 2 == 0 { 1.0 / 1024.0 } else { -1.0 / 1024.0 };
                let value = self.values[largest * self.dimensions + dimension];
                self.values[class * self.dimensions + dimension] = value * (1.0 + nudge);
                self.values[largest * self.dimensions + dimension] = value * (1.0 - nudge);
            }
            if self.metric == Metric::Spherical {
                for row in [class, largest] {
                    let row = row * self.dimensions..(row + 1) * self.dimensions;
                    normalize(&mut self.values[row]);
                }
            }
            counts[class] = counts[largest] / 2;
            counts[largest] -= counts[class];
        }
    }
}

/// The lowest class of each set of equal centroids; the others can win no row.
pub(super) fn distinct(centroids: &Centroids) -> Vec<u32> {
    let compare = |a: usize, b: usize| {
        let (a, b) = (centroids.row(a), centroids.row(b));
        let differing = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
        differing.unwrap_or(std::cmp::Ordering::Equal)
    };
    let mut classes: Vec<usize> = (0..centroids.classes()).collect();
    // The lowest class of equals comes first and is the one that stays.
    rank(&mut classes, &compare);
    classes.dedup_by(|later, earlier| compare(*later, *earlier).is_eq());
    rank(&mut classes, &|a, b| a.cmp(&b));
    classes.into_iter().map(|class| class as u32).collect()
}

pub(super) fn squared_length(row: &[f32]) -> f64 {
    row.iter().map(|value| f64::from(*value).powi(2)).sum()
}

/// Makes `row` a unit vector; false, and no change, where it has no direction.
pub(super) fn normalize(row: &mut [f32]) -> bool {
    let length = squared_length(row).sqrt();
    if length == 0.0 {
        return false;
    }
    row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    true
}

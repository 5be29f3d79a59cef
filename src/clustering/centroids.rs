//! Centroids, their update from sums, and their safetensors file.

use super::accumulator::Accumulator;
use super::config::{EmptyClusters, Metric};
use crate::data::atomic_file;
use crate::{Error, Result, memory};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::Path;

/// Layout version of the file.
const FILE_VERSION: u32 = 1;
const TENSOR: &str = "centroids";
/// One metadata entry holds everything as JSON: several would be written in random order.
const METADATA: &str = "simdetr";

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

    /// Writes a safetensors file: tensor `centroids`, f32, `[classes, dimensions]`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let entries = serde_json::json!({ "version": FILE_VERSION, "metric": self.metric.name() });
        let metadata = [(METADATA.to_string(), entries.to_string())].into();
        let shape = vec![self.classes, self.dimensions];
        let internal = |error| Error::Internal { reason: format!("safetensors: {error}") };
        let view = TensorView::new(Dtype::F32, shape, &bytes).map_err(internal)?;
        let file = safetensors::serialize([(TENSOR, view)], Some(metadata)).map_err(internal)?;
        atomic_file::write(path, &file)
    }

    /// Reads what [`Centroids::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for anything else that is wrong, naming the file.
    pub fn load(path: &Path) -> Result<Centroids> {
        let format = |reason: String| Error::format(path, reason);
        let bytes = memory::read_file(path)?;
        let (_, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| format(format!("not a safetensors file: {error}")))?;
        let entries = header.metadata().as_ref().and_then(|entries| entries.get(METADATA));
        let entries = entries.ok_or_else(|| format("holds no centroids of this library".into()))?;
        let entries: serde_json::Value = serde_json::from_str(entries)
            .map_err(|error| format(format!("damaged metadata: {error}")))?;
        let version = &entries["version"];
        if *version != FILE_VERSION {
            let reason = format!("centroids version {version}; this library reads {FILE_VERSION}");
            return Err(format(reason));
        }
        let metric = Metric::from_name(entries["metric"].as_str().unwrap_or_default());
        let metric = metric.map_err(|error| format(error.to_string()))?;
        let tensors =
            SafeTensors::deserialize(&bytes).map_err(|error| format(error.to_string()))?;
        let tensor = tensors.tensor(TENSOR).map_err(|error| format(error.to_string()))?;
        let (Dtype::F32, &[classes, dimensions]) = (tensor.dtype(), tensor.shape()) else {
            return Err(format(format!("{:?} of shape {:?}", tensor.dtype(), tensor.shape())));
        };
        memory::probe(tensor.data().len() as u64, "centroids")?;
        let values = tensor.data().as_chunks::<4>().0;
        let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Centroids::new(values, classes, dimensions, metric)
            .map_err(|error| format(error.to_string()))
    }
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

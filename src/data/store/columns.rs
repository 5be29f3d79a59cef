//! Proposals on their way into a shard: checked when they come, columns when the shard is full.

use super::schema::{item, shard_schema};
use super::settings::{FeatureType, StoreSettings};
use crate::data::proposal_set::ProposalSet;
use crate::geometry;
use crate::{Error, Result};
use arrow_array::{
    ArrayRef, FixedSizeListArray, Float16Array, Float32Array, Int32Array, ListArray, RecordBatch,
    UInt32Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};
use half::f16;
use half::slice::HalfFloatSliceExt;
use std::sync::Arc;

/// Furthest that the length of a vector may be from 1: what rounding to f16 and back can do.
const UNIT_TOLERANCE: f64 = 2e-3;

/// The rows of the shard that is being filled.
#[derive(Debug, Default)]
pub(super) struct Columns {
    image_ids: Vec<u32>,
    boxes: Vec<f32>,
    areas: Vec<f32>,
    region_shares: Vec<f32>,
    levels: Vec<i32>,
    clusters_counts: Vec<i32>,
    scores: Vec<f32>,
    mask_heights: Vec<u32>,
    mask_widths: Vec<u32>,
    mask_offsets: Vec<i32>,
    mask_runs: Vec<u32>,
    norms: Vec<f32>,
    vectors_f16: Vec<f16>,
    vectors_f32: Vec<f32>,
}

/// Refuses a set that does not keep the promises of [`ProposalSet`], before anything is stored.
///
/// # Errors
/// [`Error::Shape`], [`Error::NonFinite`], [`Error::ZeroVector`] or [`Error::InvalidArgument`],
/// naming the image.
pub(super) fn check_set(image_id: u32, set: &ProposalSet, dimensions: usize) -> Result<()> {
    let count = set.count();
    if count == 0 {
        return Ok(());
    }
    if set.dimensions != dimensions {
        let name = format!("image {image_id}: vectors");
        return Err(Error::shape(name, format!("{dimensions} dimensions"), set.dimensions));
    }
    let lengths = [
        ("region_shares", set.region_shares.len(), count),
        ("levels", set.levels.len(), count),
        ("cluster_counts", set.cluster_counts.len(), count),
        ("scores", set.scores.len(), count),
        ("vectors", set.vectors.len(), count * dimensions),
        ("norms", set.norms.len(), count),
        ("mask_grids", set.mask_grids.len(), count),
        ("mask_offsets", set.mask_offsets.len(), count + 1),
    ];
    for (name, got, wanted) in lengths {
        if got != wanted {
            let name = format!("image {image_id}: {name}");
            return Err(Error::shape(name, format!("{wanted} values"), format!("{got}")));
        }
    }
    check_masks(image_id, set)?;
    check_numbers(image_id, set)
}

fn check_masks(image_id: u32, set: &ProposalSet) -> Result<()> {
    let last = set.mask_offsets[set.count()] as usize;
    if !set.mask_offsets.is_sorted() || set.mask_offsets[0] != 0 || last != set.mask_runs.len() {
        let name = format!("image {image_id}: mask_offsets");
        let expected = format!("ascending from 0 to {}", set.mask_runs.len());
        return Err(Error::shape(name, expected, format!("an end at {last}")));
    }
    for (proposal, grid) in set.mask_grids.iter().enumerate() {
        let cells = u64::from(grid.height) * u64::from(grid.width);
        let covered: u64 = set.runs(proposal).iter().copied().map(u64::from).sum();
        if covered != cells {
            let name = format!("image {image_id}: mask of proposal {proposal}");
            return Err(Error::shape(name, format!("runs over {cells} cells"), covered));
        }
    }
    Ok(())
}

fn check_numbers(image_id: u32, set: &ProposalSet) -> Result<()> {
    let columns = [
        ("boxes", set.boxes.as_flattened()),
        ("region_shares", &set.region_shares),
        ("scores", &set.scores),
        ("norms", &set.norms),
        ("vectors", &set.vectors),
    ];
    for (name, values) in columns {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let name = format!("image {image_id}: {name}");
            return Err(Error::NonFinite { name, index, value: values[index] });
        }
    }
    for proposal in 0..set.count() {
        let squares = set.vector(proposal).iter().map(|value| f64::from(*value).powi(2));
        let length = squares.sum::<f64>().sqrt();
        if length == 0.0 || set.norms[proposal] <= 0.0 {
            let name = format!("image {image_id}: vectors");
            return Err(Error::ZeroVector { name, index: proposal });
        }
        if (length - 1.0).abs() > UNIT_TOLERANCE {
            let reason = format!("vector {proposal} has length {length}, not 1");
            return Err(Error::invalid(format!("image {image_id}: vectors"), reason));
        }
    }
    Ok(())
}

impl Columns {
    /// Adds the proposals of one image, which [`check_set`] has seen.
    pub fn push(&mut self, image_id: u32, set: &ProposalSet, feature_dtype: FeatureType) {
        let runs_before = self.mask_runs.len() as i32;
        self.image_ids.resize(self.image_ids.len() + set.count(), image_id);
        self.boxes.extend_from_slice(set.boxes.as_flattened());
        self.areas.extend(set.boxes.iter().map(|bounds| geometry::area(bounds) as f32));
        self.region_shares.extend_from_slice(&set.region_shares);
        self.levels.extend_from_slice(&set.levels);
        self.clusters_counts.extend_from_slice(&set.cluster_counts);
        self.scores.extend_from_slice(&set.scores);
        self.mask_heights.extend(set.mask_grids.iter().map(|grid| grid.height));
        self.mask_widths.extend(set.mask_grids.iter().map(|grid| grid.width));
        self.mask_offsets
            .extend((0..set.count()).map(|index| runs_before + set.mask_offsets[index] as i32));
        self.mask_runs.extend_from_slice(&set.mask_runs);
        self.norms.extend_from_slice(&set.norms);
        match feature_dtype {
            FeatureType::F16 => {
                let from = self.vectors_f16.len();
                self.vectors_f16.resize(from + set.vectors.len(), f16::ZERO);
                self.vectors_f16[from..].convert_from_f32_slice(&set.vectors);
            }
            FeatureType::F32 => self.vectors_f32.extend_from_slice(&set.vectors),
        }
    }

    /// Number of rows so far.
    pub fn count(&self) -> usize {
        self.image_ids.len()
    }

    /// Bytes that the rows take.
    pub fn memory_bytes(&self) -> usize {
        // Twelve four-byte numbers a row beside vectors and runs: id, box, and the seven others.
        self.image_ids.capacity() * 12 * 4
            + self.mask_runs.capacity() * 4
            + self.vectors_f16.capacity() * 2
            + self.vectors_f32.capacity() * 4
    }

    /// The rows as one record batch.
    ///
    /// # Errors
    /// [`Error::Internal`] when Arrow refuses, which would be a defect.
    pub fn into_batch(self, settings: &StoreSettings) -> Result<RecordBatch> {
        self.build(settings)
            .map_err(|error| Error::Internal { reason: format!("shard columns: {error}") })
    }

    fn build(mut self, settings: &StoreSettings) -> std::result::Result<RecordBatch, ArrowError> {
        self.mask_offsets.push(self.mask_runs.len() as i32);
        let (vector_item, vectors): (_, ArrayRef) = match settings.feature_dtype {
            FeatureType::F16 => (DataType::Float16, Arc::new(Float16Array::from(self.vectors_f16))),
            FeatureType::F32 => (DataType::Float32, Arc::new(Float32Array::from(self.vectors_f32))),
        };
        let boxes = Arc::new(Float32Array::from(self.boxes));
        let boxes = FixedSizeListArray::try_new(item(DataType::Float32), 4, boxes, None)?;
        let dimensions = settings.dimensions as i32;
        let vectors = FixedSizeListArray::try_new(item(vector_item), dimensions, vectors, None)?;
        let runs = ListArray::try_new(
            item(DataType::UInt32),
            OffsetBuffer::new(ScalarBuffer::from(self.mask_offsets)),
            Arc::new(UInt32Array::from(self.mask_runs)),
            None,
        )?;
        RecordBatch::try_new(
            Arc::new(shard_schema(settings)),
            vec![
                Arc::new(UInt32Array::from(self.image_ids)),
                Arc::new(boxes),
                Arc::new(Float32Array::from(self.areas)),
                Arc::new(Float32Array::from(self.region_shares)),
                Arc::new(Int32Array::from(self.levels)),
                Arc::new(Int32Array::from(self.clusters_counts)),
                Arc::new(Float32Array::from(self.scores)),
                Arc::new(UInt32Array::from(self.mask_heights)),
                Arc::new(UInt32Array::from(self.mask_widths)),
                Arc::new(runs),
                Arc::new(Float32Array::from(self.norms)),
                Arc::new(vectors),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::proposal_set::MaskGrid;

    fn one_proposal() -> ProposalSet {
        ProposalSet {
            dimensions: 2,
            boxes: vec![[0.0, 0.0, 2.0, 1.0]],
            region_shares: vec![0.5],
            levels: vec![0],
            cluster_counts: vec![2],
            scores: vec![0.5],
            vectors: vec![0.6, 0.8],
            norms: vec![3.0],
            mask_grids: vec![MaskGrid { height: 1, width: 2 }],
            mask_offsets: vec![0, 2],
            mask_runs: vec![1, 1],
        }
    }

    fn refusal(change: impl FnOnce(&mut ProposalSet)) -> Error {
        let mut set = one_proposal();
        change(&mut set);
        check_set(9, &set, 2).unwrap_err()
    }

    #[test]
    fn a_set_that_breaks_a_promise_is_refused_by_name() {
        check_set(9, &one_proposal(), 2).unwrap();
        check_set(9, &ProposalSet::default(), 2).unwrap();
        assert!(matches!(
            refusal(|set| set.vectors = vec![0.0, 0.0]),
            Error::ZeroVector { index: 0, .. }
        ));
        assert!(matches!(
            refusal(|set| set.vectors[1] = f32::NAN),
            Error::NonFinite { index: 1, .. }
        ));
        assert!(matches!(refusal(|set| set.norms[0] = 0.0), Error::ZeroVector { .. }));
        assert!(refusal(|set| set.vectors = vec![3.0, 4.0]).to_string().contains("length 5"));
        assert!(refusal(|set| set.scores.clear()).to_string().contains("image 9: scores"));
        assert!(refusal(|set| set.mask_runs[1] = 2).to_string().contains("2 cells"));
        assert!(refusal(|set| set.mask_offsets[1] = 1).to_string().contains("mask_offsets"));
        let error = check_set(9, &one_proposal(), 3).unwrap_err();
        assert!(error.to_string().contains("3 dimensions"), "{error}");
    }
}

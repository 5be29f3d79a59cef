//! The proposals of one image, as flat arrays that are reused from frame to frame.

use crate::geometry::{self, BoundingBox};
use crate::{Error, Result};

/// Where a region's mask lives: a grid of cells laid over the whole image, row-major runs that
/// alternate unset, set, unset, ... and begin with unset (possibly 0 cells).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct MaskGrid {
    pub height: u32,
    pub width: u32,
}

/// Every proposal of one image. All arrays have one entry for each proposal unless said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProposalSet {
    /// Length of one vector.
    pub dimensions: usize,
    /// xyxy in pixels of the upright original image.
    pub boxes: Vec<BoundingBox>,
    /// Area of the region (not of the box) as a share of the image, in (0, 1].
    pub region_shares: Vec<f32>,
    /// Index of the map in which the region was found, 0 = the encoder's first (deepest) map;
    /// -1 for regions that were found in the image itself.
    pub levels: Vec<i32>,
    /// K of the clustering that found the region; 0 where there was none.
    pub cluster_counts: Vec<i32>,
    /// Ranks the proposals of T_0; by default the region's share of the image.
    pub scores: Vec<f32>,
    /// Unit vectors, `[proposals, dimensions]`.
    pub vectors: Vec<f32>,
    /// Length of each vector before it was made a unit vector.
    pub norms: Vec<f32>,
    /// Grid of each mask.
    pub mask_grids: Vec<MaskGrid>,
    /// `[proposals + 1]`: the runs of proposal `i` are `mask_runs[mask_offsets[i]..mask_offsets[i + 1]]`.
    pub mask_offsets: Vec<u32>,
    /// Run lengths of all masks.
    pub mask_runs: Vec<u32>,
}

impl ProposalSet {
    /// Number of proposals.
    pub fn count(&self) -> usize {
        self.boxes.len()
    }

    /// Empties the set and keeps its memory.
    pub fn clear(&mut self, dimensions: usize) {
        self.dimensions = dimensions;
        self.boxes.clear();
        self.region_shares.clear();
        self.levels.clear();
        self.cluster_counts.clear();
        self.scores.clear();
        self.vectors.clear();
        self.norms.clear();
        self.mask_grids.clear();
        self.mask_offsets.clear();
        self.mask_offsets.push(0);
        self.mask_runs.clear();
    }

    /// The unit vector of one proposal.
    pub fn vector(&self, proposal: usize) -> &[f32] {
        &self.vectors[proposal * self.dimensions..(proposal + 1) * self.dimensions]
    }

    /// The mask runs of one proposal.
    pub fn runs(&self, proposal: usize) -> &[u32] {
        let (from, to) = (self.mask_offsets[proposal], self.mask_offsets[proposal + 1]);
        &self.mask_runs[from as usize..to as usize]
    }

    /// Bytes that the arrays hold, whether used or kept for the next image.
    pub fn memory_bytes(&self) -> usize {
        fn bytes<T>(array: &Vec<T>) -> usize {
            array.capacity() * size_of::<T>()
        }
        bytes(&self.boxes)
            + bytes(&self.region_shares)
            + bytes(&self.levels)
            + bytes(&self.cluster_counts)
            + bytes(&self.scores)
            + bytes(&self.vectors)
            + bytes(&self.norms)
            + bytes(&self.mask_grids)
            + bytes(&self.mask_offsets)
            + bytes(&self.mask_runs)
    }

    /// Fills `cells`, as many as the grid of that mask has, with 0 and 1.
    pub fn draw_mask(&self, proposal: usize, cells: &mut [u8]) {
        let (mut at, mut value) = (0, 0);
        for &run in self.runs(proposal) {
            let end = (at + run as usize).min(cells.len());
            cells[at..end].fill(value);
            (at, value) = (end, 1 - value);
        }
        cells[at..].fill(0);
    }

    /// Proposals that were found elsewhere: each region is its box, on a grid of one cell.
    /// `vectors` is `[boxes, dimensions]` of any length above 0; without `scores` the box's share
    /// of the image of `(width, height)` pixels ranks.
    ///
    /// # Errors
    /// [`Error::Shape`] for arrays that do not belong together or boxes of no area,
    /// [`Error::NonFinite`], [`Error::ZeroVector`].
    pub fn from_boxes(
        boxes: &[BoundingBox],
        scores: Option<&[f32]>,
        vectors: &[f32],
        dimensions: usize,
        (width, height): (u32, u32),
    ) -> Result<ProposalSet> {
        let count = boxes.len();
        if dimensions == 0 || vectors.len() != count * dimensions || width == 0 || height == 0 {
            let expected = format!("[{count},N] vectors, N above 0, and an image with pixels");
            let got = format!("{} values, N {dimensions}, {width}x{height}", vectors.len());
            return Err(Error::shape("proposals", expected, got));
        }
        let scores_given = scores.unwrap_or(&[]);
        for (name, values) in
            [("boxes", boxes.as_flattened()), ("scores", scores_given), ("vectors", vectors)]
        {
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let value = values[index];
                return Err(Error::NonFinite { name: name.into(), index, value });
            }
        }
        let mut set = ProposalSet::default();
        set.clear(dimensions);
        let image = [0.0, 0.0, width as f32, height as f32];
        for (index, (bounds, vector)) in boxes.iter().zip(vectors.chunks(dimensions)).enumerate() {
            let share = (geometry::intersection(bounds, &image) / geometry::area(&image)) as f32;
            if share <= 0.0 {
                let got = format!("{bounds:?}");
                return Err(Error::shape(format!("boxes[{index}]"), "area in the image", got));
            }
            let norm = vector.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            if norm == 0.0 {
                return Err(Error::ZeroVector { name: "vectors".into(), index });
            }
            set.boxes.push(*bounds);
            set.region_shares.push(share);
            set.scores.push(scores.map_or(share, |scores| scores[index]));
            set.vectors.extend(vector.iter().map(|&x| (f64::from(x) / norm) as f32));
            set.norms.push(norm as f32);
            set.mask_grids.push(MaskGrid { height: 1, width: 1 });
            set.mask_runs.extend([0, 1]);
            set.mask_offsets.push(set.mask_runs.len() as u32);
        }
        set.levels.resize(count, 0);
        set.cluster_counts.resize(count, 0);
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_a_host_become_unit_vectors_with_norms_and_whole_masks() {
        let boxes = [[0.0, 0.0, 2.0, 4.0], [1.0, 1.0, 2.0, 2.0]];
        let vectors = [3.0, 4.0, 0.0, -2.0];
        let set = ProposalSet::from_boxes(&boxes, None, &vectors, 2, (4, 4)).unwrap();
        assert_eq!(set.scores, [0.5, 0.0625]);
        assert_eq!(
            (set.vectors.as_slice(), set.norms.as_slice()),
            (&[0.6, 0.8, 0.0, -1.0][..], &[5.0, 2.0][..])
        );
        let mut mask = [7];
        set.draw_mask(1, &mut mask);
        assert_eq!((mask, set.runs(1)), ([1], &[0, 1][..]));
    }

    #[test]
    fn what_cannot_be_a_proposal_is_refused_with_its_index() {
        let boxes = [[0.0, 0.0, 2.0, 4.0], [1.0, 1.0, 1.0, 2.0]];
        let refused = |boxes: &[BoundingBox], vectors: &[f32]| {
            ProposalSet::from_boxes(boxes, None, vectors, 2, (4, 4)).unwrap_err().to_string()
        };
        assert!(refused(&boxes, &[1.0; 4]).contains("boxes[1]"));
        assert!(refused(&boxes[..1], &[0.0; 2]).contains("vector 0 has norm zero"));
        assert!(refused(&boxes[..1], &[0.0, f32::NAN]).contains("index 1"));
        assert!(refused(&boxes, &[1.0; 3]).contains("3 values"));
    }
}

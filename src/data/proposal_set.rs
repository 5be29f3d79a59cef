//! The proposals of one image, as flat arrays that are reused from frame to frame.

use crate::geometry::BoundingBox;

/// Where a region's mask lives: a grid of cells laid over the whole image, row-major runs that
/// alternate unset, set, unset, ... and begin with unset (possibly 0 cells).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

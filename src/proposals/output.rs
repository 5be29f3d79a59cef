//! From regions to the flat arrays of a [`ProposalSet`]: unit vectors, run lengths, order.

use super::numeric::normalise;
use crate::data::proposal_set::{MaskGrid, ProposalSet};
use crate::geometry::BoundingBox;

/// One region as any method of proposing gives it.
#[derive(Debug, Clone, Copy)]
pub struct OutputRegion<'a> {
    /// xyxy in pixels of the original image.
    pub bounds: BoundingBox,
    /// Area of the region as a share of the image, in (0, 1].
    pub share: f32,
    /// Index of the map; -1 for regions found in the image itself.
    pub level: i32,
    /// K of the clustering; 0 where there was none.
    pub cluster_count: i32,
    pub score: f32,
    /// The pooled vector, of any length.
    pub vector: &'a [f32],
    /// Cell i of `grid`, row-major, is bit i % 64 of word i / 64.
    pub mask: &'a [u64],
    pub grid: MaskGrid,
}

/// Fills `out` with regions in the order given. Regions whose vector is zero or not finite have
/// no direction and are left out (a store refuses them); answers how many.
pub fn fill_from_regions<'a>(
    regions: impl IntoIterator<Item = OutputRegion<'a>>,
    dimensions: usize,
    out: &mut ProposalSet,
) -> usize {
    out.clear(dimensions);
    let mut without_direction = 0;
    for region in regions {
        let from = out.vectors.len();
        out.vectors.extend_from_slice(region.vector);
        let norm = normalise(&mut out.vectors[from..]);
        if !norm.is_normal() {
            out.vectors.truncate(from);
            without_direction += 1;
            continue;
        }
        out.norms.push(norm);
        out.boxes.push(region.bounds);
        out.region_shares.push(region.share);
        out.levels.push(region.level);
        out.cluster_counts.push(region.cluster_count);
        out.scores.push(region.score);
        out.mask_grids.push(region.grid);
        push_runs(
            region.mask,
            (region.grid.height * region.grid.width) as usize,
            &mut out.mask_runs,
        );
        out.mask_offsets.push(out.mask_runs.len() as u32);
    }
    without_direction
}

/// Appends the lengths of alternating runs of unset and set cells, unset first.
fn push_runs(mask: &[u64], cells: usize, runs: &mut Vec<u32>) {
    let (mut value, mut length) = (false, 0);
    for cell in 0..cells {
        let bit = mask[cell / 64] >> (cell % 64) & 1 == 1;
        if bit == value {
            length += 1;
        } else {
            runs.push(length);
            (value, length) = (bit, 1);
        }
    }
    runs.push(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGION: OutputRegion<'static> = OutputRegion {
        bounds: [0.0, 0.0, 4.0, 2.0],
        share: 0.5,
        level: 1,
        cluster_count: 8,
        score: 0.25,
        vector: &[3.0, 4.0],
        mask: &[0b0110_0110],
        grid: MaskGrid { height: 2, width: 4 },
    };

    #[test]
    fn masks_become_runs_and_vectors_unit_vectors() {
        let mut out = ProposalSet::default();
        let full = OutputRegion { mask: &[0xff], ..REGION };
        assert_eq!(fill_from_regions([REGION, full], 2, &mut out), 0);
        assert_eq!(out.runs(0), [1, 2, 2, 2, 1]);
        assert_eq!(out.runs(1), [0, 8]);
        assert_eq!(out.norms, [5.0, 5.0]);
        assert!((out.vector(0)[0] - 0.6).abs() < 1e-6);
        assert_eq!((out.count(), out.levels[0], out.cluster_counts[0]), (2, 1, 8));
    }

    #[test]
    fn regions_without_direction_are_left_out_and_counted() {
        let mut out = ProposalSet::default();
        let zero = OutputRegion { vector: &[0.0, 0.0], ..REGION };
        let broken = OutputRegion { vector: &[f32::NAN, 0.0], ..REGION };
        assert_eq!(fill_from_regions([zero, REGION, broken], 2, &mut out), 2);
        assert_eq!((out.count(), out.vectors.len(), out.mask_offsets.len()), (1, 2, 2));
    }
}

//! What ranks the proposals of an image, and how far one is to be taken for an object.
//!
//! What is behind all objects is a region too. Its box is the whole image, it is the easiest one to
//! find, and a detector that is taught all proposals alike puts it first. It lies along the image's
//! edge, which few objects do for long: the prior of salient objects (Wei, Wen, Zhu, Sun, "Geodesic
//! saliency using background priors", ECCV 2012). Pieces of it are ragged, and objects fill their box.

use super::config::Score;
use crate::data::proposal_set::MaskGrid;
use crate::geometry::{self, BoundingBox};

/// What a region's score is made of.
#[derive(Debug, Clone, Copy)]
pub struct RegionShape<'a> {
    pub bounds: &'a BoundingBox,
    /// Area of the region as a share of the image.
    pub share: f32,
    /// Cell i of `grid`, row-major, is bit i % 64 of word i / 64.
    pub mask: &'a [u64],
    pub grid: MaskGrid,
    /// In the pixels of `bounds`.
    pub image_area: f64,
}

impl RegionShape<'_> {
    /// The score that `kind` says, in [0, 1].
    pub fn score(&self, kind: Score) -> f32 {
        match kind {
            Score::RegionShare => self.share,
            Score::BoxShare => (geometry::area(self.bounds) / self.image_area) as f32,
            Score::Constant => 1.0,
            Score::Objectness => self.objectness() as f32,
        }
    }

    /// [`Score::Objectness`].
    fn objectness(&self) -> f64 {
        let inside = 1.0 - self.edge_share();
        inside * inside * self.fullness()
    }

    /// How a region fills its box and how near that is to a square, in [0, 1]: its share of the box
    /// times the root of the shorter side over the longer one; 0 for a box without area.
    pub fn fullness(&self) -> f64 {
        let [left, top, right, bottom] = self.bounds.map(f64::from);
        let (width, height) = (right - left, bottom - top);
        let area = geometry::area(self.bounds);
        if area <= 0.0 {
            return 0.0;
        }
        let filled = (f64::from(self.share) * self.image_area / area).min(1.0);
        filled * (width.min(height) / width.max(height)).sqrt()
    }

    /// The region's share of the cells along the image's edge.
    fn edge_share(&self) -> f64 {
        let [height, width] = [self.grid.height, self.grid.width].map(|side| side as usize);
        let last = (height.saturating_sub(1)) * width;
        let rows = (0..width).flat_map(|column| [column, last + column]);
        let columns =
            (1..height.saturating_sub(1)).flat_map(|row| [row * width, (row + 1) * width - 1]);
        let (mut held, mut cells) = (0, 0);
        for cell in rows.chain(columns) {
            held += self.mask[cell / 64] >> (cell % 64) & 1;
            cells += 1;
        }
        held as f64 / f64::from(cells.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice::from_ref;

    /// A grid of 6 x 8 cells of one pixel each.
    const GRID: MaskGrid = MaskGrid { height: 6, width: 8 };

    /// A region of all cells of `bounds` that `keeps` keeps.
    fn shape(bounds: &BoundingBox, keeps: impl Fn(u32, u32) -> bool) -> (u64, f32) {
        let mut mask = 0;
        for (row, column) in (0..GRID.height).flat_map(|row| (0..GRID.width).map(move |c| (row, c)))
        {
            let [left, top, right, bottom] = bounds.map(|side| side as u32);
            let in_box = (left..right).contains(&column) && (top..bottom).contains(&row);
            if in_box && keeps(row, column) {
                mask |= 1u64 << (row * GRID.width + column);
            }
        }
        (mask, mask.count_ones() as f32 / 48.0)
    }

    fn scored(kind: Score, bounds: BoundingBox, keeps: impl Fn(u32, u32) -> bool) -> f32 {
        let (mask, share) = shape(&bounds, keeps);
        let mask = from_ref(&mask);
        RegionShape { bounds: &bounds, share, mask, grid: GRID, image_area: 48.0 }.score(kind)
    }

    fn objectness(bounds: BoundingBox, keeps: impl Fn(u32, u32) -> bool) -> f32 {
        scored(Score::Objectness, bounds, keeps)
    }

    #[test]
    fn what_is_inside_and_full_looks_most_like_an_object() {
        let square = [2.0, 2.0, 4.0, 4.0];
        let whole = [0.0, 0.0, 8.0, 6.0];
        assert_eq!(objectness(square, |_, _| true), 1.0);
        // Three of four cells.
        assert_eq!(objectness(square, |row, column| row + column > 4), 0.75);
        // A side twice the other.
        let flat = objectness([2.0, 2.0, 4.0, 3.0], |_, _| true);
        assert!((flat - 0.5f32.sqrt()).abs() < 1e-6, "{flat}");
        // Two of the 24 cells at the image's edge.
        let low = objectness([2.0, 4.0, 4.0, 6.0], |_, _| true);
        assert!((low - (22.0f32 / 24.0).powi(2)).abs() < 1e-6, "{low}");
        // All of them: what is behind everything, and the frame of it.
        assert_eq!(objectness(whole, |_, _| true), 0.0);
        let frame = |row: u32, column: u32| row == 0 || row == 5 || column == 0 || column == 7;
        assert_eq!(objectness(whole, frame), 0.0);
        // The whole image but for its edge is none of that.
        assert!(objectness(whole, |row, column| !frame(row, column)) > 0.4);
    }

    #[test]
    fn the_other_scores_are_shares_and_one() {
        let corner = [0.0, 0.0, 4.0, 3.0];
        let half = |row: u32, _: u32| row < 2;
        assert_eq!(scored(Score::RegionShare, corner, half), 8.0 / 48.0);
        assert_eq!(scored(Score::BoxShare, corner, half), 12.0 / 48.0);
        assert_eq!(scored(Score::Constant, corner, half), 1.0);
    }

    #[test]
    fn grids_of_one_cell_or_row_and_empty_boxes_have_scores() {
        for (height, width) in [(1, 1), (1, 5), (5, 1), (2, 2)] {
            let grid = MaskGrid { height, width };
            let bounds = [0.0, 0.0, width as f32, height as f32];
            let score = |mask: &[u64]| {
                let image_area = f64::from(height * width);
                RegionShape { bounds: &bounds, share: 1.0, mask, grid, image_area }
                    .score(Score::Objectness)
            };
            assert_eq!(score(&[u64::MAX]), 0.0, "{height} x {width}");
            assert!(score(&[0]) > 0.0);
        }
        assert_eq!(scored(Score::Objectness, [3.0, 3.0, 3.0, 5.0], |_, _| true), 0.0);
    }
}

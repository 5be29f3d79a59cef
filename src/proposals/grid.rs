//! The one grid on which regions of different maps are compared: that of the finest clustered
//! map. Both strides of ¶53 fit it exactly; for other ratios a cell belongs to the coarse cell
//! that holds its centre.

use super::numeric::sized;
use crate::data::proposal_set::MaskGrid;
use crate::geometry::BoundingBox;

/// Rows and columns laid over the whole image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grid {
    pub height: usize,
    pub width: usize,
}

impl Grid {
    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.height * self.width
    }

    /// 64-bit words of one mask.
    pub fn words(&self) -> usize {
        self.cells().div_ceil(64)
    }

    /// The same as the proposal set says it.
    pub fn mask_grid(&self) -> MaskGrid {
        MaskGrid { height: self.height as u32, width: self.width as u32 }
    }

    /// For each cell of `self` the cell of `coarse` that holds its centre.
    pub fn coarse_cells<'a>(&self, coarse: Grid, cells: &'a mut Vec<u32>) -> &'a [u32] {
        let answer = sized(cells, self.cells());
        let along =
            |index: usize, fine: usize, coarse: usize| (2 * index + 1) * coarse / (2 * fine);
        for (row, target) in answer.chunks_exact_mut(self.width).enumerate() {
            let coarse_row = along(row, self.height, coarse.height);
            for (column, cell) in target.iter_mut().enumerate() {
                let coarse_column = along(column, self.width, coarse.width);
                *cell = (coarse_row * coarse.width + coarse_column) as u32;
            }
        }
        answer
    }
}

/// The image that maps belong to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageGeometry {
    /// Pixels of the upright original image.
    pub original_width: usize,
    pub original_height: usize,
    /// Pixels of the image as the encoder saw it.
    pub resized_width: usize,
    pub resized_height: usize,
}

impl ImageGeometry {
    /// The cells `[x0, y0, x1, y1)` of a map in pixels of the original image.
    ///
    /// A cell of a map of stride s covers s x s pixels of the resized image; pixels go back by
    /// the true ratio of each side and are clipped (conventions.md, "Boxes and pixels").
    pub fn cells_to_box(&self, stride: usize, bounds: [usize; 4]) -> BoundingBox {
        let along = |cell: usize, resized: usize, original: usize| {
            let pixel = (cell * stride) as f64 * original as f64 / resized as f64;
            pixel.min(original as f64) as f32
        };
        let x = |cell| along(cell, self.resized_width, self.original_width);
        let y = |cell| along(cell, self.resized_height, self.original_height);
        [x(bounds[0]), y(bounds[1]), x(bounds[2]), y(bounds[3])]
    }

    /// The box with this share of its width and height more on each side, inside the image.
    pub fn grown(&self, [left, top, right, bottom]: BoundingBox, share: f32) -> BoundingBox {
        let (width, height) = (share * (right - left), share * (bottom - top));
        [
            (left - width).max(0.0),
            (top - height).max(0.0),
            (right + width).min(self.original_width as f32),
            (bottom + height).min(self.original_height as f32),
        ]
    }

    /// The whole image in square pixels.
    pub fn area(&self) -> f64 {
        self.original_width as f64 * self.original_height as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_go_back_by_the_true_ratios_and_are_clipped() {
        let geometry = ImageGeometry {
            original_width: 500,
            original_height: 333,
            resized_width: 704,
            resized_height: 480,
        };
        assert_eq!(geometry.cells_to_box(32, [0, 0, 22, 15]), [0.0, 0.0, 500.0, 333.0]);
        let [x0, y0, x1, y1] = geometry.cells_to_box(32, [1, 2, 3, 4]);
        assert!(
            (x0 - 32.0 * 500.0 / 704.0).abs() < 1e-4 && (y0 - 64.0 * 333.0 / 480.0).abs() < 1e-4
        );
        assert!(
            (x1 - 96.0 * 500.0 / 704.0).abs() < 1e-4 && (y1 - 128.0 * 333.0 / 480.0).abs() < 1e-4
        );
    }

    #[test]
    fn a_margin_grows_a_box_on_each_side_and_stops_at_the_image() {
        let geometry = ImageGeometry {
            original_width: 100,
            original_height: 50,
            resized_width: 100,
            resized_height: 50,
        };
        assert_eq!(geometry.grown([20.0, 10.0, 40.0, 50.0], 0.25), [15.0, 0.0, 45.0, 50.0]);
        assert_eq!(geometry.grown([20.0, 10.0, 40.0, 50.0], 0.0), [20.0, 10.0, 40.0, 50.0]);
    }

    #[test]
    fn the_last_cell_of_a_padded_map_is_clipped() {
        let geometry = ImageGeometry {
            original_width: 1333,
            original_height: 800,
            resized_width: 1333,
            resized_height: 800,
        };
        assert_eq!(geometry.cells_to_box(32, [40, 0, 42, 1]), [1280.0, 0.0, 1333.0, 32.0]);
    }

    #[test]
    fn every_fine_cell_belongs_to_the_coarse_cell_around_its_centre() {
        let (fine, coarse) = (Grid { height: 4, width: 5 }, Grid { height: 2, width: 2 });
        let mut cells = Vec::new();
        let answer = fine.coarse_cells(coarse, &mut cells);
        assert_eq!(answer[..10], [0, 0, 1, 1, 1, 0, 0, 1, 1, 1]);
        assert_eq!(answer[10..], [2, 2, 3, 3, 3, 2, 2, 3, 3, 3]);
    }
}

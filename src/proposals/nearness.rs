//! How near two cells of a map lie, as a factor of their affinity.
//!
//! Features alone cannot tell one object from the next of its sort: all blood cells of a picture
//! are alike and fall into one cluster. Shi and Malik ("Normalized cuts and image segmentation",
//! PAMI 2000) multiply the likeness of features with that of places, so that a cut may run through
//! the narrow neck between two objects that touch. The Gaussian of the distance is a product over
//! rows and columns, so that one short table serves every pair.

use super::grid::Grid;
use super::numeric::{bytes_of, sized};

/// Factors by rows and columns apart.
#[derive(Debug, Default)]
pub struct Nearness {
    width: usize,
    /// Entry `longest - 1 + d` is for d columns or rows apart, with d negative on the left half, so
    /// that a row of factors is a slice; empty where all cells are near.
    factors: Vec<f32>,
}

impl Nearness {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.factors)
    }

    /// Prepares factors exp(-d² / (2 `reach`²)) for the cells of `grid`, with d in shares of its
    /// longer side; a reach of 0 prepares none.
    pub fn prepare(&mut self, grid: Grid, reach: f32) {
        self.width = grid.width;
        self.factors.clear();
        if reach <= 0.0 {
            return;
        }
        let longest = grid.height.max(grid.width);
        let cells = f64::from(reach) * longest as f64;
        let factors = sized(&mut self.factors, 2 * longest - 1);
        for (index, factor) in factors.iter_mut().enumerate() {
            let apart = (index as f64 - (longest - 1) as f64) / cells;
            *factor = (-0.5 * apart * apart).exp() as f32;
        }
    }

    /// Multiplies the affinities of cell `cell` with the first cells, row-major.
    pub fn apply(&self, cell: usize, values: &mut [f32]) {
        if self.factors.is_empty() {
            return;
        }
        let (row, column) = (cell / self.width, cell % self.width);
        let middle = self.factors.len() / 2;
        let across = &self.factors[middle - column..];
        for (other, values) in values.chunks_mut(self.width).enumerate() {
            let down = self.factors[middle + other - row];
            for (value, across) in values.iter_mut().zip(across) {
                *value *= down * across;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_gets_the_gaussian_of_its_distance() {
        for grid in [Grid { height: 3, width: 5 }, Grid { height: 4, width: 2 }] {
            let mut nearness = Nearness::default();
            nearness.prepare(grid, 0.3);
            let longest = grid.height.max(grid.width) as f64;
            for cell in 0..grid.cells() {
                let mut values = vec![2.0; grid.cells()];
                nearness.apply(cell, &mut values);
                for (other, value) in values.iter().enumerate() {
                    let side = |a: usize, b: usize| (a as f64 - b as f64) / longest;
                    let down = side(cell / grid.width, other / grid.width);
                    let across = side(cell % grid.width, other % grid.width);
                    let wanted = 2.0 * (-(down * down + across * across) / (2.0 * 0.09)).exp();
                    assert!((f64::from(*value) - wanted).abs() < 1e-6, "{cell} {other} {value}");
                }
            }
        }
    }

    #[test]
    fn without_a_reach_nothing_changes() {
        let mut nearness = Nearness::default();
        nearness.prepare(Grid { height: 2, width: 2 }, 0.3);
        nearness.prepare(Grid { height: 2, width: 2 }, 0.0);
        let mut values = [0.1, 0.2, 0.3];
        nearness.apply(2, &mut values);
        assert_eq!(values, [0.1, 0.2, 0.3]);
    }
}

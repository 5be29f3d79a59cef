//! The leading eigenvectors of a normalised affinity, found with a few products of blocks.
//!
//! Block Lanczos with full orthogonalisation and thick restarts (Golub and Underwood 1977; Wu and
//! Simon 2000). A block as wide as the number of vectors finds repeated eigenvalues (one for each
//! part of the image that nothing connects to the rest), which single-vector methods miss. The
//! basis is kept small, so that the dense problem inside has at most 160 rows for 16 vectors.
//!
//! Graphs with no room for a full basis and one block more are solved whole. Rounding: products in
//! f32, the dense problem and the Cholesky factors in f64; the residual reached is reported.

use super::affinity::Graph;
use super::numeric::{bytes_of, sized};
use super::operator::Operator;
use super::row_product::{RowProduct, RowView};
use super::small_eigen::SmallEigen;
use super::triangular::{cholesky, invert_upper, multiply_upper};
use crate::control::Control;
use crate::kernels::simd::Level;
use crate::kernels::simd::gram::gram;
use crate::random::Random;
use crate::workers::Workers;
use crate::{Error, Result};

/// Blocks in the basis before a restart. With 6, maps without gaps take 111 blocks for 8 vectors and 49
/// for 16 in place of 63 and 35.
const BLOCKS_MAX: usize = 10;
/// Smallest basis: few vectors converge in fewer products from a longer basis.
const BASIS_MIN: usize = 32;
/// Blocks in the basis from which on a new one may be followed by a look at the residuals.
const CHECKED_BLOCKS_MIN: usize = 5;
/// How many times the tolerance the last residual may be for a look before the basis is full: a look
/// costs as much as a block, and residuals fall by less than this from block to block.
const LOOK_WITHIN: f32 = 3.0;
/// Restarts before the best found is taken as it is; maps without any gap may need a dozen.
const RESTARTS_MAX: usize = 40;
/// Draws of columns that depend on others in one block. One is enough wherever the basis leaves room.
const DRAWS_MAX: usize = 8;

/// Memory of [`Eigenvectors::solve`], and its answer.
#[derive(Debug, Default)]
pub struct Eigenvectors {
    /// `[cells, count]`, unit columns, the largest entry of each positive.
    pub vectors: Vec<f32>,
    /// Eigenvalues, largest first.
    pub values: Vec<f32>,
    /// Number of vectors.
    pub count: usize,
    /// Products of one vector with the graph.
    pub products: usize,
    /// Largest residual |A v - lambda v| of the answer.
    pub residual: f32,
    cells: usize,
    basis: Vec<f32>,
    basis_rows: Vec<f32>,
    restarted: Vec<f32>,
    block: Vec<f32>,
    next_block: Vec<f32>,
    overlaps: Vec<f32>,
    gram: Vec<f64>,
    factor: Vec<f64>,
    next_factor: Vec<f64>,
    projected: Vec<f64>,
    work: Vec<f64>,
    dependent: Vec<bool>,
    small: SmallEigen,
    product: RowProduct,
    operator: Operator,
}

impl Eigenvectors {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        let singles = [
            &self.vectors,
            &self.values,
            &self.basis,
            &self.basis_rows,
            &self.restarted,
            &self.block,
            &self.next_block,
            &self.overlaps,
        ];
        let doubles = [&self.gram, &self.factor, &self.next_factor, &self.projected, &self.work];
        singles.into_iter().map(bytes_of).sum::<usize>()
            + doubles.into_iter().map(bytes_of).sum::<usize>()
            + bytes_of(&self.dependent)
            + self.small.memory_bytes()
            + self.product.memory_bytes()
            + self.operator.memory_bytes()
    }

    /// Finds the `count` leading eigenvectors of `graph` (at most its number of cells), each to
    /// a residual of `tolerance`; `random` draws the start, and `control` is looked at after each
    /// block.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::NotConverged`] where rounding leaves no orthonormal block or no
    /// decomposition.
    pub fn solve(
        &mut self,
        graph: &Graph<'_>,
        count: usize,
        tolerance: f32,
        random: &mut Random,
        (workers, control): (&Workers, &Control<'_>),
    ) -> Result<()> {
        let cells = graph.scale.len();
        (self.cells, self.count, self.products) = (cells, count, 0);
        let capacity = basis_capacity(count);
        control.check()?;
        self.operator.load(graph, workers);
        // A full basis asks for one block more, whose vectors need dimensions of their own.
        if cells < capacity + count {
            self.solve_whole(graph, workers)?;
        } else {
            self.solve_in_blocks(graph, capacity, tolerance, random, (workers, control))?;
        }
        self.fix_signs();
        Ok(())
    }

    /// Applies the graph to the identity and decomposes the result.
    fn solve_whole(&mut self, graph: &Graph<'_>, workers: &Workers) -> Result<()> {
        let cells = graph.scale.len();
        let identity = sized(&mut self.basis, cells * cells);
        identity.fill(0.0);
        (0..cells).for_each(|cell| identity[cell * cells + cell] = 1.0);
        let block = sized(&mut self.block, cells * cells);
        self.operator.apply(graph, identity, cells, cells, block, workers);
        self.products += cells;
        let projected = sized(&mut self.projected, cells * cells);
        for row in 0..cells {
            for column in 0..cells {
                let (one, other) = (block[row * cells + column], block[column * cells + row]);
                projected[row * cells + column] = 0.5 * (f64::from(one) + f64::from(other));
            }
        }
        self.small.solve(projected, cells)?;
        self.residual = 0.0;
        let vectors = sized(&mut self.vectors, cells * self.count);
        for (cell, row) in vectors.chunks_exact_mut(self.count).enumerate() {
            for (index, value) in row.iter_mut().enumerate() {
                *value = self.small.vectors[index * cells + cell] as f32;
            }
        }
        self.keep_values();
        Ok(())
    }

    fn keep_values(&mut self) {
        let values = sized(&mut self.values, self.count);
        for (value, found) in values.iter_mut().zip(&self.small.values) {
            *value = *found as f32;
        }
    }

    fn solve_in_blocks(
        &mut self,
        graph: &Graph<'_>,
        capacity: usize,
        tolerance: f32,
        random: &mut Random,
        (workers, control): (&Workers, &Control<'_>),
    ) -> Result<()> {
        let (cells, width) = (graph.scale.len(), self.count);
        sized(&mut self.basis, cells * capacity);
        sized(&mut self.basis_rows, cells * capacity);
        sized(&mut self.next_block, cells * width);
        sized(&mut self.projected, capacity * capacity).fill(0.0);
        let kept = (capacity / 3 / width).max(1) * width;
        let mut used = 0;
        self.residual = f32::INFINITY;
        self.start_block(graph, random);
        self.orthonormalise(used, capacity, random, workers)?;
        for restart in 0..=RESTARTS_MAX {
            loop {
                control.check()?;
                self.append_block(used, capacity);
                let from = &self.basis[used..];
                let block = &mut self.block[..cells * width];
                self.operator.apply(graph, from, capacity, width, block, workers);
                self.products += width;
                used += width;
                self.record_projections(used, capacity, workers);
                self.orthonormalise(used, capacity, random, workers)?;
                let full = used + width > capacity;
                let near = self.residual <= LOOK_WITHIN * tolerance;
                if full || (near && used >= CHECKED_BLOCKS_MIN * width) {
                    self.decompose(used, capacity)?;
                    self.residual = self.residual_of_wanted(used);
                    if full || self.residual <= tolerance {
                        break;
                    }
                }
            }
            if self.residual <= tolerance || restart == RESTARTS_MAX {
                break;
            }
            self.rotate_basis(used, kept, capacity, workers);
            let projected = &mut self.projected[..capacity * capacity];
            projected.fill(0.0);
            (0..kept).for_each(|i| projected[i * capacity + i] = self.small.values[i]);
            used = kept;
        }
        self.rotate_basis(used, width, capacity, workers);
        let vectors = sized(&mut self.vectors, cells * width);
        let rows = self.basis.chunks_exact(capacity);
        for (target, source) in vectors.chunks_exact_mut(width).zip(rows) {
            target.copy_from_slice(&source[..width]);
        }
        self.keep_values();
        Ok(())
    }

    /// Random numbers beside the one eigenvector that is known: D^1/2 1, of eigenvalue 1.
    fn start_block(&mut self, graph: &Graph<'_>, random: &mut Random) {
        let block = sized(&mut self.block, graph.scale.len() * self.count);
        for (row, scale) in block.chunks_exact_mut(self.count).zip(graph.scale) {
            row[0] = 1.0 / scale;
            row[1..].iter_mut().for_each(|value| *value = draw(random));
        }
    }

    /// Copies the block into the basis, which is held both ways round: products want one
    /// contiguous side.
    fn append_block(&mut self, used: usize, capacity: usize) {
        let (cells, width) = (self.cells, self.count);
        let rows = self.basis.chunks_exact_mut(capacity);
        for (cell, (row, source)) in
            rows.zip(self.block.chunks_exact(width)).enumerate().take(cells)
        {
            row[used..used + width].copy_from_slice(source);
            for (vector, value) in source.iter().enumerate() {
                self.basis_rows[(used + vector) * cells + cell] = *value;
            }
        }
    }

    /// Notes Qᵀ A Q of the newest block in the projected matrix.
    fn record_projections(&mut self, used: usize, capacity: usize, workers: &Workers) {
        let width = self.count;
        self.remove_projections(used, capacity, workers);
        let first = used - width;
        let projected = &mut self.projected;
        for row in 0..used {
            for column in first..used {
                // The overlaps are kept negated, ready to be added.
                let value = -f64::from(self.overlaps[row * width + column - first]);
                projected[row * capacity + column] = value;
            }
        }
        for row in first..used {
            for column in 0..row {
                let (here, there) = (row * capacity + column, column * capacity + row);
                if column >= first {
                    projected[there] = 0.5 * (projected[here] + projected[there]);
                }
                projected[here] = projected[there];
            }
        }
    }

    /// B = B - Q (Qᵀ B) over the first `used` columns of the basis.
    fn remove_projections(&mut self, used: usize, capacity: usize, workers: &Workers) {
        let (cells, width) = (self.cells, self.count);
        if used == 0 {
            return;
        }
        let (product, block) = (&mut self.product, &self.block);
        product.load(cells, width, |cell, vector| block[cell * width + vector]);
        let overlaps = sized(&mut self.overlaps, used * width);
        let vectors = RowView::dense(&self.basis_rows, used, cells);
        product.multiply(vectors, overlaps, width, workers);
        overlaps.iter_mut().for_each(|value| *value = -*value);
        product.load(used, width, |row, vector| overlaps[row * width + vector]);
        let rows = RowView { data: &self.basis, count: cells, stride: capacity, inner: used };
        let next = &mut self.next_block[..cells * width];
        product.multiply_add(rows, block, next, width, workers);
        std::mem::swap(&mut self.block, &mut self.next_block);
    }

    /// Makes the block, from which projections were removed once, orthonormal and orthogonal to
    /// the basis; `factor` becomes the upper triangle R with old block = new block R. Columns
    /// that depend on others are drawn anew and have a zero row in R.
    fn orthonormalise(
        &mut self,
        used: usize,
        capacity: usize,
        random: &mut Random,
        workers: &Workers,
    ) -> Result<()> {
        let width = self.count;
        let factor = sized(&mut self.factor, width * width);
        factor.fill(0.0);
        (0..width).for_each(|i| factor[i * width + i] = 1.0);
        let mut dependent = self.orthonormalise_once(workers);
        let mut passes_left = if dependent { 2 } else { 1 };
        let mut draws = 0;
        while passes_left > 0 {
            if dependent {
                // Twice is enough; a redrawn column needs its own two passes.
                passes_left = 2;
                draws += 1;
                if draws > DRAWS_MAX {
                    return Err(self.no_block(used));
                }
                self.redraw_dependent(random);
            }
            passes_left -= 1;
            self.remove_projections(used, capacity, workers);
            dependent = self.orthonormalise_once(workers);
            passes_left = if dependent { 2 } else { passes_left };
        }
        Ok(())
    }

    #[cold]
    fn no_block(&self, used: usize) -> Error {
        let (cells, width) = (self.cells, self.count);
        let what = format!("eigenvectors of {cells} cells");
        let reason = format!("no {width} vectors orthonormal to the {used} before them");
        Error::NotConverged { what, rounds: DRAWS_MAX, reason }
    }

    /// One pass of Cholesky QR, factored in f64. Answers whether a column depended on others.
    fn orthonormalise_once(&mut self, workers: &Workers) -> bool {
        let (cells, width) = (self.cells, self.count);
        let upper = sized(&mut self.gram, width * width);
        gram(&self.block[..cells * width], width, upper, Level::best());
        self.dependent.clear();
        self.dependent.resize(width, false);
        cholesky(upper, &mut self.dependent, width);
        let next = sized(&mut self.next_factor, width * width);
        multiply_upper(upper, &self.factor, next, width);
        self.factor[..width * width].copy_from_slice(next);
        invert_upper(upper, &self.dependent, next, width);
        self.product.load(width, width, |row, column| next[row * width + column] as f32);
        let rows = RowView::dense(&self.block, cells, width);
        let target = &mut self.next_block[..cells * width];
        self.product.multiply(rows, target, width, workers);
        std::mem::swap(&mut self.block, &mut self.next_block);
        self.dependent.contains(&true)
    }

    fn redraw_dependent(&mut self, random: &mut Random) {
        for (column, _) in self.dependent.iter().enumerate().filter(|(_, dependent)| **dependent) {
            let block = &mut self.block[..self.cells * self.count];
            for row in block.chunks_exact_mut(self.count) {
                row[column] = draw(random);
            }
        }
    }

    fn decompose(&mut self, used: usize, capacity: usize) -> Result<()> {
        let work = sized(&mut self.work, used * used);
        let rows = self.projected.chunks_exact(capacity);
        for (target, source) in work.chunks_exact_mut(used).zip(rows) {
            target.copy_from_slice(&source[..used]);
        }
        self.small.solve(work, used)
    }

    /// |A v - lambda v| = |R s|, with s the part of the Ritz vector in the newest block.
    fn residual_of_wanted(&self, used: usize) -> f32 {
        let width = self.count;
        let mut largest = 0.0f64;
        for vector in self.small.vectors.chunks_exact(used).take(width) {
            let newest = &vector[used - width..];
            let squares: f64 = self.factor[..width * width]
                .chunks_exact(width)
                .map(|row| row.iter().zip(newest).map(|(r, s)| r * s).sum::<f64>().powi(2))
                .sum();
            largest = largest.max(squares);
        }
        largest.sqrt() as f32
    }

    /// Replaces the basis by the `kept` leading Ritz vectors.
    fn rotate_basis(&mut self, used: usize, kept: usize, capacity: usize, workers: &Workers) {
        let cells = self.cells;
        let vectors = &self.small.vectors;
        self.product.load(used, kept, |row, index| vectors[index * used + row] as f32);
        let restarted = sized(&mut self.restarted, cells * kept);
        let rows = RowView { data: &self.basis, count: cells, stride: capacity, inner: used };
        self.product.multiply(rows, restarted, kept, workers);
        let rows = self.basis.chunks_exact_mut(capacity);
        for (cell, (row, source)) in rows.zip(restarted.chunks_exact(kept)).enumerate() {
            row[..kept].copy_from_slice(source);
            for (vector, value) in source.iter().enumerate() {
                self.basis_rows[vector * cells + cell] = *value;
            }
        }
    }

    fn fix_signs(&mut self) {
        let vectors = &mut self.vectors[..self.cells * self.count];
        for column in 0..self.count {
            let entries = vectors.iter().skip(column).step_by(self.count);
            let keep_larger = |most: f32, x: &f32| if x.abs() > most.abs() { *x } else { most };
            if entries.fold(0.0, keep_larger) < 0.0 {
                let entries = vectors.iter_mut().skip(column).step_by(self.count);
                entries.for_each(|value| *value = -*value);
            }
        }
    }
}

/// Uniform in [-1, 1).
fn draw(random: &mut Random) -> f32 {
    (random.next_u32() >> 8) as f32 * (1.0 / (1 << 23) as f32) - 1.0
}

/// Vectors in the basis before a restart.
fn basis_capacity(count: usize) -> usize {
    (BLOCKS_MAX * count).max(BASIS_MIN / count * count)
}

#[cfg(test)]
#[path = "eigenvectors_tests.rs"]
mod tests;

//! The cells that the samples of one head are taken from, and that their gradients go to.
//!
//! Samples jump about among the cells of one head, which lie a row of all heads apart. Packed side
//! by side they stay in a core's second cache while the queries pass, so that is what the samples of
//! many queries are taken from.

use super::deformable_samples::Corners;
use crate::kernels::simd::Level;
use crate::kernels::simd::bilinear::{
    CORNERS, Cells, SAMPLES, Samples, Scattered, gather, scatter,
};
use crate::nn::cpu::Real;

/// The values of one head of one image: cell `c` is `values[start + c * stride..]`.
pub(super) struct HeadCells<'a, T> {
    values: &'a [T],
    start: usize,
    stride: usize,
    dim: usize,
    /// The same cells side by side.
    packed: Option<&'a [f32]>,
}

impl<'a, T: Real> HeadCells<'a, T> {
    /// Head `head` of `heads` in the `values` of one image, each `dim` long.
    pub fn new(values: &'a [T], head: usize, heads: usize, dim: usize) -> HeadCells<'a, T> {
        HeadCells { values, start: head * dim, stride: heads * dim, dim, packed: None }
    }

    /// Copies the cells side by side into `room` where that is `wanted`.
    #[inline(always)]
    pub fn packed<'b>(self, wanted: bool, room: &'b mut [f32]) -> HeadCells<'b, T>
    where
        'a: 'b,
    {
        let HeadCells { values, start, stride, dim, .. } = self;
        let mut packed = None;
        if let Some(values) = T::single(values).filter(|_| wanted && dim > 0) {
            for (to, row) in room.chunks_exact_mut(dim).zip(values.chunks_exact(stride)) {
                to.copy_from_slice(&row[start..start + dim]);
            }
            packed = Some(&*room);
        }
        HeadCells { values, start, stride, dim, packed }
    }

    fn single(&self) -> Option<Cells<'_>> {
        Some(match self.packed {
            Some(values) => Cells { values, start: 0, stride: self.dim },
            None => {
                let values = T::single(self.values)?;
                Cells { values, start: self.start, stride: self.stride }
            }
        })
    }

    /// Adds the weighted samples to the output.
    #[inline(always)]
    pub fn gather(&self, corners: &Corners<T>, weights: &[T], output: &mut [T]) {
        let (shares, count) = (corners.weighted(weights), weights.len());
        let (shares, numbers) = (shares.as_flattened(), corners.cells.as_flattened());
        if let (Some(cells), Some(shares)) = (self.single(), T::single(shares)) {
            if let Some(output) = T::single_mut(output) {
                gather(Level::best(), cells, Samples { cells: numbers, shares, count }, output);
            }
            return;
        }
        for (place, (cell, share)) in numbers.iter().zip(shares).enumerate() {
            if place % SAMPLES < count {
                let values = &self.values[self.start + *cell as usize * self.stride..];
                output.iter_mut().zip(values).for_each(|(to, value)| *to += *share * *value);
            }
        }
    }

    /// Adds the weighted gradient to the gradients of the cells, dense rows; answers its inner
    /// products with the values of the corners.
    #[inline(always)]
    pub fn scatter(
        &self,
        corners: &Corners<T>,
        weights: &[T],
        gradient: &[T],
        to: &mut [T],
    ) -> [[T; SAMPLES]; CORNERS] {
        let mut products = [[T::ZERO; SAMPLES]; CORNERS];
        let (shares, count) = (corners.weighted(weights), weights.len());
        let (shares, numbers) = (shares.as_flattened(), corners.cells.as_flattened());
        let single = (self.single(), T::single(shares), T::single(gradient));
        if let (Some(cells), Some(shares), Some(gradient)) = single {
            let samples = Samples { cells: numbers, shares, count };
            let found = T::single_mut(products.as_flattened_mut());
            if let (Some(cells_to), Some(products)) = (T::single_mut(to), found) {
                let mut to = Scattered { cells: cells_to, products };
                scatter(Level::best(), cells, samples, gradient, &mut to);
            }
            return products;
        }
        let pairs = numbers.iter().zip(shares).zip(products.as_flattened_mut());
        for (place, ((cell, share), product)) in pairs.enumerate() {
            if place % SAMPLES < count {
                let values = &self.values[self.start + *cell as usize * self.stride..];
                *product = values.iter().zip(gradient).map(|(value, slope)| *value * *slope).sum();
                let to = &mut to[*cell as usize * gradient.len()..];
                to.iter_mut().zip(gradient).for_each(|(to, slope)| *to += *share * *slope);
            }
        }
        products
    }
}

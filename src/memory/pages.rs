//! Zeroed numbers in memory pages of their own, for large blocks that grow with their input.
//!
//! Allocators keep what is given back for later requests, and a block that is replaced by a larger
//! one leaves a hole that nothing of its size fits: over a folder of images of many sizes such holes
//! came to a fifth of the memory. Pages go back to the system the moment they are dropped, whichever
//! allocator the host has.

use bytemuck::Pod;
use memmap2::MmapMut;
use std::marker::PhantomData;

/// Numbers that start on a page.
#[derive(Debug)]
pub struct Pages<T> {
    map: MmapMut,
    numbers: PhantomData<T>,
}

impl<T: Pod> Pages<T> {
    /// `length` zeros; `None` for no numbers and where the system has no pages left.
    pub fn zeros(length: usize) -> Option<Pages<T>> {
        let bytes = length.checked_mul(size_of::<T>()).filter(|&bytes| bytes > 0)?;
        let map = MmapMut::map_anon(bytes).ok()?;
        Some(Pages { map, numbers: PhantomData })
    }

    pub fn as_slice(&self) -> &[T] {
        bytemuck::cast_slice(&self.map)
    }

    pub fn as_mut_slice(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_zeros_and_then_what_is_written() {
        let mut pages: Pages<f64> = Pages::zeros(1000).unwrap();
        assert!(pages.as_slice().iter().all(|value| *value == 0.0));
        pages.as_mut_slice()[999] = 7.5;
        assert_eq!((pages.as_slice().len(), pages.as_slice()[999]), (1000, 7.5));
        assert_eq!(pages.as_slice().as_ptr() as usize % 4096, 0);
        assert!(Pages::<f32>::zeros(0).is_none() && Pages::<f32>::zeros(usize::MAX).is_none());
    }
}

//! Memory for numbers that starts on a cache line, for arenas and packed weights.

use super::pages::Pages;
use crate::{Result, memory};
use bytemuck::Pod;

/// Floats in a cache line.
pub const LINE: usize = 16;
/// Bytes from which on a block gets pages of its own: few such blocks exist, and they live long.
const PAGES_BYTES_MIN: usize = 1 << 20;

/// Zeroed numbers whose first element starts a cache line of 64 bytes.
#[derive(Debug)]
pub struct Aligned<T> {
    memory: Memory<T>,
    start: usize,
    length: usize,
}

/// Aligned `f32`.
pub type AlignedFloats = Aligned<f32>;

#[derive(Debug)]
enum Memory<T> {
    Heap(Vec<T>),
    Pages(Pages<T>),
}

impl<T: Pod> Default for Aligned<T> {
    /// No numbers, and no memory.
    fn default() -> Aligned<T> {
        Aligned { memory: Memory::Heap(Vec::new()), start: 0, length: 0 }
    }
}

impl<T: Pod> Memory<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Memory::Heap(memory) => memory,
            Memory::Pages(pages) => pages.as_slice(),
        }
    }
}

impl<T: Pod> Aligned<T> {
    /// `length` zeros, for lengths that no caller decides: packed weights, scratch of a task.
    pub fn zeros(length: usize) -> Aligned<T> {
        let large = length >= PAGES_BYTES_MIN / size_of::<T>();
        let pages = if large { Pages::zeros(length) } else { None };
        Aligned::of(pages, length, |length| vec![T::zeroed(); length])
    }

    /// `length` zeros for `what`.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub fn try_zeros(length: usize, what: &str) -> Result<Aligned<T>> {
        if length < PAGES_BYTES_MIN / size_of::<T>() {
            let heap = memory::filled(T::zeroed(), length + LINE, what)?;
            return Ok(Aligned::of(None, length, |_| heap));
        }
        let bytes = memory::bytes_of::<T>(length);
        memory::check(what, bytes, "")?;
        let pages = Pages::zeros(length).ok_or_else(|| memory::refused(what, bytes))?;
        Ok(Aligned::of(Some(pages), length, |_| Vec::new()))
    }

    /// Numbers in `pages`, or else in what `heap` gives for a length.
    fn of(
        pages: Option<Pages<T>>,
        length: usize,
        heap: impl FnOnce(usize) -> Vec<T>,
    ) -> Aligned<T> {
        let memory = match pages {
            Some(pages) => Memory::Pages(pages),
            None => Memory::Heap(heap(length + LINE)),
        };
        // An address that cannot be aligned (only under an interpreter) costs speed alone.
        let start = memory.as_slice().as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        Aligned { memory, start, length }
    }

    /// Makes it at least `length` numbers long, whatever they then are; the old block is given
    /// back before a larger one is taken. For lengths as [`Aligned::zeros`] takes them.
    pub fn grow(&mut self, length: usize) {
        if !self.extend(length) {
            *self = Aligned::default();
            *self = Aligned::zeros(length);
        }
    }

    /// [`Aligned::grow`] for any length.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`]; it is then empty.
    pub fn try_grow(&mut self, length: usize, what: &str) -> Result<()> {
        if !self.extend(length) {
            *self = Aligned::default();
            *self = Aligned::try_zeros(length, what)?;
        }
        Ok(())
    }

    /// Makes it longer within its memory, if that is possible.
    fn extend(&mut self, length: usize) -> bool {
        let fits = self.start.saturating_add(length) <= self.memory.as_slice().len();
        if fits {
            self.length = self.length.max(length);
        }
        fits
    }

    pub fn as_slice(&self) -> &[T] {
        &self.memory.as_slice()[self.start..self.start + self.length]
    }

    pub fn as_mut_slice(&mut self) -> &mut [T] {
        let range = self.start..self.start + self.length;
        match &mut self.memory {
            Memory::Heap(memory) => &mut memory[range],
            Memory::Pages(pages) => &mut pages.as_mut_slice()[range],
        }
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        let numbers = match &self.memory {
            Memory::Heap(memory) => memory.capacity(),
            Memory::Pages(pages) => pages.as_slice().len(),
        };
        numbers * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_element_starts_a_line_and_all_are_zero() {
        for length in [0, 1, 63, 1000, 300_000] {
            let mut floats = AlignedFloats::zeros(length);
            assert_eq!(floats.as_mut_slice().len(), length);
            assert!(floats.as_slice().iter().all(|value| *value == 0.0));
            assert_eq!(floats.as_slice().as_ptr() as usize % 64, 0);
        }
    }

    #[test]
    fn memory_that_is_long_enough_serves_again() {
        for length in [100, 300_000] {
            let mut floats = AlignedFloats::zeros(length);
            let place = floats.as_slice().as_ptr();
            floats.grow(length / 2);
            assert_eq!((floats.as_slice().len(), floats.as_slice().as_ptr()), (length, place));
            floats.grow(2 * length);
            assert_eq!(floats.as_slice(), vec![0.0; 2 * length]);
        }
    }
}

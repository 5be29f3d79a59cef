//! Memory for numbers that starts on a cache line, for arenas and packed weights.

use super::matrix_product::Scalar;

/// Floats in a cache line.
pub const LINE: usize = 16;

/// Zeroed numbers whose first element starts a cache line of 64 bytes.
#[derive(Debug)]
pub struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
    length: usize,
}

/// Aligned `f32`.
pub type AlignedFloats = Aligned<f32>;

impl<T: Scalar> Aligned<T> {
    /// `length` zeros.
    pub fn zeros(length: usize) -> Aligned<T> {
        let memory = vec![T::ZERO; length + LINE];
        // An address that cannot be aligned (only under an interpreter) costs speed alone.
        let start = memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        Aligned { memory, start, length }
    }

    pub fn as_slice(&self) -> &[T] {
        &self.memory[self.start..self.start + self.length]
    }

    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.length]
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.memory.capacity() * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_element_starts_a_line_and_all_are_zero() {
        for length in [0, 1, 63, 1000] {
            let mut floats = AlignedFloats::zeros(length);
            assert_eq!(floats.as_mut_slice().len(), length);
            assert!(floats.as_slice().iter().all(|value| *value == 0.0));
            assert_eq!(floats.as_slice().as_ptr() as usize % 64, 0);
        }
    }
}

//! Memory for floats that starts on a cache line, for arenas and packed weights.

/// Floats in a cache line.
pub const LINE: usize = 16;

/// Zeroed floats whose first element starts a cache line of 64 bytes.
#[derive(Debug)]
pub struct AlignedFloats {
    memory: Vec<f32>,
    start: usize,
    length: usize,
}

impl AlignedFloats {
    /// `length` zeros.
    pub fn zeros(length: usize) -> AlignedFloats {
        let memory = vec![0.0f32; length + LINE];
        // An address that cannot be aligned (only under an interpreter) costs speed alone.
        let start = memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        AlignedFloats { memory, start, length }
    }

    pub fn as_slice(&self) -> &[f32] {
        &self.memory[self.start..self.start + self.length]
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..self.start + self.length]
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.memory.capacity() * size_of::<f32>()
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

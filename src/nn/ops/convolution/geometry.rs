//! The shape of a convolution.

/// Shape of a convolution with a square kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub in_channels: usize,
    pub out_channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    pub stride: usize,
    /// Zeros on each side of the input.
    pub padding: usize,
}

impl Geometry {
    /// Sides of the output for an input of `height` by `width`; 0 where the kernel does not fit.
    pub fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        let side = |length: usize| {
            (length + 2 * self.padding)
                .checked_sub(self.kernel)
                .map_or(0, |room| room / self.stride + 1)
        };
        (side(height), side(width))
    }

    /// Number of weights.
    pub fn weights_count(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel * self.kernel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_does_not_fit_gives_nothing() {
        let geometry =
            Geometry { in_channels: 1, out_channels: 1, kernel: 3, stride: 2, padding: 0 };
        assert_eq!(geometry.output_size(2, 7), (0, 3));
    }
}

//! From the tensors of an ONNX model to maps: which outputs are maps, how large their cells are,
//! and how their numbers are put into HWC order.
//!
//! Two layouts occur. Convolutional networks give `[1, channels, height, width]`. Vision
//! transformers give `[1, tokens, channels]`: the cells row by row behind a few tokens that stand
//! for no place (the class token, registers).

use crate::data::feature_map::FeatureMap;

/// Most tokens that may stand before the cells: one class token, and registers.
const PREFIX_TOKENS_MAX: usize = 32;

/// Columns and rows that are transposed together, so that both sides stay in the first cache.
const TILE: usize = 32;

/// How one output is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub channels: usize,
    /// Pixels of the image for each cell.
    pub stride: usize,
    /// Tokens before the first cell, or `None` where the output has rows and columns.
    pub prefix_tokens: Option<usize>,
}

impl Layout {
    /// Recognises the layout of an output of `shape` for an image of `height` by `width` pixels.
    ///
    /// # Errors
    /// Why it is no map of this image, with the numbers.
    pub fn recognise(shape: &[usize], height: usize, width: usize) -> Result<Layout, String> {
        match *shape {
            [1, channels, rows, columns] if channels * rows * columns > 0 => {
                let strides = (stride(height, rows), stride(width, columns));
                match strides {
                    (Some(vertical), Some(horizontal)) if vertical == horizontal => {
                        Ok(Layout { channels, stride: vertical, prefix_tokens: None })
                    }
                    _ => Err(format!(
                        "{rows}x{columns} cells do not tile an image of {height}x{width} pixels \
                         by squares"
                    )),
                }
            }
            [1, tokens, channels] if tokens * channels > 0 => {
                let (stride, cells) = token_grid(tokens, height, width).ok_or_else(|| {
                    format!(
                        "{tokens} tokens are no grid over an image of {height}x{width} pixels \
                         behind at most {PREFIX_TOKENS_MAX} other tokens"
                    )
                })?;
                Ok(Layout { channels, stride, prefix_tokens: Some(tokens - cells) })
            }
            _ => Err(format!("its shape {shape:?} is neither [1,C,H,W] nor [1,T,C]")),
        }
    }

    /// The map of an image of `height` by `width` pixels from an output of this layout.
    ///
    /// # Errors
    /// The shape that was expected and the one that came.
    pub fn read(
        &self,
        shape: &[usize],
        values: &[f32],
        height: usize,
        width: usize,
    ) -> Result<FeatureMap, String> {
        let (rows, columns) = (height.div_ceil(self.stride), width.div_ceil(self.stride));
        let (cells, channels) = (rows * columns, self.channels);
        let expected = match self.prefix_tokens {
            None => vec![1, channels, rows, columns],
            Some(prefix) => vec![1, prefix + cells, channels],
        };
        if shape != expected {
            return Err(format!(
                "expected {expected:?} for an image of {height}x{width} pixels, got {shape:?}"
            ));
        }
        let values = match self.prefix_tokens {
            None => transposed(values, channels, cells),
            Some(prefix) => values[prefix * channels..].to_vec(),
        };
        Ok(FeatureMap { values, height: rows, width: columns, channels })
    }
}

/// Pixels for each cell: exact, or the power of two that gives this count when the last cell
/// reaches over the edge (networks that round sides up).
fn stride(side: usize, cells: usize) -> Option<usize> {
    if side.is_multiple_of(cells) {
        return Some(side / cells);
    }
    let power = (side / cells).next_power_of_two();
    (side.div_ceil(power) == cells).then_some(power)
}

/// Stride and number of cells of the finest grid of squares that leaves only a few tokens over.
fn token_grid(tokens: usize, height: usize, width: usize) -> Option<(usize, usize)> {
    (1..=height.min(width))
        .filter(|stride| height.is_multiple_of(*stride) && width.is_multiple_of(*stride))
        .map(|stride| (stride, (height / stride) * (width / stride)))
        .find(|(_, cells)| *cells <= tokens && tokens - cells <= PREFIX_TOKENS_MAX)
}

/// `[channels][cells]` to `[cells][channels]`.
fn transposed(values: &[f32], channels: usize, cells: usize) -> Vec<f32> {
    let mut answer = vec![0.0; values.len()];
    for first_cell in (0..cells).step_by(TILE) {
        let last_cell = (first_cell + TILE).min(cells);
        for first in (0..channels).step_by(TILE) {
            let last = (first + TILE).min(channels);
            for cell in first_cell..last_cell {
                let target = &mut answer[cell * channels + first..cell * channels + last];
                for (channel, value) in (first..last).zip(target) {
                    *value = values[channel * cells + cell];
                }
            }
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(channels: usize, stride: usize, prefix_tokens: Option<usize>) -> Layout {
        Layout { channels, stride, prefix_tokens }
    }

    #[test]
    fn layouts_of_networks_and_transformers_are_recognised() {
        let recognise = Layout::recognise;
        assert_eq!(recognise(&[1, 512, 14, 14], 448, 448), Ok(layout(512, 32, None)));
        assert_eq!(recognise(&[1, 8, 9, 9], 260, 260), Ok(layout(8, 32, None)));
        assert_eq!(recognise(&[1, 785, 384], 448, 448), Ok(layout(384, 16, Some(1))));
        assert_eq!(recognise(&[1, 1029, 384], 448, 448), Ok(layout(384, 14, Some(5))));
        assert_eq!(recognise(&[1, 28 * 14, 64], 448, 224), Ok(layout(64, 16, Some(0))));
    }

    #[test]
    fn outputs_that_are_no_maps_are_refused_with_their_numbers() {
        let refused = |shape: &[usize]| Layout::recognise(shape, 448, 448).unwrap_err();
        assert!(refused(&[1, 1000]).contains("[1, 1000]"));
        assert!(refused(&[2, 64, 14, 14]).contains("[2, 64, 14, 14]"));
        assert!(refused(&[1, 64, 27, 14]).contains("27x14 cells"));
        assert!(refused(&[1, 900, 384]).contains("900 tokens"));
    }

    #[test]
    fn planes_become_rows_of_cells_whatever_the_sizes() {
        for (channels, rows, columns) in [(3, 2, 5), (70, 9, 8), (1, 1, 1)] {
            let cells = rows * columns;
            let values: Vec<f32> = (0..channels * cells).map(|value| value as f32).collect();
            let map = layout(channels, 8, None)
                .read(&[1, channels, rows, columns], &values, rows * 8, columns * 8)
                .unwrap();
            assert_eq!((map.height, map.width, map.channels), (rows, columns, channels));
            for (index, value) in map.values.iter().enumerate() {
                assert_eq!(*value, (index % channels * cells + index / channels) as f32);
            }
        }
    }

    #[test]
    fn tokens_lose_their_prefix_and_a_changed_shape_is_an_error() {
        let values: Vec<f32> = (0..10).map(|value| value as f32).collect();
        let tokens = layout(2, 16, Some(1));
        let map = tokens.read(&[1, 5, 2], &values, 32, 32).unwrap();
        assert_eq!(map.values, values[2..]);
        let error = tokens.read(&[1, 6, 2], &values, 32, 32).unwrap_err();
        assert!(error.contains("[1, 5, 2]") && error.contains("[1, 6, 2]"), "{error}");
    }
}

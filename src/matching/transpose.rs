//! A matrix turned over, in blocks that fit into registers.

/// Sides of the blocks.
const BLOCK: usize = 4;

/// Writes `from` `[rows, columns]` to `to` `[columns, stride]`: the number at row `r` and column
/// `c` goes to `c * stride + r`; `stride` is at least `rows`.
pub(super) fn transpose(from: &[f32], columns: usize, to: &mut [f32], stride: usize) {
    let rows = from.len() / columns.max(1);
    for first in blocks(rows) {
        for column in blocks(columns) {
            let lines: [[f32; BLOCK]; BLOCK] =
                std::array::from_fn(|row| block(&from[(first + row) * columns + column..]));
            for lane in 0..BLOCK {
                let place = (column + lane) * stride + first;
                to[place..place + BLOCK].copy_from_slice(&lines.map(|line| line[lane]));
            }
        }
    }
    // What is shorter than a block.
    if rows < BLOCK || columns < BLOCK {
        for (row, from) in from.chunks_exact(columns.max(1)).enumerate() {
            for (column, value) in from.iter().enumerate() {
                to[column * stride + row] = *value;
            }
        }
    }
}

fn block(values: &[f32]) -> [f32; BLOCK] {
    std::array::from_fn(|lane| values[lane])
}

/// Where the blocks of a side start. The last ends with the side, and overlaps the one before where
/// the side is no multiple; a side shorter than a block has none.
fn blocks(length: usize) -> impl Iterator<Item = usize> {
    let last = length.checked_sub(BLOCK);
    let count = last.map_or(0, |_| length.div_ceil(BLOCK));
    (0..count).map(move |number| (number * BLOCK).min(last.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_goes_to_the_other_side() {
        for [rows, columns] in [[1, 1], [3, 9], [9, 3], [4, 4], [13, 6], [300, 25], [0, 5], [5, 0]]
        {
            let from: Vec<f32> = (0..rows * columns).map(|number| number as f32).collect();
            let stride = rows + 2;
            let mut to = vec![-1.0; columns * stride];
            transpose(&from, columns, &mut to, stride);
            for (place, value) in to.iter().enumerate() {
                let (column, row) = (place / stride, place % stride);
                let wanted = if row < rows { from[row * columns + column] } else { -1.0 };
                assert_eq!(*value, wanted, "{rows}x{columns} at {row}, {column}");
            }
        }
    }
}

//! Scores of 14 rows against 32 columns from 8-bit integers, and which of them pass a threshold.
//!
//! `vpdpbusd` multiplies four bytes a lane and adds them up exactly: four times the products of
//! an f32 multiply-add. One operand is unsigned, so columns are stored plus 128 and 128 times
//! each row's sum is taken off at the start. The scores never leave this tile but for the rows
//! that pass.

/// Rows of a tile: 28 sums, two columns of vectors and a broadcast fill the 32 registers.
pub const ROWS: usize = 14;
/// Columns of a tile: two vectors of 16.
pub const COLUMNS: usize = 32;

/// A tile's operands. Bytes are stored four to a group; `groups` is the length of a row in
/// groups.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// `[ROWS, groups * 4]` integers.
    pub rows: &'a [i8],
    /// `[groups, COLUMNS, 4]` integers plus 128.
    pub columns: &'a [u8],
    pub groups: usize,
    /// Sum of the integers of each row.
    pub row_sums: &'a [i32; ROWS],
    pub row_scales: &'a [f32; ROWS],
    pub column_scales: &'a [f32; COLUMNS],
    pub column_biases: &'a [f32; COLUMNS],
    /// A score passes when it is above its row's threshold.
    pub thresholds: &'a [f32; ROWS],
}

/// A processor that has the instructions.
#[derive(Debug, Clone, Copy)]
pub struct Engine(());

impl Engine {
    /// None where this processor lacks them. NEON's baseline multiplies no more bytes than floats in
    /// an instruction, so that ARM processors score in floats instead.
    pub fn detect() -> Option<Engine> {
        #[cfg(target_arch = "x86_64")]
        let found = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni");
        #[cfg(not(target_arch = "x86_64"))]
        let found = false;
        found.then_some(Engine(()))
    }

    /// Writes `row_scale * column_scale * sum of products + column_bias` for each pair to
    /// `scores` and, for each row, a bit for each column that passes to `passed`. Answers a bit
    /// for each row in which any passes.
    ///
    /// # Panics
    /// When the operands are not of these sizes.
    #[inline]
    pub fn score(
        self,
        tile: &Tile<'_>,
        scores: &mut [[f32; COLUMNS]; ROWS],
        passed: &mut [u32; ROWS],
    ) -> u32 {
        assert_eq!(tile.rows.len(), ROWS * tile.groups * 4);
        assert_eq!(tile.columns.len(), COLUMNS * tile.groups * 4);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `detect` found the instructions, and the sizes are those that the kernel reads.
        return unsafe { kernel(tile, scores, passed) };
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("no engine exists on this processor: {scores:?} {passed:?}")
    }
}

/// # Safety
/// The instructions are enabled and the sizes are those that [`Engine::score`] checks.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn kernel(
    tile: &Tile<'_>,
    scores: &mut [[f32; COLUMNS]; ROWS],
    passed: &mut [u32; ROWS],
) -> u32 {
    use std::arch::x86_64::*;
    let row_bytes = tile.groups * 4;
    let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
    for (sums, row_sum) in sums.iter_mut().zip(tile.row_sums) {
        *sums = [_mm512_set1_epi32(-128 * row_sum); 2];
    }
    let (rows, columns) = (tile.rows.as_ptr(), tile.columns.as_ptr());
    for group in 0..tile.groups {
        // SAFETY: two vectors of 64 bytes a group in the columns, four bytes a group and row.
        unsafe {
            let at = columns.add(group * COLUMNS * 4);
            let (low, high) =
                (_mm512_loadu_si512(at.cast()), _mm512_loadu_si512(at.add(64).cast()));
            for (row, sums) in sums.iter_mut().enumerate() {
                let four = rows.add(row * row_bytes + group * 4).cast::<i32>().read_unaligned();
                let four = _mm512_set1_epi32(four);
                sums[0] = _mm512_dpbusd_epi32(sums[0], low, four);
                sums[1] = _mm512_dpbusd_epi32(sums[1], high, four);
            }
        }
    }
    let mut any = 0;
    for (row, sums) in sums.into_iter().enumerate() {
        let scale = _mm512_set1_ps(tile.row_scales[row]);
        let threshold = _mm512_set1_ps(tile.thresholds[row]);
        let mut bits = 0;
        for (half, sum) in sums.into_iter().enumerate() {
            // SAFETY: 16 of the 32 scales, biases and scores of a row.
            unsafe {
                let column_scale = _mm512_loadu_ps(tile.column_scales.as_ptr().add(half * 16));
                let bias = _mm512_loadu_ps(tile.column_biases.as_ptr().add(half * 16));
                let score = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), column_scale);
                let score = _mm512_fmadd_ps(score, scale, bias);
                let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(score, threshold);
                bits |= u32::from(above) << (half * 16);
                _mm512_storeu_ps(scores[row].as_mut_ptr().add(half * 16), score);
            }
        }
        passed[row] = bits;
        any |= u32::from(bits != 0) << row;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_plain_loops_to_the_last_integer() {
        let Some(engine) = Engine::detect() else {
            println!("skipped: no AVX-512 VNNI on this processor");
            return;
        };
        let groups = 9;
        let rows: Vec<i8> = (0..ROWS * groups * 4).map(|index| (index * 37 % 255) as i8).collect();
        let columns: Vec<u8> =
            (0..COLUMNS * groups * 4).map(|index| (index * 91 % 255 + 1) as u8).collect();
        let row_sums = std::array::from_fn(|row| {
            rows[row * groups * 4..][..groups * 4].iter().map(|value| i32::from(*value)).sum()
        });
        let tile = Tile {
            rows: &rows,
            columns: &columns,
            groups,
            row_sums: &row_sums,
            row_scales: &std::array::from_fn(|row| (row + 1) as f32 / 64.0),
            column_scales: &[0.5; COLUMNS],
            column_biases: &std::array::from_fn(|column| column as f32),
            thresholds: &std::array::from_fn(|row| row as f32 - 3.0),
        };
        let (mut scores, mut passed) = ([[0.0; COLUMNS]; ROWS], [0; ROWS]);
        let any = engine.score(&tile, &mut scores, &mut passed);
        for row in 0..ROWS {
            assert_eq!(any >> row & 1 == 1, passed[row] != 0);
            for column in 0..COLUMNS {
                let sum: i32 = (0..groups * 4)
                    .map(|k| {
                        let byte = columns[(k / 4 * COLUMNS + column) * 4 + k % 4];
                        i32::from(rows[row * groups * 4 + k]) * (i32::from(byte) - 128)
                    })
                    .sum();
                let wanted = sum as f32 * 0.5 * tile.row_scales[row] + column as f32;
                assert!((scores[row][column] - wanted).abs() <= wanted.abs() * 1e-6 + 1e-3);
                let above = scores[row][column] > tile.thresholds[row];
                assert_eq!(passed[row] >> column & 1 == 1, above);
            }
        }
    }
}

//! Matrix products: safe strided views around the `gemm` crate, split over workers by index.
//!
//! Every room that multiplies matrices comes here (layers, the block solver, k-means), so the
//! pointers of `gemm` are met in one file. The tiles into which the output is cut depend on the
//! shapes alone, so the same product has the same bits at any number of threads.

use crate::workers::Workers;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Element types that can be multiplied: `f32` and `f64`.
pub trait Scalar: sealed::Sealed + bytemuck::Pod + Send + Sync + 'static {
    const ZERO: Self;
    const ONE: Self;
}

impl Scalar for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
}

impl Scalar for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
}

/// A borrowed matrix: element (row, column) is `data[row * row_stride + column * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Dense rows one after another.
    ///
    /// # Panics
    /// When `data` is shorter than `rows * columns`.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Matrix<'a, T> {
        Matrix::with_stride(data, rows, columns, columns)
    }

    /// Rows that start `row_stride` elements apart: a block of columns of a wider matrix.
    ///
    /// # Panics
    /// When the last element lies outside `data` or rows overlap.
    pub fn with_stride(
        data: &'a [T],
        rows: usize,
        columns: usize,
        row_stride: usize,
    ) -> Matrix<'a, T> {
        check_bounds(data.len(), rows, columns, row_stride);
        Matrix { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transposed view; nothing moves.
    pub fn transposed(self) -> Matrix<'a, T> {
        Matrix {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// A matrix to write: rows are contiguous, `row_stride` elements apart.
#[derive(Debug)]
pub struct MatrixMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a, T> MatrixMut<'a, T> {
    /// Dense rows one after another.
    ///
    /// # Panics
    /// When `data` is shorter than `rows * columns`.
    pub fn new(data: &'a mut [T], rows: usize, columns: usize) -> MatrixMut<'a, T> {
        MatrixMut::with_stride(data, rows, columns, columns)
    }

    /// Rows that start `row_stride` elements apart; what lies between them is not touched.
    ///
    /// # Panics
    /// When the last element lies outside `data` or rows overlap.
    pub fn with_stride(
        data: &'a mut [T],
        rows: usize,
        columns: usize,
        row_stride: usize,
    ) -> MatrixMut<'a, T> {
        check_bounds(data.len(), rows, columns, row_stride);
        MatrixMut { data, rows, columns, row_stride }
    }
}

fn check_bounds(length: usize, rows: usize, columns: usize, row_stride: usize) {
    assert!(row_stride >= columns || rows <= 1, "rows of {columns} overlap at {row_stride}");
    let needed = if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + columns };
    assert!(needed <= length, "{rows}x{columns} at stride {row_stride} needs {needed}: {length}");
}

/// What a product does with what its output held before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// `C = A B`; the old values are not read.
    Overwrite,
    /// `C = C + A B`.
    Add,
}

/// `C = A B` or `C = C + A B`, on `workers`.
///
/// A product with an inner size of 0 writes zeros (or adds nothing). Allocates nothing after the
/// first call of a thread on the caller's thread.
///
/// # Panics
/// When the shapes do not fit together.
pub fn product<T: Scalar>(
    c: MatrixMut<'_, T>,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    update: Update,
    workers: &Workers,
) {
    check_shapes(&c, &a, &b);
    if c.rows == 0 || c.columns == 0 {
        return;
    }
    let tiles = Tiles::new(c.rows, c.columns, a.columns);
    let output = Output { start: c.data.as_mut_ptr(), row_stride: c.row_stride };
    workers.for_each(tiles.count(), |index| {
        let tile = tiles.tile(index);
        // SAFETY: tiles are disjoint blocks inside the bounds that `check_bounds` proved for C,
        // and C is borrowed exclusively until all tasks are done.
        unsafe { product_of_tile(&output, &a, &b, update, tile) }
    });
}

/// As [`product`], in one piece on the caller's thread: for tasks that are pieces of a larger
/// product themselves.
///
/// # Panics
/// When the shapes do not fit together.
pub fn product_here<T: Scalar>(
    c: MatrixMut<'_, T>,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    update: Update,
) {
    check_shapes(&c, &a, &b);
    if c.rows == 0 || c.columns == 0 {
        return;
    }
    let tile = Tile { row: 0, rows: c.rows, column: 0, columns: c.columns };
    let output = Output { start: c.data.as_mut_ptr(), row_stride: c.row_stride };
    // SAFETY: the tile is the whole of C, which is borrowed exclusively.
    unsafe { product_of_tile(&output, &a, &b, update, tile) }
}

fn check_shapes<T>(c: &MatrixMut<'_, T>, a: &Matrix<'_, T>, b: &Matrix<'_, T>) {
    assert!(
        a.columns == b.rows && c.rows == a.rows && c.columns == b.columns,
        "{}x{} = {}x{} times {}x{}",
        c.rows,
        c.columns,
        a.rows,
        a.columns,
        b.rows,
        b.columns
    );
}

/// Start of the output, shared by tasks that write disjoint tiles.
struct Output<T> {
    start: *mut T,
    row_stride: usize,
}

// SAFETY: tasks write disjoint tiles of one exclusively borrowed slice.
unsafe impl<T: Send> Sync for Output<T> {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tile {
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
}

/// # Safety
/// `tile` lies inside C, A and B (whose inner sizes agree), and nothing else touches that part
/// of C.
unsafe fn product_of_tile<T: Scalar>(
    output: &Output<T>,
    a: &Matrix<'_, T>,
    b: &Matrix<'_, T>,
    update: Update,
    tile: Tile,
) {
    // SAFETY: offsets of elements inside the matrices by the caller's promise; with an inner size
    // of 0 the pointers of A and B are not read, and `wrapping_add` may leave their slices.
    unsafe {
        gemm::gemm(
            tile.rows,
            tile.columns,
            a.columns,
            output.start.add(tile.row * output.row_stride + tile.column),
            1,
            output.row_stride as isize,
            update == Update::Add,
            a.data.as_ptr().wrapping_add(tile.row * a.row_stride),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr().wrapping_add(tile.column * b.column_stride),
            b.column_stride as isize,
            b.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// How the output is cut into tasks; depends on the shapes alone.
struct Tiles {
    rows: usize,
    columns: usize,
    tile_rows: usize,
    tile_columns: usize,
}

/// Tasks that one product aims at: enough to keep machines of a few dozen cores even, few enough
/// that packing the shared operand again for each stays cheap.
const TASKS_WANTED: usize = 32;
/// Multiply-adds under which a task costs more to hand over than to run.
const TASK_WORK_MIN: usize = 1 << 21;
/// Tile sides are multiples of this, so that only the last tile has a ragged edge.
const TILE_ALIGNMENT: usize = 48;

impl Tiles {
    fn new(rows: usize, columns: usize, inner: usize) -> Tiles {
        let work = rows.saturating_mul(columns).saturating_mul(inner.max(1));
        let tasks = (work / TASK_WORK_MIN).clamp(1, TASKS_WANTED);
        let side = |length: usize, parts: usize| {
            length.div_ceil(parts.max(1)).next_multiple_of(TILE_ALIGNMENT)
        };
        // The longer side is cut, so that the operand that is packed again is the smaller one.
        if rows >= columns {
            Tiles { rows, columns, tile_rows: side(rows, tasks), tile_columns: columns }
        } else {
            Tiles { rows, columns, tile_rows: rows, tile_columns: side(columns, tasks) }
        }
    }

    fn count(&self) -> usize {
        self.rows.div_ceil(self.tile_rows) * self.columns.div_ceil(self.tile_columns)
    }

    fn tile(&self, index: usize) -> Tile {
        let across = self.columns.div_ceil(self.tile_columns);
        let (row, column) =
            ((index / across) * self.tile_rows, (index % across) * self.tile_columns);
        Tile {
            row,
            rows: self.tile_rows.min(self.rows - row),
            column,
            columns: self.tile_columns.min(self.columns - column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random, StreamKey};

    fn draw(count: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
        (0..count).map(|_| random.uniform() - 0.5).collect()
    }

    fn plain(a: &[f64], b: &[f64], rows: usize, inner: usize, columns: usize) -> Vec<f64> {
        let mut c = vec![0.0; rows * columns];
        for row in 0..rows {
            for step in 0..inner {
                for column in 0..columns {
                    c[row * columns + column] += a[row * inner + step] * b[step * columns + column];
                }
            }
        }
        c
    }

    #[test]
    fn products_agree_with_three_loops_in_both_layouts() {
        let workers = Workers::with_threads(3).unwrap();
        for (rows, inner, columns) in [(1, 1, 1), (5, 7, 3), (500, 65, 70), (33, 300, 900)] {
            let (a, b) = (draw(rows * inner, 1), draw(inner * columns, 2));
            let wanted = plain(&a, &b, rows, inner, columns);
            let mut b_transposed = vec![0.0; b.len()];
            for step in 0..inner {
                for column in 0..columns {
                    b_transposed[column * inner + step] = b[step * columns + column];
                }
            }
            for b_view in [
                Matrix::new(&b, inner, columns),
                Matrix::new(&b_transposed, columns, inner).transposed(),
            ] {
                let mut c = vec![1.0; rows * columns];
                let a_view = Matrix::new(&a, rows, inner);
                product(
                    MatrixMut::new(&mut c, rows, columns),
                    a_view,
                    b_view,
                    Update::Add,
                    &workers,
                );
                assert!(c.iter().zip(&wanted).all(|(got, want)| (got - want - 1.0).abs() < 1e-12));
                let c_view = MatrixMut::new(&mut c, rows, columns);
                product(c_view, a_view, b_view, Update::Overwrite, &workers);
                assert!(c.iter().zip(&wanted).all(|(got, want)| (got - want).abs() < 1e-12));
            }
        }
    }

    #[test]
    fn strides_leave_the_gaps_alone() {
        let a = [1.0f32, 2.0, 9.0, 3.0, 4.0, 9.0];
        let b = [1.0f32, 0.0, 0.0, 1.0];
        let mut c = [7.0f32; 6];
        product(
            MatrixMut::with_stride(&mut c, 2, 2, 4),
            Matrix::with_stride(&a, 2, 2, 3),
            Matrix::new(&b, 2, 2),
            Update::Overwrite,
            &Workers::caller(),
        );
        assert_eq!(c, [1.0, 2.0, 7.0, 7.0, 3.0, 4.0]);
    }

    #[test]
    fn an_empty_inner_size_writes_zeros() {
        let mut c = [7.0f32; 4];
        let (a, b) = (Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 2));
        product(MatrixMut::new(&mut c, 2, 2), a, b, Update::Overwrite, &Workers::caller());
        assert_eq!(c, [0.0; 4]);
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let (rows, inner, columns) = (3000, 130, 90);
        let single = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect::<Vec<_>>();
        let (a, b) = (single(draw(rows * inner, 3)), single(draw(inner * columns, 4)));
        let run = |threads: usize| {
            let mut c = vec![0.0f32; rows * columns];
            product(
                MatrixMut::new(&mut c, rows, columns),
                Matrix::new(&a, rows, inner),
                Matrix::new(&b, inner, columns),
                Update::Overwrite,
                &Workers::with_threads(threads).unwrap(),
            );
            c
        };
        let alone = run(1);
        assert!([2, 3, 7].into_iter().all(|threads| run(threads) == alone));
    }
}

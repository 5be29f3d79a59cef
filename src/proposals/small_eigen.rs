//! All eigenpairs of a small dense symmetric matrix, in f64.
//!
//! Householder reduction to a tridiagonal matrix, then QL steps with implicit shifts (Golub and
//! Van Loan, Matrix Computations, 4th ed., algorithms 8.3.1 and 8.3.2-8.3.3). The block solver
//! needs it for matrices of at most a few hundred rows; eigenvectors are kept as rows, so that
//! every inner loop runs over contiguous numbers.

use super::numeric::{bytes_of, sized};
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{Arithmetic, Kernel, run};
use crate::ranking::rank;
use crate::{Error, Result};

/// Most QL steps for one eigenvalue; two are usual, and thirty have never been seen to fail on finite
/// matrices.
const STEPS_MAX: usize = 60;

/// Squares under this would underflow when inverted; the matrices have norms around 1.
const SQUARE_MIN: f64 = 1e-280;

/// The whole decomposition is compiled for every level: it is loops over rows.
struct Decomposition<'a> {
    solver: &'a mut SmallEigen,
    matrix: &'a mut [f64],
    size: usize,
}

impl Kernel for Decomposition<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        self.solver.tridiagonalise(self.matrix, self.size);
        self.solver.accumulate(self.size);
        self.solver.rotate(self.size);
    }
}

/// Memory of [`SmallEigen::solve`], and its answer.
#[derive(Debug, Default)]
pub struct SmallEigen {
    /// Eigenvalues, largest first.
    pub values: Vec<f64>,
    /// Row `i` is the unit eigenvector of `values[i]`.
    pub vectors: Vec<f64>,
    rows: Vec<f64>,
    reflectors: Vec<f64>,
    diagonal: Vec<f64>,
    off_diagonal: Vec<f64>,
    product: Vec<f64>,
    order: Vec<usize>,
    converged: bool,
}

impl SmallEigen {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.values)
            + bytes_of(&self.vectors)
            + bytes_of(&self.rows)
            + bytes_of(&self.reflectors)
            + bytes_of(&self.diagonal)
            + bytes_of(&self.off_diagonal)
            + bytes_of(&self.product)
            + bytes_of(&self.order)
    }

    /// Decomposes `matrix` (`size` x `size`, symmetric, overwritten) into `values` and `vectors`,
    /// whose first `size` and `size * size` entries are the answer.
    ///
    /// # Errors
    /// [`Error::NotConverged`], which only a matrix with NaN or infinity has been seen to give.
    pub fn solve(&mut self, matrix: &mut [f64], size: usize) -> Result<()> {
        run(Level::best(), Decomposition { solver: self, matrix, size });
        if !self.converged {
            let what = format!("eigenvalues of a matrix of {size} rows");
            let reason = "an off-diagonal element stays".to_string();
            return Err(Error::NotConverged { what, rounds: STEPS_MAX, reason });
        }
        self.sort(size);
        Ok(())
    }

    /// Householder reflectors from both sides; the reflectors are kept as rows.
    #[inline(always)]
    fn tridiagonalise(&mut self, matrix: &mut [f64], size: usize) {
        let reflectors = sized(&mut self.reflectors, size * size);
        let diagonal = sized(&mut self.diagonal, size);
        let off_diagonal = sized(&mut self.off_diagonal, size);
        let product = sized(&mut self.product, size);
        for column in 0..size {
            diagonal[column] = matrix[column * size + column];
            let reflector = &mut reflectors[column * size..(column + 1) * size];
            reflector.fill(0.0);
            let below = column + 1;
            if below >= size {
                continue;
            }
            reflector[below..].copy_from_slice(&matrix[column * size + below..(column + 1) * size]);
            off_diagonal[column] = reflect(&mut reflector[below..]);
            let vector = &reflector[below..];
            let mut projection = 0.0;
            for (row, entry) in (below..size).zip(product.iter_mut()) {
                *entry = dot(&matrix[row * size + below..(row + 1) * size], vector);
            }
            for (entry, component) in product.iter().zip(vector) {
                projection += entry * component;
            }
            for (entry, component) in product.iter_mut().zip(vector) {
                *entry -= 0.5 * projection * component;
            }
            for (index, row) in (below..size).enumerate() {
                let (mine, other) = (vector[index], product[index]);
                let target = &mut matrix[row * size + below..(row + 1) * size];
                for ((value, component), entry) in target.iter_mut().zip(vector).zip(&*product) {
                    *value -= mine * entry + other * component;
                }
            }
        }
    }

    /// Multiplies the reflectors: rows of the transposed orthogonal matrix.
    #[inline(always)]
    fn accumulate(&mut self, size: usize) {
        let rows = sized(&mut self.rows, size * size);
        rows.fill(0.0);
        for index in 0..size {
            rows[index * size + index] = 1.0;
        }
        for column in (0..size.saturating_sub(1)).rev() {
            let below = column + 1;
            let vector = &self.reflectors[column * size + below..(column + 1) * size];
            for row in below..size {
                let target = &mut rows[row * size + below..(row + 1) * size];
                let along = dot(target, vector);
                for (value, component) in target.iter_mut().zip(vector) {
                    *value -= along * component;
                }
            }
        }
    }

    /// QL steps with Wilkinson's shift; each rotation is applied to two rows of vectors.
    ///
    /// An off-diagonal element is zero beside the largest of the matrix, not beside its neighbours: where
    /// an eigenvalue of 0 is repeated, those are rounding themselves and no number of steps gets under
    /// their share (Golub and Van Loan, §8.3.5).
    #[inline(always)]
    fn rotate(&mut self, size: usize) {
        let (diagonal, off) = (&mut self.diagonal[..size], &mut self.off_diagonal[..size]);
        let rows = &mut self.rows[..size * size];
        if let Some(last) = off.last_mut() {
            *last = 0.0;
        }
        let largest =
            diagonal.iter().zip(&*off).map(|(d, e)| d.abs() + e.abs()).fold(0.0, f64::max);
        let negligible = f64::EPSILON * largest;
        self.converged = true;
        for first in 0..size {
            let mut is_split = false;
            for _ in 0..STEPS_MAX {
                let last =
                    (first..size - 1).find(|&i| off[i].abs() <= negligible).unwrap_or(size - 1);
                is_split = last == first;
                if is_split {
                    break;
                }
                implicit_step(diagonal, off, rows, size, first, last);
            }
            self.converged &= is_split && diagonal[first].is_finite();
        }
    }

    fn sort(&mut self, size: usize) {
        let diagonal = &self.diagonal[..size];
        self.order.clear();
        self.order.extend(0..size);
        rank(&mut self.order, &|a, b| diagonal[b].total_cmp(&diagonal[a]));
        let values = sized(&mut self.values, size);
        let vectors = sized(&mut self.vectors, size * size);
        for (to, &from) in self.order.iter().enumerate() {
            values[to] = diagonal[from];
            vectors[to * size..(to + 1) * size]
                .copy_from_slice(&self.rows[from * size..(from + 1) * size]);
        }
    }
}

#[inline(always)]
fn dot(first: &[f64], second: &[f64]) -> f64 {
    let mut lanes = [0.0f64; 8];
    let (chunks, rest) = first.as_chunks::<8>();
    let (other_chunks, other_rest) = second.as_chunks::<8>();
    for (a, b) in chunks.iter().zip(other_chunks) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let tail: f64 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + tail
}

/// Turns `x` into `v` such that (I - v vᵀ) x = (answer, 0, 0, ...); zero `v` where nothing is to
/// be done.
#[inline(always)]
fn reflect(x: &mut [f64]) -> f64 {
    let tail: f64 = x[1..].iter().map(|value| value * value).sum();
    let head = x[0];
    if tail <= SQUARE_MIN {
        x.fill(0.0);
        return head;
    }
    let length = (head * head + tail).sqrt();
    let answer = if head > 0.0 { -length } else { length };
    x[0] = head - answer;
    let factor = (2.0 / (x[0] * x[0] + tail)).sqrt();
    x.iter_mut().for_each(|value| *value *= factor);
    answer
}

/// The length of (a, b). The squares neither overflow nor, where it matters, underflow: norms are
/// around 1, and what is under 1e-154 is no number beside them.
#[inline(always)]
fn length(a: f64, b: f64) -> f64 {
    (a * a + b * b).sqrt()
}

/// One QL sweep over the unreduced block `first..=last`, from the bottom up.
#[inline(always)]
fn implicit_step(
    diagonal: &mut [f64],
    off: &mut [f64],
    rows: &mut [f64],
    size: usize,
    first: usize,
    last: usize,
) {
    let half_gap = (diagonal[first + 1] - diagonal[first]) / (2.0 * off[first]);
    let root = length(half_gap, 1.0);
    let shift = diagonal[first] - off[first] / (half_gap + root.copysign(half_gap));
    // The rotation in rows (i, i + 1) chases the bulge from the bottom of the block to its top.
    let mut bulge_column = diagonal[last] - shift;
    let (mut sine, mut cosine, mut pending) = (1.0, 1.0, 0.0);
    for i in (first..last).rev() {
        let bulge = sine * off[i];
        let kept = cosine * off[i];
        let radius = length(bulge, bulge_column);
        off[i + 1] = radius;
        if radius == 0.0 {
            // The block split by itself: finish what is pending and start anew.
            diagonal[i + 1] -= pending;
            off[last] = 0.0;
            return;
        }
        sine = bulge / radius;
        cosine = bulge_column / radius;
        let corner = diagonal[i + 1] - pending;
        let mixed = (diagonal[i] - corner) * sine + 2.0 * cosine * kept;
        pending = sine * mixed;
        diagonal[i + 1] = corner + pending;
        bulge_column = cosine * mixed - kept;
        let (above, below) = rows.split_at_mut((i + 1) * size);
        let (upper, lower) = (&mut above[i * size..], &mut below[..size]);
        for (a, b) in upper.iter_mut().zip(lower) {
            let (old_a, old_b) = (*a, *b);
            *b = sine * old_a + cosine * old_b;
            *a = cosine * old_a - sine * old_b;
        }
    }
    diagonal[first] -= pending;
    off[first] = bulge_column;
    off[last] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random, StreamKey};

    fn check(matrix: &[f64], size: usize) -> Vec<f64> {
        let mut solver = SmallEigen::default();
        solver.solve(&mut matrix.to_vec(), size).unwrap();
        let vectors = &solver.vectors;
        for i in 0..size {
            let vector = &vectors[i * size..(i + 1) * size];
            for row in 0..size {
                let product = dot(&matrix[row * size..(row + 1) * size], vector);
                assert!((product - solver.values[i] * vector[row]).abs() < 1e-10, "pair {i}");
            }
            for j in 0..size {
                let wanted = if i == j { 1.0 } else { 0.0 };
                let product = dot(vector, &vectors[j * size..(j + 1) * size]);
                assert!((product - wanted).abs() < 1e-11, "{i} and {j}: {product}");
            }
        }
        assert!(solver.values[..size].windows(2).all(|pair| pair[0] >= pair[1]));
        solver.values[..size].to_vec()
    }

    #[test]
    fn random_matrices_of_many_sizes() {
        let mut random = Random::new(StreamKey::new(1, Purpose::Sampling));
        for size in [1, 2, 3, 4, 7, 16, 33, 64] {
            let mut matrix = vec![0.0; size * size];
            for row in 0..size {
                for column in 0..=row {
                    let value = random.normal();
                    matrix[row * size + column] = value;
                    matrix[column * size + row] = value;
                }
            }
            let values = check(&matrix, size);
            let trace: f64 = (0..size).map(|i| matrix[i * size + i]).sum();
            assert!((values.iter().sum::<f64>() - trace).abs() < 1e-10);
        }
    }

    #[test]
    fn repeated_zero_and_diagonal_matrices() {
        assert_eq!(check(&[0.0; 9], 3), [0.0; 3]);
        let mut identity = vec![0.0; 25];
        (0..5).for_each(|i| identity[i * 6] = 1.0);
        assert_eq!(check(&identity, 5), [1.0; 5]);
        // All ones: one eigenvalue of 6, five of 0.
        let values = check(&[1.0; 36], 6);
        assert!((values[0] - 6.0).abs() < 1e-12 && values[1].abs() < 1e-12);
        // Second difference: 2 - 2 cos(j pi / (n + 1)).
        let mut matrix = vec![0.0; 100];
        for i in 0..10 {
            matrix[i * 11] = 2.0;
            if i > 0 {
                matrix[i * 10 + i - 1] = -1.0;
                matrix[(i - 1) * 10 + i] = -1.0;
            }
        }
        for (index, value) in check(&matrix, 10).iter().enumerate() {
            let angle = (10 - index) as f64 * std::f64::consts::PI / 11.0;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-12);
        }
    }

    #[test]
    fn a_matrix_with_nan_or_infinity_is_a_named_error() {
        for value in [f64::NAN, f64::INFINITY] {
            for place in [0, 1, 4] {
                let mut matrix = vec![1.0; 25];
                matrix[place] = value;
                matrix[place % 5 * 5 + place / 5] = value;
                let error = SmallEigen::default().solve(&mut matrix, 5).unwrap_err();
                assert!(matches!(error, Error::NotConverged { .. }), "{error}");
            }
        }
    }
}

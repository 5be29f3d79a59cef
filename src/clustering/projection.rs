//! The few directions in which centroids differ most, and bounds from what lies outside them.
//!
//! Features of real images use few of their dimensions. With an orthonormal basis Q of the leading
//! directions, <x, c> = <Qᵀx, Qᵀc> + <x⊥, c⊥>, and the last term is at most |x⊥| |c⊥|: one more
//! coordinate that holds the length of the rest makes the short inner product an upper bound of
//! the long one. The basis is found by orthogonal iteration (Golub and Van Loan, "Matrix
//! Computations" §8.2) and need not be exact, since the rest is measured.

use super::centroids::{Centroids, squared_length};
use super::inner_products::{rounding_bound, square};
use crate::kernels::matrix_product::{Matrix, MatrixMut, Update, product};
use crate::random::{Purpose, Random, StreamKey};
use crate::workers::Workers;

/// Most directions that are tried, and the step between tries.
const DIRECTIONS_MAX: usize = 64;
const DIRECTIONS_STEP: usize = 16;
/// Multiplications with the centroids' scatter; three bring the leading directions close enough.
const ITERATIONS: usize = 3;
/// Share of the centroids' scatter that may lie outside: few directions are taken as soon as they
/// reach the first, and none at all unless the most of them reach the second. Measured on pooled
/// features of a ResNet, where more directions save fewer candidates than they cost.
const REST_WANTED: f64 = 0.06;
const REST_MAX: f64 = 0.12;

/// A map to the leading directions.
pub(super) struct Projection {
    /// `[dimensions, directions + 1]`: the basis, and the center as the last column.
    basis: Vec<f32>,
    /// What the center gives in those columns.
    shift: Vec<f32>,
    directions: usize,
    dimensions: usize,
    center_square: f32,
    /// Slabs are shared among the workers; inside of one there is its thread alone.
    alone: Workers,
}

impl Projection {
    /// The leading directions of the centroids around `center`, if a few of them hold nearly all.
    pub fn find(centroids: &Centroids, center: &[f32]) -> Option<Projection> {
        let dimensions = center.len();
        let most = DIRECTIONS_MAX.min(dimensions / 4);
        if most < DIRECTIONS_STEP {
            return None;
        }
        let rows = centroids.values().chunks_exact(dimensions);
        let centered: Vec<f32> =
            rows.flat_map(|row| row.iter().zip(center).map(|(a, b)| a - b)).collect();
        let (columns, energies) = leading(&centered, centroids.classes(), dimensions, most);
        let total = squared_length(&centered);
        let rest = |directions: usize| {
            let inside: f64 = energies[..directions].iter().sum();
            1.0 - inside / total.max(f64::MIN_POSITIVE)
        };
        let mut tries = (DIRECTIONS_STEP..=most).step_by(DIRECTIONS_STEP);
        let enough = tries.find(|directions| rest(*directions) <= REST_WANTED);
        let directions = enough.or((rest(most) <= REST_MAX).then_some(most))?;
        Some(Projection::new(&columns[..directions], center))
    }

    fn new(columns: &[Vec<f32>], center: &[f32]) -> Projection {
        let with_center = || columns.iter().map(Vec::as_slice).chain([center]);
        let dimensions = center.len();
        let basis = (0..dimensions).flat_map(|row| with_center().map(move |column| column[row]));
        Projection {
            basis: basis.collect(),
            shift: with_center().map(|column| dot(column, center) as f32).collect(),
            directions: columns.len(),
            dimensions,
            center_square: squared_length(center) as f32,
            alone: Workers::caller(),
        }
    }

    /// Coordinates of a projected row: the directions, and the length of the rest.
    pub fn length(&self) -> usize {
        self.directions + 1
    }

    /// Bytes, at most, for vectors of `dimensions`.
    pub fn memory_bytes(classes: usize, dimensions: usize) -> usize {
        // While the basis is found: centred centroids, their coordinates, and the basis twice.
        (classes * (dimensions + DIRECTIONS_MAX) + 3 * dimensions * (DIRECTIONS_MAX + 1)) * 4
    }

    /// Projects rows less the center: `[rows, length]`. `offsets` get what the inner products of
    /// projected rows lack: the inner product of each row, less the center, with the center.
    pub fn apply(&self, vectors: &[f32], projected: &mut Vec<f32>, offsets: &mut [f32]) {
        let (count, length) = (offsets.len(), self.length());
        projected.resize(count * length, 0.0);
        let output = MatrixMut::new(projected, count, length);
        let vectors_view = Matrix::new(vectors, count, self.dimensions);
        let basis = Matrix::new(&self.basis, self.dimensions, length);
        product(output, vectors_view, basis, Update::Overwrite, &self.alone);
        let rows = vectors.chunks_exact(self.dimensions);
        for ((row, vector), offset) in
            projected.chunks_exact_mut(length).zip(rows).zip(offsets.iter_mut())
        {
            let along_center = row[self.directions];
            row.iter_mut().zip(&self.shift).for_each(|(value, shift)| *value -= shift);
            *offset = row[self.directions];
            let whole_square = square(vector);
            let whole = whole_square - 2.0 * along_center + self.center_square;
            let inside = square(&row[..self.directions]);
            // Rounding must not make the rest shorter than it is.
            let rounding =
                4.0 * (whole_square + self.center_square) * rounding_bound(self.dimensions);
            row[self.directions] = ((whole - inside).max(0.0) + rounding).sqrt();
        }
    }
}

/// Leading eigenvectors of the scatter of `rows`, about in order, and the scatter along each.
fn leading(
    rows: &[f32],
    count: usize,
    dimensions: usize,
    directions: usize,
) -> (Vec<Vec<f32>>, Vec<f64>) {
    let mut random = Random::new(StreamKey::new(0, Purpose::EigenStart));
    let mut basis: Vec<f32> =
        (0..dimensions * directions).map(|_| random.normal() as f32).collect();
    let mut image = vec![0.0; count * directions];
    let (rows, workers) = (Matrix::new(rows, count, dimensions), Workers::caller());
    let mut columns = Vec::new();
    for iteration in 0..=ITERATIONS {
        columns = orthonormal(&basis, dimensions, directions);
        for (row, values) in basis.chunks_exact_mut(directions).enumerate() {
            values.iter_mut().zip(&columns).for_each(|(value, column)| *value = column[row]);
        }
        let output = MatrixMut::new(&mut image, count, directions);
        let view = Matrix::new(&basis, dimensions, directions);
        product(output, rows, view, Update::Overwrite, &workers);
        if iteration < ITERATIONS {
            let view = Matrix::new(&image, count, directions);
            let output = MatrixMut::new(&mut basis, dimensions, directions);
            product(output, rows.transposed(), view, Update::Overwrite, &workers);
        }
    }
    let mut energies = vec![0.0; directions];
    for row in image.chunks_exact(directions) {
        energies.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value).powi(2));
    }
    (columns, energies)
}

/// The columns of `values` by modified Gram-Schmidt, twice for orthogonality to the last digit.
/// A column that depends on those before it becomes 0.
fn orthonormal(values: &[f32], dimensions: usize, directions: usize) -> Vec<Vec<f32>> {
    let mut columns: Vec<Vec<f32>> = Vec::with_capacity(directions);
    for direction in 0..directions {
        let mut column: Vec<f32> =
            (0..dimensions).map(|row| values[row * directions + direction]).collect();
        let before = squared_length(&column);
        for _ in 0..2 {
            for other in &columns {
                let along = dot(&column, other) as f32;
                column.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
        }
        if squared_length(&column) <= before * 1e-10 || !super::centroids::normalize(&mut column) {
            column.fill(0.0);
        }
        columns.push(column);
    }
    columns
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clustering::Metric;

    fn low_rank(count: usize, dimensions: usize, rank: usize, noise: f64) -> Vec<f32> {
        let mut random = Random::new(StreamKey::new(1, Purpose::Demo));
        let axes: Vec<f64> = (0..rank * dimensions).map(|_| random.normal()).collect();
        let mut row = || {
            let weights: Vec<f64> = (0..rank).map(|_| random.normal()).collect();
            let noise: Vec<f64> = (0..dimensions).map(|_| noise * random.normal()).collect();
            let along =
                |d: usize| (0..rank).map(|r| weights[r] * axes[r * dimensions + d]).sum::<f64>();
            (0..dimensions).map(|d| (along(d) + noise[d]) as f32 + 0.3).collect::<Vec<_>>()
        };
        (0..count).flat_map(|_| row()).collect()
    }

    #[test]
    fn projected_products_bound_the_true_ones_from_both_sides() {
        let centroids =
            Centroids::new(low_rank(90, 70, 5, 0.2), 90, 70, Metric::Euclidean).unwrap();
        let center = vec![0.25; 70];
        let projection = Projection::find(&centroids, &center).expect("five directions and noise");
        assert_eq!(projection.length(), 17);
        let (mut rows, mut offsets) = (Vec::new(), vec![0.0; 90]);
        projection.apply(centroids.values(), &mut rows, &mut offsets);
        let centered = |row: usize| -> Vec<f32> {
            centroids.row(row).iter().zip(&center).map(|(a, b)| a - b).collect()
        };
        for (i, j) in (0..90).flat_map(|i| (0..90).map(move |j| (i, j))) {
            let exact = dot(&centered(i), &centered(j));
            let (a, b) = (&rows[i * 17..][..17], &rows[j * 17..][..17]);
            let upper = dot(a, b);
            let rest = f64::from(a[16]) * f64::from(b[16]);
            assert!(exact <= upper + 1e-3 && exact >= upper - 2.0 * rest - 1e-3);
            assert!((f64::from(offsets[i]) - dot(&centered(i), &center)).abs() < 1e-3);
        }
    }

    #[test]
    fn noise_in_all_directions_is_not_projected() {
        let noise = low_rank(200, 64, 1, 9.0);
        let centroids = Centroids::new(noise, 200, 64, Metric::Spherical).unwrap();
        assert!(Projection::find(&centroids, &[0.0; 64]).is_none());
        let centroids = Centroids::new(vec![1.0; 128], 2, 64, Metric::Euclidean).unwrap();
        let projection = Projection::find(&centroids, &[1.0; 64]);
        assert!(projection.is_none_or(|projection| projection.shift[0].is_finite()));
    }
}

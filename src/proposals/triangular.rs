//! Small upper triangles in f64, row-major: the factors of Cholesky QR.

/// A column that shrinks to this share of its length lies in the span of the others.
const DEPENDENT_SHARE: f64 = 1e-5;
/// Squared length of what f32 products leave behind of a vector that lies in the basis; the
/// eigenvalues are at most 1.
const NOISE_SQUARED: f64 = 1e-12;

/// The upper Cholesky factor in place; the rows of dependent columns become zero.
pub fn cholesky(gram: &mut [f64], dependent: &mut [bool], width: usize) {
    for column in 0..width {
        let length = gram[column * width + column];
        for above in 0..column {
            let mut value = gram[above * width + column];
            for earlier in 0..above {
                value -= gram[earlier * width + above] * gram[earlier * width + column];
            }
            let pivot = gram[above * width + above];
            gram[above * width + column] = if pivot > 0.0 { value / pivot } else { 0.0 };
        }
        let explained: f64 = (0..column).map(|above| gram[above * width + column].powi(2)).sum();
        let rest = length - explained;
        dependent[column] = rest <= (DEPENDENT_SHARE * DEPENDENT_SHARE * length).max(NOISE_SQUARED);
        gram[column * width + column] = if dependent[column] { 0.0 } else { rest.sqrt() };
    }
}

/// `result` = `left` `right`, both upper triangles.
pub fn multiply_upper(left: &[f64], right: &[f64], result: &mut [f64], width: usize) {
    result.fill(0.0);
    for row in 0..width {
        for inner in row..width {
            for column in inner..width {
                result[row * width + column] +=
                    left[row * width + inner] * right[inner * width + column];
            }
        }
    }
}

/// The inverse of an upper triangle; dependent columns become zero.
pub fn invert_upper(upper: &[f64], dependent: &[bool], inverse: &mut [f64], width: usize) {
    inverse.fill(0.0);
    for column in (0..width).filter(|&column| !dependent[column]) {
        inverse[column * width + column] = 1.0 / upper[column * width + column];
        for row in (0..column).filter(|&row| !dependent[row]).rev() {
            let sum: f64 = (row + 1..=column)
                .map(|inner| upper[row * width + inner] * inverse[inner * width + column])
                .sum();
            inverse[row * width + column] = -sum / upper[row * width + row];
        }
    }
}

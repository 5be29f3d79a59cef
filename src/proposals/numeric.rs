//! Short loops over rows of numbers, written so that the compiler can use vector registers:
//! independent lanes, no early exit.

/// Independent partial sums of a dot product; enough to hide the latency of an addition.
const LANES: usize = 16;

/// The inner product of two rows of one length.
pub fn dot(first: &[f32], second: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = first.as_chunks::<LANES>();
    let (other_chunks, other_rest) = second.as_chunks::<LANES>();
    for (a, b) in chunks.iter().zip(other_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let tail: f32 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + tail
}

/// The sum of a row, in f64.
pub fn sum(row: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    let (chunks, rest) = row.as_chunks::<8>();
    for chunk in chunks {
        for lane in 0..8 {
            lanes[lane] += f64::from(chunk[lane]);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|value| f64::from(*value)).sum::<f64>()
}

/// Multiplies every number of a row.
pub fn scale(row: &mut [f32], factor: f32) {
    row.iter_mut().for_each(|value| *value *= factor);
}

/// Makes the row a unit vector and answers its former length; a zero row stays as it is.
pub fn normalise(row: &mut [f32]) -> f32 {
    let length = dot(row, row).sqrt();
    if length > 0.0 {
        scale(row, 1.0 / length);
    }
    length
}

/// The first `length` elements of a vector that only ever grows; what they held before stays.
pub fn sized<T: Clone + Default>(storage: &mut Vec<T>, length: usize) -> &mut [T] {
    if storage.len() < length {
        storage.resize(length, T::default());
    }
    &mut storage[..length]
}

/// Bytes that a vector holds, used or not.
pub fn bytes_of<T>(storage: &Vec<T>) -> usize {
    storage.capacity() * size_of::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_agrees_with_a_plain_sum_at_every_length() {
        for length in [0, 1, 15, 16, 17, 100] {
            let row: Vec<f32> = (0..length).map(|i| i as f32 - 3.0).collect();
            let wanted: f32 = row.iter().map(|x| x * x).sum();
            assert!((dot(&row, &row) - wanted).abs() <= 1e-6 * wanted.max(1.0));
        }
    }

    #[test]
    fn a_zero_row_stays_zero() {
        let mut row = [0.0f32; 3];
        assert_eq!(normalise(&mut row), 0.0);
        assert_eq!(row, [0.0; 3]);
        let mut row = [3.0f32, 4.0];
        assert_eq!(normalise(&mut row), 5.0);
        assert!((dot(&row, &row) - 1.0).abs() < 1e-6);
    }
}

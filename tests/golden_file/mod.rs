//! Reads golden tensors from `tests/golden`.

use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// The path of a golden file.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Shape and values of one f32 tensor of a golden safetensors file.
pub fn tensor(file: &str, name: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(path(file)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    let values = tensor
        .data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    (tensor.shape().to_vec(), values)
}

/// Asserts that `got` has the golden tensor's shape and, within `tolerance`, its values.
pub fn assert_close(got: &[f32], shape: &[usize], file: &str, name: &str, tolerance: f32) {
    let (expected_shape, expected) = tensor(file, name);
    assert_eq!(shape, expected_shape, "{name}");
    for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
        assert!(
            (expected - got).abs() <= tolerance,
            "{name}[{index}]: {got} is not {expected} within {tolerance}"
        );
    }
}

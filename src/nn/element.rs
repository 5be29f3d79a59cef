//! The kinds of numbers that tensors hold, as plans and backends count them.

/// What one number of a tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    F32,
    /// For finite differences.
    F64,
}

impl Element {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Element::F32 => size_of::<f32>(),
            Element::F64 => size_of::<f64>(),
        }
    }
}

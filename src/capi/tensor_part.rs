//! A field of a set as a tensor: copied into one of the host, or into one that the host then owns.

use super::pointers::output;
use super::tensor::{DLTensor, Managed, Tensor, export};
use crate::{Error, Result};

/// Values of a set and their shape.
pub(super) struct Part<'a> {
    values: Values<'a>,
    shape: Vec<usize>,
}

enum Values<'a> {
    Floats(&'a [f32]),
    Integers(&'a [i32]),
}

impl<'a> Part<'a> {
    /// `shape` holds as many numbers as there are values.
    pub(super) fn floats(values: &'a [f32], shape: &[usize]) -> Part<'a> {
        Part { values: Values::Floats(values), shape: shape.into() }
    }

    /// One number for each member of the set.
    pub(super) fn integers(values: &'a [i32]) -> Part<'a> {
        Part { values: Values::Integers(values), shape: vec![values.len()] }
    }

    /// What a number that names no field is answered with.
    pub(super) fn unknown(field: i32, last: i32) -> Error {
        Error::invalid("field", format!("{field} is outside 1..={last}"))
    }

    /// Fills a dense tensor of exactly this type and shape.
    ///
    /// # Safety
    /// `target` is NULL or a DLPack tensor whose memory this call alone uses.
    pub(super) unsafe fn copy_to(&self, target: *const DLTensor) -> Result<()> {
        let shape: Vec<i64> = self.shape.iter().map(|&size| size as i64).collect();
        match self.values {
            Values::Floats(values) => {
                Tensor::borrow(target, "target")?.write("target", &shape, values)
            }
            Values::Integers(values) => {
                Tensor::borrow(target, "target")?.write("target", &shape, values)
            }
        }
    }

    /// Copies into a tensor that the host then owns; a place that is NULL is refused first.
    ///
    /// # Safety
    /// `out` is NULL or can be written.
    pub(super) unsafe fn export<M: Managed>(
        part: Result<Part<'_>>,
        out: *mut *mut M,
    ) -> Result<()> {
        let out = output(out, "out")?;
        let part = part?;
        out.set(match part.values {
            Values::Floats(values) => export(values.to_vec(), &part.shape),
            Values::Integers(values) => export(values.to_vec(), &part.shape),
        });
        Ok(())
    }
}

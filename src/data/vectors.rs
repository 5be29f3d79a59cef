//! Rows of vectors that are read in pieces: the proposal store, or an array in memory.

use crate::{Error, Result};

/// A table of f32 vectors of one length, readable at any row, from several threads at once.
pub trait VectorSource: Sync {
    /// Number of rows.
    fn rows_count(&self) -> u64;
    /// Length of a row.
    fn dimensions(&self) -> usize;
    /// Fills `rows` (a whole number of rows) from row `first` on.
    ///
    /// # Errors
    /// Whatever reading the storage answers; [`Error::Shape`] past the last row.
    fn read(&self, first: u64, rows: &mut [f32]) -> Result<()>;
}

/// Rows in memory.
#[derive(Debug, Clone, Copy)]
pub struct VectorArray<'a> {
    values: &'a [f32],
    dimensions: usize,
}

impl<'a> VectorArray<'a> {
    /// `values` holds whole rows of `dimensions` numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] otherwise.
    pub fn new(values: &'a [f32], dimensions: usize) -> Result<VectorArray<'a>> {
        if dimensions == 0 || !values.len().is_multiple_of(dimensions) {
            return Err(Error::shape(
                "vectors",
                format!("whole rows of {dimensions}"),
                format!("{} values", values.len()),
            ));
        }
        Ok(VectorArray { values, dimensions })
    }
}

impl VectorSource for VectorArray<'_> {
    fn rows_count(&self) -> u64 {
        (self.values.len() / self.dimensions) as u64
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn read(&self, first: u64, rows: &mut [f32]) -> Result<()> {
        let from = first as usize * self.dimensions;
        let source = self.values.get(from..from + rows.len()).ok_or_else(|| {
            Error::shape(
                "rows",
                format!("at most row {}", self.rows_count()),
                format!("{} rows from row {first}", rows.len() / self.dimensions),
            )
        })?;
        rows.copy_from_slice(source);
        Ok(())
    }
}

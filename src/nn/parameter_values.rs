//! The values of a network's parameters, and what prediction packed from them.
//!
//! Weights are packed once for all predictions, in each form that some size of image wants. What was packed lies beside
//! the values that it was made of, and is lent no more as soon as somebody may change them, so that
//! no prediction reads weights of before.

use super::cpu::Real;
use crate::Result;
use crate::memory::aligned::Aligned;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A block of packed weights, shared by the networks of all sizes that want this form.
pub type Packed<T> = Arc<Aligned<T>>;

/// Numbers editions: every change of any parameters has one of its own.
static EDITIONS: AtomicU64 = AtomicU64::new(0);

fn next_edition() -> u64 {
    EDITIONS.fetch_add(1, Ordering::Relaxed)
}

/// Flat parameters, in the places of a [`super::parameters::ParameterTable`].
#[derive(Debug)]
pub struct ParameterValues<T> {
    values: Vec<T>,
    edition: u64,
    /// By the number of the operation that reads it, since networks of the same architecture have the
    /// same operations in the same order, whatever their sizes, and by the length of the packed form,
    /// since one operation may have several: which is faster may depend on the size.
    packed: Mutex<BTreeMap<(usize, usize), Packed<T>>>,
}

impl<T: Real> ParameterValues<T> {
    /// Values of which nothing is packed yet.
    pub fn new(values: Vec<T>) -> ParameterValues<T> {
        ParameterValues { values, edition: next_edition(), packed: Mutex::default() }
    }

    /// The values.
    pub fn as_slice(&self) -> &[T] {
        &self.values
    }

    /// The values, to be changed; what was packed from them is forgotten.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.forget_packed();
        self.edition = next_edition();
        &mut self.values
    }

    /// Frees what was packed; who predicts again packs again.
    pub fn forget_packed(&mut self) {
        self.packed.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Tells these values from all others, earlier ones of the same network among them.
    pub fn edition(&self) -> u64 {
        self.edition
    }

    /// The block of `length` numbers of the operation `number`, which `pack` makes where there is none.
    ///
    /// # Errors
    /// Those of `pack`.
    pub fn packed(
        &self,
        (number, length): (usize, usize),
        pack: impl FnOnce() -> Result<Aligned<T>>,
    ) -> Result<Packed<T>> {
        if let Some(block) = self.blocks().get(&(number, length)) {
            return Ok(block.clone());
        }
        // Packed without the lock: a thread that packs may run other tasks of its pool meanwhile, which
        // may want a block too. Who packs second has the same numbers, and takes the first one's.
        let block = Arc::new(pack()?);
        debug_assert_eq!(block.as_slice().len(), length, "a block of another length");
        Ok(self.blocks().entry((number, length)).or_insert(block).clone())
    }

    /// Bytes of the values and of what was packed from them.
    pub fn memory_bytes(&self) -> usize {
        let packed: usize = self.blocks().values().map(|block| block.memory_bytes()).sum();
        self.values.capacity() * size_of::<T>() + packed
    }

    fn blocks(&self) -> MutexGuard<'_, BTreeMap<(usize, usize), Packed<T>>> {
        self.packed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Real> Clone for ParameterValues<T> {
    fn clone(&self) -> ParameterValues<T> {
        ParameterValues::new(self.values.clone())
    }
}

impl<T: Real> PartialEq for ParameterValues<T> {
    fn eq(&self, other: &ParameterValues<T>) -> bool {
        self.values == other.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_goes_with_the_values_and_the_form_that_it_was_made_of() {
        let mut values = ParameterValues::new(vec![1.0f32; 3]);
        let pack = |values: &ParameterValues<f32>, with: f32| {
            let block = values.packed((4, 1), || {
                let mut block = Aligned::zeros(1);
                block.as_mut_slice()[0] = with;
                Ok(block)
            });
            block.unwrap().as_slice()[0]
        };
        let (plain, edition) = (values.memory_bytes(), values.edition());
        assert_eq!((pack(&values, 5.0), pack(&values, 6.0)), (5.0, 5.0));
        assert!(values.memory_bytes() > plain);
        values.as_mut_slice()[0] = 2.0;
        assert_eq!((values.memory_bytes(), pack(&values, 7.0)), (plain, 7.0));
        assert_ne!(values.edition(), edition);
        let longer = values.packed((4, 2), || Ok(Aligned::zeros(2))).unwrap();
        assert_eq!((longer.as_slice().len(), pack(&values, 8.0)), (2, 7.0));
        let copy = values.clone();
        assert_eq!(copy, values);
        assert_ne!(copy.edition(), values.edition());
    }
}

//! What tasks borrow from each other: scratch memory that is kept between them, and the first error.

use crate::{Error, Result};
use std::sync::{Mutex, PoisonError};

/// Things that workers borrow one at a time; as many are made as work at once.
#[derive(Debug)]
pub struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool(Mutex::new(Vec::new()))
    }
}

impl<T: Default> Pool<T> {
    /// Runs `work` with a thing that nobody else has.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut thing = taken.unwrap_or_default();
        let answer = work(&mut thing);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
        answer
    }

    /// The sum of `bytes_of` over the things that nobody has at the moment.
    pub fn memory_bytes(&self, bytes_of: impl Fn(&T) -> usize) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(bytes_of).sum()
    }
}

/// The error of the lowest index, whatever the order in which tasks fail.
#[derive(Debug, Default)]
pub struct FirstFailure(Mutex<Option<(usize, Error)>>);

impl FirstFailure {
    pub fn record(&self, index: usize, error: Error) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(before, _)| index < *before) {
            *first = Some((index, error));
        }
    }

    /// # Errors
    /// The recorded one.
    pub fn into_result(self) -> Result<()> {
        match self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

//! Many assignment problems at once, spread over workers.

use super::assignment::Assigner;
use crate::workers::Workers;
use crate::{Error, Result};
use std::sync::{Mutex, PoisonError};

/// Things that workers borrow one at a time; as many are made as work at once.
#[derive(Debug)]
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool(Mutex::new(Vec::new()))
    }
}

impl<T: Default> Pool<T> {
    /// Runs `work` with a thing that nobody else has.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut thing = taken.unwrap_or_default();
        let answer = work(&mut thing);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
        answer
    }

    /// The sum of `bytes_of` over the things that nobody has at the moment.
    pub(crate) fn memory_bytes(&self, bytes_of: impl Fn(&T) -> usize) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(bytes_of).sum()
    }
}

/// The error of the lowest index, whatever the order in which tasks fail.
#[derive(Debug, Default)]
pub(crate) struct FirstFailure(Mutex<Option<(usize, Error)>>);

impl FirstFailure {
    pub(crate) fn record(&self, index: usize, error: Error) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(before, _)| index < *before) {
            *first = Some((index, error));
        }
    }

    /// # Errors
    /// The recorded one.
    pub(crate) fn into_result(self) -> Result<()> {
        match self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

/// Solves batches of equally large problems; keeps its memory between calls.
#[derive(Debug, Default)]
pub struct BatchAssigner {
    assigners: Pool<Assigner>,
}

impl BatchAssigner {
    /// A batch assigner that holds no memory yet.
    pub fn new() -> BatchAssigner {
        BatchAssigner::default()
    }

    /// Solves each `[rows, columns]` of `costs` `[problems, rows, columns]` and writes `partners`
    /// `[problems, rows]` as [`Assigner::assign`] does. Answers do not depend on the workers.
    ///
    /// # Errors
    /// [`Error::NonFinite`] with problem, row and column, [`Error::Shape`]; `partners` then holds
    /// arbitrary values.
    pub fn assign(
        &self,
        costs: &[f32],
        [problems, rows, columns]: [usize; 3],
        partners: &mut [u32],
        workers: &Workers,
    ) -> Result<()> {
        let size = rows.saturating_mul(columns);
        if size.checked_mul(problems) != Some(costs.len()) {
            let expected = format!("[{problems}, {rows}, {columns}]");
            return Err(Error::shape("costs", expected, format!("{} values", costs.len())));
        }
        if problems.checked_mul(rows) != Some(partners.len()) {
            let expected = format!("[{problems}, {rows}]");
            return Err(Error::shape("partners", expected, format!("{} values", partners.len())));
        }
        if partners.is_empty() {
            return Ok(());
        }
        let failure = FirstFailure::default();
        workers.for_each_piece(partners, rows, |problem, partners| {
            let costs = &costs[problem * size..][..size];
            let outcome = self.assigners.with(|own| own.assign(costs, rows, columns, partners));
            if let Err(error) = outcome {
                failure.record(problem, of_problem(error, problem, problem * size));
            }
        });
        failure.into_result()
    }

    /// Bytes held between calls.
    pub fn memory_bytes(&self) -> usize {
        self.assigners.memory_bytes(Assigner::memory_bytes)
    }
}

fn of_problem(error: Error, problem: usize, before: usize) -> Error {
    match error {
        Error::NonFinite { name, index, value } => {
            let name = format!("problem {problem}: {name}");
            Error::NonFinite { name, index: before + index, value }
        }
        other => other,
    }
}

//! Many assignment problems at once, spread over workers.

use super::assignment::Assigner;
use crate::workers::Workers;
use crate::workers::lent::{FirstFailure, Pool};
use crate::{Error, Result};

/// Tasks for each worker: a problem takes microseconds, too few to be handed out one by one.
const TASKS_PER_WORKER: usize = 8;
/// Costs that a task has at least, where there are as many: half a millisecond's work. A batch that
/// is one task stays on the calling thread, as waking another takes a good part of that: 192
/// problems of 300x25 took 0.64 ms on one thread and 0.88 ms on two.
const COSTS_PER_TASK: usize = 3 << 19;

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
        let together = problems.div_ceil(TASKS_PER_WORKER * workers.count());
        let together = together.max(COSTS_PER_TASK / size.max(1));
        workers.for_each_piece(partners, together * rows, |task, partners| {
            self.assigners.with(|own| {
                for (place, partners) in partners.chunks_exact_mut(rows).enumerate() {
                    let problem = task * together + place;
                    let costs = &costs[problem * size..][..size];
                    if let Err(error) = own.assign(costs, rows, columns, partners) {
                        failure.record(problem, of_problem(error, problem, problem * size));
                    }
                }
            });
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

#[cfg(test)]
mod tests {
    use super::*;

    /// More than two tasks.
    const SHAPE: [usize; 3] = [3000, 20, 60];

    fn costs() -> Vec<f32> {
        (0..SHAPE.iter().product()).map(|index: usize| (index * 7919 % 613) as f32).collect()
    }

    #[test]
    fn problems_that_share_a_task_are_solved_as_each_alone() {
        let (costs, [problems, rows, columns]) = (costs(), SHAPE);
        let mut wanted = vec![0; problems * rows];
        for (costs, partners) in costs.chunks(rows * columns).zip(wanted.chunks_mut(rows)) {
            Assigner::new().assign(costs, rows, columns, partners).unwrap();
        }
        for threads in [1, 2, 3] {
            let workers = Workers::with_threads(threads).unwrap();
            let mut partners = vec![0; wanted.len()];
            BatchAssigner::new().assign(&costs, SHAPE, &mut partners, &workers).unwrap();
            assert_eq!(partners, wanted, "{threads} threads");
        }
    }

    #[test]
    fn the_first_odd_cost_is_named_with_its_problem() {
        let mut costs = costs();
        for (problem, place) in [(2930, 0), (1420, 65), (1420, 66)] {
            costs[problem * 1200 + place] = f32::NAN;
        }
        for threads in [1, 2] {
            let workers = Workers::with_threads(threads).unwrap();
            let outcome = BatchAssigner::new().assign(&costs, SHAPE, &mut [0; 60_000], &workers);
            let text = outcome.unwrap_err().to_string();
            assert!(text.starts_with("problem 1420: costs, row 1, column 5: value NaN"), "{text}");
        }
    }
}

//! The library's own threads: one pool for each number of threads and each process.

use crate::per_process::PerProcess;
use crate::{Error, Result};
use rayon::ThreadPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Most threads for each processor: more only wait for each other, so a larger request is a mistake.
const THREADS_PER_PROCESSOR: usize = 4;
/// What small machines allow all the same.
const THREADS_ALLOWED: usize = 8;

type ByCount = Mutex<HashMap<usize, Weak<ThreadPool>>>;

static POOLS: PerProcess<ByCount> = PerProcess::new();

/// Processors that this process may use.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `given` threads, or one for each processor where it is 0; the argument is called `name`.
///
/// # Errors
/// [`Error::InvalidArgument`] for more than four for each processor (and more than 8), with both
/// numbers.
pub fn threads_count(name: &str, given: usize) -> Result<usize> {
    let processors = processors();
    let most = (processors * THREADS_PER_PROCESSOR).max(THREADS_ALLOWED);
    match given {
        0 => Ok(processors),
        given if given <= most => Ok(given),
        given => {
            let reason = format!("{given} is over {most}, the most for {processors} processors");
            Err(Error::invalid(name, reason))
        }
    }
}

/// The threads of one handle, which it shares with the others of the same number. A forked child
/// that inherits the handle finds no thread and takes a pool of its own.
pub(super) struct Pool {
    threads: usize,
    pool: PerProcess<Arc<ThreadPool>>,
}

impl Pool {
    /// # Errors
    /// Those of [`Pool::get`].
    pub(super) fn new(threads: usize) -> Result<Pool> {
        let pool = Pool { threads, pool: PerProcess::new() };
        pool.get()?;
        Ok(pool)
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// # Errors
    /// [`Error::Internal`] when the system refuses to start threads.
    pub(super) fn get(&self) -> Result<&ThreadPool> {
        self.pool.get_or_make(|| shared(self.threads)).map(|pool| &**pool)
    }
}

/// The pool of this process with that many threads.
fn shared(threads: usize) -> Result<Arc<ThreadPool>> {
    let pools = POOLS.get_or_make(|| Ok(Mutex::default()))?;
    let mut pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.get(&threads).and_then(Weak::upgrade) {
        return Ok(pool);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("simdetr-{index}"))
        .build()
        .map_err(|error| Error::Internal { reason: format!("thread pool: {error}") })?;
    let pool = Arc::new(pool);
    pools.insert(threads, Arc::downgrade(&pool));
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_of_one_count_are_shared() {
        let (first, second) = (Pool::new(5).unwrap(), Pool::new(5).unwrap());
        assert!(std::ptr::eq(first.get().unwrap(), second.get().unwrap()));
        assert_eq!(first.get().unwrap().current_num_threads(), first.threads());
    }

    #[test]
    fn more_than_four_threads_for_each_processor_are_refused_with_both_numbers() {
        let most = (4 * processors()).max(8);
        assert_eq!(threads_count("threads", 0).unwrap(), processors());
        assert_eq!(threads_count("threads", most).unwrap(), most);
        let error = threads_count("threads", most + 1).unwrap_err().to_string();
        let (given, processors) = (most + 1, processors());
        let expected =
            format!("threads: {given} is over {most}, the most for {processors} processors");
        assert_eq!(error, expected);
    }
}

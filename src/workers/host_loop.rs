//! A loop that the host's job system runs, checked: each index once and in range.
//!
//! A host that calls an index twice, one out of range, or not all of them would otherwise write over
//! memory, or leave some unwritten, without anybody's notice. Each task claims its bit before it
//! runs; the first fault keeps every later task from running, and ends the call.

use super::ending::end_call;
use crate::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The host's job system: runs `task(i)` once for every `i` below the count, in any order, on any
/// threads, and returns when all are done. One that does otherwise ends the call that asked it.
pub type HostParallelFor = Arc<dyn Fn(usize, &(dyn Fn(usize) + Sync)) + Send + Sync>;

/// A task of a loop, by its index.
pub(super) type Task<'a> = dyn Fn(usize) + Sync + 'a;

/// Words of claims on the stack, so that loops of up to 1,024 tasks allocate nothing.
const WORDS_INLINE: usize = 16;

/// Which tasks have been called.
struct Claims {
    inline: [AtomicU64; WORDS_INLINE],
    more: Vec<AtomicU64>,
}

impl Claims {
    fn new(tasks: usize) -> Claims {
        let words = tasks.div_ceil(64);
        let more = words.saturating_sub(WORDS_INLINE);
        Claims {
            inline: [const { AtomicU64::new(0) }; WORDS_INLINE],
            more: (0..more).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        let word = index / 64;
        self.inline.get(word).unwrap_or_else(|| &self.more[word - WORDS_INLINE])
    }

    /// Whether this is the first claim of `index`.
    fn claim(&self, index: usize) -> bool {
        let bit = 1 << (index % 64);
        self.word(index).fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    fn is_claimed(&self, index: usize) -> bool {
        self.word(index).load(Ordering::Relaxed) >> (index % 64) & 1 == 1
    }
}

/// One loop and what the host has done about it.
struct Checked<'a> {
    tasks: usize,
    task: &'a Task<'a>,
    claims: Claims,
    finished: AtomicUsize,
    has_fault: AtomicBool,
    fault: Mutex<Option<String>>,
}

impl Checked<'_> {
    fn call(&self, index: usize) {
        let tasks = self.tasks;
        if index >= tasks {
            return self.blame(format!("it called task {index} of {tasks}"));
        }
        if !self.claims.claim(index) {
            return self.blame(format!("it called task {index} of {tasks} twice"));
        }
        if !self.has_fault.load(Ordering::Relaxed) {
            (self.task)(index);
            self.finished.fetch_add(1, Ordering::Release);
        }
    }

    #[cold]
    fn blame(&self, reason: String) {
        self.has_fault.store(true, Ordering::Relaxed);
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    /// What the host did wrong, now that it has returned.
    fn fault(self) -> Option<String> {
        let (tasks, finished) = (self.tasks, self.finished.into_inner());
        let fault = self.fault.into_inner().unwrap_or_else(PoisonError::into_inner);
        let lacking = || {
            let missing = (0..tasks).find(|&index| !self.claims.is_claimed(index));
            missing.map_or_else(
                || format!("it returned with {finished} of {tasks} tasks finished"),
                |index| format!("it returned without having called task {index} of {tasks}"),
            )
        };
        fault.or_else(|| (finished < tasks).then(lacking))
    }
}

/// Runs `task(0) .. task(tasks - 1)` by the host's job system.
///
/// # Panics
/// With [`Error::HostContract`] as its payload, through [`end_call`], when the host does not call
/// each of them once.
pub(super) fn run(parallel_for: &HostParallelFor, tasks: usize, task: &Task<'_>) {
    let checked = Checked {
        tasks,
        task,
        claims: Claims::new(tasks),
        finished: AtomicUsize::new(0),
        has_fault: AtomicBool::new(false),
        fault: Mutex::new(None),
    };
    parallel_for(tasks, &|index| checked.call(index));
    if let Some(reason) = checked.fault() {
        end_call(Error::HostContract { callback: "parallel_for", reason });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Workers;
    use super::*;
    use crate::workers::ended_by;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// How often each of `tasks` tasks ran, and what ended the loop.
    fn outcome(
        tasks: usize,
        host: impl Fn(usize, &(dyn Fn(usize) + Sync)) + Send + Sync + 'static,
    ) -> (Vec<usize>, Option<String>) {
        let ran: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        let workers = Workers::host(2, Arc::new(host));
        let run = || {
            workers.for_each(tasks, |index| {
                ran[index].fetch_add(1, Ordering::Relaxed);
            })
        };
        let ended = catch_unwind(AssertUnwindSafe(run)).err();
        let message = ended.map(|payload| ended_by(payload).unwrap().to_string());
        (ran.into_iter().map(AtomicUsize::into_inner).collect(), message)
    }

    #[test]
    fn each_fault_is_named_and_no_task_runs_twice() {
        let (ran, none) = outcome(2000, |tasks, task| (0..tasks).rev().for_each(task));
        assert!(none.is_none() && ran.iter().all(|&times| times == 1));
        let (ran, twice) = outcome(5, |tasks, task| (0..tasks).chain([1]).for_each(task));
        assert_eq!(ran, [1; 5]);
        let said =
            "the host's parallel_for callback broke its contract: it called task 1 of 5 twice";
        assert_eq!(twice.unwrap(), said);
        let (ran, beyond) = outcome(5, |_, task| (4..9).for_each(task));
        assert_eq!(ran, [0, 0, 0, 0, 1]);
        assert!(beyond.unwrap().ends_with("it called task 5 of 5"));
        let (_, huge) = outcome(2000, |_, task| task(usize::MAX));
        assert!(huge.unwrap().ends_with(&format!("it called task {} of 2000", usize::MAX)));
        let (_, skipped) = outcome(1100, |tasks, task| (0..tasks - 1).for_each(task));
        let said = "it returned without having called task 1099 of 1100";
        assert!(skipped.unwrap().ends_with(said));
    }

    #[test]
    fn a_host_that_swallows_a_panic_is_noticed() {
        let workers = Workers::host(
            2,
            Arc::new(|tasks, task| {
                (0..tasks).for_each(|index| {
                    let _ = catch_unwind(AssertUnwindSafe(|| task(index)));
                });
            }),
        );
        let run = || workers.for_each(3, |index| assert_ne!(index, 1, "task one fails"));
        let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        let message = ended_by(payload).unwrap().to_string();
        assert!(message.ends_with("it returned with 2 of 3 tasks finished"), "{message}");
    }

    #[test]
    fn pieces_and_parts_are_checked_as_well() {
        let twice: HostParallelFor = Arc::new(|tasks, task| (0..tasks).chain([0]).for_each(task));
        let workers = Workers::host(2, twice);
        let mut data = vec![0; 10];
        let mut ends = |run: &mut dyn FnMut(&mut [i32])| {
            let ended = catch_unwind(AssertUnwindSafe(|| run(&mut data))).unwrap_err();
            assert!(ended_by(ended).unwrap().to_string().ends_with("task 0 of 5 twice"));
        };
        ends(&mut |data| workers.for_each_piece(data, 2, |_, part| part[0] += 1));
        ends(&mut |data| workers.for_each_part(data, 5, |part| part * 2, |_, part| part[0] += 1));
        ends(&mut |data| workers.for_each_pieces([(data, 2)], |_, [part]| part[0] += 1));
        assert_eq!(data, [3, 0, 3, 0, 3, 0, 3, 0, 3, 0]);
    }
}

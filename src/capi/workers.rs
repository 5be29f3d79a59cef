//! The host's job system as our workers: `simdetr_parallel_for_fn_t`.

use super::guard::catch;
use crate::workers::{HostParallelFor, Workers};
use crate::{Error, Result};
use std::any::Any;
use std::ffi::c_void;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

/// One task of the library, to be called by the host's job system.
///
/// @param[in] task_data What `simdetr_parallel_for_fn_t` was given.
/// @param[in] index Which task, below `tasks_count`.
pub type simdetr_task_fn_t = Option<unsafe extern "C" fn(task_data: *mut c_void, index: usize)>;

/// The host's job system: calls `task(task_data, i)` once for every `i` below `tasks_count`, in
/// any order, on any threads, and returns when all have returned. Called from the thread that made
/// the library's call; may be called from several such threads at once.
///
/// @param[in] user_data The host's own.
/// @param[in] tasks_count Number of tasks.
/// @param[in] task To be called for each.
/// @param[in] task_data First argument of `task`.
pub type simdetr_parallel_for_fn_t = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        tasks_count: usize,
        task: simdetr_task_fn_t,
        task_data: *mut c_void,
    ),
>;

/// What one parallel loop shares with its tasks.
struct Loop<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A panic must not unwind into the host's threads: it waits here for the library's own.
unsafe extern "C" fn run_task(task_data: *mut c_void, index: usize) {
    // SAFETY: made by `host_workers` from a `Loop` that outlives the host's loop.
    let shared = unsafe { &*task_data.cast_const().cast::<Loop<'_>>() };
    if let Err(payload) = catch(|| (shared.task)(index)) {
        *shared.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
    }
}

/// The host's pointer, which it allows us to use from any thread.
struct HostData(*mut c_void);
// SAFETY: promised in the documentation of `simdetr_parallel_for_fn_t`.
unsafe impl Send for HostData {}
// SAFETY: as above.
unsafe impl Sync for HostData {}

/// The workers that an options struct asks for: the host's job system if it gives one, with
/// `threads` tasks at once, else `threads` of our own.
///
/// # Errors
/// [`Error::InvalidArgument`] for too many threads.
pub(super) fn workers(
    threads: u32,
    parallel_for: simdetr_parallel_for_fn_t,
    user_data: *mut c_void,
) -> Result<Workers> {
    let Some(callback) = parallel_for else {
        return Workers::with_threads(threads as usize);
    };
    if threads as usize > crate::workers::THREADS_MAX {
        let reason = format!("{threads} is over {}", crate::workers::THREADS_MAX);
        return Err(Error::invalid("threads", reason));
    }
    let count = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count as usize,
    };
    let data = HostData(user_data);
    let host: HostParallelFor = Arc::new(move |tasks, task| {
        let data = &data;
        let shared = Loop { task, panic: Mutex::new(None) };
        let task_data = (&raw const shared).cast_mut().cast::<c_void>();
        // SAFETY: the host returns only when every task has returned.
        unsafe { callback(data.0, tasks, Some(run_task), task_data) };
        if let Some(payload) = shared.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(payload);
        }
    });
    Ok(Workers::host(count, host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    unsafe extern "C" fn backwards(
        user_data: *mut c_void,
        tasks_count: usize,
        task: simdetr_task_fn_t,
        task_data: *mut c_void,
    ) {
        // SAFETY: the test passes a counter; `task` is called once for each index.
        unsafe {
            (*user_data.cast::<AtomicUsize>()).fetch_add(1, Ordering::Relaxed);
            (0..tasks_count).rev().for_each(|index| task.unwrap()(task_data, index));
        }
    }

    #[test]
    fn the_host_runs_every_task_and_a_panic_comes_home() {
        let loops = AtomicUsize::new(0);
        let data = (&raw const loops).cast_mut().cast::<c_void>();
        let workers = workers(3, Some(backwards), data).unwrap();
        assert_eq!(workers.count(), 3);
        let squares = workers.try_map(5, |index| Ok(index * index)).unwrap();
        assert_eq!(squares, [0, 1, 4, 9, 16]);
        let outcome = catch(|| workers.for_each(3, |index| assert_ne!(index, 1, "task one fails")));
        assert!(outcome.is_err());
        assert_eq!(loops.load(Ordering::Relaxed), 2);
    }
}

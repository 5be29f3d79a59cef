//! The host's job system as our workers: `simdetr_parallel_for_fn_t`.
//!
//! That each index is called once and in range is checked where all loops are (`workers`). Here stand
//! the pointers: a task that the host calls after its loop has ended finds a closed door, never
//! memory that is gone.

use super::guard::catch;
use crate::per_process::PerProcess;
use crate::workers::{HostParallelFor, Workers, end_call, threads_count};
use crate::{Error, Result};
use std::any::Any;
use std::ffi::c_void;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One task of the library, to be called by the host's job system.
///
/// @param[in] task_data What `simdetr_parallel_for_fn_t` was given.
/// @param[in] index Which task, below `tasks_count`.
pub type simdetr_task_fn_t = Option<unsafe extern "C" fn(task_data: *mut c_void, index: usize)>;

/// The host's job system: calls `task(task_data, i)` once for every `i` below `tasks_count`, in
/// any order, on any threads, and returns when all have returned. Called from the thread that made
/// the library's call, one loop at a time; several calls at once make several such threads. Must not
/// throw or `longjmp`.
///
/// It is checked: an index that is called twice or is out of range, one that is not called, and a
/// return while a task still runs end the library's call with `SIMDETR_ERROR_HOST_CONTRACT`; no
/// task runs twice or outside its loop. A call of `task` after the return is ignored.
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

impl Loop<'_> {
    /// A panic must not unwind into the host's threads: it waits here for the library's own.
    fn run(&self, index: usize) {
        if let Err(payload) = catch(|| (self.task)(index)) {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        }
    }
}

/// Through which the host's tasks enter a loop. Doors are used again and live as long as the
/// process, so that a task which is called too late finds its door closed, or at worst that of
/// another loop, where it is one call too many and noticed.
struct Door {
    /// Tasks inside, and [`CLOSED`].
    state: AtomicUsize,
    /// The [`Loop`], while the door is open.
    inside: AtomicPtr<c_void>,
}

/// The bit of [`Door::state`] that keeps tasks out.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// Doors of loops that have ended.
static DOORS: PerProcess<Mutex<Vec<&'static Door>>> = PerProcess::new();

fn free_doors() -> Result<MutexGuard<'static, Vec<&'static Door>>> {
    let doors = DOORS.get_or_make(|| Ok(Mutex::default()))?;
    Ok(doors.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Door {
    fn open(shared: &Loop<'_>) -> Result<&'static Door> {
        let free = free_doors()?.pop();
        let closed = || Door { state: AtomicUsize::new(CLOSED), inside: AtomicPtr::default() };
        let door = free.unwrap_or_else(|| Box::leak(Box::new(closed())));
        door.inside.store((&raw const *shared).cast_mut().cast(), Ordering::Relaxed);
        door.state.fetch_and(!CLOSED, Ordering::Release);
        Ok(door)
    }

    /// Lets a task in; does nothing once the door is closed.
    fn enter(&self, index: usize) {
        if self.state.fetch_add(1, Ordering::Acquire) & CLOSED == 0 {
            let inside = self.inside.load(Ordering::Relaxed).cast_const().cast::<Loop<'_>>();
            // SAFETY: whoever opened the door keeps the loop alive until `close` has seen this task
            // leave.
            unsafe { &*inside }.run(index);
        }
        self.state.fetch_sub(1, Ordering::Release);
    }

    /// Lets nobody in any more and waits for the tasks that are inside; answers how many were.
    fn close(&'static self) -> Result<usize> {
        let inside = self.state.fetch_or(CLOSED, Ordering::AcqRel);
        while self.state.load(Ordering::Acquire) != CLOSED {
            std::thread::yield_now();
        }
        free_doors()?.push(self);
        Ok(inside)
    }
}

unsafe extern "C" fn run_task(task_data: *mut c_void, index: usize) {
    let door = task_data.cast_const().cast::<Door>();
    if !door.is_null() {
        // SAFETY: what `run_loop` gave the host, a door, lives as long as the process.
        unsafe { &*door }.enter(index);
    }
}

/// The host's pointer, which it allows us to use from any thread.
#[derive(Clone, Copy)]
struct HostData(*mut c_void);
// SAFETY: promised in the documentation of `simdetr_parallel_for_fn_t`.
unsafe impl Send for HostData {}
// SAFETY: as above.
unsafe impl Sync for HostData {}

type Callback = unsafe extern "C" fn(*mut c_void, usize, simdetr_task_fn_t, *mut c_void);

/// Hands one loop to the host, and ends the call where a task panicked or the host went on without
/// its tasks.
fn run_loop(callback: Callback, data: HostData, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
    let shared = Loop { task, panic: Mutex::new(None) };
    let door = Door::open(&shared).unwrap_or_else(|error| end_call(error));
    // SAFETY: the host's own function with its own data; tasks that outlast it are waited for.
    unsafe { callback(data.0, tasks, Some(run_task), (&raw const *door).cast_mut().cast()) };
    let running = door.close().unwrap_or_else(|error| end_call(error));
    if let Some(payload) = shared.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(payload);
    }
    if running > 0 {
        let reason = format!("it returned while {running} of {tasks} tasks were running");
        end_call(Error::HostContract { callback: "parallel_for", reason });
    }
}

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
    let data = HostData(user_data);
    let host: HostParallelFor = Arc::new(move |tasks, task| run_loop(callback, data, tasks, task));
    Ok(Workers::host(threads_count("threads", threads as usize)?, host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::ended_by;

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
        assert!(ended_by(outcome.unwrap_err()).is_err(), "a panic is no broken contract");
        assert_eq!(loops.load(Ordering::Relaxed), 2);
    }

    /// Keeps what it was given, for a call that comes too late.
    unsafe extern "C" fn keep(
        user_data: *mut c_void,
        _tasks_count: usize,
        task: simdetr_task_fn_t,
        task_data: *mut c_void,
    ) {
        // SAFETY: the test passes a place for both.
        unsafe { user_data.cast::<(simdetr_task_fn_t, *mut c_void)>().write((task, task_data)) }
    }

    #[test]
    fn a_task_that_comes_too_late_does_nothing() {
        let mut kept: (simdetr_task_fn_t, *mut c_void) = (None, std::ptr::null_mut());
        let workers = workers(2, Some(keep), (&raw mut kept).cast()).unwrap();
        let ran = AtomicUsize::new(0);
        let task = |_| {
            ran.fetch_add(1, Ordering::Relaxed);
        };
        let ended = ended_by(catch(|| workers.for_each(4, task)).unwrap_err()).unwrap();
        assert!(ended.to_string().ends_with("without having called task 0 of 4"), "{ended}");
        // SAFETY: the door outlives its loop.
        unsafe { kept.0.unwrap()(kept.1, 0) };
        assert_eq!(ran.load(Ordering::Relaxed), 0);
    }
}

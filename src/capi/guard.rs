//! The border: every exported body runs in here, so that a panic becomes a status and never
//! unwinds into foreign frames.
//!
//! A panic poisons the handle it happened on: its state may be half-changed, so later calls answer
//! `SIMDETR_ERROR_POISONED` and only destroy works. The panic's message goes to the log and into
//! `simdetr_error_t`, never to stderr, which belongs to the host. A loop that the host's job system
//! ran wrongly unwinds as well, with an error of its own: it poisons a handle that the call was
//! changing, not one that it only read.

use super::error::{simdetr_error_t, write, write_error, write_ok};
use super::pointers::{borrow, borrow_mut};
use super::status::{SIMDETR_ERROR_PANIC, SIMDETR_OK, simdetr_status_t};
use crate::workers::ended_by;
use crate::{Error, Result};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a handle has seen a panic.
#[derive(Debug, Default)]
pub(super) struct Poison(AtomicBool);

/// What every handle has.
pub(super) trait Handle {
    /// The argument's name in messages.
    const NAME: &'static str;
    fn poison(&self) -> &Poison;
}

/// Runs the body of a function that has no handle.
pub(super) fn guard(
    error: *mut simdetr_error_t,
    body: impl FnOnce() -> Result<()>,
) -> simdetr_status_t {
    answer(error, None, body).status
}

/// Runs the body of a function that reads a handle; other threads may do the same.
///
/// # Safety
/// `handle` is NULL or a living handle that no call changes meanwhile.
pub(super) unsafe fn guard_handle<'a, H: Handle + 'a>(
    handle: *const H,
    error: *mut simdetr_error_t,
    body: impl FnOnce(&'a H) -> Result<()>,
) -> simdetr_status_t {
    match borrow(handle, H::NAME) {
        Ok(handle) => answer(error, Some(handle.poison()), || body(handle)).status,
        Err(failure) => refuse(error, failure),
    }
}

/// Runs the body of a function that changes a handle.
///
/// # Safety
/// `handle` is NULL or a living handle that no other call uses meanwhile.
pub(super) unsafe fn guard_handle_mut<'a, H: Handle + 'a>(
    handle: *mut H,
    error: *mut simdetr_error_t,
    body: impl FnOnce(&mut H) -> Result<()>,
) -> simdetr_status_t {
    let handle: &'a mut H = match borrow_mut(handle, H::NAME) {
        Ok(handle) => handle,
        Err(failure) => return refuse(error, failure),
    };
    if handle.poison().0.load(Ordering::Acquire) {
        return refuse(error, Error::Poisoned);
    }
    let answered = answer(error, None, || body(handle));
    if answered.has_unwound {
        handle.poison().0.store(true, Ordering::Release);
    }
    answered.status
}

/// Ends a handle. NULL is fine, and nothing can fail: a panic in a destructor is swallowed.
///
/// # Safety
/// `handle` is NULL or came from [`into_handle`] and is not used again.
pub(super) unsafe fn destroy<H>(handle: *mut H) {
    if !handle.is_null() {
        guard(std::ptr::null_mut(), || {
            // SAFETY: made by `Box::into_raw` in `into_handle`; the caller gives it up.
            drop(unsafe { Box::from_raw(handle) });
            Ok(())
        });
    }
}

/// Moves a handle to where the host can hold it.
pub(super) fn into_handle<H>(handle: H) -> *mut H {
    Box::into_raw(Box::new(handle))
}

/// How a body ended.
struct Answered {
    status: simdetr_status_t,
    /// It did not reach its end, so what it was changing may be half-changed.
    has_unwound: bool,
}

impl Answered {
    fn returned(status: simdetr_status_t) -> Answered {
        Answered { status, has_unwound: false }
    }

    fn unwound(status: simdetr_status_t) -> Answered {
        Answered { status, has_unwound: true }
    }
}

fn answer(
    error: *mut simdetr_error_t,
    poison: Option<&Poison>,
    body: impl FnOnce() -> Result<()>,
) -> Answered {
    let mut body = Some(body);
    answer_once(error, poison, &mut || body.take().map_or(Ok(()), |body| body()))
}

/// What surrounds every exported body, compiled once and not once for each of them: `body` is
/// called once.
fn answer_once(
    error: *mut simdetr_error_t,
    poison: Option<&Poison>,
    body: &mut dyn FnMut() -> Result<()>,
) -> Answered {
    if poison.is_some_and(|poison| poison.0.load(Ordering::Acquire)) {
        return Answered::returned(refuse(error, Error::Poisoned));
    }
    install_hook();
    match catch(|| {
        #[cfg(test)]
        injection::fire();
        body()
    }) {
        Ok(Ok(())) => {
            write_ok(error);
            Answered::returned(SIMDETR_OK)
        }
        Ok(Err(failure)) => {
            log::debug!("{failure}");
            Answered::returned(refuse(error, failure))
        }
        Err(payload) => Answered::unwound(match ended_by(payload) {
            Ok(failure) => {
                log::error!("{failure}");
                refuse(error, failure)
            }
            Err(payload) => {
                if let Some(poison) = poison {
                    poison.0.store(true, Ordering::Release);
                }
                let message = format!("panic: {}", text_of(payload.as_ref()));
                write(error, SIMDETR_ERROR_PANIC, &message);
                SIMDETR_ERROR_PANIC
            }
        }),
    }
}

#[cold]
fn refuse(error: *mut simdetr_error_t, failure: Error) -> simdetr_status_t {
    write_error(error, &failure)
}

/// Runs `body` and keeps a panic, and its message, from reaching the host.
pub(super) fn catch<T>(body: impl FnOnce() -> T) -> std::thread::Result<T> {
    let _inside = Inside::enter();
    catch_unwind(AssertUnwindSafe(body))
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

thread_local! {
    /// How many guarded calls are on this thread's stack (callbacks may call back in). Has no
    /// destructor, so unloading the library cannot run one.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

struct Inside;

impl Inside {
    fn enter() -> Inside {
        DEPTH.set(DEPTH.get() + 1);
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Sends panics of guarded calls, and of the library's own threads, to the log instead of stderr.
/// Every other panic goes to the hook that was there: in the `rlib` form the hook is shared with
/// the Rust program around us.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let ours = DEPTH.try_with(Cell::get).is_ok_and(|depth| depth > 0)
                || std::thread::current().name().is_some_and(|name| name.starts_with("simdetr-"));
            if ours {
                log::error!("{panic}");
            } else {
                previous(panic);
            }
        }));
    });
}

/// Makes the next guarded call on this thread panic; exists in tests only.
#[cfg(test)]
pub(super) mod injection {
    use std::cell::Cell;

    thread_local! {
        static ARMED: Cell<bool> = const { Cell::new(false) };
    }

    pub(in crate::capi) fn arm() {
        ARMED.set(true);
    }

    pub(super) fn fire() {
        if ARMED.replace(false) {
            panic!("injected");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::status::{
        SIMDETR_ERROR_HOST_CONTRACT, SIMDETR_ERROR_NULL_POINTER, SIMDETR_ERROR_POISONED,
    };
    use std::ffi::CStr;

    #[derive(Default)]
    struct Sample {
        poison: Poison,
    }

    impl Handle for Sample {
        const NAME: &'static str = "sample";
        fn poison(&self) -> &Poison {
            &self.poison
        }
    }

    fn message(error: &simdetr_error_t) -> &str {
        // SAFETY: filled by `write`, which ends it with a NUL.
        unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_str().unwrap()
    }

    #[test]
    fn a_panic_is_answered_and_poisons_the_handle() {
        let handle = into_handle(Sample::default());
        let mut error = simdetr_error_t { status: 0, message: [0; 252] };
        // SAFETY: the handle lives until `destroy`, on this thread.
        unsafe {
            assert_eq!(guard_handle(handle, &raw mut error, |_| Ok(())), SIMDETR_OK);
            injection::arm();
            let status = guard_handle(handle, &raw mut error, |_| Ok(()));
            assert_eq!((status, error.status), (SIMDETR_ERROR_PANIC, SIMDETR_ERROR_PANIC));
            assert_eq!(message(&error), "panic: injected");
            for _ in 0..2 {
                let status = guard_handle(handle, &raw mut error, |_| Ok(()));
                assert_eq!(status, SIMDETR_ERROR_POISONED);
                let status = guard_handle_mut(handle, &raw mut error, |_| Ok(()));
                assert_eq!(status, SIMDETR_ERROR_POISONED);
            }
            destroy(handle);
        }
    }

    #[test]
    fn a_panic_in_a_changing_call_poisons_too() {
        let handle = into_handle(Sample::default());
        // SAFETY: the handle lives until `destroy`, on this thread.
        unsafe {
            let null = std::ptr::null_mut();
            injection::arm();
            assert_eq!(guard_handle_mut(handle, null, |_| Ok(())), SIMDETR_ERROR_PANIC);
            assert_eq!(guard_handle(handle, null, |_| Ok(())), SIMDETR_ERROR_POISONED);
            injection::arm();
            destroy(handle);
        }
    }

    #[test]
    fn an_error_that_unwinds_keeps_its_name_and_poisons_what_was_being_changed() {
        let broken = || -> Result<()> {
            let reason = "it called task 7 of 5".into();
            crate::workers::end_call(Error::HostContract { callback: "parallel_for", reason })
        };
        let handle = into_handle(Sample::default());
        let mut error = simdetr_error_t { status: 0, message: [0; 252] };
        // SAFETY: the handle lives until `destroy`, on this thread.
        unsafe {
            let status = guard_handle(handle, &raw mut error, |_| broken());
            assert_eq!(status, SIMDETR_ERROR_HOST_CONTRACT);
            assert!(message(&error).ends_with("it called task 7 of 5"));
            assert_eq!(guard_handle(handle, &raw mut error, |_| Ok(())), SIMDETR_OK);
            let status = guard_handle_mut(handle, &raw mut error, |_| broken());
            assert_eq!(status, SIMDETR_ERROR_HOST_CONTRACT);
            let status = guard_handle(handle, &raw mut error, |_| Ok(()));
            assert_eq!(status, SIMDETR_ERROR_POISONED);
            destroy(handle);
        }
    }

    #[test]
    fn null_handles_are_named_and_null_destroys_nothing() {
        let mut error = simdetr_error_t { status: 0, message: [0; 252] };
        // SAFETY: NULL is allowed in each of these.
        unsafe {
            let status = guard_handle::<Sample>(std::ptr::null(), &raw mut error, |_| Ok(()));
            assert_eq!(status, SIMDETR_ERROR_NULL_POINTER);
            assert_eq!(message(&error), "sample: must not be NULL");
            destroy::<Sample>(std::ptr::null_mut());
        }
    }
}

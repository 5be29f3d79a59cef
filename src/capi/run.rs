//! What a host may hand to one long call: a cancel token and a progress callback.

use super::cancel::simdetr_cancel_token_t;
use super::declare::{initialiser, versioned};
use super::options::copy_options;
use super::pointers::{borrow, optional};
use crate::Result;
use crate::control::{Control, Progress};
use std::ffi::{c_char, c_void};

/// Hears how far a call has come. Called only by the thread that made the call, between units of
/// work; must not throw, `longjmp` or use the handles of that call.
///
/// @param[in] user_data `simdetr_run_options_t.progress_user_data`.
/// @param[in] step What is counted, such as "extract"; NUL-terminated, borrowed for the call.
/// @param[in] done Units done.
/// @param[in] total Units in all; 0 where unknown.
/// @return A negative number stops the call and becomes its status; 0, as any other, goes on.
pub type simdetr_progress_fn_t = Option<
    unsafe extern "C" fn(user_data: *mut c_void, step: *const c_char, done: u64, total: u64) -> i32,
>;

versioned! {
    /// How one call may be watched and stopped. NULL instead of the struct is neither.
    pub struct simdetr_run_options_t (32 bytes) {
        /// Stops the call; NULL for none. Must live until the call returns.
        pub cancel: *const simdetr_cancel_token_t,
        /// Hears how far the call has come; NULL for none.
        pub progress: simdetr_progress_fn_t,
        /// First argument of `progress`.
        pub progress_user_data: *mut c_void,
    }
}

initialiser!(simdetr_run_options_init, options, simdetr_run_options_t);

/// Longest step name; longer ones are cut.
const STEP_CAPACITY: usize = 32;

/// The host's callback with its data.
#[derive(Clone, Copy)]
struct Listener {
    callback: unsafe extern "C" fn(*mut c_void, *const c_char, u64, u64) -> i32,
    user_data: *mut c_void,
}

// SAFETY: progress is reported from the thread that made the call only (`Control::progress`).
unsafe impl Sync for Listener {}

impl Listener {
    fn tell(&self, progress: Progress<'_>) -> i32 {
        let mut step = [0u8; STEP_CAPACITY];
        let kept = progress.step.floor_char_boundary(STEP_CAPACITY - 1);
        step[..kept].copy_from_slice(&progress.step.as_bytes()[..kept]);
        // SAFETY: the step ends with a NUL and lives for the call; the rest is the host's promise.
        unsafe {
            (self.callback)(self.user_data, step.as_ptr().cast(), progress.done, progress.total)
        }
    }
}

/// Runs `body` under what the host asked for.
///
/// # Safety
/// `options` is NULL or as [`copy_options`] wants it, and its pointers live during the call.
pub(super) unsafe fn with_control<T>(
    options: *const simdetr_run_options_t,
    body: impl FnOnce(&Control<'_>) -> Result<T>,
) -> Result<T> {
    let options = copy_options(options)?;
    let cancel = optional(options.cancel, |cancel| borrow(cancel, "cancel"))?;
    let cancel = cancel.map(|cancel| &cancel.token);
    let user_data = options.progress_user_data;
    let listener = options.progress.map(|callback| Listener { callback, user_data });
    let tell = listener.map(|listener| {
        move |progress: Progress<'_>| {
            let listener = &listener;
            listener.tell(progress)
        }
    });
    let progress = tell.as_ref().map(|tell| tell as &(dyn Fn(Progress<'_>) -> i32 + Sync));
    let control = Control { cancel, progress };
    control.check()?;
    body(&control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::ffi::CStr;

    unsafe extern "C" fn stop_at_three(
        user_data: *mut c_void,
        step: *const c_char,
        done: u64,
        total: u64,
    ) -> i32 {
        // SAFETY: the test passes a counter, and the step ends with a NUL.
        unsafe {
            assert_eq!(CStr::from_ptr(step), c"extract");
            *user_data.cast::<u64>() += 1;
        }
        assert_eq!(total, 9);
        if done == 3 { -5 } else { 0 }
    }

    #[test]
    fn progress_arrives_and_stops_and_a_set_token_comes_first() {
        let mut calls = 0u64;
        let token = simdetr_cancel_token_t::default();
        let mut options = simdetr_run_options_t {
            struct_size: size_of::<simdetr_run_options_t>(),
            cancel: &raw const token,
            progress: Some(stop_at_three),
            progress_user_data: (&raw mut calls).cast(),
        };
        let run = |options: &simdetr_run_options_t| {
            // SAFETY: token and counter outlive the call.
            unsafe {
                with_control(options, |control| {
                    (1..=9).try_for_each(|done| control.report("extract", done, 9))
                })
            }
        };
        let error = run(&options).unwrap_err();
        assert!(matches!(error, Error::HostCallback { status: -5, .. }));
        token.token.cancel();
        assert!(matches!(run(&options).unwrap_err(), Error::Cancelled));
        options.cancel = std::ptr::null();
        options.progress = None;
        run(&options).unwrap();
        assert_eq!(calls, 3);
    }
}

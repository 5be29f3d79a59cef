//! The log sink: the library's only global, silent until a host sets it.
//!
//! Messages of the `log` crate go to one callback. Calls of it hold a read lock and setting it a
//! write lock, so that a clear returns only when no call of the old callback is running.

use super::error::simdetr_error_t;
use super::guard::guard;
use super::status::simdetr_status_t;
use crate::{Error, Result};
use log::{LevelFilter, Log, Metadata, Record};
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::sync::{Once, PoisonError, RwLock};

/// Nothing is logged.
pub const SIMDETR_LOG_OFF: i32 = 0;
/// Failures inside the library.
pub const SIMDETR_LOG_ERROR: i32 = 1;
/// What a user should look at: a skipped image, a slow path.
pub const SIMDETR_LOG_WARN: i32 = 2;
/// Steps of long calls.
pub const SIMDETR_LOG_INFO: i32 = 3;
/// Errors that calls answered, and decisions.
pub const SIMDETR_LOG_DEBUG: i32 = 4;
/// Everything.
pub const SIMDETR_LOG_TRACE: i32 = 5;

/// Receives one message. Called from threads that call the library, from the library's own and from
/// those where the host's `parallel_for` runs tasks, possibly from several at once; must not throw,
/// `longjmp`, or call `simdetr_log_set`. The strings are borrowed for the call.
///
/// @param[in] user_data What `simdetr_log_set` was given.
/// @param[in] level `SIMDETR_LOG_ERROR` to `SIMDETR_LOG_TRACE`.
/// @param[in] target Part of the library that speaks, NUL-terminated.
/// @param[in] message UTF-8, NUL-terminated, without a newline.
/// @param[in] message_length Bytes of `message` without the NUL.
pub type simdetr_log_fn_t = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        level: i32,
        target: *const c_char,
        message: *const c_char,
        message_length: usize,
    ),
>;

struct Sink {
    callback: unsafe extern "C" fn(*mut c_void, i32, *const c_char, *const c_char, usize),
    user_data: *mut c_void,
}

// SAFETY: the host promises that the callback may be called from any thread with its user data.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

thread_local! {
    /// A callback that makes the library log would wait for itself.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

struct ToSink;

impl Log for ToSink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || BUSY.replace(true) {
            return;
        }
        if let Some(sink) = &*SINK.read().unwrap_or_else(PoisonError::into_inner) {
            let target = nul_terminated(record.target().to_string());
            let message = nul_terminated(record.args().to_string());
            // SAFETY: both strings live for the call; the callback is the host's promise.
            unsafe {
                let (target, text) = (target.as_ptr().cast(), message.as_ptr().cast());
                let level = record.level() as i32;
                (sink.callback)(sink.user_data, level, target, text, message.len() - 1);
            }
        }
        BUSY.set(false);
    }

    fn flush(&self) {}
}

fn nul_terminated(mut text: String) -> String {
    text = text.replace(['\0', '\n'], " ");
    text.push('\0');
    text
}

fn set(sink: Option<Sink>, level_max: LevelFilter) -> Result<()> {
    static INSTALL: Once = Once::new();
    static LOGGER: ToSink = ToSink;
    if sink.is_some() {
        INSTALL.call_once(|| {
            // A Rust program that has its own logger keeps it; told apart below.
            let _ = log::set_logger(&LOGGER);
        });
        let installed: *const dyn Log = log::logger();
        if !std::ptr::addr_eq(installed, &raw const LOGGER) {
            return Err(Error::invalid("callback", "this Rust program has its own logger"));
        }
    }
    let level = if sink.is_some() { level_max } else { LevelFilter::Off };
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = sink;
    log::set_max_level(level);
    Ok(())
}

/// Sets, replaces or clears the process' log callback. Returns when no call of the former one is
/// running any more. Without a callback, which is the state at the start, the library is silent.
///
/// @param[in] callback NULL clears.
/// @param[in] user_data Passed to each call; must outlive the callback's time here.
/// @param[in] level_max `SIMDETR_LOG_OFF` to `SIMDETR_LOG_TRACE`; less important messages are
/// dropped before they are formatted.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` for an unknown level.
///
/// Any thread, but not from inside a log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_log_set(
    callback: simdetr_log_fn_t,
    user_data: *mut c_void,
    level_max: i32,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let number = usize::try_from(level_max).ok();
        let level = number.and_then(|number| LevelFilter::iter().nth(number)).ok_or_else(|| {
            let reason = format!("{level_max} is outside 0..={SIMDETR_LOG_TRACE}");
            Error::invalid("level_max", reason)
        })?;
        if BUSY.get() {
            return Err(Error::invalid("simdetr_log_set", "called from inside a log callback"));
        }
        set(callback.map(|callback| Sink { callback, user_data }), level)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::status::{SIMDETR_ERROR_INVALID_ARGUMENT, SIMDETR_OK};
    use std::ffi::CStr;
    use std::sync::Mutex;

    unsafe extern "C" fn keep(
        user_data: *mut c_void,
        level: i32,
        target: *const c_char,
        message: *const c_char,
        message_length: usize,
    ) {
        // SAFETY: the test passes a Mutex that outlives the sink, and the strings end with NUL.
        unsafe {
            let kept = &*user_data.cast::<Mutex<Vec<(i32, String)>>>();
            assert!(!CStr::from_ptr(target).is_empty());
            let text = CStr::from_ptr(message).to_str().unwrap();
            assert_eq!(text.len(), message_length);
            kept.lock().unwrap().push((level, text.into()));
        }
    }

    #[test]
    fn messages_reach_the_callback_until_it_is_cleared() {
        let kept: Mutex<Vec<(i32, String)>> = Mutex::new(Vec::new());
        let data = (&raw const kept).cast_mut().cast::<c_void>();
        let null = std::ptr::null_mut();
        // SAFETY: `kept` outlives the sink, which is cleared below.
        unsafe {
            assert_eq!(simdetr_log_set(Some(keep), data, 9, null), SIMDETR_ERROR_INVALID_ARGUMENT);
            assert_eq!(simdetr_log_set(Some(keep), data, SIMDETR_LOG_WARN, null), SIMDETR_OK);
            log::warn!("line\nbreak 3");
            log::info!("below the level");
            assert_eq!(simdetr_log_set(None, null.cast(), SIMDETR_LOG_TRACE, null), SIMDETR_OK);
            log::error!("after the clear");
        }
        let kept = kept.into_inner().unwrap();
        assert!(kept.contains(&(SIMDETR_LOG_WARN, "line break 3".into())), "{kept:?}");
        assert!(!kept.iter().any(|(_, text)| text.contains("below") || text.contains("after")));
    }
}

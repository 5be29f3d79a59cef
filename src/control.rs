//! How a caller watches and stops a long call: cancel token and progress callback.
//!
//! A token belongs to a call, not to a handle, so that a late cancel cannot hit the next call
//! (reference/c-abi.md §2.9). Long loops call [`Control::check`] between images, shards and
//! rounds; it costs one relaxed load.

use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once from any thread; every call that was given the token then answers
/// [`Error::Cancelled`].
#[derive(Debug, Default)]
pub struct CancelToken {
    cancelled: AtomicBool,
}

impl CancelToken {
    /// Asks every call that holds this token to stop. Never blocks.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Whether [`CancelToken::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being counted: `extract`, `cluster`, `export`, ...
    pub step: &'a str,
    /// Units done so far.
    pub done: u64,
    /// Units in all; 0 where unknown.
    pub total: u64,
}

/// A progress callback: a negative answer stops the call and becomes its status.
pub type ProgressFn<'a> = dyn Fn(Progress<'_>) -> i32 + Sync + 'a;

/// What a caller may hand to a long call. The default neither cancels nor reports.
#[derive(Clone, Copy, Default)]
pub struct Control<'a> {
    /// Polled between units of work.
    pub cancel: Option<&'a CancelToken>,
    /// Told after units of work, from the thread that made the call.
    pub progress: Option<&'a ProgressFn<'a>>,
}

impl Control<'_> {
    /// # Errors
    /// [`Error::Cancelled`] once the token is set.
    pub fn check(&self) -> Result<()> {
        match self.cancel {
            Some(token) if token.is_cancelled() => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }

    /// Reports progress and polls the token.
    ///
    /// # Errors
    /// [`Error::Cancelled`], or [`Error::HostCallback`] with the callback's negative answer.
    pub fn report(&self, step: &str, done: u64, total: u64) -> Result<()> {
        self.check()?;
        if let Some(progress) = self.progress {
            let status = progress(Progress { step, done, total });
            if status < 0 {
                return Err(Error::HostCallback { callback: "progress", status });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_token_stops_the_next_check() {
        let token = CancelToken::default();
        let control = Control { cancel: Some(&token), progress: None };
        assert!(control.check().is_ok());
        token.cancel();
        assert!(matches!(control.check(), Err(Error::Cancelled)));
    }

    #[test]
    fn a_negative_answer_of_the_progress_callback_comes_back() {
        let control = Control { cancel: None, progress: Some(&|_| -7) };
        let error = control.report("extract", 1, 2).unwrap_err();
        assert!(matches!(error, Error::HostCallback { status: -7, .. }), "{error}");
    }
}

//! Cancel tokens: one for each call that may have to stop.
//!
//! A token belongs to a call and not to a handle, so a late cancel cannot hit the next call
//! (reference/c-abi.md §2.9).

use super::declare::handle;
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle, into_handle};
use super::pointers::output;
use super::status::simdetr_status_t;
use crate::control::CancelToken;

/// Stops the calls that were given it. Any number of threads may use one at the same time.
#[derive(Default)]
pub struct simdetr_cancel_token_t {
    pub(super) token: CancelToken,
    poison: Poison,
}

/// Makes a token.
///
/// @param[out] out The token, to be given to `simdetr_cancel_token_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_cancel_token_create(
    out: *mut *mut simdetr_cancel_token_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let out = output(out, "out")?;
        out.set(into_handle(simdetr_cancel_token_t::default()));
        Ok(())
    })
}

/// Asks every call that holds the token to stop; they answer `SIMDETR_ERROR_CANCELLED` after the
/// image, shard or round at hand and leave their outputs untouched. Never blocks; a token cannot
/// be set back.
///
/// @param[in] token The token.
/// @return A status.
///
/// Any thread, also while a call runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_cancel_token_cancel(
    token: *const simdetr_cancel_token_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(token, error, |token| {
        token.token.cancel();
        Ok(())
    })
}

handle!(
    simdetr_cancel_token_t,
    token,
    simdetr_cancel_token_destroy,
    "Destroys a token. No call that was given it may still be running."
);

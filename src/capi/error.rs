//! `simdetr_error_t`: the caller's own place for a status and its sentence.
//!
//! A plain struct of fixed size instead of a thread-local last error or an owned object: it needs
//! no free, works from goroutines, which change threads between calls, and is blittable for C#
//! (reference/c-abi.md §2.3).

use super::status::{SIMDETR_OK, simdetr_status_t, status_of};
use crate::Error;
use std::ffi::c_char;

/// Bytes of `simdetr_error_t.message`, the final NUL included.
pub const SIMDETR_ERROR_MESSAGE_CAPACITY: usize = 252;

/// Where a function says what went wrong. Owned by the caller, usually on the stack; needs no
/// initialisation. 256 bytes for ever.
#[repr(C)]
pub struct simdetr_error_t {
    /// The status that the function also returned; `SIMDETR_OK` after a success.
    pub status: simdetr_status_t,
    /// One line of UTF-8 with the numbers, NUL-terminated, cut at a character if too long.
    pub message: [c_char; SIMDETR_ERROR_MESSAGE_CAPACITY],
}

const _: () = assert!(size_of::<simdetr_error_t>() == 256);
const _: () = assert!(std::mem::offset_of!(simdetr_error_t, message) == 4);

/// Fills `target`, if there is one.
pub(super) fn write(target: *mut simdetr_error_t, status: simdetr_status_t, message: &str) {
    if target.is_null() || !target.is_aligned() {
        return;
    }
    let kept = message.floor_char_boundary(SIMDETR_ERROR_MESSAGE_CAPACITY - 1);
    let mut text = [0; SIMDETR_ERROR_MESSAGE_CAPACITY];
    for (target, source) in text.iter_mut().zip(&message.as_bytes()[..kept]) {
        // A NUL inside would hide the rest of the sentence from C.
        *target = if *source == 0 { b' ' as c_char } else { *source as c_char };
    }
    // SAFETY: not NULL, aligned, and the caller's to write for the length of the call.
    unsafe { target.write(simdetr_error_t { status, message: text }) };
}

pub(super) fn write_ok(target: *mut simdetr_error_t) {
    if !target.is_null() && target.is_aligned() {
        // SAFETY: as in `write`; only the fields that say "no error" are touched.
        unsafe {
            (&raw mut (*target).status).write(SIMDETR_OK);
            (&raw mut (*target).message).cast::<c_char>().write(0);
        }
    }
}

pub(super) fn write_error(target: *mut simdetr_error_t, error: &Error) -> simdetr_status_t {
    let status = status_of(error);
    write(target, status, &error.to_string());
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn written(message: &str) -> String {
        let mut error = simdetr_error_t { status: 0, message: [1; SIMDETR_ERROR_MESSAGE_CAPACITY] };
        write(&raw mut error, 7, message);
        assert_eq!(error.status, 7);
        // SAFETY: `write` ends the message with a NUL.
        unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_str().unwrap().to_string()
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(written("short"), "short");
        let long = written(&"é".repeat(200));
        assert_eq!(long, "é".repeat(125));
        assert_eq!(written(&"x".repeat(300)).len(), 251);
        assert_eq!(written("a\0b"), "a b");
    }

    #[test]
    fn no_error_struct_is_fine() {
        write(std::ptr::null_mut(), 1, "x");
        write_ok(std::ptr::null_mut());
    }
}

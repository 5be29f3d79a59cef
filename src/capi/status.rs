//! Status numbers: one for each variant of [`crate::Error`], in blocks by subject.
//!
//! Numbers never change their meaning; a retired one stays reserved by a comment. Negative numbers
//! belong to the host: what its callback answered comes back unchanged (metatensor's rule).

use crate::Error;
use std::ffi::{CStr, c_char};

/// What every fallible function answers: 0, a positive `SIMDETR_ERROR_*` of the library, or the
/// negative number that a callback of the host returned.
pub type simdetr_status_t = i32;

/// The call did what it says.
pub const SIMDETR_OK: simdetr_status_t = 0;

/// An argument has a value that its documentation excludes.
pub const SIMDETR_ERROR_INVALID_ARGUMENT: simdetr_status_t = 1;
/// A pointer that must not be NULL is NULL.
pub const SIMDETR_ERROR_NULL_POINTER: simdetr_status_t = 2;
/// `struct_size` is shorter than the first published layout, or absurd.
pub const SIMDETR_ERROR_STRUCT_SIZE: simdetr_status_t = 3;
/// A field that only a newer library knows is not zero.
pub const SIMDETR_ERROR_UNKNOWN_OPTION: simdetr_status_t = 4;
/// A configuration key that does not exist; the message names the nearest.
pub const SIMDETR_ERROR_UNKNOWN_KEY: simdetr_status_t = 5;
/// A configuration value or option field outside its range.
pub const SIMDETR_ERROR_CONFIG_VALUE: simdetr_status_t = 6;
/// A configuration document that is not TOML.
pub const SIMDETR_ERROR_CONFIG_SYNTAX: simdetr_status_t = 7;
/// The function's cargo feature was left out of this build.
pub const SIMDETR_ERROR_NOT_COMPILED: simdetr_status_t = 8;
/// The caller's array is too short; the count that is needed has been written.
pub const SIMDETR_ERROR_BUFFER_TOO_SMALL: simdetr_status_t = 9;

/// A tensor or array of the wrong shape.
pub const SIMDETR_ERROR_SHAPE: simdetr_status_t = 100;
/// A tensor of an unsupported element type.
pub const SIMDETR_ERROR_ELEMENT_TYPE: simdetr_status_t = 101;
/// A tensor on an unsupported device.
pub const SIMDETR_ERROR_DEVICE: simdetr_status_t = 102;
/// A tensor with unsupported strides.
pub const SIMDETR_ERROR_STRIDES: simdetr_status_t = 103;
/// A read-only tensor was given for output.
pub const SIMDETR_ERROR_READ_ONLY: simdetr_status_t = 104;
/// NaN or infinity where only finite numbers make sense.
pub const SIMDETR_ERROR_NON_FINITE: simdetr_status_t = 105;
/// A vector of norm zero has no direction.
pub const SIMDETR_ERROR_ZERO_VECTOR: simdetr_status_t = 106;
/// More clusters asked for than there are vectors.
pub const SIMDETR_ERROR_TOO_FEW_POINTS: simdetr_status_t = 107;
/// An iteration that rounding, or numbers far outside the usual, keep from its end.
pub const SIMDETR_ERROR_NOT_CONVERGED: simdetr_status_t = 108;

/// No usable CUDA device or driver.
pub const SIMDETR_ERROR_CUDA_UNAVAILABLE: simdetr_status_t = 200;

/// libonnxruntime was not found or is too old; the message lists what was tried.
pub const SIMDETR_ERROR_ONNX_LIBRARY: simdetr_status_t = 300;
/// The ONNX file is not a model, or not one of an encoder.
pub const SIMDETR_ERROR_ONNX_MODEL: simdetr_status_t = 301;
/// The execution provider cannot run the whole model.
pub const SIMDETR_ERROR_ONNX_PROVIDER: simdetr_status_t = 302;

/// The operating system refused.
pub const SIMDETR_ERROR_IO: simdetr_status_t = 400;
/// Bytes that are not a readable image.
pub const SIMDETR_ERROR_IMAGE_DECODE: simdetr_status_t = 401;
/// An image over `pixels_max` or `bytes_max`.
pub const SIMDETR_ERROR_IMAGE_TOO_LARGE: simdetr_status_t = 402;
/// A folder without any file that could be an image.
pub const SIMDETR_ERROR_NO_IMAGES: simdetr_status_t = 403;
/// A folder in which every image is broken.
pub const SIMDETR_ERROR_NO_READABLE_IMAGE: simdetr_status_t = 404;
/// The output folder holds another run.
pub const SIMDETR_ERROR_RUN_MISMATCH: simdetr_status_t = 405;
/// An earlier step of the run has not been done.
pub const SIMDETR_ERROR_RUN_STEP: simdetr_status_t = 406;
/// A file that is truncated, damaged or of another version.
pub const SIMDETR_ERROR_FORMAT: simdetr_status_t = 407;
/// A weights file without the parameters that the network needs.
pub const SIMDETR_ERROR_WEIGHT_NAMES: simdetr_status_t = 408;
/// Annotations of images that are not in the folder.
pub const SIMDETR_ERROR_MISSING_IMAGES: simdetr_status_t = 409;
/// A path that is not written: a folder, read-only, or what another program wrote.
pub const SIMDETR_ERROR_OUTPUT: simdetr_status_t = 420;
/// An image in a format that is known by name but not read, such as HEIC.
pub const SIMDETR_ERROR_UNSUPPORTED_IMAGE: simdetr_status_t = 421;
/// A hidden file, one whose name is not UTF-8 or one of an unsupported format, under `strict`.
pub const SIMDETR_ERROR_LEFT_OUT: simdetr_status_t = 422;
/// Another process, or another call, is writing into the folder.
pub const SIMDETR_ERROR_LOCKED: simdetr_status_t = 410;

/// A loss or a gradient that is not finite; the last checkpoint is whole.
pub const SIMDETR_ERROR_DIVERGED: simdetr_status_t = 500;

/// The cancel token was set while the call ran.
pub const SIMDETR_ERROR_CANCELLED: simdetr_status_t = 900;
/// A callback of the host answered something that is neither 0 nor negative.
pub const SIMDETR_ERROR_HOST_CALLBACK: simdetr_status_t = 901;
/// A defect of the library was caught; the handle is poisoned.
pub const SIMDETR_ERROR_PANIC: simdetr_status_t = 902;
/// An earlier call on this handle failed with `SIMDETR_ERROR_PANIC`, or with
/// `SIMDETR_ERROR_HOST_CONTRACT` while it changed the handle; only destroy works.
pub const SIMDETR_ERROR_POISONED: simdetr_status_t = 903;
/// A condition that should not arise.
pub const SIMDETR_ERROR_INTERNAL: simdetr_status_t = 904;
/// A callback of the host did what its documentation excludes, such as a `parallel_for` that calls
/// a task twice or not at all. The call ended where it was: a handle that it was changing is
/// poisoned, one that it took `const` is as it was.
pub const SIMDETR_ERROR_HOST_CONTRACT: simdetr_status_t = 910;
/// Memory that the machine does not have, or that a limit forbids; the message has the numbers.
pub const SIMDETR_ERROR_OUT_OF_MEMORY: simdetr_status_t = 905;

/// The name of a status.
///
/// @param[in] status Any number.
/// @return A static string such as "SIMDETR_ERROR_SHAPE"; "host" for negative numbers, "unknown"
/// for numbers that this library does not use. Never NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn simdetr_status_name(status: simdetr_status_t) -> *const c_char {
    name_of(status).as_ptr()
}

/// The one map from errors to numbers, and the numbers' names.
macro_rules! statuses {
    ($($variant:ident => $constant:ident,)+) => {
        pub(super) fn status_of(error: &Error) -> simdetr_status_t {
            match error {
                Error::HostCallback { status, .. } if *status < 0 => *status,
                $(Error::$variant { .. } => $constant,)+
            }
        }

        fn name_of(status: simdetr_status_t) -> &'static CStr {
            match status {
                SIMDETR_OK => c"SIMDETR_OK",
                SIMDETR_ERROR_PANIC => c"SIMDETR_ERROR_PANIC",
                $($constant => const {
                    match CStr::from_bytes_with_nul(concat!(stringify!($constant), "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => panic!("a stringified name holds no NUL"),
                    }
                },)+
                i32::MIN..0 => c"host",
                _ => c"unknown",
            }
        }

        #[cfg(test)]
        const NAMED: &[simdetr_status_t] = &[SIMDETR_OK, SIMDETR_ERROR_PANIC, $($constant),+];
    };
}

statuses! {
    InvalidArgument => SIMDETR_ERROR_INVALID_ARGUMENT,
    NullPointer => SIMDETR_ERROR_NULL_POINTER,
    StructSize => SIMDETR_ERROR_STRUCT_SIZE,
    UnknownOption => SIMDETR_ERROR_UNKNOWN_OPTION,
    UnknownKey => SIMDETR_ERROR_UNKNOWN_KEY,
    ConfigValue => SIMDETR_ERROR_CONFIG_VALUE,
    ConfigSyntax => SIMDETR_ERROR_CONFIG_SYNTAX,
    NotCompiled => SIMDETR_ERROR_NOT_COMPILED,
    BufferTooSmall => SIMDETR_ERROR_BUFFER_TOO_SMALL,
    Shape => SIMDETR_ERROR_SHAPE,
    ElementType => SIMDETR_ERROR_ELEMENT_TYPE,
    Device => SIMDETR_ERROR_DEVICE,
    Strides => SIMDETR_ERROR_STRIDES,
    ReadOnly => SIMDETR_ERROR_READ_ONLY,
    NonFinite => SIMDETR_ERROR_NON_FINITE,
    ZeroVector => SIMDETR_ERROR_ZERO_VECTOR,
    TooFewPoints => SIMDETR_ERROR_TOO_FEW_POINTS,
    NotConverged => SIMDETR_ERROR_NOT_CONVERGED,
    CudaUnavailable => SIMDETR_ERROR_CUDA_UNAVAILABLE,
    OnnxLibrary => SIMDETR_ERROR_ONNX_LIBRARY,
    OnnxModel => SIMDETR_ERROR_ONNX_MODEL,
    OnnxProvider => SIMDETR_ERROR_ONNX_PROVIDER,
    Io => SIMDETR_ERROR_IO,
    ImageDecode => SIMDETR_ERROR_IMAGE_DECODE,
    ImageTooLarge => SIMDETR_ERROR_IMAGE_TOO_LARGE,
    NoImages => SIMDETR_ERROR_NO_IMAGES,
    NoReadableImage => SIMDETR_ERROR_NO_READABLE_IMAGE,
    MissingImages => SIMDETR_ERROR_MISSING_IMAGES,
    RunMismatch => SIMDETR_ERROR_RUN_MISMATCH,
    RunStep => SIMDETR_ERROR_RUN_STEP,
    Format => SIMDETR_ERROR_FORMAT,
    WeightNames => SIMDETR_ERROR_WEIGHT_NAMES,
    Output => SIMDETR_ERROR_OUTPUT,
    UnsupportedImage => SIMDETR_ERROR_UNSUPPORTED_IMAGE,
    LeftOut => SIMDETR_ERROR_LEFT_OUT,
    Locked => SIMDETR_ERROR_LOCKED,
    Diverged => SIMDETR_ERROR_DIVERGED,
    Cancelled => SIMDETR_ERROR_CANCELLED,
    HostCallback => SIMDETR_ERROR_HOST_CALLBACK,
    HostContract => SIMDETR_ERROR_HOST_CONTRACT,
    Poisoned => SIMDETR_ERROR_POISONED,
    Internal => SIMDETR_ERROR_INTERNAL,
    OutOfMemory => SIMDETR_ERROR_OUT_OF_MEMORY,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// That each variant has a number the compiler sees to; here, that no two have the same one and
    /// that none is declared for nothing.
    #[test]
    fn every_number_belongs_to_one_variant_and_has_a_name() {
        let numbers: BTreeSet<_> = NAMED.iter().copied().collect();
        assert_eq!(numbers.len(), NAMED.len());
        let constants =
            include_str!("status.rs").matches(concat!("pub const ", "SIMDETR_")).count();
        assert_eq!(constants, NAMED.len());
        assert!(NAMED.iter().all(|&number| name_of(number) != c"unknown"));
    }

    #[test]
    fn negative_answers_of_callbacks_pass_through() {
        let error = Error::HostCallback { callback: "encode", status: -17 };
        assert_eq!(status_of(&error), -17);
        assert_eq!(name_of(-17), c"host");
        assert_eq!(name_of(99), c"unknown");
        assert_eq!(name_of(SIMDETR_ERROR_SHAPE), c"SIMDETR_ERROR_SHAPE");
    }
}

//! Versions: of the library, and of its binary interface.
//!
//! Both come from Cargo.toml when the library is compiled; the header's macros come from the same
//! place, so a program can compare what it was compiled with and what it runs with.

use std::ffi::{CStr, c_char};

const fn number(text: &str) -> u32 {
    let (bytes, mut value, mut index) = (text.as_bytes(), 0, 0);
    while index < bytes.len() {
        value = value * 10 + (bytes[index] - b'0') as u32;
        index += 1;
    }
    value
}

const MAJOR: u32 = number(env!("CARGO_PKG_VERSION_MAJOR"));
const MINOR: u32 = number(env!("CARGO_PKG_VERSION_MINOR"));
const PATCH: u32 = number(env!("CARGO_PKG_VERSION_PATCH"));

const TEXT: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version holds no NUL"),
    };

/// The library's version.
///
/// @return `major << 16 | minor << 8 | patch`; compare with `SIMDETR_VERSION`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn simdetr_version() -> u32 {
    MAJOR << 16 | MINOR << 8 | PATCH
}

/// The library's version as text.
///
/// @return A static string such as "0.1.0".
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn simdetr_version_string() -> *const c_char {
    TEXT.as_ptr()
}

/// The version of the binary interface, which is also in the file name of the shared library.
///
/// @return `major << 8` from 1.0 on, and the minor number before; a program works with every
/// library that answers the `SIMDETR_ABI_VERSION` it was compiled with.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn simdetr_abi_version() -> u32 {
    if MAJOR == 0 { MINOR } else { MAJOR << 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_text_agree() {
        assert_eq!(TEXT.to_str().unwrap(), format!("{MAJOR}.{MINOR}.{PATCH}"));
        assert_eq!(number("120"), 120);
        assert_eq!(simdetr_version() >> 16, MAJOR);
    }
}

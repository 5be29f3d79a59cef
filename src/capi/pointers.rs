//! Pointers of the host, turned into references; the argument's name stands in the error.
//!
//! Plain functions instead of macros: a macro around an exported function would hide it from
//! cbindgen.

use crate::{Error, Result};
use std::ffi::{CStr, c_char};

fn checked<T>(pointer: *const T, name: &str) -> Result<()> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(refusal(pointer.cast(), align_of::<T>(), name));
    }
    Ok(())
}

#[cold]
fn refusal(pointer: *const (), alignment: usize, name: &str) -> Error {
    if pointer.is_null() {
        return Error::NullPointer { argument: name.into() };
    }
    Error::invalid(name, format!("{pointer:p} is not aligned to {alignment} bytes"))
}

/// A borrowed argument.
///
/// # Safety
/// `pointer` is NULL or points to a `T` that nobody writes during `'a`.
pub(super) unsafe fn borrow<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    checked(pointer, name)?;
    // SAFETY: checked; the rest is the caller's promise.
    Ok(unsafe { &*pointer })
}

/// An argument that the call may change.
///
/// # Safety
/// `pointer` is NULL or points to a `T` that only this call uses during `'a`.
pub(super) unsafe fn borrow_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T> {
    checked(pointer, name)?;
    // SAFETY: checked; the rest is the caller's promise.
    Ok(unsafe { &mut *pointer })
}

/// A place for an answer. It may be uninitialised, so it is written through [`Output::set`] only.
pub(super) struct Output<T>(*mut T);

impl<T> Output<T> {
    pub(super) fn set(self, value: T) {
        // SAFETY: `output` checked the pointer, and its caller promised that it can be written.
        unsafe { self.0.write(value) }
    }
}

/// # Safety
/// `pointer` is NULL or can be written as a `T` during the call.
pub(super) unsafe fn output<T>(pointer: *mut T, name: &str) -> Result<Output<T>> {
    checked(pointer, name)?;
    Ok(Output(pointer))
}

fn checked_count<T>(pointer: *const T, count: usize, name: &str) -> Result<()> {
    checked(pointer, name)?;
    if count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::invalid(name, format!("{count} elements do not fit into memory")));
    }
    Ok(())
}

/// An array argument; a count of 0 allows NULL.
///
/// # Safety
/// `pointer` is NULL or points to `count` values that nobody writes during `'a`.
pub(super) unsafe fn slice<'a, T>(pointer: *const T, count: usize, name: &str) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    checked_count(pointer, count, name)?;
    // SAFETY: checked; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// An array that the call fills; a count of 0 allows NULL.
///
/// # Safety
/// `pointer` is NULL or points to `count` initialised values that only this call uses during `'a`.
pub(super) unsafe fn slice_mut<'a, T>(
    pointer: *mut T,
    count: usize,
    name: &str,
) -> Result<&'a mut [T]> {
    if count == 0 {
        return Ok(&mut []);
    }
    checked_count(pointer.cast_const(), count, name)?;
    // SAFETY: checked; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, count) })
}

/// A NUL-terminated UTF-8 string.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that nobody writes during `'a`.
pub(super) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    checked(pointer, name)?;
    // SAFETY: checked; the rest is the caller's promise.
    let bytes = unsafe { CStr::from_ptr(pointer) };
    bytes.to_str().map_err(|error| {
        Error::invalid(name, format!("not UTF-8 from byte {} on", error.valid_up_to()))
    })
}

/// A string that may be absent.
///
/// # Safety
/// As [`text`].
pub(super) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise is the same.
    unsafe { text(pointer, name) }.map(Some)
}

/// An array of strings.
///
/// # Safety
/// `pointer` is NULL or points to `count` strings as [`text`] wants them.
pub(super) unsafe fn texts<'a>(
    pointer: *const *const c_char,
    count: usize,
    name: &str,
) -> Result<Vec<&'a str>> {
    // SAFETY: the caller's promise is the same.
    let pointers = unsafe { slice(pointer, count, name) }?;
    let each = pointers.iter().enumerate();
    // SAFETY: each entry is promised to be a string.
    each.map(|(index, entry)| unsafe { text(*entry, &format!("{name}[{index}]")) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_misaligned_and_huge_are_named() {
        let values = [1.0f32, 2.0];
        // SAFETY: each pointer is NULL, valid, or refused before it is read.
        unsafe {
            assert!(slice::<f32>(std::ptr::null(), 0, "boxes").unwrap().is_empty());
            assert_eq!(slice(values.as_ptr(), 2, "boxes").unwrap(), &values);
            let error = slice::<f32>(std::ptr::null(), 1, "boxes").unwrap_err();
            assert_eq!(error.to_string(), "boxes: must not be NULL");
            let crooked = values.as_ptr().cast::<u8>().add(1).cast::<f32>();
            assert!(slice(crooked, 1, "boxes").unwrap_err().to_string().contains("aligned"));
            assert!(slice(values.as_ptr(), usize::MAX / 2, "boxes").is_err());
            assert!(text(c"\xff".as_ptr(), "path").unwrap_err().to_string().contains("byte 0"));
            assert_eq!(optional_text(std::ptr::null(), "path").unwrap(), None);
            let list = [c"a".as_ptr(), std::ptr::null()];
            let error = texts(list.as_ptr(), 2, "paths").unwrap_err();
            assert_eq!(error.to_string(), "paths[1]: must not be NULL");
        }
    }
}

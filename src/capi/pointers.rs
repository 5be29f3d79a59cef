//! Pointers of the host, turned into references; the argument's name stands in the error.
//!
//! Plain functions instead of macros: a macro around an exported function would hide it from
//! cbindgen.

use crate::{Error, Result};
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ops::Range;

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

/// What may be left out: `None` for NULL.
pub(super) fn optional<P, T>(
    pointer: *const P,
    read: impl FnOnce(*const P) -> Result<T>,
) -> Result<Option<T>> {
    if pointer.is_null() { Ok(None) } else { read(pointer).map(Some) }
}

/// Writes a value that the caller may not want.
///
/// # Safety
/// As [`output`].
pub(super) unsafe fn set_wanted<T>(pointer: *mut T, value: T, name: &str) -> Result<()> {
    if pointer.is_null() { Ok(()) } else { output(pointer, name).map(|place| place.set(value)) }
}

/// Writes the count that `argument` needs, and says whether it is to be filled: a capacity of 0 only
/// asks.
///
/// # Errors
/// [`Error::BufferTooSmall`] after the count was written.
///
/// # Safety
/// As [`output`].
pub(super) unsafe fn has_room(
    count: *mut usize,
    (needed, capacity): (usize, usize),
    argument: &str,
) -> Result<bool> {
    output(count, "count")?.set(needed);
    room_for((needed, capacity), argument)
}

/// Whether an array is to be filled, once its counts are written.
///
/// # Errors
/// [`Error::BufferTooSmall`].
pub(super) fn room_for((needed, capacity): (usize, usize), argument: &str) -> Result<bool> {
    if capacity > 0 && capacity < needed {
        return Err(Error::BufferTooSmall { argument: argument.into(), needed, capacity });
    }
    Ok(capacity > 0)
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

/// Element types whose value may be all zero bytes.
///
/// # Safety
/// All zero bytes are a value of the type.
pub(super) unsafe trait Zero: Copy {}
// SAFETY: 0.
unsafe impl Zero for u8 {}
// SAFETY: 0.
unsafe impl Zero for f32 {}

/// An array for an answer. It may be uninitialised, so it is written through its pointer, and no
/// `&mut [T]` is formed over it before every value is there.
#[derive(Debug)]
pub(super) struct OutputArray<'a, T> {
    start: *mut T,
    count: usize,
    lent: PhantomData<&'a mut T>,
}

impl<'a, T: Copy> OutputArray<'a, T> {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The addresses that it covers.
    pub(super) fn addresses(&self) -> Range<usize> {
        let start = self.start.addr();
        start..start + self.count * size_of::<T>()
    }

    /// Fills it with as many values.
    pub(super) fn copy_from(self, values: &[T]) {
        debug_assert_eq!(values.len(), self.count);
        let count = values.len().min(self.count);
        if count > 0 {
            // SAFETY: `output_array` checked the pointer, and its caller promised that `count`
            // values can be written; `copy` allows them to lie over what is read.
            unsafe { self.start.copy_from(values.as_ptr(), count) }
        }
    }

    /// Fills it from its start on with what `values` gives, which is as much.
    pub(super) fn fill_from(self, values: impl IntoIterator<Item = T>) {
        for (index, value) in values.into_iter().take(self.count).enumerate() {
            // SAFETY: as in `copy_from`; the index is below the count.
            unsafe { self.start.add(index).write(value) }
        }
    }

    /// Writes zeros and lends the array to an algorithm that needs a slice; costs one pass over
    /// the memory.
    pub(super) fn zeroed(self) -> &'a mut [T]
    where
        T: Zero,
    {
        if self.count == 0 {
            return &mut [];
        }
        // SAFETY: as in `copy_from`; zero bytes are values, so the slice is initialised, and the
        // caller of `output_array` promised that only this call uses it.
        unsafe {
            self.start.write_bytes(0, self.count);
            std::slice::from_raw_parts_mut(self.start, self.count)
        }
    }
}

impl<'a> OutputArray<'a, i32> {
    /// The same memory for numbers without a sign.
    pub(super) fn cast_unsigned(self) -> OutputArray<'a, u32> {
        OutputArray { start: self.start.cast(), count: self.count, lent: PhantomData }
    }
}

/// An array that the call fills; a count of 0 allows NULL.
///
/// # Safety
/// `pointer` is NULL or points to room for `count` values, initialised or not, that only this call
/// uses during `'a`.
pub(super) unsafe fn output_array<'a, T>(
    pointer: *mut T,
    count: usize,
    name: &str,
) -> Result<OutputArray<'a, T>> {
    if count > 0 {
        checked_count(pointer.cast_const(), count, name)?;
    }
    Ok(OutputArray { start: pointer, count, lent: PhantomData })
}

/// Copies `values` to `target` where the host wants them.
///
/// # Safety
/// `target` is NULL or has room for all of them.
pub(super) unsafe fn copy_wanted<T: Copy>(target: *mut T, values: &[T], name: &str) -> Result<()> {
    if !target.is_null() {
        output_array(target, values.len(), name)?.copy_from(values);
    }
    Ok(())
}

/// Copies `text` and a NUL, for which there is room.
///
/// # Safety
/// `target` is NULL or has room for one byte more than `text`.
pub(super) unsafe fn copy_text(target: *mut c_char, text: &str, name: &str) -> Result<()> {
    let target = output_array(target.cast::<u8>(), text.len() + 1, name)?;
    target.fill_from(text.bytes().chain([0]));
    Ok(())
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
    text(pointer, name).map(Some)
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
    let pointers = slice(pointer, count, name)?;
    let each = pointers.iter().enumerate();
    // SAFETY: each entry is promised to be a string.
    each.map(|(index, entry)| unsafe { text(*entry, &format!("{name}[{index}]")) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_may_be_uninitialised() {
        use std::mem::MaybeUninit;
        let mut memory = [MaybeUninit::<f32>::uninit(); 6];
        let start = memory.as_mut_ptr().cast::<f32>();
        // SAFETY: the parts lie in `memory`, apart from each other.
        let zeros = unsafe {
            output_array(start, 2, "t").unwrap().copy_from(&[1.0, 2.0]);
            output_array(start.add(2), 2, "t").unwrap().fill_from([3.0, 4.0]);
            output_array(start.add(4), 2, "t").unwrap().zeroed()
        };
        assert_eq!(zeros, [0.0, 0.0]);
        // SAFETY: all six have been written.
        let values = memory.map(|value| unsafe { value.assume_init() });
        assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 0.0, 0.0]);
        let mut name = [MaybeUninit::<c_char>::uninit(); 4];
        // SAFETY: room for three letters and the NUL, all of which are written.
        unsafe {
            copy_text(name.as_mut_ptr().cast(), "abc", "name").unwrap();
            assert_eq!(text(name.as_ptr().cast(), "name").unwrap(), "abc");
            let error = output_array::<f32>(std::ptr::null_mut(), 1, "labels").unwrap_err();
            assert_eq!(error.to_string(), "labels: must not be NULL");
            assert!(output_array::<f32>(std::ptr::null_mut(), 0, "labels").unwrap().len() == 0);
        }
    }

    /// A slice over memory of the host claims that it is initialised: only one place may, after
    /// it has written zeros.
    #[test]
    fn no_other_file_of_the_border_forms_mutable_slices() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/capi");
        let name = concat!("from_raw_parts", "_mut(");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let uses = std::fs::read_to_string(&path).unwrap().matches(name).count();
            assert_eq!(uses, usize::from(path.ends_with("pointers.rs")), "{}", path.display());
        }
    }

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

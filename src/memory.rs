//! Memory whose size a caller, a configuration or a file decides.
//!
//! `Vec` ends the process where the system refuses it memory, and a system that promises more than it
//! has ends the process later, when the memory is touched. A library must do neither to its host: what
//! may be large is taken here, where a refusal is [`Error::OutOfMemory`], and before something is taken
//! that is very large, it is compared with what the machine has ([`machine`]). Memory that vector code reads
//! starts on a cache line, and large blocks go back to the system when they are freed ([`aligned`]).

pub mod aligned;
mod machine;
mod pages;

use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes from which on a request is compared with what the machine has: less than this is refused by
/// the system itself, or there.
const COMPARED_BYTES_MIN: u64 = 64 << 20;

/// Bytes from which on [`probe`] asks.
const PROBED_BYTES_MIN: u64 = 1 << 20;
/// Left for everything small beside a request that is compared.
const RESERVE_BYTES: u64 = 32 << 20;

/// Bytes that this process can still take, as far as the system says: the machine's free memory, and
/// what the process's own limits and its control groups leave. `None` where the system does not say.
pub fn available_bytes() -> Option<u64> {
    machine::available_bytes()
}

/// Refuses `needed_bytes` for `what` where the machine does not have them. `advice` says what would
/// take less; it may be empty.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn check(what: &str, needed_bytes: u64, advice: &str) -> Result<()> {
    if needed_bytes < COMPARED_BYTES_MIN {
        return Ok(());
    }
    match available_bytes() {
        Some(available) if available < needed_bytes.saturating_add(RESERVE_BYTES) => {
            let (what, advice) = (what.into(), advice.into());
            let available_bytes = Some(available);
            Err(Error::OutOfMemory { what, needed_bytes, available_bytes, advice })
        }
        _ => Ok(()),
    }
}

/// Makes room for `additional` more elements.
///
/// # Errors
/// [`Error::OutOfMemory`]; `values` is then as it was.
pub fn reserve<T>(values: &mut Vec<T>, additional: usize, what: &str) -> Result<()> {
    if values.capacity() - values.len() >= additional {
        return Ok(());
    }
    let needed_bytes = bytes_of::<T>(values.len().saturating_add(additional));
    check(what, needed_bytes, "")?;
    values.try_reserve_exact(additional).map_err(|_| refused(what, needed_bytes))
}

/// An empty vector with room for `capacity` elements.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn with_capacity<T>(capacity: usize, what: &str) -> Result<Vec<T>> {
    let mut values = Vec::new();
    reserve(&mut values, capacity, what)?;
    Ok(values)
}

/// `length` times `value`.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn filled<T: Clone>(value: T, length: usize, what: &str) -> Result<Vec<T>> {
    let mut values = with_capacity(length, what)?;
    values.resize(length, value);
    Ok(values)
}

/// Makes `values` `length` long; what is new is `value`.
///
/// # Errors
/// [`Error::OutOfMemory`]; `values` is then as it was.
pub fn resize<T: Clone>(values: &mut Vec<T>, length: usize, value: T, what: &str) -> Result<()> {
    reserve(values, length.saturating_sub(values.len()), what)?;
    values.resize(length, value);
    Ok(())
}

/// A copy.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn copied<T: Clone>(values: &[T], what: &str) -> Result<Vec<T>> {
    let mut copy = with_capacity(values.len(), what)?;
    copy.extend_from_slice(values);
    Ok(copy)
}

/// Asks for `bytes` and gives them back: for what is about to be taken where there is no answer but to
/// end the process, in code of others and inside loops that have no errors. Small requests pass.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn probe(bytes: u64, what: &str) -> Result<()> {
    if bytes < PROBED_BYTES_MIN {
        return Ok(());
    }
    let length = usize::try_from(bytes).map_err(|_| refused(what, bytes))?;
    with_capacity::<u8>(length, what).map(drop)
}

/// The bytes of a file.
///
/// # Errors
/// [`Error::Io`]; [`Error::OutOfMemory`].
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let io = |source| Error::io(path, source);
    let mut file = File::open(path).map_err(io)?;
    let length = usize::try_from(file.metadata().map_err(io)?.len()).unwrap_or(usize::MAX);
    // One byte more shows the end without another growth.
    let mut bytes = with_capacity(length.saturating_add(1), &path.display().to_string())?;
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// The error of a request that the system refused.
pub fn refused(what: &str, needed_bytes: u64) -> Error {
    let available_bytes = available_bytes();
    Error::OutOfMemory { what: what.into(), needed_bytes, available_bytes, advice: String::new() }
}

/// Bytes of `length` elements; the largest number where they are more.
pub fn bytes_of<T>(length: usize) -> u64 {
    (length as u64).saturating_mul(size_of::<T>() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_a_typed_error_with_the_numbers() {
        for result in [
            with_capacity::<f32>(usize::MAX / 2, "a table").map(drop),
            filled(0.0f64, 1 << 58, "a table").map(drop),
            resize(&mut vec![1u8], usize::MAX, 0, "a table"),
            probe(u64::MAX, "a table"),
        ] {
            let error = result.unwrap_err();
            assert!(
                matches!(&error, Error::OutOfMemory { what, needed_bytes, .. }
                    if what == "a table" && *needed_bytes > 1 << 60),
                "{error}"
            );
        }
    }

    #[test]
    fn what_there_is_is_given() {
        assert_eq!(filled(7u8, 3, "three").unwrap(), [7; 3]);
        let mut values = vec![1u16, 2];
        resize(&mut values, 4, 9, "four").unwrap();
        assert_eq!(values, [1, 2, 9, 9]);
        resize(&mut values, 1, 9, "one").unwrap();
        assert_eq!(copied(&values, "one").unwrap(), [1]);
        probe(0, "nothing").unwrap();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert_eq!(read_file(&manifest).unwrap(), std::fs::read(&manifest).unwrap());
        assert!(matches!(read_file(Path::new("/missing/file")), Err(Error::Io { .. })));
    }

    #[test]
    fn a_refusal_says_how_much_was_needed() {
        let message = refused("a table", 5_000_000).to_string();
        assert!(message.starts_with("out of memory: a table: 5.0 MB (5000000 bytes) needed, "));
    }
}

//! What identifies content, wherever it lies and whatever it is called: 128 bits of SipHash-1-3.
//!
//! A run is known by what it reads (`pipeline::workspace::identity`), so two contents must not be
//! taken for one: at 128 bits that does not happen by chance. It guards against mistakes and not
//! against forgery, which leaves the key at zero. The algorithm is fixed by its paper (Aumasson
//! and Bernstein, 2012), so that what one version of the library wrote another one compares.

use crate::{Error, Result};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::fs::File;
use std::hash::Hasher;
use std::io::Read;
use std::path::Path;

/// Bytes that are read at a time; a model may be larger than the memory.
const BLOCK_BYTES: usize = 1 << 17;

/// Takes content piece by piece; how it is cut does not matter.
#[derive(Default)]
pub struct ContentHasher {
    hasher: SipHasher13,
    length: u64,
}

impl ContentHasher {
    /// Nothing yet.
    pub fn new() -> ContentHasher {
        ContentHasher::default()
    }

    /// Appends `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
        self.length += bytes.len() as u64;
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The fingerprint of all bytes so far.
    pub fn finish(&self) -> u128 {
        self.hasher.finish128().as_u128()
    }
}

/// The fingerprint of bytes at hand.
pub fn of_bytes(bytes: &[u8]) -> u128 {
    let mut hasher = ContentHasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// Length in bytes and fingerprint of a file's content.
///
/// # Errors
/// [`Error::Io`].
pub fn of_file(path: &Path) -> Result<(u64, u128)> {
    let failed = |source| Error::io(path, source);
    let mut file = File::open(path).map_err(failed)?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut hasher = ContentHasher::new();
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok((hasher.length(), hasher.finish())),
            Ok(count) => hasher.update(&block[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// `length:fingerprint` of a file's content, as records and messages show it.
///
/// # Errors
/// [`Error::Io`].
pub fn text_of_file(path: &Path) -> Result<String> {
    let (length, fingerprint) = of_file(path)?;
    Ok(text(length, fingerprint))
}

/// `length:fingerprint`.
pub fn text(length: u64, fingerprint: u128) -> String {
    format!("{length}:{fingerprint:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_bytes_and_pieces_of_one_content_agree_and_others_differ() {
        let bytes: Vec<u8> = (0..2 * BLOCK_BYTES + 3).map(|index| (index % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("content");
        std::fs::write(&path, &bytes).unwrap();
        let whole = of_bytes(&bytes);
        assert_eq!(of_file(&path).unwrap(), (bytes.len() as u64, whole));
        assert_ne!(of_bytes(&bytes[1..]), whole);
        let mut hasher = ContentHasher::new();
        bytes.chunks(7).for_each(|piece| hasher.update(piece));
        assert_eq!((hasher.length(), hasher.finish()), (bytes.len() as u64, whole));
        assert!(of_file(&folder.path().join("none")).is_err());
    }

    /// Records of other machines and versions are compared with ours.
    #[test]
    fn the_fingerprint_is_the_same_for_ever() {
        assert_eq!(text(0, of_bytes(b"")), "0:b91c5ed031fb33032134935d61d9b40d");
        assert_eq!(text(3, of_bytes(b"abc")), "3:f62f6f431c20d2cd64b4eeb45bb5ba18");
    }
}

//! Files that nobody named: they are replaced only when this library wrote what is there.
//!
//! The file that a user names as output is the user's to replace. What is written beside it under a
//! name of the library's choice (`config.json`, `report.html`) may be another program's, and is then
//! refused by its name.

use super::target::refused;
use crate::{Error, Result};
use std::io::ErrorKind;
use std::path::Path;

/// Refuses to replace a file of another program: one with something in it that `is_ours` does not
/// know. Nothing at `path`, and an empty file, are nobody's.
///
/// # Errors
/// [`Error::Output`] with the path; [`Error::Io`] when it cannot be read.
pub fn check_ours(path: &Path, is_ours: impl FnOnce(&[u8]) -> bool) -> Result<()> {
    // Reading a pipe would wait; the writer writes through it and replaces nothing.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Ok(());
    }
    match std::fs::read(path) {
        Ok(bytes) if bytes.is_empty() || is_ours(&bytes) => Ok(()),
        Ok(_) => {
            let reason = "was written by another program; it is replaced only by force (--force)";
            Err(refused(path, reason))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io(path, error)),
    }
}

/// Whether two paths lead to the same file or folder, which is there.
pub fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_or_empty_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let check = || check_ours(&path, |bytes| bytes == b"ours");
        check().unwrap();
        for (content, allowed) in [("", true), ("ours", true), ("theirs", false)] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(check().is_ok(), allowed, "{content}");
        }
        assert!(check().unwrap_err().to_string().contains("config.json"));
        assert!(is_same(&path, &folder.path().join("./config.json")));
        assert!(!is_same(&path, folder.path()));
    }
}

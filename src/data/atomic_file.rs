//! Files that are either complete or absent: written beside their name, renamed when done.
//!
//! A killed run leaves at most a `*.partial` file, which the next run overwrites (design.md §6).

use crate::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Lets `write` fill a file, then makes it durable and gives it its name.
///
/// # Errors
/// [`Error::Io`] with the path; the file of that name, if any, is then untouched and the partial
/// file is removed.
pub fn write_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<()> {
    write_by(path, |partial| {
        let attempt = || -> std::io::Result<()> {
            let mut writer = BufWriter::new(File::create(partial)?);
            write(&mut writer)?;
            writer.into_inner().map_err(std::io::IntoInnerError::into_error).map(drop)
        };
        attempt().map_err(|source| Error::io(path, source))
    })
}

/// [`write_with`] for someone who writes a file by its name: `write` gets another name and puts a
/// whole file there.
///
/// # Errors
/// Those of `write`; [`Error::Io`] with the path, also when there is no file afterwards. As in
/// [`write_with`], what lay at `path` is then untouched.
pub fn write_by(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut partial = path.as_os_str().to_os_string();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let commit = || -> std::io::Result<()> {
        File::options().write(true).open(partial)?.sync_all()?;
        std::fs::rename(partial, path)
    };
    let attempt = write(partial).and_then(|()| commit().map_err(|error| Error::io(path, error)));
    attempt.inspect_err(|_| {
        // The failure to report is the write's; a partial file that cannot be removed either is
        // overwritten by the next attempt.
        let _ = std::fs::remove_file(partial);
    })
}

/// [`write_with`] for bytes at hand.
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |writer| writer.write_all(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_partial_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("T0.json");
        write(&path, b"old").unwrap();
        let error = write_with(&path, |writer| {
            writer.write_all(b"half")?;
            Err(std::io::Error::other("disk full"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("T0.json") && error.to_string().contains("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn someone_who_writes_nothing_or_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.host");
        write_by(&path, |partial| {
            std::fs::write(partial, b"old").map_err(|e| Error::io(partial, e))
        })
        .unwrap();
        let error = write_by(&path, |_| Ok(())).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        let error = write_by(&path, |partial| {
            std::fs::write(partial, b"half").map_err(|error| Error::io(partial, error))?;
            Err(Error::HostCallback { callback: "save", status: -3 })
        });
        assert!(matches!(error.unwrap_err(), Error::HostCallback { status: -3, .. }));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

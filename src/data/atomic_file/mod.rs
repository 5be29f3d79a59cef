//! Files that the library writes: one writer, and what stands at the target decides how.
//!
//! | at the target | what happens |
//! |---|---|
//! | nothing, or a regular file | written beside it and renamed; an old file's mode is kept |
//! | a link | the same with what it points to, there or not |
//! | a device, a pipe, a descriptor of this process (`/dev/stdout`) | written through |
//! | a folder, a socket, a read-only file, anything in a read-only folder | refused |
//!
//! So a regular file is complete or absent. What a killed run leaves is a `.NAME.PID-NUMBER.partial`
//! beside the target, which [`check`] or [`check_folder`] of the next run removes (design.md §6).
//! Commands and C functions call them before long work, so that a path that cannot be written is
//! refused before it and not after it. Missing folders are made when there is something to write.

mod ownership;
mod target;
mod temporary;

pub use ownership::{check_ours, is_same};
pub use target::{STANDARD_OUTPUT, Target};
pub use temporary::Temporary;

use crate::{Error, Result};
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use target::{check_place, refused};

/// Refuses a path that [`write_with`] could not write, and removes what killed runs left beside it.
/// Nothing is made or changed.
///
/// # Errors
/// [`Error::Output`] with the reason, [`Error::Io`] where the operating system has one.
pub fn check(path: &Path) -> Result<()> {
    match Target::of(path)? {
        Target::Standard(_) => Ok(()),
        Target::Stream(stream) => target::check_stream(path, &stream),
        Target::File { path: place, permissions } => {
            if permissions.is_some() {
                // Nothing is appended: the operating system says whether it could be.
                File::options().append(true).open(&place).map_err(|e| Error::io(path, e))?;
            }
            check_place(path, temporary::folder_of(&place))?;
            temporary::remove_leftovers(&place);
            Ok(())
        }
    }
}

/// Refuses a folder in which no file could be written, there or still to be made, and removes what
/// killed runs left in it and in the folders in it.
///
/// # Errors
/// As [`check`].
pub fn check_folder(folder: &Path) -> Result<()> {
    if folder.as_os_str().is_empty() {
        return Err(refused(folder, "an empty path names no folder"));
    }
    check_place(folder, folder)?;
    temporary::remove_leftovers_in(folder);
    Ok(())
}

/// Lets `write` fill a file, then makes it durable and gives it its name; or lets it write through.
///
/// # Errors
/// [`Error::Output`] for a target that is refused; [`Error::Io`] with the path. A regular file of
/// that name, if any, is then untouched and the partial file is removed.
pub fn write_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let failed = |error| Error::io(path, error);
    let fill = |file: File| {
        let mut writer = BufWriter::new(file);
        write(&mut writer)?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)
    };
    match Target::of(path)? {
        Target::File { path: place, permissions } => {
            let attempt = || {
                make_folder_of(&place)?;
                let (partial, file) = Temporary::create(&place)?;
                // Before the content, which the old mode may hide from others.
                keep_permissions(&file, permissions)?;
                commit(partial, &fill(file)?, &place)
            };
            attempt().map_err(failed)
        }
        Target::Stream(stream) => {
            target::open_stream(&stream).and_then(fill).map(drop).map_err(failed)
        }
        Target::Standard(descriptor) => descriptor.open().and_then(fill).map(drop).map_err(failed),
    }
}

/// [`write_with`] for someone who writes a file by its name: `write` gets another name, at which
/// nothing stands, and puts a whole file there. A device or a pipe it gets itself.
///
/// # Errors
/// Those of `write`; [`Error::Io`] with the path, also when there is no file afterwards. As in
/// [`write_with`], what lay at `path` is then untouched.
pub fn write_by(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = |error| Error::io(path, error);
    let Target::File { path: place, permissions } = Target::of(path)? else {
        return write(path);
    };
    make_folder_of(&place).map_err(failed)?;
    let (partial, file) = Temporary::create(&place).map_err(failed)?;
    drop(file);
    std::fs::remove_file(partial.path()).map_err(failed)?;
    write(partial.path())?;
    let finish = || {
        let file = File::options().write(true).open(partial.path())?;
        keep_permissions(&file, permissions)?;
        commit(partial, &file, &place)
    };
    finish().map_err(failed)
}

/// [`write_with`] for bytes at hand.
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |writer| writer.write_all(bytes))
}

fn make_folder_of(place: &Path) -> io::Result<()> {
    std::fs::create_dir_all(temporary::folder_of(place))
}

/// Gives the new file the mode of the old one. File systems without modes refuse to change any, so
/// a mode that is right already is left alone.
fn keep_permissions(file: &File, permissions: Option<Permissions>) -> io::Result<()> {
    match permissions {
        Some(old) if file.metadata()?.permissions() != old => file.set_permissions(old),
        _ => Ok(()),
    }
}

fn commit(partial: Temporary, file: &File, place: &Path) -> io::Result<()> {
    file.sync_all()?;
    std::fs::rename(partial.path(), place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_partial_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("T0.json");
        write(&path, b"old").unwrap();
        let error = write_with(&path, |writer| {
            writer.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("T0.json") && error.to_string().contains("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["T0.json"]);
    }

    #[test]
    fn someone_who_writes_nothing_or_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.host");
        write_by(&path, |partial| {
            assert!(!partial.exists());
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
        assert_eq!(names(folder.path()), ["state.host"]);
    }

    #[test]
    fn writers_of_one_target_never_share_a_partial_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("T0.json");
        write_with(&path, |outer| {
            outer.write_all(b"outer")?;
            write(&path, b"inner").map_err(io::Error::other)?;
            assert_eq!(std::fs::read(&path)?, b"inner");
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"outer");
        assert_eq!(names(folder.path()), ["T0.json"]);
    }

    #[test]
    fn missing_folders_are_made_with_the_file_and_not_by_the_check() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/T0.json");
        check(&path).unwrap();
        check_folder(&folder.path().join("c/d")).unwrap();
        assert!(names(folder.path()).is_empty());
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }
}

//! What stands at a path that is to be written, and whether it can be.

use super::temporary::{Temporary, folder_of};
use crate::{Error, Result};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The path of this process's standard output.
pub const STANDARD_OUTPUT: &str = "/dev/stdout";
const STANDARD_ERROR: &str = "/dev/stderr";

/// Links that are followed, as Linux does.
const LINKS_MAX: usize = 40;

/// Where what is written goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A regular file or none, at the end of all links; the old one's mode.
    File { path: PathBuf, permissions: Option<Permissions> },
    /// A device or a pipe.
    Stream(PathBuf),
    /// A descriptor that this process has from its parent, whatever it leads to.
    Standard(Standard),
}

/// A standard stream that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standard {
    Output,
    Error,
}

impl Standard {
    /// The descriptor itself under another number: opening its path anew would begin at the start
    /// of a file that others write to as well.
    #[cfg(unix)]
    pub(super) fn open(self) -> io::Result<File> {
        use std::os::fd::AsFd;
        let descriptor = match self {
            Standard::Output => io::stdout().as_fd().try_clone_to_owned(),
            Standard::Error => io::stderr().as_fd().try_clone_to_owned(),
        };
        descriptor.map(File::from)
    }

    #[cfg(not(unix))]
    pub(super) fn open(self) -> io::Result<File> {
        Err(ErrorKind::Unsupported.into())
    }
}

impl Target {
    /// That of [`STANDARD_OUTPUT`].
    pub fn standard_output() -> Target {
        Target::Standard(Standard::Output)
    }

    /// Looks at what stands at `path`; nothing is opened.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder, a socket, a read-only file and a path without a name;
    /// [`Error::Io`].
    pub fn of(path: &Path) -> Result<Target> {
        let place = match follow(path)? {
            Place::Standard(standard) => return Ok(Target::Standard(standard)),
            Place::Descriptor(place) => return Ok(Target::Stream(place)),
            Place::Path(place) => place,
        };
        let ends_as_folder =
            place.as_os_str().as_encoded_bytes().last().is_some_and(|last| *last == b'/');
        match std::fs::metadata(&place) {
            Ok(found) if found.is_dir() => Err(refused(path, "is a folder, not a file")),
            Ok(found) if found.permissions().readonly() => Err(refused(path, "is read-only")),
            Ok(found) if found.is_file() => {
                Ok(Target::File { path: place, permissions: Some(found.permissions()) })
            }
            Ok(found) if is_socket(&found) => Err(refused(path, "is a socket")),
            Ok(_) => Ok(Target::Stream(place)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match place.file_name().is_some() && !ends_as_folder {
                    true => Ok(Target::File { path: place, permissions: None }),
                    false => Err(refused(path, "names a folder, not a file")),
                }
            }
            Err(error) => Err(Error::io(path, error)),
        }
    }
}

/// The end of a path's links.
enum Place {
    Path(PathBuf),
    /// A descriptor of a process, which is no file of its own even where it leads to one.
    Descriptor(PathBuf),
    Standard(Standard),
}

fn follow(path: &Path) -> Result<Place> {
    let mut place = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        if let Some(descriptor) = descriptor(&place) {
            return Ok(descriptor);
        }
        match place.read_link() {
            Ok(link) => place = place.parent().map_or(link.clone(), |folder| folder.join(link)),
            // No link, or nothing: whoever opens it says what is wrong.
            Err(_) => return Ok(Place::Path(place)),
        }
    }
    Err(refused(path, format!("is a link behind more than {LINKS_MAX} links")))
}

/// `/dev/stdout`, `/dev/fd/3`, `/proc/self/fd/3` and their like.
fn descriptor(place: &Path) -> Option<Place> {
    for (name, standard) in [(STANDARD_OUTPUT, Standard::Output), (STANDARD_ERROR, Standard::Error)]
    {
        if place == Path::new(name) {
            return Some(Place::Standard(standard));
        }
    }
    let number: u32 = place.file_name()?.to_str()?.parse().ok()?;
    let folder = folder_of(place).canonicalize().ok()?;
    if !folder.starts_with("/proc") || !folder.ends_with("fd") {
        return None;
    }
    let own = folder == Path::new("/proc").join(std::process::id().to_string()).join("fd");
    Some(match number {
        1 if own => Place::Standard(Standard::Output),
        2 if own => Place::Standard(Standard::Error),
        _ => Place::Descriptor(place.into()),
    })
}

/// Whether files can be made in `folder`, or in what must be made first; `path` is what the user
/// named.
pub(super) fn check_place(path: &Path, folder: &Path) -> Result<()> {
    for place in folder.ancestors() {
        // Without a slash at its end, which would hide that it is a file.
        let place: PathBuf = place.components().collect();
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { &place };
        let found = match std::fs::metadata(place) {
            Ok(found) => found,
            Err(error) if is_below_a_file(&error) => continue,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if place.is_symlink() {
                    return Err(refused(path, format!("{} leads nowhere", place.display())));
                }
                continue;
            }
            Err(error) => return Err(Error::io(path, error)),
        };
        let refuse = |reason: &str| match place == path {
            true => refused(path, reason),
            false => refused(path, format!("{} {reason}", place.display())),
        };
        if !found.is_dir() {
            return Err(refuse("is a file, not a folder"));
        }
        // Told by the mode, because the superuser could write there all the same.
        if found.permissions().readonly() {
            return Err(refuse("is a read-only folder"));
        }
        // The operating system knows more than the mode: mounts, access lists, quotas.
        return Temporary::create(&place.join("check")).map(drop).map_err(|e| Error::io(path, e));
    }
    Err(refused(path, "names no folder"))
}

fn is_below_a_file(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotADirectory
}

/// Pipes are not opened before there is something to write: that could wait for a reader, and who
/// reads would see it end.
pub(super) fn check_stream(path: &Path, stream: &Path) -> Result<()> {
    let found = std::fs::metadata(stream).map_err(|error| Error::io(path, error))?;
    if is_pipe(&found) {
        return Ok(());
    }
    open_stream(stream).map(drop).map_err(|error| Error::io(path, error))
}

/// Opens what is written through; a file that a descriptor leads to is written at its end.
pub(super) fn open_stream(stream: &Path) -> io::Result<File> {
    File::options().append(true).open(stream)
}

pub(super) fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::Output { path: path.into(), reason: reason.into() }
}

#[cfg(unix)]
fn is_socket(found: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&found.file_type())
}

#[cfg(unix)]
fn is_pipe(found: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type())
}

#[cfg(not(unix))]
fn is_socket(_: &Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    true
}

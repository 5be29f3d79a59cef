//! A folder that one process writes at a time.
//!
//! The operating system holds the lock and lets go of it with the process, however that ends, so a
//! killed run leaves at most a file that locks nothing. What the file says, the number of the
//! process, is a courtesy for the message of the second one.

use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Most bytes of a lock file that a message shows: a process number has ten digits.
const HOLDER_BYTES_MAX: u64 = 20;

/// A lock that is held; dropping it lets go and removes the file.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    path: PathBuf,
}

impl FolderLock {
    /// Takes the lock of the file `path`, which is made in a folder that exists; never waits.
    ///
    /// # Errors
    /// [`Error::Locked`] with what is known of the holder; [`Error::Io`] where the folder cannot
    /// be written.
    pub fn take(path: &Path) -> Result<FolderLock> {
        let io = |error| Error::io(path, error);
        loop {
            let mut options = OpenOptions::new();
            let file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(io)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(held(file, path)),
                Err(TryLockError::Error(error))
                    if error.kind() == std::io::ErrorKind::Unsupported =>
                {
                    // Some network file systems: the run is worth more than the guard.
                    log::warn!("{}: this file system has no locks", path.display());
                }
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
            let mut lock = FolderLock { file, path: path.into() };
            // The last holder may have removed the file between the two calls above.
            if lock.is_in_place().map_err(io)? {
                lock.sign();
                return Ok(lock);
            }
        }
    }

    /// Whether `path` still leads to the file that is locked.
    #[cfg(unix)]
    fn is_in_place(&self) -> std::io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let own = self.file.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A file that is open cannot be removed there.
    #[cfg(not(unix))]
    fn is_in_place(&self) -> std::io::Result<bool> {
        Ok(true)
    }

    /// Says whose lock it is. Not being able to say so is no reason not to hold it.
    fn sign(&mut self) {
        let _ = self.file.set_len(0);
        let _ = write!(self.file, "{}", std::process::id());
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if self.is_in_place().unwrap_or(false) {
            // Where it cannot be removed it stays and locks nothing.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn held(mut file: File, path: &Path) -> Error {
    let mut said = String::new();
    let read = file.rewind().and_then(|()| file.take(HOLDER_BYTES_MAX).read_to_string(&mut said));
    let holder = match (read, said.trim().parse::<u32>()) {
        (Ok(_), Ok(process)) => format!("process {process}"),
        _ => "another process".into(),
    };
    Error::Locked { path: path.parent().unwrap_or(path).into(), holder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_with_the_holder_and_the_next_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.lock");
        let lock = FolderLock::take(&path).unwrap();
        let error = FolderLock::take(&path).unwrap_err();
        let own = format!("process {}", std::process::id());
        assert!(matches!(&error, Error::Locked { holder, .. } if *holder == own), "{error}");
        drop(lock);
        assert!(!path.exists());
        FolderLock::take(&path).unwrap();
    }

    #[test]
    fn a_file_that_a_killed_process_left_locks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.lock");
        std::fs::write(&path, "4194304").unwrap();
        let _lock = FolderLock::take(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), std::process::id().to_string());
    }

    #[test]
    fn many_at_once_are_never_two_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.lock");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        if let Ok(_lock) = FolderLock::take(&path) {
                            use std::sync::atomic::Ordering::SeqCst;
                            assert_eq!(inside.fetch_add(1, SeqCst), 0);
                            inside.fetch_sub(1, SeqCst);
                        }
                    }
                });
            }
        });
    }
}

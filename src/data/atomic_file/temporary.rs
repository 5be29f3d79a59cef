//! Files beside a target while they are being written.
//!
//! Their names, `.NAME.PID-NUMBER.partial`, are made exclusively, so that no two writers share one,
//! and say whose they are. A file whose writer was killed has no lock any more and no process of
//! that number, or this one, which then is another with the same number; such a file is a leftover.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How the names end.
const ENDING: &str = ".partial";
/// Bytes of the target's name in them: file systems allow 255 for the whole.
const STEM_BYTES_MAX: usize = 200;
/// Names that are tried: more leftovers of one process number than this nobody has.
const ATTEMPTS_MAX: usize = 10_000;

/// A file beside a target. Dropping it removes what is still there under its name.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// Makes an empty file beside `target`, locked as long as the answered file is open.
    ///
    /// # Errors
    /// Those of making it.
    pub fn create(target: &Path) -> io::Result<(Temporary, File)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        for _ in 0..ATTEMPTS_MAX {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let own = format!("{}-{number}{ENDING}", std::process::id());
            let mut name = prefix(target);
            name.push(own);
            let path = target.with_file_name(name);
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    // Where a file system has no locks, the process number alone protects it.
                    let _ = file.try_lock();
                    return Ok((Temporary { path }, file));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "too many partial files beside it"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing; and what cannot be removed is a leftover for the next run.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// `.NAME.`, with a name that leaves room for the rest.
fn prefix(target: &Path) -> OsString {
    let name = target.file_name().unwrap_or(OsStr::new("file"));
    let mut prefix = OsString::from(".");
    match name.len() <= STEM_BYTES_MAX {
        true => prefix.push(name),
        false => {
            let text = name.to_string_lossy();
            prefix.push(&text[..text.floor_char_boundary(STEM_BYTES_MAX)]);
        }
    }
    prefix.push(".");
    prefix
}

/// The folder of a file, `.` for a bare name.
pub(super) fn folder_of(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes leftovers of killed writers of `target`.
pub(super) fn remove_leftovers(target: &Path) {
    let prefix = prefix(target);
    remove_where(folder_of(target), |name| {
        name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes())
    });
}

/// Removes leftovers of killed writers in `folder` and in the folders in it, two deep.
pub(super) fn remove_leftovers_in(folder: &Path) {
    let mut folders = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        remove_where(&folder, |_| true);
        if depth < 2 {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            // Links are not followed: what they lead to is not the run's.
            let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            folders.extend(inner.map(|entry| (entry.path(), depth + 1)));
        }
    }
}

/// A folder that cannot be read, or a leftover that cannot be removed, is no reason to stop.
fn remove_where(folder: &Path, wanted: impl Fn(&OsStr) -> bool) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && wanted(&name) && writer(&name).is_some_and(|pid| is_left(&entry.path(), pid))
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The process number in a partial file's name.
fn writer(name: &OsStr) -> Option<u32> {
    let stem = name.to_str()?.strip_prefix('.')?.strip_suffix(ENDING)?;
    let (pid, number) = stem.rsplit_once('.')?.1.split_once('-')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| pid.parse().ok())?
}

fn is_left(path: &Path, pid: u32) -> bool {
    let unlocked = File::options().write(true).open(path).is_ok_and(|file| file.try_lock().is_ok());
    unlocked && (pid == std::process::id() || is_gone(pid))
}

/// Where processes cannot be looked up, none is taken to be gone.
fn is_gone(pid: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No process has it: numbers end at 2^22 on Linux.
    const NOBODY: u32 = 4_194_305;

    #[test]
    fn leftovers_go_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("T0.json");
        let left = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, b"half").unwrap();
            path
        };
        let dead = left(&format!(".T0.json.{NOBODY}-3.partial"));
        let same_number = left(&format!(".T0.json.{}-999999.partial", std::process::id()));
        let living = left(".T0.json.1-0.partial");
        let other_target = left(&format!(".T1.json.{NOBODY}-3.partial"));
        let foreign = left(".T0.json.backup.partial");
        let (current, file) = Temporary::create(&target).unwrap();
        remove_leftovers(&target);
        assert!(!dead.exists() && !same_number.exists());
        assert!(living.exists() && other_target.exists() && foreign.exists());
        assert!(current.path().exists());
        remove_leftovers_in(folder.path());
        assert!(!other_target.exists() && foreign.exists() && current.path().exists());
        let path = current.path().to_path_buf();
        drop((current, file));
        assert!(!path.exists());
    }

    #[test]
    fn long_names_leave_room() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("ü".repeat(127));
        let (temporary, _file) = Temporary::create(&target).unwrap();
        assert_eq!(writer(temporary.path().file_name().unwrap()), Some(std::process::id()));
    }
}

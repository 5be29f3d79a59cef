//! The checkpoints of a stage in their folder: which is the last one, and which are no longer kept.
//!
//! A checkpoint is one file or several that differ in their ending; it exists once the file that is
//! written last does. When an old one goes, that file goes first, so that a kill in between leaves
//! files that nobody reads and that the next pruning removes.

use super::checkpoint::named_position;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// In the endings of files that are not complete.
const UNFINISHED: &str = "partial";

/// The files of one step.
#[derive(Debug, Default)]
struct StepFiles {
    /// The file that is written last, by which the checkpoint exists.
    position: Option<PathBuf>,
    /// Those beside it.
    others: Vec<PathBuf>,
    /// What a killed writer left.
    unfinished: Vec<PathBuf>,
}

/// The files of a stage's checkpoints by step, of a detector whose checkpoints have these
/// `extensions` ([`super::trainable::TrainableDetector::checkpoint_extensions`]).
fn list(folder: &Path, stage: u16, extensions: &[&str]) -> Result<BTreeMap<usize, StepFiles>> {
    let io = |error| Error::io(folder, error);
    let mut steps: BTreeMap<usize, StepFiles> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some((_, step)) = named_position(&path).filter(|&(named, _)| named == stage) else {
            continue;
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let extension = name.split_once('.').map_or("", |(_, extension)| extension).to_string();
        let files = steps.entry(step).or_default();
        if extension == extensions[0] {
            files.position = Some(path);
        } else if extensions.contains(&extension.as_str()) {
            files.others.push(path);
        } else if extension.contains(UNFINISHED) {
            files.unfinished.push(path);
        } else if !extension.contains('.') {
            let (found, wanted) = (format!("*.{extension}"), format!("*.{}", extensions[0]));
            return Err(Error::mismatch(folder, "checkpoint", &found, &wanted));
        }
    }
    Ok(steps)
}

/// Step and path of a stage's last checkpoint in `folder`, of a detector whose checkpoints have
/// these `extensions`.
///
/// # Errors
/// [`Error::Io`]; [`Error::RunMismatch`] for a checkpoint of another kind of detector.
pub fn last_checkpoint(
    folder: &Path,
    stage: u16,
    extensions: &[&str],
) -> Result<Option<(usize, PathBuf)>> {
    let steps = list(folder, stage, extensions)?;
    Ok(steps.into_iter().rev().find_map(|(step, files)| Some((step, files.position?))))
}

/// The files of the checkpoint whose position file is `position`, that file first.
pub fn files_of(position: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    extensions.iter().map(|extension| position.with_extension(extension)).collect()
}

/// Which checkpoints of a stage stay.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// How many of the newest; 0 is all of them.
    pub newest_count: usize,
    /// And that of this step.
    pub best_step: Option<usize>,
}

/// Removes the checkpoints of a stage that `keep` does not name, and what killed writers left up to
/// the newest. The last one of a stage stays at any count: the next stage, and labelling with this
/// one, begin with it.
///
/// # Errors
/// As [`last_checkpoint`].
pub fn prune(folder: &Path, stage: u16, extensions: &[&str], keep: Keep) -> Result<()> {
    let steps = list(folder, stage, extensions)?;
    let whole =
        || steps.iter().filter(|(_, files)| files.position.is_some()).map(|(step, _)| *step);
    let Some(newest) = whole().next_back() else { return Ok(()) };
    let count = if keep.newest_count == 0 { usize::MAX } else { keep.newest_count };
    let kept: BTreeSet<usize> = whole().rev().take(count).chain(keep.best_step).collect();
    for (step, files) in steps.range(..=newest) {
        files.unfinished.iter().try_for_each(|path| remove(path))?;
        if !kept.contains(step) {
            files.position.iter().chain(&files.others).try_for_each(|path| remove(path))?;
        }
    }
    Ok(())
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &[&str] = &["toml", "host"];

    fn keep(newest_count: usize, best_step: Option<usize>) -> Keep {
        Keep { newest_count, best_step }
    }

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(folder.path().join(name), name).unwrap());
        folder
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_stay_with_the_files_beside_them_and_other_stages_are_left_alone() {
        let all = [
            "stage1-000002.host",
            "stage1-000002.toml",
            "stage1-000004.host",
            "stage1-000006.host",
            "stage1-000006.toml",
            "stage1-000006.toml.partial",
            "stage1-1000008.host",
            "stage1-1000008.toml",
            "stage1-1000010.host",
            "stage1-1000010.host.partial",
            "stage10-000002.toml",
            "stage2-000002.toml",
        ];
        let folder = folder(&all);
        let last = |stage| last_checkpoint(folder.path(), stage, HOST).unwrap();
        assert_eq!(last(1), Some((1_000_008, folder.path().join("stage1-1000008.toml"))));
        assert_eq!(last(3), None);
        prune(folder.path(), 1, HOST, keep(2, None)).unwrap();
        // The host's file of step 4 has no position; that of step 10 may be in the making.
        let expected = [
            "stage1-000006.host",
            "stage1-000006.toml",
            "stage1-1000008.host",
            "stage1-1000008.toml",
            "stage1-1000010.host",
            "stage1-1000010.host.partial",
            "stage10-000002.toml",
            "stage2-000002.toml",
        ];
        assert_eq!(names(&folder), expected);
        for kept in [0, 2, 9] {
            prune(folder.path(), 1, HOST, keep(kept, None)).unwrap();
            assert_eq!(names(&folder), expected, "{kept}");
        }
        prune(folder.path(), 1, HOST, keep(1, Some(6))).unwrap();
        assert_eq!(names(&folder), expected);
        prune(folder.path(), 1, HOST, keep(1, None)).unwrap();
        assert_eq!(names(&folder), expected[2..]);
        prune(folder.path(), 5, HOST, keep(1, None)).unwrap();
    }

    #[test]
    fn checkpoints_of_another_kind_of_detector_are_refused() {
        let folder = folder(&["stage1-000002.safetensors", "notes.txt"]);
        let pruned = prune(folder.path(), 1, HOST, keep(1, None));
        for refused in [last_checkpoint(folder.path(), 1, HOST).map(drop), pruned] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("`checkpoint` is *.safetensors there, *.toml here"), "{error}");
        }
        last_checkpoint(folder.path(), 2, HOST).unwrap();
    }
}

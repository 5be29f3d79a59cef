//! The files that a run writes, by the step that writes them: what is removed to begin anew.
//!
//! Names decide, and whatever else lies in the folder stays: a file of the user's, another program's
//! folder. Nothing is removed from a folder without a record of ours.

use super::identity::Step;
use crate::training::relabel::discard;
use crate::{Error, Result};
use std::path::Path;

/// Folder of boxes that are only measured.
pub const MEASURED: &str = "measured";

/// Folders of the runs of `extract` on held-out images: under the run's cap, and allowed 100 boxes.
pub const HELD_OUT: [&str; 2] = ["validation", "validation-100"];

/// Ending of a file that was being written when its process was killed.
const PARTIAL: &str = ".partial";

/// Removes what `step` and the steps after it wrote into the run in `root`, and folders that are
/// then empty.
///
/// # Errors
/// [`Error::Io`].
pub fn remove(root: &Path, step: Step) -> Result<()> {
    remove_matching(root, |name| written_by(name).is_some_and(|by| by >= step))?;
    remove_folder(&root.join("checkpoints"), is_checkpoint)?;
    for name in entries(root, true)? {
        if name.strip_prefix("relabel-stage").is_some_and(is_number) {
            discard(&root.join(name))?;
        }
    }
    remove_measured(&root.join(MEASURED))?;
    if step == Step::Extract {
        remove_store(&root.join("proposals"))?;
        for held_out in HELD_OUT.map(|name| root.join(name)) {
            if is_recorded(&held_out) {
                remove(&held_out, step)?;
                remove_folder(&held_out, |_| false)?;
            }
        }
    }
    Ok(())
}

/// Removes the boxes that were only measured, and those that are half done.
fn remove_measured(folder: &Path) -> Result<()> {
    for name in entries(folder, true)? {
        let stem = name.strip_suffix(".shards");
        if stem.is_some_and(|stem| is_measured(&format!("{stem}.json"))) {
            discard(&folder.join(name))?;
        }
    }
    remove_folder(folder, is_measured)
}

/// Removes the files of a proposal store in `folder`.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_store(folder: &Path) -> Result<()> {
    remove_folder(&folder.join("images"), is_shard)?;
    remove_folder(folder, |name| is_shard(name) || ["sources.tsv", "store.lock"].contains(&name))
}

/// Whether training has left a checkpoint in the run in `root`.
///
/// # Errors
/// [`Error::Io`].
pub fn has_checkpoints(root: &Path) -> Result<bool> {
    Ok(names(&root.join("checkpoints"))?.iter().any(|name| is_checkpoint(name)))
}

/// Whether a run has left a record in `root`.
pub fn is_recorded(root: &Path) -> bool {
    ["run.toml", "finetune.toml", "stage1.toml"].iter().any(|name| root.join(name).exists())
}

/// The step that writes a file of that name into a run's folder.
fn written_by(name: &str) -> Option<Step> {
    match name {
        "run.toml" | "finetune.toml" | "images.tsv" => return Some(Step::Extract),
        "clusters.safetensors" | "T0.json" => return Some(Step::Cluster),
        "metrics.jsonl" | "report.html" | "predictions.json" => return Some(Step::Train),
        _ => {}
    }
    let (stem, ending) = name.split_once('.')?;
    let is = |text: &str, prefix: &str, suffix: &str| {
        let number = text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        number.is_some_and(is_number)
    };
    let of_training = match ending {
        "json" => is(stem, "T", ""),
        "toml" => is(stem, "stage", ""),
        "tsv" => is(stem, "stage", "-images"),
        "safetensors" | "host" => stem == "detector" || is(stem, "detector-stage", ""),
        _ => false,
    };
    of_training.then_some(Step::Train)
}

/// `stage1-training.json`, `stage1-held-out.json`, `T0-held-out.json`, `T0-held-out-100.json`.
fn is_measured(name: &str) -> bool {
    let Some((what, images)) = name.strip_suffix(".json").and_then(|stem| stem.split_once('-'))
    else {
        return false;
    };
    let number = |prefix| what.strip_prefix(prefix).is_some_and(is_number);
    match images {
        "held-out" => number("stage") || number("T"),
        "held-out-100" => number("T"),
        "training" => number("stage"),
        _ => false,
    }
}

/// `stage1-000400.safetensors` and the host's files of the same stem.
fn is_checkpoint(name: &str) -> bool {
    let parts = name.strip_prefix("stage").and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(stage, rest)| {
        let step = rest
            .split_once('.')
            .filter(|(_, ending)| ["safetensors", "host", "toml"].contains(ending));
        is_number(stage) && step.is_some_and(|(step, _)| is_number(step))
    })
}

/// `000001.arrow`.
fn is_shard(name: &str) -> bool {
    name.strip_suffix(".arrow").is_some_and(|stem| stem.len() >= 6 && is_number(stem))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The file that `.NAME.PID-NUMBER.partial` was to become.
fn partial_of(name: &str) -> Option<&str> {
    let (whole, writer) = name.strip_prefix('.')?.strip_suffix(PARTIAL)?.rsplit_once('.')?;
    let (process, number) = writer.split_once('-')?;
    (is_number(process) && is_number(number)).then_some(whole)
}

/// The files in a folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    entries(folder, false)
}

/// The folders in a folder, or everything else.
fn entries(folder: &Path, folders: bool) -> Result<Vec<String>> {
    let io = |error| Error::io(folder, error);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io)?;
        if entry.file_type().map_err(io)?.is_dir() == folders {
            // No file of ours has a name that is not text.
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

fn remove_matching(folder: &Path, is_ours: impl Fn(&str) -> bool) -> Result<()> {
    for name in names(folder)? {
        if is_ours(partial_of(&name).unwrap_or(&name)) {
            let path = folder.join(&name);
            std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
        }
    }
    Ok(())
}

/// [`remove_matching`], then the folder itself where nothing is left in it.
fn remove_folder(folder: &Path, is_ours: impl Fn(&str) -> bool) -> Result<()> {
    remove_matching(folder, is_ours)?;
    match std::fs::remove_dir(folder) {
        Err(error)
            if !matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Err(Error::io(folder, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [&str; 23] = [
        "run.toml",
        "validation/run.toml",
        "validation-100/proposals/000001.arrow",
        "validation-100/run.toml",
        "proposals/000001.arrow",
        "proposals/images/000001.arrow",
        "proposals/.000002.arrow.17-0.partial",
        "proposals/sources.tsv",
        "clusters.safetensors",
        "T0.json",
        "T1.json",
        ".T12.json.4711-3.partial",
        "stage1.toml",
        "stage1-images.tsv",
        "checkpoints/stage1-000400.safetensors",
        "relabel-stage1/identity",
        "measured/stage2-held-out.json",
        "measured/T0-held-out-100.json",
        "measured/stage1-training.shards/identity",
        "checkpoints/.stage2-000400.toml.4711-3.partial",
        "detector-stage1.safetensors",
        "detector.host",
        "metrics.jsonl",
    ];
    const FOREIGN: [&str; 11] = [
        "notes.txt",
        "measured/mine-training.json",
        "validation-200/run.toml",
        ".T1.json.backup.partial",
        "T.json",
        "Ta.json",
        "detector-best.safetensors",
        "stage1.md",
        "checkpoints/best.safetensors",
        "proposals/backup/000001.arrow",
        "proposals/1.arrow",
    ];

    fn fill(root: &Path) {
        for name in OURS.iter().chain(&FOREIGN) {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
    }

    fn left<'a>(root: &Path, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().copied().filter(|name| root.join(name).exists()).collect()
    }

    #[test]
    fn a_run_is_removed_to_its_last_file_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        assert!(has_checkpoints(folder.path()).unwrap() && is_recorded(folder.path()));
        remove(folder.path(), Step::Cluster).unwrap();
        assert_eq!(left(folder.path(), &OURS), OURS[..8]);
        remove(folder.path(), Step::Extract).unwrap();
        assert_eq!(left(folder.path(), &OURS), [""; 0]);
        assert_eq!(left(folder.path(), &FOREIGN), FOREIGN);
        assert!(!folder.path().join("proposals/images").exists());
        assert!(HELD_OUT.iter().all(|name| !folder.path().join(name).exists()));
        assert!(!has_checkpoints(folder.path()).unwrap() && !is_recorded(folder.path()));
    }
}

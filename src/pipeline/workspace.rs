//! The run folder: where each file lives, who may write there, and whose run it is.
//!
//! | file | what it does |
//! |---|---|
//! | `identity` | what each step depends on, and what is done where that differs |
//! | `record` | `run.toml` |
//! | `stage_record` | `stage1.toml` and on: what a stage of training reads |
//! | `files` | the files that a run writes, to begin anew |

pub mod files;
pub mod identity;
pub mod record;
pub mod stage_record;

pub use identity::Step;
pub use record::{RunInputs, RunRecord};

use crate::data::atomic_file;
use crate::data::folder_lock::FolderLock;
use crate::{Error, Result};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A run folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
    restart: bool,
}

/// A run folder that this process alone writes until the value is dropped. A folder that was made for
/// it and stayed empty is then removed.
#[derive(Debug)]
pub struct OpenRun {
    workspace: Workspace,
    lock: Option<FolderLock>,
    was_made: bool,
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        self.lock = None;
        if self.was_made {
            // The system refuses where something lies in it.
            let _ = std::fs::remove_dir(self.root());
        }
    }
}

impl Deref for OpenRun {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.workspace
    }
}

impl Workspace {
    /// The run in `root`; nothing is read or made.
    pub fn new(root: impl Into<PathBuf>) -> Workspace {
        Workspace { root: root.into(), restart: false }
    }

    /// The same folder; `restart` says that the step that is run next is to be begun anew: once its
    /// inputs are found good, the files that it and later steps wrote are removed, and no others.
    pub fn restarted(self, restart: bool) -> Workspace {
        Workspace { restart, ..self }
    }

    /// Takes the folder, which is made where it is missing, for `step` and what follows.
    ///
    /// # Errors
    /// [`Error::Locked`] when somebody else writes there; [`Error::Io`].
    pub fn open(&self, step: Step) -> Result<OpenRun> {
        let was_made = !self.root.exists();
        std::fs::create_dir_all(&self.root).map_err(|error| Error::io(&self.root, error))?;
        let lock = Some(FolderLock::take(&self.root.join("run.lock"))?);
        let run = OpenRun { workspace: self.clone(), lock, was_made };
        if self.restart && files::is_recorded(&self.root) {
            match step {
                Step::Extract => files::remove(&self.root, step)?,
                step => run.undo(&mut run.record()?, step)?,
            }
        }
        Ok(run)
    }

    /// Refuses a folder in which a file of a run of `stages_count` stages cannot be written, before
    /// anything is; removes what killed runs left half-written.
    ///
    /// # Errors
    /// [`Error::Output`] with the path, [`Error::Io`].
    pub fn check_writable(&self, stages_count: u16) -> Result<()> {
        atomic_file::check_folder(&self.root)?;
        let labels = (0..=stages_count).map(|stage| self.labels(stage));
        let files = [self.record_path(), self.clusters(), self.metrics()];
        files.into_iter().chain(labels).try_for_each(|file| atomic_file::check(&file))?;
        let folders = [self.proposals(), self.root.join("checkpoints")];
        folders.iter().try_for_each(|folder| atomic_file::check_folder(folder))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The proposal store.
    pub fn proposals(&self) -> PathBuf {
        self.root.join("proposals")
    }

    /// The table of the images that were extracted.
    pub fn sources(&self) -> PathBuf {
        self.proposals().join("sources.tsv")
    }

    /// Centroids of the pseudo-classes.
    pub fn clusters(&self) -> PathBuf {
        self.root.join("clusters.safetensors")
    }

    /// T_j as COCO: 0 for the clusters' labels, then those of the detector of each stage.
    pub fn labels(&self, stage: u16) -> PathBuf {
        self.root.join(format!("T{stage}.json"))
    }

    /// One line for each reported step of training.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }

    /// The report.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// The record of `extract`, `cluster` and `pretrain`.
    pub fn record_path(&self) -> PathBuf {
        self.root.join("run.toml")
    }

    /// The record of `finetune`.
    pub fn finetuning_path(&self) -> PathBuf {
        self.root.join("finetune.toml")
    }
}

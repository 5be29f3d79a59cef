//! The run folder: where each file lives, and `run.toml`, which says whose run it is.
//!
//! `run.toml` holds the configuration that the results depend on, the library's version, the SIMD
//! level and the steps that are done. A step that is run again with another configuration or seed
//! is refused with the keys that differ, so that one folder never mixes two runs.

use crate::config::differences;
use crate::data::atomic_file;
use crate::pipeline::config::RunConfig;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A step of stage 0, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    Extract,
    Cluster,
}

impl Step {
    /// The step's name on the command line and in `run.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Step::Extract => "extract",
            Step::Cluster => "cluster",
        }
    }
}

/// What `run.toml` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of the library that began the run.
    pub version: String,
    /// The SIMD level of the machine that began the run: bytes may differ between levels.
    pub simd_level: String,
    /// `cpu`; the device that ran the encoder.
    pub device: String,
    /// Kind and checksum of the encoder.
    pub encoder_fingerprint: String,
    /// The folder of images, as it was given.
    pub images: String,
    /// Files in that folder that could be images.
    pub images_count: u64,
    /// How many of them were broken; set when extraction is done.
    pub images_broken: u64,
    /// Steps that are done.
    pub steps: Vec<Step>,
    /// Every key that results depend on.
    pub config: RunConfig,
}

/// Tables that extraction does not depend on: steps after it may be done with other values.
const LATER_TABLES: [&str; 8] = [
    "cluster",
    "pretrain",
    "detector",
    "criterion",
    "training",
    "augmentation",
    "loader",
    "relabel",
];

/// A run folder.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The run in `root`; nothing is read or made.
    pub fn new(root: impl Into<PathBuf>) -> Workspace {
        Workspace { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The proposal store.
    pub fn proposals(&self) -> PathBuf {
        self.root.join("proposals")
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

    fn record_path(&self) -> PathBuf {
        self.root.join("run.toml")
    }

    /// Begins a run, or goes on with the same one: writes `run.toml` where there is none.
    ///
    /// # Errors
    /// [`Error::RunMismatch`] when the folder holds another run, with every key that differs;
    /// [`Error::Io`], [`Error::Format`].
    pub fn begin(&self, record: RunRecord) -> Result<RunRecord> {
        std::fs::create_dir_all(&self.root).map_err(|error| Error::io(&self.root, error))?;
        if !self.record_path().exists() {
            self.write(&record)?;
            return Ok(record);
        }
        let found = self.record()?;
        let identity = |record: &RunRecord| -> Result<toml::Table> {
            let mut table = crate::config::to_table(record, "run.toml")?;
            for progress in ["steps", "images_broken"] {
                table.remove(progress);
            }
            if let Some(toml::Value::Table(config)) = table.get_mut("config") {
                LATER_TABLES.iter().for_each(|table| drop(config.remove(*table)));
            }
            Ok(table)
        };
        let differences = differences(&identity(&found)?, &identity(&record)?);
        match differences.is_empty() {
            true => Ok(found),
            false => Err(Error::RunMismatch { path: self.root.clone(), differences }),
        }
    }

    /// Reads `run.toml`.
    ///
    /// # Errors
    /// [`Error::Io`] where there is none, [`Error::Format`] where it is damaged.
    pub fn record(&self) -> Result<RunRecord> {
        let path = self.record_path();
        let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        crate::config::read_record(&text).map_err(|error| Error::format(&path, error.message()))
    }

    /// The record of a run in which `step` is done.
    ///
    /// # Errors
    /// [`Error::RunStep`] when it is not; those of [`Workspace::record`].
    pub fn record_after(&self, step: Step) -> Result<RunRecord> {
        let record = self.record()?;
        match record.steps.contains(&step) {
            true => Ok(record),
            false => Err(Error::RunStep { path: self.root.clone(), step: step.name() }),
        }
    }

    /// Replaces `run.toml`.
    ///
    /// # Errors
    /// [`Error::Io`]; the old file is then untouched.
    pub fn write(&self, record: &RunRecord) -> Result<()> {
        let text = crate::config::to_text(record, "run.toml")?;
        atomic_file::write(&self.record_path(), text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seed: u64) -> RunRecord {
        RunRecord {
            version: "0.1.0".into(),
            simd_level: "avx512".into(),
            device: "cpu".into(),
            encoder_fingerprint: "default".into(),
            images: "photos".into(),
            images_count: 0,
            images_broken: 0,
            steps: Vec::new(),
            config: RunConfig { seed, ..RunConfig::default() },
        }
    }

    #[test]
    fn the_same_run_goes_on_and_another_is_refused_with_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(folder.path().join("run"));
        let mut begun = workspace.begin(record(3)).unwrap();
        begun.steps.push(Step::Extract);
        workspace.write(&begun).unwrap();
        assert_eq!(workspace.begin(record(3)).unwrap(), begun);
        let error = workspace.begin(record(4)).unwrap_err().to_string();
        assert!(error.contains("`config.seed` is 3 there, 4 here"), "{error}");
    }

    #[test]
    fn a_missing_step_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(folder.path());
        workspace.begin(record(0)).unwrap();
        let error = workspace.record_after(Step::Extract).unwrap_err();
        assert!(matches!(error, Error::RunStep { step: "extract", .. }), "{error}");
    }

    #[test]
    fn a_damaged_record_is_a_format_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("run.toml"), "seed = [").unwrap();
        let error = Workspace::new(folder.path()).record().unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
    }
}

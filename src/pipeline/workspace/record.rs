//! `run.toml`: what a run reads, how far it has come, and whether it is the one that is asked for.

use super::identity::{self, Step};
use super::{OpenRun, Workspace, files};
use crate::config::differences;
use crate::data::atomic_file;
use crate::data::image_sources::ImageSources;
use crate::error::Difference;
use crate::pipeline::config::RunConfig;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What a run reads, by content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunInputs {
    /// [`ImageSources::fingerprint`] of the folder of images.
    pub images: String,
    /// Kind and content of the encoder.
    pub encoder: String,
    /// The libonnxruntime that the configuration names; empty where it names none.
    pub onnx_library: String,
    /// What the detector starts from; empty before training.
    pub start: String,
}

/// What `run.toml` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of the library that began the run.
    pub version: String,
    /// The SIMD level of the machine that began the run: bytes may differ between levels.
    pub simd_level: String,
    /// Where the encoder ran: `cpu`, `cuda` or `host`.
    pub device: String,
    /// The folder of images of the last call. The run is not bound to it.
    pub images: String,
    /// Files in that folder that could be images.
    pub images_count: u64,
    /// How many of them were broken; set when extraction is done.
    pub images_broken: u64,
    /// Steps that are done; `train` as soon as it has begun.
    pub steps: Vec<Step>,
    /// What the run reads.
    #[serde(default)]
    pub inputs: RunInputs,
    /// Every key.
    pub config: RunConfig,
}

impl RunRecord {
    /// Whether `step` is in the list of steps.
    pub fn has(&self, step: Step) -> bool {
        self.steps.contains(&step)
    }

    /// What `step` is the first to depend on.
    fn identity(&self, step: Step) -> Result<toml::Table> {
        let inputs = match step {
            Step::Extract => vec![
                ("version", self.version.clone()),
                ("simd_level", self.simd_level.clone()),
                ("images", self.inputs.images.clone()),
                ("encoder", self.inputs.encoder.clone()),
                ("onnx_library", self.inputs.onnx_library.clone()),
            ],
            Step::Cluster => Vec::new(),
            Step::Train => vec![("start", self.inputs.start.clone())],
        };
        identity::document(&self.config, step.tables(), &inputs)
    }

    fn differences(&self, wanted: &RunRecord, step: Step) -> Result<Vec<Difference>> {
        Ok(differences(&self.identity(step)?, &wanted.identity(step)?))
    }
}

impl Workspace {
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
        match record.has(step) {
            true => Ok(record),
            false => Err(Error::RunStep { path: self.root().into(), step: step.name() }),
        }
    }
}

impl OpenRun {
    /// Begins a run, or goes on with the same one as far as `until`: writes `run.toml` and the
    /// table of images. What [`identity`] says is to be done again loses its place among the steps.
    ///
    /// # Errors
    /// [`Error::RunMismatch`] when the folder holds another run, with every difference;
    /// [`Error::Io`], [`Error::Format`].
    pub fn begin(
        &self,
        wanted: RunRecord,
        sources: &ImageSources,
        until: Step,
    ) -> Result<RunRecord> {
        if self.finetuning_path().exists() {
            return Err(Error::mismatch(self.root(), "command", "finetune", until.command()));
        }
        if !self.record_path().exists() {
            self.write(&wanted)?;
            self.write_sources(sources)?;
            return Ok(wanted);
        }
        let found = self.record()?;
        let trained = found.has(Step::Train) && files::has_checkpoints(self.root())?;
        let mut differences = self.image_differences(&found, sources)?;
        differences.extend(found.differences(&wanted, Step::Extract)?);
        if until == Step::Train && trained {
            differences.extend(found.differences(&wanted, Step::Cluster)?);
            differences.extend(found.differences(&wanted, Step::Train)?);
        }
        if differences.iter().any(|one| one.key.starts_with("image ")) {
            differences.retain(|one| one.key != "inputs.images");
        }
        if !differences.is_empty() {
            return Err(Error::RunMismatch { path: self.root().into(), differences });
        }
        let mut record = RunRecord {
            images: wanted.images.clone(),
            device: wanted.device.clone(),
            ..found.clone()
        };
        if until == Step::Train {
            // Nothing that was kept depends on them yet.
            for step in [Step::Train, Step::Cluster] {
                if found.has(step) && !found.differences(&wanted, step)?.is_empty() {
                    self.undo(&mut record, step)?;
                }
            }
            (record.config, record.inputs) = (wanted.config, wanted.inputs);
        }
        if record != found {
            self.write(&record)?;
        }
        self.write_sources(sources)?;
        Ok(record)
    }

    /// Forgets `step` and what follows it: the record first, so that a kill in between leaves files
    /// that are written again.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn undo(&self, record: &mut RunRecord, step: Step) -> Result<()> {
        record.steps.retain(|done| *done < step);
        self.write(record)?;
        files::remove(self.root(), step)
    }

    /// Adds `step` to the record.
    ///
    /// # Errors
    /// As [`OpenRun::write`].
    pub fn done(&self, record: &mut RunRecord, step: Step) -> Result<()> {
        if record.has(step) {
            return Ok(());
        }
        record.steps.push(step);
        self.write(record)
    }

    /// Whether training has left a checkpoint, on which what comes before it must not change.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn is_trained(&self) -> Result<bool> {
        files::has_checkpoints(self.root())
    }

    /// Replaces `run.toml`.
    ///
    /// # Errors
    /// [`Error::Io`]; the old file is then untouched.
    pub fn write(&self, record: &RunRecord) -> Result<()> {
        let text = crate::config::to_text(record, "run.toml")?;
        atomic_file::write(&self.record_path(), text.as_bytes())
    }

    fn write_sources(&self, sources: &ImageSources) -> Result<()> {
        let (folder, path) = (self.proposals(), self.sources());
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
        match ImageSources::read(&path)?.is_some_and(|found| found == *sources) {
            true => Ok(()),
            false => sources.write(&path),
        }
    }

    /// The files that differ from those that the run has read.
    fn image_differences(
        &self,
        found: &RunRecord,
        sources: &ImageSources,
    ) -> Result<Vec<Difference>> {
        match ImageSources::read(&self.sources())? {
            // A table that the record does not know was written by a call that was killed.
            Some(table) if table.fingerprint() == found.inputs.images => {
                Ok(table.differences(sources))
            }
            _ => Ok(Vec::new()),
        }
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
            images: "photos".into(),
            images_count: 0,
            images_broken: 0,
            steps: Vec::new(),
            inputs: RunInputs::default(),
            config: RunConfig { seed, ..RunConfig::default() },
        }
    }

    fn run() -> (tempfile::TempDir, OpenRun) {
        let folder = tempfile::tempdir().unwrap();
        let run = Workspace::new(folder.path().join("run")).open(Step::Extract).unwrap();
        (folder, run)
    }

    fn begin(run: &OpenRun, wanted: RunRecord, until: Step) -> Result<RunRecord> {
        run.begin(wanted, &ImageSources::default(), until)
    }

    #[test]
    fn the_same_run_goes_on_and_another_is_refused_with_every_key() {
        let (_folder, run) = run();
        let mut begun = begin(&run, record(3), Step::Extract).unwrap();
        run.done(&mut begun, Step::Extract).unwrap();
        assert_eq!(begin(&run, record(3), Step::Extract).unwrap(), begun);
        let mut other = record(4);
        other.config.proposals.proposals_max = 7;
        other.config.training.learning_rate = 1.0;
        let error = begin(&run, other, Step::Train).unwrap_err().to_string();
        assert!(error.contains("`config.seed` is 3 there, 4 here"), "{error}");
        assert!(error.contains("`config.proposals.proposals_max` is 25 there, 7 here"), "{error}");
        assert!(!error.contains("learning_rate"), "{error}");
    }

    #[test]
    fn steps_are_undone_before_the_first_checkpoint_and_refused_after_it() {
        let (_folder, run) = run();
        let mut begun = begin(&run, record(3), Step::Train).unwrap();
        for step in [Step::Extract, Step::Cluster, Step::Train] {
            run.done(&mut begun, step).unwrap();
        }
        std::fs::write(run.labels(0), "{}").unwrap();
        let mut other = record(3);
        other.config.training.learning_rate = 1.0;
        let again = begin(&run, other.clone(), Step::Train).unwrap();
        assert_eq!(again.steps, [Step::Extract, Step::Cluster]);
        assert!(run.labels(0).exists());
        other.config.cluster.classes = 9;
        let again = begin(&run, other.clone(), Step::Train).unwrap();
        assert_eq!(again.steps, [Step::Extract]);
        assert!(!run.labels(0).exists());
        let mut again = again;
        run.done(&mut again, Step::Cluster).unwrap();
        run.done(&mut again, Step::Train).unwrap();
        std::fs::create_dir(run.root().join("checkpoints")).unwrap();
        std::fs::write(run.root().join("checkpoints/stage1-000002.toml"), "").unwrap();
        other.config.cluster.classes = 10;
        other.config.training.metrics_steps = 77;
        let error = begin(&run, other, Step::Train).unwrap_err().to_string();
        assert!(error.contains("`config.cluster.classes` is 9 there, 10 here"), "{error}");
        assert!(!error.contains("metrics_steps"), "{error}");
    }

    #[test]
    fn a_missing_step_is_named() {
        let (_folder, run) = run();
        begin(&run, record(0), Step::Extract).unwrap();
        let error = run.record_after(Step::Extract).unwrap_err();
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

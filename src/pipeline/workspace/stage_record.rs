//! `stage1.toml` and on: what a stage of training reads, written before its first step.
//!
//! It says what the stage's checkpoints belong to, how many steps make it whole, and, to a program
//! that relabels with the stage's detector on other images, which settings its checkpoints carry.

use super::identity;
use crate::config::differences;
use crate::data::{atomic_file, fingerprint};
use crate::error::Difference;
use crate::pipeline::config::RunConfig;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// What a stage reads.
#[derive(Debug, Clone, PartialEq)]
pub struct StageRecord {
    /// Optimiser steps of the whole stage.
    pub steps_count: usize,
    /// Keys and inputs by content, as [`identity::document`] makes them.
    pub settings: toml::Table,
}

impl StageRecord {
    /// The record's file in the run in `root`.
    pub fn path(root: &Path, stage: u16) -> PathBuf {
        root.join(format!("stage{stage}.toml"))
    }

    /// The settings as its checkpoints hold them.
    ///
    /// # Errors
    /// As [`identity::text`].
    pub fn text(&self) -> Result<String> {
        identity::text(&self.settings)
    }

    /// What identifies the record of a stage, for the stage that goes on from it.
    ///
    /// # Errors
    /// [`Error::RunStep`] where there is none; [`Error::Io`].
    pub fn fingerprint(root: &Path, stage: u16) -> Result<String> {
        let path = StageRecord::path(root, stage);
        match path.exists() {
            true => fingerprint::text_of_file(&path),
            false => Err(Error::RunStep { path: root.into(), step: "train" }),
        }
    }

    /// Reads the record of a stage; `None` where it has not begun.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`].
    pub fn read(root: &Path, stage: u16) -> Result<Option<StageRecord>> {
        let path = StageRecord::path(root, stage);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path, error)),
        };
        let mut table: toml::Table =
            toml::from_str(&text).map_err(|error| Error::format(&path, error.message()))?;
        let steps_count = table.get("steps_count").and_then(toml::Value::as_integer);
        let steps_count = steps_count.and_then(|count| usize::try_from(count).ok());
        match (steps_count, table.remove("settings")) {
            (Some(steps_count), Some(toml::Value::Table(settings))) => {
                Ok(Some(StageRecord { steps_count, settings }))
            }
            _ => Err(Error::format(&path, "no `steps_count` or no `settings`")),
        }
    }

    /// Refuses keys under which the stage was not trained; its inputs may be anything.
    ///
    /// # Errors
    /// [`Error::RunMismatch`] with the keys.
    pub fn check_keys(&self, config: &RunConfig, root: &Path) -> Result<()> {
        let part = |table: &toml::Table| -> toml::Table {
            let part = table.get("config").map(|config| ("config".to_string(), config.clone()));
            part.into_iter().collect()
        };
        let wanted = identity::document(config, &identity::STAGE_TABLES, &[])?;
        let differences = differences(&part(&self.settings), &part(&wanted));
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Error::RunMismatch { path: root.into(), differences }),
        }
    }

    /// Begins the stage, or goes on with the same one. A stage without a checkpoint has nothing yet
    /// that depends on its record. `files` are the images that differ, where that is known.
    ///
    /// # Errors
    /// [`Error::RunMismatch`] with the keys and inputs that differ; [`Error::Io`],
    /// [`Error::Format`].
    pub fn begin(
        &self,
        root: &Path,
        stage: u16,
        has_checkpoint: bool,
        files: Vec<Difference>,
    ) -> Result<()> {
        let path = StageRecord::path(root, stage);
        if let Some(found) = StageRecord::read(root, stage)? {
            if found == *self {
                return Ok(());
            }
            if has_checkpoint {
                let mut differences = differences(&found.settings, &self.settings);
                if !files.is_empty() {
                    differences.retain(|one| one.key != "inputs.images");
                    differences.extend(files);
                }
                if differences.is_empty() {
                    let [found, wanted] =
                        [found, self.clone()].map(|one| one.steps_count.to_string());
                    differences.push(Difference::new("steps_count", &found, &wanted));
                }
                return Err(Error::RunMismatch { path, differences });
            }
        }
        let mut table = toml::Table::new();
        let steps_count = i64::try_from(self.steps_count).unwrap_or(i64::MAX);
        table.insert("steps_count".into(), steps_count.into());
        table.insert("settings".into(), self.settings.clone().into());
        atomic_file::write(&path, identity::text(&table)?.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(labels: &str) -> StageRecord {
        let (config, inputs) = (RunConfig::default(), [("labels", labels.to_string())]);
        let settings = identity::document(&config, &identity::STAGE_TABLES, &inputs).unwrap();
        StageRecord { steps_count: 4, settings }
    }

    #[test]
    fn a_stage_with_a_checkpoint_is_bound_to_what_it_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(StageRecord::read(root, 1).unwrap(), None);
        assert!(matches!(StageRecord::fingerprint(root, 1), Err(Error::RunStep { .. })));
        record("first").begin(root, 1, false, Vec::new()).unwrap();
        assert_eq!(StageRecord::read(root, 1).unwrap(), Some(record("first")));
        record("second").begin(root, 1, false, Vec::new()).unwrap();
        record("second").begin(root, 1, true, Vec::new()).unwrap();
        let error = record("third").begin(root, 1, true, Vec::new()).unwrap_err().to_string();
        assert!(error.contains("`inputs.labels` is \"second\" there, \"third\" here"), "{error}");
        let longer = StageRecord { steps_count: 5, ..record("second") };
        let error = longer.begin(root, 1, true, Vec::new()).unwrap_err().to_string();
        assert!(error.contains("`steps_count` is 4 there, 5 here"), "{error}");
    }
}

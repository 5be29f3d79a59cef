//! Everything that a killed run needs to go on to the same bytes: parameters, moments, step.
//!
//! One safetensors file: the detector under its official names, so that any other program can read
//! it, the optimiser's moments as two flat tensors, and text that says which run, stage and step it
//! is from.

use super::adamw::AdamW;
use super::checks::Check;
use crate::backbone::checkpoint::Checkpoint;
use crate::data::tensor_file_write::{NamedTensor, little_endian, write_tensors};
use crate::nn::parameters::ParameterTable;
use crate::{Error, Result, memory};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Key of the file's text, a TOML document.
const KEY: &str = "simdetr_checkpoint";
/// Version of the file's layout.
const VERSION: u32 = 1;
const MEANS: &str = "optimiser.means";
const SQUARES: &str = "optimiser.squares";

/// Where in a run a checkpoint was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    pub stage: u16,
    /// Optimiser steps of the stage that are done. The last checkpoint of a stage that keeps its best
    /// check says all of them, though its weights are those of the check.
    pub step: usize,
    /// What the results depend on, as text; another one is another run.
    pub settings: String,
    /// Checks of the stage so far, in order; empty where no image is held out.
    pub checks: Vec<Check>,
}

impl Position {
    /// Refuses a checkpoint file of a run that is named after another position than its header's.
    /// A file of any other name may hold any position.
    ///
    /// # Errors
    /// [`Error::Format`] with both positions.
    pub fn check_name(&self, path: &Path) -> Result<()> {
        match named_position(path) {
            Some((stage, step)) if (stage, step) != (self.stage, self.step) => {
                let reason = format!(
                    "named after stage {stage}, step {step}, but it holds stage {}, step {}",
                    self.stage, self.step
                );
                Err(Error::format(path, reason))
            }
            _ => Ok(()),
        }
    }
}

/// Name of the checkpoint after `step` steps of `stage`, without its ending.
pub fn stem_of(stage: u16, step: usize) -> String {
    format!("stage{stage}-{step:06}")
}

/// Stage and step that the name of a checkpoint file says; `None` for a file of another name.
pub fn named_position(path: &Path) -> Option<(u16, usize)> {
    let stem = path.file_name()?.to_str()?.split('.').next()?;
    let (stage, step) = stem.strip_prefix("stage")?.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match digits(stage) && digits(step) {
        true => Some((stage.parse().ok()?, step.parse().ok()?)),
        false => None,
    }
}

/// The file's text.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    stage: u16,
    step: usize,
    optimiser_steps: u32,
    settings: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

/// Writes a checkpoint; an older file of that name stays whole until the new one is.
///
/// # Errors
/// [`Error::Io`].
pub fn save(
    path: &Path,
    position: &Position,
    table: &ParameterTable,
    parameters: &[f32],
    optimiser: &AdamW,
) -> Result<()> {
    let mut tensors: Vec<NamedTensor> = table
        .iter()
        .map(|parameter| {
            let values = &parameters[parameter.range.clone()];
            (parameter.name.clone(), parameter.shape.clone(), little_endian(values))
        })
        .collect();
    for (name, values) in [(MEANS, &optimiser.means), (SQUARES, &optimiser.squares)] {
        tensors.push((name.into(), vec![values.len()], little_endian(values)));
    }
    let Position { stage, step, settings, checks } = position.clone();
    let optimiser_steps = optimiser.steps;
    let header = Header { version: VERSION, stage, step, optimiser_steps, settings, checks };
    let text = crate::config::to_text(&header, "checkpoint")?;
    write_tensors(path, &tensors, Some((KEY, text)))
}

/// Reads a checkpoint of the run whose settings are `settings` into `parameters` and `optimiser`.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] for a truncated file, one of another version, one that is no
/// checkpoint and one that is named after another position; [`Error::RunMismatch`] for other settings; [`Error::Shape`] and
/// [`Error::WeightNames`] for another detector. Nothing is changed then.
pub fn load(
    path: &Path,
    settings: &str,
    table: &ParameterTable,
    parameters: &mut [f32],
    optimiser: &mut AdamW,
) -> Result<Position> {
    let file = Checkpoint::open(path)?;
    let header = header_of(path, file.text(KEY))?;
    if header.settings != settings {
        let differences = crate::config::text_differences("settings", &header.settings, settings);
        return Err(Error::RunMismatch { path: path.into(), differences });
    }
    let Header { stage, step, checks, .. } = header;
    let position = Position { stage, step, settings: settings.into(), checks };
    position.check_name(path)?;
    let mut values = memory::filled(0.0, parameters.len(), "a detector's parameters")?;
    for parameter in table.iter() {
        let tensor = file.tensor(&parameter.name, &parameter.shape)?;
        values[parameter.range.clone()].copy_from_slice(&tensor.values);
    }
    let moments = [MEANS, SQUARES].map(|name| file.tensor(name, &[table.trained_length()]));
    let [means, squares] = moments;
    let (means, squares) = (means?.values, squares?.values);
    parameters.copy_from_slice(&values);
    let steps = header.optimiser_steps;
    (optimiser.means, optimiser.squares, optimiser.steps) = (means, squares, steps);
    Ok(position)
}

fn header_of(path: &Path, text: Option<&str>) -> Result<Header> {
    let text =
        text.ok_or_else(|| Error::format(path, format!("no checkpoint: it lacks `{KEY}`")))?;
    let header: Header =
        crate::config::read_record(text).map_err(|error| Error::format(path, error.message()))?;
    if header.version != VERSION {
        let version = header.version;
        let reason = format!("checkpoint of version {version}; this library reads {VERSION}");
        return Err(Error::format(path, reason));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parameters::ParameterSpec;

    fn table() -> ParameterTable {
        let frozen = ParameterSpec { trained: false, ..ParameterSpec::new("frozen", &[2]) };
        ParameterTable::new(vec![ParameterSpec::new("a", &[2, 2]), frozen]).unwrap()
    }

    fn position(settings: &str) -> Position {
        let checks = [1.0 / 3.0, 0.1 + 0.2, 0.0].map(|own_recall| Check { step: 10, own_recall });
        Position { stage: 2, step: 40, settings: settings.into(), checks: checks.into() }
    }

    #[test]
    fn what_is_saved_comes_back_and_other_runs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let name = |stem: &str| folder.path().join(format!("{stem}.safetensors"));
        let path = name("stage2-000040");
        let mut optimiser = AdamW::new(4).unwrap();
        (optimiser.means, optimiser.squares) = (vec![1.0, 2.0, 3.0, 4.0], vec![0.5; 4]);
        optimiser.steps = 123;
        let parameters = [1.0, -1.0, 2.0, -2.0, 9.0, 8.0];
        save(&path, &position("seed = 1"), &table(), &parameters, &optimiser).unwrap();
        let (mut found, mut other) = (vec![0.0; 6], AdamW::new(4).unwrap());
        let loaded = load(&path, "seed = 1", &table(), &mut found, &mut other).unwrap();
        assert_eq!(loaded, position("seed = 1"));
        assert_eq!((&found[..], &other), (&parameters[..], &optimiser));
        let error = load(&path, "seed = 2", &table(), &mut found, &mut other).unwrap_err();
        assert!(matches!(error, Error::RunMismatch { .. }), "{error}");
        assert!(error.to_string().ends_with("`seed` is 1 there, 2 here"), "{error}");
        for (stem, said) in
            [("stage2-000041", "stage 2, step 41"), ("stage1-000040", "stage 1, step 40")]
        {
            std::fs::copy(&path, name(stem)).unwrap();
            found.fill(0.0);
            let error = load(&name(stem), "seed = 1", &table(), &mut found, &mut other);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("holds stage 2, step 40"), "{error}");
            assert_eq!(found, [0.0; 6]);
        }
        std::fs::copy(&path, name("mine")).unwrap();
        assert_eq!(
            load(&name("mine"), "seed = 1", &table(), &mut found, &mut other).unwrap(),
            loaded
        );
    }

    #[test]
    fn truncated_files_and_plain_weights_are_named_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let (mut parameters, mut optimiser) = (vec![3.0; 6], AdamW::new(4).unwrap());
        save(&path, &position(""), &table(), &parameters, &optimiser).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 7, 100, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let error = load(&path, "", &table(), &mut parameters, &mut optimiser).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{length}: {error}");
        }
        let tensors = [("a".to_string(), vec![1], little_endian(&[1.0]))];
        write_tensors(&path, &tensors, None).unwrap();
        let error = load(&path, "", &table(), &mut parameters, &mut optimiser).unwrap_err();
        assert!(error.to_string().contains("simdetr_checkpoint"), "{error}");
        assert!(parameters.iter().all(|value| *value == 3.0));
    }
}

//! The lines of `metrics.jsonl` that hold what was measured: `{"stage":1,"measured":[...]}`, behind
//! the steps of the stage; stage 0 is what training starts from.
//!
//! True boxes are no part of a run. Figures may therefore come when later stages have long written
//! their lines, or change with the true boxes, and are put where they belong. What stands in a line
//! is the business of who measures.

use super::metric_lines::{MEASURED, MeasuredLine, measured_stage_of, place_of};
use crate::data::atomic_file;
use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Puts what was measured after `stage` in its place, where the same does not stand already.
///
/// # Errors
/// [`Error::Output`] for a file that holds anything but metrics, [`Error::Io`].
pub fn put<T: Serialize>(path: &Path, stage: u16, measured: &T) -> Result<()> {
    let text = text_of(path)?;
    let mut line = serde_json::to_string(&MeasuredLine { stage, measured })
        .map_err(|error| Error::Internal { reason: format!("metrics: {error}") })?;
    line.push('\n');
    let (mut before, mut after) = (String::new(), String::new());
    for found in text.split_inclusive('\n') {
        match place_of(found) {
            Some(place) if place == (stage, MEASURED) => {}
            Some(place) if place < (stage, MEASURED) => before += found,
            Some(_) => after += found,
            // A kill cut it short; who goes on with its stage removes it.
            None if !found.ends_with('\n') => after += found,
            None => {
                let reason = "holds no metrics of this library, and is not changed".into();
                return Err(Error::Output { path: path.into(), reason });
            }
        }
    }
    let wanted = before + &line + &after;
    match wanted == text {
        true => Ok(()),
        false => atomic_file::write(path, wanted.as_bytes()),
    }
}

/// What was measured, with the stage of each line; nothing where there is no file.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] for a line that holds something else than `T`.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<(u16, T)>> {
    let text = text_of(path)?;
    let measured = text.lines().enumerate().filter(|(_, line)| measured_stage_of(line).is_some());
    let parse = |(index, line)| match serde_json::from_str::<MeasuredLine<T>>(line) {
        Ok(line) => Ok((line.stage, line.measured)),
        Err(error) => Err(Error::format(path, format!("line {}: {error}", index + 1))),
    };
    measured.map(parse).collect()
}

fn text_of(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        outcome => outcome.map_err(|error| Error::io(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::metric_lines::MetricsLine;
    use crate::training::metrics::{self, Metrics};
    use crate::training::step::StepReport;

    fn line(stage: u16, step: usize) -> MetricsLine {
        MetricsLine::new(stage, step, &StepReport::default(), 1e-3, 2)
    }

    #[test]
    fn figures_come_to_their_place_whenever_they_are_measured() {
        let folder = tempfile::tempdir().unwrap();
        let [early, late] = ["early.jsonl", "late.jsonl"].map(|name| folder.path().join(name));
        assert!(read::<[f64; 1]>(&early).unwrap().is_empty());
        put(&early, 0, &[0.5]).unwrap();
        for stage in 1..=2 {
            let mut metrics = Metrics::resume(&early, stage, 0).unwrap();
            (1..=2).for_each(|step| metrics.write(&line(stage, step)).unwrap());
            put(&early, stage, &[f64::from(stage)]).unwrap();
            let mut metrics = Metrics::resume(&late, stage, 0).unwrap();
            (1..=2).for_each(|step| metrics.write(&line(stage, step)).unwrap());
        }
        let steps = std::fs::read(&late).unwrap();
        for stage in [2, 0, 1] {
            put(&late, stage, &[9.0]).unwrap();
            put(&late, stage, &[[0.5, 1.0, 2.0][usize::from(stage)]]).unwrap();
        }
        let whole = std::fs::read(&early).unwrap();
        assert!(whole != steps && std::fs::read(&late).unwrap() == whole);
        assert_eq!(metrics::read(&late).unwrap().len(), 4);
        let found = read::<[f64; 1]>(&late).unwrap();
        assert_eq!(found, [(0, [0.5]), (1, [1.0]), (2, [2.0])]);
        // A stage that is trained again loses its figures and those of later ones.
        Metrics::resume(&late, 2, 1).unwrap();
        assert_eq!(read::<[f64; 1]>(&late).unwrap().len(), 2);
        assert_eq!(metrics::read(&late).unwrap().len(), 3);
    }

    #[test]
    fn a_file_of_another_program_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, "{\"epoch\": 1}\n").unwrap();
        assert!(matches!(put(&path, 0, &[1.0]), Err(Error::Output { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"epoch\": 1}\n");
    }
}

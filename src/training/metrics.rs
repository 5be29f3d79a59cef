//! `metrics.jsonl`: one line for each reported step, one for each check on held-out images
//! ([`super::checks`]) and, behind a stage's steps, one with the figures that were measured after it
//! ([`super::measured_lines`]); the same bytes after any number of kills.
//!
//! Times are not in it, because they would differ; a resumed run cuts the lines after its
//! checkpoint and writes them again.

use super::metric_lines::{MetricsLine, check_place_of, measured_stage_of, place_of, whole_lines};
use crate::{Error, Result};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// The open file of a run.
#[derive(Debug)]
pub struct Metrics {
    file: File,
    path: std::path::PathBuf,
}

impl Metrics {
    /// Opens `path` to go on after `step` of `stage`: later lines, and one that a kill cut short,
    /// are removed.
    ///
    /// # Errors
    /// [`Error::Output`] for a file whose first line is none of metrics: another program's, which
    /// is not cut; [`Error::Io`].
    pub fn resume(path: &Path, stage: u16, step: usize) -> Result<Metrics> {
        let io = |error| Error::io(path, error);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(io(error)),
        };
        let first = text.split_inclusive('\n').next().filter(|line| line.ends_with('\n'));
        if first.is_some_and(|line| place_of(line).is_none()) {
            let reason = "holds no metrics of this library, and is not cut".into();
            return Err(Error::Output { path: path.into(), reason });
        }
        let before = |line: &&str| place_of(line).is_some_and(|place| place <= (stage, step));
        let kept =
            text.split_inclusive('\n').take_while(|line| line.ends_with('\n') && before(line));
        let length: usize = kept.map(str::len).sum();
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(io)?;
        file.set_len(length as u64).map_err(io)?;
        Ok(Metrics { file, path: path.into() })
    }

    /// Appends a line of a step or of a check.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write<T: Serialize>(&mut self, line: &T) -> Result<()> {
        let mut text = serde_json::to_string(line)
            .map_err(|error| Error::Internal { reason: format!("metrics: {error}") })?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|error| Error::io(&self.path, error))
    }
}

/// Every line of a step; one that a kill cut short, or that is being written, is left out.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] with the line that is not one.
pub fn read(path: &Path) -> Result<Vec<MetricsLine>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let parse = |(index, line)| {
        serde_json::from_str(line)
            .map_err(|error| Error::format(path, format!("line {}: {error}", index + 1)))
    };
    let of_steps = |(_, line): &(usize, &str)| {
        measured_stage_of(line).is_none() && check_place_of(line).is_none()
    };
    whole_lines(&text).enumerate().filter(of_steps).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::metric_lines::CheckLine;
    use crate::training::step::StepReport;
    use crate::training::{checks, measured_lines};

    fn line(stage: u16, step: usize) -> MetricsLine {
        MetricsLine::new(stage, step, &StepReport::default(), 1e-3, 2)
    }

    #[test]
    fn a_resumed_file_has_the_bytes_of_one_that_was_never_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::resume(&path, 1, 0).unwrap();
        for step in 1..=4 {
            metrics.write(&line(1, step)).unwrap();
        }
        metrics.write(&line(2, 1)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let cut = &whole[..whole.len() - 5];
        std::fs::write(&path, cut).unwrap();
        assert_eq!(read(&path).unwrap().len(), 4);
        let mut metrics = Metrics::resume(&path, 1, 3).unwrap();
        assert_eq!(read(&path).unwrap().len(), 3);
        metrics.write(&line(1, 4)).unwrap();
        metrics.write(&line(2, 1)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn a_check_stands_behind_its_step_and_is_cut_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let check = |step| CheckLine { stage: 1, step, held_out_own_recall: 1.0 / 3.0 };
        let mut metrics = Metrics::resume(&path, 1, 0).unwrap();
        metrics.write(&line(1, 2)).unwrap();
        metrics.write(&check(2)).unwrap();
        metrics.write(&check(3)).unwrap();
        metrics.write(&line(1, 4)).unwrap();
        assert_eq!(read(&path).unwrap(), [line(1, 2), line(1, 4)]);
        assert_eq!(checks::read(&path).unwrap(), [check(2), check(3)]);
        measured_lines::put(&path, 1, &[0.5]).unwrap();
        Metrics::resume(&path, 1, 2).unwrap();
        assert_eq!(checks::read(&path).unwrap(), [check(2)]);
        Metrics::resume(&path, 1, 1).unwrap();
        assert!(std::fs::read(&path).unwrap().is_empty());
    }

    #[test]
    fn metrics_of_another_program_are_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let foreign = "{\"epoch\": 1}\n{\"epoch\": 2}\n";
        std::fs::write(&path, foreign).unwrap();
        let error = Metrics::resume(&path, 1, 0).unwrap_err();
        assert!(matches!(error, Error::Output { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign);
    }
}

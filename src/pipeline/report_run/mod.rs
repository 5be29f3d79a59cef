//! The step `report`: gathers from a run what [`report`](super::report) shows.
//!
//! | what `--run` is | what is shown |
//! |---|---|
//! | a folder with `run.toml` (`extract`, `cluster`, `pretrain`) | proposals, pseudo-classes, stages, as far as they are done |
//! | a folder with training in it (`finetune`, a stage of a trainer) | curves, and its predictions |
//! | a COCO file, or a folder with one that `predict` wrote | its boxes |
//!
//! Only a sample of images is read again, spread evenly over the run, so a report of a large set
//! costs no more than one of a small set; counts and histograms are of the whole set. Pictures that
//! are no longer there are counted and left out.

mod annotations;
mod pictures;
mod stage0;
mod texts;
mod training;

use super::report::{self, ReportInput};
use super::workspace::{RunRecord, Step, Workspace};
use crate::control::Control;
use crate::data::atomic_file;
use crate::training::stage_config::StagePaths;
use crate::workers::Workers;
use crate::{Error, Result};
use pictures::Pictures;
use std::path::{Path, PathBuf};
use texts::flatten;

/// What is reported.
#[derive(Debug, Clone, Copy)]
pub struct ReportRequest<'a> {
    /// The run: a folder, or a file of predictions.
    pub run: &'a Path,
    /// Folder of the images that are shown; where it is `None`, the one that the run records.
    pub images: Option<&'a Path>,
    /// COCO file with true boxes, for figures.
    pub ground_truth: Option<&'a Path>,
    /// A report of another program's is replaced.
    pub force: bool,
}

/// What a path holds.
enum Kind {
    /// Stage 0 and what follows.
    Run(Box<RunRecord>),
    /// Training alone.
    Training,
    /// A COCO file.
    Annotations(PathBuf),
}

/// Writes the report and answers its path: `report.html` in a run's folder, `NAME.report.html`
/// beside a file of predictions.
///
/// # Errors
/// [`Error::Format`] for a path that holds no run; [`Error::Output`] for a report that cannot be
/// written or is another program's; [`Error::Io`]; those of the evaluation.
pub fn report(
    request: &ReportRequest<'_>,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<PathBuf> {
    let kind = kind_of(request.run)?;
    let path = match &kind {
        Kind::Annotations(file) => file.with_extension("report.html"),
        _ => Workspace::new(request.run).report(),
    };
    atomic_file::check(&path)?;
    if matches!(kind, Kind::Annotations(_)) && !request.force {
        // In a run's folder the name is the library's.
        atomic_file::check_ours(&path, report::is_ours)?;
    }
    let mut pictures = Pictures::new(request.images);
    let mut input = match &kind {
        Kind::Run(record) => run(request, record, &mut pictures, workers, control)?,
        Kind::Training => fine_tuning(request, &mut pictures, workers, control)?,
        Kind::Annotations(file) => {
            annotations::show(file, request.ground_truth, &mut pictures, workers, control)?
        }
    };
    if pictures.missing > 0 {
        input.counts.push(("pictures not found".into(), pictures.missing.to_string()));
    }
    report::write(&path, &input)?;
    Ok(path)
}

fn kind_of(run: &Path) -> Result<Kind> {
    let found = std::fs::metadata(run).map_err(|error| Error::io(run, error))?;
    if !found.is_dir() {
        return Ok(Kind::Annotations(run.into()));
    }
    let workspace = Workspace::new(run);
    if run.join("run.toml").exists() {
        return Ok(Kind::Run(Box::new(workspace.record()?)));
    }
    let paths = StagePaths::in_run(run);
    if run.join("finetune.toml").exists() || paths.metrics.exists() || paths.checkpoints.is_dir() {
        return Ok(Kind::Training);
    }
    let mut files = annotations::predictions_in(run)?;
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(Kind::Annotations(file)),
        (Some(_), false) => Err(Error::format(
            run,
            "holds several files of predictions; name one of them as the run",
        )),
        (None, _) => Err(Error::format(
            run,
            "holds no run: neither run.toml (extract, pretrain), nor checkpoints (finetune), nor a \
             file that predict wrote",
        )),
    }
}

/// Stage 0 as far as it is done, and the stages of training.
fn run(
    request: &ReportRequest<'_>,
    record: &RunRecord,
    pictures: &mut Pictures<'_>,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<ReportInput> {
    let workspace = Workspace::new(request.run);
    let mut input =
        stage0::show(&workspace, record, request.ground_truth, pictures, workers, control)?;
    let truth = request.ground_truth;
    let training = training::stages(&workspace, record, truth, pictures, workers, control)?;
    input.title = match (training.stages_count, record.steps.contains(&Step::Cluster)) {
        (0, true) => "Stage 0: proposals and pseudo-classes".into(),
        (0, false) if record.steps.contains(&Step::Extract) => "Stage 0: proposals".into(),
        (0, false) => "Stage 0: proposals of the images that are done".into(),
        (1, _) => "A detector pretrained in one stage".into(),
        (stages, _) => format!("A detector pretrained in {stages} stages"),
    };
    input.tables.splice(0..0, training.tables);
    (input.curves, input.comparisons) = (training.curves, training.comparisons);
    Ok(input)
}

/// Training without stage 0, and the predictions of its detector where it made some.
fn fine_tuning(
    request: &ReportRequest<'_>,
    pictures: &mut Pictures<'_>,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<ReportInput> {
    let predictions = request.run.join("predictions.json");
    let mut input = match predictions.exists() {
        true => annotations::show(&predictions, request.ground_truth, pictures, workers, control)?,
        false => ReportInput::default(),
    };
    let found = training::curves_of(&StagePaths::in_run(request.run).metrics)?;
    let is_done = request.run.join("detector.safetensors").exists();
    input.title = if is_done { "A trained detector" } else { "A detector in training" }.into();
    input.subtitle = format!("The run in {}", request.run.display());
    input.counts.insert(0, ("steps with metrics".into(), found.lines_count.to_string()));
    input.tables.splice(0..0, found.tables);
    input.curves = found.curves;
    let record = request.run.join("finetune.toml");
    if record.exists() {
        let text = std::fs::read_to_string(&record).map_err(|error| Error::io(&record, error))?;
        let table = crate::config::read_record::<toml::Table>(&text)
            .map_err(|error| Error::format(&record, error.message()))?;
        flatten(&table, "", &mut input.settings);
    }
    Ok(input)
}

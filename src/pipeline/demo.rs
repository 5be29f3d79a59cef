//! `simdetr demo`: the whole of stage 0 on rendered scenes whose boxes are known.
//!
//! Nothing is needed but the library: the scenes are drawn, everything runs on them with the
//! embedded defaults, and the result is scored against the boxes that were drawn.

use crate::Result;
use crate::control::Control;
use crate::evaluation::{self, Evaluation, EvaluationInput, EvaluationOptions};
use crate::pipeline::cluster::cluster;
use crate::pipeline::config::RunConfig;
use crate::pipeline::demo_scenes;
use crate::pipeline::export::{ExportReport, export};
use crate::pipeline::extract::{ExtractRequest, extract};
use crate::pipeline::folder_extraction::FolderReport;
use crate::pipeline::report_run::report;
use crate::pipeline::workspace::Workspace;
use crate::workers::Workers;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Pseudo-classes of the demo: a few for each kind of object and ground that is drawn. The
/// default of 2,048 is meant for millions of proposals.
const DEMO_CLASSES: u32 = 16;

/// What the demo did and where it is.
pub struct DemoReport {
    pub extraction: FolderReport,
    pub export: ExportReport,
    /// Class-agnostic, against the boxes that were drawn.
    pub evaluation: Evaluation,
    pub data_set: PathBuf,
    pub report: PathBuf,
}

/// Renders `scenes_count` scenes into `out` (a new folder under the system's temporary one by
/// default) and runs every step on them.
///
/// # Errors
/// [`crate::Error::RunMismatch`] when `out` holds another run; those of every step.
pub fn demo(
    out: Option<&Path>,
    scenes_count: u32,
    config: &RunConfig,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<DemoReport> {
    let folder = out.map_or_else(fresh_folder, Path::to_path_buf);
    let images = folder.join("images");
    let truth = folder.join("ground_truth.json");
    demo_scenes::write(config.seed, scenes_count, &images, &truth, workers, control)?;
    let workspace = Workspace::new(folder.join("run"));
    let mut config = config.clone();
    config.cluster.classes = DEMO_CLASSES;
    let request = ExtractRequest { images: &images, config: &config, strict: true };
    let extraction = extract(&request, &workspace, workers, control)?;
    cluster(&workspace, &config, workers, control)?;
    let data_set = folder.join("T0.json");
    let export = export(&workspace, &data_set, workers, control)?;
    let input = EvaluationInput::from_files(&truth, &data_set)?;
    let options = EvaluationOptions { class_agnostic: true, ..EvaluationOptions::default() };
    let evaluation = evaluation::evaluate(&input, &options, workers, control)?;
    let report = report(&workspace, Some(&truth), workers, control)?;
    Ok(DemoReport { extraction, export, evaluation, data_set, report })
}

/// A name that no earlier demo had.
fn fresh_folder() -> PathBuf {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
    std::env::temp_dir().join(format!("simdetr-demo-{}-{time}", std::process::id()))
}

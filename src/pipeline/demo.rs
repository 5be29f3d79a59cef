//! `simdetr demo`: Algorithm 1 on rendered scenes whose boxes are known.
//!
//! Nothing is needed but the library: the scenes are drawn, proposals are found and clustered, a
//! small detector is trained on them and on its own labels, and the labels of every stage are scored
//! against the boxes that were drawn, which training never sees.

use crate::Result;
use crate::control::Control;
use crate::data::atomic_file;
use crate::pipeline::config::RunConfig;
use crate::pipeline::demo_scenes;
use crate::pipeline::pretrain::{PretrainReport, PretrainRequest, pretrain};
use crate::pipeline::report_run::{ReportRequest, report};
use crate::pipeline::workspace::Workspace;
use crate::workers::Workers;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The preset that the demo's configuration starts from.
pub const PRESET: &str = "tiny";

/// What the demo did and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoReport {
    /// Labels of every stage, with their recall of the boxes that were drawn.
    pub pretraining: PretrainReport,
    pub report: PathBuf,
}

/// Renders `scenes_count` scenes into `out` (a new folder under the system's temporary one by
/// default) and runs Algorithm 1 on them.
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
    atomic_file::check_folder(&folder)?;
    let images = folder.join("images");
    let truth = folder.join("ground_truth.json");
    demo_scenes::write(config.seed, scenes_count, &images, &truth, workers, control)?;
    let workspace = Workspace::new(folder.join("run"));
    let ground_truth = Some(truth.as_path());
    let request = PretrainRequest { images: &images, config, strict: true, ground_truth };
    let pretraining = pretrain(&request, &workspace, workers, control)?;
    let request = ReportRequest { run: workspace.root(), images: None, ground_truth, force: false };
    let report = report(&request, workers, control)?;
    Ok(DemoReport { pretraining, report })
}

/// A name that no earlier demo had.
fn fresh_folder() -> PathBuf {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros());
    std::env::temp_dir().join(format!("simdetr-demo-{}-{time}", std::process::id()))
}

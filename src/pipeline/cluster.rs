//! The step `cluster`: pseudo-classes for the proposals of the whole set (patent ¶35, ¶55).

use crate::Result;
use crate::clustering::{self, Fit};
use crate::control::Control;
use crate::data::atomic_file;
use crate::data::store::StoreReader;
use crate::pipeline::config::RunConfig;
use crate::pipeline::workspace::{Step, Workspace};
use crate::workers::Workers;

/// Fits the centroids and writes them into the run; a second call with other keys replaces them.
///
/// # Errors
/// [`crate::Error::RunStep`] before `extract`; [`crate::Error::TooFewPoints`] with both numbers;
/// those of [`clustering::fit`].
pub fn cluster(
    workspace: &Workspace,
    config: &RunConfig,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<Fit> {
    config.validate()?;
    let mut record = workspace.record_after(Step::Extract)?;
    atomic_file::check(&workspace.clusters())?;
    let store = StoreReader::open(&workspace.proposals())?;
    let fit = clustering::fit(&store, &config.cluster_config(), workers, *control)?;
    fit.centroids.save(&workspace.clusters())?;
    record.config.cluster = config.cluster.clone();
    if !record.steps.contains(&Step::Cluster) {
        record.steps.push(Step::Cluster);
    }
    workspace.write(&record)?;
    Ok(fit)
}

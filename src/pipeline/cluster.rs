//! The step `cluster`: pseudo-classes for the proposals of the whole set (patent ¶35, ¶55).

use crate::clustering::{self, Centroids, Fit};
use crate::control::Control;
use crate::data::atomic_file;
use crate::data::store::StoreReader;
use crate::pipeline::config::RunConfig;
use crate::pipeline::workspace::identity;
use crate::pipeline::workspace::{OpenRun, RunRecord, Step, Workspace};
use crate::workers::Workers;
use crate::{Error, Result};

/// What the step did.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterReport {
    /// Without rounds where there was nothing to do.
    pub fit: Fit,
    /// Whether an earlier call had fitted the same centroids.
    pub nothing_to_do: bool,
}

/// Fits the centroids of an extracted run and writes them into it. A call with other keys fits them
/// again and removes the T_0 of the old ones, until training has begun with it.
///
/// The table `cluster` of `config` counts, and its seed where the run was not extracted with another;
/// everything else is the run's.
///
/// # Errors
/// [`Error::RunStep`] before `extract`; [`Error::TooFewPoints`] with both numbers;
/// [`Error::RunMismatch`] with the keys when training has begun with others, and for another seed;
/// [`Error::Locked`] when somebody else writes there; those of [`clustering::fit`].
pub fn cluster(
    workspace: &Workspace,
    config: &RunConfig,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<ClusterReport> {
    config.validate()?;
    let record = workspace.record_after(Step::Extract)?;
    atomic_file::check(&workspace.clusters())?;
    // 0 is what a call says that says nothing.
    if config.seed != 0 && config.seed != record.config.seed {
        let (found, wanted) = (record.config.seed.to_string(), config.seed.to_string());
        return Err(Error::mismatch(workspace.root(), "config.seed", &found, &wanted));
    }
    let run = workspace.open(Step::Cluster)?;
    let mut record = run.record_after(Step::Extract)?;
    let wanted = RunConfig { cluster: config.cluster.clone(), ..record.config.clone() };
    cluster_in(&run, &mut record, &wanted, workers, control)
}

/// [`cluster`] in a run that is open, with a configuration that is the run's but for the table
/// `cluster`.
///
/// # Errors
/// As [`cluster`].
pub(super) fn cluster_in(
    run: &OpenRun,
    record: &mut RunRecord,
    config: &RunConfig,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<ClusterReport> {
    let keys = |config| identity::document(config, Step::Cluster.tables(), &[]);
    let differences = crate::config::differences(&keys(&record.config)?, &keys(config)?);
    if record.has(Step::Cluster) && differences.is_empty() && run.clusters().exists() {
        let centroids = Centroids::load(&run.clusters())?;
        let fit = Fit { centroids, rounds: Vec::new() };
        return Ok(ClusterReport { fit, nothing_to_do: true });
    }
    if run.is_trained()? && !differences.is_empty() {
        return Err(Error::RunMismatch { path: run.root().into(), differences });
    }
    let store = StoreReader::open(&run.proposals())?;
    let fit = clustering::fit(&store, &config.cluster_config(), workers, *control)?;
    if record.has(Step::Cluster) && !differences.is_empty() {
        run.undo(record, Step::Cluster)?;
    }
    fit.centroids.save(&run.clusters())?;
    record.config.cluster = config.cluster.clone();
    run.done(record, Step::Cluster)?;
    Ok(ClusterReport { fit, nothing_to_do: false })
}

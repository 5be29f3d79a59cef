//! `simdetr_clusterer_t`: global clustering of all vectors into pseudo-classes, as a whole.
//!
//! The steps that a distributed host drives are in `clusterer_steps`, the answers (labels,
//! centroids) in `clusterer_answers`.

use super::declare::{choices, handle, initialiser, memory_bytes, options, versioned};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle_mut, into_handle};
use super::options::{Versioned, copy_options, wanted};
use super::pointers::{borrow, output, slice, text};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::store::simdetr_proposal_store_t;
use super::tensor::{DLTensor, Tensor};
use super::workers::{simdetr_parallel_for_fn_t, workers};
use crate::clustering::{self, Centroids, ClusterConfig, Resources};
use crate::control::Control;
use crate::data::vectors::{VectorArray, VectorSource};
use crate::workers::Workers;
use crate::{Error, Result};
use std::ffi::{c_char, c_void};
use std::path::Path;

choices! {
    METRICS: &str {
        /// Vectors and centroids have length 1 and near means a large cosine; the default.
        SIMDETR_METRIC_SPHERICAL = 1 => "spherical",
        /// Near means a small distance.
        SIMDETR_METRIC_EUCLIDEAN = 2 => "euclidean",
    }
}
choices! {
    SEEDINGS: &str {
        /// First centroids by k-means|| on a sample; the default.
        SIMDETR_SEEDING_KMEANS_PARALLEL = 1 => "kmeans||",
        /// First centroids by k-means++ on a sample.
        SIMDETR_SEEDING_KMEANS_PLUS_PLUS = 2 => "kmeans++",
        /// First centroids are random rows.
        SIMDETR_SEEDING_RANDOM = 3 => "random",
    }
}
choices! {
    EMPTY_CLUSTERS: &str {
        /// A cluster without vectors keeps its centroid; the default.
        SIMDETR_EMPTY_CLUSTERS_KEEP = 1 => "keep",
        /// A cluster without vectors takes half of the largest.
        SIMDETR_EMPTY_CLUSTERS_SPLIT = 2 => "split",
    }
}

/// Centroids, and how they are found. Fitting and updating need exclusion; everything that takes
/// the clusterer `const` may run at the same time.
pub struct simdetr_clusterer_t {
    pub(super) config: ClusterConfig,
    pub(super) workers: Workers,
    pub(super) centroids: Option<Centroids>,
    poison: Poison,
}

impl simdetr_clusterer_t {
    pub(super) fn centroids(&self) -> Result<&Centroids> {
        self.centroids.as_ref().ok_or_else(|| {
            Error::invalid("clusterer", "has no centroids yet; fit, seed or load them first")
        })
    }

    pub(super) fn resources<'a>(&'a self, control: &Control<'a>) -> Resources<'a> {
        let memory_bytes_max = self.config.memory_bytes_max;
        Resources { workers: &self.workers, control: *control, memory_bytes_max }
    }

    fn fit(&mut self, vectors: &dyn VectorSource, control: &Control<'_>) -> Result<Report> {
        let fit = clustering::fit(vectors, &self.config, &self.workers, *control)?;
        let last = fit.rounds.last();
        let report = Report {
            rounds_count: fit.rounds.len() as u64,
            empty_count: last.map_or(0, |round| round.empty as u64),
            objective: last.map_or(0.0, |round| round.objective),
            ..Report::zeroed()
        };
        self.centroids = Some(fit.centroids);
        Ok(report)
    }
}

options! {
    /// How to cluster. Zero in a field is its default.
    pub struct simdetr_clusterer_options_t (80 bytes) {
        /// `SIMDETR_CLUSTERER_SET_*` of the fields whose zero is meant.
        pub set_mask: u64 => apart,
        /// Key of every random number; 0 is 0.
        pub seed: u64,
        /// Bytes that a call may allocate; 0 is 1 GiB.
        pub memory_bytes_max: u64,
        /// Number of pseudo-classes K; 0 is 2048.
        pub classes: u32,
        /// Rounds before the final assignment; 0 is 10 unless its bit is set, which leaves the first
        /// centroids as they are.
        pub rounds: u32 => bit SIMDETR_CLUSTERER_SET_ROUNDS = 1,
        /// Rows for each class in the sample that seeding sees; 0 is 32.
        pub sample_per_class: u32,
        /// `SIMDETR_METRIC_*`.
        pub metric: i32 => one of METRICS,
        /// `SIMDETR_SEEDING_*`.
        pub seeding: i32 => one of SEEDINGS,
        /// `SIMDETR_EMPTY_CLUSTERS_*`.
        pub empty_clusters: i32 => one of EMPTY_CLUSTERS,
        /// 0 is one for each processor.
        pub threads: u32 => apart,
        /// Must be 0.
        pub reserved: u32 => reserved,
        /// The host's job system instead of threads of the library; NULL for none. `threads` then says
        /// how many tasks it runs at once.
        pub parallel_for: simdetr_parallel_for_fn_t => apart,
        /// First argument of `parallel_for`.
        pub parallel_for_user_data: *mut c_void => apart,
    }
}

versioned! {
    /// What a fit or an update found.
    pub struct simdetr_cluster_report_t (32 bytes) {
        /// Rounds that were run; fewer than asked for once nothing moved.
        pub rounds_count: u64,
        /// Classes without a vector in the last round.
        pub empty_count: u64,
        /// Sum of the squared distances of all vectors to their centroids before the last round moved
        /// them.
        pub objective: f64,
    }
}

pub(super) type Report = simdetr_cluster_report_t;

initialiser!(simdetr_clusterer_options_init, options, simdetr_clusterer_options_t);

/// # Safety
/// `options` is NULL or as the header says.
unsafe fn new_clusterer(
    options: *const simdetr_clusterer_options_t,
) -> Result<simdetr_clusterer_t> {
    let given = copy_options(options)?;
    let config: ClusterConfig = given.keys()?.finish()?;
    config.validate()?;
    let workers = workers(given.threads, given.parallel_for, given.parallel_for_user_data)?;
    Ok(simdetr_clusterer_t { config, workers, centroids: None, poison: Poison::default() })
}

/// Makes a clusterer without centroids.
///
/// @param[in] options NULL is all defaults.
/// @param[out] out The clusterer, to be given to `simdetr_clusterer_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_create(
    options: *const simdetr_clusterer_options_t,
    out: *mut *mut simdetr_clusterer_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, clusterer) = (output(out, "out")?, new_clusterer(options)?);
        out.set(into_handle(clusterer));
        Ok(())
    })
}

/// Makes a clusterer with the centroids of a file that `simdetr_clusterer_save` wrote; their
/// number and metric count instead of the options'.
///
/// @param[in] path File.
/// @param[in] options NULL is all defaults.
/// @param[out] out The clusterer, to be given to `simdetr_clusterer_destroy`.
/// @return `SIMDETR_ERROR_FORMAT` says what is wrong with the file.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_load(
    path: *const c_char,
    options: *const simdetr_clusterer_options_t,
    out: *mut *mut simdetr_clusterer_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, path, mut clusterer) =
            (output(out, "out")?, Path::new(text(path, "path")?), new_clusterer(options)?);
        let centroids = Centroids::load(path)?;
        clusterer.config.classes = centroids.classes() as u32;
        clusterer.config.metric = centroids.metric().name().into();
        clusterer.centroids = Some(centroids);
        out.set(into_handle(clusterer));
        Ok(())
    })
}

handle!(simdetr_clusterer_t, clusterer, simdetr_clusterer_destroy, "Destroys a clusterer.");

memory_bytes!(
    simdetr_clusterer_t,
    clusterer,
    simdetr_clusterer_memory_bytes,
    "Says how many bytes a clusterer holds between calls.",
    "Its centroids."
);

impl simdetr_clusterer_t {
    fn memory_bytes(&self) -> usize {
        let held = self.centroids.as_ref().map_or(0, |held| held.values().len() * 4);
        size_of::<simdetr_clusterer_t>() + held
    }
}

/// Seeds and runs all rounds over the vectors of a store.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] store A store that was opened or finished.
/// @param[in] run Optional.
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_fit_store(
    clusterer: *mut simdetr_clusterer_t,
    store: *const simdetr_proposal_store_t,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_cluster_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(clusterer, error, |clusterer| {
        let write = wanted(report)?;
        let reader = &borrow(store, "store")?.reading()?.reader;
        let found = with_control(run, |control| clusterer.fit(reader, control))?;
        write(&found)
    })
}

/// Seeds and runs all rounds over the rows of a tensor.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] vectors f32 `[rows, dimensions]`, dense.
/// @param[in] run Optional.
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_fit(
    clusterer: *mut simdetr_clusterer_t,
    vectors: *const DLTensor,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_cluster_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(clusterer, error, |clusterer| {
        let write = wanted(report)?;
        let rows = tensor_rows(vectors)?;
        let found = with_control(run, |control| clusterer.fit(&rows, control))?;
        write(&found)
    })
}

/// `simdetr_clusterer_fit` for a plain array.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] vectors `[rows_count, dimensions]`.
/// @param[in] rows_count Number of rows.
/// @param[in] dimensions Length of a row.
/// @param[in] run Optional.
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_fit_f32(
    clusterer: *mut simdetr_clusterer_t,
    vectors: *const f32,
    rows_count: usize,
    dimensions: usize,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_cluster_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(clusterer, error, |clusterer| {
        let write = wanted(report)?;
        let rows = array_rows(vectors, rows_count, dimensions)?;
        let found = with_control(run, |control| clusterer.fit(&rows, control))?;
        write(&found)
    })
}

/// # Safety
/// As [`Tensor::borrow`].
pub(super) unsafe fn tensor_rows<'a>(vectors: *const DLTensor) -> Result<VectorArray<'a>> {
    let tensor = Tensor::<f32>::borrow(vectors, "vectors")?;
    match *tensor.shape {
        [_, dimensions] if dimensions > 0 => {
            VectorArray::new(tensor.dense("vectors")?, dimensions as usize)
        }
        _ => Err(Error::shape("vectors", "[N,D], D above 0", format!("{:?}", tensor.shape))),
    }
}

/// # Safety
/// As [`slice`].
pub(super) unsafe fn array_rows<'a>(
    vectors: *const f32,
    rows_count: usize,
    dimensions: usize,
) -> Result<VectorArray<'a>> {
    let count = rows_count.checked_mul(dimensions).ok_or_else(|| {
        Error::invalid("rows_count", format!("{rows_count} x {dimensions} values overflow"))
    })?;
    VectorArray::new(slice(vectors, count, "vectors")?, dimensions)
}

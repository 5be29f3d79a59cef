//! `simdetr_clusterer_t`: global clustering of all vectors into pseudo-classes, as a whole.
//!
//! The steps that a distributed host drives are in `clusterer_steps`, the answers (labels,
//! centroids) in `clusterer_answers`.

use super::error::simdetr_error_t;
use super::guard::{Handle, Poison, destroy, guard, guard_handle, guard_handle_mut, into_handle};
use super::options::{Keys, Versioned, checked_size, copy_options, init, write_struct};
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

/// Vectors and centroids have length 1 and near means a large cosine; the default.
pub const SIMDETR_METRIC_SPHERICAL: i32 = 1;
/// Near means a small distance.
pub const SIMDETR_METRIC_EUCLIDEAN: i32 = 2;
/// First centroids by k-means|| on a sample; the default.
pub const SIMDETR_SEEDING_KMEANS_PARALLEL: i32 = 1;
/// First centroids by k-means++ on a sample.
pub const SIMDETR_SEEDING_KMEANS_PLUS_PLUS: i32 = 2;
/// First centroids are random rows.
pub const SIMDETR_SEEDING_RANDOM: i32 = 3;
/// A cluster without vectors keeps its centroid; the default.
pub const SIMDETR_EMPTY_CLUSTERS_KEEP: i32 = 1;
/// A cluster without vectors takes half of the largest.
pub const SIMDETR_EMPTY_CLUSTERS_SPLIT: i32 = 2;

const METRICS: &[&str] = &["spherical", "euclidean"];
const SEEDINGS: &[&str] = &["kmeans||", "kmeans++", "random"];
const EMPTY_CLUSTERS: &[&str] = &["keep", "split"];

/// `rounds` is 0: the first centroids stay as they are.
pub const SIMDETR_CLUSTERER_SET_ROUNDS: u64 = 1;

/// Centroids, and how they are found. Fitting and updating need exclusion; everything that takes
/// the clusterer `const` may run at the same time.
pub struct simdetr_clusterer_t {
    pub(super) config: ClusterConfig,
    pub(super) workers: Workers,
    pub(super) centroids: Option<Centroids>,
    poison: Poison,
}

impl Handle for simdetr_clusterer_t {
    const NAME: &'static str = "clusterer";
    fn poison(&self) -> &Poison {
        &self.poison
    }
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

/// How to cluster. Zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_clusterer_options_t {
    /// `sizeof(simdetr_clusterer_options_t)`.
    pub struct_size: usize,
    /// `SIMDETR_CLUSTERER_SET_*` of the fields whose zero is meant.
    pub set_mask: u64,
    /// Key of every random number; 0 is 0.
    pub seed: u64,
    /// Bytes that a call may allocate; 0 is 1 GiB.
    pub memory_bytes_max: u64,
    /// Number of pseudo-classes K; 0 is 2048.
    pub classes: u32,
    /// Rounds before the final assignment; 0 is 10 unless its bit is set.
    pub rounds: u32,
    /// Rows for each class in the sample that seeding sees; 0 is 32.
    pub sample_per_class: u32,
    /// `SIMDETR_METRIC_*`.
    pub metric: i32,
    /// `SIMDETR_SEEDING_*`.
    pub seeding: i32,
    /// `SIMDETR_EMPTY_CLUSTERS_*`.
    pub empty_clusters: i32,
    /// 0 is one for each processor.
    pub threads: u32,
    /// Must be 0.
    pub reserved: u32,
    /// The host's job system instead of threads of the library; NULL for none. `threads` then says
    /// how many tasks it runs at once.
    pub parallel_for: simdetr_parallel_for_fn_t,
    /// First argument of `parallel_for`.
    pub parallel_for_user_data: *mut c_void,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<simdetr_clusterer_options_t>() == 80);

// SAFETY: `repr(C)`, size first, numbers and pointers that may be NULL.
unsafe impl Versioned for simdetr_clusterer_options_t {
    const NAME: &'static str = "simdetr_clusterer_options_t";
    const SMALLEST: usize = size_of::<simdetr_clusterer_options_t>();
}

/// What a fit or an update found.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_cluster_report_t {
    /// `sizeof(simdetr_cluster_report_t)`, set by the caller.
    pub struct_size: usize,
    /// Rounds that were run; fewer than asked for once nothing moved.
    pub rounds_count: u64,
    /// Classes without a vector in the last round.
    pub empty_count: u64,
    /// Sum of the squared distances of all vectors to their centroids before the last round moved
    /// them.
    pub objective: f64,
}

pub(super) type Report = simdetr_cluster_report_t;

// SAFETY: `repr(C)`, size first, plain numbers.
unsafe impl Versioned for simdetr_cluster_report_t {
    const NAME: &'static str = "simdetr_cluster_report_t";
    const SMALLEST: usize = 32;
}

const _: () = assert!(size_of::<simdetr_cluster_report_t>() == 24 + size_of::<usize>());

/// Refuses a report that could not be written before anything is changed.
///
/// # Safety
/// `report` is NULL or as `write_struct` wants it.
pub(super) unsafe fn check_report(report: *const Report) -> Result<()> {
    // SAFETY: promised by the caller.
    if report.is_null() { Ok(()) } else { unsafe { checked_size(report) }.map(|_| ()) }
}

/// # Safety
/// `report` is NULL or as `write_struct` wants it.
pub(super) unsafe fn write_report(report: *mut Report, found: &Report) -> Result<()> {
    // SAFETY: promised by the caller.
    if report.is_null() { Ok(()) } else { unsafe { write_struct(report, found) } }
}

/// Sets every field to its default and `struct_size` to the size given.
///
/// @param[out] options May be NULL.
/// @param[in] struct_size `sizeof *options`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_options_init(
    options: *mut simdetr_clusterer_options_t,
    struct_size: usize,
) {
    // SAFETY: promised by the caller.
    unsafe { init(options, struct_size) }
}

/// # Safety
/// `options` is NULL or as the header says.
unsafe fn new_clusterer(
    options: *const simdetr_clusterer_options_t,
) -> Result<simdetr_clusterer_t> {
    // SAFETY: promised by the caller.
    let given = unsafe { copy_options(options) }?;
    if given.reserved != 0 {
        let name = "simdetr_clusterer_options_t.reserved";
        return Err(Error::invalid(name, format!("is {}, must be 0", given.reserved)));
    }
    let known = SIMDETR_CLUSTERER_SET_ROUNDS;
    let mut keys = Keys::new::<simdetr_clusterer_options_t>(given.set_mask, known)?;
    keys.unsigned("seed", given.seed, 0)?
        .unsigned("memory_bytes_max", given.memory_bytes_max, 0)?
        .integer("classes", i64::from(given.classes), 0)
        .integer("rounds", i64::from(given.rounds), SIMDETR_CLUSTERER_SET_ROUNDS)
        .integer("sample_per_class", i64::from(given.sample_per_class), 0)
        .choice("metric", given.metric, METRICS)?
        .choice("seeding", given.seeding, SEEDINGS)?
        .choice("empty_clusters", given.empty_clusters, EMPTY_CLUSTERS)?;
    let config: ClusterConfig = keys.finish()?;
    config.validate()?;
    let workers = workers(given.threads, given.parallel_for, given.parallel_for_user_data)?;
    Ok(simdetr_clusterer_t { config, workers, centroids: None, poison: Poison::default() })
}

/// Makes a clusterer without centroids.
///
/// @param[in] options NULL is all defaults.
/// @param[out] out The clusterer, to be given to `simdetr_clusterer_destroy`.
/// @param[out] error Optional.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_clusterer_create(
    options: *const simdetr_clusterer_options_t,
    out: *mut *mut simdetr_clusterer_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        // SAFETY: promised by the caller.
        let (out, clusterer) = unsafe { (output(out, "out")?, new_clusterer(options)?) };
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
/// @param[out] error Optional.
/// @return `SIMDETR_ERROR_FORMAT` says what is wrong with the file.
///
/// Any thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_clusterer_load(
    path: *const c_char,
    options: *const simdetr_clusterer_options_t,
    out: *mut *mut simdetr_clusterer_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        // SAFETY: promised by the caller.
        let (out, path, mut clusterer) = unsafe {
            (output(out, "out")?, Path::new(text(path, "path")?), new_clusterer(options)?)
        };
        let centroids = Centroids::load(path)?;
        clusterer.config.classes = centroids.classes() as u32;
        clusterer.config.metric = centroids.metric().name().into();
        clusterer.centroids = Some(centroids);
        out.set(into_handle(clusterer));
        Ok(())
    })
}

/// Destroys a clusterer.
///
/// @param[in] clusterer May be NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_destroy(clusterer: *mut simdetr_clusterer_t) {
    // SAFETY: promised by the caller.
    unsafe { destroy(clusterer) }
}

/// Says how many bytes a clusterer holds between calls.
///
/// @param[in] clusterer The clusterer.
/// @param[out] bytes Its centroids.
/// @param[out] error Optional.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_clusterer_memory_bytes(
    clusterer: *const simdetr_clusterer_t,
    bytes: *mut u64,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    // SAFETY: promised by the caller.
    unsafe {
        guard_handle(clusterer, error, |clusterer| {
            let held = clusterer.centroids.as_ref().map_or(0, |held| held.values().len() * 4);
            output(bytes, "bytes")?.set((size_of::<simdetr_clusterer_t>() + held) as u64);
            Ok(())
        })
    }
}

/// Seeds and runs all rounds over the vectors of a store.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] store A store that was opened or finished.
/// @param[in] run Optional.
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @param[out] error Optional.
/// @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_clusterer_fit_store(
    clusterer: *mut simdetr_clusterer_t,
    store: *const simdetr_proposal_store_t,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_cluster_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    // SAFETY: promised by the caller.
    unsafe {
        guard_handle_mut(clusterer, error, |clusterer| {
            check_report(report)?;
            let reader = &borrow(store, "store")?.reading()?.reader;
            let found = with_control(run, |control| clusterer.fit(reader, control))?;
            write_report(report, &found)
        })
    }
}

/// Seeds and runs all rounds over the rows of a tensor.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] vectors f32 `[rows, dimensions]`, dense.
/// @param[in] run Optional.
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @param[out] error Optional.
/// @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_clusterer_fit(
    clusterer: *mut simdetr_clusterer_t,
    vectors: *const DLTensor,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_cluster_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    // SAFETY: promised by the caller.
    unsafe {
        guard_handle_mut(clusterer, error, |clusterer| {
            check_report(report)?;
            let rows = tensor_rows(vectors)?;
            let found = with_control(run, |control| clusterer.fit(&rows, control))?;
            write_report(report, &found)
        })
    }
}

/// `simdetr_clusterer_fit` for a plain array.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] vectors `[rows_count, dimensions]`.
/// @param[in] rows_count Number of rows.
/// @param[in] dimensions Length of a row.
/// @param[in] run Optional.
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @param[out] error Optional.
/// @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_clusterer_fit_f32(
    clusterer: *mut simdetr_clusterer_t,
    vectors: *const f32,
    rows_count: usize,
    dimensions: usize,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_cluster_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    // SAFETY: promised by the caller.
    unsafe {
        guard_handle_mut(clusterer, error, |clusterer| {
            check_report(report)?;
            let rows = array_rows(vectors, rows_count, dimensions)?;
            let found = with_control(run, |control| clusterer.fit(&rows, control))?;
            write_report(report, &found)
        })
    }
}

/// # Safety
/// As [`Tensor::borrow`].
pub(super) unsafe fn tensor_rows<'a>(vectors: *const DLTensor) -> Result<VectorArray<'a>> {
    // SAFETY: promised by the caller.
    let tensor = unsafe { Tensor::<f32>::borrow(vectors, "vectors") }?;
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
    // SAFETY: promised by the caller.
    VectorArray::new(unsafe { slice(vectors, count, "vectors") }?, dimensions)
}

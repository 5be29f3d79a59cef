//! Global clustering in steps, so that MPI, Spark or a host's own process group can drive it.
//!
//! Every process seeds or sets the same centroids; then, each round, accumulates its rows, the
//! accumulators are added up (by `merge`, or as plain 64-bit integers by the host's all-reduce),
//! and every process updates. However rows are divided, the centroids have the same bits as those
//! of one `fit`.

use super::clusterer::{Report, array_rows, simdetr_cluster_report_t, simdetr_clusterer_t};
use super::declare::handle;
use super::error::simdetr_error_t;
use super::guard::{Poison, guard_handle, guard_handle_mut, into_handle};
use super::options::{Versioned, wanted};
use super::pointers::{borrow, borrow_mut, output, slice};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::store::simdetr_proposal_store_t;
use crate::Error;
use crate::clustering::{self, Accumulator, Centroids};

/// Sums of vectors by class. One thread at a time may change it.
pub struct simdetr_accumulator_t {
    sums: Accumulator,
    poison: Poison,
}

/// Draws the first centroids from a store, as `simdetr_clusterer_fit_store` does.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] store A store that was opened or finished.
/// @param[in] run Optional.
/// @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_seed_store(
    clusterer: *mut simdetr_clusterer_t,
    store: *const simdetr_proposal_store_t,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(clusterer, error, |clusterer| {
        let reader = &borrow(store, "store")?.reading()?.reader;
        let seeds = with_control(run, |control| {
            clustering::seed(reader, &clusterer.config, &clusterer.workers, *control)
        })?;
        clusterer.centroids = Some(seeds);
        Ok(())
    })
}

/// Draws the first centroids from an array, as `simdetr_clusterer_fit_f32` does.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] vectors `[rows_count, dimensions]`.
/// @param[in] rows_count Number of rows.
/// @param[in] dimensions Length of a row.
/// @param[in] run Optional.
/// @return `SIMDETR_ERROR_TOO_FEW_POINTS` with both numbers.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_seed_f32(
    clusterer: *mut simdetr_clusterer_t,
    vectors: *const f32,
    rows_count: usize,
    dimensions: usize,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(clusterer, error, |clusterer| {
        let rows = array_rows(vectors, rows_count, dimensions)?;
        let seeds = with_control(run, |control| {
            clustering::seed(&rows, &clusterer.config, &clusterer.workers, *control)
        })?;
        clusterer.centroids = Some(seeds);
        Ok(())
    })
}

/// Sets the centroids, for example those that another process has drawn.
///
/// @param[in] clusterer Its centroids are replaced, on success; its metric stays.
/// @param[in] centroids `[classes_count, dimensions]`; made unit vectors under
/// `SIMDETR_METRIC_SPHERICAL`.
/// @param[in] classes_count Number of classes.
/// @param[in] dimensions Length of a centroid.
/// @return A status.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_set_centroids_f32(
    clusterer: *mut simdetr_clusterer_t,
    centroids: *const f32,
    classes_count: usize,
    dimensions: usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(clusterer, error, |clusterer| {
        let count = classes_count.checked_mul(dimensions).ok_or_else(|| {
            let reason = format!("{classes_count} x {dimensions} values overflow");
            Error::invalid("classes_count", reason)
        })?;
        let values = slice(centroids, count, "centroids")?.to_vec();
        let metric = clusterer.config.metric()?;
        let centroids = Centroids::new(values, classes_count, dimensions, metric)?;
        clusterer.config.classes = classes_count as u32;
        clusterer.centroids = Some(centroids);
        Ok(())
    })
}

/// Makes empty sums of the size of a clusterer's centroids.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[in] magnitude_max No coordinate of any vector may be larger; every process must give the
/// same. 0 is 1, right for unit vectors and so for every store and the spherical metric.
/// @param[out] out The accumulator, to be given to `simdetr_accumulator_destroy`.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_accumulator_create(
    clusterer: *const simdetr_clusterer_t,
    magnitude_max: f32,
    out: *mut *mut simdetr_accumulator_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        let out = output(out, "out")?;
        let centroids = clusterer.centroids()?;
        let magnitude_max = if magnitude_max == 0.0 { 1.0 } else { magnitude_max };
        let (classes, dimensions) = (centroids.classes(), centroids.dimensions());
        let sums = Accumulator::new(classes, dimensions, magnitude_max)?;
        out.set(into_handle(simdetr_accumulator_t { sums, poison: Poison::default() }));
        Ok(())
    })
}

handle!(
    simdetr_accumulator_t,
    accumulator,
    simdetr_accumulator_destroy,
    "Destroys an accumulator."
);

/// Adds rows of a store to the sums, each to the class of its nearest centroid.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[in] store A store that was opened or finished.
/// @param[in] first First row.
/// @param[in] rows_count Number of rows.
/// @param[in] run Optional.
/// @param[in] accumulator The sums; after an error they are incomplete, so clear them.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`; one thread at a
/// time on one accumulator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_accumulate_store(
    clusterer: *const simdetr_clusterer_t,
    store: *const simdetr_proposal_store_t,
    first: u64,
    rows_count: u64,
    run: *const simdetr_run_options_t,
    accumulator: *mut simdetr_accumulator_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        let reader = &borrow(store, "store")?.reading()?.reader;
        let sums = &mut borrow_mut(accumulator, "accumulator")?.sums;
        let rows = first..first.saturating_add(rows_count);
        with_control(run, |control| {
            let resources = clusterer.resources(control);
            clustering::accumulate(reader, rows, clusterer.centroids()?, sums, &resources)
        })
    })
}

/// Adds rows of an array to the sums, each to the class of its nearest centroid.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[in] vectors `[rows_count, dimensions]`.
/// @param[in] rows_count Number of rows.
/// @param[in] dimensions Length of a row.
/// @param[in] run Optional.
/// @param[in] accumulator The sums; after an error they are incomplete, so clear them.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`; one thread at a
/// time on one accumulator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_accumulate_f32(
    clusterer: *const simdetr_clusterer_t,
    vectors: *const f32,
    rows_count: usize,
    dimensions: usize,
    run: *const simdetr_run_options_t,
    accumulator: *mut simdetr_accumulator_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        let rows = array_rows(vectors, rows_count, dimensions)?;
        let sums = &mut borrow_mut(accumulator, "accumulator")?.sums;
        with_control(run, |control| {
            let resources = clusterer.resources(control);
            let all = 0..rows_count as u64;
            clustering::accumulate(&rows, all, clusterer.centroids()?, sums, &resources)
        })
    })
}

/// Adds the sums of another process or thread. Any order gives the same bits.
///
/// @param[in] accumulator The sums that grow.
/// @param[in] other Sums of the same size; not changed.
/// @return `SIMDETR_ERROR_SHAPE` when sizes or magnitudes differ; nothing is added then.
///
/// One thread at a time on `accumulator`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_accumulator_merge(
    accumulator: *mut simdetr_accumulator_t,
    other: *const simdetr_accumulator_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(accumulator, error, |accumulator| {
        if std::ptr::eq(accumulator, other) {
            return Err(Error::invalid("other", "is the accumulator itself"));
        }
        accumulator.sums.merge(&borrow(other, "other")?.sums)
    })
}

/// Gives the sums as one flat array of integers, to be written out or summed by an all-reduce.
///
/// @param[in] accumulator The sums.
/// @param[out] values Borrowed until the accumulator is destroyed, and may be written.
/// @param[out] count Number of integers.
/// @return A status.
///
/// One thread at a time on one accumulator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_accumulator_values(
    accumulator: *mut simdetr_accumulator_t,
    values: *mut *mut i64,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(accumulator, error, |accumulator| {
        let (values, count) = (output(values, "values")?, output(count, "count")?);
        let sums = accumulator.sums.values_mut();
        values.set(sums.as_mut_ptr());
        count.set(sums.len());
        Ok(())
    })
}

/// Sets all sums to zero.
///
/// @param[in] accumulator The sums.
/// @return A status.
///
/// One thread at a time on one accumulator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_accumulator_clear(
    accumulator: *mut simdetr_accumulator_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(accumulator, error, |accumulator| {
        accumulator.sums.values_mut().fill(0);
        Ok(())
    })
}

/// Ends a round: moves the centroids to the means of what all processes accumulated.
///
/// @param[in] clusterer Its centroids are replaced, on success.
/// @param[in] accumulator The sums of all processes; not changed.
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_SHAPE` for sums of another size.
///
/// One thread at a time on one clusterer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_update(
    clusterer: *mut simdetr_clusterer_t,
    accumulator: *const simdetr_accumulator_t,
    report: *mut simdetr_cluster_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(clusterer, error, |clusterer| {
        let sums = &borrow(accumulator, "accumulator")?.sums;
        let rule = clusterer.config.empty_clusters()?;
        let next = clusterer.centroids()?.update(sums, rule)?;
        let found = Report {
            rounds_count: 1,
            empty_count: sums.counts().iter().filter(|&&count| count == 0).count() as u64,
            objective: sums.objective(),
            ..Report::zeroed()
        };
        wanted(report)?(&found)?;
        clusterer.centroids = Some(next);
        Ok(())
    })
}

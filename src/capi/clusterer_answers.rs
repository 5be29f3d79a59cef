//! What a clusterer knows: labels of vectors, its centroids, its file, and T_0.

use super::clusterer::{array_rows, simdetr_clusterer_t, tensor_rows};
use super::error::simdetr_error_t;
use super::guard::guard_handle;
use super::pointers::{OutputArray, borrow, output, output_array, room_for, text};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::store::simdetr_proposal_store_t;
use super::tensor::{DLManagedTensorVersioned, DLTensor, Tensor};
use super::tensor_part::Part;
use crate::clustering;
use crate::control::Control;
use crate::data::vectors::VectorSource;
use crate::pipeline::export::export_store;
use crate::{Error, Result};
use std::ffi::c_char;
use std::path::Path;

impl simdetr_clusterer_t {
    /// Classes of all rows; `labels` is untouched unless it succeeds.
    fn label(
        &self,
        vectors: &dyn VectorSource,
        labels: OutputArray<'_, u32>,
        control: &Control<'_>,
    ) -> Result<()> {
        if labels.len() as u64 != vectors.rows_count() {
            let expected = format!("{} labels", vectors.rows_count());
            return Err(Error::shape("labels", expected, labels.len()));
        }
        let found = clustering::labels(vectors, self.centroids()?, &self.resources(control))?;
        labels.copy_from(&found);
        Ok(())
    }
}

/// Finds the pseudo-class of every proposal of a store.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[in] store A store that was opened or finished.
/// @param[out] labels `[labels_count]`, in the order of the store's rows.
/// @param[in] labels_count Must be the store's number of proposals.
/// @param[in] run Optional.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_assign_store(
    clusterer: *const simdetr_clusterer_t,
    store: *const simdetr_proposal_store_t,
    labels: *mut u32,
    labels_count: usize,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        let reader = &borrow(store, "store")?.reading()?.reader;
        let labels = output_array(labels, labels_count, "labels")?;
        with_control(run, |control| clusterer.label(reader, labels, control))
    })
}

/// Finds the pseudo-class of each row of an array.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[in] vectors `[rows_count, dimensions]`.
/// @param[in] rows_count Number of rows.
/// @param[in] dimensions Length of a row.
/// @param[out] labels `[rows_count]`.
/// @param[in] run Optional.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_assign_f32(
    clusterer: *const simdetr_clusterer_t,
    vectors: *const f32,
    rows_count: usize,
    dimensions: usize,
    labels: *mut u32,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        let rows = array_rows(vectors, rows_count, dimensions)?;
        let labels = output_array(labels, rows_count, "labels")?;
        with_control(run, |control| clusterer.label(&rows, labels, control))
    })
}

/// Finds the pseudo-class of each row of a tensor.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[in] vectors f32 `[rows, dimensions]`, dense.
/// @param[out] labels i32 `[rows]`, dense.
/// @param[in] run Optional.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_assign(
    clusterer: *const simdetr_clusterer_t,
    vectors: *const DLTensor,
    labels: *const DLTensor,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        let rows = tensor_rows(vectors)?;
        let target = Tensor::<i32>::borrow(labels, "labels")?;
        let count = rows.rows_count();
        let labels = target.output("labels", &[count as i64])?;
        with_control(run, |control| clusterer.label(&rows, labels.cast_unsigned(), control))
    })
}

/// Copies the centroids.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[out] centroids `[classes_count, dimensions]`; may be NULL where `capacity` is 0.
/// @param[in] capacity Numbers that `centroids` has room for; 0 asks for the sizes.
/// @param[out] classes_count Number of classes; also written with
/// `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @param[out] dimensions Length of a centroid; likewise.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_centroids_f32(
    clusterer: *const simdetr_clusterer_t,
    centroids: *mut f32,
    capacity: usize,
    classes_count: *mut usize,
    dimensions: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        let found = clusterer.centroids()?;
        let second = output(dimensions, "dimensions")?;
        output(classes_count, "classes_count")?.set(found.classes());
        second.set(found.dimensions());
        let needed = found.values().len();
        if room_for((needed, capacity), "centroids")? {
            output_array(centroids, needed, "centroids")?.copy_from(found.values());
        }
        Ok(())
    })
}

/// Copies the centroids into a tensor that the host then owns.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[out] out f32 `[classes, dimensions]`; ended by its deleter.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_export_centroids(
    clusterer: *const simdetr_clusterer_t,
    out: *mut *mut DLManagedTensorVersioned,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        let part = clusterer
            .centroids()
            .map(|found| Part::floats(found.values(), &[found.classes(), found.dimensions()]));
        Part::export(part, out)
    })
}

/// Writes the centroids as a safetensors file.
///
/// @param[in] clusterer A clusterer with centroids.
/// @param[in] path File; complete or absent.
/// @return A status.
///
/// May run at the same time as other functions that take the clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_clusterer_save(
    clusterer: *const simdetr_clusterer_t,
    path: *const c_char,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(clusterer, error, |clusterer| {
        clusterer.centroids()?.save(Path::new(text(path, "path")?))
    })
}

/// Writes T_0 as a COCO data set: every readable image of a store, every proposal with its score,
/// and the pseudo-class that a clusterer gives it.
///
/// @param[in] store A store that was opened or finished.
/// @param[in] clusterer A clusterer with centroids.
/// @param[in] path File; complete or absent.
/// @param[in] run Optional.
/// @return A status.
///
/// May run at the same time as other functions that take store or clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_export_coco(
    store: *const simdetr_proposal_store_t,
    clusterer: *const simdetr_clusterer_t,
    path: *const c_char,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(store, error, |store| {
        let reader = &store.reading()?.reader;
        let clusterer = borrow(clusterer, "clusterer")?;
        let (centroids, path) = (clusterer.centroids()?, Path::new(text(path, "path")?));
        with_control(run, |control| {
            export_store(reader, centroids, path, &clusterer.resources(control)).map(|_| ())
        })
    })
}

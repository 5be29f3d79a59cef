//! Reading a `simdetr_proposal_store_t`: image by image, vectors by row, merging.

use super::declare::versioned;
use super::error::simdetr_error_t;
use super::guard::{guard, guard_handle};
use super::options::wanted;
use super::pointers::{borrow_mut, copy_text, has_room, output_array, text, texts};
use super::proposals::simdetr_proposals_t;
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::store::{Reading, simdetr_proposal_store_t};
use crate::data::store::{ImageStatus, StoredImage, Vectors, merge};
use crate::data::vectors::VectorSource;
use crate::{Error, Result};
use std::ffi::c_char;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

versioned! {
    /// One image of a store.
    pub struct simdetr_stored_image_t (40 bytes) {
        /// Row of its first proposal in the store's vectors and labels.
        pub first_row: u64,
        /// Number of its proposals.
        pub proposals_count: u64,
        /// Rank of its path in its folder, from 1.
        pub image_id: u32,
        /// Pixels of the upright image; 0 where it could not be read.
        pub width: u32,
        /// Pixels of the upright image; 0 where it could not be read.
        pub height: u32,
        /// 1 where the image could not be read, else 0.
        pub broken: i32,
    }
}

impl Reading {
    pub(super) fn memory_bytes(&self) -> usize {
        let shard = self.shard.lock().unwrap_or_else(PoisonError::into_inner);
        let images = shard.iter().flat_map(|(_, images)| images);
        images.map(|image| size_of::<StoredImage>() + image.proposals.memory_bytes()).sum()
    }

    /// Lets `look` see one image, counted from 0; its shard stays in memory for its neighbours.
    pub(super) fn with_image<T>(
        &self,
        index: u64,
        look: impl FnOnce(&StoredImage) -> Result<T>,
    ) -> Result<T> {
        let ids = self.reader.image_ids();
        if index >= ids.end - ids.start {
            let reason = format!("{index} of {} images", ids.end - ids.start);
            return Err(Error::invalid("index", reason));
        }
        let size = u64::from(self.reader.settings().shard_images);
        let (wanted, place) = ((index / size) as usize, (index % size) as usize);
        let mut kept = self.shard.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|(number, _)| *number != wanted) {
            *kept = Some((wanted, self.reader.read_shard(wanted, Vectors::Read)?));
        }
        let image = kept.as_ref().and_then(|(_, images)| images.get(place));
        look(image.ok_or_else(|| Error::Internal { reason: format!("no image {index}") })?)
    }
}

/// Reads one image with its proposals. Going through the images in order reads each shard once.
///
/// @param[in] store A store that was opened or finished.
/// @param[in] index Which image, from 0.
/// @param[in,out] image `struct_size` must be set, the rest is filled in; may be NULL.
/// @param[in] proposals Receives the proposals; may be NULL.
/// @return A status.
///
/// May run at the same time as other functions that take the store `const`; readers of different
/// shards wait for each other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_read(
    store: *const simdetr_proposal_store_t,
    index: u64,
    image: *mut simdetr_stored_image_t,
    proposals: *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(store, error, |store| {
        store.reading()?.with_image(index, |found| {
            let record = &found.record;
            let answer = simdetr_stored_image_t {
                struct_size: size_of::<simdetr_stored_image_t>(),
                first_row: found.first_row,
                proposals_count: found.proposals.count() as u64,
                image_id: record.image_id,
                width: record.width,
                height: record.height,
                broken: i32::from(record.status == ImageStatus::Broken),
            };
            wanted(image)?(&answer)?;
            if !proposals.is_null() {
                borrow_mut(proposals, "proposals")?.set.clone_from(&found.proposals);
            }
            Ok(())
        })
    })
}

/// Copies the path of one image.
///
/// @param[in] store A store that was opened or finished.
/// @param[in] index Which image, from 0.
/// @param[out] path Receives the relative path, UTF-8 with a final NUL.
/// @param[in] capacity Bytes at `path`; 0 asks for the count.
/// @param[out] count Bytes of the path with its NUL; also written with
/// `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions that take the store `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_image_path(
    store: *const simdetr_proposal_store_t,
    index: u64,
    path: *mut c_char,
    capacity: usize,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(store, error, |store| {
        store.reading()?.with_image(index, |found| {
            let found = &found.record.path;
            let needed = found.len() + 1;
            if !has_room(count, (needed, capacity), "path")? {
                return Ok(());
            }
            copy_text(path, found, "path")
        })
    })
}

/// Reads unit vectors, one row for each proposal of the store.
///
/// @param[in] store A store that was opened or finished.
/// @param[in] first First row.
/// @param[in] rows_count Number of rows.
/// @param[out] vectors `[rows_count, dimensions]`; zeros from the row on that could not be read.
/// @return A status.
///
/// May run at the same time as other functions that take the store `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_vectors_f32(
    store: *const simdetr_proposal_store_t,
    first: u64,
    rows_count: usize,
    vectors: *mut f32,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(store, error, |store| {
        let reader = &store.reading()?.reader;
        let inside = first.checked_add(rows_count as u64);
        if inside.is_none_or(|end| end > reader.proposals_count()) {
            let expected = format!("at most {} rows", reader.proposals_count());
            let got = format!("{rows_count} rows from row {first}");
            return Err(Error::shape("rows_count", expected, got));
        }
        let count = rows_count * reader.settings().dimensions;
        // Decoding needs a slice; the zeros cost little beside reading the rows.
        reader.read(first, output_array(vectors, count, "vectors")?.zeroed())
    })
}

/// Puts the shards of several stores, which hold different images of one set, into a new one.
///
/// @param[in] sources Folders, `[sources_count]`, in any order.
/// @param[in] sources_count Number of folders.
/// @param[in] target Folder of the new store.
/// @param[in] run Optional.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` when images are there twice or missing between the
/// stores, `SIMDETR_ERROR_RUN_MISMATCH` when they were written with different options.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_merge(
    sources: *const *const c_char,
    sources_count: usize,
    target: *const c_char,
    run: *const simdetr_run_options_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let sources = texts(sources, sources_count, "sources")?;
        let sources: Vec<PathBuf> = sources.into_iter().map(PathBuf::from).collect();
        let target = Path::new(text(target, "target")?);
        with_control(run, |control| merge(&sources, target, *control).map(|_| ()))
    })
}

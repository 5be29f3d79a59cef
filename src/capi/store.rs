//! `simdetr_proposal_store_t`: a folder of proposals, being written or being read.
//!
//! Writing needs exclusion; once finished, the same handle reads (`store_read`).

use super::declare::{choices, handle, initialiser, memory_bytes, options, versioned};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle, guard_handle_mut, into_handle};
use super::options::{copy_options, write_struct};
use super::pointers::{borrow, optional, optional_text, output, set_wanted, text};
use super::proposals::simdetr_proposals_t;
use super::status::simdetr_status_t;
use crate::data::store::{
    ImageRecord, ImageStatus, StoreConfig, StoreReader, StoreWriter, StoredImage,
};
use crate::{Error, Result};
use std::ffi::c_char;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

choices! {
    FEATURE_DTYPES: &str {
        /// Vectors are stored as 16-bit floats; the default.
        SIMDETR_FEATURE_DTYPE_F16 = 1 => "f16",
        /// Vectors are stored as 32-bit floats.
        SIMDETR_FEATURE_DTYPE_F32 = 2 => "f32",
    }
}

/// A folder of proposals. While it is written, one thread at a time; a store that was opened or
/// finished may be read by any number of threads.
pub struct simdetr_proposal_store_t {
    path: PathBuf,
    state: State,
    poison: Poison,
}

enum State {
    Writing(Box<StoreWriter>),
    Reading(Box<Reading>),
    /// `finish` failed: what is on disk can be opened again.
    Lost,
}

/// A store that is read, with the shard that was looked at last.
pub(super) struct Reading {
    pub(super) reader: StoreReader,
    pub(super) shard: Mutex<Option<(usize, Vec<StoredImage>)>>,
}

impl simdetr_proposal_store_t {
    fn reading_from(path: &Path) -> Result<simdetr_proposal_store_t> {
        let reader = StoreReader::open(path)?;
        let reading = Reading { reader, shard: Mutex::new(None) };
        Ok(simdetr_proposal_store_t {
            path: path.into(),
            state: State::Reading(Box::new(reading)),
            poison: Poison::default(),
        })
    }

    pub(super) fn reading(&self) -> Result<&Reading> {
        match &self.state {
            State::Reading(reading) => Ok(reading),
            _ => Err(Error::invalid("store", "is being written; finish it before reading")),
        }
    }

    fn writing(&mut self) -> Result<&mut StoreWriter> {
        match &mut self.state {
            State::Writing(writer) => Ok(writer),
            State::Reading(_) => Err(Error::invalid("store", "is finished and cannot be changed")),
            State::Lost => Err(Error::invalid("store", "could not be finished; open it again")),
        }
    }
}

options! {
    /// How a store is written. Zero in a field is its default.
    pub struct simdetr_proposal_store_options_t (40 bytes) {
        /// Must be 0; no field has a zero that is not its default.
        pub set_mask: u64 => apart,
        /// `SIMDETR_FEATURE_DTYPE_*`.
        pub feature_dtype: i32 => one of FEATURE_DTYPES,
        /// Images in a shard, the unit in which a store is committed; 0 is 256.
        pub shard_images: u32,
        /// Identifies what decides the contents (encoder, configuration, seed): a store is continued
        /// or merged only under an equal one. NULL is "".
        pub fingerprint: *const c_char => apart,
        /// Id of the first image; 0 is 1. Another one begins a part of a larger set and must begin a
        /// shard.
        pub first_image_id: u32 => apart,
        /// Must be 0.
        pub reserved: u32 => reserved,
    }
}

initialiser!(simdetr_proposal_store_options_init, options, simdetr_proposal_store_options_t);

/// Begins a store, or goes on with one that was begun with the same options.
///
/// @param[in] path Folder; made if need be.
/// @param[in] dimensions Length of the vectors.
/// @param[in] options NULL is all defaults.
/// @param[out] out The store, to be given to `simdetr_proposal_store_destroy`.
/// @return `SIMDETR_ERROR_RUN_MISMATCH` when the folder holds a store of other options;
/// `SIMDETR_ERROR_LOCKED` while another one that is not finished has it open, in any process.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_create(
    path: *const c_char,
    dimensions: usize,
    options: *const simdetr_proposal_store_options_t,
    out: *mut *mut simdetr_proposal_store_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, options) = (output(out, "out")?, copy_options(options)?);
        let fingerprint = optional_text(options.fingerprint, "fingerprint")?;
        let path = Path::new(text(path, "path")?);
        let config: StoreConfig = options.keys()?.finish()?;
        let settings = config.settings(dimensions, fingerprint.unwrap_or_default().into())?;
        let writer = StoreWriter::open(path, settings, options.first_image_id.max(1))?;
        out.set(into_handle(simdetr_proposal_store_t {
            path: path.into(),
            state: State::Writing(Box::new(writer)),
            poison: Poison::default(),
        }));
        Ok(())
    })
}

/// Opens a store for reading.
///
/// @param[in] path Folder.
/// @param[out] out The store, to be given to `simdetr_proposal_store_destroy`.
/// @return `SIMDETR_ERROR_FORMAT` names a shard that is truncated, damaged or missing.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_open(
    path: *const c_char,
    out: *mut *mut simdetr_proposal_store_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, path) = (output(out, "out")?, Path::new(text(path, "path")?));
        out.set(into_handle(simdetr_proposal_store_t::reading_from(path)?));
        Ok(())
    })
}

handle!(
    simdetr_proposal_store_t,
    store,
    simdetr_proposal_store_destroy,
    "Destroys a store handle. A store that is being written loses the images of its last shard unless it was full or `simdetr_proposal_store_finish` was called; nothing on disk is removed."
);

/// Appends one image with its proposals. Images are numbered in the order in which they come.
///
/// @param[in] store A store that is being written.
/// @param[in] image_path Relative path with `/`, which stands in the COCO file.
/// @param[in] width Pixels of the upright image; 0 for an image that could not be read.
/// @param[in] height Pixels of the upright image; 0 for an image that could not be read.
/// @param[in] proposals NULL for none. Vectors must have the store's length.
/// @param[out] image_id Id of the image; may be NULL.
/// @return A status; nothing was appended unless it is 0.
///
/// One thread at a time on one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_append(
    store: *mut simdetr_proposal_store_t,
    image_path: *const c_char,
    width: u32,
    height: u32,
    proposals: *const simdetr_proposals_t,
    image_id: *mut u32,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(store, error, |store| {
        let path = text(image_path, "image_path")?.to_string();
        let none = simdetr_proposals_t::default();
        let given = optional(proposals, |given| borrow(given, "proposals"))?;
        let set = &given.unwrap_or(&none).set;
        let writer = store.writing()?;
        let id = writer.next_image_id();
        let status = match width == 0 || height == 0 {
            true => ImageStatus::Broken,
            false => ImageStatus::Ok,
        };
        let message = String::new();
        writer.append(ImageRecord { image_id: id, path, width, height, status, message }, set)?;
        set_wanted(image_id, id, "image_id")
    })
}

/// Commits what is left. The handle can then read the store, if it holds an image.
///
/// @param[in] store A store that is being written.
/// @return A status; after a failure the handle can only be destroyed, and the store be begun
/// again where its last complete shard ends.
///
/// One thread at a time on one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_finish(
    store: *mut simdetr_proposal_store_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(store, error, |store| {
        store.writing()?;
        if let State::Writing(writer) = std::mem::replace(&mut store.state, State::Lost) {
            writer.finish()?;
        }
        store.state = simdetr_proposal_store_t::reading_from(&store.path)?.state;
        Ok(())
    })
}

versioned! {
    /// What a store holds.
    pub struct simdetr_proposal_store_counts_t (48 bytes) {
        /// Images, those without proposals included.
        pub images_count: u64,
        /// Id of the first image.
        pub first_image_id: u64,
        /// Proposals, which are rows of vectors and labels.
        pub proposals_count: u64,
        /// Files that hold them.
        pub shards_count: u64,
        /// Length of a vector.
        pub dimensions: u64,
    }
}

/// Counts what a store holds.
///
/// @param[in] store A store that was opened or finished.
/// @param[in,out] counts `struct_size` must be set; the rest is filled in.
/// @return A status.
///
/// May run at the same time as other functions that take the store `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_counts(
    store: *const simdetr_proposal_store_t,
    counts: *mut simdetr_proposal_store_counts_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(store, error, |store| {
        let reader = &store.reading()?.reader;
        let ids = reader.image_ids();
        let found = simdetr_proposal_store_counts_t {
            struct_size: size_of::<simdetr_proposal_store_counts_t>(),
            images_count: ids.end - ids.start,
            first_image_id: ids.start,
            proposals_count: reader.proposals_count(),
            shards_count: reader.shards_count() as u64,
            dimensions: reader.settings().dimensions as u64,
        };
        write_struct(counts, &found)
    })
}

memory_bytes!(
    simdetr_proposal_store_t,
    store,
    simdetr_proposal_store_memory_bytes,
    "Says how many bytes a store handle holds.",
    "The shard in memory: the one being written, or the one that was read last."
);

impl simdetr_proposal_store_t {
    fn memory_bytes(&self) -> usize {
        match &self.state {
            State::Writing(writer) => writer.memory_bytes(),
            State::Reading(reading) => reading.memory_bytes(),
            State::Lost => 0,
        }
    }
}

//! Images to proposals: one image in any form, a batch, or a folder into a store.

use super::declare::versioned;
use super::error::simdetr_error_t;
use super::extractor::{Memory, simdetr_extractor_t};
use super::guard::guard_handle;
use super::image::{copy_image, copy_image_into, copy_tensor_image, simdetr_image_t};
use super::options::{copy_options, write_struct};
use super::pointers::{borrow_mut, optional_text, slice, text};
use super::proposals::simdetr_proposals_t;
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::store::simdetr_proposal_store_options_t;
use super::tensor::DLTensor;
use crate::control::Control;
use crate::data::folder::LeftOutReason;
use crate::data::image::{Image, decode};
use crate::data::proposal_set::ProposalSet;
use crate::data::store::StoreConfig;
use crate::pipeline::store_extraction::{extract_into_store, proposals_document};
use crate::workers::Workers;
use crate::{Error, Result};
use std::ffi::c_char;
use std::path::Path;

impl simdetr_extractor_t {
    /// `read` writes the image into memory that is used again.
    fn extract_image(
        &self,
        read: impl FnOnce(&mut Image) -> Result<()>,
        image_id: u32,
        runners: (&Workers, &Control<'_>),
        target: &mut ProposalSet,
    ) -> Result<()> {
        self.with_memory(target, |memory| {
            let Memory { images, frame, proposals, .. } = memory;
            read(frame)?;
            let extractor = self.images()?;
            extractor.config().limits.check_pixels("image", frame.width, frame.height)?;
            extractor.extract(frame, image_id, runners, images, proposals).map(|_| ())
        })
    }

    fn extract_pixels(
        &self,
        image: &Image,
        image_id: u32,
        runners: (&Workers, &Control<'_>),
        target: &mut ProposalSet,
    ) -> Result<()> {
        let extractor = self.images()?;
        extractor.config().limits.check_pixels("image", image.width, image.height)?;
        self.with_memory(target, |memory| {
            let Memory { images, proposals, .. } = memory;
            extractor.extract(image, image_id, runners, images, proposals).map(|_| ())
        })
    }

    /// Extracts the image that `read` writes into the host's set.
    ///
    /// # Safety
    /// `run` and `proposals` are as the header says.
    unsafe fn extract_one(
        &self,
        read: impl FnOnce(&mut Image) -> Result<()>,
        image_id: u32,
        run: *const simdetr_run_options_t,
        proposals: *mut simdetr_proposals_t,
    ) -> Result<()> {
        let target = &mut borrow_mut(proposals, "proposals")?.set;
        with_control(run, |control| {
            self.extract_image(read, image_id, (&self.workers, control), target)
        })
    }
}

/// Finds the proposals of one image.
///
/// @param[in] extractor An extractor with an encoder.
/// @param[in] image Pixels of the host.
/// @param[in] image_id Keys the image's random numbers; the rank of its path where it has one.
/// @param[in] run Optional.
/// @param[in] proposals Receives the proposals; untouched unless the status is 0.
/// @return A status; negative where the host's encoder callback stopped the call.
///
/// May run at the same time as other functions on the extractor, with other proposals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_extract_image(
    extractor: *const simdetr_extractor_t,
    image: *const simdetr_image_t,
    image_id: u32,
    run: *const simdetr_run_options_t,
    proposals: *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(extractor, error, |extractor| {
        let read = |frame: &mut Image| copy_image_into(image, frame);
        extractor.extract_one(read, image_id, run, proposals)
    })
}

/// Finds the proposals of one encoded image: JPEG, PNG, WebP, BMP or TIFF, recognised by content;
/// boxes are in pixels of the upright image.
///
/// @param[in] extractor An extractor with an encoder.
/// @param[in] data The file's bytes.
/// @param[in] length Number of bytes.
/// @param[in] image_id Keys the image's random numbers; the rank of its path where it has one.
/// @param[in] run Optional.
/// @param[in] proposals Receives the proposals; untouched unless the status is 0.
/// @return `SIMDETR_ERROR_IMAGE_DECODE` or `SIMDETR_ERROR_IMAGE_TOO_LARGE` say what is wrong.
///
/// May run at the same time as other functions on the extractor, with other proposals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_extract_encoded(
    extractor: *const simdetr_extractor_t,
    data: *const u8,
    length: usize,
    image_id: u32,
    run: *const simdetr_run_options_t,
    proposals: *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(extractor, error, |extractor| {
        let data = slice(data, length, "data")?;
        let read = |frame: &mut Image| {
            *frame = decode::decode(data, "data", &extractor.images()?.config().limits)?;
            Ok(())
        };
        extractor.extract_one(read, image_id, run, proposals)
    })
}

/// Finds the proposals of an image tensor.
///
/// @param[in] extractor An extractor with an encoder.
/// @param[in] image `[3, H, W]` or `[H, W, 3]`, with or without a leading 1, any positive strides;
/// u8, or f32 in [0, 1].
/// @param[in] image_id Keys the image's random numbers; the rank of its path where it has one.
/// @param[in] run Optional.
/// @param[in] proposals Receives the proposals; untouched unless the status is 0.
/// @return A status.
///
/// May run at the same time as other functions on the extractor, with other proposals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_extract_tensor(
    extractor: *const simdetr_extractor_t,
    image: *const DLTensor,
    image_id: u32,
    run: *const simdetr_run_options_t,
    proposals: *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(extractor, error, |extractor| {
        let read = |frame: &mut Image| {
            *frame = copy_tensor_image(image, "image")?;
            Ok(())
        };
        extractor.extract_one(read, image_id, run, proposals)
    })
}

/// Finds the proposals of several images, which the extractor's threads share. Progress comes once,
/// at the end.
///
/// @param[in] extractor An extractor with an encoder.
/// @param[in] images `[images_count]`.
/// @param[in] images_count Number of images.
/// @param[in] first_image_id Key of the first image; the others follow.
/// @param[in] run Optional; progress counts images.
/// @param[in] proposals `[images_count]` sets, no two the same; untouched unless the status is 0.
/// @return A status, that of the first image that failed.
///
/// May run at the same time as other functions on the extractor, with other proposals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_extract_batch(
    extractor: *const simdetr_extractor_t,
    images: *const *const simdetr_image_t,
    images_count: usize,
    first_image_id: u32,
    run: *const simdetr_run_options_t,
    proposals: *const *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(extractor, error, |extractor| {
        let images = slice(images, images_count, "images")?;
        let handles = slice(proposals, images_count, "proposals")?;
        if (1..handles.len()).any(|index| handles[..index].contains(&handles[index])) {
            return Err(Error::invalid("proposals", "holds one set twice"));
        }
        let targets: Result<Vec<_>> =
            handles.iter().map(|&handle| Ok(&mut borrow_mut(handle, "proposals")?.set)).collect();
        let images: Result<Vec<Image>> = images.iter().map(|&image| copy_image(image)).collect();
        let (targets, images) = (targets?, images?);
        let (outside, inside) = extractor.images()?.share(&extractor.workers);
        with_control(run, |control| {
            let found = outside.try_map(images.len(), |index| {
                control.check()?;
                let mut set = ProposalSet::default();
                let id = first_image_id.wrapping_add(index as u32);
                extractor.extract_pixels(&images[index], id, (&inside, control), &mut set)?;
                Ok(set)
            })?;
            control.report("extract", images_count as u64, images_count as u64)?;
            for (target, set) in targets.into_iter().zip(found) {
                *target = set;
            }
            Ok(())
        })
    })
}

versioned! {
    /// What `simdetr_extractor_extract_folder` did.
    pub struct simdetr_folder_report_t (64 bytes, first without files_hidden) {
        /// Files that could be images.
        pub images_count: u64,
        /// Images that an earlier, stopped call had committed.
        pub images_resumed: u64,
        /// Files that are no readable images, those that earlier calls met too; the log names them.
        pub images_broken: u64,
        /// Proposals in the store.
        pub proposals_count: u64,
        /// Images that were left out because they, or a folder on the way, are hidden by a dot.
        pub files_hidden: u64,
        /// Images that were left out because their path is not UTF-8.
        pub files_unreadable_name: u64,
        /// Images that were left out because their format is not read, such as HEIC; those that this
        /// call only noticed when it read them are in the store, without proposals.
        pub files_unsupported_format: u64,
    }
}

/// Extracts every image of a folder, and of the folders in it, into a store. A call that was
/// stopped or killed goes on where it was and ends with the same bytes. The store remembers what it
/// was made from: a call with another encoder, other options of the extractor or other images is
/// refused, and so is one while another call or process writes into the store.
///
/// @param[in] extractor An extractor with an encoder.
/// @param[in] images Folder of images; read in the order of their paths.
/// @param[in] store Folder of the store.
/// @param[in] store_options NULL is all defaults; a `fingerprint` of NULL is derived from the encoder
/// and the extractor's options.
/// @param[in] strict 1 makes a broken image an error, also one that an earlier call skipped, and
/// every file that is left out; 0 skips them.
/// @param[in] run Optional; progress counts the images that are compared with those of earlier calls
/// ("check") and those that are extracted ("extract").
/// @param[in,out] report `struct_size` must be set, the rest is filled in; may be NULL.
/// @return `SIMDETR_ERROR_NO_IMAGES`; `SIMDETR_ERROR_RUN_MISMATCH` when the store was begun with
/// other options or images, with what differs; `SIMDETR_ERROR_LOCKED`; `SIMDETR_ERROR_LEFT_OUT` and
/// `SIMDETR_ERROR_UNSUPPORTED_IMAGE` under `strict`; what was committed stays whatever the status.
///
/// May run at the same time as other functions on the extractor, into other stores.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_extract_folder(
    extractor: *const simdetr_extractor_t,
    images: *const c_char,
    store: *const c_char,
    store_options: *const simdetr_proposal_store_options_t,
    strict: i32,
    run: *const simdetr_run_options_t,
    report: *mut simdetr_folder_report_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(extractor, error, |extractor| {
        let (folder_path, store) =
            (Path::new(text(images, "images")?), Path::new(text(store, "store")?));
        let options = copy_options(store_options)?;
        let fingerprint = optional_text(options.fingerprint, "fingerprint")?;
        if !(0..=1).contains(&strict) {
            return Err(Error::invalid("strict", format!("{strict} is neither 0 nor 1")));
        }
        let extract = extractor.images()?;
        let fingerprint =
            fingerprint.map_or_else(|| proposals_document(extract), |own| Ok(own.into()))?;
        let settings =
            options.keys()?.finish::<StoreConfig>()?.settings(extract.dimensions(), fingerprint)?;
        let (target, workers) = ((store, settings), &extractor.workers);
        let found = with_control(run, |control| {
            extract_into_store(extract, folder_path, target, strict == 1, workers, control)
        })?;
        if report.is_null() {
            return Ok(());
        }
        let left_out = |name| {
            let skipped = found.skipped_by_reason();
            skipped.into_iter().find(|one| one.0 == name).map_or(0, |one| one.1)
        };
        let [hidden, unreadable_name, unsupported_format] = LeftOutReason::NAMES;
        let answer = simdetr_folder_report_t {
            struct_size: size_of::<simdetr_folder_report_t>(),
            images_count: found.images_count,
            images_resumed: found.images_resumed,
            images_broken: found.broken.len() as u64,
            proposals_count: found.proposals_count,
            files_hidden: left_out(hidden),
            files_unreadable_name: left_out(unreadable_name),
            files_unsupported_format: left_out(unsupported_format),
        };
        write_struct(report, &answer)
    })
}

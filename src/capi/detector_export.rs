//! A detector as files for other programs.

use super::declare::choices;
use super::detector::simdetr_detector_t;
use super::error::simdetr_error_t;
use super::guard::guard_handle;
use super::options::chosen;
use super::pointers::text;
use super::status::simdetr_status_t;
use crate::detector::deformable_detr::weights::Naming;
use crate::detector::onnx;
use std::ffi::c_char;
use std::path::Path;

choices! {
    NAMINGS: Naming {
        /// Names of the official Deformable DETR.
        SIMDETR_NAMING_OFFICIAL = 1 => Naming::Official,
        /// Names of DeformableDetrForObjectDetection of `transformers`.
        SIMDETR_NAMING_HUGGING_FACE = 2 => Naming::HuggingFace,
    }
}

/// Writes a detector as safetensors, with a text entry that says what it is. What lay at `path` stays
/// whole until the new file is.
///
/// @param[in] detector The detector.
/// @param[in] path The file.
/// @param[in] naming `SIMDETR_NAMING_*`; 0 is the official one.
/// @return `SIMDETR_ERROR_OUTPUT` for a path that is not written: a folder, or read-only.
///
/// May run at the same time as other functions on the detector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_save(
    detector: *const simdetr_detector_t,
    path: *const c_char,
    naming: i32,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        let path = Path::new(text(path, "path")?);
        let naming = chosen("naming", naming, NAMINGS)?;
        detector.detector.save(path, naming)
    })
}

/// Writes the backbone alone as safetensors, under torchvision's names.
///
/// @param[in] detector The detector.
/// @param[in] path The file.
/// @return `SIMDETR_ERROR_OUTPUT` for a path that is not written: a folder, or read-only.
///
/// May run at the same time as other functions on the detector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_save_backbone(
    detector: *const simdetr_detector_t,
    path: *const c_char,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        detector.detector.save_backbone(Path::new(text(path, "path")?))
    })
}

/// Writes a detector as an ONNX model for images of one size: input `images` f32
/// `[batch, 3, height, width]`, normalised; outputs `logits` `[batch, queries, classes]` and `boxes`
/// `[batch, queries, 4]`: center x, center y, width, height as shares of the image.
///
/// @param[in] detector The detector.
/// @param[in] path The file.
/// @param[in] height Pixels; 0 is the side of a square image as the detector sees it.
/// @param[in] width Pixels; 0 as for `height`.
/// @return `SIMDETR_ERROR_OUTPUT` for a path that is not written: a folder, or read-only.
///
/// May run at the same time as other functions on the detector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_export_onnx(
    detector: *const simdetr_detector_t,
    path: *const c_char,
    height: u32,
    width: u32,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        let path = Path::new(text(path, "path")?);
        onnx::export(&detector.detector, height as usize, width as usize, path)
    })
}

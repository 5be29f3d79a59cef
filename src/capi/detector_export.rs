//! A detector as files for other programs.

use super::declare::choices;
use super::detector::simdetr_detector_t;
use super::error::simdetr_error_t;
use super::guard::guard_handle;
use super::options::chosen;
use super::pointers::text;
use super::status::simdetr_status_t;
use crate::detector::naming::Naming;
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

/// Writes a detector as an ONNX model: input `images` f32 `[batch, 3, height, width]`; outputs `logits`
/// `[batch, queries, classes]`, of which sigmoids are scores, and `boxes` `[batch, queries, 4]`: center x,
/// center y, width, height as shares of the image. The batch is free, and so is every side that is 0 here:
/// one file then runs at any size, at the speed of a file of that size alone.
///
/// What `simdetr_detector_predict_*` do to an image is the host's work here; the numbers are those of
/// `simdetr_detector_describe`. Of the upright image each free side becomes
/// `side_multiple * clamp(floor(side * scale / side_multiple + 0.5), 1, image_long_side_max / side_multiple)`,
/// `scale` being the lesser of `image_short_side / shorter side` and `image_long_side_max / longer side`,
/// and `/` between whole numbers rounding down; bilinear, antialiased where the image shrinks. Each level
/// of red, green and blue, in this order, becomes `(level / 255 - image_mean) / image_deviation`. Images
/// fill their batch, without padding. The file says the same: its metadata have the fields of
/// `simdetr_detector_description_t` that begin with `image_`, `side_multiple`, `image_height` and
/// `image_width` (a number or "any"), `image_orientation`, `image_resize`, `image_padding`,
/// `image_layout`, `image_colours`, `image_values`, `boxes` and `scores`, and under `simdetr_detector` the
/// whole detector with its categories, in TOML.
///
/// @param[in] detector The detector.
/// @param[in] path The file.
/// @param[in] height Pixels, a multiple of `side_multiple` up to 8192; 0 is any.
/// @param[in] width Pixels, as `height`.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` for a side that is no multiple or too large,
/// `SIMDETR_ERROR_OUTPUT` for a path that is not written: a folder, or read-only.
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

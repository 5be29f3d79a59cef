//! Images to detections: pixels of the host, encoded images, files, a tensor.

use super::declare::{choices, initialiser, versioned};
use super::detections::simdetr_detections_t;
use super::detector::{PredictionMemory, simdetr_detector_t};
use super::error::simdetr_error_t;
use super::guard::guard_handle;
use super::image::{copy_image_into, copy_tensor_image, simdetr_image_t};
use super::options::{chosen, copy_options, reserved};
use super::pointers::{borrow_mut, slice, texts};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::tensor::DLTensor;
use crate::Result;
use crate::data::image::{Image, decode};
use crate::detector::prediction::Reading;
use crate::detector::whole_detector::PredictionOptions;
use std::ffi::c_char;
use std::path::Path;

choices! {
    READINGS: Reading {
        /// The best pairs of query and class, so that a query may appear with several classes: the default,
        /// that of the official detectors.
        SIMDETR_READING_PAIRS = 1 => Reading::Pairs,
        /// Each query once, with its best class, as in relabelling.
        SIMDETR_READING_QUERIES = 2 => Reading::Queries,
        /// Each query once, with its best class; its score is one of all classes, the cube root of 1 minus the
        /// product of 1 - p^3 over their probabilities: it ranks boxes better than the best class alone where
        /// classes are hard to tell apart.
        SIMDETR_READING_OBJECTS = 3 => Reading::Objects,
    }
}

versioned! {
    /// Which of a detector's boxes are wanted. Zero in a field is its default.
    pub struct simdetr_prediction_options_t (24 bytes) {
        /// Best boxes of each image; 0 is 100.
        pub detections_max: u32,
        /// `SIMDETR_READING_*`.
        pub reading: i32,
        /// Boxes with a lower score are left out.
        pub score_min: f32,
        /// Must be 0.
        pub reserved: u32,
    }
}

initialiser!(simdetr_prediction_options_init, options, simdetr_prediction_options_t);

/// # Safety
/// `given` is NULL or as the header says.
unsafe fn prediction_options(
    given: *const simdetr_prediction_options_t,
) -> Result<PredictionOptions> {
    let given = copy_options(given)?;
    reserved::<simdetr_prediction_options_t>(given.reserved)?;
    let defaults = PredictionOptions::default();
    let options = PredictionOptions {
        detections_max: match given.detections_max {
            0 => defaults.detections_max,
            count => count as usize,
        },
        score_min: given.score_min,
        reading: chosen("reading", given.reading, READINGS)?,
    };
    options.validate()?;
    Ok(options)
}

impl simdetr_detector_t {
    /// Predicts on `count` images, which `image` writes one at a time.
    ///
    /// # Safety
    /// `options`, `run` and `detections` are as the header says.
    unsafe fn predict(
        &self,
        count: usize,
        image: impl Fn(usize, &mut Image) -> Result<()>,
        options: *const simdetr_prediction_options_t,
        run: *const simdetr_run_options_t,
        detections: *mut simdetr_detections_t,
    ) -> Result<()> {
        let (options, target) =
            (prediction_options(options)?, borrow_mut(detections, "detections")?);
        with_control(run, |control| {
            self.with_memory(|memory| {
                let read = |index: usize, frame: &mut Image| {
                    image(index, frame)?;
                    let name = format_args!("images[{index}]");
                    self.config.limits.check_pixels(name, frame.width, frame.height)
                };
                let (images, runners) = ((count, read), (&self.workers, control));
                let PredictionMemory { predictor, found } = memory;
                self.detector.predict(images, &options, predictor, runners, found)?;
                target.fill(found);
                Ok(())
            })
        })
    }
}

/// Finds objects on images of the host.
///
/// @param[in] detector The detector.
/// @param[in] images `[images_count]`.
/// @param[in] images_count Number of images.
/// @param[in] options NULL is all defaults.
/// @param[in] run Optional; progress counts images.
/// @param[in] detections Receives the boxes; untouched unless the status is 0.
/// @return A status.
///
/// May run at the same time as other functions on the detector, with other detections.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_predict(
    detector: *const simdetr_detector_t,
    images: *const *const simdetr_image_t,
    images_count: usize,
    options: *const simdetr_prediction_options_t,
    run: *const simdetr_run_options_t,
    detections: *mut simdetr_detections_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        let images = slice(images, images_count, "images")?;
        let image = |index: usize, frame: &mut Image| copy_image_into(images[index], frame);
        detector.predict(images_count, image, options, run, detections)
    })
}

/// Finds objects on encoded images: JPEG, PNG, WebP, BMP or TIFF, recognised by content.
///
/// @param[in] detector The detector.
/// @param[in] data `[images_count]` pointers to the files' bytes.
/// @param[in] lengths `[images_count]` numbers of bytes.
/// @param[in] images_count Number of images.
/// @param[in] options NULL is all defaults.
/// @param[in] run Optional; progress counts images.
/// @param[in] detections Receives the boxes; untouched unless the status is 0.
/// @return `SIMDETR_ERROR_IMAGE_DECODE` or `SIMDETR_ERROR_IMAGE_TOO_LARGE` say what is wrong.
///
/// May run at the same time as other functions on the detector, with other detections.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_predict_encoded(
    detector: *const simdetr_detector_t,
    data: *const *const u8,
    lengths: *const usize,
    images_count: usize,
    options: *const simdetr_prediction_options_t,
    run: *const simdetr_run_options_t,
    detections: *mut simdetr_detections_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        let data = slice(data, images_count, "data")?;
        let lengths = slice(lengths, images_count, "lengths")?;
        let image = |index: usize, frame: &mut Image| {
            let name = format!("data[{index}]");
            let bytes = slice(data[index], lengths[index], &name)?;
            *frame = decode::decode(bytes, &name, &detector.config.limits)?;
            Ok(())
        };
        detector.predict(images_count, image, options, run, detections)
    })
}

/// Finds objects on image files.
///
/// @param[in] detector The detector.
/// @param[in] paths `[images_count]`.
/// @param[in] images_count Number of images.
/// @param[in] options NULL is all defaults.
/// @param[in] run Optional; progress counts images.
/// @param[in] detections Receives the boxes; untouched unless the status is 0.
/// @return `SIMDETR_ERROR_IO`, `SIMDETR_ERROR_IMAGE_DECODE` or `SIMDETR_ERROR_IMAGE_TOO_LARGE` of
/// the first image that failed.
///
/// May run at the same time as other functions on the detector, with other detections.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_predict_files(
    detector: *const simdetr_detector_t,
    paths: *const *const c_char,
    images_count: usize,
    options: *const simdetr_prediction_options_t,
    run: *const simdetr_run_options_t,
    detections: *mut simdetr_detections_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        let paths = texts(paths, images_count, "paths")?;
        let limits = &detector.config.limits;
        let image = |index: usize, frame: &mut Image| {
            *frame = decode::read(Path::new(paths[index]), limits)?;
            Ok(())
        };
        detector.predict(images_count, image, options, run, detections)
    })
}

/// Finds objects on an image tensor.
///
/// @param[in] detector The detector.
/// @param[in] image `[3, H, W]` or `[H, W, 3]`, with or without a leading 1, any positive strides;
/// u8, or f32 in [0, 1].
/// @param[in] options NULL is all defaults.
/// @param[in] run Optional.
/// @param[in] detections Receives the boxes; untouched unless the status is 0.
/// @return A status.
///
/// May run at the same time as other functions on the detector, with other detections.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_predict_tensor(
    detector: *const simdetr_detector_t,
    image: *const DLTensor,
    options: *const simdetr_prediction_options_t,
    run: *const simdetr_run_options_t,
    detections: *mut simdetr_detections_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        let copy = |_: usize, frame: &mut Image| {
            *frame = copy_tensor_image(image, "image")?;
            Ok(())
        };
        detector.predict(1, copy, options, run, detections)
    })
}

//! `simdetr_detector_t`: a Deformable DETR with its weights, opened for use.
//!
//! This file makes the handle and says what it holds; predictions are in `detector_predict`, files
//! for other programs in `detector_export`.

use super::declare::{handle, initialiser, memory_bytes, versioned};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle, into_handle};
use super::options::{copy_options, preset_config, reserved, write_struct};
use super::pointers::{copy_text, has_room, output, set_wanted, slice, text};
use super::status::simdetr_status_t;
use super::workers::{simdetr_parallel_for_fn_t, workers};
use crate::detector::description::DetectorDescription;
use crate::detector::prediction::Detections;
use crate::detector::predictor::PredictorMemory;
use crate::detector::whole_detector::Detector;
use crate::pipeline::config::RunConfig;
use crate::pipeline::finetune::plain_description;
use crate::workers::Workers;
use crate::workers::lent::Pool;
use crate::{Error, Result};
use std::ffi::{c_char, c_void};
use std::path::Path;

/// A detector. Never changes; any number of threads may use one, each with its own
/// `simdetr_detections_t`.
pub struct simdetr_detector_t {
    pub(super) detector: Detector,
    pub(super) config: RunConfig,
    pub(super) workers: Workers,
    memory: Pool<PredictionMemory>,
    poison: Poison,
}

/// What one call at a time uses.
#[derive(Default)]
pub(super) struct PredictionMemory {
    pub(super) predictor: PredictorMemory,
    /// What is found, until the call cannot fail any more.
    pub(super) found: Detections,
}

impl simdetr_detector_t {
    /// Lets `work` use memory that no other call uses.
    pub(super) fn with_memory<T>(
        &self,
        work: impl FnOnce(&mut PredictionMemory) -> Result<T>,
    ) -> Result<T> {
        self.memory.with(work)
    }
}

versioned! {
    /// What a file does not say, and who does the work. Zero in a field is its default.
    pub struct simdetr_detector_options_t (48 bytes) {
        /// "deformable-detr-r50", "small" or "tiny"; NULL is the first.
        pub preset: *const c_char,
        /// Configuration document (TOML) whose keys win over the preset's; NULL is empty. Its tables
        /// `[detector]`, `[encoder]` and `[augmentation]` say sizes, normalisation and image size of a
        /// file that does not say them itself; `[limits]` holds for images. Files that this library
        /// wrote say everything.
        pub config: *const c_char,
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
}

/// What the options come to.
struct Settings {
    config: RunConfig,
    workers: Workers,
}

impl Settings {
    /// # Safety
    /// `given` is NULL or as the header says.
    unsafe fn new(given: *const simdetr_detector_options_t) -> Result<Settings> {
        let options = copy_options(given)?;
        let config = preset_config(options.preset, (options.config, "config"))?;
        reserved::<simdetr_detector_options_t>(options.reserved)?;
        config.validate()?;
        let workers =
            workers(options.threads, options.parallel_for, options.parallel_for_user_data)?;
        Ok(Settings { config, workers })
    }

    fn plain(&self) -> DetectorDescription {
        plain_description(&self.config)
    }

    fn into_handle(self, detector: Detector) -> *mut simdetr_detector_t {
        let Settings { config, workers } = self;
        let (memory, poison) = (Pool::default(), Poison::default());
        into_handle(simdetr_detector_t { detector, config, workers, memory, poison })
    }
}

initialiser!(simdetr_detector_options_init, options, simdetr_detector_options_t);

/// Opens a detector from a safetensors file, under the names of the official Deformable DETR or of
/// `transformers`. Of a file of `transformers`, the `config.json` beside it says what the detector is.
///
/// @param[in] path The file, or the folder that holds it as `model.safetensors`.
/// @param[in] options NULL is all defaults.
/// @param[out] out The detector, to be given to `simdetr_detector_destroy`.
/// @return `SIMDETR_ERROR_FORMAT` for a file that is not whole or of another kind (a PyTorch checkpoint,
/// say, which the message names), `SIMDETR_ERROR_SHAPE` and `SIMDETR_ERROR_WEIGHT_NAMES` for one of other
/// sizes.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_create(
    path: *const c_char,
    options: *const simdetr_detector_options_t,
    out: *mut *mut simdetr_detector_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (path, settings, out) =
            (text(path, "path")?, Settings::new(options)?, output(out, "out")?);
        let detector = Detector::open(Path::new(path), Some(&settings.plain()))?;
        out.set(settings.into_handle(detector));
        Ok(())
    })
}

/// Opens a detector from the bytes of a file.
///
/// @param[in] data The file's bytes, read during the call only.
/// @param[in] length Number of bytes.
/// @param[in] options NULL is all defaults.
/// @param[out] out The detector, to be given to `simdetr_detector_destroy`.
/// @return As `simdetr_detector_create`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_create_from_memory(
    data: *const u8,
    length: usize,
    options: *const simdetr_detector_options_t,
    out: *mut *mut simdetr_detector_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (data, settings, out) =
            (slice(data, length, "data")?, Settings::new(options)?, output(out, "out")?);
        let detector = Detector::from_bytes(data, "in memory", Some(&settings.plain()))?;
        out.set(settings.into_handle(detector));
        Ok(())
    })
}

/// Makes a detector of the options' sizes that has learned nothing: what training starts from
/// elsewhere, and what a host can measure its speed with.
///
/// @param[in] seed Key of the weights.
/// @param[in] options NULL is all defaults.
/// @param[out] out The detector, to be given to `simdetr_detector_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_create_untrained(
    seed: u64,
    options: *const simdetr_detector_options_t,
    out: *mut *mut simdetr_detector_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (settings, out) = (Settings::new(options)?, output(out, "out")?);
        let detector = Detector::untrained(settings.plain(), seed)?;
        out.set(settings.into_handle(detector));
        Ok(())
    })
}

handle!(simdetr_detector_t, detector, simdetr_detector_destroy, "Destroys a detector.");

memory_bytes!(
    simdetr_detector_t,
    detector,
    simdetr_detector_memory_bytes,
    "Says how many bytes a detector holds.",
    "Weights, and the memory that calls have left for the next ones."
);

impl simdetr_detector_t {
    fn memory_bytes(&self) -> usize {
        let kept = self.memory.memory_bytes(|memory| memory.predictor.memory_bytes());
        self.detector.memory_bytes() + self.workers.memory_bytes() + kept
    }
}

versioned! {
    /// What a detector is.
    pub struct simdetr_detector_description_t (64 bytes, first without side_multiple) {
        /// Classes, which `simdetr_detector_category` names.
        pub classes_count: u32,
        /// Boxes of each image before the best are chosen.
        pub queries_count: u32,
        /// Pixels of the shorter side that it sees.
        pub image_short_side: u32,
        /// Most pixels of the longer side that it sees.
        pub image_long_side_max: u32,
        /// Subtracted from red, green and blue in [0, 1].
        pub image_mean: [f32; 3],
        /// Red, green and blue are divided by this.
        pub image_deviation: [f32; 3],
        /// Numbers in its weights.
        pub parameters_count: u64,
        /// Both sides that it sees are multiples of this; `simdetr_detector_export_onnx` has the rule.
        pub side_multiple: u32,
        /// Is 0.
        pub reserved: u32,
    }
}

/// Says what a detector is.
///
/// @param[in] detector The detector.
/// @param[in,out] description `struct_size` must be set; the rest is filled in.
/// @return A status.
///
/// May run at the same time as other functions on the detector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_describe(
    detector: *const simdetr_detector_t,
    description: *mut simdetr_detector_description_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        let DetectorDescription { config, normalisation, resize, .. } =
            detector.detector.description();
        let answer = simdetr_detector_description_t {
            struct_size: size_of::<simdetr_detector_description_t>(),
            classes_count: config.classes_count as u32,
            queries_count: config.queries_count as u32,
            image_short_side: resize.image_short_side,
            image_long_side_max: resize.image_long_side_max,
            image_mean: normalisation.mean,
            image_deviation: normalisation.deviation,
            parameters_count: detector.detector.parameters().len() as u64,
            side_multiple: resize.side_multiple,
            reserved: 0,
        };
        write_struct(description, &answer)
    })
}

/// Says what a class is called.
///
/// @param[in] detector The detector.
/// @param[in] class_index Below `classes_count`.
/// @param[out] id The category's id in COCO files, an id that is a text being `INT64_MIN` plus its rank
/// among them; may be NULL.
/// @param[out] name UTF-8 with a NUL, empty where the file does not say; may be NULL if `capacity`
/// is 0.
/// @param[in] capacity Bytes at `name`; 0 asks for the count.
/// @param[out] count Bytes of the name with its NUL; also written with
/// `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions on the detector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detector_category(
    detector: *const simdetr_detector_t,
    class_index: u32,
    id: *mut i64,
    name: *mut c_char,
    capacity: usize,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detector, error, |detector| {
        let categories = detector.detector.categories();
        let category = categories.get(class_index as usize).ok_or_else(|| {
            let reason = format!("{class_index} of {} classes", categories.len());
            Error::invalid("class_index", reason)
        })?;
        let needed = category.name.len() + 1;
        set_wanted(id, category.id, "id")?;
        if !has_room(count, (needed, capacity), "name")? {
            return Ok(());
        }
        copy_text(name, &category.name, "name")
    })
}

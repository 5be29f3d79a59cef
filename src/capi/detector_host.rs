//! The host's callbacks as a [`HostModel`]: structs out, answers checked, statuses to errors.

use super::detector_callbacks::{
    simdetr_detector_backward_fn_t, simdetr_detector_batch_t, simdetr_detector_callbacks_t,
    simdetr_detector_forward_fn_t, simdetr_detector_gradients_t, simdetr_detector_load_fn_t,
    simdetr_detector_outputs_t, simdetr_detector_predict_fn_t, simdetr_detector_save_fn_t,
    simdetr_detector_start_fn_t, simdetr_detector_start_t, simdetr_detector_step_fn_t,
    simdetr_detector_update_t,
};
use super::encoder_callback::HostData;
use super::image::borrowed_image;
use super::pointers::text;
use super::targets::array_predictions;
use crate::data::image::Image;
use crate::detector::prediction::Detection;
use crate::matching::Predictions;
use crate::matching::input::PredictionsShape;
use crate::training::host_model::{HostBatch, HostGradients, HostModel, HostUpdate};
use crate::training::trainable::StageStart;
use crate::{Error, Result};
use std::ffi::{CString, c_char, c_void};
use std::path::Path;

/// Boxes that there is room for where all are wanted; detectors have hundreds of queries.
const ALL_BOXES: usize = 1 << 16;

/// A function that must be there.
fn needed<F>(function: Option<F>, name: &str) -> Result<F> {
    function.ok_or_else(|| Error::NullPointer { argument: name.into() })
}

/// What a callback answered.
fn answered(callback: &'static str, status: i32) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(Error::HostCallback { callback, status }) }
}

/// A detector of the host.
pub(super) struct DetectorHost {
    data: HostData,
    name: String,
    start_stage: Inner<simdetr_detector_start_fn_t>,
    forward: Inner<simdetr_detector_forward_fn_t>,
    backward: Inner<simdetr_detector_backward_fn_t>,
    step: Inner<simdetr_detector_step_fn_t>,
    predict: simdetr_detector_predict_fn_t,
    save: Inner<simdetr_detector_save_fn_t>,
    load: Inner<simdetr_detector_load_fn_t>,
}

/// The function of an optional one.
type Inner<F> = <F as Optional>::Function;

/// Names the function type inside an `Option`.
pub(super) trait Optional {
    type Function;
}

impl<F> Optional for Option<F> {
    type Function = F;
}

impl DetectorHost {
    /// Takes over the host's data; it is ended also when a callback is missing.
    ///
    /// # Safety
    /// The functions and the name are what the header says, for as long as this lives.
    pub(super) unsafe fn new(given: &simdetr_detector_callbacks_t) -> Result<DetectorHost> {
        let data = HostData::new(given.user_data, given.user_data_destroy);
        Ok(DetectorHost {
            data,
            name: text(given.name, "name")?.into(),
            start_stage: needed(given.start_stage, "start_stage")?,
            forward: needed(given.forward, "forward")?,
            backward: needed(given.backward, "backward")?,
            step: needed(given.step, "step")?,
            predict: given.predict,
            save: needed(given.save, "save")?,
            load: needed(given.load, "load")?,
        })
    }

    fn with_path(
        &self,
        callback: &'static str,
        function: unsafe extern "C" fn(*mut c_void, *const c_char) -> i32,
        path: &Path,
    ) -> Result<()> {
        let shown = path.to_str().and_then(|text| CString::new(text).ok());
        let shown = shown.ok_or_else(|| {
            Error::invalid("run folder", format!("{} is not UTF-8", path.display()))
        })?;
        // SAFETY: the path lives for the call; the rest is the host's promise.
        answered(callback, unsafe { function(self.data.pointer(), shown.as_ptr()) })
    }
}

impl HostModel for DetectorHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn start_stage(&mut self, start: &StageStart) -> Result<()> {
        let given = simdetr_detector_start_t {
            struct_size: size_of::<simdetr_detector_start_t>(),
            stage: start.stage.into(),
            fresh: start.fresh.into(),
            classes_count: start.classes_count,
            steps_count: start.steps_count as u64,
            seed: start.seed,
        };
        // SAFETY: the struct lives for the call; the rest is the host's promise.
        let status = unsafe { (self.start_stage)(self.data.pointer(), &raw const given) };
        answered("start_stage", status)
    }

    fn forward(&mut self, batch: &HostBatch<'_>) -> Result<Predictions<'_>> {
        let images_count = batch.sizes.len();
        let given = simdetr_detector_batch_t {
            struct_size: size_of::<simdetr_detector_batch_t>(),
            images: batch.maps.as_ptr(),
            sizes: batch.sizes.as_ptr().cast(),
            images_count,
            height: batch.height,
            width: batch.width,
            training: batch.training.into(),
            part: batch.part as u32,
            stage: batch.place.stage.into(),
            reserved: 0,
            step: batch.place.step as u64,
            seed: batch.place.seed,
        };
        let mut found = simdetr_detector_outputs_t {
            struct_size: size_of::<simdetr_detector_outputs_t>(),
            logits: std::ptr::null(),
            boxes: std::ptr::null(),
            layers: 0,
            queries: 0,
            classes: 0,
        };
        // SAFETY: both structs live for the call; the rest is the host's promise.
        let status =
            unsafe { (self.forward)(self.data.pointer(), &raw const given, &raw mut found) };
        answered("forward", status)?;
        let simdetr_detector_outputs_t { logits, boxes, layers, queries, classes, .. } = found;
        let shape = PredictionsShape { layers, batch: images_count, queries, classes };
        // SAFETY: the host promises these arrays until its next call, which `&mut self` holds off.
        unsafe { array_predictions(logits, boxes, shape) }
    }

    fn backward(&mut self, gradients: &HostGradients<'_>) -> Result<()> {
        let given = simdetr_detector_gradients_t {
            struct_size: size_of::<simdetr_detector_gradients_t>(),
            logits: gradients.logits.as_ptr(),
            boxes: gradients.boxes.as_ptr(),
            logits_count: gradients.logits.len(),
            boxes_count: gradients.boxes.len(),
            part: gradients.part as u32,
            reserved: 0,
        };
        // SAFETY: the struct and its arrays live for the call; the rest is the host's promise.
        let status = unsafe { (self.backward)(self.data.pointer(), &raw const given) };
        answered("backward", status)
    }

    fn step(&mut self, update: &HostUpdate) -> Result<f64> {
        let mut given = simdetr_detector_update_t {
            struct_size: size_of::<simdetr_detector_update_t>(),
            stage: update.place.stage.into(),
            reserved: 0,
            step: update.place.step as u64,
            steps_count: update.place.steps_count as u64,
            rate_factor: update.rate_factor,
            learning_rate: update.learning_rate,
            loss: update.loss,
            gradient_norm: 0.0,
        };
        // SAFETY: the struct lives for the call; the rest is the host's promise.
        let status = unsafe { (self.step)(self.data.pointer(), &raw mut given) };
        answered("step", status)?;
        Ok(given.gradient_norm)
    }

    fn detect(&mut self, image: &Image, count: usize) -> Result<Option<Vec<Detection>>> {
        let Some(predict) = self.predict else { return Ok(None) };
        let (image, count) = (borrowed_image(image), count.min(ALL_BOXES));
        let (mut boxes, mut scores) = (vec![[0f32; 4]; count], vec![0f32; count]);
        let (mut classes, mut found) = (vec![0i64; count], 0);
        // SAFETY: image and arrays live for the call; the rest is the host's promise.
        let status = unsafe {
            predict(
                self.data.pointer(),
                &raw const image,
                boxes.as_mut_ptr().cast(),
                classes.as_mut_ptr(),
                scores.as_mut_ptr(),
                count,
                &raw mut found,
            )
        };
        answered("predict", status)?;
        if found > count {
            let reason = format!("{found} boxes were written; there is room for {count}");
            return Err(Error::invalid("predict", reason));
        }
        let all = boxes.iter().zip(&classes).zip(&scores).take(found).enumerate();
        let read = |(index, ((&bounds, &class), &score))| {
            let class = u32::try_from(class).map_err(|_| {
                let reason = format!("number {index}: {class} is no class");
                Error::invalid("the host's detections", reason)
            })?;
            Ok(Detection { bounds, class, score })
        };
        all.map(read).collect::<Result<_>>().map(Some)
    }

    fn save(&mut self, path: &Path) -> Result<()> {
        self.with_path("save", self.save, path)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        self.with_path("load", self.load, path)
    }
}

//! A detector of the host in the header: what the library asks of it while it trains it.

use super::declare::{initialiser, versioned};
use super::encoder_callback::simdetr_destroy_fn_t;
use super::image::simdetr_image_t;
use std::ffi::{c_char, c_void};

/// How a stage begins.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_detector_start_t {
    /// `sizeof(simdetr_detector_start_t)` of the library.
    pub struct_size: usize,
    /// 1 for the first stage after clustering.
    pub stage: u32,
    /// 1: parameters are those that a run starts with, the same each time. 0: they stay.
    pub fresh: i32,
    /// Classes of the labels.
    pub classes_count: usize,
    /// Optimiser steps of the stage.
    pub steps_count: u64,
    /// Of the run.
    pub seed: u64,
}

/// Images for a forward pass.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_detector_batch_t {
    /// `sizeof(simdetr_detector_batch_t)` of the library.
    pub struct_size: usize,
    /// `[images_count, height, width, 3]`, red, green and blue normalised by the encoder's mean and
    /// deviation; 0 outside an image, which lies at the top left.
    pub images: *const f32,
    /// `[images_count, 2]`: height and width of each image without its padding.
    pub sizes: *const u32,
    /// Number of images.
    pub images_count: usize,
    /// Rows of every image, padding included.
    pub height: usize,
    /// Columns of every image, padding included.
    pub width: usize,
    /// 1: `backward` follows. 0: the last layer is read as labels.
    pub training: i32,
    /// Which part of the step, from 0. Zero outside of training, as the next four.
    pub part: u32,
    /// Which stage, from 1.
    pub stage: u32,
    /// Is 0.
    pub reserved: u32,
    /// Which step of the stage, from 0.
    pub step: u64,
    /// Of the run: with stage, step and part what dropout may draw from.
    pub seed: u64,
}

/// What a forward pass found, in memory of the host that stays as it is until the next call of
/// `forward` or `backward` has returned.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_detector_outputs_t {
    /// `sizeof(simdetr_detector_outputs_t)` of the library.
    pub struct_size: usize,
    /// `[layers, images_count, queries, classes]`, dense, the best layer last.
    pub logits: *const f32,
    /// `[layers, images_count, queries, 4]`, dense: center x, center y, width, height, divided by
    /// the size of the un-padded image.
    pub boxes: *const f32,
    /// Layers that are judged, 1 or more.
    pub layers: usize,
    /// Queries of an image, 1 or more.
    pub queries: usize,
    /// `classes_count` of the stage; under `class_loss = "softmax"` one more, "no object", the last.
    pub classes: usize,
}

/// Gradients of the loss with respect to the outputs of the last forward pass.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_detector_gradients_t {
    /// `sizeof(simdetr_detector_gradients_t)` of the library.
    pub struct_size: usize,
    /// As the logits, borrowed for the call.
    pub logits: *const f32,
    /// As the boxes, borrowed for the call.
    pub boxes: *const f32,
    /// Numbers in `logits`.
    pub logits_count: usize,
    /// Numbers in `boxes`.
    pub boxes_count: usize,
    /// Which part of the step: part 0 begins a new sum of the parameters' gradients, the others add
    /// to it.
    pub part: u32,
    /// Is 0.
    pub reserved: u32,
}

/// One change of the parameters.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_detector_update_t {
    /// `sizeof(simdetr_detector_update_t)` of the library.
    pub struct_size: usize,
    /// Which stage, from 1.
    pub stage: u32,
    /// Is 0.
    pub reserved: u32,
    /// Which step of the stage, from 0.
    pub step: u64,
    /// Optimiser steps of the stage.
    pub steps_count: u64,
    /// The schedule's factor on every learning rate.
    pub rate_factor: f64,
    /// `training.learning_rate` times the factor.
    pub learning_rate: f64,
    /// Sum of the losses whose gradients the step has.
    pub loss: f64,
    /// To be written: norm of the parameters' gradients before any clipping, for the metrics; a
    /// number that is not finite ends the stage with `SIMDETR_ERROR_DIVERGED`. 0 where not known.
    pub gradient_norm: f64,
}

/// Makes ready for a stage: parameters as `start` says, the optimiser without memory.
/// `simdetr_detector_load_fn_t` may follow; it is also called at the end of a stage that ends with the
/// weights of an earlier step (`training.patience_checks`).
///
/// @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
/// @param[in] start The stage; borrowed for the call.
pub type simdetr_detector_start_fn_t = Option<
    unsafe extern "C" fn(user_data: *mut c_void, start: *const simdetr_detector_start_t) -> i32,
>;

/// Computes logits and boxes of a batch and writes where they are into `outputs`.
///
/// @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
/// @param[in] batch The images; borrowed for the call.
/// @param[in,out] outputs To be filled in, but for `struct_size`.
pub type simdetr_detector_forward_fn_t = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        batch: *const simdetr_detector_batch_t,
        outputs: *mut simdetr_detector_outputs_t,
    ) -> i32,
>;

/// Computes the parameters' gradients from those of the last forward pass's outputs.
///
/// @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
/// @param[in] gradients Those of the outputs; borrowed for the call.
pub type simdetr_detector_backward_fn_t = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        gradients: *const simdetr_detector_gradients_t,
    ) -> i32,
>;

/// Changes the parameters.
///
/// @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
/// @param[in,out] update The step; `gradient_norm` is to be written.
pub type simdetr_detector_step_fn_t = Option<
    unsafe extern "C" fn(user_data: *mut c_void, update: *mut simdetr_detector_update_t) -> i32,
>;

/// Finds the best boxes of an image by the host's own way: for labels, for measuring, and between two steps
/// where images are held out (`training.held_out_share`). Under `relabel.mirrored` it is called for the
/// image and then for the mirrored one, whose boxes are those of the mirrored pixels.
///
/// @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
/// @param[in] image Upright, RGB8 without padding between rows, borrowed for the call.
/// @param[out] boxes `[capacity, 4]`: x0, y0, x1, y1 in pixels of the image.
/// @param[out] classes `[capacity]`, from 0.
/// @param[out] scores `[capacity]`, probabilities in any order; one outside [0, 1] ends the call with
/// `SIMDETR_ERROR_INVALID_ARGUMENT`.
/// @param[in] capacity Boxes wanted at most; 65536 where all are wanted, as under
/// `relabel.predictions_share`, `relabel.suppression = "before_cut"` and `"fuse"`.
/// @param[out] count Boxes written.
pub type simdetr_detector_predict_fn_t = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        image: *const simdetr_image_t,
        boxes: *mut f32,
        classes: *mut i64,
        scores: *mut f32,
        capacity: usize,
        count: *mut usize,
    ) -> i32,
>;

/// Writes parameters, the optimiser's memory and whatever else the next step depends on into one
/// file at `path`, in place of one that may lie there.
///
/// @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
/// @param[in] path The file; borrowed for the call.
pub type simdetr_detector_save_fn_t =
    Option<unsafe extern "C" fn(user_data: *mut c_void, path: *const c_char) -> i32>;

/// Reads what `simdetr_detector_save_fn_t` wrote.
///
/// @param[in] user_data `simdetr_detector_callbacks_t.user_data`.
/// @param[in] path The file; borrowed for the call.
pub type simdetr_detector_load_fn_t =
    Option<unsafe extern "C" fn(user_data: *mut c_void, path: *const c_char) -> i32>;

versioned! {
    /// A detector of the host. Its functions are called one at a time, by the thread that called the
    /// trainer; they must not throw, `longjmp` or use that trainer. Each answers 0, or a negative number
    /// that becomes the status of the trainer's call; the run then goes on with a later call.
    pub struct simdetr_detector_callbacks_t (88 bytes) {
        /// First argument of every function; used from any thread that calls the trainer.
        pub user_data: *mut c_void,
        /// Ends `user_data`; NULL for none. Called also when creating the trainer fails.
        pub user_data_destroy: simdetr_destroy_fn_t,
        /// Name of the detector, which stands in its checkpoints: those of another are refused.
        pub name: *const c_char,
        /// Makes ready for a stage.
        pub start_stage: simdetr_detector_start_fn_t,
        /// Computes logits and boxes.
        pub forward: simdetr_detector_forward_fn_t,
        /// Computes the parameters' gradients.
        pub backward: simdetr_detector_backward_fn_t,
        /// Changes the parameters.
        pub step: simdetr_detector_step_fn_t,
        /// Finds boxes; NULL reads them off the last layer of `forward`.
        pub predict: simdetr_detector_predict_fn_t,
        /// Writes a checkpoint.
        pub save: simdetr_detector_save_fn_t,
        /// Reads a checkpoint.
        pub load: simdetr_detector_load_fn_t,
    }
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<simdetr_detector_start_t>() == 40);
    assert!(size_of::<simdetr_detector_batch_t>() == 80);
    assert!(size_of::<simdetr_detector_outputs_t>() == 48);
    assert!(size_of::<simdetr_detector_gradients_t>() == 48);
    assert!(size_of::<simdetr_detector_update_t>() == 64);
};

initialiser!(simdetr_detector_callbacks_init, callbacks, simdetr_detector_callbacks_t);

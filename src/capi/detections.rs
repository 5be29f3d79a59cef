//! `simdetr_detections_t`: what a detector found on one or more images, in flat arrays.

use super::declare::{handle, versioned};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle, into_handle};
use super::options::write_struct;
use super::pointers::{copy_wanted, has_room, output};
use super::status::simdetr_status_t;
use super::tensor::{DLManagedTensor, DLManagedTensorVersioned, DLTensor};
use super::tensor_part::Part;
use crate::Result;
use crate::detector::prediction::Detections;

/// f32 `[count, 4]`: boxes.
pub const SIMDETR_DETECTIONS_BOXES: i32 = 1;
/// f32 `[count]`: scores.
pub const SIMDETR_DETECTIONS_SCORES: i32 = 2;
/// i32 `[count]`: class indices.
pub const SIMDETR_DETECTIONS_CLASSES: i32 = 3;
/// i32 `[count]`: which image of the call.
pub const SIMDETR_DETECTIONS_IMAGES: i32 = 4;

/// What a detector found. One thread at a time may fill it; reading may be shared.
#[derive(Default)]
pub struct simdetr_detections_t {
    boxes: Vec<[f32; 4]>,
    scores: Vec<f32>,
    classes: Vec<i32>,
    images: Vec<i32>,
    offsets: Vec<usize>,
    poison: Poison,
}

impl simdetr_detections_t {
    /// Replaces everything by what was found on each image.
    pub(super) fn fill(&mut self, found: &Detections) {
        self.boxes.clear();
        self.scores.clear();
        self.classes.clear();
        self.images.clear();
        self.offsets.clear();
        self.offsets.push(0);
        for (image, detections) in found.images().enumerate() {
            for detection in detections {
                self.boxes.push(detection.bounds);
                self.scores.push(detection.score);
                self.classes.push(detection.class as i32);
                self.images.push(image as i32);
            }
            self.offsets.push(self.boxes.len());
        }
    }

    fn part(&self, field: i32) -> Result<Part<'_>> {
        let count = self.boxes.len();
        Ok(match field {
            SIMDETR_DETECTIONS_BOXES => Part::floats(self.boxes.as_flattened(), &[count, 4]),
            SIMDETR_DETECTIONS_SCORES => Part::floats(&self.scores, &[count]),
            SIMDETR_DETECTIONS_CLASSES => Part::integers(&self.classes),
            SIMDETR_DETECTIONS_IMAGES => Part::integers(&self.images),
            other => return Err(Part::unknown(other, SIMDETR_DETECTIONS_IMAGES)),
        })
    }
}

/// Makes an empty set of detections.
///
/// @param[out] out The set, to be given to `simdetr_detections_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detections_create(
    out: *mut *mut simdetr_detections_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let out = output(out, "out")?;
        let mut detections = simdetr_detections_t::default();
        detections.fill(&Detections::default());
        out.set(into_handle(detections));
        Ok(())
    })
}

handle!(
    simdetr_detections_t,
    detections,
    simdetr_detections_destroy,
    "Destroys a set of detections; views of it end, exported tensors live on."
);

versioned! {
    /// Borrowed arrays of a `simdetr_detections_t`, valid until it is filled again or destroyed.
    pub struct simdetr_detections_view_t (64 bytes) {
        /// Images of the call that filled it.
        pub images_count: usize,
        /// Boxes on all images.
        pub count: usize,
        /// `[images_count + 1]`: the boxes of image i begin at `image_offsets[i]` and end before
        /// `image_offsets[i + 1]`, best first.
        pub image_offsets: *const usize,
        /// `[count, 4]`: x0, y0, x1, y1 in pixels of the upright image.
        pub boxes: *const f32,
        /// `[count]`: sigmoid of the class's logit, or what `SIMDETR_READING_OBJECTS` says.
        pub scores: *const f32,
        /// `[count]`: class indices, which `simdetr_detector_category` names.
        pub classes: *const i32,
        /// `[count]`: which image of the call.
        pub images: *const i32,
    }
}

/// Gives borrowed pointers to everything.
///
/// @param[in] detections The set.
/// @param[in,out] view `struct_size` must be set; the rest is filled in.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detections_view(
    detections: *const simdetr_detections_t,
    view: *mut simdetr_detections_view_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detections, error, |set| {
        let arrays = simdetr_detections_view_t {
            struct_size: size_of::<simdetr_detections_view_t>(),
            images_count: set.offsets.len().saturating_sub(1),
            count: set.boxes.len(),
            image_offsets: set.offsets.as_ptr(),
            boxes: set.boxes.as_ptr().cast(),
            scores: set.scores.as_ptr(),
            classes: set.classes.as_ptr(),
            images: set.images.as_ptr(),
        };
        write_struct(view, &arrays)
    })
}

/// Copies the detections into arrays of the host.
///
/// @param[in] detections The set.
/// @param[out] boxes `[capacity, 4]`; this and each other array may be NULL.
/// @param[out] scores `[capacity]`.
/// @param[out] classes `[capacity]`.
/// @param[out] images `[capacity]`.
/// @param[in] capacity Detections that the arrays have room for; 0 asks for the count.
/// @param[out] count Number of detections; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detections_copy_f32(
    detections: *const simdetr_detections_t,
    boxes: *mut f32,
    scores: *mut f32,
    classes: *mut i32,
    images: *mut i32,
    capacity: usize,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detections, error, |set| {
        let needed = set.boxes.len();
        if !has_room(count, (needed, capacity), "boxes")? {
            return Ok(());
        }
        copy_wanted(boxes, set.boxes.as_flattened(), "boxes")?;
        copy_wanted(scores, &set.scores, "scores")?;
        copy_wanted(classes, &set.classes, "classes")?;
        copy_wanted(images, &set.images, "images")
    })
}

/// Copies one field into a tensor of the host.
///
/// @param[in] detections The set.
/// @param[in] field One of `SIMDETR_DETECTIONS_*`.
/// @param[out] target A dense tensor in host memory of exactly the field's type and shape.
/// @return A status; the tensor is untouched unless it is 0.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detections_copy_tensor(
    detections: *const simdetr_detections_t,
    field: i32,
    target: *const DLTensor,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detections, error, |set| set.part(field)?.copy_to(target))
}

/// Copies one field into a tensor that the host then owns.
///
/// @param[in] detections The set.
/// @param[in] field One of `SIMDETR_DETECTIONS_*`.
/// @param[out] out The tensor; ended by its deleter, and independent of the set.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detections_export_tensor(
    detections: *const simdetr_detections_t,
    field: i32,
    out: *mut *mut DLManagedTensorVersioned,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detections, error, |set| Part::export(set.part(field), out))
}

/// `simdetr_detections_export_tensor` in the form of DLPack before 1.0.
///
/// @param[in] detections The set.
/// @param[in] field One of `SIMDETR_DETECTIONS_*`.
/// @param[out] out The tensor; ended by its deleter, and independent of the set.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_detections_export_tensor_legacy(
    detections: *const simdetr_detections_t,
    field: i32,
    out: *mut *mut DLManagedTensor,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(detections, error, |set| Part::export(set.part(field), out))
}

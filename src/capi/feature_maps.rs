//! `simdetr_feature_maps_t`: an encoder's maps of one image, in memory that the host holds.
//!
//! `encoder_encode` fills it and an extractor can read it. A host looks at the maps through
//! borrowed pointers, copies them into tensors of its own, or takes tensors.

use super::declare::{handle, memory_bytes};
use super::encoder::map_name;
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle, into_handle};
use super::image_geometry::simdetr_image_geometry_t;
use super::options::write_struct;
use super::pointers::{has_room, output};
use super::status::simdetr_status_t;
use super::tensor::{DLManagedTensor, DLManagedTensorVersioned, DLTensor};
use super::tensor_part::Part;
use crate::data::feature_map::FeatureMap;
use crate::encoder::MapDescription;
use crate::pipeline::encoded_image::EncodedImage;
use crate::{Error, Result};
use std::ffi::c_char;

/// The feature maps of one image. One thread at a time may fill it; reading may be shared.
#[derive(Default)]
pub struct simdetr_feature_maps_t {
    pub(super) encoded: EncodedImage,
    pub(super) descriptions: Vec<MapDescription>,
    poison: Poison,
}

impl simdetr_feature_maps_t {
    fn part(&self, index: usize) -> Result<Part<'_>> {
        let map = self.map(index)?;
        Ok(Part::floats(&map.values, &[map.height, map.width, map.channels]))
    }

    fn map(&self, index: usize) -> Result<&FeatureMap> {
        self.encoded.maps.get(index).ok_or_else(|| {
            Error::invalid("index", format!("{index} of {} maps", self.encoded.maps.len()))
        })
    }
}

/// One map, borrowed until its `simdetr_feature_maps_t` is filled again or destroyed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_feature_map_t {
    /// Name such as "layer4", NUL-terminated and cut to fit.
    pub name: [c_char; 64],
    /// `[height, width, channels]`, row by row, without gaps.
    pub values: *const f32,
    /// Rows of cells.
    pub height: usize,
    /// Cells in a row.
    pub width: usize,
    /// Channels of a cell.
    pub channels: usize,
    /// Nominal pixels of the resized image for each cell.
    pub stride: usize,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<simdetr_feature_map_t>() == 104);

/// Makes an empty set of feature maps.
///
/// @param[out] out The set, to be given to `simdetr_feature_maps_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_feature_maps_create(
    out: *mut *mut simdetr_feature_maps_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let out = output(out, "out")?;
        out.set(into_handle(simdetr_feature_maps_t::default()));
        Ok(())
    })
}

handle!(
    simdetr_feature_maps_t,
    feature_maps,
    simdetr_feature_maps_destroy,
    "Destroys a set of feature maps; borrowed maps end, exported tensors live on."
);

memory_bytes!(
    simdetr_feature_maps_t,
    feature_maps,
    simdetr_feature_maps_memory_bytes,
    "Says how many bytes a set of feature maps holds.",
    "Memory of the maps' values."
);

impl simdetr_feature_maps_t {
    fn memory_bytes(&self) -> usize {
        let values = self.encoded.maps.iter().map(|map| map.values.capacity());
        values.sum::<usize>() * size_of::<f32>()
    }
}

/// Gives borrowed maps, deepest (largest stride) first.
///
/// @param[in] feature_maps The set.
/// @param[out] maps `[capacity]`.
/// @param[in] capacity Entries at `maps`; 0 asks for the count.
/// @param[out] count Number of maps, 0 before the set is filled; also written with
/// `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_feature_maps_view(
    feature_maps: *const simdetr_feature_maps_t,
    maps: *mut simdetr_feature_map_t,
    capacity: usize,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(feature_maps, error, |set| {
        let needed = set.encoded.maps.len();
        has_room(count, (needed, capacity), "maps")?;
        let described = set.encoded.maps.iter().zip(&set.descriptions);
        for (index, (map, description)) in described.enumerate().take(capacity) {
            output(maps.wrapping_add(index), "maps")?.set(simdetr_feature_map_t {
                name: map_name(description),
                values: map.values.as_ptr(),
                height: map.height,
                width: map.width,
                channels: map.channels,
                stride: description.stride,
            });
        }
        Ok(())
    })
}

/// Gives the sizes of the image that the maps belong to, as `simdetr_extractor_extract_maps` takes
/// them; `image_id` is 0.
///
/// @param[in] feature_maps The set.
/// @param[in,out] geometry `struct_size` must be set; the rest is filled in.
/// @return `SIMDETR_ERROR_INVALID_ARGUMENT` before the set is filled.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_feature_maps_geometry(
    feature_maps: *const simdetr_feature_maps_t,
    geometry: *mut simdetr_image_geometry_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(feature_maps, error, |set| {
        set.map(0)?;
        write_struct(geometry, &simdetr_image_geometry_t::of(&set.encoded.geometry))
    })
}

/// Copies one map into a tensor of the host.
///
/// @param[in] feature_maps The set.
/// @param[in] index Which map.
/// @param[out] target A dense f32 tensor in host memory of the map's shape, `[height, width,
/// channels]`.
/// @return A status; the tensor is untouched unless it is 0.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_feature_maps_copy_tensor(
    feature_maps: *const simdetr_feature_maps_t,
    index: usize,
    target: *const DLTensor,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(feature_maps, error, |set| set.part(index)?.copy_to(target))
}

/// Copies one map into a tensor that the host then owns.
///
/// @param[in] feature_maps The set.
/// @param[in] index Which map.
/// @param[out] out f32 `[height, width, channels]`; ended by its deleter, and independent of the
/// set.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_feature_maps_export_tensor(
    feature_maps: *const simdetr_feature_maps_t,
    index: usize,
    out: *mut *mut DLManagedTensorVersioned,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(feature_maps, error, |set| Part::export(set.part(index), out))
}

/// `simdetr_feature_maps_export_tensor` in the form of DLPack before 1.0.
///
/// @param[in] feature_maps The set.
/// @param[in] index Which map.
/// @param[out] out f32 `[height, width, channels]`; ended by its deleter, and independent of the
/// set.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_feature_maps_export_tensor_legacy(
    feature_maps: *const simdetr_feature_maps_t,
    index: usize,
    out: *mut *mut DLManagedTensor,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(feature_maps, error, |set| Part::export(set.part(index), out))
}

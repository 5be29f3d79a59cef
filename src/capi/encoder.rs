//! `simdetr_encoder_t`: where feature maps come from.
//!
//! Made in `encoder_open` (built in, from a file, from memory) or `encoder_callback` (the host's
//! own). An encoder never changes once it is made, so any number of extractors and threads share
//! it.

use super::declare::{handle, memory_bytes};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard_handle};
use super::pointers::{has_room, output};
use super::status::simdetr_status_t;
use crate::encoder::{Encoder, MapDescription};
use crate::workers::Workers;
use std::ffi::c_char;
use std::sync::Arc;

/// Where feature maps come from. Never changes; any number of threads may use one.
pub struct simdetr_encoder_t {
    pub(super) encoder: Arc<dyn Encoder>,
    /// Whose scratch the workers of every call share.
    pub(super) keeper: Workers,
    poison: Poison,
}

impl simdetr_encoder_t {
    pub(super) fn new(encoder: Arc<dyn Encoder>) -> simdetr_encoder_t {
        let keeper = Workers::keeper();
        simdetr_encoder_t { encoder, keeper, poison: Poison::default() }
    }
}

handle!(
    simdetr_encoder_t,
    encoder,
    simdetr_encoder_destroy,
    "Destroys an encoder; extractors that were made from it live on."
);

/// One map that an encoder gives.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_map_description_t {
    /// Name such as "layer4", NUL-terminated and cut to fit.
    pub name: [c_char; 64],
    /// Channels of the map.
    pub channels: usize,
    /// Pixels of the resized image for each cell.
    pub stride: usize,
}

/// A map's name as the header's structs hold it.
pub(super) fn map_name(description: &MapDescription) -> [c_char; 64] {
    let mut name = [0; 64];
    let kept = description.name.floor_char_boundary(name.len() - 1);
    for (target, source) in name.iter_mut().zip(&description.name.as_bytes()[..kept]) {
        *target = *source as c_char;
    }
    name
}

/// Says which maps an encoder gives, deepest (largest stride) first.
///
/// @param[in] encoder The encoder.
/// @param[out] maps `[capacity]`.
/// @param[in] capacity Entries at `maps`; 0 asks for the count.
/// @param[out] count Number of maps; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions on the encoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_maps(
    encoder: *const simdetr_encoder_t,
    maps: *mut simdetr_map_description_t,
    capacity: usize,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(encoder, error, |encoder| {
        let descriptions = encoder.encoder.maps();
        let needed = descriptions.len();
        has_room(count, (needed, capacity), "maps")?;
        for (index, description) in descriptions.iter().enumerate().take(capacity) {
            output(maps.wrapping_add(index), "maps")?.set(simdetr_map_description_t {
                name: map_name(description),
                channels: description.channels,
                stride: description.stride,
            });
        }
        Ok(())
    })
}

memory_bytes!(
    simdetr_encoder_t,
    encoder,
    simdetr_encoder_memory_bytes,
    "Says how many bytes an encoder holds.",
    "Weights and kept memory, as far as the library knows them."
);

impl simdetr_encoder_t {
    fn memory_bytes(&self) -> usize {
        self.encoder.memory_bytes() + self.keeper.memory_bytes()
    }
}

//! What a criterion answers about its last evaluation: losses of each layer, and the pairs.

use super::criterion::{SIMDETR_LAYER_LOSSES_COUNT, simdetr_criterion_t};
use super::error::simdetr_error_t;
use super::guard::guard_handle;
use super::pointers::{has_room, output_array};
use super::status::simdetr_status_t;
use crate::criterion::LayerLosses;

/// Gives the losses of each layer of the last evaluation, not weighted.
///
/// @param[in] criterion The criterion.
/// @param[out] losses `[layers, SIMDETR_LAYER_LOSSES_COUNT]`: class, L1 and GIoU loss, and the share
/// of matched queries whose best class is their target's; may be NULL where `capacity` is 0.
/// @param[in] capacity Layers that `losses` has room for; 0 asks for the count.
/// @param[out] layers_count Layers; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions that take the criterion `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_criterion_layer_losses(
    criterion: *const simdetr_criterion_t,
    losses: *mut f64,
    capacity: usize,
    layers_count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(criterion, error, |criterion| {
        let layers = &criterion.criterion.losses().layers;
        let needed = layers.len();
        has_room(layers_count, (needed, capacity), "losses")?;
        let room = if capacity == 0 { 0 } else { needed };
        let places = losses.cast::<[f64; SIMDETR_LAYER_LOSSES_COUNT]>();
        let of = |layer: &LayerLosses| [layer.class, layer.l1, layer.giou, layer.accuracy];
        output_array(places, room, "losses")?.fill_from(layers.iter().map(of));
        Ok(())
    })
}

/// Gives the pairs that the last evaluation was based on.
///
/// @param[in] criterion The criterion.
/// @param[out] queries `[layers, targets_count]`: the query of each target, or -1; may be NULL where
/// `capacity` is 0.
/// @param[in] capacity Numbers that `queries` has room for; 0 asks for the count.
/// @param[out] count Numbers; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions that take the criterion `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_criterion_matches(
    criterion: *const simdetr_criterion_t,
    queries: *mut i32,
    capacity: usize,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(criterion, error, |criterion| {
        let partners = || criterion.targets.partners(criterion.criterion.matches());
        let needed = partners().count();
        has_room(count, (needed, capacity), "queries")?;
        let room = if capacity == 0 { 0 } else { needed };
        output_array(queries, room, "queries")?.fill_from(partners());
        Ok(())
    })
}

//! The proposals of one image as DLPack tensors, and their masks as bytes.

use super::error::simdetr_error_t;
use super::guard::guard_handle;
use super::pointers::{has_room, output_array};
use super::proposals::simdetr_proposals_t;
use super::status::simdetr_status_t;
use super::tensor::{DLManagedTensor, DLManagedTensorVersioned, DLTensor};
use super::tensor_part::Part;
use crate::data::proposal_set::ProposalSet;
use crate::{Error, Result};

/// f32 `[count, 4]`: boxes.
pub const SIMDETR_FIELD_BOXES: i32 = 1;
/// f32 `[count]`: scores, which rank the proposals.
pub const SIMDETR_FIELD_SCORES: i32 = 2;
/// f32 `[count]`: area of each region as a share of the image.
pub const SIMDETR_FIELD_REGION_SHARES: i32 = 3;
/// i32 `[count]`: index of the map in which each region was found; -1 for the image itself.
pub const SIMDETR_FIELD_LEVELS: i32 = 4;
/// i32 `[count]`: K of the clustering that found each region; 0 where there was none.
pub const SIMDETR_FIELD_CLUSTER_COUNTS: i32 = 5;
/// f32 `[count, dimensions]`: unit vectors.
pub const SIMDETR_FIELD_VECTORS: i32 = 6;
/// f32 `[count]`: length of each vector before it was made a unit vector.
pub const SIMDETR_FIELD_NORMS: i32 = 7;

fn part(set: &ProposalSet, field: i32) -> Result<Part<'_>> {
    let count = set.count();
    Ok(match field {
        SIMDETR_FIELD_BOXES => Part::floats(set.boxes.as_flattened(), &[count, 4]),
        SIMDETR_FIELD_SCORES => Part::floats(&set.scores, &[count]),
        SIMDETR_FIELD_REGION_SHARES => Part::floats(&set.region_shares, &[count]),
        SIMDETR_FIELD_LEVELS => Part::integers(&set.levels),
        SIMDETR_FIELD_CLUSTER_COUNTS => Part::integers(&set.cluster_counts),
        SIMDETR_FIELD_VECTORS => Part::floats(&set.vectors, &[count, set.dimensions]),
        SIMDETR_FIELD_NORMS => Part::floats(&set.norms, &[count]),
        other => return Err(Part::unknown(other, SIMDETR_FIELD_NORMS)),
    })
}

/// Copies one field into a tensor of the host.
///
/// @param[in] proposals The set.
/// @param[in] field One of `SIMDETR_FIELD_*`.
/// @param[out] target A dense tensor in host memory of exactly the field's type and shape.
/// @return A status; the tensor is untouched unless it is 0.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposals_copy_tensor(
    proposals: *const simdetr_proposals_t,
    field: i32,
    target: *const DLTensor,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(proposals, error, |proposals| part(&proposals.set, field)?.copy_to(target))
}

/// Copies one field into a tensor that the host then owns.
///
/// @param[in] proposals The set.
/// @param[in] field One of `SIMDETR_FIELD_*`.
/// @param[out] out The tensor; ended by its deleter, and independent of the set.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposals_export_tensor(
    proposals: *const simdetr_proposals_t,
    field: i32,
    out: *mut *mut DLManagedTensorVersioned,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(proposals, error, |proposals| Part::export(part(&proposals.set, field), out))
}

/// `simdetr_proposals_export_tensor` in the form of DLPack before 1.0.
///
/// @param[in] proposals The set.
/// @param[in] field One of `SIMDETR_FIELD_*`.
/// @param[out] out The tensor; ended by its deleter, and independent of the set.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposals_export_tensor_legacy(
    proposals: *const simdetr_proposals_t,
    field: i32,
    out: *mut *mut DLManagedTensor,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(proposals, error, |proposals| Part::export(part(&proposals.set, field), out))
}

/// Draws one mask.
///
/// @param[in] proposals The set.
/// @param[in] index Which proposal.
/// @param[out] mask `[rows, columns]` bytes of the mask's grid (see `mask_grids`), 0 or 1.
/// @param[in] capacity Bytes at `mask`; 0 asks for the count.
/// @param[out] count Bytes of the mask; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposals_mask(
    proposals: *const simdetr_proposals_t,
    index: usize,
    mask: *mut u8,
    capacity: usize,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(proposals, error, |proposals| {
        let set = &proposals.set;
        let grid = set.mask_grids.get(index).ok_or_else(|| {
            let reason = format!("{index} of {} proposals", set.mask_grids.len());
            Error::invalid("index", reason)
        })?;
        let needed = grid.height as usize * grid.width as usize;
        if !has_room(count, (needed, capacity), "mask")? {
            return Ok(());
        }
        set.draw_mask(index, output_array(mask, needed, "mask")?.zeroed());
        Ok(())
    })
}

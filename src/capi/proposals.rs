//! `simdetr_proposals_t`: the proposals of one image, in memory that is used again.
//!
//! The extractor fills it and the store reads it. A host looks at it through borrowed pointers,
//! copies parts into arrays of its own, or takes tensors (`proposals_tensor`).

use super::declare::{handle, memory_bytes, versioned};
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, guard_handle, guard_handle_mut, into_handle};
use super::options::write_struct;
use super::pointers::{copy_wanted, has_room, optional, output, slice};
use super::status::simdetr_status_t;
use crate::Error;
use crate::data::proposal_set::ProposalSet;

/// The proposals of one image. One thread at a time may fill it; reading may be shared.
#[derive(Default)]
pub struct simdetr_proposals_t {
    pub(super) set: ProposalSet,
    poison: Poison,
}

versioned! {
    /// Borrowed arrays of a `simdetr_proposals_t`, valid until it is filled again or destroyed.
    pub struct simdetr_proposals_view_t (104 bytes) {
        /// Number of proposals.
        pub count: usize,
        /// Length of one vector.
        pub dimensions: usize,
        /// `[count, 4]`: x0, y0, x1, y1.
        pub boxes: *const f32,
        /// `[count]`.
        pub scores: *const f32,
        /// `[count]`: area of each region as a share of the image.
        pub region_shares: *const f32,
        /// `[count]`: index of the map in which each region was found; -1 for the image itself.
        pub levels: *const i32,
        /// `[count]`: K of the clustering that found each region; 0 where there was none.
        pub cluster_counts: *const i32,
        /// `[count, dimensions]`: unit vectors.
        pub vectors: *const f32,
        /// `[count]`: length of each vector before it was made a unit vector.
        pub norms: *const f32,
        /// `[count, 2]`: rows and columns of each mask's grid, which covers the whole image.
        pub mask_grids: *const u32,
        /// `[count + 1]`: the runs of mask i begin at `mask_offsets[i]` and end before
        /// `mask_offsets[i + 1]`.
        pub mask_offsets: *const u32,
        /// Run lengths of all masks, row by row, alternating unset and set cells, unset first.
        pub mask_runs: *const u32,
    }
}

/// Makes an empty set of proposals.
///
/// @param[out] out The set, to be given to `simdetr_proposals_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposals_create(
    out: *mut *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let out = output(out, "out")?;
        let mut proposals = simdetr_proposals_t::default();
        proposals.set.clear(0);
        out.set(into_handle(proposals));
        Ok(())
    })
}

handle!(
    simdetr_proposals_t,
    proposals,
    simdetr_proposals_destroy,
    "Destroys a set of proposals; views of it end, exported tensors live on."
);

memory_bytes!(
    simdetr_proposals_t,
    proposals,
    simdetr_proposals_memory_bytes,
    "Says how many bytes a set of proposals holds.",
    "Memory of its arrays, whether used or kept for the next image."
);

impl simdetr_proposals_t {
    fn memory_bytes(&self) -> usize {
        self.set.memory_bytes()
    }
}

/// Gives borrowed pointers to everything.
///
/// @param[in] proposals The set.
/// @param[in,out] view `struct_size` must be set; the rest is filled in.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposals_view(
    proposals: *const simdetr_proposals_t,
    view: *mut simdetr_proposals_view_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(proposals, error, |proposals| {
        let set = &proposals.set;
        let arrays = simdetr_proposals_view_t {
            struct_size: size_of::<simdetr_proposals_view_t>(),
            count: set.count(),
            dimensions: set.dimensions,
            boxes: set.boxes.as_ptr().cast(),
            scores: set.scores.as_ptr(),
            region_shares: set.region_shares.as_ptr(),
            levels: set.levels.as_ptr(),
            cluster_counts: set.cluster_counts.as_ptr(),
            vectors: set.vectors.as_ptr(),
            norms: set.norms.as_ptr(),
            mask_grids: set.mask_grids.as_ptr().cast(),
            mask_offsets: set.mask_offsets.as_ptr(),
            mask_runs: set.mask_runs.as_ptr(),
        };
        write_struct(view, &arrays)
    })
}

/// Copies the proposals into arrays of the host.
///
/// @param[in] proposals The set.
/// @param[out] boxes `[capacity, 4]`; this and each other array may be NULL.
/// @param[out] scores `[capacity]`.
/// @param[out] levels `[capacity]`.
/// @param[out] cluster_counts `[capacity]`.
/// @param[out] vectors `[capacity, dimensions]`.
/// @param[in] dimensions Length of one vector that `vectors` has room for; must be the set's own
/// unless `vectors` is NULL.
/// @param[in] capacity Proposals that the arrays have room for; 0 asks for the count.
/// @param[out] count Number of proposals; also written with `SIMDETR_ERROR_BUFFER_TOO_SMALL`.
/// @return A status.
///
/// May run at the same time as other functions that take the set `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposals_copy_f32(
    proposals: *const simdetr_proposals_t,
    boxes: *mut f32,
    scores: *mut f32,
    levels: *mut i32,
    cluster_counts: *mut i32,
    vectors: *mut f32,
    dimensions: usize,
    capacity: usize,
    count: *mut usize,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(proposals, error, |proposals| {
        let set = &proposals.set;
        let needed = set.count();
        if !vectors.is_null() && dimensions != set.dimensions {
            return Err(Error::shape("vectors", set.dimensions, dimensions));
        }
        if !has_room(count, (needed, capacity), "boxes")? {
            return Ok(());
        }
        copy_wanted(boxes, set.boxes.as_flattened(), "boxes")?;
        copy_wanted(scores, &set.scores, "scores")?;
        copy_wanted(levels, &set.levels, "levels")?;
        copy_wanted(cluster_counts, &set.cluster_counts, "cluster_counts")?;
        copy_wanted(vectors, &set.vectors, "vectors")
    })
}

/// Replaces the proposals by arrays of the host, for example before they go into a store. Vectors
/// are made unit vectors; regions are taken to fill their boxes; levels and K are 0.
///
/// @param[in] proposals The set.
/// @param[in] boxes `[count, 4]`.
/// @param[in] scores `[count]`; NULL takes each box's share of the image.
/// @param[in] vectors `[count, dimensions]`.
/// @param[in] dimensions Length of one vector.
/// @param[in] count Number of proposals; 0 allows NULL arrays.
/// @param[in] image_width Pixels, more than 0.
/// @param[in] image_height Pixels, more than 0.
/// @return `SIMDETR_ERROR_NON_FINITE`, `SIMDETR_ERROR_ZERO_VECTOR` with the index; the set is
/// untouched then.
///
/// One thread at a time on one set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposals_assign_f32(
    proposals: *mut simdetr_proposals_t,
    boxes: *const f32,
    scores: *const f32,
    vectors: *const f32,
    dimensions: usize,
    count: usize,
    image_width: u32,
    image_height: u32,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle_mut(proposals, error, |proposals| {
        let values = |length: usize| {
            count.checked_mul(length).ok_or_else(|| {
                Error::invalid("count", format!("{count} x {length} values overflow"))
            })
        };
        let boxes = slice(boxes, values(4)?, "boxes")?.as_chunks::<4>().0;
        let vectors = slice(vectors, values(dimensions)?, "vectors")?;
        let scores = optional(scores, |scores| slice(scores, count, "scores"))?;
        let size = (image_width, image_height);
        proposals.set = ProposalSet::from_boxes(boxes, scores, vectors, dimensions, size)?;
        Ok(())
    })
}

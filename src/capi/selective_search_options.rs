//! Options of Selective Search, the second method of proposing: the table `[selective_search]`.

use super::options::{Keys, Versioned, copy_options, init};
use crate::proposals::selective_search::SelectiveSearchOptions;
use crate::{Error, Result};

/// Selective Search and its filters, the table `[selective_search]`. Zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_selective_search_options_t {
    /// `sizeof(simdetr_selective_search_options_t)`.
    pub struct_size: usize,
    /// Must be 0; no field has a zero that is not its default.
    pub set_mask: u64,
    /// Pixels of both sides of the image that is searched, 16-512; 0 is 128.
    pub selective_search_side: u32,
    /// Most boxes of an image; 0 is 30.
    pub selective_search_boxes: u32,
    /// Deviation in pixels of the Gaussian before segmentation; 0 is 0.8.
    pub selective_search_sigma: f32,
    /// The scales k of the three segmentations; three zeros are 150, 300, 450.
    pub selective_search_scales: [f32; 3],
    /// Pixels below which a segment joins its neighbour; 0 is 100.
    pub selective_search_segment_pixels_min: u32,
    /// A box whose IoU with one before it is above this is left out; 0 is 1, which leaves out none.
    pub selective_search_overlap_max: f32,
    /// Longest side of a box over its shortest; 0 is no limit.
    pub selective_search_aspect_max: f32,
    /// Least square root of a box's share of the image.
    pub selective_search_side_share_min: f32,
    /// Greatest square root of a box's share of the image; 0 is 1.
    pub selective_search_side_share_max: f32,
    /// Must be 0.
    pub reserved: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<simdetr_selective_search_options_t>() == 64);

// SAFETY: `repr(C)`, size first, plain numbers.
unsafe impl Versioned for simdetr_selective_search_options_t {
    const NAME: &'static str = "simdetr_selective_search_options_t";
    const SMALLEST: usize = size_of::<simdetr_selective_search_options_t>();
}

/// Sets every field to its default and `struct_size` to the size given.
///
/// @param[out] options May be NULL.
/// @param[in] struct_size `sizeof *options`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_selective_search_options_init(
    options: *mut simdetr_selective_search_options_t,
    struct_size: usize,
) {
    // SAFETY: promised by the caller.
    unsafe { init(options, struct_size) }
}

/// # Safety
/// `given` is NULL or as the header says.
pub(super) unsafe fn selective_search_options(
    given: *const simdetr_selective_search_options_t,
) -> Result<SelectiveSearchOptions> {
    // SAFETY: promised by the caller.
    let given = unsafe { copy_options(given) }?;
    if given.reserved != 0 {
        let name = "simdetr_selective_search_options_t.reserved";
        return Err(Error::invalid(name, format!("is {}, must be 0", given.reserved)));
    }
    let mut keys = Keys::new::<simdetr_selective_search_options_t>(given.set_mask, 0)?;
    let pixels_min = given.selective_search_segment_pixels_min;
    keys.integer("selective_search_side", i64::from(given.selective_search_side), 0)
        .integer("selective_search_boxes", i64::from(given.selective_search_boxes), 0)
        .integer("selective_search_segment_pixels_min", i64::from(pixels_min), 0);
    for (key, value) in [
        ("selective_search_sigma", given.selective_search_sigma),
        ("selective_search_overlap_max", given.selective_search_overlap_max),
        ("selective_search_aspect_max", given.selective_search_aspect_max),
        ("selective_search_side_share_min", given.selective_search_side_share_min),
        ("selective_search_side_share_max", given.selective_search_side_share_max),
    ] {
        keys.real(key, f64::from(value), 0);
    }
    keys.reals("selective_search_scales", &given.selective_search_scales, 0);
    let options: SelectiveSearchOptions = keys.finish()?;
    options.validate()?;
    Ok(options)
}

//! Options of Selective Search, the second method of proposing: the table `[selective_search]`.

use super::declare::{initialiser, options};
use super::options::copy_options;
use crate::Result;
use crate::proposals::selective_search::SelectiveSearchOptions;

options! {
    /// Selective Search and its filters, the table `[selective_search]`. Zero in a field is its default.
    pub struct simdetr_selective_search_options_t (64 bytes) {
        /// Must be 0; no field has a zero that is not its default.
        pub set_mask: u64 => apart,
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
        pub reserved: u32 => reserved,
    }
}

initialiser!(simdetr_selective_search_options_init, options, simdetr_selective_search_options_t);

/// # Safety
/// `given` is NULL or as the header says.
pub(super) unsafe fn selective_search_options(
    given: *const simdetr_selective_search_options_t,
) -> Result<SelectiveSearchOptions> {
    let given = copy_options(given)?;
    let options: SelectiveSearchOptions = given.keys()?.finish()?;
    options.validate()?;
    Ok(options)
}

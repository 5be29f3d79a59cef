//! Every key of Selective Search.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Keys of the second method of proposing. The defaults are DETReg's use of OpenCV's fast mode,
/// which the patent's Table 8 follows, with every filter off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelectiveSearchOptions {
    /// Pixels of both sides of the image that is searched, 16 to 512; the aspect is not kept.
    /// Default 128 (DETReg).
    pub selective_search_side: u32,
    /// Most boxes of an image, at least 1. Default 30 (patent Table 8).
    pub selective_search_boxes: u32,
    /// Deviation in pixels of the Gaussian before segmentation, over 0 to 16. Default 0.8, as in
    /// both papers.
    pub selective_search_sigma: f32,
    /// The scales k of the three segmentations, each over 0. Default 150, 300, 450 (OpenCV's fast
    /// mode).
    pub selective_search_scales: [f32; 3],
    /// Pixels below which a segment joins its neighbour. Default 100 (OpenCV), 0.6 % of the image
    /// at 128 x 128.
    pub selective_search_segment_pixels_min: u32,
    /// A box is left out when its IoU with one before it is above this, over 0 to 1. Default 1:
    /// off (exact repetitions always go).
    pub selective_search_overlap_max: f32,
    /// Longest side of a box over its shortest, in pixels of the original image; at least 1, or
    /// 0, the default, for no limit. SoCo and AlignDet use 3.
    pub selective_search_aspect_max: f32,
    /// Least square root of a box's share of the image, 0 to below 1. Default 0: off. SoCo uses
    /// 0.3.
    pub selective_search_side_share_min: f32,
    /// Greatest square root of a box's share of the image, over the least, to 1. Default 1: off.
    /// SoCo uses 0.8.
    pub selective_search_side_share_max: f32,
}

impl Default for SelectiveSearchOptions {
    fn default() -> SelectiveSearchOptions {
        SelectiveSearchOptions {
            selective_search_side: 128,
            selective_search_boxes: 30,
            selective_search_sigma: 0.8,
            selective_search_scales: [150.0, 300.0, 450.0],
            selective_search_segment_pixels_min: 100,
            selective_search_overlap_max: 1.0,
            selective_search_aspect_max: 0.0,
            selective_search_side_share_min: 0.0,
            selective_search_side_share_max: 1.0,
        }
    }
}

impl SelectiveSearchOptions {
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key outside its range and the value.
    pub fn validate(&self) -> Result<()> {
        let check = |holds: bool, key: &str, value: String, range: &str| match holds {
            true => Ok(()),
            false => Err(Error::invalid(key, format!("{value} is not {range}"))),
        };
        let side = self.selective_search_side;
        let in_range = (16..=512).contains(&side);
        check(in_range, "selective_search_side", side.to_string(), "in 16 to 512")?;
        let boxes = self.selective_search_boxes;
        check(boxes > 0, "selective_search_boxes", boxes.to_string(), "at least 1")?;
        let sigma = self.selective_search_sigma;
        let in_range = sigma > 0.0 && sigma <= 16.0;
        check(in_range, "selective_search_sigma", sigma.to_string(), "over 0 and at most 16")?;
        for scale in self.selective_search_scales {
            let holds = scale > 0.0 && scale.is_finite();
            check(holds, "selective_search_scales", scale.to_string(), "finite and over 0")?;
        }
        let overlap = self.selective_search_overlap_max;
        let in_range = overlap > 0.0 && overlap <= 1.0;
        check(in_range, "selective_search_overlap_max", overlap.to_string(), "over 0, at most 1")?;
        let aspect = self.selective_search_aspect_max;
        let holds = aspect == 0.0 || aspect >= 1.0;
        check(holds, "selective_search_aspect_max", aspect.to_string(), "0 or at least 1")?;
        let least = self.selective_search_side_share_min;
        let in_range = (0.0..1.0).contains(&least);
        check(in_range, "selective_search_side_share_min", least.to_string(), "in 0 to below 1")?;
        let most = self.selective_search_side_share_max;
        let holds = most > least && most <= 1.0;
        check(holds, "selective_search_side_share_max", most.to_string(), "over the least, to 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_checked_and_named() {
        SelectiveSearchOptions::default().validate().unwrap();
        type Change = fn(&mut SelectiveSearchOptions);
        let changes: [(&str, Change); 8] = [
            ("selective_search_side", |options| options.selective_search_side = 8),
            ("selective_search_boxes", |options| options.selective_search_boxes = 0),
            ("selective_search_sigma", |options| options.selective_search_sigma = f32::NAN),
            ("selective_search_scales", |options| options.selective_search_scales[1] = 0.0),
            ("selective_search_overlap_max", |options| options.selective_search_overlap_max = 0.0),
            ("selective_search_aspect_max", |options| options.selective_search_aspect_max = 0.5),
            ("selective_search_side_share_min", |options| {
                options.selective_search_side_share_min = 1.0;
            }),
            ("selective_search_side_share_max", |options| {
                options.selective_search_side_share_max = 0.0;
            }),
        ];
        for (key, change) in changes {
            let mut options = SelectiveSearchOptions::default();
            change(&mut options);
            let error = options.validate().unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }
}

//! Every key of the augmentations, with its default and where it comes from.
//!
//! The patent names the augmentations (¶65-68, ¶148-149) and none of their numbers. Sizes are
//! those of DETReg, whose training of Deformable DETR it follows; colours are those of DETReg's
//! and UP-DETR's augmented crops; the rest is said where it stands.

use crate::data::image::ResizeRule;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The keys of the augmentations. Sides are in pixels, probabilities in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AugmentationConfig {
    /// Of a mirror image. Default 0.5 (DETReg).
    pub flip_probability: f64,
    /// One of these becomes the shorter side. Default 320 to 480 in steps of 16, without 384
    /// (DETReg).
    pub image_short_sides: Vec<u32>,
    /// Most of the longer side, for which the shorter one shrinks. Default 600 (DETReg).
    pub image_long_side_max: u32,
    /// Of a crop before the resize. Default 0.5 (DETReg).
    pub crop_probability: f64,
    /// One of these is the shorter side from which a crop is cut. Default 400, 500, 600 (DETReg).
    pub crop_short_sides: Vec<u32>,
    /// Least side of a crop. Default 384 (DETReg).
    pub crop_side_min: u32,
    /// Most of a crop's side. Default 600 (DETReg).
    pub crop_side_max: u32,
    /// Least share of its area that a box keeps in the picture; one that keeps less is dropped.
    /// Default 0.1: of a sliver nobody can say what it is.
    pub box_visible_share_min: f64,
    /// Of a mosaic in place of a single image. Default 0.5: with some 15 boxes an image it gives
    /// the mean of 36.5 for a training image that the patent reports (table 10) beside a cap of 25.
    pub mosaic_probability: f64,
    /// Images below one another in a mosaic. Default 2.
    pub mosaic_rows: usize,
    /// Images beside one another in a mosaic. Default 2.
    pub mosaic_columns: usize,
    /// Least width and height of a tile, as a share of what it has in an even grid; 1 is the even
    /// grid. Default 0.6: tiles of a 2x2 mosaic have 0.3 to 0.7 of its side, hence resolutions
    /// that differ (¶66-67).
    pub mosaic_tile_share_min: f64,
    /// Of a change of colours, drawn for every tile of a mosaic on its own (¶68). Default 0.8.
    pub colour_probability: f64,
    /// Brightness is multiplied by 1 - this to 1 + this. Default 0.4.
    pub brightness: f64,
    /// Contrast, likewise. Default 0.4.
    pub contrast: f64,
    /// Saturation, likewise. Default 0.4.
    pub saturation: f64,
    /// Most by which the hue turns, as a share of the colour circle, up to 0.5. Default 0.1.
    pub hue: f64,
    /// Of an image without colours. Default 0.2.
    pub grey_probability: f64,
    /// Of a blur. Default 0.5.
    pub blur_probability: f64,
    /// Least deviation of the blur's Gaussian, in pixels. Default 0.1.
    pub blur_sigma_min: f64,
    /// Most of it. Default 2.
    pub blur_sigma_max: f64,
    /// Of a shift of the whole picture. Default 0: off, as the patent (¶148) names it in passing.
    pub shift_probability: f64,
    /// Most of a shift, as a share of the side. Default 0.1.
    pub shift_share_max: f64,
    /// Of a rotation of the whole picture. Default 0: off, as for shifts.
    pub rotation_probability: f64,
    /// Most of a rotation to either side. Default 10: boxes grow with the angle.
    pub rotation_degrees_max: f64,
    /// Of objects of another image laid over the picture. Default 0: off, as for shifts.
    pub copy_paste_probability: f64,
    /// Most objects that are laid over. Default 3.
    pub copy_paste_count_max: usize,
}

impl Default for AugmentationConfig {
    fn default() -> AugmentationConfig {
        AugmentationConfig {
            flip_probability: 0.5,
            image_short_sides: vec![320, 336, 352, 368, 400, 416, 432, 448, 464, 480],
            image_long_side_max: 600,
            crop_probability: 0.5,
            crop_short_sides: vec![400, 500, 600],
            crop_side_min: 384,
            crop_side_max: 600,
            box_visible_share_min: 0.1,
            mosaic_probability: 0.5,
            mosaic_rows: 2,
            mosaic_columns: 2,
            mosaic_tile_share_min: 0.6,
            colour_probability: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 0.1,
            grey_probability: 0.2,
            blur_probability: 0.5,
            blur_sigma_min: 0.1,
            blur_sigma_max: 2.0,
            shift_probability: 0.0,
            shift_share_max: 0.1,
            rotation_probability: 0.0,
            rotation_degrees_max: 10.0,
            copy_paste_probability: 0.0,
            copy_paste_count_max: 3,
        }
    }
}

/// Most rows or columns of a mosaic.
const GRID_MAX: usize = 8;
/// Least of any side: two pixels for each tile of the largest mosaic.
const SIDE_MIN: u32 = 16;
/// Most of any side.
const SIDE_MAX: u32 = 1 << 14;
/// Blurs beyond this have hundreds of taps.
const SIGMA_MAX: f64 = 32.0;

impl AugmentationConfig {
    /// Nothing but a resize: the shorter side becomes `short_side`, the longer one at most
    /// `long_side_max`.
    pub fn plain(short_side: u32, long_side_max: u32) -> AugmentationConfig {
        AugmentationConfig {
            flip_probability: 0.0,
            image_short_sides: vec![short_side],
            image_long_side_max: long_side_max,
            crop_probability: 0.0,
            mosaic_probability: 0.0,
            colour_probability: 0.0,
            grey_probability: 0.0,
            blur_probability: 0.0,
            ..AugmentationConfig::default()
        }
    }

    /// # Errors
    /// [`Error::InvalidArgument`] naming the first key outside its range.
    pub fn validate(&self) -> Result<()> {
        self.validate_shares()?;
        self.validate_sides()?;
        for (key, value) in [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
        ] {
            within(key, value, 0.0, f64::from(u8::MAX))?;
        }
        within("hue", self.hue, 0.0, 0.5)?;
        within("rotation_degrees_max", self.rotation_degrees_max, 0.0, 180.0)?;
        if self.copy_paste_count_max == 0 {
            return Err(Error::invalid("copy_paste_count_max", "0; at least 1 is needed"));
        }
        within("blur_sigma_max", self.blur_sigma_max, 0.0, SIGMA_MAX)?;
        within("blur_sigma_min", self.blur_sigma_min, 0.0, self.blur_sigma_max)?;
        for (key, count) in
            [("mosaic_rows", self.mosaic_rows), ("mosaic_columns", self.mosaic_columns)]
        {
            if !(1..=GRID_MAX).contains(&count) {
                return Err(Error::invalid(key, format!("{count} is outside 1 to {GRID_MAX}")));
            }
        }
        Ok(())
    }

    fn validate_shares(&self) -> Result<()> {
        for (key, value) in [
            ("flip_probability", self.flip_probability),
            ("crop_probability", self.crop_probability),
            ("box_visible_share_min", self.box_visible_share_min),
            ("mosaic_probability", self.mosaic_probability),
            ("mosaic_tile_share_min", self.mosaic_tile_share_min),
            ("colour_probability", self.colour_probability),
            ("grey_probability", self.grey_probability),
            ("blur_probability", self.blur_probability),
            ("shift_probability", self.shift_probability),
            ("shift_share_max", self.shift_share_max),
            ("rotation_probability", self.rotation_probability),
            ("copy_paste_probability", self.copy_paste_probability),
        ] {
            within(key, value, 0.0, 1.0)?;
        }
        Ok(())
    }

    fn validate_sides(&self) -> Result<()> {
        for (key, sides) in [
            ("image_short_sides", &self.image_short_sides),
            ("crop_short_sides", &self.crop_short_sides),
        ] {
            if sides.is_empty() {
                return Err(Error::invalid(key, "empty; at least one side is needed"));
            }
            if let Some(side) = sides.iter().find(|side| !(SIDE_MIN..=SIDE_MAX).contains(*side)) {
                let reason = format!("{side} is outside {SIDE_MIN} to {SIDE_MAX}");
                return Err(Error::invalid(key, reason));
            }
        }
        let (short, long) = (self.image_short_side_max(), self.image_long_side_max);
        if !(short..=SIDE_MAX).contains(&long) {
            let reason = format!("{long} is outside image_short_sides' {short} to {SIDE_MAX}");
            return Err(Error::invalid("image_long_side_max", reason));
        }
        if self.crop_side_min == 0 || self.crop_side_max < self.crop_side_min {
            let reason = format!("{} to crop_side_max {}", self.crop_side_min, self.crop_side_max);
            return Err(Error::invalid("crop_side_min", reason));
        }
        Ok(())
    }

    /// The largest of `image_short_sides`; no shorter side of any sample is above it.
    pub fn image_short_side_max(&self) -> u32 {
        self.image_short_sides.iter().copied().max().unwrap_or(0)
    }

    /// The largest size that a detector is trained on, at which it then sees images.
    pub fn seen_size(&self) -> ResizeRule {
        let side_multiple = ResizeRule::default().side_multiple;
        ResizeRule {
            image_short_side: self.image_short_side_max(),
            image_long_side_max: self.image_long_side_max.next_multiple_of(side_multiple),
            side_multiple,
        }
    }

    /// The smallest of `image_short_sides`.
    pub fn image_short_side_min(&self) -> u32 {
        self.image_short_sides.iter().copied().min().unwrap_or(0)
    }
}

fn within(key: &str, value: f64, least: f64, most: f64) -> Result<()> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(Error::invalid(key, format!("{value} is outside [{least}, {most}]"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_toml() {
        let config = AugmentationConfig::default();
        config.validate().unwrap();
        AugmentationConfig::plain(320, 320).validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(crate::config::parse::<AugmentationConfig>(&text, "a").unwrap(), config);
    }

    #[test]
    fn values_out_of_range_name_their_key() {
        let refused = |change: fn(&mut AugmentationConfig)| {
            let mut config = AugmentationConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert!(refused(|c| c.flip_probability = 1.1).starts_with("flip_probability: 1.1"));
        assert!(refused(|c| c.hue = f64::NAN).starts_with("hue: NaN"));
        assert!(refused(|c| c.image_short_sides.clear()).starts_with("image_short_sides"));
        assert!(refused(|c| c.crop_short_sides[1] = 0).starts_with("crop_short_sides: 0"));
        assert!(refused(|c| c.image_long_side_max = 479).contains("479 is outside"));
        assert!(refused(|c| c.crop_side_min = 700).contains("700 to crop_side_max 600"));
        assert!(refused(|c| c.mosaic_rows = 9).starts_with("mosaic_rows: 9"));
        assert!(refused(|c| c.rotation_degrees_max = -1.0).starts_with("rotation_degrees_max"));
        assert!(refused(|c| c.copy_paste_count_max = 0).starts_with("copy_paste_count_max"));
        assert!(refused(|c| c.blur_sigma_min = 3.0).starts_with("blur_sigma_min: 3"));
    }
}

//! What an image brings to local clustering: the maps that an encoder made of it.

use super::grid::ImageGeometry;
use crate::data::feature_map::FeatureMapView;

/// One map of an image as an encoder describes it.
#[derive(Debug, Clone, Copy)]
pub struct LevelMap<'a> {
    pub map: FeatureMapView<'a>,
    /// Pixels of the resized image for each cell.
    pub stride: usize,
    /// Sizes of groups of consecutive channels of one kind; empty for one group.
    pub groups: &'a [usize],
}

/// The maps of one image, deepest (largest stride) first. Regions are pooled over the first.
#[derive(Debug, Clone, Copy)]
pub struct ImageMaps<'a> {
    pub maps: &'a [LevelMap<'a>],
    pub geometry: ImageGeometry,
    /// Key of the image's random numbers.
    pub image_id: u32,
}

//! Feature maps of the host before they are searched: how many one image may have, what messages
//! call them, and their values as they lie or as a dense copy.

use super::tensor::{DLTensor, Tensor};
use crate::data::feature_map::FeatureMapView;
use crate::proposals::LevelMap;
use crate::{Error, Result, memory};

/// Most maps of one image.
pub const SIMDETR_MAPS_MAX: usize = 8;

/// Names for messages, made beforehand so that a call that succeeds allocates nothing.
pub(super) const MAP_NAMES: [&str; SIMDETR_MAPS_MAX] =
    ["maps[0]", "maps[1]", "maps[2]", "maps[3]", "maps[4]", "maps[5]", "maps[6]", "maps[7]"];

pub(super) const NO_MAP: LevelMap<'static> = LevelMap {
    map: FeatureMapView { values: &[], height: 0, width: 0, channels: 0 },
    stride: 0,
    groups: &[],
};

pub(super) fn check_maps_count(maps_count: usize) -> Result<()> {
    if (1..=SIMDETR_MAPS_MAX).contains(&maps_count) {
        return Ok(());
    }
    Err(Error::shape("maps", format!("1 to {SIMDETR_MAPS_MAX} maps"), maps_count))
}

/// A map tensor as dense values: its own, or a copy of them in `copy`.
///
/// # Safety
/// `map` is NULL or a DLPack tensor that lives during `'a`.
pub(super) unsafe fn view<'a>(
    map: *const DLTensor,
    name: &str,
    copy: &'a mut Vec<f32>,
) -> Result<FeatureMapView<'a>> {
    let tensor = Tensor::<f32>::borrow(map, name)?;
    if tensor.shape.len() != 3 {
        let got = format!("{:?}", tensor.shape);
        return Err(Error::shape(name, "[height,width,channels]", got));
    }
    let [height, width, channels] = [0, 1, 2].map(|axis| tensor.size(axis));
    if tensor.is_dense() {
        return FeatureMapView::checked(name, tensor.dense(name)?, height, width, channels);
    }
    copy.clear();
    memory::reserve(copy, height * width * channels, name)?;
    for y in 0..height {
        for x in 0..width {
            copy.extend((0..channels).map(|channel| tensor.at([0, 1, 2], [y, x, channel])));
        }
    }
    FeatureMapView::checked(name, copy, height, width, channels)
}

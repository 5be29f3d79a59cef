//! Feature maps to proposals: maps of the host, or those that an encoder left.
//!
//! The host's own maps are the road of frame loops: once warm, a call with `threads = 1` allocates
//! nothing.

use super::error::simdetr_error_t;
use super::extractor::simdetr_extractor_t;
use super::feature_maps::simdetr_feature_maps_t;
use super::guard::{Handle, guard_handle};
use super::host_maps::{MAP_NAMES, NO_MAP, SIMDETR_MAPS_MAX, check_maps_count, view};
use super::image_geometry::simdetr_image_geometry_t;
use super::options::copy_struct;
use super::pointers::{borrow, borrow_mut, slice};
use super::proposals::simdetr_proposals_t;
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::tensor::DLTensor;
use crate::control::Control;
use crate::data::feature_map::FeatureMapView;
use crate::data::proposal_set::ProposalSet;
use crate::pipeline::config::Method;
use crate::proposals::{ImageMaps, LevelMap, Scratch};
use crate::{Error, Result};

impl simdetr_image_geometry_t {
    fn maps<'a>(&self, levels: &'a [LevelMap<'a>]) -> Result<ImageMaps<'a>> {
        Ok(ImageMaps { maps: levels, geometry: self.check()?, image_id: self.image_id })
    }
}

impl simdetr_extractor_t {
    fn extract_levels(
        &self,
        maps: &ImageMaps<'_>,
        control: &Control<'_>,
        scratch: &mut Scratch,
        proposals: &mut ProposalSet,
    ) -> Result<()> {
        if self.method != Method::Spectral {
            return Err(Error::invalid("method", "selective-search needs an image, not maps"));
        }
        let runners = (&self.workers, control);
        self.extractor.extract(maps, self.seed, runners, scratch, proposals).map(|_| ())
    }
}

/// Finds the proposals of one image from feature maps of the host.
///
/// @param[in] extractor The extractor.
/// @param[in] maps `[maps_count]` tensors, deepest (largest stride) first: f32
/// `[height, width, channels]`. Dense tensors are read in place, others are copied once.
/// @param[in] strides Pixels of the resized image for each cell of each map, `[maps_count]`.
/// @param[in] maps_count At most `SIMDETR_MAPS_MAX`.
/// @param[in] geometry The image.
/// @param[in] run Optional.
/// @param[in] proposals Receives the proposals; untouched unless the status is 0.
/// @return `SIMDETR_ERROR_SHAPE`, `SIMDETR_ERROR_STRIDES`, `SIMDETR_ERROR_NON_FINITE` name the map.
///
/// May run at the same time as other functions on the extractor, with other proposals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_extract_maps(
    extractor: *const simdetr_extractor_t,
    maps: *const *const DLTensor,
    strides: *const usize,
    maps_count: usize,
    geometry: *const simdetr_image_geometry_t,
    run: *const simdetr_run_options_t,
    proposals: *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(extractor, error, |extractor| {
        check_maps_count(maps_count)?;
        let maps = slice(maps, maps_count, "maps")?;
        let strides = slice(strides, maps_count, "strides")?;
        let image = copy_struct(geometry)?;
        let target = &mut borrow_mut(proposals, "proposals")?.set;
        with_control(run, |control| {
            extractor.with_memory(target, |memory| {
                let mut levels = [NO_MAP; SIMDETR_MAPS_MAX];
                let copies = memory.dense_maps.iter_mut();
                for (index, ((map, &stride), copy)) in
                    maps.iter().zip(strides).zip(copies).enumerate()
                {
                    let map = view(*map, MAP_NAMES[index], copy)?;
                    levels[index] = LevelMap { map, stride, groups: &[] };
                }
                let (scratch, out) = (&mut memory.images.scratch, &mut memory.proposals);
                let maps = image.maps(&levels[..maps_count])?;
                extractor.extract_levels(&maps, control, scratch, out)
            })
        })
    })
}

/// `simdetr_extractor_extract_maps` for plain arrays.
///
/// @param[in] extractor The extractor.
/// @param[in] values The values of all maps, one map after the other, each row by row, cell by
/// cell, channel by channel.
/// @param[in] values_count Number of values.
/// @param[in] shapes `[maps_count, 3]`: height, width and channels of each map.
/// @param[in] strides Pixels of the resized image for each cell of each map, `[maps_count]`.
/// @param[in] maps_count At most `SIMDETR_MAPS_MAX`.
/// @param[in] geometry The image.
/// @param[in] run Optional.
/// @param[in] proposals Receives the proposals; untouched unless the status is 0.
/// @return As `simdetr_extractor_extract_maps`.
///
/// May run at the same time as other functions on the extractor, with other proposals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_extract_maps_f32(
    extractor: *const simdetr_extractor_t,
    values: *const f32,
    values_count: usize,
    shapes: *const usize,
    strides: *const usize,
    maps_count: usize,
    geometry: *const simdetr_image_geometry_t,
    run: *const simdetr_run_options_t,
    proposals: *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(extractor, error, |extractor| {
        check_maps_count(maps_count)?;
        let mut rest = slice(values, values_count, "values")?;
        let shapes = slice(shapes, 3 * maps_count, "shapes")?.as_chunks::<3>().0;
        let strides = slice(strides, maps_count, "strides")?;
        let image = copy_struct(geometry)?;
        let target = &mut borrow_mut(proposals, "proposals")?.set;
        let mut levels = [NO_MAP; SIMDETR_MAPS_MAX];
        for (index, (&shape, &stride)) in shapes.iter().zip(strides).enumerate() {
            let size = shape.iter().try_fold(1usize, |size, &side| size.checked_mul(side));
            let Some((map, tail)) = size.and_then(|size| rest.split_at_checked(size)) else {
                let got = format!("{} values left of {values_count}", rest.len());
                return Err(Error::shape(MAP_NAMES[index], format!("{shape:?}"), got));
            };
            let [height, width, channels] = shape;
            let map = FeatureMapView::checked(MAP_NAMES[index], map, height, width, channels)?;
            levels[index] = LevelMap { map, stride, groups: &[] };
            rest = tail;
        }
        if !rest.is_empty() {
            let got = format!("{values_count}, {} too many", rest.len());
            return Err(Error::shape("values_count", "the maps' sizes", got));
        }
        with_control(run, |control| {
            extractor.with_memory(target, |memory| {
                let (scratch, out) = (&mut memory.images.scratch, &mut memory.proposals);
                let maps = image.maps(&levels[..maps_count])?;
                extractor.extract_levels(&maps, control, scratch, out)
            })
        })
    })
}

/// Finds the proposals of one image from the feature maps that an encoder left: what
/// `simdetr_extractor_extract_image` finds with that encoder and the same sizes.
///
/// @param[in] extractor The extractor; its own encoder, if any, is not used.
/// @param[in] feature_maps Filled by `simdetr_encoder_encode_image` or its likes.
/// @param[in] image_id Keys the image's random numbers; the rank of its path where it has one.
/// @param[in] run Optional.
/// @param[in] proposals Receives the proposals; untouched unless the status is 0.
/// @return A status.
///
/// May run at the same time as other functions on the extractor, with other proposals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_extract_feature_maps(
    extractor: *const simdetr_extractor_t,
    feature_maps: *const simdetr_feature_maps_t,
    image_id: u32,
    run: *const simdetr_run_options_t,
    proposals: *mut simdetr_proposals_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(extractor, error, |extractor| {
        let set = borrow(feature_maps, simdetr_feature_maps_t::NAME)?;
        let target = &mut borrow_mut(proposals, "proposals")?.set;
        let levels = set.encoded.levels(&set.descriptions);
        let maps = ImageMaps { maps: &levels, geometry: set.encoded.geometry, image_id };
        with_control(run, |control| {
            extractor.with_memory(target, |memory| {
                let (scratch, out) = (&mut memory.images.scratch, &mut memory.proposals);
                extractor.extract_levels(&maps, control, scratch, out)
            })
        })
    })
}

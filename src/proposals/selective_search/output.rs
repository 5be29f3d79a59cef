//! From found regions to proposals: the vector of a box is the mean of the encoder's first map
//! over it, cells counted by the area that the box covers (box pooling; the source says no more).

use super::options::SelectiveSearchOptions;
use super::search::{FoundRegion, search_under};
use crate::control::Control;
use crate::data::image::Image;
use crate::data::proposal_set::{MaskGrid, ProposalSet};
use crate::proposals::{ExtractCounts, ImageMaps, OutputRegion, fill_from_regions, pool_box};
use crate::random::{Purpose, StreamKey};
use crate::{Error, Result, memory};

/// Bytes of each pixel while it is searched: colours, edges, histograms of directions.
const PIXEL_BYTES: u64 = 256;

/// Fills `out` with the proposals of one image, in the order of their ranks: level -1, K 0, the
/// score is the region's share of the image.
///
/// `maps` are the encoder's for this image, of which only the first is read; `maps.image_id` and
/// `seed` key the ranks. Regions over which the map is zero have no direction; they are left out
/// and counted.
///
/// # Errors
/// Those of [`search_under`]; [`Error::InvalidArgument`] when there is no map.
pub fn extract(
    image: &Image,
    maps: &ImageMaps<'_>,
    seed: u64,
    (options, control): (&SelectiveSearchOptions, &Control<'_>),
    out: &mut ProposalSet,
) -> Result<ExtractCounts> {
    let Some(first) = maps.maps.first() else {
        return Err(Error::invalid("maps", "none; boxes are pooled over the first"));
    };
    let key = StreamKey::new(seed, Purpose::SelectiveSearch).for_image(maps.image_id);
    let side = u64::from(options.selective_search_side);
    memory::probe(side.saturating_mul(side).saturating_mul(PIXEL_BYTES), "selective search")?;
    let found = search_under(image, key, options, control)?;
    let channels = first.map.channels;
    let mut vectors = vec![0.0; found.len() * channels];
    let mut weights = Vec::new();
    for (region, vector) in found.iter().zip(vectors.chunks_exact_mut(channels)) {
        let (width, height) = (image.width as usize, image.height as usize);
        pool_box(&first.map, &region.bounds, width, height, vector, &mut weights);
    }
    let side = options.selective_search_side;
    let grid = MaskGrid { height: side, width: side };
    let described = found.iter().zip(vectors.chunks_exact(channels));
    let outputs = described.map(|(region, vector)| output(region, vector, grid));
    let without_direction = fill_from_regions(outputs, channels, out);
    Ok(ExtractCounts {
        regions_found: found.len(),
        regions_without_direction: without_direction,
        proposals: out.count(),
        ..ExtractCounts::default()
    })
}

fn output<'a>(region: &'a FoundRegion, vector: &'a [f32], grid: MaskGrid) -> OutputRegion<'a> {
    OutputRegion {
        bounds: region.bounds,
        share: region.share,
        level: -1,
        cluster_count: 0,
        score: region.share,
        vector,
        mask: &region.mask,
        grid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::feature_map::FeatureMapView;
    use crate::proposals::{ImageGeometry, LevelMap};

    /// A 2x2 map over a flat image: one region, the whole image.
    fn extract_flat(values: &[f32; 8]) -> (ExtractCounts, ProposalSet) {
        let image = Image::filled(64, 32, [50, 60, 70]).unwrap();
        let map = FeatureMapView { values, height: 2, width: 2, channels: 2 };
        let geometry = ImageGeometry {
            original_width: 64,
            original_height: 32,
            resized_width: 64,
            resized_height: 64,
        };
        let levels = [LevelMap { map, stride: 32, groups: &[] }];
        let maps = ImageMaps { maps: &levels, geometry, image_id: 3 };
        let mut out = ProposalSet::default();
        let options = SelectiveSearchOptions::default();
        let run = (&options, &Control::default());
        (extract(&image, &maps, 1, run, &mut out).unwrap(), out)
    }

    #[test]
    fn a_box_gets_the_mean_of_the_map_its_mask_and_no_level() {
        let (counts, out) = extract_flat(&[2.0, 0.0, 4.0, 0.0, 2.0, 8.0, 4.0, 8.0]);
        assert_eq!((counts.regions_found, counts.proposals, out.count()), (1, 1, 1));
        assert_eq!(out.boxes[0], [0.0, 0.0, 64.0, 32.0]);
        assert_eq!((out.norms[0], out.levels[0], out.cluster_counts[0]), (5.0, -1, 0));
        assert_eq!((out.region_shares[0], out.scores[0]), (1.0, 1.0));
        assert!((out.vector(0)[0] - 0.6).abs() < 1e-6);
        assert_eq!(out.runs(0), [0, 128 * 128]);
    }

    #[test]
    fn a_region_over_zeros_is_counted_and_left_out() {
        let (counts, out) = extract_flat(&[0.0; 8]);
        assert_eq!((counts.regions_without_direction, counts.proposals, out.count()), (1, 0, 0));
    }
}

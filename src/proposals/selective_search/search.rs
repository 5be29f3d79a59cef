//! The search itself: segmentations, hierarchies, ranks, and the first boxes in that order.

use super::colour::ColourSpace;
use super::descriptors::{Mix, describe, texture_bins};
use super::hierarchy::{group, neighbours, segments_of};
use super::options::SelectiveSearchOptions;
use super::segmentation::Graph;
use crate::Result;
use crate::control::Control;
use crate::data::image::{Image, resize};
use crate::geometry::{BoundingBox, area, intersection_over_union};
use crate::random::{Random, StreamKey};
use std::collections::HashSet;

/// All four similarities in equal parts; the same without colour (OpenCV's fast mode).
const MIXES: [Mix; 2] = [
    Mix { colour: 1.0, texture: 1.0, size: 1.0, fill: 1.0 },
    Mix { colour: 0.0, texture: 1.0, size: 1.0, fill: 1.0 },
];

/// One region that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundRegion {
    /// xyxy in pixels of the image.
    pub bounds: BoundingBox,
    /// The region itself on the grid of `selective_search_side` cells each way: row-major, cell i
    /// is bit i % 64 of word i / 64.
    pub mask: Vec<u64>,
    /// Area of the region as a share of the image, in (0, 1].
    pub share: f32,
}

/// A candidate: one node of one hierarchy.
struct Candidate {
    rank: f64,
    bounds: [u32; 4],
    hierarchy: usize,
    node: usize,
}

/// The first `selective_search_boxes` regions of an image, in the order of their ranks.
///
/// Twelve hierarchies: two colour spaces, three scales, two mixes. A region's rank is its level in
/// its hierarchy times a random number in [0, 1), the lowest first, so small regions lead but not
/// strictly; of regions with equal boxes the first stays. `key` makes the numbers, and with the
/// same key the same image gives the same regions.
///
/// # Errors
/// [`crate::Error::InvalidArgument`] of [`SelectiveSearchOptions::validate`];
/// [`crate::Error::Shape`] for an image whose bytes do not fit its sides.
pub fn search(
    image: &Image,
    key: StreamKey,
    options: &SelectiveSearchOptions,
) -> Result<Vec<FoundRegion>> {
    search_under(image, key, options, &Control::default())
}

/// [`search`] that looks at a cancel token at every joining of two regions: there are fewer of them
/// than segments, but of a noisy image in segments of a pixel they are many.
///
/// # Errors
/// As [`search`]; [`crate::Error::Cancelled`].
pub fn search_under(
    image: &Image,
    key: StreamKey,
    options: &SelectiveSearchOptions,
    control: &Control<'_>,
) -> Result<Vec<FoundRegion>> {
    options.validate()?;
    let side = options.selective_search_side as usize;
    let small = resize(image, side as u32, side as u32)?;
    let hierarchies = hierarchies(&small, options, control)?;
    let mut random = Random::new(key);
    let mut candidates = Vec::new();
    for (hierarchy, (_, nodes)) in hierarchies.iter().enumerate() {
        for (node, found) in nodes.iter().enumerate() {
            let rank = random.uniform() * f64::from(found.level);
            candidates.push(Candidate { rank, bounds: found.bounds, hierarchy, node });
        }
    }
    candidates.sort_by(|a, b| a.rank.total_cmp(&b.rank));
    let mut seen = HashSet::new();
    let mut regions: Vec<FoundRegion> = Vec::new();
    for candidate in candidates {
        if regions.len() == options.selective_search_boxes as usize {
            break;
        }
        let bounds = to_image(candidate.bounds, side, image);
        if !seen.insert(candidate.bounds) || !passes(&bounds, &regions, image, options) {
            continue;
        }
        let (labels, nodes) = &hierarchies[candidate.hierarchy];
        let mask = mask_of(labels, &segments_of(nodes, candidate.node));
        let cells: u32 = mask.iter().map(|word| word.count_ones()).sum();
        regions.push(FoundRegion { bounds, mask, share: cells as f32 / (side * side) as f32 });
    }
    Ok(regions)
}

type Hierarchy = (Vec<u32>, Vec<super::hierarchy::Node>);

/// The labels of the segmentation and the nodes of each hierarchy.
fn hierarchies(
    small: &Image,
    options: &SelectiveSearchOptions,
    control: &Control<'_>,
) -> Result<Vec<Hierarchy>> {
    let side = small.width as usize;
    let mut hierarchies = Vec::new();
    for space in [ColourSpace::Hsv, ColourSpace::Lab] {
        let pixels = space.convert(&small.pixels);
        let textures = texture_bins(&pixels, side);
        let graph = Graph::new(&pixels, side, options.selective_search_sigma);
        for scale in options.selective_search_scales {
            let segmentation = graph.segment(scale, options.selective_search_segment_pixels_min);
            let regions = describe(&pixels, &textures, &segmentation, side);
            let pairs = neighbours(&segmentation, side);
            for mix in MIXES {
                let nodes = group(&regions, &pairs, mix, (side * side) as u32, control)?;
                hierarchies.push((segmentation.labels.clone(), nodes));
            }
        }
    }
    Ok(hierarchies)
}

/// Cells of the searched square in pixels of the image, by the true ratio of each axis.
fn to_image(bounds: [u32; 4], side: usize, image: &Image) -> BoundingBox {
    let x = |cell: u32| (f64::from(cell) * f64::from(image.width) / side as f64) as f32;
    let y = |cell: u32| (f64::from(cell) * f64::from(image.height) / side as f64) as f32;
    [x(bounds[0]), y(bounds[1]), x(bounds[2]), y(bounds[3])]
}

/// The filters, all of which are off by default.
fn passes(
    bounds: &BoundingBox,
    kept: &[FoundRegion],
    image: &Image,
    options: &SelectiveSearchOptions,
) -> bool {
    let (width, height) = (bounds[2] - bounds[0], bounds[3] - bounds[1]);
    let aspect_max = options.selective_search_aspect_max;
    if aspect_max > 0.0 && width.max(height) > aspect_max * width.min(height) {
        return false;
    }
    let side_share =
        (area(bounds) / (f64::from(image.width) * f64::from(image.height))).sqrt() as f32;
    if side_share < options.selective_search_side_share_min
        || side_share > options.selective_search_side_share_max
    {
        return false;
    }
    let overlap_max = f64::from(options.selective_search_overlap_max);
    let overlaps =
        |other: &FoundRegion| intersection_over_union(bounds, &other.bounds) > overlap_max;
    overlap_max == 1.0 || !kept.iter().any(overlaps)
}

fn mask_of(labels: &[u32], segments: &[usize]) -> Vec<u64> {
    let mut mask = vec![0; labels.len().div_ceil(64)];
    let wanted: HashSet<usize> = segments.iter().copied().collect();
    for (cell, label) in labels.iter().enumerate() {
        if wanted.contains(&(*label as usize)) {
            mask[cell / 64] |= 1 << (cell % 64);
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::control::CancelToken;
    use crate::random::Purpose;

    const KEY: StreamKey =
        StreamKey { seed: 1, stage: 0, epoch: 0, image_id: 7, purpose: Purpose::SelectiveSearch };

    /// A red rectangle, [40, 20, 120, 60] of 200 x 100, on a blue ground.
    fn scene() -> Image {
        let mut image = Image::filled(200, 100, [20, 40, 160]).unwrap();
        for y in 20..60 {
            for x in 40..120 {
                image.set_pixel(x, y, [220, 30, 20]);
            }
        }
        image
    }

    #[test]
    fn an_object_on_a_flat_ground_is_found_with_its_mask() {
        let regions = search(&scene(), KEY, &SelectiveSearchOptions::default()).unwrap();
        let object = [40.0, 20.0, 120.0, 60.0];
        let found = regions.iter().find(|region| {
            let overlap = intersection_over_union(&region.bounds, &object);
            overlap > 0.9 && (region.share - 0.16).abs() < 0.02
        });
        let found = found.expect("no region covers the rectangle");
        // The centre of the rectangle, at (80, 40), is cell (51, 51).
        let cell = 51 * 128 + 51;
        assert_eq!(found.mask[cell / 64] >> (cell % 64) & 1, 1);
        assert_eq!(found.mask[0] & 1, 0);
    }

    #[test]
    fn a_set_token_ends_it() {
        let token = CancelToken::default();
        let control = Control { cancel: Some(&token), progress: None };
        let options = SelectiveSearchOptions::default();
        search_under(&scene(), KEY, &options, &control).unwrap();
        token.cancel();
        let outcome = search_under(&scene(), KEY, &options, &control);
        assert!(matches!(outcome, Err(Error::Cancelled)));
    }

    #[test]
    fn the_key_decides_the_order_and_nothing_else() {
        let options = SelectiveSearchOptions {
            selective_search_boxes: 1000,
            ..SelectiveSearchOptions::default()
        };
        let texture = |index: u32| [(index * 37 % 251) as u8, (index / 9 % 200) as u8, 90];
        let mut image = scene();
        (0..60).for_each(|y| (100..200).for_each(|x| image.set_pixel(x, y, texture(x * y / 40))));
        let first = search(&image, KEY, &options).unwrap();
        assert_eq!(first, search(&image, KEY, &options).unwrap());
        let second = search(&image, KEY.for_image(8), &options).unwrap();
        assert_ne!(first, second);
        let boxes = |regions: &[FoundRegion]| -> HashSet<[u32; 4]> {
            regions.iter().map(|region| region.bounds.map(f32::to_bits)).collect()
        };
        assert_eq!(boxes(&first), boxes(&second));
        assert_eq!(boxes(&first).len(), first.len());
    }

    #[test]
    fn filters_hold_and_odd_images_pass() {
        let options = SelectiveSearchOptions {
            selective_search_aspect_max: 2.5,
            selective_search_side_share_max: 0.9,
            selective_search_overlap_max: 0.5,
            ..SelectiveSearchOptions::default()
        };
        let regions = search(&scene(), KEY, &options).unwrap();
        assert_eq!(regions.len(), 1, "{regions:?}");
        let default = SelectiveSearchOptions::default();
        for (width, height) in [(1, 1), (20_000, 3)] {
            let flat = Image::filled(width, height, [9, 9, 9]).unwrap();
            let regions = search(&flat, KEY, &default).unwrap();
            assert_eq!(regions.len(), 1);
            assert_eq!(regions[0].bounds, [0.0, 0.0, width as f32, height as f32]);
            assert_eq!(regions[0].share, 1.0);
        }
    }
}

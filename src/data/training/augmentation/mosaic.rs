//! Several images as the tiles of one (patent ¶65-68).
//!
//! A mosaic is as large as a single image would be, so its images have a lower resolution and
//! their boxes are small: that is what it is for, as object-centric pictures teach large objects
//! only (¶66). The lines between tiles are drawn at random, which gives tiles of different
//! resolutions. Every image is drawn large enough to cover its tile and cut to it at a random
//! place, so that no grey is left between tiles.

use super::config::AugmentationConfig;
use super::framing::Framing;
use crate::data::image::Image;
use crate::random::Random;

/// Where an image lies in a mosaic, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Draws the tiles of a square mosaic of `side` pixels, row by row.
pub fn draw_tiles(random: &mut Random, config: &AugmentationConfig, side: u32) -> Vec<Tile> {
    let rows = split(random, side, config.mosaic_rows, config.mosaic_tile_share_min);
    let columns = split(random, side, config.mosaic_columns, config.mosaic_tile_share_min);
    let row = |&(y, height): &(u32, u32)| {
        columns.iter().map(move |&(x, width)| Tile { x, y, width, height })
    };
    rows.iter().flat_map(row).collect()
}

/// Cuts `side` into `count` parts of at least `share_min` of an even part, at random places:
/// offset and length of each.
fn split(random: &mut Random, side: u32, count: usize, share_min: f64) -> Vec<(u32, u32)> {
    let least = ((f64::from(side) / count as f64 * share_min) as u32).max(1);
    let even = side - least * count as u32;
    let mut cuts: Vec<u32> = (1..count).map(|_| random.below(u64::from(even) + 1) as u32).collect();
    if share_min >= 1.0 {
        // What is left of an even grid are the pixels of a remainder: one for each last part.
        cuts.fill(0);
    }
    cuts.sort_unstable();
    cuts.push(even);
    let (mut parts, mut from) = (Vec::with_capacity(count), 0);
    for (index, cut) in cuts.iter().enumerate() {
        let to = (index as u32 + 1) * least + cut;
        parts.push((from, to - from));
        from = to;
    }
    parts
}

/// The frame that fills a tile of `width` x `height` pixels: as small as covers it, cut to it at a
/// random place.
pub fn cover(random: &mut Random, framing: Framing, width: u32, height: u32) -> Framing {
    let (from_width, from_height) = framing.size();
    let scale =
        (f64::from(width) / f64::from(from_width)).max(f64::from(height) / f64::from(from_height));
    let side = |from: u32, least: u32| ((f64::from(from) * scale).round() as u32).max(least);
    let (drawn_width, drawn_height) = (side(from_width, width), side(from_height, height));
    let x = random.below(u64::from(drawn_width - width) + 1) as u32;
    let y = random.below(u64::from(drawn_height - height) + 1) as u32;
    framing.resized(drawn_width, drawn_height).cropped(x, y, width, height)
}

/// Copies an image of the tile's size into the mosaic.
pub fn place(image: &Image, tile: Tile, mosaic: &mut Image) {
    let row_bytes = tile.width as usize * 3;
    let stride = mosaic.width as usize * 3;
    let first = tile.y as usize * stride + tile.x as usize * 3;
    for (row, pixels) in image.pixels.chunks_exact(row_bytes).enumerate() {
        let at = first + row * stride;
        mosaic.pixels[at..at + row_bytes].copy_from_slice(pixels);
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_scene::{keyed, rectangle, scene};
    use super::*;
    use crate::data::image::Sampler;

    #[test]
    fn tiles_cover_the_mosaic_once_and_keep_their_share() {
        for case in 0..50 {
            let mut random = keyed(case);
            let config = AugmentationConfig {
                mosaic_rows: 1 + random.below(4) as usize,
                mosaic_columns: 1 + random.below(8) as usize,
                ..AugmentationConfig::default()
            };
            let side = 16 + random.below(400) as u32;
            let tiles = draw_tiles(&mut random, &config, side);
            let mut seen = vec![0u8; (side * side) as usize];
            let least = side as usize as f64 / config.mosaic_columns as f64 * 0.6;
            for tile in &tiles {
                assert!(f64::from(tile.width) >= (least - 1.0).max(1.0), "{tile:?} of {side}");
                for y in tile.y..tile.y + tile.height {
                    for x in tile.x..tile.x + tile.width {
                        seen[(y * side + x) as usize] += 1;
                    }
                }
            }
            assert!(seen.iter().all(|&count| count == 1), "case {case}");
        }
        let even = AugmentationConfig { mosaic_tile_share_min: 1.0, ..Default::default() };
        let tiles = draw_tiles(&mut keyed(0), &even, 320);
        assert!(tiles.iter().all(|tile| (tile.width, tile.height) == (160, 160)));
    }

    /// One tile at a time holds the scene, the others stay black.
    #[test]
    fn boxes_follow_their_image_into_its_tile() {
        let config = AugmentationConfig { mosaic_columns: 3, ..AugmentationConfig::default() };
        let (mut drawn, mut seen_count) = (Image::default(), 0);
        for case in 0..100 {
            let mut random = keyed(case);
            let (source, bounds) = scene(&mut random);
            let mut mosaic = Image::filled(240, 240, [0; 3]).unwrap();
            let tiles = draw_tiles(&mut random, &config, 240);
            let tile = tiles[random.below(6) as usize];
            let whole = Framing::whole(source.width, source.height).mirrored();
            let framing = cover(&mut random, whole, tile.width, tile.height);
            framing.draw(&source, &mut Sampler::default(), &mut drawn).unwrap();
            place(&drawn, tile, &mut mosaic);
            let Some(found) = rectangle(&mosaic) else { continue };
            seen_count += 1;
            let expected = framing.map(&bounds);
            let (start, sides) = ([tile.x, tile.y], [tile.width, tile.height]);
            for edge in 0..4 {
                let expected = expected[edge].clamp(0.0, sides[edge % 2] as f32);
                let expected = expected + start[edge % 2] as f32;
                assert!((found[edge] - expected).abs() <= 1.01, "case {case}");
            }
        }
        assert!(seen_count > 60, "{seen_count}");
    }
}

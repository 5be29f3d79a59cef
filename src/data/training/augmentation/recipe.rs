//! One sample of training: which changes an image goes through, in which order.
//!
//! A single image is framed (flip, crop, resize) and recoloured; a mosaic does that for each of
//! its images and puts them together. Colours come after the frame, because there are fewest
//! pixels then, and for a mosaic tile by tile (patent ¶68). What is off by default, shift, rotation
//! and copy-paste, is done to the finished picture. All draws come from the stream of the image that was
//! asked for, in a fixed order.

use super::config::AugmentationConfig;
use super::framing::Framing;
use super::{blur, colour, copy_paste, greyscale, mosaic, multi_scale, rotation, shift};
use crate::data::image::{Image, ImageLimits, Sampler};
use crate::data::training::sample::{Sample, Target, keep_visible};
use crate::data::training::set::TrainingSet;
use crate::random::{Random, StreamKey};
use crate::{Error, Result, memory};

/// An image that could not be read, so that another took its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenImage {
    pub image_id: u32,
    /// What is wrong, with the path.
    pub reason: String,
}

/// Memory that is used again from sample to sample.
#[derive(Default)]
pub struct Scratch {
    sampler: Sampler,
    blur: blur::BlurScratch,
    tile: Image,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Scratch")
    }
}

/// How samples of a set are made.
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    pub set: &'a TrainingSet,
    pub config: &'a AugmentationConfig,
    pub limits: &'a ImageLimits,
    /// A broken image is an error, and nothing takes its place.
    pub strict: bool,
}

impl Recipe<'_> {
    /// Makes the sample of image number `index` of the set into `sample`; `key` is that of the
    /// image. Broken images are added to `broken`, and the next image of the set takes their
    /// place.
    ///
    /// # Errors
    /// [`Error::NoReadableImage`] when every image of the set is broken; the error of the first
    /// broken image when `strict`; [`Error::Io`] for an image that cannot be read from its disk.
    pub fn make(
        &self,
        index: usize,
        key: StreamKey,
        scratch: &mut Scratch,
        sample: &mut Sample,
        broken: &mut Vec<BrokenImage>,
    ) -> Result<()> {
        let mut random = Random::new(key);
        sample.targets.clear();
        match random.uniform() < self.config.mosaic_probability {
            true => self.make_mosaic(index, &mut random, scratch, sample, broken)?,
            false => self.make_single(index, &mut random, scratch, sample, broken)?,
        }
        self.disturb(&mut random, scratch, sample, broken)
    }

    fn make_single(
        &self,
        index: usize,
        random: &mut Random,
        scratch: &mut Scratch,
        sample: &mut Sample,
        broken: &mut Vec<BrokenImage>,
    ) -> Result<()> {
        let source = self.load(index, broken)?;
        let (width, height) = (source.image.width, source.image.height);
        let framing = multi_scale::draw(random, self.config, width, height);
        framing.draw(&source.image, &mut scratch.sampler, &mut sample.image)?;
        self.add_targets(&source, &framing, (0, 0), &mut sample.targets);
        self.recolour(random, &mut sample.image, &mut scratch.blur);
        Ok(())
    }

    fn make_mosaic(
        &self,
        index: usize,
        random: &mut Random,
        scratch: &mut Scratch,
        sample: &mut Sample,
        broken: &mut Vec<BrokenImage>,
    ) -> Result<()> {
        let side = multi_scale::choose(random, &self.config.image_short_sides);
        let tiles = mosaic::draw_tiles(random, self.config, side);
        let own_tile = random.below(tiles.len() as u64) as usize;
        (sample.image.width, sample.image.height) = (side, side);
        memory::resize(&mut sample.image.pixels, side as usize * side as usize * 3, 0, "a mosaic")?;
        for (number, tile) in tiles.into_iter().enumerate() {
            let drawn = random.below(self.set.images_count() as u64) as usize;
            let source = self.load(if number == own_tile { index } else { drawn }, broken)?;
            let whole = Framing::whole(source.image.width, source.image.height);
            let framing = multi_scale::flipped(random, self.config, whole);
            let framing = mosaic::cover(random, framing, tile.width, tile.height);
            framing.draw(&source.image, &mut scratch.sampler, &mut scratch.tile)?;
            self.recolour(random, &mut scratch.tile, &mut scratch.blur);
            mosaic::place(&scratch.tile, tile, &mut sample.image);
            self.add_targets(&source, &framing, (tile.x, tile.y), &mut sample.targets);
        }
        Ok(())
    }

    /// Shift, rotation and copy-paste of the whole picture.
    fn disturb(
        &self,
        random: &mut Random,
        scratch: &mut Scratch,
        sample: &mut Sample,
        broken: &mut Vec<BrokenImage>,
    ) -> Result<()> {
        let config = self.config;
        let share_min = config.box_visible_share_min;
        if random.uniform() < config.shift_probability {
            let distance = shift::draw(random, config, &sample.image);
            shift::apply(sample, distance, share_min, &mut scratch.tile);
        }
        if random.uniform() < config.rotation_probability {
            let degrees = (random.uniform() * 2.0 - 1.0) * config.rotation_degrees_max;
            rotation::apply(sample, degrees, share_min, &mut scratch.tile);
        }
        if random.uniform() < config.copy_paste_probability {
            let partner = random.below(self.set.images_count() as u64) as usize;
            let count = 1 + random.below(config.copy_paste_count_max as u64) as usize;
            let source = self.load(partner, broken)?;
            let memory = (&mut scratch.sampler, &mut scratch.tile);
            copy_paste::apply(random, (&source, count), sample, share_min, memory)?;
        }
        Ok(())
    }

    /// The targets of `source` as `framing` shows them, moved to where the frame lies.
    fn add_targets(
        &self,
        source: &Sample,
        framing: &Framing,
        (x, y): (u32, u32),
        targets: &mut Vec<Target>,
    ) {
        let (width, height) = framing.size();
        let framed = |target: &Target| Target { bounds: framing.map(&target.bounds), ..*target };
        let mut framed: Vec<Target> = source.targets.iter().map(framed).collect();
        keep_visible(&mut framed, width, height, self.config.box_visible_share_min);
        let (x, y) = (x as f32, y as f32);
        let moved = framed.iter().map(|target| {
            let [left, top, right, bottom] = target.bounds;
            Target { bounds: [left + x, top + y, right + x, bottom + y], ..*target }
        });
        // The sides of a box far below a pixel may meet when its place is added.
        let has_area = |target: &Target| {
            target.bounds[0] < target.bounds[2] && target.bounds[1] < target.bounds[3]
        };
        targets.extend(moved.filter(has_area));
    }

    fn recolour(&self, random: &mut Random, image: &mut Image, scratch: &mut blur::BlurScratch) {
        let config = self.config;
        if random.uniform() < config.colour_probability {
            colour::apply(image, &colour::draw(random, config));
        }
        if random.uniform() < config.grey_probability {
            greyscale::apply(image);
        }
        if random.uniform() < config.blur_probability {
            let range = config.blur_sigma_max - config.blur_sigma_min;
            blur::apply(image, config.blur_sigma_min + random.uniform() * range, scratch);
        }
    }

    /// Image number `index`, or the first after it that can be read.
    fn load(&self, index: usize, broken: &mut Vec<BrokenImage>) -> Result<Sample> {
        let count = self.set.images_count();
        let mut first = None;
        for index in (index..count).chain(0..index) {
            match self.set.load(index, self.limits) {
                Ok(sample) => return Ok(sample),
                Err(error @ Error::OutOfMemory { .. }) => return Err(error),
                // What the disk does not give may be whole: a batch without it would be that of a
                // bad moment, and the run would end with other bytes than it should.
                Err(error) if self.strict || matches!(error, Error::Io { .. }) => {
                    return Err(error);
                }
                Err(error) => {
                    let image_id = self.set.images()[index].image_id;
                    let reason = error.to_string();
                    first.get_or_insert_with(|| reason.clone());
                    broken.push(BrokenImage { image_id, reason });
                }
            }
        }
        Err(Error::NoReadableImage {
            path: self.set.folder().into(),
            files: count,
            first: first.unwrap_or_default(),
        })
    }
}

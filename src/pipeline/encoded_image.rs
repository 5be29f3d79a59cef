//! One image to an encoder's feature maps: resized as the encoder wants it, encoded, and the sizes
//! that lead from cells back to pixels. Patent ¶32, ¶53.

use crate::Error;
use crate::Result;
use crate::control::Control;
use crate::data::feature_map::FeatureMap;
use crate::data::image::{Image, ResizeRule, Sampler, Window};
use crate::encoder::{Encoder, MapDescription};
use crate::proposals::{ImageGeometry, LevelMap};
use crate::workers::Workers;
use smallvec::SmallVec;

/// The maps of one image, deepest (largest stride) first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EncodedImage {
    /// As many as the encoder describes.
    pub maps: Vec<FeatureMap>,
    pub geometry: ImageGeometry,
}

/// Memory of encoding that is used again.
#[derive(Debug, Default)]
pub struct EncodingMemory {
    resized: Image,
    sampler: Sampler,
    answers: Vec<Vec<FeatureMap>>,
}

impl EncodingMemory {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.resized.pixels.capacity()
            + self.answers.iter().map(|maps| bytes_of(maps)).sum::<usize>()
    }
}

/// Bytes of the maps' values.
fn bytes_of(maps: &[FeatureMap]) -> usize {
    maps.iter().map(|map| map.values.capacity() * size_of::<f32>()).sum()
}

/// Maps as local clustering reads them; on the stack, where there are no more than encoders usually
/// have.
pub type Levels<'a> = SmallVec<[LevelMap<'a>; 4]>;

/// `rule` with sides that `encoder` can divide (a transformer's 14, say); a coarser multiple that
/// suits it stays.
///
/// # Errors
/// [`Error::InvalidArgument`] with the key that is out of range.
pub fn rule_for(encoder: &dyn Encoder, rule: &ResizeRule) -> Result<ResizeRule> {
    let needed = encoder.side_multiple() as u32;
    let suits = rule.side_multiple.is_multiple_of(needed);
    let side_multiple = if suits { rule.side_multiple } else { needed };
    let rule = ResizeRule { side_multiple, ..rule.clone() };
    rule.validate()?;
    Ok(rule)
}

impl EncodedImage {
    /// Encodes an upright image, resized by `rule`, which [`rule_for`] made; an encoder of one
    /// fixed size overrules it. `control` is looked at on the way.
    ///
    /// # Errors
    /// Those of the encoder; [`Error::Internal`] if it answers for another number of images.
    pub fn new(
        encoder: &dyn Encoder,
        rule: &ResizeRule,
        image: &Image,
        runners: (&Workers, &Control<'_>),
    ) -> Result<EncodedImage> {
        let mut encoded = EncodedImage::default();
        encoded.fill((encoder, rule), image, runners, &mut EncodingMemory::default())?;
        Ok(encoded)
    }

    /// [`EncodedImage::new`] in place of what was there, in memory that is used again.
    ///
    /// # Errors
    /// As [`EncodedImage::new`]; what it then holds is arbitrary.
    pub fn fill(
        &mut self,
        (encoder, rule): (&dyn Encoder, &ResizeRule),
        image: &Image,
        runners: (&Workers, &Control<'_>),
        memory: &mut EncodingMemory,
    ) -> Result<()> {
        let EncodingMemory { resized, sampler, answers } = memory;
        let (width, height) = match encoder.fixed_size() {
            Some((height, width)) => (width as u32, height as u32),
            None => rule.target(image.width, image.height),
        };
        let seen = if (width, height) == (image.width, image.height) {
            image
        } else {
            sampler.draw(image, Window::whole(image), (width, height), resized)?;
            resized
        };
        encoder.encode_into(std::slice::from_ref(seen), runners, answers)?;
        let [maps] = &mut answers[..] else {
            return Err(Error::Internal { reason: "the encoder gave no maps".into() });
        };
        std::mem::swap(&mut self.maps, maps);
        self.geometry = ImageGeometry {
            original_width: image.width as usize,
            original_height: image.height as usize,
            resized_width: width as usize,
            resized_height: height as usize,
        };
        Ok(())
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.maps)
    }

    /// The maps with what the encoder says about each, as local clustering reads them.
    pub fn levels<'a>(&'a self, descriptions: &'a [MapDescription]) -> Levels<'a> {
        let level = |(description, map): (&'a MapDescription, &'a FeatureMap)| LevelMap {
            map: map.view(),
            stride: description.stride,
            groups: &description.groups,
        };
        descriptions.iter().zip(&self.maps).map(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::host::HostEncoder;

    fn encoder(stride: usize) -> HostEncoder {
        let maps = vec![MapDescription::new("only", 2, stride)];
        let fill = |_: &[Image], maps: &mut [Vec<FeatureMap>]| {
            maps.iter_mut().flatten().for_each(|map| map.values.fill(1.5));
            0
        };
        HostEncoder::new("test", maps, Box::new(fill)).unwrap()
    }

    #[test]
    fn sizes_and_descriptions_come_with_the_maps() {
        let (encoder, workers) = (encoder(14), Workers::caller());
        let rule = ResizeRule { image_short_side: 56, image_long_side_max: 96, side_multiple: 32 };
        let rule = rule_for(&encoder, &rule).unwrap();
        assert_eq!(rule.side_multiple, 14);
        let image = Image::filled(200, 100, [9, 9, 9]).unwrap();
        let encoded =
            EncodedImage::new(&encoder, &rule, &image, (&workers, &Control::default())).unwrap();
        let levels = encoded.levels(encoder.maps());
        let geometry = encoded.geometry;
        assert_eq!((geometry.original_width, geometry.original_height), (200, 100));
        let cells = (geometry.resized_height / 14, geometry.resized_width / 14);
        assert_eq!((levels[0].map.height, levels[0].map.width), cells);
        assert_eq!((levels[0].stride, levels[0].groups), (14, &[2][..]));
    }

    #[test]
    fn a_rule_that_fits_stays_and_a_bad_one_is_named() {
        let rule = ResizeRule { side_multiple: 64, ..ResizeRule::default() };
        assert_eq!(rule_for(&encoder(16), &rule).unwrap(), rule);
        let rule = ResizeRule { image_long_side_max: 3, ..rule };
        let error = rule_for(&encoder(16), &rule).unwrap_err().to_string();
        assert!(error.contains("image_long_side_max"), "{error}");
    }
}

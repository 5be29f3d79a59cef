//! Samples put together: normalised maps of one size, and their targets in the criterion's form.

use super::augmentation::recipe::BrokenImage;
use super::buckets::Buckets;
use super::sample::Sample;
use crate::data::image::{Image, Normalisation};
use crate::geometry::BoundingBox;
use crate::{Error, Result, memory};

/// What one step of training sees.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Counted from the start of the stage.
    pub number: u64,
    /// Rows of every map.
    pub height: usize,
    /// Columns of every map.
    pub width: usize,
    /// `[images, height, width, 3]`, normalised; 0 outside an image, which lies at the top left.
    pub maps: Vec<f32>,
    /// `[height, width]` of every image without its padding.
    pub sizes: Vec<[u32; 2]>,
    /// Ids of the images that were asked for; a mosaic holds others too.
    pub image_ids: Vec<u32>,
    /// Boxes of all images one after another: cxcywh divided by the un-padded size.
    pub boxes: Vec<[f32; 4]>,
    /// Dense class index of every box.
    pub classes: Vec<u32>,
    /// How sure the detector that wrote the box was; 1 where nobody was asked.
    pub scores: Vec<f32>,
    /// Boxes of image i are `offsets[i]..offsets[i + 1]`.
    pub offsets: Vec<usize>,
    /// Images that could not be read and had their place taken.
    pub broken: Vec<BrokenImage>,
}

impl Batch {
    /// How many images there are.
    pub fn images_count(&self) -> usize {
        self.sizes.len()
    }

    /// The map of image `index`: `[height, width, 3]`.
    pub fn map(&self, index: usize) -> &[f32] {
        let length = self.height * self.width * 3;
        &self.maps[index * length..][..length]
    }

    /// Boxes and classes of image `index`.
    pub fn targets(&self, index: usize) -> (&[[f32; 4]], &[u32]) {
        let range = self.offsets[index]..self.offsets[index + 1];
        (&self.boxes[range.clone()], &self.classes[range])
    }

    /// Fills the maps and targets from `samples`, in memory that is used again; `number`,
    /// `image_ids` and `broken` are left as they are.
    ///
    /// # Errors
    /// [`Error::Shape`] for a sample that no bucket holds.
    pub(super) fn assemble(
        &mut self,
        samples: &[Sample],
        buckets: &Buckets,
        normaliser: &Normaliser,
    ) -> Result<()> {
        let height = samples.iter().map(|sample| sample.image.height).max().unwrap_or(0);
        let width = samples.iter().map(|sample| sample.image.width).max().unwrap_or(0);
        let [height, width] = buckets.choose(height, width).ok_or_else(|| {
            Error::shape("batch", "a size within the buckets", format!("{height}x{width}"))
        })?;
        (self.height, self.width) = (height as usize, width as usize);
        let length = self.height * self.width * 3;
        memory::resize(&mut self.maps, samples.len() * length, 0.0, "a batch")?;
        self.sizes.clear();
        self.boxes.clear();
        self.classes.clear();
        self.scores.clear();
        self.offsets.clear();
        self.offsets.push(0);
        for (sample, map) in samples.iter().zip(self.maps.chunks_exact_mut(length.max(1))) {
            normaliser.write_padded(&sample.image, self.width, map);
            let (height, width) = (sample.image.height, sample.image.width);
            self.sizes.push([height, width]);
            for target in &sample.targets {
                self.boxes.push(normalised_centre_size(&target.bounds, width, height));
                self.classes.push(target.class);
                self.scores.push(target.score);
            }
            self.offsets.push(self.boxes.len());
        }
        Ok(())
    }
}

/// xyxy in pixels to cxcywh in [0, 1].
fn normalised_centre_size(bounds: &BoundingBox, width: u32, height: u32) -> [f32; 4] {
    let [left, top, right, bottom] = bounds.map(f64::from);
    let (width, height) = (f64::from(width), f64::from(height));
    [
        ((left + right) * 0.5 / width) as f32,
        ((top + bottom) * 0.5 / height) as f32,
        ((right - left) / width) as f32,
        ((bottom - top) / height) as f32,
    ]
}

/// Pixels to numbers, by table.
#[derive(Debug, Clone)]
pub(super) struct Normaliser {
    table: [[f32; 256]; 3],
}

impl Normaliser {
    pub(super) fn new(normalisation: &Normalisation) -> Normaliser {
        Normaliser { table: normalisation.table() }
    }

    /// Writes the image at the top left of a map of `map_width` columns and zeros elsewhere.
    fn write_padded(&self, image: &Image, map_width: usize, map: &mut [f32]) {
        let row_length = image.width as usize * 3;
        let (rows, below) = map.split_at_mut(image.height as usize * map_width * 3);
        let [red, green, blue] = &self.table;
        let sources = image.pixels.chunks_exact(row_length);
        for (target, source) in rows.chunks_exact_mut(map_width * 3).zip(sources) {
            let (target, padding) = target.split_at_mut(row_length);
            for (target, source) in target.chunks_exact_mut(3).zip(source.chunks_exact(3)) {
                target[0] = red[usize::from(source[0])];
                target[1] = green[usize::from(source[1])];
                target[2] = blue[usize::from(source[2])];
            }
            padding.fill(0.0);
        }
        below.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::augmentation::AugmentationConfig;
    use super::super::sample::Target;
    use super::*;

    fn sample(width: u32, height: u32, bounds: &[BoundingBox]) -> Sample {
        let targets =
            bounds.iter().map(|&bounds| Target { bounds, class: width, score: 0.5 }).collect();
        Sample { image: Image::filled(width, height, [255, 0, 128]).unwrap(), targets }
    }

    #[test]
    fn maps_are_padded_with_zeros_and_boxes_divided_by_the_image_alone() {
        let config = AugmentationConfig::plain(16, 32);
        let buckets = Buckets::new(&[[32, 32], [16, 32]], &config).unwrap();
        let normalisation = Normalisation { mean: [0.0; 3], deviation: [1.0, 1.0, 0.5] };
        let normaliser = Normaliser::new(&normalisation);
        let samples = [sample(20, 10, &[[5.0, 0.0, 15.0, 10.0]]), sample(32, 16, &[])];
        // A larger batch was here before.
        let mut batch = Batch { maps: vec![7.0; 99_999], ..Batch::default() };
        batch.assemble(&samples, &buckets, &normaliser).unwrap();
        assert_eq!((batch.height, batch.width, batch.images_count()), (16, 32, 2));
        assert_eq!(batch.maps.len(), 2 * 16 * 32 * 3);
        assert_eq!(batch.sizes, [[10, 20], [16, 32]]);
        assert_eq!(batch.targets(0), ([[0.5, 0.5, 0.5, 1.0]].as_slice(), [20].as_slice()));
        assert_eq!((batch.targets(1).0.len(), &batch.scores[..]), (0, &[0.5][..]));
        let at = |x: usize, y: usize| &batch.map(0)[(y * 32 + x) * 3..][..3];
        assert_eq!(at(19, 9), [1.0, 0.0, 128.0 / 255.0 / 0.5]);
        assert_eq!(
            (at(20, 9), at(0, 10), at(31, 15)),
            (&[0.0; 3][..], &[0.0; 3][..], &[0.0; 3][..])
        );
    }

    #[test]
    fn a_sample_that_fits_nowhere_is_refused() {
        let buckets = Buckets::new(&[], &AugmentationConfig::plain(32, 32)).unwrap();
        let normaliser = Normaliser::new(&Normalisation::default());
        let error = Batch::default().assemble(&[sample(40, 8, &[])], &buckets, &normaliser);
        assert!(error.unwrap_err().to_string().contains("8x40"));
    }
}

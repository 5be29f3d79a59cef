//! The data set T_j: which images there are, which objects are in them, and what their classes
//! were called where they came from.
//!
//! Boxes of all images lie in one array, because a set may hold tens of millions of them.

use super::order::shuffled;
use super::sample::{Sample, Target, keep_visible};
use crate::data::coco::CocoCategory;
use crate::data::coco::problems::Problems;
use crate::data::image::{Image, ImageLimits, decode};
use crate::random::{Purpose, StreamKey};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One image of the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingImage {
    /// 1-based rank of the path among the images of the folder (conventions.md, "Identity").
    pub image_id: u32,
    /// Path below the folder, parts joined by `/`.
    pub relative_path: String,
    /// Pixels of the upright image, as the annotations say; 0 where they do not.
    pub width: u32,
    /// Pixels of the upright image, as the annotations say; 0 where they do not.
    pub height: u32,
    /// Where its targets lie in the set's array.
    pub(super) targets: std::ops::Range<usize>,
}

/// Boxes that were not taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DroppedBoxes {
    /// Boxes of width or height 0.
    pub empty_count: usize,
    /// Boxes wholly outside their image.
    pub outside_count: usize,
    /// Boxes that hold many objects (`iscrowd`).
    pub crowd_count: usize,
    /// Boxes that were cut to their image; they are part of the set.
    pub clipped_count: usize,
    /// Boxes whose numbers are none: a side that is NaN, infinite or negative.
    pub bad_count: usize,
}

/// A data set for training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSet {
    pub(super) folder: PathBuf,
    pub(super) images: Vec<TrainingImage>,
    /// Of all images; sets that are parts of one another share them.
    pub(super) targets: Arc<Vec<Target>>,
    /// In ascending order of their foreign ids: dense class index to category.
    pub(super) categories: Vec<CocoCategory>,
    pub(super) dropped: DroppedBoxes,
    /// Annotations that are no box and images that have no name, in words.
    pub(super) left_out: Problems,
}

impl TrainingSet {
    /// The folder that the images' paths are relative to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The images, by id.
    pub fn images(&self) -> &[TrainingImage] {
        &self.images
    }

    /// How many images there are; at least 1.
    pub fn images_count(&self) -> usize {
        self.images.len()
    }

    /// Dense class index to foreign category, in ascending order of the foreign ids.
    pub fn categories(&self) -> &[CocoCategory] {
        &self.categories
    }

    /// How many classes there are, those without any box too.
    pub fn classes_count(&self) -> usize {
        self.categories.len()
    }

    /// The objects of image number `index`, in pixels of the original.
    pub fn targets(&self, index: usize) -> &[Target] {
        &self.targets[self.images[index].targets.clone()]
    }

    /// Boxes of all images.
    pub fn targets_count(&self) -> usize {
        self.images.iter().map(|image| image.targets.len()).sum()
    }

    /// Boxes that were left out or cut when the set was read.
    pub fn dropped(&self) -> DroppedBoxes {
        self.dropped
    }

    /// What the file holds and the set does not, beside what [`TrainingSet::dropped`] counts:
    /// annotations that are no box, images without a `file_name`.
    pub fn left_out(&self) -> &Problems {
        &self.left_out
    }

    /// Fails where something was left out, as `strict` asks for.
    ///
    /// # Errors
    /// [`Error::Format`] about `annotations`, the file that was read, with what it is: crowds, empty
    /// boxes, boxes outside their image, and the first ten of the others.
    pub fn refuse_left_out(&self, annotations: &Path) -> Result<()> {
        let DroppedBoxes { crowd_count, empty_count, outside_count, .. } = self.dropped;
        let counted = [
            (crowd_count, "crowd boxes"),
            (empty_count, "empty boxes"),
            (outside_count, "boxes outside their image"),
        ];
        let mut reasons: Vec<String> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if !self.left_out.is_empty() {
            reasons.push(self.left_out.to_string());
        }
        match reasons.is_empty() {
            true => Ok(()),
            false => Err(Error::format(annotations, format!("left out: {}", reasons.join("; ")))),
        }
    }

    /// Reads image number `index` with its targets, which are cut to the image.
    ///
    /// # Errors
    /// Those of [`decode::read`]; [`Error::ImageDecode`] when the annotations speak of another
    /// size, as their boxes then belong to another picture.
    pub fn load(&self, index: usize, limits: &ImageLimits) -> Result<Sample> {
        let image = self.read_image(index, limits)?;
        let mut targets = self.targets(index).to_vec();
        keep_visible(&mut targets, image.width, image.height, 0.0);
        Ok(Sample { image, targets })
    }

    fn read_image(&self, index: usize, limits: &ImageLimits) -> Result<Image> {
        let entry = &self.images[index];
        let path = self.path(index);
        let image = decode::read(&path, limits)?;
        let (stated, found) = ((entry.width, entry.height), (image.width, image.height));
        if stated.0 != 0 && stated.1 != 0 && stated != found {
            return Err(Error::ImageDecode {
                image: path.display().to_string(),
                reason: format!(
                    "{}x{} pixels, but the annotations say {}x{}",
                    found.0, found.1, stated.0, stated.1
                ),
            });
        }
        Ok(image)
    }

    /// The file of image number `index`.
    pub fn path(&self, index: usize) -> PathBuf {
        self.folder.join(&self.images[index].relative_path)
    }

    /// A share of the images, drawn without replacement; all classes stay.
    ///
    /// The count is rounded to the nearest; which images it takes depends on `split_seed` alone,
    /// and a larger fraction takes those of a smaller one and others.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a `fraction` outside (0, 1] and for one that leaves no image.
    pub fn subset(&self, fraction: f64, split_seed: u64) -> Result<TrainingSet> {
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(Error::invalid("fraction", format!("{fraction} is outside (0, 1]")));
        }
        let count = (self.images.len() as f64 * fraction).round() as usize;
        if count == 0 {
            let reason = format!("{fraction} of {} images leaves none", self.images.len());
            return Err(Error::invalid("fraction", reason));
        }
        let mut chosen = shuffled(self.images.len(), StreamKey::new(split_seed, Purpose::Sampling));
        chosen.truncate(count);
        chosen.sort_unstable();
        let images = chosen.into_iter().map(|index| self.images[index as usize].clone()).collect();
        Ok(TrainingSet { images, ..self.clone() })
    }

    /// Without the images at the positions `left_out`, ascending; all classes stay.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when no image is left.
    pub fn without(&self, left_out: &[usize]) -> Result<TrainingSet> {
        let stays = |position: &usize| left_out.binary_search(position).is_err();
        let positions = (0..self.images.len()).filter(stays);
        let images: Vec<TrainingImage> =
            positions.map(|position| self.images[position].clone()).collect();
        match images.is_empty() {
            true => Err(Error::invalid("left_out", format!("all of {}", self.images.len()))),
            false => Ok(TrainingSet { images, ..self.clone() }),
        }
    }

    /// Without the images that have fewer than `targets_min` boxes.
    ///
    /// An image of T_0 without a proposal is not an image without objects, and one object in it
    /// would be learnt as background.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when no image is left.
    pub fn with_targets(mut self, targets_min: usize) -> Result<TrainingSet> {
        let before = self.images.len();
        self.images.retain(|image| image.targets.len() >= targets_min);
        match self.images.is_empty() {
            true => {
                let reason = format!("{targets_min}, but none of {before} images has as many");
                Err(Error::invalid("targets_per_image_min", reason))
            }
            false => Ok(self),
        }
    }
}

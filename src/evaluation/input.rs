//! What is evaluated: objects and detections with dense image and category numbers, made from
//! arrays, or from two COCO files ([`super::files`]).
//!
//! Boxes are kept as f64 xywh, in which COCO files are written and pycocotools computes, so that
//! overlaps have the same bits. f32 xyxy arrays are converted exactly as `x1 - x0` in f64.

use super::notes::FileNotes;
use crate::data::coco::CocoCategory;
use crate::data::coco::ids::DenseIds;
use crate::geometry::BoundingBox;
use crate::{Error, Result};

/// Boxes of a caller: one entry of each array for each box. Ids may be any numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct BoxArrays<'a> {
    pub image_ids: &'a [i64],
    /// Empty: every box has category 0.
    pub category_ids: &'a [i64],
    /// xyxy in pixels, finite, not inverted.
    pub boxes: &'a [BoundingBox],
}

/// What further describes the objects of a caller. An empty array stands for its default.
#[derive(Debug, Clone, Copy, Default)]
pub struct ObjectTraits<'a> {
    /// Square pixels, by which objects are small, medium or large; default: the area of the box.
    pub areas: &'a [f64],
    /// Whether the box holds many objects that were not told apart; default: none does.
    pub crowds: &'a [bool],
}

/// Objects to be found and detections, ready for [`super::evaluate`].
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationInput {
    pub(super) objects: Objects,
    pub(super) detections: Detections,
    /// In ascending order of id, without names from arrays.
    pub(super) categories: Vec<CocoCategory>,
    pub(super) images_count: usize,
    pub(super) notes: FileNotes,
}

/// Where boxes are: rank of the image, rank of the category, xywh.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Boxes {
    pub images: Vec<u32>,
    pub categories: Vec<u32>,
    pub bounds: Vec<[f64; 4]>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Objects {
    pub boxes: Boxes,
    pub areas: Vec<f64>,
    pub crowds: Vec<bool>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Detections {
    pub boxes: Boxes,
    pub scores: Vec<f64>,
}

impl Boxes {
    /// The category of boxes whose category the ground truth does not list.
    pub const NO_CATEGORY: u32 = u32::MAX;

    pub(super) fn with_capacity(count: usize) -> Boxes {
        Boxes {
            images: Vec::with_capacity(count),
            categories: Vec::with_capacity(count),
            bounds: Vec::with_capacity(count),
        }
    }

    pub(super) fn push(&mut self, image: u32, category: Option<u32>, bounds: [f64; 4]) {
        self.images.push(image);
        self.categories.push(category.unwrap_or(Boxes::NO_CATEGORY));
        self.bounds.push(bounds);
    }
}

impl EvaluationInput {
    /// From a caller's arrays. The images are those of both sides together (a detection on an
    /// image without objects is a false alarm); the categories are those of the objects, and
    /// detections of others have no effect on class-aware figures.
    ///
    /// # Errors
    /// [`Error::Shape`] for arrays of different lengths; [`Error::NonFinite`];
    /// [`Error::InvalidArgument`] for an inverted box or a negative area.
    pub fn from_arrays(
        objects: BoxArrays,
        traits: ObjectTraits,
        detections: BoxArrays,
        scores: &[f32],
    ) -> Result<EvaluationInput> {
        objects.check("ground truth")?;
        detections.check("detections")?;
        traits.check(objects.boxes.len())?;
        check_length("scores", detections.boxes.len(), scores.len())?;
        check_finite("scores", scores)?;
        let image_ids = objects.image_ids.iter().chain(detections.image_ids).copied();
        let images = DenseIds::new(image_ids);
        let categories = if objects.category_ids.is_empty() {
            DenseIds::new([0])
        } else {
            DenseIds::new(objects.category_ids.iter().copied())
        };
        let objects = objects.ranked(&images, &categories);
        let areas = match traits.areas {
            [] => objects.bounds.iter().map(|bounds| bounds[2] * bounds[3]).collect(),
            areas => areas.to_vec(),
        };
        let crowds = match traits.crowds {
            [] => vec![false; objects.bounds.len()],
            crowds => crowds.to_vec(),
        };
        Ok(EvaluationInput {
            objects: Objects { boxes: objects, areas, crowds },
            detections: Detections {
                boxes: detections.ranked(&images, &categories),
                scores: scores.iter().map(|&score| rankable(f64::from(score))).collect(),
            },
            categories: categories.ids().iter().map(|&id| CocoCategory::new(id, "")).collect(),
            images_count: images.count(),
            notes: FileNotes::default(),
        })
    }

    /// The categories in the order of all per-category answers.
    pub fn categories(&self) -> &[CocoCategory] {
        &self.categories
    }

    /// Number of images evaluated, those without objects or detections among them (from files).
    pub fn images_count(&self) -> usize {
        self.images_count
    }

    /// Number of objects, crowds included.
    pub fn objects_count(&self) -> usize {
        self.objects.areas.len()
    }

    /// Number of detections that are evaluated.
    pub fn detections_count(&self) -> usize {
        self.detections.scores.len()
    }

    /// What was left out of two files, and noticed when they were joined.
    pub fn notes(&self) -> &FileNotes {
        &self.notes
    }
}

/// A score as [`f64::total_cmp`] ranks it like numpy: both zeros the same, NaN of any sign last.
pub(super) fn rankable(score: f64) -> f64 {
    const LAST: f64 = -f64::NAN;
    if score.is_nan() { LAST } else { score + 0.0 }
}

impl BoxArrays<'_> {
    fn check(&self, name: &str) -> Result<()> {
        let count = self.boxes.len();
        check_length(&format!("image ids of the {name}"), count, self.image_ids.len())?;
        if !self.category_ids.is_empty() {
            check_length(&format!("category ids of the {name}"), count, self.category_ids.len())?;
        }
        check_finite(&format!("boxes of the {name}"), self.boxes.as_flattened())?;
        match self.boxes.iter().position(|one| one[2] < one[0] || one[3] < one[1]) {
            Some(index) => Err(Error::invalid(
                format!("boxes of the {name}"),
                format!("box {index}, {:?}, is inverted", self.boxes[index]),
            )),
            None => Ok(()),
        }
    }

    fn ranked(&self, images: &DenseIds, categories: &DenseIds) -> Boxes {
        let mut ranked = Boxes::with_capacity(self.boxes.len());
        for (index, corners) in self.boxes.iter().enumerate() {
            let [x0, y0, x1, y1] = corners.map(f64::from);
            let category_id = self.category_ids.get(index).copied().unwrap_or(0);
            // Every image id of both sides is in the set.
            let image = images.rank(self.image_ids[index]).unwrap_or_default();
            ranked.push(image, categories.rank(category_id), [x0, y0, x1 - x0, y1 - y0]);
        }
        ranked
    }
}

impl ObjectTraits<'_> {
    fn check(&self, count: usize) -> Result<()> {
        if !self.crowds.is_empty() {
            check_length("crowds", count, self.crowds.len())?;
        }
        if self.areas.is_empty() {
            return Ok(());
        }
        check_length("areas", count, self.areas.len())?;
        match self.areas.iter().position(|&area| !(0.0..f64::INFINITY).contains(&area)) {
            Some(index) => {
                let reason = format!("area {index} is {}, not finite and >= 0", self.areas[index]);
                Err(Error::invalid("areas", reason))
            }
            None => Ok(()),
        }
    }
}

fn check_length(name: &str, expected: usize, got: usize) -> Result<()> {
    if expected == got { Ok(()) } else { Err(Error::shape(name, expected, got)) }
}

fn check_finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Error::NonFinite { name: name.into(), index, value: values[index] }),
        None => Ok(()),
    }
}

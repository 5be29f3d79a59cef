//! Evaluation input from two COCO files: their images and categories are joined, and everything
//! that is left out or looks wrong is counted.

use super::input::{Boxes, Detections, EvaluationInput, Objects, rankable};
use super::notes::{FileNotes, Note, Strangers};
use super::options::EvaluationOptions;
use crate::data::coco::ids::DenseIds;
use crate::data::coco::join::{IdJoin, Pairs, pair_categories, pair_images};
use crate::data::coco::problems::Problems;
use crate::data::coco::{CocoAnnotation, CocoFile, CocoImage, read};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

impl EvaluationInput {
    /// From a ground-truth file and a file of detections (a list of results, or a data set whose
    /// annotations carry `score`). Images are joined by `file_name` and categories by `name` where
    /// both files have lists that say them, and by id otherwise ([`IdJoin`]).
    ///
    /// What is left out is in [`EvaluationInput::notes`]; [`EvaluationInput::refuse_left_out`] makes
    /// it an error.
    ///
    /// # Errors
    /// Those of [`read::read_dataset`] and [`read::read_detections`]; [`Error::Format`] when names
    /// leave open which images or categories belong together, when an image has another size in
    /// the other file, and when no detection is on an image of the ground truth.
    pub fn from_files(ground_truth: &Path, detections: &Path) -> Result<EvaluationInput> {
        let truth = read::read_dataset(ground_truth)?;
        let found = read::read_detections(detections)?;
        EvaluationInput::from_coco(&truth, &found, detections)
    }

    /// [`EvaluationInput::from_files`] from what was read; messages call the detections `detections`.
    ///
    /// # Errors
    /// As [`EvaluationInput::from_files`], those of reading aside.
    pub fn from_coco(
        truth: &CocoFile,
        found: &CocoFile,
        detections: &Path,
    ) -> Result<EvaluationInput> {
        let refused = |reason: &dyn std::fmt::Display| Error::format(detections, reason);
        let image_pairs = pair_images(found, truth).map_err(|reason| refused(&reason))?;
        check_sizes(detections, found, truth, &image_pairs)?;
        let category_pairs = pair_categories(found, truth).map_err(|reason| refused(&reason))?;
        let is_evaluated = evaluated(truth, found, &image_pairs);
        let mut notes = FileNotes {
            images_nameless: nameless(truth, &is_evaluated),
            categories_renumbered: renumbered(found, truth, &category_pairs),
            ..FileNotes::default()
        };
        for (file, name) in [(truth, "ground truth"), (found, "detections")] {
            notes.boxes_bad.append(&file.left_out, name);
        }
        let evaluated = truth.images.iter().zip(&is_evaluated).filter(|(_, evaluated)| **evaluated);
        let images = DenseIds::new(evaluated.map(|(image, _)| image.id));
        let categories = DenseIds::new(truth.categories.iter().map(|one| one.id));
        let joins = Joins {
            image: IdJoin::of_images(found, truth, &image_pairs),
            category: IdJoin::of_categories(found, truth, &category_pairs),
            images: &images,
            categories: &categories,
        };
        let detected = joins.detections(found, &mut notes);
        if detected.scores.is_empty() && notes.images_unknown.detections_count > 0 {
            return Err(refused(&no_common_image(found)));
        }
        let mut listed = truth.categories.clone();
        listed.sort_by_key(|category| category.id);
        listed.dedup_by_key(|category| category.id);
        Ok(EvaluationInput {
            objects: joins.objects(truth),
            detections: detected,
            categories: listed,
            images_count: images.count(),
            notes,
        })
    }

    /// Fails where something of the files was left out or is doubtful, as `strict` asks for.
    ///
    /// # Errors
    /// [`Error::Format`] about `detections` with what it is.
    pub fn refuse_left_out(&self, options: &EvaluationOptions, detections: &Path) -> Result<()> {
        let mut faults = self.notes.left_out(options.class_agnostic);
        faults.extend(self.notes.doubtful());
        let sentences: Vec<String> = faults.iter().map(Note::to_string).collect();
        match sentences.is_empty() {
            true => Ok(()),
            false => Err(Error::format(detections, sentences.join("; "))),
        }
    }
}

/// From the ids of the detections to the ranks of the ground truth.
struct Joins<'a> {
    image: IdJoin,
    category: IdJoin,
    images: &'a DenseIds,
    categories: &'a DenseIds,
}

impl Joins<'_> {
    fn objects(&self, file: &CocoFile) -> Objects {
        let mut objects = Objects::default();
        for annotation in &file.annotations {
            // As pycocotools: what lies on an image that is not evaluated does not exist.
            let Some(image) = self.images.rank(annotation.image_id) else { continue };
            let category = self.categories.rank(annotation.category_id);
            objects.boxes.push(image, category, annotation.bounds);
            objects.areas.push(annotation.area);
            objects.crowds.push(annotation.is_crowd);
        }
        objects
    }

    fn detections(&self, file: &CocoFile, notes: &mut FileNotes) -> Detections {
        let count = file.annotations.len();
        let mut detections =
            Detections { boxes: Boxes::with_capacity(count), scores: Vec::with_capacity(count) };
        let (mut images, mut categories) = (BTreeMap::new(), BTreeMap::new());
        for (index, annotation) in file.annotations.iter().enumerate() {
            let CocoAnnotation { image_id, category_id, bounds, score, .. } = *annotation;
            let partner = self.image.partner(image_id);
            let Some(image) = partner.and_then(|partner| self.images.rank(partner)) else {
                *images.entry(image_id).or_insert(0) += 1;
                continue;
            };
            let partner = self.category.partner(category_id);
            let category = partner.and_then(|partner| self.categories.rank(partner));
            if category.is_none() {
                *categories.entry(category_id).or_insert(0) += 1;
            }
            let score = score.unwrap_or_default();
            if score.is_nan() {
                notes.scores_nan.add(|| format!("detection {}", file.index_in_file(index)));
            }
            detections.boxes.push(image, category, bounds);
            detections.scores.push(rankable(score));
        }
        let image = |id| format!("image {}", file.image_texts.shown(id));
        notes.images_unknown = strangers(&images, image);
        notes.categories_unknown = strangers(&categories, |id| category_name(file, id));
        detections
    }
}

/// From how many detections carry each id.
fn strangers(counts: &BTreeMap<i64, usize>, name: impl Fn(i64) -> String) -> Strangers {
    let mut ids = Problems::default();
    for (&id, count) in counts {
        ids.add(|| format!("{} ({count})", name(id)));
    }
    Strangers { detections_count: counts.values().sum(), ids }
}

fn no_common_image(found: &CocoFile) -> String {
    let first = found.annotations.first().map_or(0, |annotation| annotation.image_id);
    let first = format!(
        "detection {} is on image {}, which the ground truth lacks",
        found.index_in_file(0),
        found.image_texts.shown(first)
    );
    match found.images.len() {
        0 => format!("{first}, as it lacks the images of all others"),
        count => format!("none of its {count} images is in the ground truth; {first}"),
    }
}

/// `category 7 "cat"`
fn category_name(file: &CocoFile, id: i64) -> String {
    let shown = format!("category {}", file.category_texts.shown(id));
    match file.categories.iter().find(|category| category.id == id) {
        Some(category) if !category.name.is_empty() => format!("{shown} {:?}", category.name),
        _ => shown,
    }
}

/// Boxes of an image of another size lie elsewhere.
fn check_sizes(path: &Path, found: &CocoFile, truth: &CocoFile, pairs: &Pairs) -> Result<()> {
    let mut differing = Problems::default();
    for &(one, other) in pairs {
        let (one, other) = (&found.images[one], &truth.images[other]);
        let differs = |here: u32, there: u32| here != 0 && there != 0 && here != there;
        if differs(one.width, other.width) || differs(one.height, other.height) {
            differing.add(|| {
                format!(
                    "image `{}` is {}x{} pixels here, {}x{} in the ground truth",
                    one.file_name, one.width, one.height, other.width, other.height
                )
            });
        }
    }
    match differing.is_empty() {
        true => Ok(()),
        false => Err(Error::format(path, differing)),
    }
}

/// For each image of the ground truth whether it is evaluated. A named image that the detections
/// lack was not detected on; of one without a name nobody knows which it is.
fn evaluated(truth: &CocoFile, found: &CocoFile, pairs: &Pairs) -> Vec<bool> {
    let is_named = |image: &CocoImage| !image.file_name.is_empty();
    let mut evaluated: Vec<bool> =
        truth.images.iter().map(|image| found.images.is_empty() || is_named(image)).collect();
    pairs.iter().for_each(|&(_, position)| evaluated[position] = true);
    evaluated
}

fn nameless(truth: &CocoFile, is_evaluated: &[bool]) -> Problems {
    let mut problems = Problems::default();
    for (image, _) in truth.images.iter().zip(is_evaluated).filter(|(_, evaluated)| !**evaluated) {
        problems.add(|| format!("image {}", truth.image_texts.shown(image.id)));
    }
    problems
}

fn renumbered(found: &CocoFile, truth: &CocoFile, pairs: &Pairs) -> Problems {
    let mut problems = Problems::default();
    for &(one, other) in pairs {
        let (one, other) = (&found.categories[one], &truth.categories[other]);
        let same = found.category_texts.translate(one.id, &truth.category_texts);
        if same != Some(other.id) {
            let (here, there) =
                (found.category_texts.shown(one.id), truth.category_texts.shown(other.id));
            let name = &other.name;
            problems.add(|| format!("{name:?} is {here} here, {there} in the ground truth"));
        }
    }
    problems
}

//! Reads a data set from a COCO file and joins it to the images of a folder.

use super::sample::{Target, clip};
use super::set::{DroppedBoxes, TrainingImage, TrainingSet};
use crate::data::coco::folder_places::FolderPlaces;
use crate::data::coco::ids::DenseIds;
use crate::data::coco::read::read_dataset;
use crate::data::coco::{CocoAnnotation, CocoFile, CocoImage};
use crate::data::folder;
use crate::geometry::BoundingBox;
use crate::{Error, Result};
use std::path::Path;
use std::sync::Arc;

impl TrainingSet {
    /// Reads `annotations` and finds its images in `folder`: by the whole relative path first,
    /// then by the longest end of it that is one image's alone (conventions.md, "Identity").
    /// Images of the folder that the file does not list are left out, as nothing is known of them,
    /// and so are images of the file without a name, which a folder cannot have by id.
    ///
    /// Boxes are cut to their image; empty and crowd boxes are dropped and counted. A `score` counts
    /// for nothing: every box gets 1.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`], [`Error::NoImages`]; [`Error::MissingImages`] when images
    /// of the file are not in the folder.
    pub fn read(annotations: &Path, folder: &Path) -> Result<TrainingSet> {
        TrainingSet::read_as(annotations, folder, false)
    }

    /// [`TrainingSet::read`] of labels that a detector wrote, with its scores; 1 where there is none.
    ///
    /// # Errors
    /// As [`TrainingSet::read`]; [`Error::Format`] for a score outside [0, 1].
    pub fn read_scored(annotations: &Path, folder: &Path) -> Result<TrainingSet> {
        TrainingSet::read_as(annotations, folder, true)
    }

    fn read_as(annotations: &Path, folder: &Path, scored: bool) -> Result<TrainingSet> {
        let mut file = read_dataset(annotations)?;
        if file.images.is_empty() {
            return Err(Error::format(annotations, "the file lists no image"));
        }
        let found = folder::list(folder)?.images;
        let places = FolderPlaces::find(annotations, &file, folder, &found)?;
        file.categories.sort_by_key(|category| category.id);
        let ranks = ranks(annotations, &file)?;
        let mut set = TrainingSet {
            folder: folder.into(),
            images: Vec::with_capacity(places.found.len()),
            targets: Arc::default(),
            categories: std::mem::take(&mut file.categories),
            dropped: DroppedBoxes { bad_count: file.left_out.count(), ..DroppedBoxes::default() },
            left_out: std::mem::take(&mut file.left_out),
        };
        places.nameless.iter().for_each(|&position| {
            let id = file.image_texts.shown(file.images[position].id);
            set.left_out.add(|| format!("image {position} (id {id}): `file_name` is missing"));
        });
        let grouped = group(annotations, &file)?;
        let mut targets = Vec::with_capacity(file.annotations.len());
        for (image_id, position) in places.found {
            let image = &file.images[position];
            let first = targets.len();
            for &index in &grouped[position] {
                let annotation = &file.annotations[index as usize];
                let class = ranks
                    .rank(annotation.category_id)
                    .ok_or_else(|| unlisted(annotations, &file, index as usize, "category"))?;
                let score = match annotation.score {
                    Some(score) if scored => probability(score)
                        .ok_or_else(|| no_probability(annotations, &file, index as usize, score))?,
                    _ => 1.0,
                };
                let bounds = bounds_of(annotation, image, &mut set.dropped);
                targets.extend(bounds.map(|bounds| Target { bounds, class, score }));
            }
            set.images.push(TrainingImage {
                image_id,
                relative_path: found[image_id as usize - 1].relative_path.clone(),
                width: image.width,
                height: image.height,
                targets: first..targets.len(),
            });
        }
        set.targets = Arc::new(targets);
        Ok(set)
    }
}

/// Category ids to dense class indices.
fn ranks(annotations: &Path, file: &CocoFile) -> Result<DenseIds> {
    let mut pairs = file.categories.windows(2);
    match pairs.find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => {
            let id = file.category_texts.shown(pair[0].id);
            Err(Error::format(annotations, format!("category id {id} is listed twice")))
        }
        None => Ok(DenseIds::new(file.categories.iter().map(|category| category.id))),
    }
}

/// The annotations of each image of the file, by position, in the file's order.
fn group(annotations: &Path, file: &CocoFile) -> Result<Vec<Vec<u32>>> {
    let positions: std::collections::HashMap<i64, usize> =
        file.images.iter().enumerate().map(|(position, image)| (image.id, position)).collect();
    let mut grouped = vec![Vec::new(); file.images.len()];
    for (index, annotation) in file.annotations.iter().enumerate() {
        let position = positions
            .get(&annotation.image_id)
            .ok_or_else(|| unlisted(annotations, file, index, "image"))?;
        grouped[*position].push(index as u32);
    }
    Ok(grouped)
}

/// The error of an annotation whose image or category the file does not list.
fn unlisted(annotations: &Path, file: &CocoFile, position: usize, kind: &str) -> Error {
    let annotation = &file.annotations[position];
    let id = match kind {
        "image" => file.image_texts.shown(annotation.image_id),
        _ => file.category_texts.shown(annotation.category_id),
    };
    let index = file.index_in_file(position);
    Error::format(annotations, format!("annotation {index}: {kind} {id} is not listed"))
}

/// A score that can be one.
fn probability(score: f64) -> Option<f32> {
    (0.0..=1.0).contains(&score).then_some(score as f32)
}

/// The error of a score that is none.
fn no_probability(annotations: &Path, file: &CocoFile, position: usize, score: f64) -> Error {
    let index = file.index_in_file(position);
    let reason = format!("annotation {index}: `score` {score} is not in [0, 1]");
    Error::format(annotations, reason)
}

/// The part of a box that its image holds; `None` for one that is counted and left out.
fn bounds_of(
    annotation: &CocoAnnotation,
    image: &CocoImage,
    dropped: &mut DroppedBoxes,
) -> Option<BoundingBox> {
    if annotation.is_crowd {
        dropped.crowd_count += 1;
        return None;
    }
    let [x, y, width, height] = annotation.bounds;
    let bounds = [x as f32, y as f32, (x + width) as f32, (y + height) as f32];
    // A side that the file does not say bounds nothing; the image itself does when it is read.
    let side = |pixels| if pixels == 0 { u32::MAX } else { pixels };
    let clipped = clip(&bounds, side(image.width), side(image.height));
    match clipped {
        Some(clipped) => dropped.clipped_count += usize::from(clipped != bounds),
        None if width > 0.0 && height > 0.0 => dropped.outside_count += 1,
        None => dropped.empty_count += 1,
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::{Image, ImageLimits, encode};

    const FILE: &str = r#"{
        "images": [{"id": 70, "file_name": "b/two.png", "width": 8, "height": 6},
                   {"id": 5, "file_name": "a/one.png"}],
        "categories": [{"id": 90, "name": "last"}, {"id": 3, "name": "first"}, {"id": 7}],
        "annotations": [
            {"image_id": 70, "category_id": 90, "bbox": [-2, 1, 5, 20]},
            {"image_id": 5, "category_id": 3, "bbox": [1, 1, 2, 30]},
            {"image_id": 70, "category_id": 7, "bbox": [1, 1, 0, 3]},
            {"image_id": 70, "category_id": 7, "bbox": [9, 1, 5, 3]},
            {"image_id": 70, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 1},
            {"image_id": 70, "category_id": 3, "bbox": [1, 2, 3, 4]}]}"#;

    fn folder(annotations: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let image = Image::filled(8, 6, [1, 2, 3]).unwrap();
        std::fs::create_dir_all(folder.path().join("images/a")).unwrap();
        for name in ["a/one.png", "not_listed.png", "two.png"] {
            std::fs::write(folder.path().join("images").join(name), encode::png(&image).unwrap())
                .unwrap();
        }
        std::fs::write(folder.path().join("file.json"), annotations).unwrap();
        folder
    }

    fn read(folder: &tempfile::TempDir) -> Result<TrainingSet> {
        TrainingSet::read(&folder.path().join("file.json"), &folder.path().join("images"))
    }

    #[test]
    fn images_are_joined_classes_dense_and_boxes_clipped_or_counted() {
        let folder = folder(FILE);
        let set = read(&folder).unwrap();
        let ids: Vec<_> = set.images().iter().map(|image| image.image_id).collect();
        assert_eq!(ids, [1, 3]);
        let names: Vec<_> = set.categories().iter().map(|category| category.id).collect();
        assert_eq!(names, [3, 7, 90]);
        let target = |bounds, class| Target { bounds, class, score: 1.0 };
        let expected = [target([0.0, 1.0, 3.0, 6.0], 2), target([1.0, 2.0, 4.0, 6.0], 0)];
        assert_eq!(set.targets(1), expected);
        let counts = DroppedBoxes {
            empty_count: 1,
            outside_count: 1,
            crowd_count: 1,
            clipped_count: 1,
            bad_count: 0,
        };
        assert_eq!(set.dropped(), counts);
        let refused = set.refuse_left_out(Path::new("gt.json")).unwrap_err().to_string();
        let said = "1 crowd boxes; 1 empty boxes; 1 boxes outside their image";
        assert!(refused.contains("gt.json") && refused.ends_with(said), "{refused}");
        // The file does not say how large `one.png` is; the image does.
        let sample = set.load(0, &ImageLimits::default()).unwrap();
        assert_eq!(sample.targets, [target([1.0, 1.0, 3.0, 6.0], 0)]);
    }

    #[test]
    fn scores_are_read_where_they_are_asked_for_and_must_then_be_probabilities() {
        let scored = |score: &str| {
            let text = FILE.replacen("[-2, 1, 5, 20]", &format!("[-2, 1, 5, 20], {score}"), 1);
            let folder = folder(&text);
            let images = folder.path().join("images");
            (read(&folder), TrainingSet::read_scored(&folder.path().join("file.json"), &images))
        };
        let scores = |set: Result<TrainingSet>| {
            set.unwrap().targets(1).iter().map(|target| target.score).collect::<Vec<_>>()
        };
        for (score, found) in [("0.375", 0.375), ("0", 0.0), ("1", 1.0)] {
            let (plain, with) = scored(&format!(r#""score": {score}"#));
            assert_eq!((scores(plain), scores(with)), (vec![1.0; 2], vec![found, 1.0]));
        }
        for score in ["1.5", "-0.25", "NaN"] {
            let (plain, with) = scored(&format!(r#""score": {score}"#));
            assert_eq!(scores(plain), [1.0; 2]);
            let error = with.unwrap_err().to_string();
            let wanted = format!("annotation 0: `score` {score} is not in [0, 1]");
            assert!(error.contains(&wanted), "{error}");
        }
    }

    #[test]
    fn an_image_of_another_size_than_annotated_is_refused() {
        let folder = folder(&FILE.replace(r#""width": 8"#, r#""width": 9"#));
        let error = read(&folder).unwrap().load(1, &ImageLimits::default()).unwrap_err();
        assert!(error.to_string().contains("8x6 pixels, but the annotations say 9x6"), "{error}");
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        for (from, to, wanted) in [
            ("one.png", "gone.png", "1 of 2 images are not in"),
            (r#""category_id": 90"#, r#""category_id": 91"#, "category 91 is not listed"),
            (r#""image_id": 5"#, r#""image_id": 6"#, "annotation 1: image 6 is not listed"),
            (r#"{"id": 7}"#, r#"{"id": 3}"#, "category id 3 is listed twice"),
            ("b/two.png", "a/one.png", r#"image 70 ("a/one.png") and image 5 ("a/one.png") here"#),
        ] {
            let folder = folder(&FILE.replacen(from, to, 1));
            let error = read(&folder).unwrap_err().to_string();
            assert!(error.contains(wanted), "{from}: {error}");
        }
    }

    #[test]
    fn what_is_no_box_and_an_image_without_a_name_are_left_out_alone() {
        let text = FILE.replacen(r#", "file_name": "a/one.png""#, "", 1).replacen(
            "[-2, 1, 5, 20]",
            "[-2, 1, NaN, 20]",
            1,
        );
        let folder = folder(&text);
        let set = read(&folder).unwrap();
        assert_eq!((set.images_count(), set.targets_count()), (1, 1));
        assert_eq!((set.dropped().bad_count, set.left_out().count()), (1, 2));
        let error = set.refuse_left_out(Path::new("file.json")).unwrap_err().to_string();
        assert!(error.contains("annotation 0: `bbox` is [-2.0, 1.0, NaN, 20.0]"), "{error}");
        assert!(error.contains("image 1 (id 5): `file_name` is missing"), "{error}");
        let nameless = FILE.replace("file_name", "path");
        let error = read(&self::folder(&nameless)).unwrap_err().to_string();
        assert!(error.contains("none of 2 images has a file_name"), "{error}");
    }

    #[test]
    fn a_subset_is_nested_and_never_empty() {
        let folder = folder(FILE);
        let set = read(&folder).unwrap();
        let half = set.subset(0.5, 9).unwrap();
        assert_eq!((half.images_count(), half.classes_count()), (1, 3));
        assert_eq!(half, set.subset(0.5, 9).unwrap());
        assert_eq!(set.subset(1.0, 9).unwrap(), set);
        assert!(set.subset(0.2, 9).unwrap_err().to_string().contains("0.2 of 2 images"));
        for fraction in [0.0, -1.0, 1.5, f64::NAN] {
            assert!(set.subset(fraction, 0).is_err(), "{fraction}");
        }
        assert_eq!(set.clone().with_targets(2).unwrap().images()[0].image_id, 3);
        assert_eq!(set.without(&[0]).unwrap().images()[0].image_id, 3);
        assert_eq!(set.without(&[0]).unwrap().targets(0), set.targets(1));
        assert!(set.without(&[0, 1]).unwrap_err().to_string().contains("all of 2"));
        assert!(set.with_targets(3).unwrap_err().to_string().contains("none of 2 images"));
    }
}

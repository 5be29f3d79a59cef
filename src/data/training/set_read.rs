//! Reads a data set from a COCO file and joins it to the images of a folder.

use super::sample::{Target, clip};
use super::set::{DroppedBoxes, TrainingImage, TrainingSet};
use crate::data::coco::ids::DenseIds;
use crate::data::coco::join::ImageJoin;
use crate::data::coco::read::read_dataset;
use crate::data::coco::{CocoAnnotation, CocoFile, CocoImage};
use crate::data::folder::{self, FolderImage};
use crate::{Error, Result};
use std::path::Path;

impl TrainingSet {
    /// Reads `annotations` and finds its images in `folder`: by the whole relative path first,
    /// then by a base name that is unique on both sides (conventions.md, "Identity"). Images of
    /// the folder that the file does not list are left out, as nothing is known of them.
    ///
    /// Boxes are cut to their image; empty and crowd boxes are dropped and counted.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`], [`Error::NoImages`]; [`Error::MissingImages`] when images
    /// of the file are not in the folder.
    pub fn read(annotations: &Path, folder: &Path) -> Result<TrainingSet> {
        let mut file = read_dataset(annotations)?;
        if file.images.is_empty() {
            return Err(Error::format(annotations, "the file lists no image"));
        }
        let found = folder::list(folder)?.images;
        let places = join(annotations, &file, folder, &found)?;
        let ranks = DenseIds::new(file.categories.iter().map(|category| category.id));
        if ranks.count() != file.categories.len() {
            return Err(Error::format(annotations, "a category id is listed twice"));
        }
        file.categories.sort_by_key(|category| category.id);
        let mut set = TrainingSet {
            folder: folder.into(),
            images: Vec::with_capacity(file.images.len()),
            targets: Vec::with_capacity(file.annotations.len()),
            categories: std::mem::take(&mut file.categories),
            dropped: DroppedBoxes::default(),
        };
        let grouped = group(annotations, &file)?;
        for (image_id, position) in places {
            let image = &file.images[position];
            let first = set.targets.len();
            for &index in &grouped[position] {
                let annotation = &file.annotations[index as usize];
                let class = ranks.rank(annotation.category_id).ok_or_else(|| {
                    let category = annotation.category_id;
                    Error::format(annotations, format!("category {category} is not listed"))
                })?;
                set.targets.extend(target(annotation, class, image, &mut set.dropped));
            }
            set.images.push(TrainingImage {
                image_id,
                relative_path: found[image_id as usize - 1].relative_path.clone(),
                width: image.width,
                height: image.height,
                targets: first..set.targets.len(),
            });
        }
        Ok(set)
    }
}

/// Id in the folder and position in the file of every image of the file, by id.
fn join(
    annotations: &Path,
    file: &CocoFile,
    folder: &Path,
    found: &[FolderImage],
) -> Result<Vec<(u32, usize)>> {
    if let Some(image) = file.images.iter().find(|image| image.file_name.is_empty()) {
        return Err(Error::format(annotations, format!("image {} has no file_name", image.id)));
    }
    let images = found.iter().map(|image| CocoImage {
        id: image.image_id.into(),
        file_name: image.relative_path.clone(),
        width: 0,
        height: 0,
    });
    let listed = CocoFile { images: images.collect(), ..CocoFile::default() };
    let join = ImageJoin::new(file, &listed);
    let mut missing = Vec::new();
    let mut places = Vec::with_capacity(file.images.len());
    for (position, image) in file.images.iter().enumerate() {
        match join.partner(image.id) {
            Some(id) => places.push((id as u32, position)),
            None => missing.push(&image.file_name),
        }
    }
    if let Some(first) = missing.first() {
        return Err(Error::MissingImages {
            annotations: annotations.into(),
            folder: folder.into(),
            missing: missing.len(),
            listed: file.images.len(),
            first: first.to_string(),
        });
    }
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => {
            let name = &file.images[pair[1].1].file_name;
            Err(Error::format(annotations, format!("two images are the file `{name}`")))
        }
        None => Ok(places),
    }
}

/// The annotations of each image of the file, by position, in the file's order.
fn group(annotations: &Path, file: &CocoFile) -> Result<Vec<Vec<u32>>> {
    let positions: std::collections::HashMap<i64, usize> =
        file.images.iter().enumerate().map(|(position, image)| (image.id, position)).collect();
    let mut grouped = vec![Vec::new(); file.images.len()];
    for (index, annotation) in file.annotations.iter().enumerate() {
        let position = positions.get(&annotation.image_id).ok_or_else(|| {
            let reason = format!("annotation {index}: image {} is not listed", annotation.image_id);
            Error::format(annotations, reason)
        })?;
        grouped[*position].push(index as u32);
    }
    Ok(grouped)
}

fn target(
    annotation: &CocoAnnotation,
    class: u32,
    image: &CocoImage,
    dropped: &mut DroppedBoxes,
) -> Option<Target> {
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
        None => dropped.empty_count += 1,
    }
    clipped.map(|bounds| Target { bounds, class })
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
        let target = |bounds, class| Target { bounds, class };
        let expected = [target([0.0, 1.0, 3.0, 6.0], 2), target([1.0, 2.0, 4.0, 6.0], 0)];
        assert_eq!(set.targets(1), expected);
        let counts = DroppedBoxes { empty_count: 2, crowd_count: 1, clipped_count: 1 };
        assert_eq!(set.dropped(), counts);
        // The file does not say how large `one.png` is; the image does.
        let sample = set.load(0, &ImageLimits::default()).unwrap();
        assert_eq!(sample.targets, [target([1.0, 1.0, 3.0, 6.0], 0)]);
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
            (r#"{"id": 7}"#, r#"{"id": 3}"#, "a category id is listed twice"),
            (r#", "file_name": "a/one.png""#, "", "image 5 has no file_name"),
            ("b/two.png", "a/one.png", "two images are the file"),
        ] {
            let folder = folder(&FILE.replacen(from, to, 1));
            let error = read(&folder).unwrap_err().to_string();
            assert!(error.contains(wanted), "{from}: {error}");
        }
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
        assert!(set.with_targets(3).unwrap_err().to_string().contains("none of 2 images"));
    }
}

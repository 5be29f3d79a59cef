//! Rendered scenes with known boxes, for `simdetr demo`: no download, no licence, exact truth.
//!
//! A scene is a cluttered, textured ground with one to six objects of eight kinds ([`things`]),
//! which differ in shape, colour and texture and vary in size, turn, proportions, tint and light.
//! Objects may hide a little of each other; a box bounds what is visible. Small things without a
//! box lie around ([`grounds`]), so that not everything that stands out is an object.
//!
//! A scene depends on the seed and its number alone.

mod grounds;
mod noise;
mod painting;
mod scene;
mod things;

pub use scene::Scene;

use crate::control::Control;
use crate::data::atomic_file;
use crate::data::coco::{CocoCategory, CocoImage, LabelledBox, write::write_dataset};
use crate::data::image::encode;
use crate::random::{Purpose, Random, StreamKey};
use crate::workers::Workers;
use crate::{Error, Result};
use std::ops::Range;
use std::path::Path;
use things::Kind;

/// Names of the kinds of objects.
pub fn kind_names() -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| kind.name()).collect()
}

/// Draws scene `number` (from 0) of `seed`.
pub fn render_scene(seed: u64, number: u32) -> Scene {
    let key = StreamKey::new(seed, Purpose::Demo).for_image(number + 1);
    painting::paint(&mut Random::new(key))
}

/// Draws the scenes `numbers` (from 0) as `images/scene-00001.png` ... and writes their boxes as a COCO
/// data set; both are replaced where they exist.
///
/// # Errors
/// [`Error::Io`]; those of `control`.
pub fn write(
    seed: u64,
    numbers: Range<u32>,
    images: &Path,
    ground_truth: &Path,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<()> {
    std::fs::create_dir_all(images).map_err(|source| Error::io(images, source))?;
    let mut entries = Vec::new();
    let mut boxes = Vec::new();
    // A few scenes for each worker between reports.
    let batch = 4 * workers.count();
    for first in numbers.clone().step_by(batch) {
        let drawn = first..numbers.end.min(first.saturating_add(batch as u32));
        let scenes = workers.try_map(drawn.len(), |index| {
            let scene = render_scene(seed, first + index as u32);
            let path = images.join(file_name(first + index as u32));
            atomic_file::write(&path, &encode::png(&scene.image)?)?;
            Ok((scene.image.width, scene.image.height, scene.boxes, scene.kinds))
        })?;
        for (number, (width, height, found, kinds)) in drawn.clone().zip(scenes) {
            let id = i64::from(number - numbers.start) + 1;
            entries.push(CocoImage::new(id, file_name(number), width, height));
            boxes.extend(found.into_iter().zip(kinds).map(|(bounds, kind)| LabelledBox {
                image_id: id,
                category_id: i64::from(kind) + 1,
                bounds,
                score: None,
            }));
        }
        let done = u64::from(drawn.end - numbers.start);
        control.report("render", done, numbers.len() as u64)?;
    }
    let categories: Vec<CocoCategory> =
        (1..).zip(kind_names()).map(|(id, name)| CocoCategory::new(id, name)).collect();
    let description = "scenes rendered by simdetr, with the boxes that were drawn";
    let (entries, boxes) = (entries.into_iter().map(Ok), boxes.into_iter().map(Ok));
    write_dataset(ground_truth, description, entries, &categories, boxes)
}

fn file_name(number: u32) -> String {
    format!("scene-{:05}.png", number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::coco::read::read_dataset;
    use crate::geometry::intersection_over_union;

    #[test]
    fn scenes_repeat_by_seed_and_differ_by_number() {
        assert_eq!(render_scene(3, 0), render_scene(3, 0));
        assert_ne!(render_scene(3, 0).image, render_scene(3, 1).image);
        assert_ne!(render_scene(3, 0).image, render_scene(4, 0).image);
    }

    #[test]
    fn boxes_lie_inside_are_visible_and_overlap_little() {
        let mut kinds = std::collections::BTreeSet::<u32>::new();
        for number in 0..12 {
            let scene = render_scene(0, number);
            assert!((1..=6).contains(&scene.boxes.len()), "{}", scene.boxes.len());
            assert_eq!(scene.boxes.len(), scene.kinds.len());
            kinds.extend(&scene.kinds);
            let (width, height) = (scene.image.width as f32, scene.image.height as f32);
            for (index, bounds) in scene.boxes.iter().enumerate() {
                assert!(bounds[0] >= 0.0 && bounds[2] <= width && bounds[3] <= height);
                assert!(bounds[2] - bounds[0] >= 16.0 && bounds[3] - bounds[1] >= 16.0);
                for other in &scene.boxes[index + 1..] {
                    assert!(intersection_over_union(bounds, other) < 0.3);
                }
            }
        }
        assert_eq!(kinds.len(), kind_names().len(), "every kind appears");
    }

    #[test]
    fn files_do_not_depend_on_the_number_of_threads() {
        let write_with = |threads| {
            let folder = tempfile::tempdir().unwrap();
            let (images, truth) = (folder.path().join("images"), folder.path().join("truth.json"));
            let workers = Workers::with_threads(threads).unwrap();
            write(7, 0..5, &images, &truth, &workers, &Control::default()).unwrap();
            let mut files = vec![std::fs::read(&truth).unwrap()];
            let names = (0..5).map(file_name);
            files.extend(names.map(|name| std::fs::read(images.join(name)).unwrap()));
            let file = read_dataset(&truth).unwrap();
            assert_eq!((file.images.len(), file.categories.len()), (5, 8));
            assert!(file.annotations.iter().all(|one| one.score.is_none()));
            files
        };
        assert_eq!(write_with(1), write_with(3));
    }
}

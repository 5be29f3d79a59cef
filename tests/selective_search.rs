//! Selective Search against OpenCV's fast mode: the boxes it finds in drawn scenes, and the recall
//! of the first boxes on photographs.
//!
//! Golden files: `tests/golden/selective_search/`, made by the script beside them.

mod support;

use serde_json::Value;
use simdetr::control::Control;
use simdetr::data::coco::read::read_dataset;
use simdetr::data::folder;
use simdetr::data::image::{ImageLimits, decode};
use simdetr::evaluation::{BoxArrays, EvaluationInput, EvaluationOptions, ObjectTraits, evaluate};
use simdetr::geometry::{BoundingBox, intersection_over_union};
use simdetr::proposals::selective_search::{SelectiveSearchOptions, search};
use simdetr::random::{Purpose, StreamKey};
use simdetr::workers::Workers;
use std::path::PathBuf;
use support::install;

fn key() -> StreamKey {
    StreamKey::new(1, Purpose::SelectiveSearch)
}

fn boxes_of(scene: &Value) -> Vec<BoundingBox> {
    let boxes = scene["boxes"].as_array().unwrap().iter();
    boxes.map(|bounds| std::array::from_fn(|side| bounds[side].as_f64().unwrap() as f32)).collect()
}

/// The method is chaotic: one level of noise in a twentieth of the samples makes OpenCV lose a
/// part of its own boxes. No more may be lost between OpenCV and this library, but for a tenth.
#[test]
fn opencvs_boxes_are_found_as_often_as_opencv_finds_them_again_under_noise() {
    let folder = install::root().join("tests/golden/selective_search");
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let options = SelectiveSearchOptions { selective_search_boxes: 100_000, ..Default::default() };
    let (mut found_again, mut found) = (0.0, 0.0);
    let scenes = manifest["scenes"].as_array().unwrap();
    for scene in scenes {
        let path = folder.join(scene["file"].as_str().unwrap());
        let image = decode::read(&path, &ImageLimits::default()).unwrap();
        let ours = search(&image, key(), &options).unwrap();
        let theirs = boxes_of(scene);
        let matched = |wanted: &&BoundingBox| {
            ours.iter().any(|region| intersection_over_union(&region.bounds, wanted) >= 0.9)
        };
        let share = theirs.iter().filter(matched).count() as f64 / theirs.len() as f64;
        println!("{}: {share:.3} of {}, {} found", path.display(), theirs.len(), ours.len());
        found += share / scenes.len() as f64;
        found_again += scene["found_again"].as_f64().unwrap() / scenes.len() as f64;
    }
    assert!(found > found_again - 0.1, "{found} of OpenCV's boxes, itself {found_again}");
}

/// OpenCV 5.0 on the same images, resized with antialiasing: AR@100 9.4 to 10.6 for the first 30
/// boxes, 17.0 to 17.3 for the first 100 (pycocotools, class-agnostic).
#[test]
fn the_first_boxes_recall_as_many_objects_as_opencvs() {
    let shared = std::env::var_os("SIMDETR_SHARED_DATA")
        .map_or_else(|| install::root().join("../shared/data"), PathBuf::from);
    let images = shared.join("coco128/images");
    if !images.is_dir() {
        return install::skip(&format!("{} is not there", images.display()));
    }
    let truth = read_dataset(&shared.join("coco128/annotations.json")).unwrap();
    let options = SelectiveSearchOptions { selective_search_boxes: 100, ..Default::default() };
    let listed = folder::list(&images).unwrap().images;
    let workers = Workers::with_threads(0).unwrap();
    let found = workers
        .try_map(listed.len(), |rank| {
            let image = decode::read(&listed[rank].path(&images), &ImageLimits::default())?;
            search(&image, key().for_image(listed[rank].image_id), &options)
        })
        .unwrap();
    let (mut ids, mut boxes, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    for (listed, regions) in listed.iter().zip(&found) {
        let name = listed.relative_path.as_str();
        let image = truth.images.iter().find(|image| image.file_name.ends_with(name)).unwrap();
        for (rank, region) in regions.iter().enumerate() {
            ids.push(image.id);
            boxes.push(region.bounds);
            scores.push(-(rank as f32));
        }
    }
    let object_ids: Vec<i64> = truth.annotations.iter().map(|object| object.image_id).collect();
    let objects: Vec<BoundingBox> = truth
        .annotations
        .iter()
        .map(|object| {
            let [x, y, width, height] = object.bounds;
            [x, y, x + width, y + height].map(|side| side as f32)
        })
        .collect();
    let areas: Vec<f64> = truth.annotations.iter().map(|object| object.area).collect();
    let input = EvaluationInput::from_arrays(
        BoxArrays { image_ids: &object_ids, boxes: &objects, ..Default::default() },
        ObjectTraits { areas: &areas, ..Default::default() },
        BoxArrays { image_ids: &ids, boxes: &boxes, ..Default::default() },
        &scores,
    )
    .unwrap();
    let options = EvaluationOptions { class_agnostic: true, detections_max: vec![25, 30, 100] };
    let figures = evaluate(&input, &options, &workers, &Control::default()).unwrap();
    let recall = figures.average_recall.iter().map(|recall| 100.0 * recall).collect::<Vec<_>>();
    println!("AR@25 {:.1}, AR@30 {:.1}, AR@100 {:.1}", recall[0], recall[1], recall[2]);
    assert!(recall[1] > 8.0 && recall[2] > 16.0, "{recall:?}");
}

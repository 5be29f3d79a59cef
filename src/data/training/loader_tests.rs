//! The loader over a folder of small pictures: what a batch depends on, and what it does not.

use super::*;
use crate::control::CancelToken;
use crate::data::image::{Image, encode};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Twelve pictures of different sizes and colours, two boxes each, and their COCO file.
fn folder() -> (tempfile::TempDir, Arc<TrainingSet>) {
    let folder = tempfile::tempdir().unwrap();
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for id in 1..=12u32 {
        let (width, height) = (40 + id * 7 % 30, 30 + id * 11 % 40);
        let mut image = Image::filled(width, height, [id as u8 * 20, 99, 255 - id as u8]).unwrap();
        image.set_pixel(3, 3, [0, 255, 0]);
        let name = format!("{id:02}.png");
        std::fs::write(folder.path().join(&name), encode::png(&image).unwrap()).unwrap();
        images.push(format!(
            r#"{{"id": {id}, "file_name": "{name}", "width": {width}, "height": {height}}}"#
        ));
        for class in 0..2 {
            annotations.push(format!(
                r#"{{"image_id": {id}, "category_id": {class}, "bbox": [{id}, 5, 20, 15]}}"#
            ));
        }
    }
    let text = format!(
        r#"{{"images": [{}], "annotations": [{}], "categories": [{{"id": 0}}, {{"id": 1}}]}}"#,
        images.join(","),
        annotations.join(",")
    );
    let file = folder.path().join("set.json");
    std::fs::write(&file, text).unwrap();
    let set = TrainingSet::read(&file, folder.path()).unwrap();
    (folder, Arc::new(set))
}

fn run(threads: usize, batches: std::ops::Range<u64>) -> LoaderRun {
    let augmentation = AugmentationConfig {
        image_short_sides: vec![32, 48, 64],
        image_long_side_max: 96,
        crop_short_sides: vec![48, 64],
        crop_side_min: 30,
        crop_side_max: 60,
        ..AugmentationConfig::default()
    };
    LoaderRun {
        augmentation,
        loader: LoaderConfig { loader_threads: threads, ..LoaderConfig::default() },
        normalisation: Normalisation::default(),
        limits: ImageLimits::default(),
        seed: 5,
        stage: 1,
        batch_size: 5,
        batches,
    }
}

fn all(set: &Arc<TrainingSet>, run: LoaderRun) -> Vec<Batch> {
    let mut loader = TrainingLoader::new(set.clone(), run).unwrap();
    let mut batches = Vec::new();
    while let Some(batch) = loader.next(&Control::default()).unwrap() {
        batches.push(batch.clone());
        loader.recycle(batch);
    }
    batches
}

#[test]
fn a_batch_depends_on_its_number_alone() {
    let (_folder, set) = folder();
    let expected = all(&set, run(0, 0..9));
    assert_eq!(expected.len(), 9);
    for threads in [1, 2, 3, 7] {
        assert_eq!(all(&set, run(threads, 0..9)), expected, "{threads} threads");
    }
    assert_eq!(all(&set, run(2, 4..9)), expected[4..], "resumed at batch 4");
    let other_seed = LoaderRun { seed: 6, ..run(2, 0..1) };
    assert_ne!(all(&set, other_seed)[0].maps, expected[0].maps);
    let other_stage = LoaderRun { stage: 2, ..run(2, 0..1) };
    assert_ne!(all(&set, other_stage)[0].maps, expected[0].maps);
}

#[test]
fn options_that_are_off_by_default_keep_boxes_inside_and_threads_out() {
    let (_folder, set) = folder();
    let everything = |threads| {
        let mut run = run(threads, 0..6);
        run.augmentation.shift_probability = 0.7;
        run.augmentation.rotation_probability = 0.7;
        run.augmentation.copy_paste_probability = 0.7;
        run
    };
    let batches = all(&set, everything(3));
    assert_eq!(batches, all(&set, everything(0)));
    for [cx, cy, width, height] in batches.iter().flat_map(|batch| batch.boxes.clone()) {
        assert!(width > 0.0 && height > 0.0);
        assert!(cx - width / 2.0 > -1e-6 && cx + width / 2.0 < 1.0 + 1e-6, "{cx} {width}");
        assert!(cy - height / 2.0 > -1e-6 && cy + height / 2.0 < 1.0 + 1e-6, "{cy} {height}");
    }
}

#[test]
fn every_epoch_sees_every_image_once_and_batches_are_well_formed() {
    let (_folder, set) = folder();
    let batches = all(&set, run(2, 0..12));
    let ids: Vec<u32> = batches.iter().flat_map(|batch| batch.image_ids.clone()).collect();
    let mut boxes_count = 0;
    for epoch in ids.chunks(12) {
        let mut sorted = epoch.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (1..=12).collect::<Vec<_>>());
    }
    for batch in &batches {
        assert_eq!(batch.maps.len(), 5 * batch.height * batch.width * 3);
        assert!(batch.maps.iter().all(|value| value.is_finite()));
        for &[cx, cy, width, height] in &batch.boxes {
            let inside = cx - width / 2.0 >= -1e-6 && cx + width / 2.0 <= 1.0 + 1e-6;
            assert!(inside && width > 0.0 && height > 0.0, "{cx} {cy} {width} {height}");
            assert!(cy - height / 2.0 >= -1e-6 && cy + height / 2.0 <= 1.0 + 1e-6);
        }
        boxes_count += batch.boxes.len();
    }
    // Half of the 60 samples are mosaics of four images with two boxes each.
    assert!(boxes_count > 150, "{boxes_count}");
}

fn break_images(folder: &Path, names: impl IntoIterator<Item = u32>) {
    for id in names {
        std::fs::write(folder.join(format!("{id:02}.png")), b"not an image").unwrap();
    }
}

#[test]
fn broken_images_are_replaced_and_counted_or_fatal() {
    let (folder, set) = folder();
    break_images(folder.path(), [3, 12]);
    let mut loader = TrainingLoader::new(set.clone(), run(1, 0..6)).unwrap();
    while let Some(batch) = loader.next(&Control::default()).unwrap() {
        for image in &batch.broken {
            assert!(image.reason.contains(&format!("{:02}.png", image.image_id)));
        }
    }
    assert_eq!(loader.broken().keys().copied().collect::<Vec<_>>(), [3, 12]);

    let mut strict = run(1, 0..3);
    strict.loader.strict_images = true;
    let mut loader = TrainingLoader::new(set.clone(), strict).unwrap();
    let first_error = (0..3).find_map(|_| loader.next(&Control::default()).err());
    assert!(matches!(first_error, Some(Error::ImageDecode { .. })), "{first_error:?}");

    break_images(folder.path(), 1..=12);
    let mut loader = TrainingLoader::new(set, run(1, 0..1)).unwrap();
    let error = loader.next(&Control::default()).unwrap_err();
    assert!(matches!(error, Error::NoReadableImage { files: 12, .. }), "{error}");
}

#[test]
fn cancelling_ends_the_wait_and_dropping_ends_the_threads() {
    let (_folder, set) = folder();
    let token = CancelToken::default();
    let control = Control { cancel: Some(&token), progress: None };
    let mut loader = TrainingLoader::new(set, run(2, 0..1_000_000)).unwrap();
    loader.next(&control).unwrap();
    token.cancel();
    assert!(matches!(loader.next(&control), Err(Error::Cancelled)));
}

/// What `work` answers, or a failed test where it does not answer at all.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(Duration::from_secs(120)).expect("the call returns")
}

#[test]
fn a_caller_that_cancels_during_a_batch_gets_that_batch_later() {
    let (_folder, set) = folder();
    for prefetch_batches in [1, 2] {
        let mut long = run(0, 0..2);
        long.loader.prefetch_batches = prefetch_batches;
        long.batch_size = 600;
        let expected = all(&set, long.clone());
        let mut loader = TrainingLoader::new(set.clone(), long).unwrap();
        let batches = in_time(move || {
            let mut batches = Vec::new();
            for _ in 0..4 {
                let token = CancelToken::default();
                let control = Control { cancel: Some(&token), progress: None };
                let made = std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(Duration::from_millis(2));
                        token.cancel();
                    });
                    loader.next(&control)
                });
                match made {
                    Ok(batch) => batches.extend(batch),
                    Err(error) => assert!(matches!(error, Error::Cancelled), "{error}"),
                }
            }
            while let Some(batch) = loader.next(&Control::default()).unwrap() {
                batches.push(batch);
            }
            batches
        });
        assert!(batches == expected, "{prefetch_batches} batches ahead");
    }
}

#[test]
fn errors_and_panics_of_a_batch_come_back_and_the_next_batch_follows() {
    let (folder, set) = folder();
    break_images(folder.path(), 1..=12);
    for threads in [0, 2] {
        for prefetch_batches in [1, 3] {
            let mut run = run(threads, 0..3);
            run.loader.prefetch_batches = prefetch_batches;
            let whole = set.clone();
            in_time(move || {
                let mut loader = TrainingLoader::new(whole.clone(), run.clone()).unwrap();
                for _ in 0..3 {
                    let error = loader.next(&Control::default()).unwrap_err();
                    assert!(matches!(error, Error::NoReadableImage { .. }), "{error}");
                }
                assert!(loader.next(&Control::default()).unwrap().is_none());
                // No memory holds as many samples: the batch panics where it makes room for them.
                run.batch_size = usize::MAX;
                let mut loader = TrainingLoader::new(whole, run).unwrap();
                for number in 0..3 {
                    let error = loader.next(&Control::default()).unwrap_err().to_string();
                    assert!(error.contains(&format!("batch {number} panicked")), "{error}");
                }
            });
        }
    }
}

#[test]
fn configurations_that_cannot_work_are_refused_before_any_thread_starts() {
    let (_folder, set) = folder();
    let refused = |change: fn(&mut LoaderRun)| {
        let mut run = run(1, 0..1);
        change(&mut run);
        TrainingLoader::new(set.clone(), run).unwrap_err().to_string()
    };
    assert!(refused(|run| run.batch_size = 0).starts_with("batch_size"));
    assert!(refused(|run| run.loader.prefetch_batches = 0).starts_with("prefetch_batches"));
    assert!(refused(|run| run.loader.loader_threads = 5000).starts_with("loader_threads"));
    assert!(refused(|run| run.loader.buckets = vec![[64, 64]]).starts_with("buckets"));
    assert!(refused(|run| run.augmentation.hue = 9.0).starts_with("hue"));
    assert!(refused(|run| run.normalisation.deviation = [0.0; 3]).starts_with("deviation"));
}

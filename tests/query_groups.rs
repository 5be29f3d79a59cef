//! Groups of queries (Group DETR): each is matched and learns as if it were alone, prediction and files
//! have the first one.

#[path = "support/small_detector.rs"]
mod small_detector;

use simdetr::Error;
use simdetr::criterion::{CriterionConfig, LabelScore};
use simdetr::data::coco::CocoCategory;
use simdetr::data::image::{Image, Normalisation, ResizeRule};
use simdetr::data::training::batch::Batch;
use simdetr::detector::config::DetectorConfig;
use simdetr::detector::description::DetectorDescription;
use simdetr::detector::naming::Naming;
use simdetr::detector::weights;
use simdetr::detector::whole_detector::Detector;
use simdetr::training::checkpoint::{Position, stem_of};
use simdetr::training::config::TrainingConfig;
use simdetr::training::relabel::BoxScore;
use simdetr::training::step::{StepPlace, StepReport};
use simdetr::training::trainable::{StageStart, TrainableDetector, View};
use simdetr::training::trainer::Trainer;
use simdetr::workers::Workers;

const QUERIES: &str = "query_embed.weight";
const PLACE: StepPlace = StepPlace { seed: 1, stage: 1, step: 0, steps_count: 10 };

fn config(groups: usize) -> DetectorConfig {
    let config = small_detector::detector().config().clone();
    DetectorConfig { query_groups_count: groups, decoder_layers_count: 2, dropout: 0.0, ..config }
}

fn trainer(groups: usize, threads: usize) -> Trainer {
    judged_trainer(groups, threads, LabelScore::Ignore)
}

fn judged_trainer(groups: usize, threads: usize, label_score: LabelScore) -> Trainer {
    let criterion = CriterionConfig { label_score, ..CriterionConfig::default() };
    let training = TrainingConfig { batch_size: 2, warmup_steps: 0, ..TrainingConfig::default() };
    let workers = Workers::with_threads(threads).unwrap();
    Trainer::new(&config(groups), &training, &criterion, 3, workers).unwrap()
}

/// Two images: three objects and one.
fn batch() -> Batch {
    let (height, width) = (64, 96);
    let value = |at: usize| ((at * 7919) % 613) as f32 / 306.0 - 1.0;
    Batch {
        height,
        width,
        maps: (0..2 * height * width * 3).map(value).collect(),
        sizes: vec![[64, 96], [64, 96]],
        image_ids: vec![1, 2],
        boxes: vec![
            [0.5, 0.5, 0.4, 0.6],
            [0.2, 0.3, 0.2, 0.2],
            [0.7, 0.8, 0.3, 0.2],
            [0.4, 0.4, 0.5, 0.3],
        ],
        classes: vec![0, 2, 1, 1],
        scores: vec![1.0; 4],
        offsets: vec![0, 3, 4],
        ..Batch::default()
    }
}

fn queries(trainer: &Trainer) -> std::ops::Range<usize> {
    trainer.table().get(QUERIES).unwrap().range.clone()
}

fn step(trainer: &mut Trainer) -> StepReport {
    trainer.step(&[batch()], &PLACE).unwrap()
}

/// A detector of one group with everything of `grouped`, whose queries are those of `group`.
fn alone(grouped: &Trainer, group: usize) -> Trainer {
    judged_alone(grouped, group, LabelScore::Ignore)
}

fn judged_alone(grouped: &Trainer, group: usize, label_score: LabelScore) -> Trainer {
    let mut single = judged_trainer(1, 1, label_score);
    let (own, theirs) = (queries(&single), queries(grouped));
    let names: Vec<String> = single.table().iter().map(|one| one.name.clone()).collect();
    for name in names {
        let target = single.table().get(&name).unwrap().range.clone();
        let mut source = grouped.table().get(&name).unwrap().range.clone();
        if name == QUERIES {
            let first = theirs.start + group * own.len();
            source = first..first + own.len();
        }
        let values = grouped.parameters()[source].to_vec();
        single.parameters_mut()[target].copy_from_slice(&values);
    }
    single
}

#[test]
fn the_loss_is_the_mean_of_every_group_alone() {
    let mut grouped = trainer(3, 1);
    let singles: Vec<StepReport> = (0..3).map(|group| step(&mut alone(&grouped, group))).collect();
    let mean = singles.iter().map(|report| report.loss).sum::<f64>() / 3.0;
    assert!((singles[0].loss - singles[1].loss).abs() > 1e-3, "groups that do not differ");
    let found = step(&mut grouped);
    assert!((found.loss - mean).abs() < 1e-5 * mean, "{} and {mean}", found.loss);
    assert_eq!(found.boxes_count, 4);
    assert_eq!((found.pairs_count, singles[0].pairs_count), (4, 4));
    let accuracy = singles.iter().map(|report| report.last_layer.accuracy).sum::<f64>() / 3.0;
    assert!((found.last_layer.accuracy - accuracy).abs() < 1e-9);
}

/// What is divided by counts as at least one box: without targets, and where all weights together are
/// less.
#[test]
fn the_loss_is_that_mean_below_one_box_too() {
    let none = Batch { boxes: vec![], classes: vec![], scores: vec![], ..batch() };
    let none = Batch { offsets: vec![0, 0, 0], ..none };
    let light = Batch { scores: vec![0.1, 0.2, 0.05, 0.15], ..batch() };
    for (label_score, batch) in [
        (LabelScore::Ignore, none.clone()),
        (LabelScore::Weight, none),
        (LabelScore::Weight, light),
    ] {
        let mut grouped = judged_trainer(3, 1, label_score);
        let step =
            |trainer: &mut Trainer| trainer.step(std::slice::from_ref(&batch), &PLACE).unwrap();
        let of_group = |group| step(&mut judged_alone(&grouped, group, label_score)).loss;
        let mean = (0..3).map(of_group).sum::<f64>() / 3.0;
        let found = step(&mut grouped);
        assert!((found.loss - mean).abs() < 1e-5 * mean, "{} and {mean}", found.loss);
        assert_eq!(found.pairs_count, batch.boxes.len());
    }
}

#[test]
fn targets_are_refused_by_the_image_that_has_them_however_many_groups() {
    let weighted = |batch: Batch| {
        let mut trainer = judged_trainer(3, 1, LabelScore::Weight);
        trainer.step(&[batch], &PLACE).unwrap_err()
    };
    let error = weighted(Batch { scores: vec![1.0, 1.0, 1.0, 1.5], ..batch() }).to_string();
    assert!(error.contains("target 3 of image 1: 1.5"), "{error}");
    let error = weighted(Batch { classes: vec![0, 2, 1, 9], ..batch() }).to_string();
    assert!(error.contains("target 3 of image 1: 9"), "{error}");
    for batch in [
        Batch { scores: vec![], ..batch() },
        Batch { classes: vec![0], ..batch() },
        Batch { offsets: vec![0, 3, 9], ..batch() },
        Batch { offsets: vec![0, 4], ..batch() },
    ] {
        let error = weighted(batch);
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    // Scores that nobody reads need not be there.
    let unread = Batch { scores: vec![], ..batch() };
    trainer(3, 1).step(&[unread], &PLACE).unwrap();
}

#[test]
fn groups_of_the_same_queries_teach_what_one_of_them_teaches() {
    let mut grouped = trainer(2, 1);
    let mut single = alone(&grouped, 0);
    let (own, theirs) = (queries(&single).len(), queries(&grouped));
    let first = grouped.parameters()[theirs.start..theirs.start + own].to_vec();
    grouped.parameters_mut()[theirs.start + own..theirs.end].copy_from_slice(&first);
    let (one, both) = (step(&mut single), step(&mut grouped));
    assert!((one.loss - both.loss).abs() < 1e-6 * one.loss);
    for parameter in single.table().iter().filter(|one| one.name != QUERIES) {
        let source = grouped.table().get(&parameter.name).unwrap().range.clone();
        let pairs = single.parameters()[parameter.range.clone()].iter();
        for (one, both) in pairs.zip(&grouped.parameters()[source]) {
            // Adam's first step is the rate times the gradient's sign, whatever its size.
            assert!((one - both).abs() < 1e-5 || one.abs() < 1e-3, "{}", parameter.name);
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let after = |threads| {
        let mut trainer = trainer(3, threads);
        step(&mut trainer);
        trainer.parameters().to_vec()
    };
    assert_eq!(after(1), after(3));
}

#[test]
fn prediction_files_and_a_later_stage_have_their_groups() {
    let mut grouped = trainer(3, 1);
    step(&mut grouped);
    let folder = tempfile::tempdir().unwrap();
    let view = View {
        resize: ResizeRule { image_short_side: 64, image_long_side_max: 96, side_multiple: 32 },
        normalisation: Normalisation::default(),
    };
    let pixels = (0..90 * 60 * 3).map(|value| (value * 37 % 251) as u8).collect();
    let image = Image::new(90, 60, pixels).unwrap();
    let found = grouped.detect(&image, &view, BoxScore::AnyClass, 100).unwrap();
    assert_eq!(found.len(), config(1).queries_count, "the first group alone");
    assert_eq!(found, alone(&grouped, 0).detect(&image, &view, BoxScore::AnyClass, 100).unwrap());
    let categories: Vec<CocoCategory> = (1..=3).map(|id| CocoCategory::new(id, "")).collect();
    let path = grouped.write_detector(&folder.path().join("d"), &view, &categories).unwrap();
    let written = Detector::open(&path, None).unwrap();
    assert_eq!(written.config(), &config(3).predicting());
    let first = alone(&grouped, 0);
    assert_eq!(written.parameters(), first.parameters());
    // A later stage begins with every group as it is.
    let before = grouped.parameters().to_vec();
    let start = StageStart { stage: 2, fresh: false, classes_count: 3, steps_count: 10, seed: 1 };
    grouped.start_stage(&start).unwrap();
    assert_eq!(grouped.parameters(), before);
}

#[test]
fn a_resumed_training_has_its_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(stem_of(1, 1)).with_extension("safetensors");
    let mut grouped = trainer(3, 1);
    step(&mut grouped);
    let position = Position { stage: 1, step: 1, settings: "settings".into(), checks: Vec::new() };
    grouped.save(&path, &position).unwrap();
    let mut resumed = trainer(3, 1);
    assert_ne!(resumed.parameters(), grouped.parameters());
    resumed.load(&path, "settings").unwrap();
    assert_eq!(resumed.parameters(), grouped.parameters());
    // The moments of every group too.
    let next = StepPlace { step: 1, ..PLACE };
    for trainer in [&mut grouped, &mut resumed] {
        trainer.step(&[batch()], &next).unwrap();
    }
    assert_eq!(resumed.parameters(), grouped.parameters());
}

#[test]
fn a_checkpoint_opens_as_the_detector_of_its_first_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(stem_of(1, 1)).with_extension("safetensors");
    let mut grouped = trainer(3, 1);
    step(&mut grouped);
    let position = Position { stage: 1, step: 1, settings: "settings".into(), checks: Vec::new() };
    grouped.save(&path, &position).unwrap();
    let plain = |config| {
        let resize =
            ResizeRule { image_short_side: 64, image_long_side_max: 96, side_multiple: 32 };
        DetectorDescription::unnamed(config, Normalisation::default(), resize)
    };
    // Whether the document says the groups or not.
    for groups in [1, 3] {
        let opened = Detector::open(&path, Some(&plain(config(groups)))).unwrap();
        assert_eq!(opened.config(), &config(1));
        assert_eq!(opened.parameters(), alone(&grouped, 0).parameters());
    }
    let other = DetectorConfig { queries_count: 7, ..config(3) };
    let error = Detector::open(&path, Some(&plain(other))).unwrap_err().to_string();
    assert!(error.contains("`queries_count x query_groups_count` is 18 in the file"), "{error}");
    // Another file of as many queries holds a detector of so many, of which none is left out.
    let table = grouped.table();
    weights::write(&path, &config(3), table, grouped.parameters(), Naming::Official, None).unwrap();
    let error = Detector::open(&path, Some(&plain(config(1)))).unwrap_err().to_string();
    assert!(error.contains("`queries_count` is 18 in the file and 6 here"), "{error}");
}

#[test]
fn a_detector_of_several_groups_is_refused_by_name() {
    let description = small_detector::detector().description().clone();
    let description = DetectorDescription { config: config(3), ..description };
    let length = trainer(3, 1).parameters().len();
    for refused in
        [Detector::new(description.clone(), vec![0.0; length]), Detector::untrained(description, 1)]
    {
        let error = refused.unwrap_err().to_string();
        assert!(error.starts_with("query_groups_count: 3"), "{error}");
        assert!(error.contains("predicting()"), "{error}");
    }
}

#[test]
fn no_group_is_refused_by_name() {
    let error = config(0).validate().unwrap_err().to_string();
    assert!(error.starts_with("query_groups_count: 0"), "{error}");
}

//! What is measured of a run: a table with every row, held out and on the training images; answered
//! from what is kept, the same bytes after every stop, and named errors before any work.

#[path = "support/tiny_run.rs"]
mod support;

use simdetr::control::{Control, Progress};
use simdetr::data::coco::read::read_dataset;
use simdetr::pipeline::config::RunConfig;
use simdetr::pipeline::demo_scenes;
use simdetr::pipeline::measure::held_out::CheckedHeldOut;
use simdetr::pipeline::measure::{HeldOut, MeasuredImages, MeasuredKind, MeasuredRow};
use simdetr::pipeline::pretrain::{PretrainReport, PretrainRequest, pretrain};
use simdetr::pipeline::report_run::{ReportRequest, report};
use simdetr::pipeline::workspace::Workspace;
use simdetr::training::{measured_lines, metrics};
use simdetr::workers::Workers;
use simdetr::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{STEPS, Scenes, config};

/// Scenes to train on, others to measure on, and runs on them.
struct Place {
    scenes: Scenes,
    folder: tempfile::TempDir,
    config: RunConfig,
}

impl Place {
    fn new() -> Place {
        let (scenes, folder) = (Scenes::new(), tempfile::tempdir().unwrap());
        let place = Place { scenes, folder, config: config() };
        let (workers, control) = (Workers::caller(), Control::default());
        let (images, truth) = (place.path("others"), place.path("others.json"));
        demo_scenes::write(1, 100..103, &images, &truth, &workers, &control).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, name: &str, truths: Truths<'_>, control: &Control<'_>) -> Result<PretrainReport> {
        let request = PretrainRequest {
            images: &self.scenes.images,
            config: &self.config,
            strict: true,
            ground_truth: truths.0,
            held_out: truths.1,
        };
        let workspace = Workspace::new(self.path(name));
        pretrain(&request, &workspace, &Workers::with_threads(2).unwrap(), control)
    }

    fn measured(&self, name: &str, control: &Control<'_>) -> Result<PretrainReport> {
        let (images, annotations) = (self.path("others"), self.path("others.json"));
        let held_out = HeldOut { images: &images, annotations: &annotations };
        self.run(name, (Some(&self.scenes.truth), Some(held_out)), control)
    }
}

type Truths<'a> = (Option<&'a Path>, Option<HeldOut<'a>>);

/// Every file of a run, those of folders below it included.
fn all_bytes(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![run.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                // Stamps of the files are in it.
                false if path.ends_with("sources.tsv") => {}
                false => {
                    let content = std::fs::read(&path).unwrap();
                    files.insert(path.strip_prefix(run).unwrap().to_path_buf(), content);
                }
            }
        }
    }
    files
}

/// The rows of `metrics.jsonl`, a line for each stage, held-out images first.
fn read_rows(run: &Path) -> Vec<MeasuredRow> {
    let found: Vec<(u16, Vec<MeasuredRow>)> =
        measured_lines::read(&run.join("metrics.jsonl")).unwrap();
    assert_eq!(found.iter().map(|(stage, _)| *stage).collect::<Vec<_>>(), [0, 1, 2]);
    let mut rows: Vec<MeasuredRow> = found.into_iter().flat_map(|(_, rows)| rows).collect();
    rows.sort_by_key(|row| row.images == MeasuredImages::Training);
    rows
}

fn names(rows: &[MeasuredRow]) -> Vec<(MeasuredImages, MeasuredKind, u16, usize)> {
    rows.iter().map(|row| (row.images, row.kind, row.stage, row.boxes_max)).collect()
}

#[test]
fn every_row_is_there_and_a_finished_run_answers_from_what_is_kept() {
    use MeasuredImages::{HeldOut as Held, Training};
    use MeasuredKind::{Detector, FixedBoxes, Labels, Proposals};
    let place = Place::new();
    let report = place.measured("run", &Control::default()).unwrap();
    let labels = |images, stage| {
        let found =
            |row: &&MeasuredRow| (row.images, row.kind, row.stage) == (images, Labels, stage);
        report.measured.iter().find(found).unwrap().boxes_max
    };
    let mut expected = vec![
        (Held, Proposals, 0, 8),
        (Held, Proposals, 0, 100),
        (Held, FixedBoxes, 0, 8),
        (Held, FixedBoxes, 0, 100),
    ];
    for images in [Held, Training] {
        if images == Training {
            expected.push((Training, Proposals, 0, 8));
            expected.extend([8, 100].map(|most| (Training, FixedBoxes, 0, most)));
        }
        for stage in 1..=2 {
            expected.push((images, Detector, stage, 100));
            expected.push((images, Labels, stage, labels(images, stage)));
        }
    }
    assert_eq!(names(&report.measured), expected);
    for row in &report.measured {
        assert_eq!(row.images_count, if row.images == Held { 3 } else { 4 });
        assert_eq!(row.own_recall.is_some(), row.kind == Detector, "{row:?}");
        let recalls = [row.figures.recall_1, row.figures.recall_10, row.figures.recall_25];
        assert!(recalls.is_sorted() && recalls[2] <= row.figures.recall_100, "{row:?}");
        if row.kind == Detector {
            // Every query of the 12, none suppressed.
            assert_eq!(row.boxes_count, 12 * row.images_count);
        }
    }
    assert_eq!(read_rows(&place.path("run")), report.measured);
    assert_eq!(metrics::read(&place.path("run/metrics.jsonl")).unwrap().len(), 2 * STEPS);

    // Called again, nothing is extracted, trained or predicted.
    let before = all_bytes(&place.path("run"));
    let seen = Mutex::new(Vec::new());
    let watch = |progress: Progress<'_>| {
        if !["check", "assign"].contains(&progress.step) && progress.done < progress.total {
            seen.lock().unwrap().push(progress.step.to_string());
        }
        0
    };
    let again = place.measured("run", &Control { cancel: None, progress: Some(&watch) }).unwrap();
    assert!(again.nothing_to_do && seen.lock().unwrap().is_empty(), "{seen:?}");
    assert_eq!(again.measured, report.measured);
    assert!(all_bytes(&place.path("run")) == before);

    // The report shows both tables without being given the true boxes again.
    let request =
        ReportRequest { run: &place.path("run"), images: None, ground_truth: None, force: false };
    let html = report_of(&request);
    for text in ["Held-out images", "Training images", "T_0, at most 100 boxes", "own labels"] {
        assert!(html.contains(text), "{text}");
    }
}

fn report_of(request: &ReportRequest<'_>) -> String {
    let path = report(request, &Workers::caller(), &Control::default()).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn true_boxes_may_come_later_and_change_and_belong_to_no_run() {
    let place = Place::new();
    let control = Control::default();
    let report = place.run("later", (None, None), &control).unwrap();
    assert!(report.measured.is_empty() && !place.path("later/measured").exists());
    let whole = place.measured("whole", &control).unwrap();
    let later = place.measured("later", &control).unwrap();
    assert!(!later.nothing_to_do);
    assert_eq!(later.measured, whole.measured);
    let [late, early] = ["later", "whole"].map(|name| all_bytes(&place.path(name)));
    assert!(late == early, "measured later, other bytes");

    // Other true boxes: other figures of the same boxes, and no prediction.
    let mut truth = std::fs::read_to_string(place.path("others.json")).unwrap();
    let last = truth.rfind("{\"id\":").unwrap();
    truth.truncate(truth[..last].rfind(',').unwrap());
    truth += "]}\n";
    std::fs::write(place.path("fewer.json"), &truth).unwrap();
    let fewer = read_dataset(&place.path("fewer.json")).unwrap().annotations.len();
    assert_eq!(fewer + 1, read_dataset(&place.path("others.json")).unwrap().annotations.len());
    let (images, annotations) = (place.path("others"), place.path("fewer.json"));
    let held_out = Some(HeldOut { images: &images, annotations: &annotations });
    let other = place.run("later", (None, held_out), &control).unwrap();
    assert!(other.nothing_to_do);
    assert_ne!(other.measured[0].figures, whole.measured[0].figures);
    assert_eq!(other.measured[0].boxes_count, whole.measured[0].boxes_count);
    assert!(other.measured.iter().all(|row| row.images == MeasuredImages::HeldOut));
    // What was measured of the images that this call did not look at stays.
    let training = |rows: &[MeasuredRow]| -> Vec<MeasuredRow> {
        rows.iter().filter(|row| row.images == MeasuredImages::Training).copied().collect()
    };
    let kept = read_rows(&place.path("later"));
    assert_eq!(training(&kept), training(&whole.measured));
    assert_eq!(kept.len(), whole.measured.len());
    let annotations = place.path("others.json");
    let held_out = Some(HeldOut { images: &images, annotations: &annotations });
    place.run("later", (None, held_out), &control).unwrap();
    place.run("later", (Some(&place.scenes.truth), None), &control).unwrap();
    let [late, early] = ["later", "whole"].map(|name| all_bytes(&place.path(name)));
    assert!(late == early, "measured one by one, other bytes");

    // Other images: extracted and predicted anew.
    let (workers, images) = (Workers::caller(), place.path("third"));
    let annotations = place.path("third.json");
    demo_scenes::write(1, 200..202, &images, &annotations, &workers, &control).unwrap();
    let held_out = Some(HeldOut { images: &images, annotations: &annotations });
    let other = place.run("later", (None, held_out), &control).unwrap();
    assert!(!other.nothing_to_do && other.measured.iter().all(|row| row.images_count == 2));
}

#[test]
fn a_run_that_is_stopped_everywhere_has_the_bytes_of_one_that_was_not() {
    let place = Place::new();
    place.measured("whole", &Control::default()).unwrap();
    let mut attempts = 0;
    loop {
        // One report more each time, so that it comes to an end.
        let allowed = AtomicU64::new(2 + attempts);
        let stop = |progress: Progress<'_>| {
            let counts = ["measure", "relabel", "extract", "train"].contains(&progress.step);
            let over = counts && allowed.fetch_sub(1, Ordering::Relaxed) == 1;
            if over { -9 } else { 0 }
        };
        let control = Control { cancel: None, progress: Some(&stop) };
        match place.measured("stopped", &control) {
            Err(Error::HostCallback { status: -9, .. }) => attempts += 1,
            outcome => {
                outcome.unwrap();
                break;
            }
        }
        assert!(attempts < 200);
    }
    assert!(attempts >= 6, "{attempts}");
    let (whole, stopped) = (all_bytes(&place.path("whole")), all_bytes(&place.path("stopped")));
    for (name, content) in &whole {
        assert!(stopped[name] == *content, "{name:?} differs after {attempts} stops");
    }
    assert_eq!(whole.len(), stopped.len());
}

#[test]
fn held_out_images_that_cannot_be_are_named_before_any_work() {
    let place = Place::new();
    let (images, annotations) = (place.path("others"), place.path("others.json"));
    let refused = |images: &Path, annotations: &Path| {
        let held_out = Some(HeldOut { images, annotations });
        let error = place.run("run", (None, held_out), &Control::default()).unwrap_err();
        assert!(!place.path("run").exists(), "{error}");
        error
    };
    let error = refused(&place.path("nowhere"), &annotations);
    assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("nowhere")), "{error}");
    let error = refused(&images, &place.path("none.json"));
    assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("none.json")), "{error}");
    let error = refused(&images, &place.scenes.truth);
    assert!(matches!(&error, Error::MissingImages { missing: 4, listed: 4, .. }), "{error}");
    let training = &place.scenes.images;
    let error = refused(training, &place.scenes.truth);
    assert!(error.to_string().contains("is the folder that is trained on"), "{error}");
    // Folders are searched with those below them.
    let within = training.join("others");
    let (workers, control) = (Workers::caller(), Control::default());
    demo_scenes::write(1, 100..103, &within, &annotations, &workers, &control).unwrap();
    let error = refused(&within, &annotations).to_string();
    let both = format!("{} lies in {}, which", within.display(), training.display());
    assert!(error.contains(&both), "{error}");
    let around = training.parent().unwrap();
    let error = refused(around, &place.scenes.truth).to_string();
    let both = format!("{} holds {}, which", around.display(), training.display());
    assert!(error.contains(&both), "{error}");
    // A name that begins with the other's is no folder in it.
    let beside = around.join("images-of-others");
    demo_scenes::write(1, 100..103, &beside, &annotations, &workers, &control).unwrap();
    CheckedHeldOut::new(&HeldOut { images: &beside, annotations: &annotations }, training, true)
        .unwrap();
}

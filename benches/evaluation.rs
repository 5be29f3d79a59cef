//! Times COCO evaluation from files and from arrays.
//!
//!     cargo bench --bench evaluation -- GROUND_TRUTH.json DETECTIONS.json [THREADS]
//!
//! `benches/peers_evaluation.py` makes such files and runs the peers beside this.

use simdetr::control::Control;
use simdetr::data::coco::CocoFile;
use simdetr::data::coco::read::{read_dataset, read_detections};
use simdetr::evaluation::{BoxArrays, EvaluationInput, EvaluationOptions, ObjectTraits, evaluate};
use simdetr::workers::Workers;
use std::path::Path;
use std::time::Instant;

const ROUNDS: usize = 7;

/// A file's boxes as a host would hold them.
struct Columns {
    image_ids: Vec<i64>,
    category_ids: Vec<i64>,
    boxes: Vec<[f32; 4]>,
}

impl Columns {
    fn new(file: &CocoFile) -> Columns {
        let boxes = &file.annotations;
        Columns {
            image_ids: boxes.iter().map(|one| one.image_id).collect(),
            category_ids: boxes.iter().map(|one| one.category_id).collect(),
            boxes: boxes
                .iter()
                .map(|one| {
                    let [x, y, width, height] = one.bounds;
                    [x, y, x + width, y + height].map(|value| value as f32)
                })
                .collect(),
        }
    }

    fn view(&self) -> BoxArrays<'_> {
        BoxArrays {
            image_ids: &self.image_ids,
            category_ids: &self.category_ids,
            boxes: &self.boxes,
        }
    }
}

/// The fastest of several rounds, in milliseconds.
fn fastest_ms(mut run: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::INFINITY, f64::min)
}

fn main() -> simdetr::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [ground_truth, detections, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: evaluation GROUND_TRUTH.json DETECTIONS.json [THREADS]");
        return Ok(());
    };
    let threads = rest.first().and_then(|text| text.parse().ok()).unwrap_or(2);
    let workers = Workers::with_threads(threads)?;
    let (ground_truth, detections) = (Path::new(ground_truth), Path::new(detections));
    for class_agnostic in [false, true] {
        let options = EvaluationOptions { class_agnostic, ..EvaluationOptions::default() };
        let run = |input: &EvaluationInput| {
            evaluate(input, &options, &workers, &Control::default()).map(|one| one.figures())
        };
        let from_files = || EvaluationInput::from_files(ground_truth, detections);
        println!("class-agnostic: {class_agnostic}");
        println!("  {:?}", run(&from_files()?)?);
        let (objects, found) = (read_dataset(ground_truth)?, read_detections(detections)?);
        let areas: Vec<f64> = objects.annotations.iter().map(|one| one.area).collect();
        let crowds: Vec<bool> = objects.annotations.iter().map(|one| one.is_crowd).collect();
        let scores: Vec<f32> =
            found.annotations.iter().map(|one| one.score.unwrap_or_default() as f32).collect();
        let (objects, found) = (Columns::new(&objects), Columns::new(&found));
        let traits = ObjectTraits { areas: &areas, crowds: &crowds };
        let from_arrays =
            || EvaluationInput::from_arrays(objects.view(), traits, found.view(), &scores);
        println!("  {:?}", run(&from_arrays()?)?);
        println!("  from files  {:7.1} ms", fastest_ms(|| drop(run(&from_files().unwrap()))));
        println!("    reading   {:7.1} ms", fastest_ms(|| drop(read_detections(detections))));
        println!("  from arrays {:7.1} ms", fastest_ms(|| drop(run(&from_arrays().unwrap()))));
        let input = from_arrays()?;
        println!("    evaluate  {:7.1} ms", fastest_ms(|| drop(run(&input))));
    }
    Ok(())
}

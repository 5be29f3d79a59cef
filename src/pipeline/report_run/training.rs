//! What a report shows of training: curves, a table of stages, and the same images with the boxes of
//! T_0, T_1, T_2 side by side (patent tables 4, 9 and 10).

use super::pictures::Pictures;
use crate::Result;
use crate::control::Control;
use crate::data::coco::CocoFile;
use crate::data::coco::read::{read_dataset, read_detections};
use crate::pipeline::measure::figures::Truth;
use crate::pipeline::measure::{MeasuredImages, MeasuredRow, table};
use crate::pipeline::report::{Curves, Line, ReportImage, ReportTable};
use crate::pipeline::workspace::{RunRecord, Workspace};
use crate::training::metric_lines::{CheckLine, MetricsLine};
use crate::training::{checks, measured_lines, metrics};
use crate::workers::Workers;
use std::collections::BTreeMap;
use std::path::Path;

/// Images that are shown with the labels of every stage.
const IMAGES_SHOWN: usize = 8;
/// Boxes of an image: those of T_0 are at most as many by default, so that sheets compare.
const BOXES_SHOWN: usize = 25;
/// Steps whose mean is a stage's last loss and accuracy: a single batch says little.
const LAST_SHARE: usize = 5;

/// What [`stages`] or [`curves_of`] found.
#[derive(Debug, Default)]
pub(super) struct TrainingSections {
    /// Stages of training that wrote their labels.
    pub stages_count: usize,
    /// Reported steps.
    pub lines_count: usize,
    pub curves: Vec<Curves>,
    pub tables: Vec<ReportTable>,
    /// One row an image, with one picture for each T_j.
    pub comparisons: Vec<Vec<ReportImage>>,
}

/// Reads what training left in a run folder, a stage that is not done included; of a run that was
/// not trained, nothing.
///
/// # Errors
/// Those of reading the labels and the metrics, and of the evaluation.
pub(super) fn stages(
    workspace: &Workspace,
    record: &RunRecord,
    ground_truth: Option<&Path>,
    pictures: &mut Pictures<'_>,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<TrainingSections> {
    let labels: Vec<_> =
        (0..).map(|stage| workspace.labels(stage)).take_while(|p| p.exists()).collect();
    let found = curves_of(&workspace.metrics())?;
    if labels.len() < 2 {
        return Ok(found);
    }
    let lines = metrics::read(&workspace.metrics())?;
    let files = labels.iter().map(|path| read_dataset(path)).collect::<Result<Vec<_>>>()?;
    let truth = ground_truth.map(Truth::read).transpose()?;
    let mut rows = Vec::new();
    for (stage, (path, file)) in labels.iter().zip(&files).enumerate() {
        let recalls = match &truth {
            None => None,
            Some(truth) => {
                Some(truth.measure(&read_detections(path)?, path, workers, control)?.recalls())
            }
        };
        rows.push(row(stage, file, &lines, recalls));
    }
    let columns = [
        "labels",
        "boxes an image",
        "targets a training image",
        "loss at the end",
        "matched class accuracy",
        "AR@10",
        "AR@25",
        "AR@100",
    ];
    let table = ReportTable {
        title: "Labels of each stage; recall is class-agnostic, against the given boxes".into(),
        columns: columns.map(String::from).into(),
        rows,
    };
    Ok(TrainingSections {
        stages_count: labels.len() - 1,
        tables: found.tables.into_iter().chain([table]).collect(),
        comparisons: comparisons(record, &files, pictures)?,
        lines_count: found.lines_count,
        curves: found.curves,
    })
}

/// The figures that a run has measured, held-out images first, in the order of its table; as they
/// were when true boxes were last given.
fn measured_tables(path: &Path) -> Result<Vec<ReportTable>> {
    let lines: Vec<(u16, Vec<MeasuredRow>)> = measured_lines::read(path)?;
    let rows: Vec<MeasuredRow> = lines.into_iter().flat_map(|(_, rows)| rows).collect();
    let table_of = |images: MeasuredImages| {
        let own = rows.iter().filter(|row| row.images == images);
        ReportTable {
            title: format!("{}, class-agnostic", table::title(images)),
            columns: table::COLUMNS.map(String::from).into(),
            rows: own.map(|row| table::cells(row).into()).collect(),
        }
    };
    let tables = [MeasuredImages::HeldOut, MeasuredImages::Training].map(table_of);
    Ok(tables.into_iter().filter(|table| !table.rows.is_empty()).collect())
}

/// The curves and measured figures of a metrics file; nothing where there is none.
///
/// # Errors
/// Those of [`metrics::read`] and [`measured_lines::read`].
pub(super) fn curves_of(path: &Path) -> Result<TrainingSections> {
    if !path.exists() {
        return Ok(TrainingSections::default());
    }
    let lines = metrics::read(path)?;
    let checks = checks::read(path)?;
    let curves = if lines.is_empty() { Vec::new() } else { curves(&lines, &checks) };
    let (lines_count, tables) = (lines.len(), measured_tables(path)?);
    Ok(TrainingSections { lines_count, curves, tables, ..TrainingSections::default() })
}

fn row(
    stage: usize,
    file: &CocoFile,
    lines: &[MetricsLine],
    recalls: Option<[f64; 3]>,
) -> Vec<String> {
    let own: Vec<&MetricsLine> = lines.iter().filter(|line| line.stage as usize == stage).collect();
    let last = &own[own.len() - own.len().div_ceil(LAST_SHARE)..];
    let mean = |lines: &[&MetricsLine], of: fn(&MetricsLine) -> f64, digits: usize| {
        if lines.is_empty() {
            return "–".to_string();
        }
        let sum: f64 = lines.iter().map(|line| of(line)).sum();
        format!("{:.digits$}", sum / lines.len() as f64)
    };
    let per_image = file.annotations.len() as f64 / file.images.len().max(1) as f64;
    let mut row = vec![
        format!("T_{stage}"),
        format!("{per_image:.1}"),
        mean(&own, |line| line.boxes_per_image, 1),
        mean(last, |line| line.loss, 3),
        mean(last, |line| line.matched_class_accuracy, 3),
    ];
    row.extend((0..3).map(|place| {
        recalls.map_or_else(|| "–".to_string(), |recalls| format!("{:.4}", recalls[place]))
    }));
    row
}

/// The steps of all stages before each stage. A stage that checks ended may end behind its last line.
fn starts(lines: &[MetricsLine], checks: &[CheckLine]) -> BTreeMap<u16, usize> {
    let mut ends: BTreeMap<u16, usize> = BTreeMap::new();
    let of_lines = lines.iter().map(|line| (line.stage, line.step));
    for (stage, step) in of_lines.chain(checks.iter().map(|check| (check.stage, check.step))) {
        let end = ends.entry(stage).or_default();
        *end = step.max(*end);
    }
    let mut before = 0;
    for end in ends.values_mut() {
        before += std::mem::replace(end, before);
    }
    ends
}

fn curves(lines: &[MetricsLine], checks: &[CheckLine]) -> Vec<Curves> {
    let starts = starts(lines, checks);
    let marks: Vec<f64> = starts.values().skip(1).map(|&start| start as f64).collect();
    let place = |stage: u16, step: usize| Some((starts.get(&stage)? + step) as f64);
    let places: Vec<f64> = lines.iter().filter_map(|line| place(line.stage, line.step)).collect();
    let line_of = |name: &str, of: fn(&MetricsLine) -> f64| Line {
        name: name.into(),
        points: places.iter().copied().zip(lines.iter().map(of)).collect(),
    };
    let chart = |title: &str, lines: Vec<Line>| Curves {
        title: title.into(),
        axis: "optimiser steps of all stages".into(),
        lines,
        marks: marks.clone(),
    };
    let mut curves = vec![
        chart("Loss of all layers", vec![line_of("weighted sum", |line| line.loss)]),
        chart(
            "Losses of the last layer",
            vec![
                line_of("class", |line| line.loss_class),
                line_of("L1", |line| line.loss_l1),
                line_of("GIoU", |line| line.loss_giou),
            ],
        ),
        chart("Learning rate", vec![line_of("outside the backbone", |line| line.learning_rate)]),
        chart(
            "Matched queries whose class is right",
            vec![line_of("share", |line| line.matched_class_accuracy)],
        ),
    ];
    let point =
        |check: &CheckLine| Some((place(check.stage, check.step)?, check.held_out_own_recall));
    let points: Vec<(f64, f64)> = checks.iter().filter_map(point).collect();
    if !points.is_empty() {
        let line = Line { name: "class-agnostic AR@100".into(), points };
        curves.push(chart("Recall of held-out images' own labels", vec![line]));
    }
    curves
}

fn comparisons(
    record: &RunRecord,
    files: &[CocoFile],
    pictures: &mut Pictures<'_>,
) -> Result<Vec<Vec<ReportImage>>> {
    let images = &files[0].images;
    let every = images.len().div_ceil(IMAGES_SHOWN).max(1);
    let mut rows = Vec::new();
    for image in images.iter().step_by(every) {
        let folder = Path::new(&record.images);
        let read = pictures.read(folder, &image.file_name, &record.config.limits)?;
        let Some(pixels) = read else { continue };
        let panels = files.iter().enumerate().map(|(stage, file)| {
            let own = file.annotations.iter().filter(|annotation| annotation.image_id == image.id);
            // Labels are written best first.
            let shown: Vec<_> = own.clone().take(BOXES_SHOWN).collect();
            let all = own.count();
            let best = match all > shown.len() {
                true => format!(", the best {} of {all}", shown.len()),
                false => String::new(),
            };
            ReportImage {
                name: format!("T_{stage}{best}, {}", image.file_name),
                image: pixels.clone(),
                boxes: shown
                    .iter()
                    .map(|found| {
                        let [x, y, width, height] = found.bounds;
                        [x, y, x + width, y + height].map(|value| value as f32)
                    })
                    .collect(),
                classes: shown.iter().map(|found| found.category_id as u32).collect(),
            }
        });
        rows.push(panels.collect());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::step::StepReport;

    #[test]
    fn stages_follow_one_another_on_one_axis() {
        let line = |stage, step| MetricsLine::new(stage, step, &StepReport::default(), 1e-3, 2);
        let lines = [line(1, 10), line(1, 20), line(2, 10)];
        assert_eq!(curves(&lines, &[]).len(), 4);
        let check = CheckLine { stage: 2, step: 5, held_out_own_recall: 0.25 };
        let curves = curves(&lines, &[check]);
        assert_eq!(curves[4].lines[0].points, [(25.0, 0.25)]);
        let places: Vec<f64> = curves[0].lines[0].points.iter().map(|point| point.0).collect();
        assert_eq!(places, [10.0, 20.0, 30.0]);
        assert_eq!(curves[0].marks, [20.0]);
        // A stage that a check ended behind its last line, and one without a line.
        let checks = [(1, 28), (2, 7)].map(|(stage, step)| CheckLine { stage, step, ..check });
        assert_eq!(starts(&[line(1, 20)], &checks), BTreeMap::from([(1, 0), (2, 28)]));
        let row = row(2, &CocoFile::default(), &[line(1, 10)], Some([0.5; 3]));
        assert_eq!(row[0], "T_2");
        assert_eq!(row[2..], ["–", "–", "–", "0.5000", "0.5000", "0.5000"]);
    }
}

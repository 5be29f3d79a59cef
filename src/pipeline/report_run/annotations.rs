//! A COCO file in a report: the boxes that `predict` or another program wrote.

use super::pictures::Pictures;
use super::texts::figures_table;
use crate::control::Control;
use crate::data::coco::read::{read_dataset, read_detections};
use crate::data::coco::{CocoAnnotation, CocoFile};
use crate::data::image::ImageLimits;
use crate::evaluation::{self, EvaluationInput, EvaluationOptions};
use crate::pipeline::predict::DESCRIPTION;
use crate::pipeline::report::{Histogram, ReportImage, ReportInput, ReportTable};
use crate::workers::Workers;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Images that are shown.
const IMAGES_SHOWN: usize = 24;
/// Boxes of an image that are shown, the best ones.
const BOXES_SHOWN: usize = 25;
/// Categories in the table, the most frequent ones.
const CATEGORIES_SHOWN: usize = 40;

/// The files in `folder` that `predict` wrote, by their first bytes.
///
/// # Errors
/// [`Error::Io`] when the folder cannot be read.
pub(super) fn predictions_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |error| Error::io(folder, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|ending| ending == "json") && is_of_predict(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_of_predict(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    let read = |bytes: &mut Vec<u8>| File::open(path)?.take(256).read_to_end(bytes);
    is_file
        && read(&mut bytes).is_ok()
        && String::from_utf8_lossy(&bytes).contains(&format!("\"description\":\"{DESCRIPTION}\""))
}

/// What a report shows of `file`: counts, distributions, the frequent categories, figures where
/// there are true boxes, and pictures where their folder is known.
///
/// # Errors
/// [`Error::Io`], [`Error::Format`]; those of the evaluation.
pub(super) fn show(
    file: &Path,
    ground_truth: Option<&Path>,
    pictures: &mut Pictures<'_>,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<ReportInput> {
    // A list of results is no data set, and true boxes are no detections.
    let content = read_dataset(file).or_else(|error| read_detections(file).map_err(|_| error))?;
    let mut tables = vec![categories(&content)];
    if let Some(truth) = ground_truth {
        let input = EvaluationInput::from_files(truth, file)?;
        let found = evaluation::evaluate(&input, &EvaluationOptions::default(), workers, control)?;
        tables.insert(0, figures_table("Predictions, against the given boxes", &found));
    }
    let images: BTreeSet<i64> = match content.images.is_empty() {
        true => content.annotations.iter().map(|one| one.image_id).collect(),
        false => content.images.iter().map(|image| image.id).collect(),
    };
    let per_image = content.annotations.len() as f64 / images.len().max(1) as f64;
    let counts = [
        ("images", images.len().to_string()),
        ("boxes", content.annotations.len().to_string()),
        ("boxes an image", format!("{per_image:.1}")),
    ];
    Ok(ReportInput {
        title: "Predictions".into(),
        subtitle: format!("The boxes in {}", file.display()),
        counts: counts.map(|(name, value)| (name.to_string(), value)).into(),
        tables,
        histograms: histograms(&content, &images),
        images: shown(&content, pictures)?,
        ..ReportInput::default()
    })
}

fn categories(content: &CocoFile) -> ReportTable {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for annotation in &content.annotations {
        *counts.entry(annotation.category_id).or_default() += 1;
    }
    let name = |id: i64| {
        let known = content.categories.iter().find(|category| category.id == id);
        known.map_or_else(String::new, |category| category.name.clone())
    };
    let mut order: Vec<(i64, u64)> = counts.into_iter().collect();
    // Stable: categories of one count stay in the order of their ids.
    order.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let row = |(id, count): (i64, u64)| vec![id.to_string(), name(id), count.to_string()];
    ReportTable {
        title: "The most frequent categories".into(),
        columns: ["id", "name", "boxes"].map(String::from).into(),
        rows: order.into_iter().take(CATEGORIES_SHOWN).map(row).collect(),
    }
}

fn histograms(content: &CocoFile, images: &BTreeSet<i64>) -> Vec<Histogram> {
    let mut of_image: BTreeMap<i64, u64> = images.iter().map(|id| (*id, 0)).collect();
    for annotation in &content.annotations {
        *of_image.entry(annotation.image_id).or_default() += 1;
    }
    let sides = content.annotations.iter().map(|one| (one.bounds[2] * one.bounds[3]).sqrt());
    let percent = content.annotations.iter().filter_map(|one| one.score);
    let percent = percent.map(|score| (score.clamp(0.0, 1.0) * 100.0) as u64);
    let all = [
        Histogram::whole_numbers("Boxes of an image", "boxes", of_image.into_values()),
        Histogram::doublings("Size of the boxes", "square root of the area, pixels", sides),
        Histogram::whole_numbers("Scores", "percent", percent),
    ];
    all.into_iter().filter(|histogram| !histogram.bars.is_empty()).collect()
}

/// Some images with their best boxes.
fn shown(content: &CocoFile, pictures: &mut Pictures<'_>) -> Result<Vec<ReportImage>> {
    if !pictures.has_folder() {
        return Ok(Vec::new());
    }
    let every = content.images.len().div_ceil(IMAGES_SHOWN).max(1);
    let mut images = Vec::new();
    for image in content.images.iter().step_by(every) {
        let read = pictures.read(Path::new(""), &image.file_name, &ImageLimits::default())?;
        let Some(pixels) = read else { continue };
        let of_image = content.annotations.iter().filter(|one| one.image_id == image.id);
        let mut best: Vec<&CocoAnnotation> = of_image.collect();
        best.sort_by(|a, b| b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)));
        best.truncate(BOXES_SHOWN);
        let corners = |one: &&CocoAnnotation| {
            let [x, y, width, height] = one.bounds;
            [x, y, x + width, y + height].map(|value| value as f32)
        };
        images.push(ReportImage {
            name: image.file_name.clone(),
            image: pixels,
            boxes: best.iter().map(corners).collect(),
            classes: best.iter().map(|one| one.category_id as u32).collect(),
        });
    }
    Ok(images)
}

//! The steps `predict` and the measuring of `finetune`: a detector's boxes on images of a folder, as
//! a COCO file.

use crate::control::Control;
use crate::data::atomic_file;
use crate::data::coco::write::write_dataset;
use crate::data::coco::{CocoCategory, CocoImage, LabelledBox};
use crate::data::folder::{self, FolderImage, LeftOut};
use crate::data::image::{ImageLimits, decode};
use crate::detector::deformable_detr::detector::{Detector, PredictionOptions};
use crate::detector::deformable_detr::model::PredictorMemory;
use crate::pipeline::folder_extraction::{
    BrokenImage, is_about_the_image, skip, skipped_by_reason,
};
use crate::workers::Workers;
use crate::{Error, Result};
use std::path::Path;

/// What a file of predictions says of itself.
pub const DESCRIPTION: &str = "predictions of a detector";

/// What to predict, and how.
#[derive(Debug, Clone, Copy)]
pub struct PredictRequest<'a> {
    pub detector: &'a Detector,
    /// Folder of images.
    pub images: &'a Path,
    pub options: &'a PredictionOptions,
    pub limits: &'a ImageLimits,
    /// A broken image is an error, and so is a file that the listing leaves out.
    pub strict: bool,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PredictReport {
    pub images_count: usize,
    pub boxes_count: usize,
    /// Images that could not be read; they are left out.
    pub broken: Vec<BrokenImage>,
    /// Files that are no images to this library.
    pub left_out: Vec<LeftOut>,
}

impl PredictReport {
    /// How many files were skipped, for each reason that there is, by the reason's name.
    pub fn skipped_by_reason(&self) -> Vec<(&'static str, u64)> {
        skipped_by_reason(&self.broken, &self.left_out)
    }
}

/// Writes the detector's boxes on every image of the folder to `out`: images, categories and
/// annotations with scores, best first in each image.
///
/// # Errors
/// Those of [`folder::list`] and of prediction; [`Error::Output`] for an `out` that cannot be written
/// or is one of the images, before the work; [`Error::NoReadableImage`]; [`Error::Cancelled`];
/// [`Error::Io`]. `out` is then as it was.
pub fn predict(
    request: &PredictRequest<'_>,
    out: &Path,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<PredictReport> {
    let listing = folder::list_with(request.images, request.strict)?;
    let mut report = predict_images(request, &listing.images, out, workers, control)?;
    report.left_out.extend(listing.left_out);
    Ok(report)
}

/// [`predict`] for some images of the folder.
///
/// # Errors
/// As [`predict`].
pub fn predict_images(
    request: &PredictRequest<'_>,
    images: &[FolderImage],
    out: &Path,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<PredictReport> {
    atomic_file::check(out)?;
    refuse_image(images, request.images, out)?;
    let categories = request.detector.categories();
    let category_ids = category_ids(categories)?;
    let mut memory = PredictorMemory::default();
    let mut report = PredictReport::default();
    let (mut entries, mut boxes) = (Vec::new(), Vec::new());
    let mut first_trouble = None;
    for (index, entry) in images.iter().enumerate() {
        let image = match decode::read(&entry.path(request.images), request.limits) {
            Ok(image) => image,
            Err(error) if request.strict || !is_about_the_image(&error) => return Err(error),
            Err(error) => {
                let path = entry.relative_path.clone();
                skip(&error, path, &mut report.broken, &mut report.left_out);
                first_trouble.get_or_insert(error);
                continue;
            }
        };
        let (width, height) = (image.width, image.height);
        let found = request.detector.predict(&[image], request.options, &mut memory, workers)?;
        let (id, file_name) = (entry.image_id.into(), entry.relative_path.clone());
        entries.push(CocoImage { id, file_name, width, height });
        boxes.extend(found.into_iter().flatten().map(|detection| LabelledBox {
            image_id: entry.image_id,
            category_id: category_ids[detection.class as usize],
            bounds: detection.bounds,
            score: Some(detection.score),
        }));
        control.report("predict", index as u64 + 1, images.len() as u64)?;
    }
    if let (true, Some(first)) = (entries.is_empty(), first_trouble) {
        return Err(Error::NoReadableImage {
            path: request.images.into(),
            files: images.len(),
            first: first.to_string(),
        });
    }
    (report.images_count, report.boxes_count) = (entries.len(), boxes.len());
    let (entries, boxes) = (entries.into_iter().map(Ok), boxes.into_iter().map(Ok));
    write_dataset(out, DESCRIPTION, entries, categories, boxes)?;
    Ok(report)
}

/// Refuses to replace one of the images by their boxes.
fn refuse_image(images: &[FolderImage], folder: &Path, out: &Path) -> Result<()> {
    let (Ok(folder), Ok(place)) = (folder.canonicalize(), out.canonicalize()) else {
        return Ok(());
    };
    match images.iter().any(|image| image.path(&folder) == place) {
        true => {
            let reason = "is one of the images".into();
            Err(Error::Output { path: out.into(), reason })
        }
        false => Ok(()),
    }
}

/// The ids as COCO files of ours hold them.
fn category_ids(categories: &[CocoCategory]) -> Result<Vec<u32>> {
    let id = |category: &CocoCategory| {
        u32::try_from(category.id).map_err(|_| {
            let reason = format!("id {} is outside 0 to {}", category.id, u32::MAX);
            Error::invalid("categories", reason)
        })
    };
    categories.iter().map(id).collect()
}

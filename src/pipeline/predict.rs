//! The steps `predict` and the measuring of `finetune`: a detector's boxes on images of a folder, as
//! a COCO file.

use crate::control::Control;
use crate::data::coco::LabelledBox;
use crate::data::coco::problems::Problems;
use crate::data::coco::write::{write_dataset, write_detections};
use crate::data::folder::{self, FolderImage};
use crate::data::image::{Image, ImageLimits, decode};
use crate::detector::deformable_detr::detector::{Detector, PredictionOptions};
use crate::detector::deformable_detr::model::PredictorMemory;
use crate::pipeline::folder_extraction::BrokenImage;
use crate::pipeline::predict_names::{Listed, Names};
use crate::workers::Workers;
use crate::{Error, Result};
use std::path::Path;

/// How boxes are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PredictionForm {
    /// Images, categories and annotations with scores.
    #[default]
    DataSet,
    /// A list of boxes with scores, which `loadRes` of pycocotools reads.
    Results,
}

/// What to predict, and how.
#[derive(Debug, Clone, Copy)]
pub struct PredictRequest<'a> {
    pub detector: &'a Detector,
    /// Folder of images.
    pub images: &'a Path,
    /// A COCO data set whose ids are written, and whose images are predicted and no others.
    pub annotations: Option<&'a Path>,
    pub form: PredictionForm,
    pub options: &'a PredictionOptions,
    pub limits: &'a ImageLimits,
    /// A broken image is an error, and so is what the annotations hold that is left out.
    pub strict: bool,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PredictReport {
    pub images_count: usize,
    pub boxes_count: usize,
    /// Images that could not be read, or are not as large as the annotations say; they are left
    /// out.
    pub broken: Vec<BrokenImage>,
    /// Images of the folder that the annotations do not list; they are left out.
    pub images_unlisted: usize,
    /// Images of the annotations that have no `file_name`; they are left out.
    pub images_nameless: Problems,
    /// Classes of the detector that the annotations do not list; their own ids are written.
    pub categories_unknown: Problems,
}

/// Writes the detector's boxes on every image of the folder to `out`, best first in each image.
///
/// # Errors
/// Those of [`folder::list`] and of prediction; [`Error::NoReadableImage`]; [`Error::Cancelled`];
/// [`Error::Io`]. `out` is then as it was. With annotations also those of reading them, before
/// anything is predicted: [`Error::MissingImages`] and [`Error::Format`].
pub fn predict(
    request: &PredictRequest<'_>,
    out: &Path,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<PredictReport> {
    predict_images(request, &folder::list(request.images)?, out, workers, control)
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
    let categories = request.detector.categories();
    let names = match request.annotations {
        None => Names::own(images, categories),
        Some(path) => Names::of_annotations(path, request.images, images, categories)?,
    };
    if request.strict {
        names.refuse_left_out(request.annotations.unwrap_or(out))?;
    }
    let Names { images: listed, categories, mut report } = names;
    let mut memory = PredictorMemory::default();
    let (mut entries, mut boxes) = (Vec::new(), Vec::new());
    for (index, entry) in listed.iter().enumerate() {
        let image = match read(entry, request) {
            Ok(image) => image,
            Err(error) if request.strict => return Err(error),
            Err(error) => {
                let (path, reason) = (entry.place.relative_path.clone(), error.to_string());
                report.broken.push(BrokenImage { path, reason });
                continue;
            }
        };
        let mut written = entry.written.clone();
        (written.width, written.height) = (image.width, image.height);
        let found = request.detector.predict(&[image], request.options, &mut memory, workers)?;
        boxes.extend(found.into_iter().flatten().map(|detection| LabelledBox {
            image_id: written.id,
            category_id: categories[detection.class as usize].id,
            bounds: detection.bounds,
            score: Some(detection.score),
        }));
        entries.push(written);
        control.report("predict", index as u64 + 1, listed.len() as u64)?;
    }
    if let (true, Some(first)) = (entries.is_empty(), report.broken.first()) {
        return Err(Error::NoReadableImage {
            path: request.images.into(),
            files: listed.len(),
            first: first.reason.clone(),
        });
    }
    (report.images_count, report.boxes_count) = (entries.len(), boxes.len());
    let boxes = boxes.into_iter().map(Ok);
    match request.form {
        PredictionForm::DataSet => {
            let (text, entries) = ("predictions of a detector", entries.into_iter().map(Ok));
            write_dataset(out, text, entries, &categories, boxes)?;
        }
        PredictionForm::Results => write_detections(out, &entries, &categories, boxes)?,
    }
    Ok(report)
}

/// Boxes on an image of another size than the annotations say would be judged elsewhere.
fn read(entry: &Listed, request: &PredictRequest<'_>) -> Result<Image> {
    let path = entry.place.path(request.images);
    let image = decode::read(&path, request.limits)?;
    let (width, height) = (entry.written.width, entry.written.height);
    let differs = |stated: u32, found: u32| stated != 0 && stated != found;
    if differs(width, image.width) || differs(height, image.height) {
        return Err(Error::ImageDecode {
            image: path.display().to_string(),
            reason: format!(
                "{}x{} pixels, but the annotations say {width}x{height}",
                image.width, image.height
            ),
        });
    }
    Ok(image)
}

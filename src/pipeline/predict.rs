//! The steps `predict` and the measuring of `finetune`: a detector's boxes on images of a folder, as
//! a COCO file.

use crate::control::Control;
use crate::data::atomic_file;
use crate::data::coco::write::{write_dataset, write_detections};
use crate::data::coco::{CocoCategory, CocoImage, LabelledBox};
use crate::data::folder::{self, FolderImage};
use crate::data::image::{Image, ImageLimits, decode};
use crate::detector::prediction::Detections;
use crate::detector::predictor::PredictorMemory;
use crate::detector::whole_detector::{Detector, PredictionOptions};
use crate::pipeline::folder_extraction::{is_about_the_image, skip};
use crate::pipeline::predict_names::{Listed, Names};
use crate::pipeline::predict_report::PredictReport;
use crate::workers::Workers;
use crate::{Error, Result};
use std::path::Path;

/// What a file of predictions says of itself.
pub const DESCRIPTION: &str = "predictions of a detector";

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
    /// A broken image is an error, and so are a file that the listing leaves out and what the
    /// annotations hold that is left out.
    pub strict: bool,
}

/// Images that are decoded ahead of their predictions, for each thread, and at most: all of them are in
/// memory at once.
const WAVE_IMAGES_PER_THREAD: usize = 2;
const WAVE_IMAGES_MAX: usize = 16;

/// Writes the detector's boxes on every image of the folder to `out`, best first in each image.
///
/// # Errors
/// Those of [`folder::list`] and of prediction; [`Error::Output`] for an `out` that cannot be written
/// or is one of the images, before the work; [`Error::NoReadableImage`]; [`Error::Cancelled`];
/// [`Error::Io`]. `out` is then as it was. With annotations also those of reading them, before
/// anything is predicted: [`Error::MissingImages`] and [`Error::Format`].
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
    let names = match request.annotations {
        None => Names::own(images, categories),
        Some(path) => Names::of_annotations(path, request.images, images, categories)?,
    };
    if request.strict {
        names.refuse_left_out(request.annotations.unwrap_or(out))?;
    }
    let Names { images: listed, categories, mut report } = names;
    let (mut memory, mut found) = (PredictorMemory::default(), Detections::default());
    let (mut entries, mut boxes, mut first_trouble) = (Vec::new(), Vec::new(), None);
    let mut done = 0;
    for wave in listed.chunks((workers.count() * WAVE_IMAGES_PER_THREAD).min(WAVE_IMAGES_MAX)) {
        let first = entries.len();
        let mut images = Vec::with_capacity(wave.len());
        for (entry, image) in wave.iter().zip(read_wave(wave, request, workers, control)?) {
            match image {
                Ok(image) => {
                    let mut written = entry.written.clone();
                    (written.width, written.height) = (image.width, image.height);
                    entries.push(written);
                    images.push(image);
                }
                Err(error) => {
                    let path = entry.place.relative_path.clone();
                    skip(&error, path, &mut report.broken, &mut report.left_out);
                    first_trouble.get_or_insert(error);
                }
            }
        }
        let take = |index: usize, frame: &mut Image| {
            *frame = std::mem::take(&mut images[index]);
            Ok(())
        };
        let images = (entries.len() - first, take);
        let runners = (workers, &Control { progress: None, ..*control });
        request.detector.predict(images, request.options, &mut memory, runners, &mut found)?;
        for (entry, detections) in entries[first..].iter().zip(found.images()) {
            boxes.extend(detections.iter().map(|detection| LabelledBox {
                image_id: entry.id,
                category_id: categories[detection.class as usize].id,
                bounds: detection.bounds,
                score: Some(detection.score),
            }));
        }
        done += wave.len();
        control.report("predict", done as u64, listed.len() as u64)?;
    }
    if let (true, Some(first)) = (entries.is_empty(), first_trouble) {
        return Err(Error::NoReadableImage {
            path: request.images.into(),
            files: listed.len(),
            first: first.to_string(),
        });
    }
    (report.images_count, report.boxes_count) = (entries.len(), boxes.len());
    write(request.form, out, (entries, &categories), boxes)?;
    Ok(report)
}

/// Writes what was found.
fn write(
    form: PredictionForm,
    out: &Path,
    (entries, categories): (Vec<CocoImage>, &[CocoCategory]),
    boxes: Vec<LabelledBox>,
) -> Result<()> {
    let boxes = boxes.into_iter().map(Ok);
    match form {
        PredictionForm::DataSet => {
            let entries = entries.into_iter().map(Ok);
            write_dataset(out, DESCRIPTION, entries, categories, boxes)
        }
        PredictionForm::Results => write_detections(out, &entries, categories, boxes),
    }
}

/// The images of a wave, decoded by all workers; of each that has trouble of its own, that.
///
/// # Errors
/// [`Error::Cancelled`]; any other trouble, and under `strict` that of an image.
fn read_wave(
    wave: &[Listed],
    request: &PredictRequest<'_>,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<Vec<Result<Image>>> {
    workers.try_map(wave.len(), |index| {
        control.check()?;
        match read(&wave[index], request) {
            Err(error) if request.strict || !is_about_the_image(&error) => Err(error),
            image => Ok(image),
        }
    })
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

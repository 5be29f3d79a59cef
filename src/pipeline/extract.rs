//! The step `extract`: every image of a folder to proposals in the run's store.

use crate::control::Control;
use crate::data::folder;
use crate::data::store::{ImageStatus, StoreReader, StoreWriter, Vectors};
use crate::encoder::source;
use crate::nn::simd;
use crate::pipeline::config::RunConfig;
use crate::pipeline::folder_extraction::{FolderReport, extract_folder};
use crate::pipeline::image_extractor::ImageExtractor;
use crate::pipeline::workspace::{RunRecord, Step, Workspace};
use crate::workers::Workers;
use crate::{Error, Result};
use std::path::Path;

/// What to extract.
pub struct ExtractRequest<'a> {
    /// Folder of images.
    pub images: &'a Path,
    /// Every key.
    pub config: &'a RunConfig,
    /// A broken image is an error, and so is a file that the listing leaves out.
    pub strict: bool,
}

/// Runs the step, or goes on with it; a run that is done already is only counted.
///
/// # Errors
/// [`Error::NoImages`], [`Error::NoReadableImage`]; [`Error::RunMismatch`] when the folder holds
/// another run; otherwise as [`extract_folder`].
pub fn extract(
    request: &ExtractRequest<'_>,
    workspace: &Workspace,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<FolderReport> {
    request.config.validate()?;
    workspace.check_writable(0)?;
    let listing = folder::list_with(request.images, request.strict)?;
    let images = listing.images;
    let extractor = ImageExtractor::new(source::open(&request.config.encoder)?, request.config)?;
    let fingerprint = extractor.encoder().fingerprint();
    let mut record = workspace.begin(RunRecord {
        version: env!("CARGO_PKG_VERSION").into(),
        simd_level: simd::Level::best().name().into(),
        device: "cpu".into(),
        encoder_fingerprint: fingerprint.clone(),
        images: request.images.display().to_string(),
        images_count: images.len() as u64,
        images_broken: 0,
        steps: Vec::new(),
        config: request.config.clone(),
    })?;
    let settings = request.config.store.settings(extractor.dimensions(), fingerprint)?;
    let store = workspace.proposals();
    let writer = StoreWriter::open(&store, settings, 1)?;
    let mut report = extract_folder(
        &extractor,
        request.images,
        &images,
        writer,
        request.strict,
        workers,
        control,
    )?;
    report.left_out.extend(listing.left_out);
    let (broken, first_reason) = broken_images(&StoreReader::open(&store)?)?;
    if broken == report.images_count {
        // Nothing of this run is worth keeping, and the folder may be corrected and tried again.
        std::fs::remove_dir_all(&store).map_err(|error| Error::io(&store, error))?;
        return Err(Error::NoReadableImage {
            path: request.images.into(),
            files: images.len(),
            first: first_reason,
        });
    }
    if !record.steps.contains(&Step::Extract) {
        record.steps.push(Step::Extract);
        record.images_broken = broken;
        workspace.write(&record)?;
    }
    Ok(report)
}

/// How many images of a store are broken, and what was wrong with the first.
fn broken_images(store: &StoreReader) -> Result<(u64, String)> {
    let (mut count, mut first) = (0, String::new());
    for image in store.images(Vectors::Skip) {
        let record = image?.record;
        if record.status == ImageStatus::Broken {
            if count == 0 {
                first = record.message;
            }
            count += 1;
        }
    }
    Ok((count, first))
}

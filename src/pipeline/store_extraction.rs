//! A folder of images into a proposal store of the caller's, which remembers what it was made from.

use crate::Error;
use crate::Result;
use crate::control::Control;
use crate::data::folder::{self, FolderImage};
use crate::data::image_sources::ImageSources;
use crate::data::store::{StoreSettings, StoreWriter};
use crate::pipeline::folder_extraction::{FolderReport, extract_folder};
use crate::pipeline::image_extractor::ImageExtractor;
use crate::pipeline::workspace::identity::{self, PROPOSAL_TABLES};
use crate::workers::Workers;
use std::path::Path;

/// What decides the proposals that an extractor finds, as a document: the fingerprint of a store, so
/// that no store mixes configurations and a mismatch names the keys.
///
/// # Errors
/// [`Error::Internal`] when the configuration cannot be written as text.
pub fn proposals_document(extractor: &ImageExtractor) -> Result<String> {
    let inputs = [("encoder", extractor.encoder().fingerprint())];
    identity::text(&identity::document(extractor.config(), &PROPOSAL_TABLES, &inputs)?)
}

/// Extracts every image of `folder` into `store`, or goes on with it, and keeps a table of the
/// images there, so that a store does not mix folders either. `strict` makes a broken image an
/// error, and a file that the listing leaves out.
///
/// # Errors
/// [`Error::NoImages`]; [`Error::RunMismatch`] for a store of other `settings` or other images;
/// [`Error::Locked`] while another writer has it open; otherwise as [`extract_folder`].
pub fn extract_into_store(
    extractor: &ImageExtractor,
    folder: &Path,
    (store, settings): (&Path, StoreSettings),
    strict: bool,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<FolderReport> {
    let listing = folder::list_with(folder, strict)?;
    let writer = StoreWriter::open(store, settings, 1)?;
    let path = store.join("sources.tsv");
    let known = ImageSources::read(&path)?;
    let pairs = image_pairs(&listing.images);
    let sources = ImageSources::take(folder, &pairs, known.as_ref(), workers, control)?;
    if let Some(known) = known.filter(|_| writer.next_image_id() > 1) {
        let differences = known.differences(&sources);
        if !differences.is_empty() {
            return Err(Error::RunMismatch { path: store.into(), differences });
        }
    }
    sources.write(&path)?;
    let images = &listing.images;
    let mut report = extract_folder(extractor, folder, images, writer, strict, workers, control)?;
    report.left_out.extend(listing.left_out);
    Ok(report)
}

/// Ids and paths, as [`ImageSources::take`] wants them.
pub(super) fn image_pairs(images: &[FolderImage]) -> Vec<(u32, &str)> {
    images.iter().map(|image| (image.image_id, image.relative_path.as_str())).collect()
}

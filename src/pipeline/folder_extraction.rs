//! A folder of images into a proposal store, in waves, in the order of the image ids.
//!
//! Every thread takes one image at a time; a wave's results are appended in order, so the store's
//! bytes do not depend on threads, and memory is bounded by the wave and the shard. A killed call
//! goes on after its last complete shard (design.md §6).

use crate::control::Control;
use crate::data::folder::{BrokenImage, FolderImage, LeftOut, LeftOutReason, count_by_reason};
use crate::data::image::decode;
use crate::data::image::format::unsupported_in_message;
use crate::data::proposal_set::ProposalSet;
use crate::data::store::{ImageRecord, ImageStatus, StoreReader, StoreWriter};
use crate::pipeline::image_extractor::{ImageExtractor, ImageMemory};
use crate::proposals::ExtractCounts;
use crate::workers::Workers;
use crate::workers::lent::Pool;
use crate::{Error, Result};
use std::path::Path;

/// Images of one wave for each thread: enough that a slow one does not idle the others for long,
/// few enough that a wave's results stay small.
const WAVE_IMAGES_PER_THREAD: usize = 8;

/// What one call did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderReport {
    /// Files that could be images.
    pub images_count: u64,
    /// Images that an earlier call had committed.
    pub images_resumed: u64,
    /// Files that are no readable images, with the reason; those that earlier calls met too.
    pub broken: Vec<BrokenImage>,
    /// Files that are no images to this library, those of unsupported formats among them that
    /// were only noticed when they were read.
    pub left_out: Vec<LeftOut>,
    /// Proposals in the store.
    pub proposals_count: u64,
    /// What local clustering did in this call, summed over its images.
    pub counts: ExtractCounts,
    /// Whether an earlier call had done it all.
    pub nothing_to_do: bool,
}

impl FolderReport {
    /// How many files were skipped, for each reason that there is, by the reason's name.
    pub fn skipped_by_reason(&self) -> Vec<(&'static str, u64)> {
        skipped_by_reason(&self.broken, &self.left_out)
    }
}

/// Broken images first, then what was left out, by the names of [`LeftOutReason`].
pub(super) fn skipped_by_reason(
    broken: &[BrokenImage],
    left_out: &[LeftOut],
) -> Vec<(&'static str, u64)> {
    let broken = (!broken.is_empty()).then_some(("broken", broken.len() as u64));
    broken.into_iter().chain(count_by_reason(left_out)).collect()
}

/// Puts the image that `error` is about where its trouble belongs.
pub(super) fn skip(
    error: &Error,
    path: String,
    broken: &mut Vec<BrokenImage>,
    left_out: &mut Vec<LeftOut>,
) {
    log::warn!("{path} was skipped: {error}");
    match error {
        Error::UnsupportedImage { format, .. } => {
            left_out.push(LeftOut { path, reason: LeftOutReason::UnsupportedFormat { format } });
        }
        _ => broken.push(BrokenImage { path, reason: error.to_string() }),
    }
}

/// What one image came to.
struct Outcome {
    record: ImageRecord,
    proposals: ProposalSet,
    counts: ExtractCounts,
    /// Why the image was skipped.
    trouble: Option<Error>,
}

/// Extracts `images` of `folder` into the store that `writer` fills, from the first image that is
/// not there yet. `strict` makes a broken image an error.
///
/// # Errors
/// Under `strict` the broken image's own error, also where an earlier call had met it;
/// [`Error::RunMismatch`] for a store of other paths; [`Error::Cancelled`] and what the progress
/// callback answers; [`Error::Io`] of the store; those of the encoder. What was committed stays.
pub fn extract_folder(
    extractor: &ImageExtractor,
    folder: &Path,
    images: &[FolderImage],
    mut writer: StoreWriter,
    strict: bool,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<FolderReport> {
    let total = images.len() as u64;
    let done = writer.next_image_id() as usize - 1;
    let mut report = FolderReport {
        images_count: total,
        images_resumed: done as u64,
        nothing_to_do: done == images.len(),
        ..FolderReport::default()
    };
    if done > 0 {
        recall_skipped(writer.folder(), images, strict, &mut report)?;
    }
    let memories = Pool::<ImageMemory>::default();
    let wave_images = workers.count() * WAVE_IMAGES_PER_THREAD;
    let (outside, inside) = extractor.share(workers);
    control.report("extract", done as u64, total)?;
    for wave in images[done..].chunks(wave_images) {
        let outcomes = outside.try_map(wave.len(), |index| {
            control.check()?;
            let source = (folder, &wave[index]);
            let runners = (&inside, control);
            memories.with(|memory| one_image(extractor, source, strict, runners, memory))
        })?;
        for outcome in outcomes {
            if let Some(error) = &outcome.trouble {
                let path = outcome.record.path.clone();
                skip(error, path, &mut report.broken, &mut report.left_out);
            }
            report.counts.add(&outcome.counts);
            let image_id = outcome.record.image_id;
            writer.append(outcome.record, &outcome.proposals)?;
            report.proposals_count = writer.proposals_count();
            control.report("extract", u64::from(image_id), total)?;
        }
    }
    report.proposals_count = writer.proposals_count();
    if done < images.len() {
        writer.finish()?;
    }
    Ok(report)
}

/// Reports the images again that earlier calls could not read, and refuses a store of other paths.
fn recall_skipped(
    store: &Path,
    images: &[FolderImage],
    strict: bool,
    report: &mut FolderReport,
) -> Result<()> {
    let reader = StoreReader::open(store)?;
    for shard in 0..reader.shards_count() {
        for record in reader.read_records(shard)? {
            let place = record.image_id as usize - 1;
            let wanted = images.get(place).map_or("absent", |image| image.relative_path.as_str());
            if record.path != wanted {
                let key = format!("image {}", record.image_id);
                return Err(Error::mismatch(store, key, &record.path, wanted));
            }
            if record.status == ImageStatus::Ok {
                continue;
            }
            let error = error_again(record.path.clone(), &record.message);
            if strict {
                return Err(error);
            }
            match unsupported_in_message(&record.message) {
                Some(_) => skip(&error, record.path, &mut report.broken, &mut report.left_out),
                None => {
                    report.broken.push(BrokenImage { path: record.path, reason: record.message });
                }
            }
        }
    }
    Ok(())
}

/// The error that an image had when it was read, from what the store says of it. The message there
/// begins with the whole path, wherever the folder then was.
fn error_again(image: String, message: &str) -> Error {
    match unsupported_in_message(message) {
        Some(format) => Error::UnsupportedImage { image, format },
        None => {
            let reason = message.split_once(&format!("{image}: ")).map(|(_, reason)| reason);
            Error::ImageDecode { reason: reason.unwrap_or(message).into(), image }
        }
    }
}

fn one_image(
    extractor: &ImageExtractor,
    (folder, image): (&Path, &FolderImage),
    strict: bool,
    runners: (&Workers, &Control<'_>),
    memory: &mut ImageMemory,
) -> Result<Outcome> {
    let mut proposals = ProposalSet::default();
    proposals.clear(extractor.dimensions());
    let record = |width, height, status, message| ImageRecord {
        image_id: image.image_id,
        path: image.relative_path.clone(),
        width,
        height,
        status,
        message,
    };
    let limits = &extractor.config().limits;
    let pixels = match decode::read(&image.path(folder), limits) {
        Ok(pixels) => pixels,
        Err(error) if strict || !is_about_the_image(&error) => return Err(error),
        Err(error) => {
            let record = record(0, 0, ImageStatus::Broken, error.to_string());
            let (counts, trouble) = (ExtractCounts::default(), Some(error));
            return Ok(Outcome { record, proposals, counts, trouble });
        }
    };
    let counts = extractor.extract(&pixels, image.image_id, runners, memory, &mut proposals)?;
    let record = record(pixels.width, pixels.height, ImageStatus::Ok, String::new());
    Ok(Outcome { record, proposals, counts, trouble: None })
}

/// A broken file is the image's own trouble; anything else would hit every image.
pub(super) fn is_about_the_image(error: &Error) -> bool {
    matches!(
        error,
        Error::ImageDecode { .. }
            | Error::UnsupportedImage { .. }
            | Error::ImageTooLarge { .. }
            | Error::Io { .. }
    )
}

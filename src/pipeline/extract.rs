//! The step `extract`: every image of a folder to proposals in the run's store.

use crate::control::Control;
use crate::data::folder::{self, FolderImage, FolderListing, LeftOut};
use crate::data::image_sources::ImageSources;
use crate::data::store::StoreWriter;
use crate::data::{fingerprint, store::StoreReader};
use crate::encoder::source;
use crate::kernels::simd;
use crate::pipeline::config::{Method, RunConfig};
use crate::pipeline::folder_extraction::{FolderReport, extract_folder};
use crate::pipeline::image_extractor::ImageExtractor;
use crate::pipeline::store_extraction::{image_pairs, proposals_document};
use crate::pipeline::workspace::files::remove_store;
use crate::pipeline::workspace::{OpenRun, RunInputs, RunRecord, Step, Workspace};
use crate::training::held_out;
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
/// another run; [`Error::Locked`] when somebody else writes there; otherwise as [`extract_folder`].
pub fn extract(
    request: &ExtractRequest<'_>,
    workspace: &Workspace,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<FolderReport> {
    request.config.validate()?;
    workspace.check_writable(0)?;
    let prepared = Prepared::new(request)?;
    let run = workspace.open(Step::Extract)?;
    let begin = Begin { until: Step::Extract, start: String::new() };
    prepared.extract(&run, &begin, workers, control).map(|(report, _)| report)
}

/// How far a run is to go, and what its detector starts from (nothing where it goes not so far).
pub(super) struct Begin {
    pub until: Step,
    pub start: String,
}

/// What extraction needs, found good before anything is written.
pub(super) struct Prepared<'a> {
    request: &'a ExtractRequest<'a>,
    images: Vec<FolderImage>,
    left_out: Vec<LeftOut>,
    extractor: ImageExtractor,
}

impl<'a> Prepared<'a> {
    /// Lists the images and opens the encoder.
    ///
    /// # Errors
    /// Those of each.
    pub fn new(request: &'a ExtractRequest<'a>) -> Result<Prepared<'a>> {
        let FolderListing { images, left_out } = folder::list_with(request.images, request.strict)?;
        let encoder = source::open(&request.config.encoder)?;
        let extractor = ImageExtractor::new(encoder, request.config)?;
        Ok(Prepared { request, images, left_out, extractor })
    }

    /// Refuses more pseudo-classes than the folder can give proposals.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the numbers.
    pub fn check_classes(&self) -> Result<()> {
        let config = self.request.config;
        let (key, per_image) = match config.method {
            Method::Spectral => ("proposals.proposals_max", config.proposals.proposals_max),
            Method::SelectiveSearch => (
                "selective_search.selective_search_boxes",
                config.selective_search.selective_search_boxes as usize,
            ),
        };
        let (images, classes) = (self.images.len(), config.cluster.classes);
        let most = images.saturating_mul(per_image);
        if (classes as usize) <= most {
            return Ok(());
        }
        let reason = format!(
            "{classes} asked for, but {images} images give at most {most} proposals, \
             {per_image} each (`{key}`)"
        );
        Err(Error::invalid("cluster.classes", reason))
    }

    /// Refuses a share of held-out images that leaves one side without any.
    ///
    /// # Errors
    /// As [`held_out::positions`].
    pub fn check_held_out(&self) -> Result<()> {
        let RunConfig { training, seed, .. } = self.request.config;
        let ids = self.images.iter().map(|image| image.image_id);
        held_out::positions(ids, training, *seed).map(drop)
    }

    /// Runs the step in a run that is open; answers its record too.
    ///
    /// # Errors
    /// As [`extract`].
    pub fn extract(
        self,
        run: &OpenRun,
        begin: &Begin,
        workers: &Workers,
        control: &Control<'_>,
    ) -> Result<(FolderReport, RunRecord)> {
        let Prepared { request, images, extractor, .. } = &self;
        let known = ImageSources::read(&run.sources())?;
        let pairs = image_pairs(images);
        let sources = ImageSources::take(request.images, &pairs, known.as_ref(), workers, control)?;
        let mut record = run.begin(self.record(begin, &sources)?, &sources, begin.until)?;
        let document = proposals_document(extractor)?;
        let settings = request.config.store.settings(extractor.dimensions(), document)?;
        let store = run.proposals();
        let writer = StoreWriter::open(&store, settings, 1)?;
        let (folder, strict) = (request.images, request.strict);
        let mut report =
            extract_folder(extractor, folder, images, writer, strict, workers, control)?;
        let unreadable = report.broken.len() + report.left_out.len();
        if unreadable == images.len() {
            // Nothing of this run is worth keeping, and the folder may be corrected and tried again.
            remove_store(&store)?;
            std::fs::remove_file(run.record_path())
                .map_err(|error| Error::io(run.record_path(), error))?;
            let left_out =
                report.left_out.first().map(|file| format!("{}: {}", file.path, file.reason));
            let broken = report.broken.first().map(|image| image.reason.clone());
            let (path, files) = (folder.into(), images.len());
            let first = broken.or(left_out).unwrap_or_default();
            return Err(Error::NoReadableImage { path, files, first });
        }
        report.nothing_to_do =
            record.has(Step::Extract) && report.images_resumed == report.images_count;
        record.images_broken = unreadable as u64;
        run.done(&mut record, Step::Extract)?;
        report.left_out.extend(self.left_out);
        Ok((report, record))
    }

    /// The record of a run that begins.
    fn record(&self, begin: &Begin, sources: &ImageSources) -> Result<RunRecord> {
        let Prepared { request, images, extractor, .. } = self;
        let canonical = request.images.canonicalize();
        let folder = canonical.map_err(|error| Error::io(request.images, error))?;
        let encoder = extractor.encoder();
        Ok(RunRecord {
            version: env!("CARGO_PKG_VERSION").into(),
            simd_level: simd::Level::best().name().into(),
            device: encoder.device().into(),
            images: folder.display().to_string(),
            images_count: images.len() as u64,
            images_broken: 0,
            steps: Vec::new(),
            inputs: RunInputs {
                images: sources.fingerprint(),
                encoder: encoder.fingerprint(),
                onnx_library: library(&request.config.encoder.onnx_library)?,
                start: begin.start.clone(),
            },
            config: request.config.clone(),
        })
    }
}

/// Content of the library that a configuration names; empty where it names none.
fn library(path: &str) -> Result<String> {
    match path {
        "" => Ok(String::new()),
        path => fingerprint::text_of_file(Path::new(path)),
    }
}

/// Refuses a store with fewer proposals than there are to be pseudo-classes.
///
/// # Errors
/// [`Error::TooFewPoints`] with both numbers; those of opening the store.
pub(super) fn check_proposals(run: &Workspace, config: &RunConfig) -> Result<()> {
    let points = StoreReader::open(&run.proposals())?.proposals_count() as usize;
    let clusters = config.cluster.classes as usize;
    match points < clusters {
        true => Err(Error::TooFewPoints { clusters, points }),
        false => Ok(()),
    }
}

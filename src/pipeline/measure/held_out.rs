//! T_0 of held-out images: what the run's own keys find there, under its cap and allowed 100 boxes.
//!
//! The cap takes regions away one by one, and merging by overlap (`iou_kmeans`) makes as many clusters
//! as it allows, so that the first of 100 boxes are not those of a smaller cap. Each is therefore
//! extracted by itself, in a run folder of its own, which goes on where it was killed. Both are no part
//! of the run beside them: on other images they begin anew.

use super::HeldOut;
use super::context::Context;
use super::figures::Truth;
use super::kept::Kept;
use crate::clustering::{Centroids, Resources};
use crate::data::coco::folder_places::FolderPlaces;
use crate::data::fingerprint;
use crate::data::folder;
use crate::data::store::StoreReader;
use crate::pipeline::config::{Method, RunConfig};
use crate::pipeline::export::write_store;
use crate::pipeline::extract::{Begin, ExtractRequest, Prepared};
use crate::pipeline::workspace::files::HELD_OUT;
use crate::pipeline::workspace::identity::{self, PROPOSAL_TABLES};
use crate::pipeline::workspace::{RunRecord, Step, Workspace};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Boxes that T_0 is allowed beside the run's own cap.
const ALLOWED: usize = 100;

/// What a file of T_0 says of itself.
const DESCRIPTION: &str = "T_0 of held-out images: proposals with pseudo-classes";

/// Held-out images that were found good.
#[derive(Debug)]
pub struct CheckedHeldOut {
    images: PathBuf,
    truth: Truth,
}

/// T_0 of held-out images.
pub(super) struct Proposals {
    /// Most boxes of an image, and the COCO file; that of the run's own cap first.
    pub files: Vec<(usize, PathBuf)>,
    /// The images by content.
    pub sources: String,
}

impl CheckedHeldOut {
    /// Looks at held-out images before any work; `training` is the folder of the others.
    ///
    /// # Errors
    /// Those of reading the annotations and listing the folder; [`Error::MissingImages`] when it lacks
    /// images that the annotations list; [`Error::InvalidArgument`] for the folder that is trained on,
    /// one in it and one that it lies in: folders are searched with those below them.
    pub fn new(request: &HeldOut<'_>, training: &Path, strict: bool) -> Result<CheckedHeldOut> {
        let HeldOut { images, annotations } = *request;
        check_apart(images, training)?;
        let truth = Truth::read(annotations)?;
        if truth.file.images.is_empty() {
            return Err(Error::format(annotations, "the file lists no image"));
        }
        let listing = folder::list_with(images, strict)?;
        FolderPlaces::find(annotations, &truth.file, images, &listing.images)?;
        Ok(CheckedHeldOut { images: images.into(), truth })
    }

    /// The folder and the true boxes.
    pub(super) fn into_parts(self) -> (PathBuf, Truth) {
        (self.images, self.truth)
    }

    /// Extracts T_0, or what is left of it, and writes it with the pseudo-classes of the run; answers
    /// whether any of it was new too.
    ///
    /// # Errors
    /// Those of the extraction and of writing.
    pub(super) fn proposals(&self, context: &Context<'_>) -> Result<(Proposals, bool)> {
        let own = cap(context.config);
        let mut found = Proposals { files: Vec::new(), sources: String::new() };
        let mut is_new = false;
        let folders = [(own, HELD_OUT[0], "T0-held-out.json")];
        let allowed = (ALLOWED, HELD_OUT[1], "T0-held-out-100.json");
        for (cap, folder, file) in folders.into_iter().chain((own != ALLOWED).then_some(allowed)) {
            let workspace = Workspace::new(context.root.join(folder));
            let config = with_cap(context.config, cap);
            let record = self.extract(&workspace, &config, context)?;
            let clusters = context.root.join("clusters.safetensors");
            let inputs = [
                ("images", record.inputs.images.clone()),
                ("encoder", record.inputs.encoder.clone()),
                ("clusters", fingerprint::text_of_file(&clusters)?),
            ];
            let text = identity::text(&identity::document(&config, &PROPOSAL_TABLES, &inputs)?)?;
            let kept = Kept::new(context.measured(file), DESCRIPTION, &text);
            if !kept.is_there()? {
                is_new = true;
                let store = StoreReader::open(&workspace.proposals())?;
                let memory_bytes_max = config.cluster.memory_bytes_max;
                let (workers, control) = (context.workers, *context.control);
                let resources = Resources { workers, control, memory_bytes_max };
                let centroids = Centroids::load(&clusters)?;
                write_store(&store, &centroids, &kept.description, &kept.path, &resources)?;
            }
            found.files.push((cap, kept.path));
            found.sources = record.inputs.images;
        }
        Ok((found, is_new))
    }

    fn extract(
        &self,
        workspace: &Workspace,
        config: &RunConfig,
        context: &Context<'_>,
    ) -> Result<RunRecord> {
        let request = ExtractRequest { images: &self.images, config, strict: context.strict };
        let once = |workspace: &Workspace| {
            workspace.check_writable(0)?;
            let prepared = Prepared::new(&request)?;
            let run = workspace.open(Step::Extract)?;
            let begin = Begin { until: Step::Extract, start: String::new() };
            let (workers, control) = (context.workers, context.control);
            prepared.extract(&run, &begin, workers, control).map(|(_, record)| record)
        };
        match once(workspace) {
            Err(Error::RunMismatch { .. }) => once(&workspace.clone().restarted(true)),
            outcome => outcome,
        }
    }
}

/// Refuses folders of which one is searched with the other.
fn check_apart(held_out: &Path, training: &Path) -> Result<()> {
    let real = |path: &Path| path.canonicalize().map_err(|error| Error::io(path, error));
    let (one, other) = (real(held_out)?, real(training)?);
    let (held_out, training) = (held_out.display(), training.display());
    let reason = match (one.starts_with(&other), other.starts_with(&one)) {
        (false, false) => return Ok(()),
        (true, true) => format!("{held_out} is the folder that is trained on"),
        (true, false) => format!("{held_out} lies in {training}, which is trained on"),
        (false, true) => format!("{held_out} holds {training}, which is trained on"),
    };
    Err(Error::invalid("validation images", reason))
}

/// Most proposals of an image.
pub(super) fn cap(config: &RunConfig) -> usize {
    match config.method {
        Method::Spectral => config.proposals.proposals_max,
        Method::SelectiveSearch => config.selective_search.selective_search_boxes as usize,
    }
}

/// The same keys under another cap.
fn with_cap(config: &RunConfig, cap: usize) -> RunConfig {
    let mut config = config.clone();
    match config.method {
        Method::Spectral => config.proposals.proposals_max = cap,
        Method::SelectiveSearch => config.selective_search.selective_search_boxes = cap as u32,
    }
    config
}

//! What a stage of training reads, by content, and whether its folder holds the same.

use crate::Result;
use crate::data::fingerprint::{self, ContentHasher};
use crate::data::image_sources::ImageSources;
use crate::data::training::set::TrainingSet;
use crate::error::Difference;
use crate::pipeline::config::RunConfig;
use crate::pipeline::stage_keys::is_fresh;
use crate::pipeline::workspace::identity::{self, STAGE_TABLES};
use crate::pipeline::workspace::stage_record::StageRecord;
use crate::training::checkpoint_files::last_checkpoint;
use crate::training::held_out;
use std::path::Path;

/// What a detector of the host starts from, as the library knows it.
pub const HOST_START: &str = "of the host";

/// The inputs of a stage.
pub struct StageIdentity<'a> {
    /// Folder of the run.
    pub root: &'a Path,
    pub stage: u16,
    /// The labels it learns from.
    pub labels: &'a Path,
    /// Of [`images`].
    pub images: String,
    /// What a fresh stage starts from.
    pub start: &'a str,
}

impl StageIdentity<'_> {
    /// The record of the stage on `set`.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::RunStep`] where a stage that goes on from the one before has
    /// none; those of [`held_out::of_set`].
    pub fn record(&self, config: &RunConfig, set: &TrainingSet) -> Result<StageRecord> {
        let start = match is_fresh(config, self.stage) {
            true => self.start.to_string(),
            false => StageRecord::fingerprint(self.root, self.stage - 1)?,
        };
        let inputs = [
            ("images", self.images.clone()),
            ("labels", fingerprint::text_of_file(self.labels)?),
            ("start", start),
        ];
        let settings = identity::document(config, &STAGE_TABLES, &inputs)?;
        let steps_count = held_out::steps_count(set, &config.training, config.seed)?;
        Ok(StageRecord { steps_count, settings })
    }
}

/// Begins the stage of `record` in the folder `root`, or goes on with it; answers the steps that
/// are done. `files` are the images that differ from those of the stage that lies there.
///
/// # Errors
/// [`crate::Error::RunMismatch`] when its checkpoints belong to something else; [`crate::Error::Io`].
pub fn begin(
    record: &StageRecord,
    root: &Path,
    stage: u16,
    extensions: &[&str],
    files: Vec<Difference>,
) -> Result<usize> {
    let done = steps_done(root, stage, extensions)?;
    record.begin(root, stage, done > 0, files)?;
    Ok(done)
}

/// Steps of a stage that its last checkpoint has behind it; 0 where there is none.
///
/// # Errors
/// As [`last_checkpoint`].
pub fn steps_done(root: &Path, stage: u16, extensions: &[&str]) -> Result<usize> {
    let folder = root.join("checkpoints");
    let last = match folder.is_dir() {
        true => last_checkpoint(&folder, stage, extensions)?,
        false => None,
    };
    Ok(last.map_or(0, |(step, _)| step))
}

/// Ids, paths and contents of the images of a set, of which `sources` knows the contents.
pub fn images(set: &TrainingSet, sources: &ImageSources) -> String {
    let contents = sources.contents();
    let mut hasher = ContentHasher::new();
    for image in set.images() {
        let path = image.relative_path.as_str();
        let content = contents.get(path).copied().flatten();
        hasher.update(format!("{}\t{content:?}\t{path}\n", image.image_id).as_bytes());
    }
    format!("{} files, {:032x}", set.images_count(), hasher.finish())
}

//! `finetune.toml`: what a fine-tuning reads, and whether it is the one that is asked for.
//!
//! The test set is no part of it: it only measures, and that is done on every call.

use super::request::FinetuneRequest;
use crate::config::{differences, to_table};
use crate::control::Control;
use crate::data::image_sources::ImageSources;
use crate::data::training::set::TrainingSet;
use crate::data::{atomic_file, fingerprint};
use crate::detector::config::DetectorConfig;
use crate::kernels::simd;
use crate::pipeline::config::RunConfig;
use crate::pipeline::pretrain::initial_weights::fingerprint_of;
use crate::pipeline::pretrain::stage_identity;
use crate::pipeline::workspace::identity::{self, STAGE_TABLES};
use crate::pipeline::workspace::{OpenRun, files};
use crate::workers::Workers;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The only stage of a run.
pub(super) const STAGE: u16 = 1;

/// What `finetune.toml` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinetuneRecord {
    /// Version of the library that began the run.
    pub version: String,
    /// The SIMD level of the machine that began the run: bytes may differ between levels.
    pub simd_level: String,
    /// The annotations of the last call. The run is bound to their content alone.
    pub annotations: String,
    /// The folder of images of the last call. The run is bound to their content alone.
    pub images: String,
    /// What the run starts from, as it was given.
    pub init: String,
    pub fraction: f64,
    pub split_seed: u64,
    pub images_count: usize,
    pub classes_count: usize,
    /// What the run reads, by content.
    pub inputs: FinetuneInputs,
    /// The detector's sizes, which a document beside the weights may give.
    pub sizes: DetectorConfig,
    /// Every key.
    pub config: RunConfig,
}

/// What a fine-tuning reads, by content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinetuneInputs {
    pub annotations: String,
    /// Ids, paths and contents of the images of the fraction.
    pub images: String,
    /// The weights that it starts from.
    pub init: String,
}

impl FinetuneRecord {
    /// What a request reads, images aside.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of(
        request: &FinetuneRequest<'_>,
        set: &TrainingSet,
        sizes: &DetectorConfig,
    ) -> Result<FinetuneRecord> {
        let FinetuneRequest { annotations, images, init, fraction, split_seed, config, .. } =
            *request;
        let canonical = |path: &Path| {
            path.canonicalize()
                .map(|path| path.display().to_string())
                .map_err(|error| Error::io(path, error))
        };
        Ok(FinetuneRecord {
            version: env!("CARGO_PKG_VERSION").into(),
            simd_level: simd::Level::best().name().into(),
            annotations: canonical(annotations)?,
            images: canonical(images)?,
            init: init.into(),
            fraction,
            split_seed,
            images_count: set.images_count(),
            classes_count: set.classes_count(),
            inputs: FinetuneInputs {
                annotations: fingerprint::text_of_file(annotations)?,
                images: String::new(),
                init: fingerprint_of(init, config)?,
            },
            sizes: sizes.clone(),
            config: config.clone(),
        })
    }

    /// Begins the run, or goes on with the same one; answers the settings of its checkpoints. A run
    /// without a checkpoint has nothing yet that depends on its record.
    ///
    /// # Errors
    /// [`Error::RunMismatch`] with the keys, inputs and files that differ; [`Error::Io`],
    /// [`Error::Format`]; [`Error::Cancelled`].
    pub fn begin(
        mut self,
        run: &OpenRun,
        request: &FinetuneRequest<'_>,
        set: &TrainingSet,
        (workers, control): (&Workers, &Control<'_>),
    ) -> Result<String> {
        if run.record_path().exists() {
            return Err(Error::mismatch(run.root(), "command", "pretrain", "finetune"));
        }
        let table = run.root().join("images.tsv");
        let known = ImageSources::read(&table)?;
        let images: Vec<(u32, &str)> = set
            .images()
            .iter()
            .map(|image| (image.image_id, image.relative_path.as_str()))
            .collect();
        let folder = request.images;
        let sources = ImageSources::take(folder, &images, known.as_ref(), workers, control)?;
        self.inputs.images = stage_identity::images(set, &sources);
        let wanted = self.identity()?;
        if let Some(found) = FinetuneRecord::read(&run.finetuning_path())?
            && files::has_checkpoints(run.root())?
        {
            let mut differences = differences(&found.identity()?, &wanted);
            let same_subset =
                (found.fraction, found.split_seed) == (self.fraction, self.split_seed);
            let files = known.filter(|_| same_subset).map(|known| known.differences(&sources));
            if let Some(files) = files.filter(|files| !files.is_empty()) {
                differences.retain(|one| one.key != "inputs.images");
                differences.extend(files);
            }
            if !differences.is_empty() {
                return Err(Error::RunMismatch { path: run.root().into(), differences });
            }
        }
        let text = crate::config::to_text(&self, "finetune.toml")?;
        atomic_file::write(&run.finetuning_path(), text.as_bytes())?;
        sources.write(&table)?;
        identity::text(&wanted)
    }

    /// Keys, arguments and inputs that the result depends on.
    fn identity(&self) -> Result<toml::Table> {
        let inputs = [
            ("annotations", self.inputs.annotations.clone()),
            ("images", self.inputs.images.clone()),
            ("init", self.inputs.init.clone()),
        ];
        let mut document = identity::document(&self.config, &STAGE_TABLES, &inputs)?;
        let arguments: [(&str, toml::Value); 5] = [
            ("version", self.version.clone().into()),
            ("simd_level", self.simd_level.clone().into()),
            ("stage", i64::from(STAGE).into()),
            ("fraction", self.fraction.into()),
            // Seeds are unsigned and TOML's integers are not.
            ("split_seed", self.split_seed.to_string().into()),
        ];
        document.extend(arguments.map(|(name, value)| (name.to_string(), value)));
        document.insert("sizes".into(), to_table(&self.sizes, "finetune.toml")?.into());
        Ok(document)
    }

    /// Reads a record; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for a damaged one.
    pub fn read(path: &PathBuf) -> Result<Option<FinetuneRecord>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path, error)),
        };
        let read = crate::config::read_record(&text);
        read.map(Some).map_err(|error| Error::format(path, error.message()))
    }
}

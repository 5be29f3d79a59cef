//! The configuration of a run: the one TOML document of `--config`, every key with its default.
//!
//! Each table is the options struct of one room; the C options have the same field names.

use crate::clustering::ClusterConfig;
use crate::criterion::CriterionConfig;
use crate::data::image::{ImageLimits, ResizeRule};
use crate::data::store::StoreConfig;
use crate::data::training::augmentation::AugmentationConfig;
use crate::data::training::loader::LoaderConfig;
use crate::detector::config::DetectorConfig;
use crate::encoder::options::EncoderOptions;
use crate::pipeline::pretrain::config::PretrainConfig;
use crate::proposals::ProposalConfig;
use crate::proposals::selective_search::SelectiveSearchOptions;
use crate::training::config::TrainingConfig;
use crate::training::relabel::RelabelConfig;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How proposals are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Local clustering of feature maps (patent ¶32).
    #[default]
    Spectral,
    /// Selective Search on the image itself (patent Table 8).
    SelectiveSearch,
}

impl Method {
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that is neither `spectral` nor `selective-search`.
    pub fn from_name(name: &str) -> Result<Method> {
        match name {
            "spectral" => Ok(Method::Spectral),
            "selective-search" => Ok(Method::SelectiveSearch),
            other => {
                let reason = format!("`{other}` is neither spectral nor selective-search");
                Err(Error::invalid("method", reason))
            }
        }
    }
}

/// What results depend on. `threads` is not here: it changes no byte.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunConfig {
    /// Key of every random number. Default 0.
    pub seed: u64,
    /// Default `spectral`.
    pub method: Method,
    /// What an image may cost.
    pub limits: ImageLimits,
    /// The size that the encoder sees.
    pub resize: ResizeRule,
    /// Where feature maps come from.
    pub encoder: EncoderOptions,
    /// Local clustering and its filters.
    pub proposals: ProposalConfig,
    /// Selective Search, the other method.
    pub selective_search: SelectiveSearchOptions,
    /// The proposal store.
    pub store: StoreConfig,
    /// Global clustering.
    pub cluster: ClusterConfig,
    /// Algorithm 1 as a whole.
    pub pretrain: PretrainConfig,
    /// The detector; its `classes_count` is that of the data.
    pub detector: DetectorConfig,
    /// Matching and losses.
    pub criterion: CriterionConfig,
    /// Steps of a stage.
    pub training: TrainingConfig,
    /// What is done to training images.
    pub augmentation: AugmentationConfig,
    /// Who makes batches.
    pub loader: LoaderConfig,
    /// How a detector labels images.
    pub relabel: RelabelConfig,
}

impl RunConfig {
    /// Checks every table.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key that is out of range.
    pub fn validate(&self) -> Result<()> {
        self.limits.validate()?;
        self.resize.validate()?;
        self.encoder.validate()?;
        self.proposals.validate()?;
        self.selective_search.validate()?;
        self.store.validate()?;
        self.cluster.validate()?;
        self.detector.validate()?;
        self.criterion.validate()?;
        self.training.validate()?;
        self.augmentation.validate()?;
        self.loader.validate(&self.augmentation)?;
        self.relabel.validate()
    }

    /// The options of the global clustering; its seed of 0, the default, is the run's.
    pub fn cluster_config(&self) -> ClusterConfig {
        let seed = if self.cluster.seed == 0 { self.seed } else { self.cluster.seed };
        ClusterConfig { seed, ..self.cluster.clone() }
    }
}

//! What a fine-tuning is asked to do.

use crate::pipeline::config::RunConfig;
use std::path::Path;

/// True labels for measuring.
#[derive(Debug, Clone, Copy)]
pub struct TestSet<'a> {
    /// COCO file.
    pub annotations: &'a Path,
    /// Folder of its images.
    pub images: &'a Path,
}

/// What to train on, and from what.
#[derive(Debug, Clone, Copy)]
pub struct FinetuneRequest<'a> {
    /// COCO file with true labels.
    pub annotations: &'a Path,
    /// Folder of its images.
    pub images: &'a Path,
    /// `random`, `encoder` (its weights in the backbone), or a safetensors file: of a detector or a
    /// checkpoint, of which everything but the class head is taken and which then gives the sizes,
    /// `frozen` and `dropout` aside; or of a ResNet, for the backbone. Files that do not say their
    /// sizes have those of `config`.
    pub init: &'a str,
    /// Share of the images in (0, 1]; see [`crate::data::training::set::TrainingSet::subset`].
    pub fraction: f64,
    /// Which images they are.
    pub split_seed: u64,
    pub config: &'a RunConfig,
    /// Where to measure the result.
    pub test: Option<TestSet<'a>>,
    /// What would be left out is an error: broken images, and boxes of the labels.
    pub strict: bool,
    /// Begins anew: once the inputs are found good, the files that an earlier run wrote into the
    /// folder are removed, and no others.
    pub restart: bool,
}

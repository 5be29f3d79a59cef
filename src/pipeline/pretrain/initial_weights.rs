//! What a detector's backbone starts from: nothing, the encoder's weights, or a file.

use crate::backbone::checkpoint::read_file;
use crate::backbone::resnet_weights::ResNetWeights;
use crate::detector::deformable_detr::config::DetectorConfig;
use crate::detector::deformable_detr::weights::set_backbone;
use crate::encoder::{fingerprint, source};
use crate::nn::parameters::ParameterTable;
use crate::pipeline::config::RunConfig;
use crate::{Error, Result};
use std::path::Path;

/// Weights as they were drawn.
pub const RANDOM: &str = "random";
/// Those of the run's encoder: Algorithm 1 writes both as g_b.
pub const ENCODER: &str = "encoder";

/// What identifies the weights that `init` names, by content.
///
/// # Errors
/// [`Error::Io`].
pub fn fingerprint_of(init: &str, config: &RunConfig) -> Result<String> {
    match init {
        RANDOM => Ok(RANDOM.into()),
        ENCODER => source::weights_fingerprint(&config.encoder),
        path => fingerprint::of_file("file", Path::new(path)),
    }
}

/// Checks that the weights that `init` names can be read and fit to the detector.
///
/// # Errors
/// As [`start_backbone`].
pub fn check_backbone(init: &str, config: &RunConfig, detector: &DetectorConfig) -> Result<()> {
    read_backbone(init, config, detector).map(drop)
}

/// Puts the weights that `init` names into the backbone's place: [`RANDOM`] leaves it, [`ENCODER`],
/// or a safetensors file that holds a ResNet.
///
/// # Errors
/// [`Error::InvalidArgument`] for an encoder that has no ResNet and for a ResNet of another size;
/// [`Error::Io`] and those of [`ResNetWeights::from_safetensors`].
pub fn start_backbone(
    init: &str,
    config: &RunConfig,
    detector: &DetectorConfig,
    table: &ParameterTable,
    parameters: &mut [f32],
) -> Result<()> {
    match read_backbone(init, config, detector)? {
        Some(weights) => set_backbone(&weights, table, parameters),
        None => Ok(()),
    }
}

/// The weights that `init` names; `None` for [`RANDOM`].
fn read_backbone(
    init: &str,
    config: &RunConfig,
    detector: &DetectorConfig,
) -> Result<Option<ResNetWeights>> {
    let bytes = match init {
        RANDOM => return Ok(None),
        ENCODER => source::weights(&config.encoder)?,
        path => read_file(Path::new(path))?,
    };
    let weights = ResNetWeights::from_safetensors(&bytes, init)?;
    let found = weights.architecture();
    if *found != detector.architecture()? {
        let reason = format!(
            "is a ResNet-{} with {} channels in its stem; the detector's has depth {} and {}",
            found.depth(),
            found.width,
            detector.backbone_depth,
            detector.backbone_width
        );
        return Err(Error::invalid(format!("initial weights `{init}`"), reason));
    }
    Ok(Some(weights))
}

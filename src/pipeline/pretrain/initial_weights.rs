//! What a detector's backbone starts from: nothing, the encoder's weights, or a file.

use crate::backbone::resnet_weights::ResNetWeights;
use crate::detector::deformable_detr::config::DetectorConfig;
use crate::detector::deformable_detr::weights::set_backbone;
use crate::encoder::source;
use crate::nn::parameters::ParameterTable;
use crate::pipeline::config::RunConfig;
use crate::{Error, Result};

/// Weights as they were drawn.
pub const RANDOM: &str = "random";
/// Those of the run's encoder: Algorithm 1 writes both as g_b.
pub const ENCODER: &str = "encoder";

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
    let bytes = match init {
        RANDOM => return Ok(()),
        ENCODER => source::weights(&config.encoder)?,
        path => std::fs::read(path).map_err(|error| Error::io(path, error))?,
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
    set_backbone(&weights, table, parameters)
}

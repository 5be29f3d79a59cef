//! What a detector's backbone starts from: nothing, the encoder's weights, or a file.

use crate::backbone::architecture::Architecture;
use crate::backbone::checkpoint::{Checkpoint, weights_file};
use crate::backbone::resnet_weights::{ENCODER_KEY, ResNetWeights};
use crate::detector::config::{DetectorConfig, WEIGHTS_KEY};
use crate::detector::weights::set_backbone;
use crate::encoder::{fingerprint, options, source};
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
/// [`Error::Io`]; [`Error::Format`] for a folder without one file of weights.
pub fn fingerprint_of(init: &str, config: &RunConfig) -> Result<String> {
    match init {
        RANDOM => Ok(RANDOM.into()),
        ENCODER => source::weights_fingerprint(&config.encoder),
        path => fingerprint::of_file("file", &weights_file(Path::new(path))?),
    }
}

/// A file of weights with the key that chooses among its networks.
struct Weights<'a> {
    file: Checkpoint<'static>,
    prefix: &'a str,
    key: &'static str,
}

/// The file that `init` names; `None` for drawn weights.
fn weights<'a>(init: &'a str, config: &'a RunConfig) -> Result<Option<Weights<'a>>> {
    let encoder = &config.encoder;
    Ok(match init {
        RANDOM => None,
        ENCODER => Some(Weights {
            file: source::weights(encoder)?,
            prefix: if encoder.encoder == options::DEFAULT { "" } else { &encoder.weights_prefix },
            key: ENCODER_KEY,
        }),
        path => Some(Weights {
            file: Checkpoint::open(&weights_file(Path::new(path))?)?,
            prefix: &config.detector.weights_prefix,
            key: WEIGHTS_KEY,
        }),
    })
}

/// Checks, before any long work, that what `init` names is a ResNet of the detector's sizes.
///
/// # Errors
/// As [`start_backbone`], numbers in the weights aside.
pub fn check_backbone(init: &str, config: &RunConfig, detector: &DetectorConfig) -> Result<()> {
    let Some(Weights { file, prefix, key }) = weights(init, config)? else {
        return Ok(());
    };
    let found = ResNetWeights::architecture_of(file, prefix, key)?;
    check_sizes(init, &found, detector)
}

fn check_sizes(init: &str, found: &Architecture, detector: &DetectorConfig) -> Result<()> {
    if *found == detector.architecture()? {
        return Ok(());
    }
    let (depth, width) = (found.depth(), found.width);
    let reason = format!(
        "is a ResNet-{depth} with {width} channels in its stem; the detector's has depth {} and {}: \
         set `detector.backbone_depth = {depth}` and `detector.backbone_width = {width}`, or start \
         from `{RANDOM}` weights",
        detector.backbone_depth, detector.backbone_width
    );
    Err(Error::invalid(format!("initial weights `{init}`"), reason))
}

/// Puts the weights that `init` names into the backbone's place: [`RANDOM`] leaves it, [`ENCODER`],
/// or a safetensors file that holds a ResNet.
///
/// # Errors
/// [`Error::InvalidArgument`] for an encoder that has no ResNet and for a ResNet of another size;
/// [`Error::Io`] and those of [`ResNetWeights::read`].
pub fn start_backbone(
    init: &str,
    config: &RunConfig,
    detector: &DetectorConfig,
    table: &ParameterTable,
    parameters: &mut [f32],
) -> Result<()> {
    let Some(Weights { file, prefix, key }) = weights(init, config)? else {
        return Ok(());
    };
    let (weights, _) = ResNetWeights::read(file, prefix, key)?;
    check_sizes(init, weights.architecture(), detector)?;
    set_backbone(&*detector.kind, &weights, table, parameters)
}

//! What a detector's backbone starts from: nothing, the encoder's weights, or a file.

use crate::backbone::checkpoint::{Checkpoint, weights_file};
use crate::backbone::resnet_weights::ENCODER_KEY;
use crate::detector::backbone_weights::BackboneWeights;
use crate::detector::config::{DetectorConfig, WEIGHTS_KEY};
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
/// [`crate::Error::Io`]; [`crate::Error::Format`] for a folder without one file of weights.
pub fn fingerprint_of(init: &str, config: &RunConfig) -> Result<String> {
    match init {
        RANDOM => Ok(RANDOM.into()),
        ENCODER => source::weights_fingerprint(&config.encoder),
        path => fingerprint::of_file("file", &weights_file(Path::new(path))?),
    }
}

/// Checks that what `init` names, which has just been read, still is what a record says.
///
/// # Errors
/// [`Error::InvalidArgument`] for other weights, with both fingerprints; those of [`fingerprint_of`].
pub fn check_unchanged(init: &str, config: &RunConfig, recorded: &str) -> Result<()> {
    let found = fingerprint_of(init, config)?;
    if found != recorded {
        let reason = format!("`{init}` changed during the run: {recorded} before, {found} now");
        return Err(Error::invalid("pretrain.backbone_init", reason));
    }
    Ok(())
}

/// The weights that `init` names; `None` for drawn ones.
fn weights<'a>(init: &'a str, config: &'a RunConfig) -> Result<Option<BackboneWeights<'a>>> {
    let encoder = &config.encoder;
    Ok(match init {
        RANDOM => None,
        ENCODER => Some(BackboneWeights {
            name: init,
            file: source::weights(encoder)?,
            prefix: if encoder.encoder == options::DEFAULT { "" } else { &encoder.weights_prefix },
            key: ENCODER_KEY,
        }),
        path => Some(BackboneWeights {
            name: init,
            file: Checkpoint::open(&weights_file(Path::new(path))?)?,
            prefix: &config.detector.weights_prefix,
            key: WEIGHTS_KEY,
        }),
    })
}

/// Checks, before any long work, that what `init` names is a backbone of the detector's sizes.
///
/// # Errors
/// As [`start_backbone`], numbers in the weights aside.
pub fn check_backbone(init: &str, config: &RunConfig, detector: &DetectorConfig) -> Result<()> {
    match weights(init, config)? {
        Some(weights) => detector.kind.check_backbone(weights, detector),
        None => Ok(()),
    }
}

/// Puts the weights that `init` names into the backbone's place: [`RANDOM`] leaves it, [`ENCODER`],
/// or a file.
///
/// # Errors
/// [`crate::Error::InvalidArgument`] for an encoder that has no such backbone and for one of another size;
/// [`crate::Error::Io`]; those of [`crate::detector::kind::DetectorKind::start_backbone`].
pub fn start_backbone(
    init: &str,
    config: &RunConfig,
    detector: &DetectorConfig,
    table: &ParameterTable,
    parameters: &mut [f32],
) -> Result<()> {
    match weights(init, config)? {
        Some(weights) => detector.kind.start_backbone(weights, detector, table, parameters),
        None => Ok(()),
    }
}

//! Weights that a detector's backbone starts from: those of the encoder, which Algorithm 1 writes as the
//! same g_b, or of a file. What they have to hold, the detector's folder says; for those with a ResNet
//! it is here.

use super::config::DetectorConfig;
use crate::backbone::architecture::Architecture;
use crate::backbone::checkpoint::Checkpoint;
use crate::backbone::resnet_weights::ResNetWeights;
use crate::nn::parameters::ParameterTable;
use crate::{Error, Result};

/// A file of weights, and which of its networks is meant.
#[derive(Debug)]
pub struct BackboneWeights<'a> {
    /// What a configuration calls them.
    pub name: &'a str,
    pub file: Checkpoint<'static>,
    /// What stands before the names of the network, as `weights_prefix` of a configuration has it.
    pub prefix: &'a str,
    /// The key that chooses among the networks of the file.
    pub key: &'static str,
}

impl BackboneWeights<'_> {
    /// Checks that they are a ResNet of the detector's sizes; numbers are not looked at.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another ResNet; those of [`ResNetWeights::architecture_of`].
    pub(super) fn check_resnet(self, config: &DetectorConfig) -> Result<()> {
        let found = ResNetWeights::architecture_of(self.file, self.prefix, self.key)?;
        check_sizes(self.name, &found, config)
    }

    /// Copies the ResNet to the parameters whose names stand behind `place`.
    ///
    /// # Errors
    /// As [`BackboneWeights::check_resnet`]; those of [`ResNetWeights::read`].
    pub(super) fn start_resnet(
        self,
        config: &DetectorConfig,
        place: &str,
        table: &ParameterTable,
        parameters: &mut [f32],
    ) -> Result<()> {
        let (weights, _) = ResNetWeights::read(self.file, self.prefix, self.key)?;
        check_sizes(self.name, weights.architecture(), config)?;
        for parameter in table.iter() {
            let Some(name) = parameter.name.strip_prefix(place) else { continue };
            let values = weights.values(name);
            if values.len() != parameter.range.len() {
                let (expected, got) = (format!("{:?}", parameter.shape), values.len());
                return Err(Error::shape(&parameter.name, expected, format!("{got} values")));
            }
            parameters[parameter.range.clone()].copy_from_slice(values);
        }
        Ok(())
    }
}

fn check_sizes(name: &str, found: &Architecture, config: &DetectorConfig) -> Result<()> {
    if *found == config.architecture()? {
        return Ok(());
    }
    let (depth, width) = (found.depth(), found.width);
    let reason = format!(
        "is a ResNet-{depth} with {width} channels in its stem; the detector's has depth {} and {}: \
         set `detector.backbone_depth = {depth}` and `detector.backbone_width = {width}`, or start \
         from `random` weights",
        config.backbone_depth, config.backbone_width
    );
    Err(Error::invalid(format!("initial weights `{name}`"), reason))
}

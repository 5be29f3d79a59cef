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
    /// As [`BackboneWeights::check_resnet`]; those of [`ResNetWeights::read`]; [`Error::Shape`] where the
    /// parameters are not those of `config`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::kind::Kind;
    use crate::detector::parameters::parameter_table;

    /// A ResNet-18 with 2 channels in its stem.
    const RESNET: &[u8] = include_bytes!("../../tests/golden/resnet/contrastive.safetensors");

    fn weights() -> BackboneWeights<'static> {
        let file = Checkpoint::read(RESNET, "contrastive.safetensors").unwrap();
        BackboneWeights { name: "mine", file, prefix: "", key: "the.key" }
    }

    fn config(depth: usize, width: usize) -> DetectorConfig {
        let (backbone_depth, backbone_width) = (depth, width);
        DetectorConfig { backbone_depth, backbone_width, hidden_size: 32, ..Default::default() }
    }

    #[test]
    fn the_resnet_comes_to_its_place_and_nothing_else_changes() {
        let (kind, config) = (Kind::default(), config(18, 2));
        let table = parameter_table(&config).unwrap();
        let mut parameters = vec![7.0; table.length()];
        kind.check_backbone(weights(), &config).unwrap();
        kind.start_backbone(weights(), &config, &table, &mut parameters).unwrap();
        let read = weights();
        let (resnet, _) = ResNetWeights::read(read.file, read.prefix, read.key).unwrap();
        for parameter in table.iter() {
            let found = &parameters[parameter.range.clone()];
            match parameter.name.strip_prefix(kind.backbone_prefix()) {
                Some(name) => assert_eq!(found, resnet.values(name), "{name}"),
                None => assert!(found.iter().all(|value| *value == 7.0), "{}", parameter.name),
            }
        }
    }

    #[test]
    fn another_resnet_is_refused_with_the_keys_that_would_fit() {
        let kind = Kind::default();
        for (depth, width) in [(34, 2), (18, 4)] {
            let config = config(depth, width);
            let table = parameter_table(&config).unwrap();
            let mut parameters = vec![7.0; table.length()];
            for error in [
                kind.check_backbone(weights(), &config).unwrap_err(),
                kind.start_backbone(weights(), &config, &table, &mut parameters).unwrap_err(),
            ] {
                let message = error.to_string();
                assert!(message.starts_with("initial weights `mine`: is a ResNet-18 with 2"));
                assert!(message.contains("`detector.backbone_width = 2`"), "{message}");
            }
            assert!(parameters.iter().all(|value| *value == 7.0));
        }
    }
}

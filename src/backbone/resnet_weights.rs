//! The parameters of a ResNet by torchvision's names, as a checkpoint holds them.
//!
//! These are the raw weights, which training changes; a network for inference packs them.

use super::architecture::{Architecture, Block, STAGES};
use super::checkpoint::Checkpoint;
use super::choice::Choice;
use super::networks;
use crate::nn::parameters::{Parameter, ParameterSpec, ParameterTable};
use crate::{Error, Result, memory};
use std::collections::BTreeSet;

/// A ResNet's parameters, complete and of the right shapes.
#[derive(Debug, Clone, PartialEq)]
pub struct ResNetWeights {
    architecture: Architecture,
    table: ParameterTable,
    /// In the places of `table`.
    values: Vec<f32>,
}

/// Names that tell where in a checkpoint a ResNet lies; either will do when the other is missing.
const MARKS: [&str; 2] = ["layer1.0.conv1.weight", "layer4.0.conv1.weight"];

/// The key that chooses among the networks of an encoder's file.
pub const ENCODER_KEY: &str = "encoder.weights_prefix";

impl ResNetWeights {
    /// Reads a safetensors file: f32, f16 or bf16, any prefix, heads and momentum copies beside it.
    ///
    /// The architecture is read off the names and shapes. `source` names the file in errors.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::WeightNames`] (no ResNet, missing names, names that a plain
    /// ResNet does not have), [`Error::Shape`], [`Error::ElementType`], [`Error::NonFinite`].
    pub fn from_safetensors(bytes: &[u8], source: &str) -> Result<ResNetWeights> {
        let file = Checkpoint::read(bytes, source)?;
        ResNetWeights::read(file, "", ENCODER_KEY).map(|(weights, _)| weights)
    }

    /// [`ResNetWeights::from_safetensors`] with the word of the configuration: `prefix` chooses among
    /// several networks where it is not empty, and `key` is where it is written. Answers the choice too.
    ///
    /// # Errors
    /// As [`ResNetWeights::from_safetensors`]; [`Error::WeightNames`] when `prefix` names none.
    pub fn read(file: Checkpoint<'_>, prefix: &str, key: &str) -> Result<(ResNetWeights, Choice)> {
        let (checkpoint, architecture, choice) = open(file, prefix, key)?;
        networks::log_choice(checkpoint.source(), &choice, key);
        let read = |parameter: &Parameter, to: &mut [f32]| {
            checkpoint.read_tensor(&parameter.name, &parameter.shape, to)
        };
        Ok((ResNetWeights::of(architecture, read)?, choice))
    }

    /// Depth and width alone, read off names and shapes.
    ///
    /// # Errors
    /// As [`ResNetWeights::read`], numbers aside.
    pub fn architecture_of(file: Checkpoint<'_>, prefix: &str, key: &str) -> Result<Architecture> {
        open(file, prefix, key).map(|(_, architecture, _)| architecture)
    }

    /// Parameters that `values` gives for each name and shape: drawn ones, or tests' formulas.
    ///
    /// # Errors
    /// [`Error::Shape`] when `values` answers another number of values.
    pub fn from_values(
        architecture: Architecture,
        mut values: impl FnMut(&str, &[usize]) -> Vec<f32>,
    ) -> Result<ResNetWeights> {
        ResNetWeights::of(architecture, |Parameter { name, shape, .. }, to| {
            let values = values(name, shape);
            if values.len() != to.len() {
                let got = format!("{} values", values.len());
                return Err(Error::shape(name, format!("{shape:?}"), got));
            }
            to.copy_from_slice(&values);
            Ok(())
        })
    }

    fn of(
        architecture: Architecture,
        mut write: impl FnMut(&Parameter, &mut [f32]) -> Result<()>,
    ) -> Result<ResNetWeights> {
        let spec = |(name, shape): (String, Vec<usize>)| ParameterSpec {
            trained: false,
            ..ParameterSpec::new(name, &shape)
        };
        let table = ParameterTable::new(architecture.parameters().into_iter().map(spec).collect())?;
        let mut values = memory::filled(0.0, table.length(), "the weights of a ResNet")?;
        for parameter in table.iter() {
            write(parameter, &mut values[parameter.range.clone()])?;
        }
        Ok(ResNetWeights { architecture, table, values })
    }

    /// Depth and width.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Every parameter with its values, in the order of the architecture.
    pub fn iter(&self) -> impl Iterator<Item = (&Parameter, &[f32])> {
        self.table.iter().map(|parameter| (parameter, &self.values[parameter.range.clone()]))
    }

    /// The values of a parameter; empty for a name that the architecture does not have.
    pub fn values(&self, name: &str) -> &[f32] {
        self.table.get(name).map_or(&[], |parameter| &self.values[parameter.range.clone()])
    }

    /// Architecture, places and values.
    pub fn into_parts(self) -> (Architecture, ParameterTable, Vec<f32>) {
        (self.architecture, self.table, self.values)
    }
}

/// The chosen network of a file, and what it is.
fn open<'a>(
    file: Checkpoint<'a>,
    prefix: &str,
    key: &str,
) -> Result<(Checkpoint<'a>, Architecture, Choice)> {
    let choice = file.choose(&MARKS, prefix, key)?;
    let checkpoint = file.under(&choice);
    let names: BTreeSet<&str> = checkpoint.names().collect();
    let width = checkpoint.shape("conv1.weight").and_then(|shape| shape.first().copied());
    let architecture = recognise(&checkpoint, &names, width.unwrap_or(0))?;
    check_names(&checkpoint, &names, &architecture)?;
    Ok((checkpoint, architecture, choice))
}

/// The network whose blocks are those that the names speak of.
fn recognise(
    checkpoint: &Checkpoint<'_>,
    names: &BTreeSet<&str>,
    width: usize,
) -> Result<Architecture> {
    let block = match names.iter().any(|name| name.ends_with(".conv3.weight")) {
        true => Block::Bottleneck,
        false => Block::Basic,
    };
    let mut blocks = [0; STAGES];
    for name in names {
        if let Some((stage, index)) = block_of(name) {
            blocks[stage] = blocks[stage].max(index.saturating_add(1));
        }
    }
    Architecture::holding(block, blocks, width).ok_or_else(|| {
        let reason = format!("{block:?} blocks {blocks:?} are not those of ResNet-18, 34 or 50");
        checkpoint.names_error(&reason, names.iter().copied())
    })
}

/// Stage (0 to 3) and number of the block that a name belongs to.
fn block_of(name: &str) -> Option<(usize, usize)> {
    let mut parts = name.strip_prefix("layer")?.split('.');
    let stage = parts.next()?.parse::<usize>().ok()?;
    let index = parts.next()?.parse().ok()?;
    (1..=STAGES).contains(&stage).then_some((stage - 1, index))
}

/// Every needed name must be there, and nothing of the backbone may be left over: a network with
/// more in it would run without a word and be wrong.
fn check_names(
    checkpoint: &Checkpoint<'_>,
    names: &BTreeSet<&str>,
    architecture: &Architecture,
) -> Result<()> {
    let needed: BTreeSet<String> =
        architecture.parameters().into_iter().map(|(name, _)| name).collect();
    let missing: Vec<&str> =
        needed.iter().map(String::as_str).filter(|name| !names.contains(name)).collect();
    if !missing.is_empty() {
        let reason = format!(
            "ResNet-{} needs {} names and {} of them are there; missing",
            architecture.depth(),
            needed.len(),
            needed.len() - missing.len()
        );
        return Err(checkpoint.names_error(&reason, missing.into_iter()));
    }
    let of_backbone = |name: &&str| {
        let parts = ["layer1.", "layer2.", "layer3.", "layer4.", "conv1.", "bn1."];
        parts.iter().any(|part| name.starts_with(part)) && !name.ends_with("num_batches_tracked")
    };
    let unknown = |name: &&str| {
        !needed.contains(*name) && !networks::is_twin(name, |known| needed.contains(known))
    };
    let extra: Vec<&str> = names.iter().copied().filter(of_backbone).filter(unknown).collect();
    match extra.is_empty() {
        true => Ok(()),
        false => {
            Err(checkpoint
                .names_error("a plain ResNet does not have these names", extra.into_iter()))
        }
    }
}

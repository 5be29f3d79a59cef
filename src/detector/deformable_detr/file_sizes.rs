//! The sizes that a file's names and shapes speak of, and how they differ from a configuration's.
//!
//! Heads and points of attention stand in no shape on their own, only their product does, and so do
//! queries and their groups.

use super::names::{BACKBONE_PREFIX, CLASS_BIAS, QUERIES, places};
use crate::backbone::architecture::STAGES;
use crate::backbone::checkpoint::Checkpoint;
use crate::detector::config::DetectorConfig;
use crate::detector::naming::Naming;
use crate::detector::weights_read::is_of_training;

/// A file's detector, seen through a naming.
struct Sizes<'a> {
    file: &'a Checkpoint<'a>,
    config: &'a DetectorConfig,
    naming: Naming,
}

impl Sizes<'_> {
    /// The shape of a parameter by its official name.
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        places(self.config, name, self.naming).iter().find_map(|names| {
            let mut shape = self.file.shape(names.first()?)?.to_vec();
            if let Some(rows) = shape.first_mut() {
                *rows *= names.len();
            }
            Some(shape)
        })
    }

    fn side(&self, name: &str, place: usize) -> Option<usize> {
        self.shape(name)?.get(place).copied()
    }

    /// How many names in a row are there, counted from 0.
    fn count(&self, name: impl Fn(usize) -> String) -> usize {
        (0..).take_while(|&index| self.shape(&name(index)).is_some()).count()
    }

    fn layers(&self, part: &str) -> Option<usize> {
        let count = self.count(|layer| format!("transformer.{part}.layers.{layer}.norm1.weight"));
        (count > 0).then_some(count)
    }

    /// Blocks of each stage of the backbone, as text.
    fn blocks(&self) -> Option<String> {
        let stage = |stage| {
            self.count(|block| format!("{BACKBONE_PREFIX}layer{}.{block}.conv1.weight", stage + 1))
        };
        let blocks: [usize; STAGES] = std::array::from_fn(stage);
        let deep = self.shape(&format!("{BACKBONE_PREFIX}layer1.0.conv3.weight")).is_some();
        let kind = if deep { "bottleneck" } else { "basic" };
        (blocks[0] > 0).then(|| format!("{kind} blocks {blocks:?}"))
    }
}

/// Every size in which the detector of `file` differs from `config`, as one line; empty where none is
/// found.
pub(super) fn differences(
    file: &Checkpoint<'_>,
    config: &DetectorConfig,
    naming: Naming,
) -> String {
    let sizes = Sizes { file, config, naming };
    let attention = "transformer.encoder.layers.0.self_attn.attention_weights.bias";
    let points = config.heads_count * config.levels_count * config.points_count;
    let queries = match config.query_groups_count > 1 || is_of_training(file) {
        true => "queries_count x query_groups_count",
        false => "queries_count",
    };
    let numbers = [
        (
            "backbone_width",
            sizes.side(&format!("{BACKBONE_PREFIX}conv1.weight"), 0),
            config.backbone_width,
        ),
        ("levels_count", sizes.side("transformer.level_embed", 0), config.levels_count),
        ("hidden_size", sizes.side("transformer.level_embed", 1), config.hidden_size),
        ("heads_count x levels_count x points_count", sizes.side(attention, 0), points),
        ("encoder_layers_count", sizes.layers("encoder"), config.encoder_layers_count),
        ("decoder_layers_count", sizes.layers("decoder"), config.decoder_layers_count),
        (
            "feedforward_size",
            sizes.side("transformer.encoder.layers.0.linear1.bias", 0),
            config.feedforward_size,
        ),
        (queries, sizes.side(QUERIES, 0), config.queries_count * config.query_groups_count),
        ("classes_count", sizes.side(CLASS_BIAS, 0), config.classes_count),
    ];
    let differing = numbers.into_iter().filter_map(|(key, found, wanted)| {
        let found = found.filter(|found| *found != wanted)?;
        Some(format!("`{key}` is {found} in the file and {wanted} here"))
    });
    let blocks = sizes.blocks().zip(config.architecture().ok()).and_then(|(found, wanted)| {
        let wanted = format!("{:?} blocks {:?}", wanted.block, wanted.blocks).to_lowercase();
        let depth = config.backbone_depth;
        (found != wanted)
            .then(|| format!("`backbone_depth` {depth} here has {wanted}, the file has {found}"))
    });
    let refining = has_own_box_heads(file);
    let refinement = (refining != config.box_refinement).then(|| {
        format!("`box_refinement` is {refining} in the file and {} here", config.box_refinement)
    });
    differing.chain(blocks).chain(refinement).collect::<Vec<_>>().join(", ")
}

/// Both namings repeat the box heads under the decoder where they refine.
fn has_own_box_heads(file: &Checkpoint<'_>) -> bool {
    file.names().any(|name| name.contains("decoder.bbox_embed."))
}

//! What a run is: which inputs and which keys each step depends on, decided here alone.
//!
//! A run is known by what it reads and not by how its paths are spelled: inputs stand in records by
//! the fingerprint of their content, and keys that are paths are left out. What a later call does
//! when something differs:
//!
//! | what differs | what happens |
//! |---|---|
//! | a key of [`NEUTRAL`], the spelling or place of a path, times of files | goes on |
//! | images, encoder, seed, method, a key of extraction, library version, SIMD level | refused |
//! | a key of `cluster`, before the first checkpoint | clustered again, T_0 written again |
//! | a key of `cluster`, after it | refused |
//! | initial weights, a key of training or relabelling, before the first checkpoint | goes on |
//! | initial weights, a key of training or relabelling, after it | refused |
//! | labels that a stage of training has begun with | refused |
//! | true boxes, held-out and test images | measured again on every call, on boxes that are kept |
//! | input of `export`, `predict`, `evaluate`, `report` | done again on every call |
//!
//! "Refused" is [`crate::Error::RunMismatch`] with every key, input and file that differs. A run that
//! is to be begun anew removes the files that it wrote, and only those ([`super::files`]).

use crate::pipeline::config::RunConfig;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A step of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Images to proposals.
    Extract,
    /// Proposals to pseudo-classes and T_0.
    Cluster,
    /// Every stage of training and relabelling.
    Train,
}

impl Step {
    /// The step's name on the command line and in `run.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Step::Extract => "extract",
            Step::Cluster => "cluster",
            Step::Train => "train",
        }
    }

    /// The command that goes as far as this step.
    pub fn command(self) -> &'static str {
        match self {
            Step::Extract => "extract",
            Step::Cluster => "cluster",
            Step::Train => "pretrain",
        }
    }

    /// The tables and keys of the configuration that the step is the first to read.
    pub(in crate::pipeline) fn tables(self) -> &'static [&'static str] {
        match self {
            Step::Extract => &[
                "seed",
                "method",
                "limits",
                "resize",
                "encoder",
                "proposals",
                "selective_search",
                "store",
            ],
            Step::Cluster => &["cluster"],
            Step::Train => &[
                "pretrain",
                "detector",
                "criterion",
                "training",
                "augmentation",
                "loader",
                "relabel",
            ],
        }
    }
}

/// What decides the proposals of an image, wherever they are stored.
pub const PROPOSAL_TABLES: [&str; 7] =
    ["seed", "method", "limits", "resize", "encoder", "proposals", "selective_search"];

/// What a stage of training reads beside its labels and images.
pub const STAGE_TABLES: [&str; 9] = [
    "seed",
    "limits",
    "encoder",
    "pretrain",
    "detector",
    "criterion",
    "training",
    "augmentation",
    "loader",
];

/// Keys that change no byte of a result: who makes batches, what is kept on the way and how much, and
/// how many stages there are, as more of them go on with the same run. Every other key is compared.
pub const NEUTRAL: [&str; 10] = [
    "loader.loader_threads",
    "loader.prefetch_batches",
    // A run that it lets go on has met no broken image.
    "loader.strict_images",
    "pretrain.stages_count",
    "training.checkpoint_steps",
    "training.checkpoints_kept",
    "training.memory_bytes_max",
    "training.metrics_steps",
    "training.networks_kept",
    // Computes the same numbers again in place of keeping them.
    "training.recompute",
];

/// Keys whose value is a path or a name of what the inputs hold by content.
const PATHS: [&str; 3] = ["encoder.encoder", "encoder.onnx_library", "pretrain.backbone_init"];

/// The keys of some tables of a configuration that results depend on.
///
/// # Errors
/// [`Error::Internal`] when the configuration cannot be written as text.
pub fn keys(config: &RunConfig, tables: &[&str]) -> Result<toml::Table> {
    let mut all = crate::config::to_table(config, "configuration")?;
    for path in NEUTRAL.iter().chain(&PATHS) {
        if let Some((table, key)) = path.split_once('.')
            && let Some(toml::Value::Table(table)) = all.get_mut(table)
        {
            table.remove(key);
        }
    }
    // Checks rank boxes by one key of a table that training does not read otherwise.
    let has_checks = config.training.held_out_share != 0.0 && tables.contains(&"training");
    let only_score = has_checks && !tables.contains(&"relabel");
    if let (true, Some(toml::Value::Table(relabel))) = (only_score, all.get_mut("relabel")) {
        relabel.retain(|key, _| key == "box_score");
    }
    all.retain(|name, _| tables.contains(&name) || (only_score && name == "relabel"));
    Ok(all)
}

/// Inputs by content and keys as one document: what checkpoints and stores hold, so that a mismatch
/// can name the keys.
///
/// # Errors
/// As [`keys`].
pub fn document(
    config: &RunConfig,
    tables: &[&str],
    inputs: &[(&str, String)],
) -> Result<toml::Table> {
    let text = |(name, value): &(&str, String)| ((*name).to_string(), value.clone().into());
    let inputs: toml::Table = inputs.iter().map(text).collect();
    let parts = [("config", keys(config, tables)?), ("inputs", inputs)];
    Ok(parts.map(|(name, table)| (name.to_string(), table.into())).into_iter().collect())
}

/// A document as text.
///
/// # Errors
/// [`Error::Internal`] for what TOML cannot hold.
pub fn text(document: &toml::Table) -> Result<String> {
    toml::to_string(document)
        .map_err(|error| Error::Internal { reason: format!("identity of a run: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::relabel::{BoxScore, RelabelConfig};

    #[test]
    fn every_table_belongs_to_one_step_and_every_name_exists() {
        let all = crate::config::to_table(&RunConfig::default(), "test").unwrap();
        let mut named: Vec<&str> = [Step::Extract, Step::Cluster, Step::Train]
            .iter()
            .flat_map(|s| s.tables())
            .copied()
            .collect();
        named.sort_unstable();
        let mut expected: Vec<&str> = all.keys().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(named, expected);
        for name in PROPOSAL_TABLES.iter().chain(&STAGE_TABLES) {
            assert!(all.contains_key(*name), "{name}");
        }
        for path in NEUTRAL.iter().chain(&PATHS) {
            let (table, key) = path.split_once('.').unwrap();
            assert!(all[table].as_table().unwrap().contains_key(key), "{path}");
        }
    }

    #[test]
    fn what_ranks_boxes_counts_for_a_stage_while_images_are_held_out() {
        let mut config = RunConfig::default();
        let of = |config: &RunConfig| keys(config, &STAGE_TABLES).unwrap();
        assert!(!of(&config).contains_key("relabel"));
        (config.training.held_out_share, config.training.check_steps) = (0.1, 7);
        let on = of(&config);
        assert_eq!(on["training"]["check_steps"].as_integer(), Some(7));
        config.relabel.suppression_iou = 0.9;
        assert_eq!(of(&config), on);
        config.relabel.box_score = BoxScore::AnyClass;
        assert_ne!(of(&config), on);
        config.relabel = RelabelConfig::default();
        config.training.patience_checks = 1;
        assert_ne!(of(&config), on);
        assert_eq!(
            keys(&config, &PROPOSAL_TABLES).unwrap(),
            keys(&RunConfig::default(), &PROPOSAL_TABLES).unwrap()
        );
        let whole = keys(&config, Step::Train.tables()).unwrap();
        assert!(whole["relabel"].as_table().unwrap().contains_key("mirrored"));
    }

    #[test]
    fn keys_without_effect_and_paths_are_no_part_of_a_run() {
        let config = RunConfig::default();
        let mut other = config.clone();
        other.loader.loader_threads += 1;
        other.training.metrics_steps += 1;
        other.encoder.encoder = "./weights.onnx".into();
        let tables = STAGE_TABLES;
        assert_eq!(keys(&config, &tables).unwrap(), keys(&other, &tables).unwrap());
        other.training.learning_rate *= 2.0;
        assert_ne!(keys(&config, &tables).unwrap(), keys(&other, &tables).unwrap());
    }
}

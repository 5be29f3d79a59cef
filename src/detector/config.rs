//! The sizes of a detector, and which of its parts are trained.

use super::kind::Kind;
use crate::backbone::architecture::Architecture;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which parts of the backbone keep their weights. Batch norms are always frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frozen {
    /// The whole backbone is trained, as the patent does (¶35).
    None,
    /// `conv1` and `layer1` stay, as in the official code.
    Stem,
    /// The whole backbone stays (the ablation of Table 3; DETReg).
    Backbone,
}

/// The sizes of a detector. Defaults are those of the official code; presets make them smaller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectorConfig {
    /// Which detector it is: `deformable-detr` (the default, and that of files that do not say).
    pub kind: Kind,
    /// ResNet of this depth: 18, 34 or 50. Default 50.
    pub backbone_depth: usize,
    /// Channels of its stem. Default 64; 32 halves every map.
    pub backbone_width: usize,
    /// Maps that attention looks at: strides 8, 16, 32 and, for the fourth, 64. 1 (stride 32) to
    /// 4. Default 4.
    pub levels_count: usize,
    /// Channels of a query. Default 256.
    pub hidden_size: usize,
    /// Heads of every attention; divides `hidden_size`. Default 8.
    pub heads_count: usize,
    /// Points that a head samples of each level. Default 4.
    pub points_count: usize,
    /// Default 6.
    pub encoder_layers_count: usize,
    /// Default 6.
    pub decoder_layers_count: usize,
    /// Hidden channels of the feed-forward layers. Default 1024.
    pub feedforward_size: usize,
    /// Default 300.
    pub queries_count: usize,
    /// Groups of queries that training matches to the targets one by one, each with queries of its
    /// own that see no other group: every target teaches as many queries (Group DETR, Chen et al.,
    /// ICCV 2023). Prediction and the files of detectors have the first group alone. Default 1.
    pub query_groups_count: usize,
    /// Sigmoid outputs, one for each class. Default 2048, the pseudo-classes of T_0.
    pub classes_count: usize,
    /// Share of activations that dropout leaves out. Default 0.1.
    pub dropout: f32,
    /// Each decoder layer refines the boxes of the one before, with heads of its own. Default
    /// false.
    pub box_refinement: bool,
    /// In training, the loss of a layer's boxes reaches the correction of the layer before as well
    /// (look forward twice, Zhang et al., "DINO", ICLR 2023, §3.5); needs `box_refinement`. What is
    /// predicted does not change. Default false.
    pub look_forward_twice: bool,
    /// Default `none`.
    pub frozen: Frozen,
    /// What stands before the names of the network to read, where the file that a detector or its
    /// backbone is read from holds several (`model_ema`); `.` where nothing does. Empty (the default)
    /// takes the one that was trained and leaves its momentum and EMA copies.
    pub weights_prefix: String,
}

impl Default for DetectorConfig {
    fn default() -> DetectorConfig {
        DetectorConfig {
            kind: Kind::default(),
            backbone_depth: 50,
            backbone_width: 64,
            levels_count: 4,
            hidden_size: 256,
            heads_count: 8,
            points_count: 4,
            encoder_layers_count: 6,
            decoder_layers_count: 6,
            feedforward_size: 1024,
            queries_count: 300,
            query_groups_count: 1,
            classes_count: 2048,
            dropout: 0.1,
            box_refinement: false,
            look_forward_twice: false,
            frozen: Frozen::None,
            weights_prefix: String::new(),
        }
    }
}

/// The key that chooses among the networks of a file that a detector is read from.
pub const WEIGHTS_KEY: &str = "detector.weights_prefix";

impl DetectorConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key that is out of range.
    pub fn validate(&self) -> Result<()> {
        self.kind.validate(self)
    }

    /// The detector without what only its training has: what predicts, and what its file holds.
    pub fn predicting(&self) -> DetectorConfig {
        DetectorConfig { query_groups_count: 1, look_forward_twice: false, ..self.clone() }
    }

    /// The backbone.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a depth that is not of the family.
    pub fn architecture(&self) -> Result<Architecture> {
        Architecture::with_depth(self.backbone_depth, self.backbone_width).ok_or_else(|| {
            let reason = format!("{} is not 18, 34 or 50", self.backbone_depth);
            Error::invalid("backbone_depth", reason)
        })
    }
}

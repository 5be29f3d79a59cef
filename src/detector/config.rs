//! The sizes of a Deformable DETR, and which of its parts are trained.

use crate::backbone::architecture::{Architecture, STAGES};
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

/// Groups of the group normalisation after each projection (official code).
pub const PROJECTION_GROUPS: usize = 32;

impl DetectorConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key that is out of range.
    pub fn validate(&self) -> Result<()> {
        let Self { hidden_size, heads_count, levels_count, .. } = *self;
        self.architecture()?;
        let positive = [
            ("backbone_width", self.backbone_width),
            ("heads_count", heads_count),
            ("points_count", self.points_count),
            ("encoder_layers_count", self.encoder_layers_count),
            ("decoder_layers_count", self.decoder_layers_count),
            ("feedforward_size", self.feedforward_size),
            ("queries_count", self.queries_count),
            ("query_groups_count", self.query_groups_count),
            ("classes_count", self.classes_count),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Error::invalid(*name, "0; at least 1 is needed"));
        }
        if !(1..=4).contains(&levels_count) {
            return Err(Error::invalid("levels_count", format!("{levels_count} is not 1 to 4")));
        }
        if hidden_size == 0
            || !hidden_size.is_multiple_of(PROJECTION_GROUPS)
            || !hidden_size.is_multiple_of(heads_count)
        {
            let reason = format!(
                "{hidden_size} is not a multiple of {PROJECTION_GROUPS} and of heads_count \
                 {heads_count}"
            );
            return Err(Error::invalid("hidden_size", reason));
        }
        if self.look_forward_twice && !self.box_refinement {
            let reason = "true; only layers that refine boxes (box_refinement) look forward";
            return Err(Error::invalid("look_forward_twice", reason));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::invalid("dropout", format!("{} is not in [0, 1)", self.dropout)));
        }
        Ok(())
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

    /// Stages of the backbone (0 to 3) whose maps are projected, finest first.
    pub fn stages(&self) -> std::ops::Range<usize> {
        match self.levels_count {
            1 => STAGES - 1..STAGES,
            levels => STAGES - levels.min(3)..STAGES,
        }
    }

    /// Whether the coarsest level is a convolution of the deepest map.
    pub fn has_extra_level(&self) -> bool {
        self.levels_count > self.stages().len()
    }

    /// Height and width of every level, finest first, for images of `height` by `width`.
    pub fn level_sizes(&self, height: usize, width: usize) -> Vec<(usize, usize)> {
        let halve = |(height, width): (usize, usize)| (height.div_ceil(2), width.div_ceil(2));
        let mut size = (height, width);
        let mut sizes = Vec::new();
        // The stem halves once and its pool once more, then stages 1 to 3 halve once each.
        for halvings in 1..=6 {
            size = halve(size);
            let stage_of = halvings as isize - 2;
            let projected = stage_of >= 0 && self.stages().contains(&(stage_of as usize));
            if projected || (halvings == 6 && self.has_extra_level()) {
                sizes.push(size);
            }
        }
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_a_square_image_are_those_of_the_paper() {
        let config = DetectorConfig::default();
        assert_eq!(config.level_sizes(320, 320), [(40, 40), (20, 20), (10, 10), (5, 5)]);
        assert_eq!(config.level_sizes(33, 65), [(5, 9), (3, 5), (2, 3), (1, 2)]);
        let single = DetectorConfig { levels_count: 1, ..config.clone() };
        assert_eq!(single.level_sizes(320, 320), [(10, 10)]);
        let three = DetectorConfig { levels_count: 3, ..config };
        assert_eq!(three.level_sizes(320, 320), [(40, 40), (20, 20), (10, 10)]);
    }

    #[test]
    fn sizes_out_of_range_are_refused_by_name() {
        let refused = |change: fn(&mut DetectorConfig)| {
            let mut config = DetectorConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert!(refused(|config| config.backbone_depth = 101).contains("101 is not 18, 34 or 50"));
        assert!(refused(|config| config.levels_count = 5).contains("levels_count"));
        assert!(refused(|config| config.hidden_size = 100).contains("100 is not a multiple"));
        assert!(refused(|config| config.queries_count = 0).contains("queries_count"));
        assert!(refused(|config| config.dropout = 1.0).contains("dropout"));
        let alone = refused(|config| config.look_forward_twice = true);
        assert!(alone.starts_with("look_forward_twice") && alone.contains("box_refinement"));
    }
}

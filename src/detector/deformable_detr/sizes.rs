//! What follows from the sizes of a Deformable DETR, and which of them there can be.

use crate::backbone::architecture::STAGES;
use crate::detector::config::DetectorConfig;
use crate::{Error, Result};

/// Groups of the group normalisation after each projection (official code).
pub const PROJECTION_GROUPS: usize = 32;

/// # Errors
/// [`Error::InvalidArgument`] with the first key that is out of range.
pub fn validate(config: &DetectorConfig) -> Result<()> {
    let DetectorConfig { hidden_size, heads_count, levels_count, .. } = *config;
    config.architecture()?;
    let positive = [
        ("backbone_width", config.backbone_width),
        ("heads_count", heads_count),
        ("points_count", config.points_count),
        ("encoder_layers_count", config.encoder_layers_count),
        ("decoder_layers_count", config.decoder_layers_count),
        ("feedforward_size", config.feedforward_size),
        ("queries_count", config.queries_count),
        ("query_groups_count", config.query_groups_count),
        ("classes_count", config.classes_count),
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
    if config.look_forward_twice && !config.box_refinement {
        let reason = "true; only layers that refine boxes (box_refinement) look forward";
        return Err(Error::invalid("look_forward_twice", reason));
    }
    if !(0.0..1.0).contains(&config.dropout) {
        return Err(Error::invalid("dropout", format!("{} is not in [0, 1)", config.dropout)));
    }
    Ok(())
}

/// Stages of the backbone (0 to 3) whose maps are projected, finest first.
pub fn stages(config: &DetectorConfig) -> std::ops::Range<usize> {
    match config.levels_count {
        1 => STAGES - 1..STAGES,
        levels => STAGES - levels.min(3)..STAGES,
    }
}

/// Whether the coarsest level is a convolution of the deepest map.
pub fn has_extra_level(config: &DetectorConfig) -> bool {
    config.levels_count > stages(config).len()
}

/// Height and width of every level, finest first, for images of `height` by `width`.
pub fn level_sizes(config: &DetectorConfig, height: usize, width: usize) -> Vec<(usize, usize)> {
    let halve = |(height, width): (usize, usize)| (height.div_ceil(2), width.div_ceil(2));
    let mut size = (height, width);
    let mut sizes = Vec::new();
    // The stem halves once and its pool once more, then stages 1 to 3 halve once each.
    for halvings in 1..=6 {
        size = halve(size);
        let stage_of = halvings as isize - 2;
        let projected = stage_of >= 0 && stages(config).contains(&(stage_of as usize));
        if projected || (halvings == 6 && has_extra_level(config)) {
            sizes.push(size);
        }
    }
    sizes
}

/// Prediction heads with weights of their own: with box refinement one for each decoder layer,
/// else all layers share one.
pub fn heads_count(config: &DetectorConfig) -> usize {
    if config.box_refinement { config.decoder_layers_count } else { 1 }
}

/// Channels of the map that each level's projection reads.
///
/// # Errors
/// Those of [`DetectorConfig::architecture`].
pub fn projected_channels(config: &DetectorConfig) -> Result<Vec<usize>> {
    let architecture = config.architecture()?;
    let mut channels: Vec<usize> =
        stages(config).map(|stage| architecture.stage_channels(stage)).collect();
    if has_extra_level(config) {
        channels.extend(channels.last().copied());
    }
    Ok(channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_a_square_image_are_those_of_the_paper() {
        let config = DetectorConfig::default();
        assert_eq!(level_sizes(&config, 320, 320), [(40, 40), (20, 20), (10, 10), (5, 5)]);
        assert_eq!(level_sizes(&config, 33, 65), [(5, 9), (3, 5), (2, 3), (1, 2)]);
        let single = DetectorConfig { levels_count: 1, ..config.clone() };
        assert_eq!(level_sizes(&single, 320, 320), [(10, 10)]);
        let three = DetectorConfig { levels_count: 3, ..config };
        assert_eq!(level_sizes(&three, 320, 320), [(40, 40), (20, 20), (10, 10)]);
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

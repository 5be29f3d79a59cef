//! Which learning rate each parameter has: consecutive ranges of the flat array.
//!
//! Official Deformable DETR: the backbone has a rate of its own, and what places the sampling points
//! (`reference_points`, `sampling_offsets`) a tenth of the others'.

use super::config::TrainingConfig;
use crate::nn::parameters::ParameterTable;
use std::ops::Range;

/// Consecutive trained parameters of one learning rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub range: Range<usize>,
    /// Before the schedule.
    pub learning_rate: f64,
}

/// The groups of all trained parameters, in the order of their places.
pub fn groups(table: &ParameterTable, config: &TrainingConfig) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for parameter in table.iter().filter(|parameter| parameter.trained) {
        let name = &parameter.name;
        let learning_rate = if name.starts_with("backbone.") {
            config.backbone_learning_rate
        } else if name.contains("reference_points") || name.contains("sampling_offsets") {
            config.learning_rate * config.offsets_multiplier
        } else {
            config.learning_rate
        };
        match groups.last_mut() {
            Some(last) if last.learning_rate == learning_rate => {
                last.range.end = parameter.range.end;
            }
            _ => groups.push(Group { range: parameter.range.clone(), learning_rate }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parameters::ParameterSpec;

    #[test]
    fn neighbours_of_one_rate_are_one_group() {
        let frozen = ParameterSpec { trained: false, ..ParameterSpec::new("backbone.bn", &[9]) };
        let table = ParameterTable::new(vec![
            ParameterSpec::new("backbone.a", &[2]),
            frozen,
            ParameterSpec::new("backbone.b", &[3]),
            ParameterSpec::new("x.sampling_offsets.bias", &[4]),
            ParameterSpec::new("y", &[1]),
        ])
        .unwrap();
        let config = TrainingConfig {
            learning_rate: 1e-3,
            backbone_learning_rate: 1e-4,
            offsets_multiplier: 0.5,
            ..TrainingConfig::default()
        };
        let found: Vec<_> =
            groups(&table, &config).into_iter().map(|g| (g.range, g.learning_rate)).collect();
        assert_eq!(found, [(0..5, 1e-4), (5..9, 5e-4), (9..10, 1e-3)]);
    }
}

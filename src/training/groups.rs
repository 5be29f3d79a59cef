//! Which learning rate each parameter has, and whether it decays: consecutive ranges of the flat array.
//!
//! The role of a parameter says it: the backbone has a rate of its own, and so has what places the points
//! that attention samples.

use super::config::TrainingConfig;
use crate::nn::parameters::{ParameterTable, Role};
use std::ops::Range;

/// Consecutive trained parameters of one learning rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub range: Range<usize>,
    /// Before the schedule.
    pub learning_rate: f64,
    /// Whether weight decay pulls them to 0.
    pub decays: bool,
}

/// The groups of all trained parameters, in the order of their places.
pub fn groups(table: &ParameterTable, config: &TrainingConfig) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for parameter in table.iter().filter(|parameter| parameter.trained) {
        let learning_rate = match parameter.role {
            Role::Backbone => config.backbone_learning_rate,
            Role::Points => config.learning_rate * config.offsets_multiplier,
            Role::Queries | Role::ClassHead | Role::Other => config.learning_rate,
        };
        let decays = parameter.decays;
        match groups.last_mut() {
            Some(last) if (last.learning_rate, last.decays) == (learning_rate, decays) => {
                last.range.end = parameter.range.end;
            }
            _ => groups.push(Group { range: parameter.range.clone(), learning_rate, decays }),
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
        let spec = |name: &str, length, role| ParameterSpec {
            role,
            ..ParameterSpec::new(name, &[length])
        };
        let table = ParameterTable::new(vec![
            spec("a", 2, Role::Backbone),
            ParameterSpec { trained: false, ..spec("frozen", 9, Role::Backbone) },
            spec("b", 3, Role::Backbone),
            spec("offsets", 4, Role::Points),
            spec("head", 1, Role::ClassHead),
            ParameterSpec { decays: false, ..spec("norm", 2, Role::Other) },
        ])
        .unwrap();
        let config = TrainingConfig {
            learning_rate: 1e-3,
            backbone_learning_rate: 1e-4,
            offsets_multiplier: 0.5,
            ..TrainingConfig::default()
        };
        let group = |range, learning_rate, decays| Group { range, learning_rate, decays };
        let expected = [
            group(0..5, 1e-4, true),
            group(5..9, 5e-4, true),
            group(9..10, 1e-3, true),
            group(10..12, 1e-3, false),
        ];
        assert_eq!(groups(&table, &config), expected);
    }
}

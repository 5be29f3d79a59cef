//! The keys of Algorithm 1 as a whole.

use serde::{Deserialize, Serialize};

/// The keys of a whole run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PretrainConfig {
    /// Stages of training after clustering. Default 2: the patent's third gains little (Table 4).
    pub stages_count: u16,
    /// Each stage starts from the weights that the first one started with, instead of the last
    /// one's. Default false.
    pub cold: bool,
    /// What the backbone starts from: `encoder` (Algorithm 1 writes both as g_b), `random`, or a
    /// safetensors file of a ResNet. Default `encoder`.
    pub backbone_init: String,
}

impl Default for PretrainConfig {
    fn default() -> PretrainConfig {
        PretrainConfig { stages_count: 2, cold: false, backbone_init: "encoder".into() }
    }
}

//! What the keys of a run mean to one stage of its training.

use super::config::RunConfig;
use crate::training::stage_config::StageConfig;
use crate::training::trainable::View;

/// What stage `stage` of a run of `config` reads; `settings` is what its checkpoints belong to.
pub fn stage_config(config: &RunConfig, stage: u16, settings: String) -> StageConfig {
    StageConfig {
        training: config.training.clone(),
        augmentation: config.augmentation.clone(),
        loader: config.loader.clone(),
        view: view(config),
        limits: config.limits.clone(),
        box_score: config.relabel.box_score,
        seed: config.seed,
        stage,
        fresh: is_fresh(config, stage),
        settings,
    }
}

/// Whether a stage starts from the weights that a run starts with.
pub(super) fn is_fresh(config: &RunConfig, stage: u16) -> bool {
    stage == 1 || config.pretrain.cold
}

/// Images are labelled at the largest size that the detector was trained on.
pub fn view(config: &RunConfig) -> View {
    let resize = config.augmentation.seen_size();
    View { resize, normalisation: config.encoder.normalisation() }
}

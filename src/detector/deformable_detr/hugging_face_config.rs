//! The `config.json` that `transformers` reads beside a detector's weights.
//!
//! With it a folder of both opens as DeformableDetrForObjectDetection. The backbone is described as
//! `transformers`' own ResNet, which has any width and needs no further package.

use super::sizes::stages;
use crate::Result;
use crate::backbone::architecture::{Block, STAGES};
use crate::detector::whole_detector::Detector;
use serde_json::{Value, json};

/// The document for `detector`.
///
/// # Errors
/// Those of [`crate::detector::config::DetectorConfig::architecture`].
pub fn document(detector: &Detector) -> Result<Value> {
    let config = detector.config();
    let architecture = config.architecture()?;
    let layer_type = match architecture.block {
        Block::Basic => "basic",
        Block::Bottleneck => "bottleneck",
    };
    let channels: Vec<usize> =
        (0..STAGES).map(|stage| architecture.stage_channels(stage)).collect();
    let maps: Vec<String> = stages(config).map(|stage| format!("stage{}", stage + 1)).collect();
    let label = |(class, name): (usize, &str)| match name {
        "" => (class.to_string(), json!(format!("class {class}"))),
        name => (class.to_string(), json!(name)),
    };
    let names = detector.categories().iter().map(|category| category.name.as_str());
    let labels: serde_json::Map<String, Value> = names.enumerate().map(label).collect();
    Ok(json!({
        "architectures": ["DeformableDetrForObjectDetection"],
        "model_type": "deformable_detr",
        "backbone_config": {
            "model_type": "resnet",
            "layer_type": layer_type,
            "embedding_size": architecture.width,
            "hidden_sizes": channels,
            "depths": architecture.blocks,
            "out_features": maps,
        },
        "backbone": null,
        "use_timm_backbone": false,
        "use_pretrained_backbone": false,
        "d_model": config.hidden_size,
        "encoder_layers": config.encoder_layers_count,
        "decoder_layers": config.decoder_layers_count,
        "encoder_attention_heads": config.heads_count,
        "decoder_attention_heads": config.heads_count,
        "encoder_ffn_dim": config.feedforward_size,
        "decoder_ffn_dim": config.feedforward_size,
        "encoder_n_points": config.points_count,
        "decoder_n_points": config.points_count,
        "num_feature_levels": config.levels_count,
        "num_queries": config.queries_count,
        "with_box_refine": config.box_refinement,
        "two_stage": false,
        // Refining detectors have a class head for each layer.
        "tie_word_embeddings": !config.box_refinement,
        "auxiliary_loss": true,
        "dropout": config.dropout,
        "activation_dropout": config.dropout,
        "attention_dropout": config.dropout,
        "activation_function": "relu",
        "position_embedding_type": "sine",
        "id2label": labels,
    }))
}

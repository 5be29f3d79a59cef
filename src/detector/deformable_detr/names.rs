//! What files call the parameters: official names, and those of Hugging Face, which follow by rule.
//!
//! Inside, names are those of the official Deformable DETR; a checkpoint under either naming is a
//! renaming away. Hugging Face splits the decoder's joint query, key and value projection in three;
//! with box refinement both repeat the box heads under the decoder.

use crate::detector::config::DetectorConfig;
use crate::detector::naming::Naming;

/// What stands before the backbone's torchvision names.
pub const BACKBONE_PREFIX: &str = "backbone.0.body.";

/// The queries of all groups, group by group.
pub const QUERIES: &str = "query_embed.weight";

/// The biases of the first class head, under either naming.
pub const CLASS_BIAS: &str = "class_embed.0.bias";
/// Beside a class head, what tells a detector's own from those that it repeats elsewhere.
pub const MARKS: [&str; 2] = ["transformer.level_embed", "model.level_embed"];

/// The joint projection's three parts, in the order of its rows.
const PROJECTIONS: [&str; 3] = ["q_proj", "k_proj", "v_proj"];

/// The Hugging Face names of an official name: one, or three where its rows are split evenly.
pub fn hugging_face(name: &str) -> Vec<String> {
    if name.starts_with("class_embed") || name.starts_with("bbox_embed") {
        return vec![name.into()];
    }
    if let Some(rest) = name.strip_prefix(BACKBONE_PREFIX) {
        return vec![format!("{HUGGING_FACE_BACKBONE}{}", hugging_face_resnet(rest))];
    }
    let plain = name.strip_prefix("transformer.").unwrap_or(name);
    let plain = plain.replace("query_embed", "query_position_embeddings");
    let norms: &[(&str, &str)] = if plain.starts_with("encoder.") {
        &[("norm1", "self_attn_layer_norm"), ("norm2", "final_layer_norm")]
    } else {
        &[
            ("norm1", "encoder_attn_layer_norm"),
            ("norm2", "self_attn_layer_norm"),
            ("norm3", "final_layer_norm"),
            ("cross_attn", "encoder_attn"),
        ]
    };
    let common = [("linear1", "fc1"), ("linear2", "fc2")];
    let parts = plain.split('.').map(|part| {
        let renamed = norms.iter().chain(&common).find(|(official, _)| *official == part);
        renamed.map_or(part, |(_, other)| other)
    });
    let renamed = format!("model.{}", parts.collect::<Vec<_>>().join("."));
    let Some((attention, kind)) = renamed.split_once(".in_proj_") else {
        return vec![renamed];
    };
    PROJECTIONS.iter().map(|part| format!("{attention}.{part}.{kind}")).collect()
}

/// What stands before the backbone's names in Hugging Face files.
const HUGGING_FACE_BACKBONE: &str = "model.backbone.conv_encoder.model.";

/// The name that a Hugging Face file has for a parameter of the backbone when it comes from `timm`,
/// as in the published checkpoints; [`hugging_face`] names those of `transformers`' own ResNet, which
/// has any width. `None` for other parameters.
pub fn hugging_face_timm(name: &str) -> Option<String> {
    name.strip_prefix(BACKBONE_PREFIX).map(|rest| format!("{HUGGING_FACE_BACKBONE}{rest}"))
}

/// torchvision's name of a ResNet's parameter as `transformers` has it.
fn hugging_face_resnet(name: &str) -> String {
    let (module, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    let parts: Vec<&str> = module.split('.').collect();
    let number = |part: &str| {
        let digits = part.trim_start_matches(char::is_alphabetic);
        digits.parse::<usize>().map_or(0, |number| number.saturating_sub(1))
    };
    let is_norm = |part: &str| part.starts_with("bn") || part == "1";
    let half = |part: &str| if is_norm(part) { "normalization" } else { "convolution" };
    match parts[..] {
        [stage, block, "downsample", part] => {
            let (stage, half) = (number(stage), half(part));
            format!("encoder.stages.{stage}.layers.{block}.shortcut.{half}.{kind}")
        }
        [stage, block, layer] => {
            let (stage, place, half) = (number(stage), number(layer), half(layer));
            format!("encoder.stages.{stage}.layers.{block}.layer.{place}.{half}.{kind}")
        }
        _ => format!("embedder.embedder.{}.{kind}", half(module)),
    }
}

/// Where a file may hold a parameter, the usual place first: the tensors that make it up, in the order
/// of its rows.
pub fn places(config: &DetectorConfig, name: &str, naming: Naming) -> Vec<Vec<String>> {
    if naming == Naming::Official {
        return vec![vec![name.into()]];
    }
    if let Some(other) = hugging_face_timm(name) {
        return vec![hugging_face(name), vec![other]];
    }
    match name.split_once('.') {
        // `transformers` 5 ties the class heads of all layers and then stores the first.
        Some(("class_embed", rest)) => {
            let first = rest.split_once('.').map(|(_, part)| format!("class_embed.0.{part}"));
            vec![vec![name.into()], first.into_iter().collect()]
        }
        // It holds refining heads under the decoder alone.
        Some(("bbox_embed", _)) if config.box_refinement => {
            vec![hugging_face(&format!("transformer.decoder.{name}"))]
        }
        _ => vec![hugging_face(name)],
    }
}

/// Under which further official name a file repeats this parameter.
pub fn repeated(config: &DetectorConfig, name: &str) -> Vec<String> {
    let head = name.starts_with("class_embed.") || name.starts_with("bbox_embed.");
    match (head, config.box_refinement) {
        (false, _) => Vec::new(),
        (true, true) if name.starts_with("bbox_embed.") => {
            vec![format!("transformer.decoder.{name}")]
        }
        (true, true) => Vec::new(),
        (true, false) => (1..config.decoder_layers_count)
            .map(|layer| name.replacen(".0.", &format!(".{layer}."), 1))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_those_of_hugging_face_files() {
        for (official, other) in [
            (
                "backbone.0.body.layer1.0.bn1.bias",
                "model.backbone.conv_encoder.model.encoder.stages.0.layers.0.layer.0.normalization.bias",
            ),
            (
                "backbone.0.body.layer4.1.downsample.0.weight",
                "model.backbone.conv_encoder.model.encoder.stages.3.layers.1.shortcut.convolution.weight",
            ),
            (
                "backbone.0.body.bn1.running_var",
                "model.backbone.conv_encoder.model.embedder.embedder.normalization.running_var",
            ),
            ("input_proj.3.1.weight", "model.input_proj.3.1.weight"),
            ("query_embed.weight", "model.query_position_embeddings.weight"),
            ("transformer.level_embed", "model.level_embed"),
            (
                "transformer.encoder.layers.0.norm1.bias",
                "model.encoder.layers.0.self_attn_layer_norm.bias",
            ),
            ("transformer.encoder.layers.0.linear1.bias", "model.encoder.layers.0.fc1.bias"),
            (
                "transformer.decoder.layers.2.norm1.bias",
                "model.decoder.layers.2.encoder_attn_layer_norm.bias",
            ),
            (
                "transformer.decoder.layers.2.cross_attn.value_proj.bias",
                "model.decoder.layers.2.encoder_attn.value_proj.bias",
            ),
            ("bbox_embed.0.layers.2.bias", "bbox_embed.0.layers.2.bias"),
        ] {
            assert_eq!(hugging_face(official), [other]);
        }
        let timm = hugging_face_timm("backbone.0.body.layer1.0.bn1.bias").unwrap();
        assert_eq!(timm, "model.backbone.conv_encoder.model.layer1.0.bn1.bias");
        let split = hugging_face("transformer.decoder.layers.1.self_attn.in_proj_bias");
        assert_eq!(split[1], "model.decoder.layers.1.self_attn.k_proj.bias");
        assert_eq!(split.len(), 3);
    }

    #[test]
    fn shared_heads_are_repeated_for_every_layer() {
        let config = DetectorConfig::default();
        let repeats = repeated(&config, "class_embed.0.weight");
        assert_eq!((repeats.len(), repeats[4].as_str()), (5, "class_embed.5.weight"));
        let refining = DetectorConfig { box_refinement: true, ..config };
        let repeats = repeated(&refining, "bbox_embed.3.layers.0.bias");
        assert_eq!(repeats, ["transformer.decoder.bbox_embed.3.layers.0.bias"]);
        assert!(repeated(&refining, "query_embed.weight").is_empty());
    }
}

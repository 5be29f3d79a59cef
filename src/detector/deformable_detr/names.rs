//! Every parameter by its official name and shape, and what Hugging Face files call it.
//!
//! Inside, names are those of the official Deformable DETR; a checkpoint under either naming is a
//! renaming away. Hugging Face splits the decoder's joint query, key and value projection in three;
//! with box refinement both repeat the box heads under the decoder.

use crate::Result;
use crate::backbone::architecture::NORM_PARTS;
use crate::detector::config::{DetectorConfig, Frozen};
use crate::nn::parameters::{ParameterSpec, ParameterTable};

/// What stands before the backbone's torchvision names.
pub const BACKBONE_PREFIX: &str = "backbone.0.body.";

/// The queries of all groups, group by group.
pub const QUERIES: &str = "query_embed.weight";

/// The parameters of a detector, the backbone first.
///
/// # Errors
/// Those of [`DetectorConfig::architecture`].
pub fn parameter_table(config: &DetectorConfig) -> Result<ParameterTable> {
    let mut specs = backbone(config)?;
    let hidden = config.hidden_size;
    let channels: Vec<usize> = projected_channels(config)?;
    for (level, channels) in channels.into_iter().enumerate() {
        let kernel = if level < config.stages().len() { 1 } else { 3 };
        let shape = [hidden, channels, kernel, kernel];
        specs.push(ParameterSpec::new(format!("input_proj.{level}.0.weight"), &shape));
        specs.push(ParameterSpec::new(format!("input_proj.{level}.0.bias"), &[hidden]));
        norm(&mut specs, &format!("input_proj.{level}.1"), hidden);
    }
    let queries = [config.query_groups_count * config.queries_count, 2 * hidden];
    specs.push(ParameterSpec::new(QUERIES, &queries));
    specs.push(ParameterSpec::new("transformer.level_embed", &[config.levels_count, hidden]));
    linear(&mut specs, "transformer.reference_points", 2, hidden);
    for layer in 0..config.encoder_layers_count {
        encoder_layer(&mut specs, config, layer);
    }
    for layer in 0..config.decoder_layers_count {
        decoder_layer(&mut specs, config, layer);
    }
    for head in 0..heads_count(config) {
        linear(&mut specs, &format!("class_embed.{head}"), config.classes_count, hidden);
        for (layer, outputs) in [hidden, hidden, 4].into_iter().enumerate() {
            linear(&mut specs, &format!("bbox_embed.{head}.layers.{layer}"), outputs, hidden);
        }
    }
    ParameterTable::new(specs)
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
        config.stages().map(|stage| architecture.stage_channels(stage)).collect();
    if config.has_extra_level() {
        channels.extend(channels.last().copied());
    }
    Ok(channels)
}

fn backbone(config: &DetectorConfig) -> Result<Vec<ParameterSpec>> {
    let is_norm = |name: &str| {
        let mut parts = name.rsplit('.');
        let (part, layer) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let in_shortcut = layer == "1" && name.contains("downsample");
        NORM_PARTS.contains(&part) && (layer.starts_with("bn") || in_shortcut)
    };
    let frozen = |name: &str| match config.frozen {
        Frozen::None => false,
        Frozen::Stem => name.starts_with("conv1") || name.starts_with("layer1"),
        Frozen::Backbone => true,
    };
    let spec = |(name, shape): (String, Vec<usize>)| ParameterSpec {
        trained: !is_norm(&name) && !frozen(&name),
        name: format!("{BACKBONE_PREFIX}{name}"),
        shape,
    };
    Ok(config.architecture()?.parameters().into_iter().map(spec).collect())
}

fn linear(specs: &mut Vec<ParameterSpec>, name: &str, outputs: usize, inputs: usize) {
    specs.push(ParameterSpec::new(format!("{name}.weight"), &[outputs, inputs]));
    specs.push(ParameterSpec::new(format!("{name}.bias"), &[outputs]));
}

fn norm(specs: &mut Vec<ParameterSpec>, name: &str, channels: usize) {
    specs.push(ParameterSpec::new(format!("{name}.weight"), &[channels]));
    specs.push(ParameterSpec::new(format!("{name}.bias"), &[channels]));
}

fn deformable_attention(specs: &mut Vec<ParameterSpec>, config: &DetectorConfig, name: &str) {
    let hidden = config.hidden_size;
    let points = config.heads_count * config.levels_count * config.points_count;
    linear(specs, &format!("{name}.sampling_offsets"), 2 * points, hidden);
    linear(specs, &format!("{name}.attention_weights"), points, hidden);
    linear(specs, &format!("{name}.value_proj"), hidden, hidden);
    linear(specs, &format!("{name}.output_proj"), hidden, hidden);
}

fn feedforward(specs: &mut Vec<ParameterSpec>, config: &DetectorConfig, name: &str) {
    let (hidden, inner) = (config.hidden_size, config.feedforward_size);
    linear(specs, &format!("{name}.linear1"), inner, hidden);
    linear(specs, &format!("{name}.linear2"), hidden, inner);
}

fn encoder_layer(specs: &mut Vec<ParameterSpec>, config: &DetectorConfig, layer: usize) {
    let name = format!("transformer.encoder.layers.{layer}");
    deformable_attention(specs, config, &format!("{name}.self_attn"));
    norm(specs, &format!("{name}.norm1"), config.hidden_size);
    feedforward(specs, config, &name);
    norm(specs, &format!("{name}.norm2"), config.hidden_size);
}

fn decoder_layer(specs: &mut Vec<ParameterSpec>, config: &DetectorConfig, layer: usize) {
    let (hidden, name) = (config.hidden_size, format!("transformer.decoder.layers.{layer}"));
    deformable_attention(specs, config, &format!("{name}.cross_attn"));
    norm(specs, &format!("{name}.norm1"), hidden);
    specs.push(ParameterSpec::new(
        format!("{name}.self_attn.in_proj_weight"),
        &[3 * hidden, hidden],
    ));
    specs.push(ParameterSpec::new(format!("{name}.self_attn.in_proj_bias"), &[3 * hidden]));
    linear(specs, &format!("{name}.self_attn.out_proj"), hidden, hidden);
    norm(specs, &format!("{name}.norm2"), hidden);
    feedforward(specs, config, &name);
    norm(specs, &format!("{name}.norm3"), hidden);
}

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

    /// The count of the official repository's README (40 M) by shapes, without batch norms:
    /// algorithm.md §2.1 counts 40.1 M with 91 classes.
    #[test]
    fn the_full_size_has_the_published_number_of_parameters() {
        let config = DetectorConfig { classes_count: 91, ..DetectorConfig::default() };
        let table = parameter_table(&config).unwrap();
        let millions = table.trained_length() as f64 / 1e6;
        assert!((39.5..40.5).contains(&millions), "{millions}");
        let frozen = DetectorConfig { frozen: Frozen::Backbone, ..config };
        let less = parameter_table(&frozen).unwrap();
        assert_eq!(less.length(), table.length());
        assert!(less.iter().filter(|p| p.name.starts_with("backbone")).all(|p| !p.trained));
    }

    #[test]
    fn batch_norms_are_never_trained_and_the_stem_only_where_asked() {
        let table = parameter_table(&DetectorConfig::default()).unwrap();
        let trained = |name: &str| table.get(&format!("{BACKBONE_PREFIX}{name}")).unwrap().trained;
        assert!(trained("conv1.weight") && trained("layer1.0.downsample.0.weight"));
        assert!(!trained("bn1.weight") && !trained("layer1.0.downsample.1.weight"));
        let stem = DetectorConfig { frozen: Frozen::Stem, ..DetectorConfig::default() };
        let table = parameter_table(&stem).unwrap();
        let trained = |name: &str| table.get(&format!("{BACKBONE_PREFIX}{name}")).unwrap().trained;
        assert!(!trained("conv1.weight") && !trained("layer1.2.conv3.weight"));
        assert!(trained("layer2.0.conv1.weight"));
    }

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

//! Every parameter of a Deformable DETR, declared once: official name, shape, what training does with it
//! and what it starts as.
//!
//! Rates are those of the official code: the backbone has one of its own, and what places the sampling
//! points a tenth of the others'. Names in other files follow by rule ([`super::names`]).

use super::initial::{
    ONES, ZEROS, backbone as backbone_values, box_biases, class_biases, offsets, torch, xavier,
};
use super::names::{BACKBONE_PREFIX, QUERIES};
use super::sizes::{heads_count, projected_channels, stages};
use crate::Result;
use crate::backbone::architecture::NORM_PARTS;
use crate::detector::config::{DetectorConfig, Frozen};
use crate::nn::parameters::{Initial, ParameterSpec, Role};

/// The parameters of a detector, the backbone first.
///
/// # Errors
/// Those of [`DetectorConfig::architecture`].
pub fn specifications(config: &DetectorConfig) -> Result<Vec<ParameterSpec>> {
    let hidden = config.hidden_size;
    let mut list = List { config, specs: backbone(config)? };
    for (level, channels) in projected_channels(config)?.into_iter().enumerate() {
        let kernel = if level < stages(config).len() { 1 } else { 3 };
        let name = format!("input_proj.{level}.0");
        list.matrix(&name, &[hidden, channels, kernel, kernel], ZEROS, Role::Other);
        list.norm(&format!("input_proj.{level}.1"));
    }
    let queries = [config.query_groups_count * config.queries_count, 2 * hidden];
    list.add(QUERIES, &queries, Initial::Normal(1.0), Role::Queries);
    let levels = [config.levels_count, hidden];
    list.add("transformer.level_embed", &levels, Initial::Normal(1.0), Role::Other);
    list.matrix("transformer.reference_points", &[2, hidden], ZEROS, Role::Points);
    for layer in 0..config.encoder_layers_count {
        list.encoder_layer(layer);
    }
    for layer in 0..config.decoder_layers_count {
        list.decoder_layer(layer);
    }
    for head in 0..heads_count(config) {
        list.heads(head);
    }
    Ok(list.specs)
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
        role: Role::Backbone,
        initial: backbone_values(&name, &shape),
        ..ParameterSpec::new(format!("{BACKBONE_PREFIX}{name}"), &shape)
    };
    Ok(config.architecture()?.parameters().into_iter().map(spec).collect())
}

/// The parameters so far.
struct List<'a> {
    config: &'a DetectorConfig,
    specs: Vec<ParameterSpec>,
}

impl List<'_> {
    fn add(&mut self, name: &str, shape: &[usize], initial: Initial, role: Role) {
        self.specs.push(ParameterSpec { role, initial, ..ParameterSpec::new(name, shape) });
    }

    /// A weight and a bias.
    fn layer(&mut self, name: &str, shape: &[usize], initial: [Initial; 2], role: Role) {
        let [weight, bias] = initial;
        self.add(&format!("{name}.weight"), shape, weight, role);
        self.add(&format!("{name}.bias"), &shape[..1], bias, role);
    }

    /// A layer whose weights start as the transformer's do.
    fn matrix(&mut self, name: &str, shape: &[usize], bias: Initial, role: Role) {
        self.layer(name, shape, [xavier(shape), bias], role);
    }

    fn norm(&mut self, name: &str) {
        self.layer(name, &[self.config.hidden_size], [ONES, ZEROS], Role::Other);
    }

    fn deformable_attention(&mut self, name: &str) {
        let DetectorConfig { hidden_size: hidden, heads_count, levels_count, .. } = *self.config;
        let points = heads_count * levels_count * self.config.points_count;
        let rings = [ZEROS, offsets(self.config)];
        self.layer(&format!("{name}.sampling_offsets"), &[2 * points, hidden], rings, Role::Points);
        let equal = [ZEROS, ZEROS];
        self.layer(&format!("{name}.attention_weights"), &[points, hidden], equal, Role::Other);
        self.matrix(&format!("{name}.value_proj"), &[hidden, hidden], ZEROS, Role::Other);
        self.matrix(&format!("{name}.output_proj"), &[hidden, hidden], ZEROS, Role::Other);
    }

    fn feedforward(&mut self, name: &str) {
        let (hidden, inner) = (self.config.hidden_size, self.config.feedforward_size);
        self.matrix(&format!("{name}.linear1"), &[inner, hidden], torch(hidden), Role::Other);
        self.matrix(&format!("{name}.linear2"), &[hidden, inner], torch(inner), Role::Other);
    }

    fn encoder_layer(&mut self, layer: usize) {
        let name = format!("transformer.encoder.layers.{layer}");
        self.deformable_attention(&format!("{name}.self_attn"));
        self.norm(&format!("{name}.norm1"));
        self.feedforward(&name);
        self.norm(&format!("{name}.norm2"));
    }

    fn decoder_layer(&mut self, layer: usize) {
        let hidden = self.config.hidden_size;
        let name = format!("transformer.decoder.layers.{layer}");
        self.deformable_attention(&format!("{name}.cross_attn"));
        self.norm(&format!("{name}.norm1"));
        // Queries, keys and values, row by row.
        let joint = [3 * hidden, hidden];
        let weight = format!("{name}.self_attn.in_proj_weight");
        self.add(&weight, &joint, xavier(&joint), Role::Other);
        self.add(&format!("{name}.self_attn.in_proj_bias"), &joint[..1], ZEROS, Role::Other);
        self.matrix(&format!("{name}.self_attn.out_proj"), &[hidden, hidden], ZEROS, Role::Other);
        self.norm(&format!("{name}.norm2"));
        self.feedforward(&name);
        self.norm(&format!("{name}.norm3"));
    }

    /// The class head and the box head of a layer, or of all.
    fn heads(&mut self, head: usize) {
        let DetectorConfig { hidden_size: hidden, classes_count, .. } = *self.config;
        let scores = [torch(hidden), class_biases()];
        let shape = [classes_count, hidden];
        self.layer(&format!("class_embed.{head}"), &shape, scores, Role::ClassHead);
        let plain = || [torch(hidden), torch(hidden)];
        let layers = [(hidden, plain()), (hidden, plain()), (4, [ZEROS, box_biases(head)])];
        for (layer, (outputs, initial)) in layers.into_iter().enumerate() {
            let name = format!("bbox_embed.{head}.layers.{layer}");
            self.layer(&name, &[outputs, hidden], initial, Role::Other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::parameters::parameter_table;

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
}

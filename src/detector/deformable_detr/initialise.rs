//! What every parameter is before training.
//!
//! Deformable DETR's official code: Xavier for the matrices of the transformer; sampling offsets
//! that start as rings of points around the reference in the directions of the heads; attention
//! weights of zero; class scores near 0.01; a last box layer of zeros whose sizes start at
//! sigmoid(-2). Linear layers outside the transformer start as torch's do. The backbone starts from
//! given weights, or from He's normal (fan out) where asked.

use crate::detector::config::DetectorConfig;
use crate::nn::parameters::{Parameter, ParameterTable};
use crate::random::{Purpose, Random, StreamKey};
use crate::{Result, memory};

/// Probability of a class before training; the focal loss needs it small (Lin et al. 2017).
const CLASS_PRIOR: f64 = 0.01;

/// Draws every parameter. Each has a stream of its own, keyed by its place, so that a part that is
/// loaded afterwards changes no other.
///
/// # Errors
/// [`crate::Error::OutOfMemory`].
pub fn initialise(config: &DetectorConfig, table: &ParameterTable, seed: u64) -> Result<Vec<f32>> {
    let mut values = memory::filled(0.0, table.length(), "a detector's parameters")?;
    for (place, parameter) in table.iter().enumerate() {
        let key = StreamKey::new(seed, Purpose::Initialisation).for_image(place as u32);
        let target = &mut values[parameter.range.clone()];
        draw(config, table, parameter, &mut Random::new(key), target);
    }
    Ok(values)
}

fn draw(
    config: &DetectorConfig,
    table: &ParameterTable,
    parameter: &Parameter,
    random: &mut Random,
    target: &mut [f32],
) {
    let (name, shape) = (parameter.name.as_str(), parameter.shape.as_slice());
    let bias = name.ends_with("bias");
    if name.starts_with("backbone.") {
        backbone(name, shape, random, target);
    } else if name == "query_embed.weight" || name == "transformer.level_embed" {
        target.iter_mut().for_each(|value| *value = random.normal() as f32);
    } else if name.contains("norm") || is_group_norm(name) {
        target.fill(if bias { 0.0 } else { 1.0 });
    } else if name.ends_with("sampling_offsets.bias") {
        offsets(config, target);
    } else if name.contains("sampling_offsets") || name.contains("attention_weights") {
        target.fill(0.0);
    } else if name.starts_with("bbox_embed") && name.contains("layers.2") {
        // Sizes start at sigmoid(-2); refined boxes start from the layer before, not from that.
        if bias && name.starts_with("bbox_embed.0") {
            target[2..].fill(-2.0);
        }
    } else if name.starts_with("class_embed") && bias {
        target.fill(-((1.0 - CLASS_PRIOR) / CLASS_PRIOR).ln() as f32);
    } else if bias {
        let zero = ["value_proj", "output_proj", "out_proj", "in_proj", "reference_points"];
        if !zero.iter().any(|part| name.contains(part)) && !name.starts_with("input_proj") {
            let weight = table.get(&name.replace("bias", "weight"));
            let inputs = weight.map_or(1, |weight| weight.shape[1]);
            uniform(1.0 / (inputs as f64).sqrt(), random, target);
        }
    } else if name.starts_with("class_embed") || name.starts_with("bbox_embed") {
        uniform(1.0 / (shape[1] as f64).sqrt(), random, target);
    } else {
        let field: usize = shape[2..].iter().product();
        uniform((6.0 / ((shape[0] + shape[1]) * field) as f64).sqrt(), random, target);
    }
}

/// The second entry of an input projection is its group normalisation.
fn is_group_norm(name: &str) -> bool {
    name.starts_with("input_proj") && name.split('.').nth(2) == Some("1")
}

fn backbone(name: &str, shape: &[usize], random: &mut Random, target: &mut [f32]) {
    match shape {
        [outputs, _, height, width] => {
            let deviation = (2.0 / (outputs * height * width) as f64).sqrt();
            target.iter_mut().for_each(|value| *value = (random.normal() * deviation) as f32);
        }
        _ if name.ends_with("weight") || name.ends_with("running_var") => target.fill(1.0),
        _ => target.fill(0.0),
    }
}

fn uniform(bound: f64, random: &mut Random, target: &mut [f32]) {
    target.iter_mut().for_each(|value| *value = (bound * (2.0 * random.uniform() - 1.0)) as f32);
}

/// `[heads, levels, points, 2]`: head h looks along angle 2 pi h / heads, stretched so that the
/// larger coordinate is 1; point i is i + 1 steps away.
fn offsets(config: &DetectorConfig, target: &mut [f32]) {
    let (levels, points) = (config.levels_count, config.points_count);
    for (head, of_head) in target.chunks_exact_mut(levels * points * 2).enumerate() {
        let angle = std::f64::consts::TAU * head as f64 / config.heads_count as f64;
        let (y, x) = angle.sin_cos();
        let largest = x.abs().max(y.abs());
        for (index, offset) in of_head.chunks_exact_mut(2).enumerate() {
            let steps = (index % points + 1) as f64;
            offset[0] = (x / largest * steps) as f32;
            offset[1] = (y / largest * steps) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::parameter_table;
    use super::*;

    fn small(box_refinement: bool) -> DetectorConfig {
        DetectorConfig {
            backbone_depth: 18,
            backbone_width: 8,
            hidden_size: 64,
            encoder_layers_count: 1,
            decoder_layers_count: 2,
            box_refinement,
            ..DetectorConfig::default()
        }
    }

    #[test]
    fn values_are_those_of_the_official_code() {
        let config = small(true);
        let table = parameter_table(&config).unwrap();
        let values = initialise(&config, &table, 3).unwrap();
        let of = |name: &str| &values[table.get(name).unwrap().range.clone()];
        let offsets = of("transformer.encoder.layers.0.self_attn.sampling_offsets.bias");
        assert_eq!(offsets[..4], [1.0, 0.0, 2.0, 0.0]);
        // The second of eight heads looks along the diagonal; its points are 32 numbers further.
        assert!(
            offsets[32..36].iter().zip([1.0, 1.0, 2.0, 2.0]).all(|(a, b)| (a - b).abs() < 1e-6)
        );
        assert_eq!(of("bbox_embed.0.layers.2.bias"), [0.0, 0.0, -2.0, -2.0]);
        assert_eq!(of("bbox_embed.1.layers.2.bias"), [0.0; 4]);
        assert!((of("class_embed.1.bias")[0] + 4.595_12).abs() < 1e-5);
        let bound = (6.0f32 / 128.0).sqrt();
        let xavier = of("transformer.encoder.layers.0.self_attn.value_proj.weight");
        let largest = xavier.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(largest <= bound && largest > 0.95 * bound);
        assert!(of("input_proj.3.1.weight").iter().all(|value| *value == 1.0));
        assert!(of("input_proj.3.0.bias").iter().all(|value| *value == 0.0));
        assert!(of("transformer.decoder.layers.0.linear1.bias").iter().any(|value| *value != 0.0));
        assert_eq!(values, initialise(&config, &table, 3).unwrap());
        assert_ne!(values, initialise(&config, &table, 4).unwrap());
    }
}

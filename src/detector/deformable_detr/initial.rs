//! What parameters of a Deformable DETR start as.
//!
//! Deformable DETR's official code: Xavier for the matrices of the transformer; sampling offsets
//! that start as rings of points around the reference in the directions of the heads; attention
//! weights of zero; class scores near 0.01; a last box layer of zeros whose sizes start at
//! sigmoid(-2). Linear layers outside the transformer start as torch's do. The backbone starts from
//! given weights, or from He's normal (fan out) where asked.

use crate::detector::config::DetectorConfig;
use crate::nn::parameters::Initial;

/// Probability of a class before training; the focal loss needs it small (Lin et al. 2017).
const CLASS_PRIOR: f64 = 0.01;

pub(super) const ZEROS: Initial = Initial::Constant(0.0);
pub(super) const ONES: Initial = Initial::Constant(1.0);

/// A matrix or a kernel of the transformer, `[outputs, inputs, ...]`.
pub(super) fn xavier(shape: &[usize]) -> Initial {
    let field: usize = shape[2..].iter().product();
    Initial::Uniform((6.0 / ((shape[0] + shape[1]) * field) as f64).sqrt())
}

/// What torch gives weights and biases of a linear layer.
pub(super) fn torch(inputs: usize) -> Initial {
    Initial::Uniform(1.0 / (inputs as f64).sqrt())
}

/// A parameter of the backbone by its torchvision name.
pub(super) fn backbone(name: &str, shape: &[usize]) -> Initial {
    match shape {
        [outputs, _, height, width] => {
            Initial::Normal((2.0 / (outputs * height * width) as f64).sqrt())
        }
        _ if name.ends_with("weight") || name.ends_with("running_var") => ONES,
        _ => ZEROS,
    }
}

/// Biases of a class head.
pub(super) fn class_biases() -> Initial {
    Initial::Constant(-((1.0 - CLASS_PRIOR) / CLASS_PRIOR).ln() as f32)
}

/// Biases of the last layer of the box head `head`: sizes start at sigmoid(-2); refined boxes start from
/// the layer before, not from that.
pub(super) fn box_biases(head: usize) -> Initial {
    match head {
        0 => Initial::Values(vec![0.0, 0.0, -2.0, -2.0]),
        _ => ZEROS,
    }
}

/// Biases of sampling offsets.
pub(super) fn offsets(config: &DetectorConfig) -> Initial {
    Initial::Rings { heads: config.heads_count, points: config.points_count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::parameters::{initialise, parameter_table};

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
        let values = initialise(&table, 3).unwrap();
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
        assert_eq!(values, initialise(&table, 3).unwrap());
        assert_ne!(values, initialise(&table, 4).unwrap());
    }
}

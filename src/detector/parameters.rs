//! The parameters of a detector: where they lie, and what they are before training.

use super::config::DetectorConfig;
use crate::nn::parameters::{Initial, ParameterTable};
use crate::random::{Purpose, Random, StreamKey};
use crate::{Result, memory};

/// Every parameter of a detector of these sizes.
///
/// # Errors
/// Those of [`super::kind::DetectorKind::parameters`].
pub fn parameter_table(config: &DetectorConfig) -> Result<ParameterTable> {
    ParameterTable::new(config.kind.parameters(config)?)
}

/// Draws every parameter. Each has a stream of its own, keyed by its place, so that a part that is
/// loaded afterwards changes no other.
///
/// # Errors
/// [`crate::Error::OutOfMemory`].
pub fn initialise(table: &ParameterTable, seed: u64) -> Result<Vec<f32>> {
    let mut values = memory::filled(0.0, table.length(), "a detector's parameters")?;
    for (place, parameter) in table.iter().enumerate() {
        let key = StreamKey::new(seed, Purpose::Initialisation).for_image(place as u32);
        let mut random = Random::new(key);
        let target = &mut values[parameter.range.clone()];
        match &parameter.initial {
            Initial::Constant(value) => target.fill(*value),
            Initial::Normal(deviation) => {
                target.iter_mut().for_each(|value| *value = (random.normal() * deviation) as f32);
            }
            Initial::Uniform(bound) => {
                let mut draw = || (bound * (2.0 * random.uniform() - 1.0)) as f32;
                target.iter_mut().for_each(|value| *value = draw());
            }
            Initial::Rings { heads, points } => rings(*heads, *points, target),
            Initial::Values(given) => target.copy_from_slice(given),
        }
    }
    Ok(values)
}

/// Head h looks along angle 2 pi h / heads, stretched so that the larger coordinate is 1.
fn rings(heads: usize, points: usize, target: &mut [f32]) {
    let length = (target.len() / heads.max(1)).max(1);
    for (head, of_head) in target.chunks_exact_mut(length).enumerate() {
        let angle = std::f64::consts::TAU * head as f64 / heads as f64;
        let (y, x) = angle.sin_cos();
        let largest = x.abs().max(y.abs());
        for (index, offset) in of_head.chunks_exact_mut(2).enumerate() {
            let steps = (index % points + 1) as f64;
            offset[0] = (x / largest * steps) as f32;
            offset[1] = (y / largest * steps) as f32;
        }
    }
}

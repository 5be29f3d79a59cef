//! The operations of a Deformable DETR, for one batch size and one padded image size.
//!
//! Zhu et al., ICLR 2021, in the official code's reading (algorithm.md §2.1): post-norm layers, sine
//! positions plus a learned one for each level, shared or refining heads on every decoder layer.

mod backbone;
mod decoder;
mod encoder;
mod inputs;
mod parts;

use super::batch_geometry::{BatchGeometry, GeometryTensors};
use super::sizes::level_sizes;
use crate::Result;
use crate::backbone::operations::Map;
use crate::detector::config::DetectorConfig;
use crate::detector::network::{BatchShape, Layers, SizeInputs, query_groups};
use crate::nn::network::{Memory, Network, Purpose, TensorId};
use crate::nn::ops::sine_positions::sine_positions;
use crate::nn::parameters::ParameterTable;
use inputs::Inputs;
use parts::Parts;

/// Adds the operations of a Deformable DETR.
///
/// # Errors
/// [`crate::Error::Internal`] for a parameter that `table` lacks.
pub fn build(
    config: &DetectorConfig,
    table: &ParameterTable,
    shape: BatchShape,
    purpose: Purpose,
    workers_count: usize,
) -> Result<Layers> {
    let BatchShape { images, height, width } = shape;
    let levels = level_sizes(config, height, width);
    let geometry = BatchGeometry { height, width, levels };
    let groups = query_groups(config, purpose);
    let mut parts = Parts::new(config, table, (images, groups), workers_count);
    let (cells, levels) = (geometry.cells_count(), geometry.levels.len());
    let inputs = Inputs::new(&mut parts, purpose, (height, width), (cells, levels));
    let images_map = Map { tensor: inputs.images, images, height, width, channels: 3 };
    let cells = backbone::cells(&mut parts, images_map, &geometry)?;
    let memory = encoder::encode(&mut parts, cells, &inputs, &geometry)?;
    let (logits, boxes) = decoder::decode(&mut parts, memory, &inputs, &geometry)?;
    let (builder, hidden_size) = (parts.builder.network, config.hidden_size);
    let sizes = Box::new(Sizes { geometry, hidden_size, inputs });
    Ok(Layers { builder, images: inputs.images, logits, boxes, sizes })
}

/// Masks, references and positions for images of a batch.
#[derive(Debug)]
struct Sizes {
    geometry: BatchGeometry,
    hidden_size: usize,
    inputs: Inputs,
}

impl SizeInputs for Sizes {
    fn set(&self, network: &Network<f32>, memory: &mut Memory<f32>, sizes: &[[u32; 2]]) {
        self.fill(sizes, network.data_many(memory, self.tensors()));
    }

    fn values(&self, network: &Network<f32>, sizes: &[[u32; 2]]) -> Vec<(TensorId, Vec<f32>)> {
        let tensors = self.tensors();
        let mut values = tensors.map(|tensor| vec![0.0; network.length(tensor)]);
        self.fill(sizes, values.each_mut().map(Vec::as_mut_slice));
        tensors.into_iter().zip(values).collect()
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Sizes>() + size_of_val(self.geometry.levels.as_slice())
    }
}

impl Sizes {
    fn tensors(&self) -> [TensorId; 4] {
        let Inputs { mask, valid_shares, references, positions, .. } = self.inputs;
        [mask, valid_shares, references, positions]
    }

    /// Writes mask, valid shares, references and positions.
    fn fill(&self, sizes: &[[u32; 2]], tensors: [&mut [f32]; 4]) {
        let [mask, valid_shares, references, positions] = tensors;
        let mut tensors = GeometryTensors { mask, valid_shares, references };
        self.geometry.fill(sizes, &mut tensors);
        let (mut masks, mut positions) = (&*tensors.mask, positions);
        for _ in sizes {
            for &(height, width) in &self.geometry.levels {
                let (mask, masks_left) = masks.split_at(height * width);
                let (target, left) = positions.split_at_mut(height * width * self.hidden_size);
                sine_positions(mask, (height, width), self.hidden_size / 2, target);
                (masks, positions) = (masks_left, left);
            }
        }
    }
}

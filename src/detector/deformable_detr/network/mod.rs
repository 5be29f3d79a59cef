//! The detector as a trainable network, for one batch size and one padded image size.
//!
//! Zhu et al., ICLR 2021, in the official code's reading (algorithm.md §2.1): post-norm layers, sine
//! positions plus a learned one for each level, shared or refining heads on every decoder layer.

mod backbone;
mod decoder;
mod encoder;
mod parts;

use super::batch_geometry::{BatchGeometry, GeometryTensors};
use crate::backbone::operations::Map;
use crate::detector::config::DetectorConfig;
use crate::matching::input::PredictionsShape;
use crate::nn::network::{Constants, Memory, Network, Purpose, TensorId};
use crate::nn::operation::INPUTS_MAX;
use crate::nn::ops::concatenate::Concatenate;
use crate::nn::ops::sine_positions::sine_positions;
use crate::nn::parameter_values::ParameterValues;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;
use crate::{Error, Result};
use parts::Parts;

/// A batch size and the padded size of its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchShape {
    pub images: usize,
    pub height: usize,
    pub width: usize,
}

/// A Deformable DETR for one [`BatchShape`].
#[derive(Debug)]
pub struct DetectorNetwork {
    shape: BatchShape,
    geometry: BatchGeometry,
    hidden_size: usize,
    predictions: PredictionsShape,
    network: Network<f32>,
    inputs: Inputs,
}

/// What the caller fills before each forward; in prediction all but the images once.
#[derive(Debug, Clone, Copy)]
struct Inputs {
    /// `[images, height, width, 3]`, normalised; padding is 0.
    images: TensorId,
    /// `[images, cells]`.
    mask: TensorId,
    /// `[images, levels, 2]`.
    valid_shares: TensorId,
    /// `[images, cells, levels, 2]`.
    references: TensorId,
    /// `[images, cells, hidden]`.
    positions: TensorId,
}

impl Inputs {
    fn new(
        parts: &mut Parts<'_>,
        purpose: Purpose,
        (height, width): (usize, usize),
        (cells, levels): (usize, usize),
    ) -> Inputs {
        let (images, columns) = (parts.images, parts.config.hidden_size);
        let mut of_sizes = |length: usize| match purpose {
            Purpose::Training { .. } => parts.builder.network.data(length),
            Purpose::Prediction => parts.builder.network.constant(length),
        };
        Inputs {
            mask: of_sizes(images * cells),
            valid_shares: of_sizes(images * levels * 2),
            references: of_sizes(images * cells * levels * 2),
            positions: of_sizes(images * cells * columns),
            images: parts.builder.network.data(images * height * width * 3),
        }
    }
}

/// Predictions of all decoder layers, the last layer last, and their gradients.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// `[layers, images, groups, queries, classes]`.
    pub logits: &'a [f32],
    /// `[layers, images, groups, queries, 4]`.
    pub boxes: &'a [f32],
    pub logits_gradient: &'a mut [f32],
    pub boxes_gradient: &'a mut [f32],
}

/// Places of the network's outputs.
const LOGITS: usize = 0;
const BOXES: usize = 1;

/// All layers' tensors one after another; of more than one operation takes, stacks are stacked.
fn stack(parts: &mut Parts<'_>, layers: &[TensorId]) -> TensorId {
    if layers.len() > INPUTS_MAX {
        let stacks: Vec<TensorId> =
            layers.chunks(INPUTS_MAX).map(|chunk| stack(parts, chunk)).collect();
        return stack(parts, &stacks);
    }
    let lengths = layers.iter().map(|&layer| parts.builder.network.length(layer)).collect();
    parts.builder.network.add(Concatenate::new(1, lengths), layers)
}

impl DetectorNetwork {
    /// Lays the network out for up to `workers_count` workers.
    ///
    /// # Errors
    /// Those of [`DetectorConfig::validate`]; [`Error::InvalidArgument`] for an empty batch.
    pub fn new(
        config: &DetectorConfig,
        table: &ParameterTable,
        shape: BatchShape,
        purpose: Purpose,
        workers_count: usize,
    ) -> Result<DetectorNetwork> {
        config.validate()?;
        let BatchShape { images, height, width } = shape;
        if images == 0 || height == 0 || width == 0 {
            let sizes = format!("{images} images of {height}x{width}: none may be 0");
            return Err(Error::invalid("batch", sizes));
        }
        let levels = config.level_sizes(height, width);
        let geometry = BatchGeometry { height, width, levels };
        let groups = match purpose {
            Purpose::Training { .. } => config.query_groups_count,
            Purpose::Prediction => 1,
        };
        let mut parts = Parts::new(config, table, (images, groups), workers_count);
        let (cells, levels) = (geometry.cells_count(), geometry.levels.len());
        let inputs = Inputs::new(&mut parts, purpose, (height, width), (cells, levels));
        let images_map = Map { tensor: inputs.images, images, height, width, channels: 3 };
        let cells = backbone::cells(&mut parts, images_map, &geometry)?;
        let memory = encoder::encode(&mut parts, cells, &inputs, &geometry)?;
        let (logits, boxes) = decoder::decode(&mut parts, memory, &inputs, &geometry)?;
        let layers = match purpose {
            Purpose::Training { .. } => 0..logits.len(),
            Purpose::Prediction => logits.len() - 1..logits.len(),
        };
        let [logits, boxes] = [&logits[layers.clone()], &boxes[layers.clone()]];
        let outputs = [stack(&mut parts, logits), stack(&mut parts, boxes)];
        Ok(DetectorNetwork {
            shape,
            geometry,
            hidden_size: config.hidden_size,
            predictions: PredictionsShape {
                layers: layers.len(),
                batch: images * groups,
                queries: config.queries_count,
                classes: config.classes_count,
            },
            network: parts.builder.network.finish(&outputs, purpose),
            inputs,
        })
    }

    /// Batch and image size.
    pub fn shape(&self) -> BatchShape {
        self.shape
    }

    /// Bytes held beside the arena.
    pub fn memory_bytes(&self) -> usize {
        let levels = size_of_val(self.geometry.levels.as_slice());
        size_of::<DetectorNetwork>() + levels + self.network.memory_bytes()
    }

    /// The operations.
    pub fn network(&self) -> &Network<f32> {
        &self.network
    }

    /// Sizes of the outputs. Each group of an image's queries is an entry of the batch of its own, those
    /// of an image one after another.
    pub fn predictions(&self) -> PredictionsShape {
        self.predictions
    }

    /// Logits of one decoder layer after a forward (in prediction the last one alone is there, as 0), `[images, groups, queries, classes]`.
    pub fn logits<'a>(&self, memory: &'a Memory<f32>, layer: usize) -> &'a [f32] {
        let PredictionsShape { batch, queries, classes, .. } = self.predictions;
        let length = batch * queries * classes;
        &self.network.output(memory, LOGITS)[layer * length..][..length]
    }

    /// Boxes of one decoder layer after a forward, `[images, groups, queries, 4]`: cxcywh in units of the
    /// un-padded image.
    pub fn boxes<'a>(&self, memory: &'a Memory<f32>, layer: usize) -> &'a [f32] {
        let length = self.predictions.batch * self.predictions.queries * 4;
        &self.network.output(memory, BOXES)[layer * length..][..length]
    }

    /// The outputs of all layers and their gradients, to be written between forward and backward.
    pub fn outputs<'a>(&self, memory: &'a mut Memory<f32>) -> Outputs<'a> {
        let [logits, boxes] = self.network.outputs_and_gradients(memory, [LOGITS, BOXES]);
        let ((logits, logits_gradient), (boxes, boxes_gradient)) = (logits, boxes);
        Outputs { logits, boxes, logits_gradient, boxes_gradient }
    }

    /// The images, `[images, height, width, 3]`, to be filled before each forward.
    pub fn images_mut<'a>(&self, memory: &'a mut Memory<f32>) -> &'a mut [f32] {
        self.network.data_mut(memory, self.inputs.images)
    }

    /// Fills everything that depends on the un-padded sizes `[height, width]` of the images; to be
    /// called before each forward of training, as the images are.
    pub fn set_sizes(&self, memory: &mut Memory<f32>, sizes: &[[u32; 2]]) {
        let Inputs { mask, valid_shares, references, positions, .. } = self.inputs;
        let tensors = [mask, valid_shares, references, positions];
        self.fill_sizes(sizes, self.network.data_many(memory, tensors));
    }

    /// What every prediction with `parameters` shares, for images whose un-padded `[height, width]` are
    /// `sizes`; without them the images fill the batch.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn constants(
        &self,
        parameters: &ParameterValues<f32>,
        sizes: Option<&[[u32; 2]]>,
        workers: &Workers,
    ) -> Result<Constants<f32>> {
        let BatchShape { images, height, width } = self.shape;
        let whole = vec![[height as u32, width as u32]; images];
        let Inputs { mask, valid_shares, references, positions, .. } = self.inputs;
        let tensors = [mask, valid_shares, references, positions];
        let mut values = tensors.map(|tensor| vec![0.0; self.network.length(tensor)]);
        self.fill_sizes(sizes.unwrap_or(&whole), values.each_mut().map(Vec::as_mut_slice));
        let given: [(TensorId, &[f32]); 4] =
            std::array::from_fn(|place| (tensors[place], values[place].as_slice()));
        self.network.constants(parameters, &given, workers)
    }

    /// Writes mask, valid shares, references and positions.
    fn fill_sizes(&self, sizes: &[[u32; 2]], tensors: [&mut [f32]; 4]) {
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

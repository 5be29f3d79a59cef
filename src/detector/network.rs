//! A detector as a network, for one batch size and one padded image size.
//!
//! Detectors differ in their operations, which their folders add; all answer logits and boxes of
//! several decoder layers, which one tensor each holds here.

use super::config::DetectorConfig;
use crate::matching::input::PredictionsShape;
use crate::nn::network::{Constants, Memory, Network, NetworkBuilder, Purpose, TensorId};
use crate::nn::operation::INPUTS_MAX;
use crate::nn::ops::concatenate::Concatenate;
use crate::nn::parameter_values::ParameterValues;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;
use crate::{Error, Result};
use std::fmt::Debug;

/// A batch size and the padded size of its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchShape {
    pub images: usize,
    pub height: usize,
    pub width: usize,
}

/// The operations of a detector for one [`BatchShape`], before they are laid out.
#[derive(Debug)]
pub struct Layers {
    pub builder: NetworkBuilder,
    /// `[images, height, width, 3]`, normalised; padding is 0.
    pub images: TensorId,
    /// Of each decoder layer, `[images, groups, queries, classes]`.
    pub logits: Vec<TensorId>,
    /// Of each decoder layer, `[images, groups, queries, 4]`.
    pub boxes: Vec<TensorId>,
    pub sizes: Box<dyn SizeInputs>,
}

/// What a network reads that depends on the un-padded sizes of the images alone: data in training,
/// constants in prediction.
pub trait SizeInputs: Debug + Send + Sync {
    /// Writes it for images of `sizes`, `[height, width]` each.
    fn set(&self, network: &Network<f32>, memory: &mut Memory<f32>, sizes: &[[u32; 2]]);

    /// The same as values.
    fn values(&self, network: &Network<f32>, sizes: &[[u32; 2]]) -> Vec<(TensorId, Vec<f32>)>;

    /// Bytes held beside the value itself.
    fn memory_bytes(&self) -> usize;
}

/// A detector for one [`BatchShape`].
#[derive(Debug)]
pub struct DetectorNetwork {
    shape: BatchShape,
    predictions: PredictionsShape,
    network: Network<f32>,
    images: TensorId,
    sizes: Box<dyn SizeInputs>,
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

/// Groups of an image's queries: prediction has the first alone.
pub fn query_groups(config: &DetectorConfig, purpose: Purpose) -> usize {
    match purpose {
        Purpose::Training { .. } => config.query_groups_count,
        Purpose::Prediction => 1,
    }
}

/// All layers' tensors one after another; of more than one operation takes, stacks are stacked.
fn stack(builder: &mut NetworkBuilder, layers: &[TensorId]) -> TensorId {
    if layers.len() > INPUTS_MAX {
        let stacks: Vec<TensorId> =
            layers.chunks(INPUTS_MAX).map(|chunk| stack(builder, chunk)).collect();
        return stack(builder, &stacks);
    }
    let lengths = layers.iter().map(|&layer| builder.length(layer)).collect();
    builder.add(Concatenate::new(1, lengths), layers)
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
        let built = config.kind.build(config, table, shape, purpose, workers_count)?;
        let Layers { mut builder, images: input, logits, boxes, sizes } = built;
        let layers = match purpose {
            Purpose::Training { .. } => 0..logits.len(),
            Purpose::Prediction => logits.len() - 1..logits.len(),
        };
        let [logits, boxes] = [&logits[layers.clone()], &boxes[layers.clone()]];
        let outputs = [stack(&mut builder, logits), stack(&mut builder, boxes)];
        Ok(DetectorNetwork {
            shape,
            predictions: PredictionsShape {
                layers: layers.len(),
                batch: images * query_groups(config, purpose),
                queries: config.queries_count,
                classes: config.classes_count,
            },
            network: builder.finish(&outputs, purpose),
            images: input,
            sizes,
        })
    }

    /// Batch and image size.
    pub fn shape(&self) -> BatchShape {
        self.shape
    }

    /// Bytes held beside the arena.
    pub fn memory_bytes(&self) -> usize {
        size_of::<DetectorNetwork>() + self.sizes.memory_bytes() + self.network.memory_bytes()
    }

    /// The operations.
    pub fn network(&self) -> &Network<f32> {
        &self.network
    }

    /// Sizes of the outputs. Each group of an image's queries is an entry of the batch of its own,
    /// those of an image one after another.
    pub fn predictions(&self) -> PredictionsShape {
        self.predictions
    }

    /// Logits of one decoder layer after a forward (in prediction the last one alone is there, as
    /// 0), `[images, groups, queries, classes]`.
    pub fn logits<'a>(&self, memory: &'a Memory<f32>, layer: usize) -> &'a [f32] {
        let PredictionsShape { batch, queries, classes, .. } = self.predictions;
        let length = batch * queries * classes;
        &self.network.output(memory, LOGITS)[layer * length..][..length]
    }

    /// Boxes of one decoder layer after a forward, `[images, groups, queries, 4]`: cxcywh in units
    /// of the un-padded image.
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
        self.network.data_mut(memory, self.images)
    }

    /// Fills everything that depends on the un-padded sizes `[height, width]` of the images; to be
    /// called before each forward of training, as the images are.
    pub fn set_sizes(&self, memory: &mut Memory<f32>, sizes: &[[u32; 2]]) {
        self.sizes.set(&self.network, memory, sizes);
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
        let values = self.sizes.values(&self.network, sizes.unwrap_or(&whole));
        let given: Vec<(TensorId, &[f32])> =
            values.iter().map(|(tensor, values)| (*tensor, values.as_slice())).collect();
        self.network.constants(parameters, &given, workers)
    }
}

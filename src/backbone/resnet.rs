//! ResNet for inference: weights packed once and kept beside the raw ones, one plan for each input size.

use super::architecture::{Architecture, STAGES};
use super::operations::{Map, ResNetOperations};
use super::resnet_weights::ResNetWeights;
use crate::control::Control;
use crate::nn::network::named::NamedBuilder;
use crate::nn::network::{Constants, Memory, Network, Purpose, TensorId};
use crate::nn::parameter_values::ParameterValues;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;
use crate::{Error, Result};

/// A map that the network can give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageMap {
    /// `layer1` to `layer4`.
    pub name: String,
    pub channels: usize,
    /// Pixels of the input for each cell.
    pub stride: usize,
}

/// A ResNet that is ready to run. Shared between threads.
#[derive(Debug)]
pub struct ResNet {
    architecture: Architecture,
    table: ParameterTable,
    parameters: ParameterValues<f32>,
}

/// The network for inputs of one size; what a run writes is in a [`Memory`].
#[derive(Debug)]
pub struct ResNetPlan {
    network: Network<f32>,
    constants: Constants<f32>,
    input: TensorId,
    /// Images, height, width.
    size: [usize; 3],
    maps: Vec<Map>,
}

impl ResNet {
    /// A network with these weights.
    pub fn new(weights: ResNetWeights) -> ResNet {
        let (architecture, table, values) = weights.into_parts();
        ResNet { architecture, table, parameters: ParameterValues::new(values) }
    }

    /// Reads a safetensors file at hand; see [`ResNetWeights::from_safetensors`].
    ///
    /// # Errors
    /// As [`ResNetWeights::from_safetensors`].
    pub fn from_safetensors(bytes: &[u8], source: &str) -> Result<ResNet> {
        Ok(ResNet::new(ResNetWeights::from_safetensors(bytes, source)?))
    }

    /// Depth and width.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The four maps, finest first: stage `i` of [`ResNet::plan`] is entry `i`.
    pub fn maps(&self) -> [StageMap; STAGES] {
        std::array::from_fn(|stage| StageMap {
            name: format!("layer{}", stage + 1),
            channels: self.architecture.stage_channels(stage),
            stride: Architecture::stage_stride(stage),
        })
    }

    /// Bytes of the weights and of what plans so far, of whatever sizes, packed from them.
    pub fn memory_bytes(&self) -> usize {
        self.parameters.memory_bytes()
    }

    /// The network for `images` images of `height` by `width`, which gives the maps of `stages`
    /// (0 to 3, in the order of the answers).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a size of 0, no stages or a stage over 3; [`Error::OutOfMemory`].
    pub fn plan(
        &self,
        [images, height, width]: [usize; 3],
        stages: &[usize],
        workers: &Workers,
    ) -> Result<ResNetPlan> {
        if images == 0 || height == 0 || width == 0 {
            let sizes = format!("{images} images of {height}x{width}: none may be 0");
            return Err(Error::invalid("images", sizes));
        }
        let deepest = match stages.iter().max() {
            Some(&deepest) if deepest < STAGES => deepest,
            _ => return Err(Error::invalid("stages", format!("{stages:?} are not all in 0..4"))),
        };
        let mut builder = NamedBuilder::new(&self.table, workers.count());
        let input = builder.network.data(images * height * width * 3);
        let images_map = Map { tensor: input, images, height, width, channels: 3 };
        let architecture = self.architecture;
        let mut operations = ResNetOperations { builder: &mut builder, architecture, prefix: "" };
        let all = operations.maps(images_map, deepest + 1)?;
        let maps: Vec<Map> = stages.iter().map(|&stage| all[stage]).collect();
        let outputs: Vec<TensorId> = maps.iter().map(|map| map.tensor).collect();
        let network = builder.network.finish(&outputs, Purpose::Prediction);
        let constants = network.constants(&self.parameters, &[], workers)?;
        Ok(ResNetPlan { network, constants, input, size: [images, height, width], maps })
    }

    /// Runs the network on the plan's input, which is used up. `control` is looked at before every
    /// layer.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn forward(
        &self,
        plan: &ResNetPlan,
        memory: &mut Memory<f32>,
        runners: (&Workers, &Control<'_>),
    ) -> Result<()> {
        plan.network.predict(memory, &self.parameters, &plan.constants, runners)
    }
}

impl ResNetPlan {
    /// Number, height and width of the images.
    pub fn input_size(&self) -> [usize; 3] {
        self.size
    }

    /// The images, `[images, height, width, 3]`, normalised RGB, to be filled before each run.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn images_mut<'a>(&self, memory: &'a mut Memory<f32>) -> Result<&'a mut [f32]> {
        memory.fit(&self.network)?;
        Ok(self.network.data_mut(memory, self.input))
    }

    /// A map of the last run, by its place in the list of stages.
    pub fn map(&self, index: usize) -> Map {
        self.maps[index]
    }

    /// Its values, `[images, height, width, channels]`.
    pub fn values<'a>(&self, memory: &'a Memory<f32>, index: usize) -> &'a [f32] {
        self.network.output(memory, index)
    }

    /// Bytes of the plan; its values lie in the memory that it runs in.
    pub fn memory_bytes(&self) -> usize {
        self.network.memory_bytes() + self.constants.memory_bytes()
    }
}

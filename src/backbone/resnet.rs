//! ResNet for inference: batch norms folded, weights packed, one plan for each input size.

use super::architecture::{Architecture, Block, STAGES};
use super::resnet_weights::ResNetWeights;
use crate::nn::activation::{Activation, Layout};
use crate::nn::batch_norm::BatchNorm;
use crate::nn::convolution::Convolution;
use crate::nn::max_pool::MaxPool;
use crate::nn::plan::{BufferId, Plan, PlanBuilder, PlanMemory};
use crate::nn::simd::Level;
use crate::workers::Workers;
use crate::{Error, Result, memory};

/// The pool after the stem.
const POOL: MaxPool = MaxPool { window: 3, stride: 2, padding: 1 };
/// Padding of the stem, hence the border of the input.
const STEM_PADDING: usize = 3;

/// A map that the network can give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageMap {
    /// `layer1` to `layer4`.
    pub name: String,
    pub channels: usize,
    /// Pixels of the input for each cell.
    pub stride: usize,
}

/// A ResNet that is ready to run. Shared between threads; what a run writes is in its plan.
#[derive(Debug)]
pub struct ResNet {
    architecture: Architecture,
    level: Level,
    convolutions: Vec<Convolution>,
}

/// The memory of one run: inputs of one size and the maps that were asked for.
#[derive(Debug)]
pub struct ResNetPlan {
    plan: Plan,
}

impl ResNet {
    /// Folds and packs `weights` for this processor.
    pub fn new(weights: &ResNetWeights) -> ResNet {
        ResNet::with_level(weights, Level::best())
    }

    /// The same for one of [`Level::available`].
    pub fn with_level(weights: &ResNetWeights, level: Level) -> ResNet {
        let architecture = *weights.architecture();
        let fold = |layer: super::architecture::NamedConvolution| {
            let part = |part: &str| weights.values(&format!("{}.{part}", layer.norm));
            let norm = BatchNorm {
                scale: part("weight"),
                shift: part("bias"),
                mean: part("running_mean"),
                variance: part("running_var"),
            };
            let (kernel, bias) = norm.fold(weights.values(&format!("{}.weight", layer.name)));
            Convolution::new(layer.geometry, &kernel, &bias, level)
        };
        let convolutions = architecture.convolutions().into_iter().map(fold).collect();
        ResNet { architecture, level, convolutions }
    }

    /// Reads a safetensors file at hand; see [`ResNetWeights::from_safetensors`].
    ///
    /// # Errors
    /// As [`ResNetWeights::from_safetensors`].
    pub fn from_safetensors(bytes: &[u8], source: &str) -> Result<ResNet> {
        Ok(ResNet::new(&ResNetWeights::from_safetensors(bytes, source)?))
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

    /// Bytes of the packed weights.
    pub fn memory_bytes(&self) -> usize {
        self.convolutions.iter().map(Convolution::memory_bytes).sum()
    }

    /// Memory for runs on `images` images of `height` by `width` that give the maps of `stages`
    /// (0 to 3, in the order of the answers).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a size of 0, no stages or a stage over 3; [`Error::OutOfMemory`].
    pub fn plan(
        &self,
        images: usize,
        height: usize,
        width: usize,
        stages: &[usize],
    ) -> Result<ResNetPlan> {
        self.plan_in(PlanMemory::default(), [images, height, width], stages)
    }

    /// The same in the memory of a plan that runs no more; what that one held is lost.
    ///
    /// # Errors
    /// As [`ResNet::plan`].
    pub fn plan_in(
        &self,
        memory: PlanMemory,
        [images, height, width]: [usize; 3],
        stages: &[usize],
    ) -> Result<ResNetPlan> {
        if images == 0 || height == 0 || width == 0 {
            let sizes = format!("{images} images of {height}x{width}: none may be 0");
            return Err(Error::invalid("images", sizes));
        }
        let deepest = match stages.iter().max() {
            Some(&deepest) if deepest < STAGES => deepest,
            _ => return Err(Error::invalid("stages", format!("{stages:?} are not all in 0..4"))),
        };
        let layout = Layout { images, height, width, channels: 3, border: STEM_PADDING };
        let (mut builder, input) = PlanBuilder::new(&self.convolutions, layout);
        let stem = builder.convolution(0, input, None, true, 0);
        let mut map = builder.max_pool(POOL, stem, self.map_border());
        let mut maps = Vec::new();
        let mut layer = 1;
        for stage in 0..=deepest {
            for index in 0..self.architecture.blocks[stage] {
                let shortcut = self.architecture.has_shortcut(stage, index);
                map = self.add_block(&mut builder, layer, map, shortcut);
                layer += self.architecture.block_convolutions() + usize::from(shortcut);
            }
            maps.push(map);
        }
        let outputs: Vec<BufferId> = stages.iter().map(|&stage| maps[stage]).collect();
        Ok(ResNetPlan { plan: builder.finish(&outputs, memory)? })
    }

    /// The border of maps between blocks: basic blocks read them with a 3x3 convolution.
    fn map_border(&self) -> usize {
        match self.architecture.block {
            Block::Basic => 1,
            Block::Bottleneck => 0,
        }
    }

    fn add_block(
        &self,
        builder: &mut PlanBuilder<'_>,
        first: usize,
        input: BufferId,
        shortcut: bool,
    ) -> BufferId {
        let last = first + self.architecture.block_convolutions() - 1;
        let mut inner = builder.convolution(first, input, None, true, 1);
        if self.architecture.block == Block::Bottleneck {
            inner = builder.convolution(first + 1, inner, None, true, 0);
        }
        let residual = match shortcut {
            true => builder.convolution(last + 1, input, None, false, 0),
            false => input,
        };
        builder.convolution(last, inner, Some(residual), true, self.map_border())
    }

    /// Runs the network on the plan's input.
    pub fn forward(&self, plan: &mut ResNetPlan, workers: &Workers) {
        plan.plan.run(&self.convolutions, self.level, workers);
    }
}

impl ResNetPlan {
    /// Number, height and width of the images.
    pub fn input_size(&self) -> (usize, usize, usize) {
        let layout = self.plan.input_layout();
        (layout.images, layout.height, layout.width)
    }

    /// Gives the memory to another plan.
    pub fn into_memory(self) -> PlanMemory {
        self.plan.into_memory()
    }

    /// Fills the input: `write(image, y, row)` writes row `y`, `width * 3` floats, RGB. A run uses
    /// the input up.
    pub fn fill(&mut self, workers: &Workers, write: impl Fn(usize, usize, &mut [f32]) + Sync) {
        let input = self.plan.input();
        let length = input.layout.width * input.layout.channels;
        input.for_each_band(1, workers, |band| {
            for y in band.rows.clone() {
                let start = band.offset(y, 0);
                write(band.image, y, &mut band.data[start..start + length]);
            }
        });
    }

    /// A map of the last run, by its place in the list of stages: `(height, width, channels)` and
    /// the values of `image`, HWC.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn map(&self, index: usize, image: usize) -> Result<((usize, usize, usize), Vec<f32>)> {
        let Activation { data, layout } = self.plan.output(index);
        let length = layout.width * layout.channels;
        let mut values = memory::with_capacity(layout.height * length, "a feature map")?;
        for y in layout.border..layout.border + layout.height {
            let start = layout.offset(image, y, layout.border);
            values.extend_from_slice(&data[start..start + length]);
        }
        Ok(((layout.height, layout.width, layout.channels), values))
    }

    /// Bytes of the arena and of scratch memory.
    pub fn memory_bytes(&self) -> usize {
        self.plan.memory_bytes()
    }
}

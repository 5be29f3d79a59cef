//! The family of ResNets as a table: every convolution with its name, its shape and its place.
//!
//! He, Zhang, Ren, Sun, "Deep residual learning", CVPR 2016, in torchvision's form: the stride of a
//! bottleneck is at its 3x3 convolution, and names are torchvision's, which timm shares for 18, 34
//! and 50. A width multiplier m makes the stem 64 m channels wide and every stage in proportion.

use crate::nn::ops::convolution::Geometry;

/// What a stage repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// Two 3x3 convolutions: depths 18 and 34.
    Basic,
    /// 1x1, 3x3 and 1x1 with four times the channels: depth 50.
    Bottleneck,
}

/// One network of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    pub block: Block,
    /// Blocks of each of the four stages.
    pub blocks: [usize; STAGES],
    /// Channels of the stem: 64 times the width multiplier.
    pub width: usize,
}

/// Stages `layer1` to `layer4`.
pub const STAGES: usize = 4;

/// Depths that are recognised.
const FAMILY: [(usize, Block, [usize; STAGES]); 3] = [
    (18, Block::Basic, [2, 2, 2, 2]),
    (34, Block::Basic, [3, 4, 6, 3]),
    (50, Block::Bottleneck, [3, 4, 6, 3]),
];

/// A convolution and the batch normalisation after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedConvolution {
    /// For example `layer1.0.conv1`.
    pub name: String,
    /// For example `layer1.0.bn1`.
    pub norm: String,
    pub geometry: Geometry,
}

impl Architecture {
    /// The network of this depth (18, 34 or 50), if there is one.
    pub fn with_depth(depth: usize, width: usize) -> Option<Architecture> {
        let (_, block, blocks) = FAMILY.into_iter().find(|member| member.0 == depth)?;
        Some(Architecture { block, blocks, width })
    }

    /// The shallowest network of the family that has at least these blocks.
    pub fn holding(block: Block, blocks: [usize; STAGES], width: usize) -> Option<Architecture> {
        let holds = |member: &(usize, Block, [usize; STAGES])| {
            member.1 == block && member.2.iter().zip(&blocks).all(|(has, needs)| has >= needs)
        };
        let (_, block, blocks) = FAMILY.into_iter().find(holds)?;
        Some(Architecture { block, blocks, width })
    }

    /// 18, 34 or 50; 0 for a network that is not of the family.
    pub fn depth(&self) -> usize {
        let found = FAMILY.iter().find(|member| (member.1, member.2) == (self.block, self.blocks));
        found.map_or(0, |member| member.0)
    }

    /// Channels of the map that stage `stage` (0 to 3) gives.
    pub fn stage_channels(&self, stage: usize) -> usize {
        (self.width << stage) * self.expansion()
    }

    /// Pixels of the input for each cell of the map that stage `stage` (0 to 3) gives.
    pub fn stage_stride(stage: usize) -> usize {
        4 << stage
    }

    /// Convolutions of a block, without the one on its shortcut.
    pub fn block_convolutions(&self) -> usize {
        match self.block {
            Block::Basic => 2,
            Block::Bottleneck => 3,
        }
    }

    /// Whether block `index` of a stage has a convolution on its shortcut.
    pub fn has_shortcut(&self, stage: usize, index: usize) -> bool {
        index == 0 && (stage > 0 || self.block == Block::Bottleneck)
    }

    fn expansion(&self) -> usize {
        match self.block {
            Block::Basic => 1,
            Block::Bottleneck => 4,
        }
    }

    /// Every convolution in the order in which the network runs: the stem, then each block's, the
    /// one on the shortcut last.
    pub fn convolutions(&self) -> Vec<NamedConvolution> {
        let mut list = vec![named("conv1".into(), "bn1".into(), [3, self.width], (7, 2))];
        let mut channels = self.width;
        for stage in 0..STAGES {
            for index in 0..self.blocks[stage] {
                self.push_block(&mut list, stage, index, channels);
                channels = self.stage_channels(stage);
            }
        }
        list
    }

    fn push_block(
        &self,
        list: &mut Vec<NamedConvolution>,
        stage: usize,
        index: usize,
        channels: usize,
    ) {
        let prefix = format!("layer{}.{index}", stage + 1);
        let (inner, outer) = (self.width << stage, self.stage_channels(stage));
        let stride = if stage > 0 && index == 0 { 2 } else { 1 };
        let layers: &[([usize; 2], (usize, usize))] = match self.block {
            Block::Basic => &[([channels, inner], (3, stride)), ([inner, outer], (3, 1))],
            Block::Bottleneck => &[
                ([channels, inner], (1, 1)),
                ([inner, inner], (3, stride)),
                ([inner, outer], (1, 1)),
            ],
        };
        for (number, (from_to, side_stride)) in (1..).zip(layers) {
            let (name, norm) = (format!("{prefix}.conv{number}"), format!("{prefix}.bn{number}"));
            list.push(named(name, norm, *from_to, *side_stride));
        }
        if self.has_shortcut(stage, index) {
            let part = |part: usize| format!("{prefix}.downsample.{part}");
            list.push(named(part(0), part(1), [channels, outer], (1, stride)));
        }
    }

    /// Every parameter that inference needs, with its shape.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let mut list = Vec::new();
        for NamedConvolution { name, norm, geometry } in self.convolutions() {
            let Geometry { in_channels, out_channels, kernel, .. } = geometry;
            list.push((format!("{name}.weight"), vec![out_channels, in_channels, kernel, kernel]));
            for part in NORM_PARTS {
                list.push((format!("{norm}.{part}"), vec![out_channels]));
            }
        }
        list
    }
}

/// Parameters of a batch normalisation: scale, shift, mean and variance.
pub const NORM_PARTS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

fn named(
    name: String,
    norm: String,
    [in_channels, out_channels]: [usize; 2],
    (kernel, stride): (usize, usize),
) -> NamedConvolution {
    let geometry = Geometry { in_channels, out_channels, kernel, stride, padding: kernel / 2 };
    NamedConvolution { name, norm, geometry }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published sizes of ResNet-18, 34 and 50 without `fc`, running means and variances counted
    /// too; `tests/resnet.rs` compares what the tables compute with torchvision.
    #[test]
    fn the_tables_have_torchvisions_sizes() {
        for (depth, tensors, elements) in
            [(18, 100, 11_186_112), (34, 180, 21_301_696), (50, 265, 23_561_152)]
        {
            let architecture = Architecture::with_depth(depth, 64).unwrap();
            let parameters = architecture.parameters();
            assert_eq!(architecture.depth(), depth);
            assert_eq!(parameters.len(), tensors);
            let count: usize =
                parameters.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
            assert_eq!(count, elements);
        }
    }

    #[test]
    fn missing_blocks_point_at_the_smallest_network_that_has_them() {
        let depth =
            |block, blocks| Architecture::holding(block, blocks, 64).map(|network| network.depth());
        assert_eq!(depth(Block::Basic, [2, 2, 2, 1]), Some(18));
        assert_eq!(depth(Block::Basic, [3, 4, 5, 3]), Some(34));
        assert_eq!(depth(Block::Bottleneck, [1, 1, 1, 1]), Some(50));
        assert_eq!(depth(Block::Bottleneck, [3, 4, 23, 3]), None);
    }
}

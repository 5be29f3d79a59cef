//! The built-in encoder: a small ResNet trained without labels, beside training-free channels.
//!
//! Learned channels say what things are, plain statistics of colour and texture say where they
//! end; a map carries both. Every channel is centred and scaled by constants that were measured on
//! the training images and lie in the weights file, and the channels of a kind are divided by the
//! root of their number, so that every kind weighs the same. The constants are not the image's own: a
//! region's vector must mean the same in every image, because the global clustering compares them.
//!
//! How the weights came to be: `examples/default_encoder/README.md`.

use super::descriptor::{self, Descriptor};
use super::options::EncoderOptions;
use super::resnet::ResNetEncoder;
use super::{Encoder, MapDescription, check_size, fingerprint, make_room};
use crate::backbone::checkpoint::Checkpoint;
use crate::control::Control;
use crate::data::feature_map::FeatureMap;
use crate::data::image::Image;
use crate::workers::Workers;
use crate::workers::lent::Pool;
use crate::{Error, Result};

/// The embedded file's name in errors.
const SOURCE: &str = "the embedded default weights";

#[cfg(feature = "default-encoder")]
static WEIGHTS: Option<&[u8]> = Some(include_bytes!("default_weights.safetensors"));
#[cfg(not(feature = "default-encoder"))]
static WEIGHTS: Option<&[u8]> = None;

/// The built-in encoder: maps of stride 32 and 16, 15 training-free channels in each.
pub struct DefaultEncoder {
    network: ResNetEncoder,
    descriptor: Descriptor,
    maps: Vec<MapDescription>,
    scales: Vec<ChannelScale>,
    fingerprint: String,
    memory: Pool<Parts>,
}

/// The embedded weights, a safetensors file.
///
/// # Errors
/// [`Error::NotCompiled`] in a build without the cargo feature `default-encoder`.
pub fn weights() -> Result<&'static [u8]> {
    WEIGHTS.ok_or(Error::NotCompiled { feature: "default-encoder" })
}

impl DefaultEncoder {
    /// Loads the embedded weights.
    ///
    /// # Errors
    /// [`Error::NotCompiled`] in a build without the cargo feature `default-encoder`.
    pub fn new() -> Result<DefaultEncoder> {
        let bytes = weights()?;
        let network = ResNetEncoder::from_bytes(bytes, &EncoderOptions::default())?;
        let checkpoint = Checkpoint::read(bytes, SOURCE)?;
        let mut maps = Vec::new();
        let mut scales = Vec::new();
        for (level, map) in network.maps().iter().enumerate() {
            let groups = [&[map.channels], &descriptor::GROUPS[..]].concat();
            scales.push(ChannelScale::read(&checkpoint, level, &groups)?);
            maps.push(MapDescription {
                name: map.name.clone(),
                channels: groups.iter().sum(),
                stride: map.stride,
                groups,
            });
        }
        let fingerprint = fingerprint::of_bytes("default", bytes);
        let (descriptor, memory) = (Descriptor::default(), Pool::default());
        Ok(DefaultEncoder { network, descriptor, maps, scales, fingerprint, memory })
    }
}

impl Encoder for DefaultEncoder {
    fn maps(&self) -> &[MapDescription] {
        &self.maps
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn side_multiple(&self) -> usize {
        self.network.side_multiple()
    }

    fn memory_bytes(&self) -> usize {
        self.network.memory_bytes() + self.memory.memory_bytes(Parts::memory_bytes)
    }

    fn encode_into(
        &self,
        images: &[Image],
        runners: (&Workers, &Control<'_>),
        maps: &mut Vec<Vec<FeatureMap>>,
    ) -> Result<()> {
        images.iter().try_for_each(|image| check_size(self, image))?;
        make_room(maps, images.len(), self.maps.len());
        self.memory.with(|Parts { learned, statistics, plain }| {
            self.network.encode_into(images, runners, learned)?;
            for (image, (learned, maps)) in images.iter().zip(learned.iter().zip(maps)) {
                let strides = self.maps.iter().map(|map| map.stride);
                self.descriptor.maps_into(image, strides, runners.0, (statistics, plain))?;
                let pairs = learned.iter().zip(&*plain).zip(&self.scales).zip(maps);
                for (((learned, plain), scale), to) in pairs {
                    scale.join(learned, plain, to)?;
                }
            }
            Ok(())
        })
    }
}

/// Maps on their way: what the network says, and the training-free channels.
#[derive(Debug, Default)]
struct Parts {
    learned: Vec<Vec<FeatureMap>>,
    statistics: FeatureMap,
    plain: Vec<FeatureMap>,
}

impl Parts {
    fn memory_bytes(&self) -> usize {
        let bytes = |map: &FeatureMap| map.values.capacity() * size_of::<f32>();
        let learned = self.learned.iter().flatten().map(bytes).sum::<usize>();
        learned + bytes(&self.statistics) + self.plain.iter().map(bytes).sum::<usize>()
    }
}

/// Centres and scales the channels of one map: `(value - mean) * factor`.
struct ChannelScale {
    means: Vec<f32>,
    factors: Vec<f32>,
}

impl ChannelScale {
    fn read(checkpoint: &Checkpoint, level: usize, groups: &[usize]) -> Result<ChannelScale> {
        let channels = groups.iter().sum();
        let tensor =
            |part: &str| checkpoint.tensor(&format!("statistics.level{level}.{part}"), &[channels]);
        let (means, deviations) = (tensor("mean")?.values, tensor("deviation")?.values);
        Ok(ChannelScale::new(means, &deviations, groups))
    }

    /// A channel that never varied in training says nothing and becomes 0.
    fn new(means: Vec<f32>, deviations: &[f32], groups: &[usize]) -> ChannelScale {
        let weights = groups.iter().flat_map(|&size| {
            let weight = 1.0 / (size as f32).sqrt();
            std::iter::repeat_n(weight, size)
        });
        let factors = deviations
            .iter()
            .zip(weights)
            .map(|(deviation, weight)| if *deviation > 0.0 { weight / deviation } else { 0.0 })
            .collect();
        ChannelScale { means, factors }
    }

    /// The channels of two maps of one size side by side, centred and scaled.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    fn join(&self, first: &FeatureMap, second: &FeatureMap, to: &mut FeatureMap) -> Result<()> {
        let channels = first.channels + second.channels;
        to.reset([first.height, first.width, channels], 0.0)?;
        for (cell, values) in to.values.chunks_exact_mut(channels).enumerate() {
            let (learned, plain) = values.split_at_mut(first.channels);
            learned.copy_from_slice(first.view().cell(cell));
            plain.copy_from_slice(second.view().cell(cell));
            for ((value, mean), factor) in values.iter_mut().zip(&self.means).zip(&self.factors) {
                *value = (*value - mean) * factor;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_channels_weigh_the_same_and_constant_ones_nothing() {
        let means = vec![1.0, 2.0, 3.0, 4.0, 10.0];
        let scale = ChannelScale::new(means, &[1.0, 2.0, 0.0, 1.0, 5.0], &[4, 1]);
        let map = |channels: usize, values: &[f32]| FeatureMap {
            values: values.into(),
            height: 1,
            width: 2,
            channels,
        };
        let learned = map(4, &[3.0, 6.0, 9.0, 4.0, 1.0, 2.0, 3.0, 8.0]);
        let mut joined = FeatureMap::default();
        scale.join(&learned, &map(1, &[20.0, 5.0]), &mut joined).unwrap();
        assert_eq!((joined.height, joined.width, joined.channels), (1, 2, 5));
        assert_eq!(joined.values, [1.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0, -1.0]);
    }

    #[cfg(not(feature = "default-encoder"))]
    #[test]
    fn without_its_feature_it_says_so() {
        let error = DefaultEncoder::new().err().unwrap();
        assert!(matches!(error, Error::NotCompiled { feature: "default-encoder" }));
    }
}

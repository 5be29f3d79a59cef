//! A ResNet as encoder: its deeper maps of normalised images (patent ¶32, ¶53).

use super::options::EncoderOptions;
use super::{Encoder, MapDescription, common_multiple, make_room};
use crate::backbone::architecture::Architecture;
use crate::backbone::checkpoint::Checkpoint;
use crate::backbone::choice::Choice;
use crate::backbone::operations::Map;
use crate::backbone::resnet::{ResNet, ResNetPlan};
use crate::backbone::resnet_weights::{ENCODER_KEY, ResNetWeights};
use crate::control::Control;
use crate::data::feature_map::{FeatureMap, FeatureMapView};
use crate::data::image::normalise::to_tensor;
use crate::data::image::{Image, Normalisation};
use crate::nn::kept::Kept;
use crate::nn::network::Memory;
use crate::workers::Workers;
use crate::workers::lent::{FirstFailure, Pool};
use crate::{Error, Result};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Maps that are taken where none are asked for (patent ¶53: the two top-most).
const LAYERS: [&str; 2] = ["layer4", "layer3"];

/// What the fingerprint of such an encoder begins with.
const KIND: &str = "resnet";
/// Sizes of image whose plans are kept; one is a description of some kilobytes.
const PLANS_KEPT: usize = 16;

/// A ResNet, the maps that are taken of it, and memory of earlier runs.
#[derive(Debug)]
pub struct ResNetEncoder {
    network: ResNet,
    normalisation: Normalisation,
    maps: Vec<MapDescription>,
    /// Stage of each map, 0 to 3.
    stages: Vec<usize>,
    /// Of the maps, in errors.
    names: Vec<String>,
    fingerprint: String,
    /// Plans of the sizes that were used last.
    plans: Mutex<Kept<[usize; 3], Arc<ResNetPlan>>>,
    /// Memory that no run holds: as much as there were runs at once.
    memory: Pool<Memory<f32>>,
}

impl ResNetEncoder {
    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`Error::Io`], and as [`ResNetEncoder::from_bytes`].
    pub fn from_file(path: &Path, options: &EncoderOptions) -> Result<ResNetEncoder> {
        ResNetEncoder::read(Checkpoint::open(path)?, options)
    }

    /// Reads a safetensors file at hand. `options` name the layers and the normalisation.
    ///
    /// # Errors
    /// As [`crate::backbone::resnet_weights::ResNetWeights::from_safetensors`];
    /// [`Error::InvalidArgument`] for a layer that a ResNet does not have or that is named twice.
    pub fn from_bytes(bytes: &[u8], options: &EncoderOptions) -> Result<ResNetEncoder> {
        ResNetEncoder::read(Checkpoint::read(bytes, "weights in memory")?, options)
    }

    fn read(file: Checkpoint<'_>, options: &EncoderOptions) -> Result<ResNetEncoder> {
        let content = format!("{KIND}:{}", file.fingerprint()?);
        let source = file.source().to_string();
        let normalisation =
            Normalisation { mean: options.image_mean, deviation: options.image_deviation };
        normalisation.validate()?;
        let (weights, choice) = ResNetWeights::read(file, &options.weights_prefix, ENCODER_KEY)?;
        let network = ResNet::new(weights);
        let (maps, stages) = choose_maps(network.architecture(), &options.layers)?;
        let name = |map: &MapDescription| format!("encoder {source}: map `{}`", map.name);
        Ok(ResNetEncoder {
            names: maps.iter().map(name).collect(),
            network,
            normalisation,
            maps,
            stages,
            fingerprint: fingerprint_of(content, &choice),
            plans: Mutex::new(Kept::new(PLANS_KEPT)),
            memory: Pool::default(),
        })
    }

    /// The network.
    pub fn network(&self) -> &ResNet {
        &self.network
    }

    fn encode_one(
        &self,
        image: &Image,
        runners: (&Workers, &Control<'_>),
        maps: &mut [FeatureMap],
    ) -> Result<()> {
        let plan = self.plan([1, image.height as usize, image.width as usize], runners.0)?;
        self.memory.with(|memory| {
            to_tensor(image, &self.normalisation, plan.images_mut(memory)?)?;
            self.network.forward(&plan, memory, runners)?;
            for (index, to) in maps.iter_mut().enumerate() {
                let Map { height, width, channels, .. } = plan.map(index);
                let found = plan.values(memory, index);
                // Weights may be finite and still lead out of the numbers.
                FeatureMapView::checked(&self.names[index], found, height, width, channels)?;
                to.reset([height, width, channels], 0.0)?;
                to.values.copy_from_slice(found);
            }
            Ok(())
        })
    }

    fn plan(&self, size: [usize; 3], workers: &Workers) -> Result<Arc<ResNetPlan>> {
        let plans = || self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans().get(&size) {
            return Ok(plan.clone());
        }
        // Made without the lock: a thread that packs weights may run other tasks of its pool meanwhile,
        // which may want a plan too.
        let made = Arc::new(self.network.plan(size, &self.stages, workers)?);
        plans().of(size, || Ok(made)).cloned()
    }
}

/// The file's content, and the network of it that is read where there are several.
fn fingerprint_of(content: String, choice: &Choice) -> String {
    match choice.sentence() {
        Some(_) => format!("{content} under `{}`", choice.prefix),
        None => content,
    }
}

/// The maps that `layers` name, deepest first, and their stages.
fn choose_maps(
    architecture: &Architecture,
    layers: &[String],
) -> Result<(Vec<MapDescription>, Vec<usize>)> {
    let default = LAYERS.map(String::from);
    let layers = if layers.is_empty() { &default[..] } else { layers };
    let mut stages = Vec::new();
    for layer in layers {
        let stage = layer.strip_prefix("layer").and_then(|digit| match digit {
            "1" | "2" | "3" | "4" => digit.parse::<usize>().ok(),
            _ => None,
        });
        match stage.map(|stage| stage - 1) {
            Some(stage) if !stages.contains(&stage) => stages.push(stage),
            Some(_) => return Err(Error::invalid("layers", format!("`{layer}` is named twice"))),
            None => {
                let reason = format!("`{layer}` is none of layer1, layer2, layer3, layer4");
                return Err(Error::invalid("layers", reason));
            }
        }
    }
    stages.sort_unstable_by(|a, b| b.cmp(a));
    let describe = |&stage: &usize| {
        let stride = Architecture::stage_stride(stage);
        let name = format!("layer{}", stage + 1);
        MapDescription::new(name, architecture.stage_channels(stage), stride)
    };
    Ok((stages.iter().map(describe).collect(), stages))
}

impl Encoder for ResNetEncoder {
    fn maps(&self) -> &[MapDescription] {
        &self.maps
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn side_multiple(&self) -> usize {
        common_multiple(self.maps.iter().map(|map| map.stride))
    }

    fn memory_bytes(&self) -> usize {
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plans: usize = plans.values().map(|plan| plan.memory_bytes()).sum();
        let memory = self.memory.memory_bytes(Memory::memory_bytes);
        self.network.memory_bytes() + plans + memory
    }

    /// With as many images as workers, each worker takes whole images and nobody waits between
    /// layers; fewer images are shared layer by layer. The maps are the same to the last bit.
    fn encode_into(
        &self,
        images: &[Image],
        runners: (&Workers, &Control<'_>),
        maps: &mut Vec<Vec<FeatureMap>>,
    ) -> Result<()> {
        make_room(maps, images.len(), self.maps.len());
        let (workers, control) = runners;
        if images.len() < workers.count().max(2) {
            let mut pairs = images.iter().zip(maps);
            return pairs.try_for_each(|(image, maps)| self.encode_one(image, runners, maps));
        }
        let (alone, failure) = (workers.alone(), FirstFailure::default());
        workers.for_each_piece(maps, 1, |index, maps| {
            if let Err(error) = self.encode_one(&images[index], (&alone, control), &mut maps[0]) {
                failure.record(index, error);
            }
        });
        failure.into_result()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKPOINT: &[u8] = include_bytes!("../../tests/golden/resnet/contrastive.safetensors");

    fn image(width: u32, height: u32, seed: u32) -> Image {
        let count = width * height * 3;
        let bytes =
            (0..count).map(|index| (index.wrapping_mul(2_654_435_761 + 2 * seed) >> 24) as u8);
        Image::new(width, height, bytes.collect()).unwrap()
    }

    #[test]
    fn maps_are_named_deepest_first_with_channels_and_strides() {
        let encoder = ResNetEncoder::from_bytes(CHECKPOINT, &EncoderOptions::default()).unwrap();
        let maps: Vec<_> = encoder
            .maps()
            .iter()
            .map(|map| (map.name.as_str(), map.channels, map.stride))
            .collect();
        assert_eq!(maps, [("layer4", 16, 32), ("layer3", 8, 16)]);
        assert_eq!(encoder.side_multiple(), 32);
        let layers = vec!["layer1".into(), "layer3".into()];
        let options = EncoderOptions { layers, ..EncoderOptions::default() };
        let encoder = ResNetEncoder::from_bytes(CHECKPOINT, &options).unwrap();
        assert_eq!(encoder.maps()[0].name, "layer3");
        assert_eq!((encoder.side_multiple(), encoder.maps().len()), (16, 2));
    }

    #[test]
    fn unknown_and_repeated_layers_are_refused() {
        for layers in [["layer5", "layer4"], ["layer4", "layer4"], ["layer04", "layer3"]] {
            let layers = layers.map(String::from).to_vec();
            let options = EncoderOptions { layers, ..EncoderOptions::default() };
            let error = ResNetEncoder::from_bytes(CHECKPOINT, &options).unwrap_err();
            assert!(
                matches!(error, Error::InvalidArgument { argument, .. } if argument == "layers")
            );
        }
    }

    #[test]
    fn images_of_any_sizes_give_the_same_bits_alone_together_and_on_any_threads() {
        let encoder = ResNetEncoder::from_bytes(CHECKPOINT, &EncoderOptions::default()).unwrap();
        let images = [image(64, 32, 1), image(32, 96, 2), image(64, 32, 3)];
        let alone = encoder.encode(&images, &Workers::caller()).unwrap();
        assert_eq!((alone[1][0].height, alone[1][0].width, alone[1][1].height), (3, 1, 6));
        assert_ne!(alone[0], alone[2]);
        for threads in [2, 3, 7] {
            let workers = Workers::with_threads(threads).unwrap();
            assert_eq!(encoder.encode(&images, &workers).unwrap(), alone);
            assert_eq!(encoder.encode(&images[..1], &workers).unwrap()[0], alone[0]);
        }
        assert!(encoder.memory_bytes() > encoder.network().memory_bytes());
    }

    #[test]
    fn sizes_in_turns_take_the_memory_of_the_largest() {
        let encoder = ResNetEncoder::from_bytes(CHECKPOINT, &EncoderOptions::default()).unwrap();
        let encode = |width, height, seed| {
            encoder.encode(&[image(width, height, seed)], &Workers::caller()).unwrap()
        };
        let first = encode(96, 128, 5);
        let arena = || encoder.memory.memory_bytes(Memory::memory_bytes);
        let largest = arena();
        for size in [64, 32, 96] {
            encode(size, size, size);
        }
        // What other sizes left in the memory does not show.
        assert_eq!(encode(96, 128, 5), first);
        assert_eq!(arena(), largest);
    }
}

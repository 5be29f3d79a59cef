//! Encoders: where feature maps come from.
//!
//! Patent ¶32: any self-supervised encoder; ¶53: the two top-most maps. An encoder names any list
//! of maps with their strides (a ViT has one); the extractor pairs them with sets of K.
//!
//! | file | encoder |
//! |---|---|
//! | [`default`] | the built-in one: a small ResNet beside training-free channels |
//! | [`resnet`] | ResNet weights from safetensors |
//! | [`onnx`] | an ONNX file, run by a libonnxruntime that is found at run time |
//! | [`host`] | a callback of the host |
//! | [`options`] | the options of all of them |
//! | [`source`] | the choice between them by name and by content |

pub mod default;
pub mod descriptor;
pub mod fingerprint;
pub mod host;
mod lab;
pub mod onnx;
mod onnx_external;
#[cfg(feature = "onnx")]
#[allow(unsafe_code)]
mod onnx_library;
mod onnx_maps;
mod onnx_model;
#[cfg_attr(not(feature = "onnx"), path = "onnx_absent.rs")]
mod onnx_session;
pub mod options;
pub mod resnet;
pub mod source;

use crate::control::Control;
use crate::data::feature_map::FeatureMap;
use crate::data::image::Image;
use crate::workers::Workers;
use crate::{Error, Result};

/// One map that an encoder gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapDescription {
    /// For example `layer4`.
    pub name: String,
    /// Channels of the map.
    pub channels: usize,
    /// Nominal pixels of the resized image for each cell.
    pub stride: usize,
    /// Sizes of the groups of consecutive channels that are of one kind, summing to `channels`.
    /// Local clustering lets every group weigh the same, however many channels it has.
    pub groups: Vec<usize>,
}

impl MapDescription {
    /// A map whose channels are all of one kind.
    pub fn new(name: impl Into<String>, channels: usize, stride: usize) -> MapDescription {
        MapDescription { name: name.into(), channels, stride, groups: vec![channels] }
    }
}

/// A source of feature maps. Implementations are shared between threads.
pub trait Encoder: Send + Sync {
    /// The maps in the order in which [`Encoder::encode`] gives them, deepest (largest stride)
    /// first. Regions are pooled over the first.
    fn maps(&self) -> &[MapDescription];

    /// What identifies the encoder in `run.toml`: kind and a checksum of its weights.
    fn fingerprint(&self) -> String;

    /// Where the encoder runs: `cpu`, `cuda`, or `host` where only the host knows.
    fn device(&self) -> &'static str {
        "cpu"
    }

    /// Sides of the input must be multiples of this.
    fn side_multiple(&self) -> usize {
        32
    }

    /// Height and width in pixels that every image must have, where only one size is possible.
    fn fixed_size(&self) -> Option<(usize, usize)> {
        None
    }

    /// Whether [`Encoder::encode`] may only be called on the thread that called the library: such an
    /// encoder gets its images one after the other.
    fn needs_caller_thread(&self) -> bool {
        false
    }

    /// Bytes that the encoder holds for as long as it lives, as far as the library knows them.
    fn memory_bytes(&self) -> usize {
        0
    }

    /// Computes the maps of images that are already resized. `maps[image][map]`; images may
    /// differ in size.
    ///
    /// # Errors
    /// Those of the implementation; the answer has exactly `images.len()` entries otherwise.
    fn encode(&self, images: &[Image], workers: &Workers) -> Result<Vec<Vec<FeatureMap>>> {
        let mut maps = Vec::new();
        self.encode_into(images, (workers, &Control::default()), &mut maps)?;
        Ok(maps)
    }

    /// [`Encoder::encode`] into memory that is used again. `control` is looked at on the way, where
    /// the implementation can.
    ///
    /// # Errors
    /// Those of the implementation, [`Error::Cancelled`] among them; what `maps` then holds is
    /// arbitrary.
    fn encode_into(
        &self,
        images: &[Image],
        runners: (&Workers, &Control<'_>),
        maps: &mut Vec<Vec<FeatureMap>>,
    ) -> Result<()>;
}

/// Makes room for `maps_count` maps of each of `images_count` images.
fn make_room(maps: &mut Vec<Vec<FeatureMap>>, images_count: usize, maps_count: usize) {
    maps.resize_with(images_count, Vec::new);
    maps.iter_mut().for_each(|maps| maps.resize_with(maps_count, FeatureMap::default));
}

/// Checks that an image has a size that the encoder takes.
///
/// # Errors
/// [`Error::Shape`] with the size that is needed and the image's.
fn check_size(encoder: &dyn Encoder, image: &Image) -> Result<()> {
    let size = (image.height as usize, image.width as usize);
    let multiple = encoder.side_multiple();
    let fits = match encoder.fixed_size() {
        Some(fixed) => size == fixed,
        None => size.0.is_multiple_of(multiple) && size.1.is_multiple_of(multiple),
    };
    if fits && size.0 * size.1 > 0 {
        return Ok(());
    }
    let expected = match encoder.fixed_size() {
        Some(fixed) => format!("{}x{} pixels", fixed.0, fixed.1),
        None => format!("sides that are multiples of {multiple} pixels"),
    };
    Err(Error::shape("image", expected, format!("{}x{} pixels", size.0, size.1)))
}

/// The least common multiple of the strides, so that every map's cells tile the image.
fn common_multiple(strides: impl Iterator<Item = usize>) -> usize {
    strides.fold(1, |multiple, stride| multiple / common_divisor(multiple, stride) * stride)
}

/// The greatest number that divides both.
fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

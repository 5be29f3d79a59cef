//! An encoder that lives in the host: a callback fills feature maps that the library lays out.
//!
//! The host says once which maps it gives; every call hands it the images and one buffer for each
//! map, already of the right size. The buffers arrive full of NaN, so a map that the callback
//! forgets is an error and never a silent map of zeros.

use super::{Encoder, MapDescription, common_multiple, make_room};
use crate::control::Control;
use crate::data::feature_map::{FeatureMap, FeatureMapView};
use crate::data::image::Image;
use crate::workers::Workers;
use crate::{Error, Result};

/// Fills `maps[image][map]`, HWC, for each image; answers 0, or anything else to stop the call
/// with [`Error::HostCallback`]. Called on the thread that called the library and, where several
/// images are extracted at once, on the threads that share them, several at a time;
/// [`HostEncoder::on_caller_thread`] keeps it to the first.
pub type HostEncode = Box<dyn Fn(&[Image], &mut [Vec<FeatureMap>]) -> i32 + Send + Sync>;

/// Largest stride that a description may name, pixels; larger is a mistake of the caller.
const STRIDE_MAX: usize = 1024;
/// Most channels of a map; more are a mistake of the caller.
const CHANNELS_MAX: usize = 1 << 16;
/// Largest side, pixels, that all strides may need to have in common.
const SIDE_MULTIPLE_MAX: usize = 1 << 16;

/// Feature maps by a callback.
pub struct HostEncoder {
    maps: Vec<MapDescription>,
    name: String,
    side_multiple: usize,
    needs_caller_thread: bool,
    encode: HostEncode,
}

impl HostEncoder {
    /// `maps` in any order (they are put deepest first, and that is how the callback gets them);
    /// `name` identifies the host's model in `run.toml`, because a callback has no checksum.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] without maps, with channels outside [1, 65536], with a stride
    /// outside [1, 1024], with strides whose common multiple is over 65,536, or with groups that do
    /// not sum to the channels.
    pub fn new(name: &str, mut maps: Vec<MapDescription>, encode: HostEncode) -> Result<Self> {
        if maps.is_empty() {
            return Err(Error::invalid("maps", "a host encoder must describe at least one map"));
        }
        let mut side_multiple = 1;
        for (index, map) in maps.iter().enumerate() {
            let fits = (1..=CHANNELS_MAX).contains(&map.channels);
            if !fits || !(1..=STRIDE_MAX).contains(&map.stride) {
                return Err(Error::invalid(
                    format!("maps[{index}]"),
                    format!(
                        "`{}` has {} channels at stride {}; channels in [1, {CHANNELS_MAX}] and a \
                         stride in [1, {STRIDE_MAX}] are needed",
                        map.name, map.channels, map.stride
                    ),
                ));
            }
            side_multiple = common_multiple([side_multiple, map.stride].into_iter());
            if side_multiple > SIDE_MULTIPLE_MAX {
                let reason = format!(
                    "sides would have to be multiples of {side_multiple} pixels, over \
                     {SIDE_MULTIPLE_MAX}"
                );
                return Err(Error::invalid(format!("strides up to maps[{index}]"), reason));
            }
            if map.groups.contains(&0) || map.groups.iter().sum::<usize>() != map.channels {
                return Err(Error::invalid(
                    format!("maps[{index}].groups"),
                    format!("{:?} do not sum to {} channels", map.groups, map.channels),
                ));
            }
        }
        maps.sort_by_key(|map| std::cmp::Reverse(map.stride));
        let needs_caller_thread = false;
        Ok(HostEncoder { maps, name: name.into(), side_multiple, needs_caller_thread, encode })
    }

    /// The same encoder for a host whose models are bound to a thread: the callback only runs on the
    /// thread that called the library.
    pub fn on_caller_thread(self) -> HostEncoder {
        HostEncoder { needs_caller_thread: true, ..self }
    }

    /// Height and width in cells of `map` for an image; the last cells may reach over the edge.
    fn cells(map: &MapDescription, image: &Image) -> (usize, usize) {
        let cells = |side: u32| (side as usize).div_ceil(map.stride);
        (cells(image.height), cells(image.width))
    }

    /// The callback owns the vectors for the call, so it may have left anything in them.
    fn check(&self, images: &[Image], maps: &[Vec<FeatureMap>]) -> Result<()> {
        for (index, (image, maps)) in images.iter().zip(maps).enumerate() {
            if maps.len() != self.maps.len() {
                return Err(Error::shape(
                    format!("maps of image {index}"),
                    format!("{} maps", self.maps.len()),
                    maps.len(),
                ));
            }
            for (map, description) in maps.iter().zip(&self.maps) {
                let name = format!("map `{}` of image {index}", description.name);
                let (height, width) = HostEncoder::cells(description, image);
                let expected = [height, width, description.channels];
                let got = [map.height, map.width, map.channels];
                if got != expected {
                    return Err(Error::shape(name, format!("{expected:?}"), format!("{got:?}")));
                }
                FeatureMapView::checked(&name, &map.values, height, width, map.channels)?;
            }
        }
        Ok(())
    }
}

impl Encoder for HostEncoder {
    fn maps(&self) -> &[MapDescription] {
        &self.maps
    }

    fn fingerprint(&self) -> String {
        format!("host:{}", self.name)
    }

    fn device(&self) -> &'static str {
        "host"
    }

    fn side_multiple(&self) -> usize {
        self.side_multiple
    }

    fn needs_caller_thread(&self) -> bool {
        self.needs_caller_thread
    }

    fn encode_into(
        &self,
        images: &[Image],
        _runners: (&Workers, &Control<'_>),
        maps: &mut Vec<Vec<FeatureMap>>,
    ) -> Result<()> {
        make_room(maps, images.len(), self.maps.len());
        for (image, maps) in images.iter().zip(&mut *maps) {
            for (map, description) in maps.iter_mut().zip(&self.maps) {
                let (height, width) = HostEncoder::cells(description, image);
                map.reset([height, width, description.channels], f32::NAN)?;
            }
        }
        let status = (self.encode)(images, maps);
        if status != 0 {
            return Err(Error::HostCallback { callback: "encode", status });
        }
        self.check(images, maps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptions() -> Vec<MapDescription> {
        [("fine", 2, 16), ("coarse", 3, 32)]
            .map(|(name, channels, stride)| MapDescription::new(name, channels, stride))
            .to_vec()
    }

    fn image(width: u32, height: u32) -> Image {
        Image { width, height, pixels: vec![7; (width * height * 3) as usize] }
    }

    fn encode_with(callback: HostEncode) -> Result<Vec<Vec<FeatureMap>>> {
        let encoder = HostEncoder::new("test", descriptions(), callback)?;
        encoder.encode(&[image(64, 32), image(33, 32)], &Workers::caller())
    }

    #[test]
    fn maps_come_deepest_first_and_in_the_size_of_each_image() {
        let maps = encode_with(Box::new(|images, maps| {
            for (index, maps) in maps.iter_mut().enumerate() {
                for map in maps {
                    map.values.fill(images[index].width as f32);
                }
            }
            0
        }))
        .unwrap();
        let shapes: Vec<_> =
            maps.iter().flatten().map(|map| (map.height, map.width, map.channels)).collect();
        assert_eq!(shapes, [(1, 2, 3), (2, 4, 2), (1, 2, 3), (2, 3, 2)]);
        assert!(maps[1].iter().all(|map| map.values.iter().all(|value| *value == 33.0)));
    }

    #[test]
    fn what_the_callback_may_do_wrong_is_named() {
        let stopped = encode_with(Box::new(|_, _| -7)).unwrap_err();
        assert!(matches!(stopped, Error::HostCallback { callback: "encode", status: -7 }));
        let forgotten = encode_with(Box::new(|_, maps| {
            maps[0][0].values.fill(1.0);
            0
        }))
        .unwrap_err();
        assert!(matches!(&forgotten, Error::NonFinite { name, index: 0, .. }
            if name == "map `fine` of image 0"));
        let dropped = encode_with(Box::new(|_, maps| {
            maps.iter_mut().flatten().for_each(|map| map.values.fill(1.0));
            maps[1].clear();
            0
        }));
        assert_eq!(dropped.unwrap_err().to_string(), "maps of image 1: expected 2 maps, got 0");
        let resized = encode_with(Box::new(|_, maps| {
            maps.iter_mut().flatten().for_each(|map| map.values.fill(1.0));
            maps[1][1].width = 4;
            0
        }));
        let resized = resized.unwrap_err().to_string();
        assert!(resized.contains("[2, 3, 2]") && resized.contains("[2, 4, 2]"), "{resized}");
    }

    #[test]
    fn impossible_descriptions_are_refused_with_their_numbers() {
        assert!(HostEncoder::new("test", vec![], Box::new(|_, _| 0)).is_err());
        let mut maps = descriptions();
        maps[1].stride = 0;
        let error = HostEncoder::new("test", maps, Box::new(|_, _| 0)).err().unwrap().to_string();
        assert!(error.contains("maps[1]") && error.contains("stride 0"), "{error}");
        let refused = |maps| HostEncoder::new("test", maps, Box::new(|_, _| 0)).err().unwrap();
        let mut maps = descriptions();
        maps[1].channels = usize::MAX / 2;
        assert!(refused(maps).to_string().contains("channels in [1, 65536]"));
        let coprime = [1021, 1019, 1013, 1009, 997, 991, 983];
        let maps = coprime.map(|stride| MapDescription::new("one", 1, stride)).to_vec();
        assert!(refused(maps).to_string().contains("multiples of 1040399 pixels"));
        let mut maps = descriptions();
        maps[0].groups = vec![1, 2];
        let error = HostEncoder::new("test", maps, Box::new(|_, _| 0)).err().unwrap().to_string();
        assert_eq!(error, "maps[0].groups: [1, 2] do not sum to 2 channels");
    }

    #[test]
    fn sides_are_multiples_of_every_stride() {
        let maps =
            [14, 4].map(|stride| MapDescription::new(stride.to_string(), 1, stride)).to_vec();
        let encoder = HostEncoder::new("test", maps, Box::new(|_, _| 0)).unwrap();
        assert_eq!(encoder.side_multiple(), 28);
        assert_eq!(encoder.fingerprint(), "host:test");
    }
}

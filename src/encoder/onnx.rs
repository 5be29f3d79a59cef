//! An encoder from an ONNX file: any network with one image input and maps or tokens as outputs.
//!
//! What the model does not say about itself (cell sizes, tokens before the first cell) is read off
//! one run on a grey image when it is loaded. Images are run one by one, so that the maps of an
//! image do not depend on its neighbours; ONNX Runtime's threads share the work of each.

use super::onnx_maps::Layout;
use super::onnx_model::{Model, Outlet, Provider};
use super::onnx_session::Session;
use super::options::EncoderOptions;
use super::{Encoder, MapDescription, check_size, common_multiple, fingerprint, onnx_external};
use crate::control::Control;
use crate::data::feature_map::FeatureMap;
use crate::data::image::{Image, Normalisation};
use crate::workers::{Workers, threads_count};
use crate::{Error, Result, memory};
use std::path::Path;

/// Sides of the image of the first run where the model takes any size: a multiple of 64 and of
/// 14, so that the cells of the usual networks and transformers tile it.
const PROBE_SIDE: usize = 448;

/// Feature maps by an ONNX model.
pub struct OnnxEncoder {
    session: Session,
    label: String,
    maps: Vec<MapDescription>,
    layouts: Vec<Layout>,
    fixed_size: Option<(usize, usize)>,
    fingerprint: String,
    normalisation: Normalisation,
    /// The session runs the whole model there or was refused.
    provider: Provider,
}

impl OnnxEncoder {
    /// Loads a model file. Weights in files beside it are found by ONNX Runtime, and the fingerprint
    /// covers them.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::OnnxModel`] when it changes meanwhile; then as
    /// [`OnnxEncoder::from_bytes`].
    pub fn from_file(path: &Path, options: &EncoderOptions) -> Result<OnnxEncoder> {
        onnx_external::open_fingerprinted(path, |fingerprint| {
            let label = path.display().to_string();
            OnnxEncoder::open(Model::File(path), label, fingerprint, options)
        })
    }

    /// Loads a model from memory.
    ///
    /// # Errors
    /// [`Error::OnnxLibrary`] without a usable libonnxruntime; [`Error::OnnxModel`] for bytes that
    /// are no ONNX model, or one without exactly one `f32` image input and without maps among its
    /// outputs; [`Error::NonFinite`] for one that makes NaN of a grey image;
    /// [`Error::OnnxProvider`] when the provider cannot run the whole model;
    /// [`Error::NotCompiled`] without the cargo feature `onnx`.
    pub fn from_bytes(bytes: &[u8], options: &EncoderOptions) -> Result<OnnxEncoder> {
        let fingerprint = fingerprint::of_bytes("onnx", bytes);
        OnnxEncoder::open(Model::Bytes(bytes), "in memory".into(), fingerprint, options)
    }

    fn open(
        model: Model,
        label: String,
        fingerprint: String,
        options: &EncoderOptions,
    ) -> Result<OnnxEncoder> {
        options.validate()?;
        let provider = Provider::from_name(&options.onnx_provider)?;
        let threads = threads_count("onnx_threads", options.onnx_threads as usize)?;
        let session = Session::open(model, &label, &options.onnx_library, provider, threads)?;
        let unfit = |reason: String| Error::OnnxModel { model: label.clone(), reason };
        let fixed_size = input_size(&session.inputs).map_err(unfit)?;
        let names = output_names(&session.outputs, &options.layers).map_err(unfit)?;
        let (maps, layouts) = probe(&session, &label, &names, fixed_size)?;
        let normalisation = options.normalisation();
        Ok(OnnxEncoder {
            session,
            label,
            maps,
            layouts,
            fixed_size,
            fingerprint,
            normalisation,
            provider,
        })
    }

    fn encode_one(&self, image: &Image) -> Result<Vec<FeatureMap>> {
        let (height, width) = (image.height as usize, image.width as usize);
        check_size(self, image)?;
        let pixels = planes(image, &self.normalisation)?;
        let names: Vec<&str> = self.maps.iter().map(|map| map.name.as_str()).collect();
        let mut maps = Vec::with_capacity(names.len());
        self.session.run([1, 3, height, width], &pixels, &names, |number, shape, values| {
            check_finite(&self.label, names[number], values)?;
            memory::probe(memory::bytes_of::<f32>(values.len()), "a feature map")?;
            let map =
                self.layouts[number].read(shape, values, height, width).map_err(|reason| {
                    let reason = format!("output `{}`: {reason}", names[number]);
                    Error::OnnxModel { model: self.label.clone(), reason }
                })?;
            maps.push(map);
            Ok(())
        })?;
        Ok(maps)
    }
}

impl Encoder for OnnxEncoder {
    fn maps(&self) -> &[MapDescription] {
        &self.maps
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn device(&self) -> &'static str {
        self.provider.name()
    }

    fn side_multiple(&self) -> usize {
        common_multiple(self.maps.iter().map(|map| map.stride))
    }

    fn fixed_size(&self) -> Option<(usize, usize)> {
        self.fixed_size
    }

    fn encode_into(
        &self,
        images: &[Image],
        (_, control): (&Workers, &Control<'_>),
        maps: &mut Vec<Vec<FeatureMap>>,
    ) -> Result<()> {
        maps.clear();
        for image in images {
            control.check()?;
            maps.push(self.encode_one(image)?);
        }
        Ok(())
    }
}

/// Checks that the model takes one image, and says which size if it takes only one.
fn input_size(inputs: &[Outlet]) -> std::result::Result<Option<(usize, usize)>, String> {
    let [input] = inputs else {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        return Err(format!("it has {} inputs ({}), not one image", names.len(), names.join(", ")));
    };
    let element = input.element.as_deref().unwrap_or("no tensor");
    let refused = |what: &str| {
        let expected = "one f32 image [N,3,H,W]";
        Err(format!("input `{}`: {what}, expected {expected}", input.name))
    };
    let sides = format!("{:?}", input.dimensions);
    match *input.dimensions.as_slice() {
        _ if element != "f32" => refused(&format!("its element type is {element}")),
        [batch, ..] if batch > 1 => refused(&format!("its batch is fixed to {batch}")),
        [_, channels, height, width] if channels == 3 || channels < 0 => match (height, width) {
            (1.., 1..) => Ok(Some((height as usize, width as usize))),
            (..=-1, ..=-1) => Ok(None),
            _ => refused(&format!("one side is fixed and one is not: {sides}")),
        },
        _ => refused(&format!("its shape is {sides}")),
    }
}

/// The outputs asked for, or all with rows and columns, or else all that may be tokens.
fn output_names(outputs: &[Outlet], asked: &[String]) -> std::result::Result<Vec<String>, String> {
    let listed = || {
        let listed =
            outputs.iter().map(|output| format!("{} {:?}", output.name, output.dimensions));
        listed.collect::<Vec<_>>().join(", ")
    };
    if let Some(unknown) =
        asked.iter().find(|name| outputs.iter().all(|output| output.name != **name))
    {
        return Err(format!("it has no output `{unknown}`; its outputs are {}", listed()));
    }
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let of_rank = |rank: usize| -> Vec<String> {
        outputs
            .iter()
            .filter(|output| {
                output.element.as_deref() == Some("f32") && output.dimensions.len() == rank
            })
            .map(|output| output.name.clone())
            .collect()
    };
    [of_rank(4), of_rank(3)]
        .into_iter()
        .find(|names| !names.is_empty())
        .ok_or_else(|| format!("none of its outputs is a map or tokens: {}", listed()))
}

/// Runs the model once and reads the layouts off what it gives, deepest map first.
fn probe(
    session: &Session,
    label: &str,
    names: &[String],
    fixed_size: Option<(usize, usize)>,
) -> Result<(Vec<MapDescription>, Vec<Layout>)> {
    let (height, width) = fixed_size.unwrap_or((PROBE_SIDE, PROBE_SIDE));
    let grey = memory::filled(0.0, 3 * height * width, "an image for an ONNX model")?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut found: Vec<(MapDescription, Layout)> = Vec::with_capacity(names.len());
    session.run([1, 3, height, width], &grey, &names, |number, shape, values| {
        let name = names[number].to_string();
        check_finite(label, &name, values)?;
        let layout = Layout::recognise(shape, height, width).map_err(|reason| {
            let reason = format!("output `{name}`: {reason}");
            Error::OnnxModel { model: label.into(), reason }
        })?;
        let (channels, stride) = (layout.channels, layout.stride);
        found.push((MapDescription::new(name, channels, stride), layout));
        Ok(())
    })?;
    found.sort_by_key(|(map, _)| std::cmp::Reverse(map.stride));
    Ok(found.into_iter().unzip())
}

/// A model that gives NaN or infinity is broken, and nothing behind it could tell.
fn check_finite(label: &str, output: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let name = format!("encoder {label}: output `{output}`");
            Err(Error::NonFinite { name, index, value: values[index] })
        }
    }
}

/// The normalised image as three planes (NCHW).
fn planes(image: &Image, normalisation: &Normalisation) -> Result<Vec<f32>> {
    let mut planes = memory::with_capacity(image.pixels.len(), "an image for an ONNX model")?;
    for (channel, levels) in normalisation.table().iter().enumerate() {
        let plane = image.pixels.iter().skip(channel).step_by(3);
        planes.extend(plane.map(|level| levels[usize::from(*level)]));
    }
    Ok(planes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(name: &str, element: &str, dimensions: &[i64]) -> Outlet {
        Outlet { name: name.into(), element: Some(element.into()), dimensions: dimensions.into() }
    }

    #[test]
    fn one_image_of_any_or_of_one_size_is_the_only_input() {
        let size = |dimensions: &[i64]| input_size(&[outlet("image", "f32", dimensions)]);
        assert_eq!(size(&[-1, 3, -1, -1]), Ok(None));
        assert_eq!(size(&[1, -1, 224, 320]), Ok(Some((224, 320))));
        for (dimensions, named) in [
            (&[8, 3, -1, -1][..], "batch is fixed to 8"),
            (&[1, 3, 224, -1][..], "[1, 3, 224, -1]"),
            (&[1, 1, 28, 28][..], "[1, 1, 28, 28]"),
            (&[1, 3, 224][..], "[1, 3, 224]"),
        ] {
            assert!(size(dimensions).unwrap_err().contains(named));
        }
        let bytes = input_size(&[outlet("image", "uint8", &[1, 3, -1, -1])]).unwrap_err();
        assert!(bytes.contains("uint8"), "{bytes}");
        let two = [outlet("image", "f32", &[1, 3, -1, -1]), outlet("mask", "f32", &[1, -1, -1])];
        assert!(input_size(&two).unwrap_err().contains("2 inputs (image, mask)"));
    }

    #[test]
    fn outputs_with_rows_and_columns_come_before_tokens_and_names_before_both() {
        let outputs = [
            outlet("tokens", "f32", &[-1, 197, 384]),
            outlet("map", "f32", &[-1, 384, -1, -1]),
            outlet("labels", "int64", &[-1, 1, 1, 1]),
        ];
        assert_eq!(output_names(&outputs, &[]).unwrap(), ["map"]);
        assert_eq!(output_names(&outputs[..1], &[]).unwrap(), ["tokens"]);
        assert_eq!(output_names(&outputs, &["tokens".into()]).unwrap(), ["tokens"]);
        let unknown = output_names(&outputs, &["layer4".into()]).unwrap_err();
        assert!(unknown.contains("`layer4`") && unknown.contains("map [-1, 384, -1, -1]"));
        assert!(output_names(&outputs[2..], &[]).unwrap_err().contains("labels"));
    }
}

//! The options of an encoder, whichever it is.

use super::onnx_model::Provider;
use crate::data::image::Normalisation;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The value of [`EncoderOptions::encoder`] that means the built-in one.
pub const DEFAULT: &str = "default";

/// What an encoder is made from; the same keys on the command line, in TOML and in C.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EncoderOptions {
    /// `default`, or the path of a safetensors file (ResNet) or of an ONNX file. Default
    /// `default`.
    pub encoder: String,
    /// The maps to take: layers of a ResNet (`layer1` to `layer4`) or outputs of an ONNX model.
    /// Empty (the default) takes `layer4` and `layer3` (patent ¶53), or every output that is a
    /// map.
    pub layers: Vec<String>,
    /// Subtracted from red, green and blue in [0, 1]. Default: ImageNet's mean, with which nearly
    /// all public weights were trained. The built-in encoder has its own.
    pub image_mean: [f32; 3],
    /// Red, green and blue are divided by this. Default: ImageNet's standard deviation.
    pub image_deviation: [f32; 3],
    /// Path of libonnxruntime. Empty (the default) looks at `SIMDETR_ORT_LIB`, `ORT_DYLIB_PATH`
    /// and the usual names.
    pub onnx_library: String,
    /// Where ONNX models run: `cpu` (the default) or `cuda`.
    pub onnx_provider: String,
    /// Threads of an ONNX model. 0 (the default) is one for each processor, 1 the caller's own.
    pub onnx_threads: u32,
    /// What stands before the names of the network to read, where a safetensors file holds several
    /// (`encoder_q`); `.` where nothing does. Empty (the default) takes the one that was trained and
    /// leaves its momentum and EMA copies.
    pub weights_prefix: String,
}

impl Default for EncoderOptions {
    fn default() -> EncoderOptions {
        EncoderOptions {
            encoder: DEFAULT.into(),
            layers: Vec::new(),
            image_mean: [0.485, 0.456, 0.406],
            image_deviation: [0.229, 0.224, 0.225],
            onnx_library: String::new(),
            onnx_provider: "cpu".into(),
            onnx_threads: 0,
            weights_prefix: String::new(),
        }
    }
}

impl EncoderOptions {
    /// Checks every value that a file or a host may have set.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the key and the value; [`Error::NotCompiled`] for a
    /// provider that this build lacks.
    pub fn validate(&self) -> Result<()> {
        if self.encoder.is_empty() {
            return Err(Error::invalid("encoder", "is empty; `default` or a file is needed"));
        }
        if self.image_mean.iter().any(|mean| !mean.is_finite()) {
            return Err(Error::invalid(
                "image_mean",
                format!("{:?} is not finite", self.image_mean),
            ));
        }
        if self.image_deviation.iter().any(|deviation| !deviation.is_finite() || *deviation <= 0.0)
        {
            let reason = format!("{:?} is not positive and finite", self.image_deviation);
            return Err(Error::invalid("image_deviation", reason));
        }
        if self.onnx_threads as usize > crate::workers::THREADS_MAX {
            let reason = format!("{} is over {}", self.onnx_threads, crate::workers::THREADS_MAX);
            return Err(Error::invalid("onnx_threads", reason));
        }
        Provider::from_name(&self.onnx_provider).map(|_| ())
    }

    /// What is done to pixels before a network sees them.
    pub fn normalisation(&self) -> Normalisation {
        Normalisation { mean: self.image_mean, deviation: self.image_deviation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_cannot_work_are_refused_by_key() {
        assert!(EncoderOptions::default().validate().is_ok());
        let refused = |change: fn(&mut EncoderOptions)| {
            let mut options = EncoderOptions::default();
            change(&mut options);
            options.validate().unwrap_err().to_string()
        };
        assert!(refused(|options| options.encoder.clear()).starts_with("encoder:"));
        assert!(refused(|options| options.image_mean[1] = f32::NAN).starts_with("image_mean:"));
        assert!(
            refused(|options| options.image_deviation[2] = 0.0).contains("0.0] is not positive")
        );
        assert!(refused(|options| options.onnx_threads = 2000).contains("2000 is over 1024"));
        assert!(
            refused(|options| options.onnx_provider = "tpu".into()).contains("`tpu` is none of")
        );
    }
}

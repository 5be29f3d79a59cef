//! Which encoder: its options and the choice by name, by file or by bytes at hand.

use super::default::{self, DefaultEncoder};
use super::onnx::{OnnxEncoder, Provider};
use super::resnet::ResNetEncoder;
use super::{Encoder, fingerprint};
use crate::data::image::Normalisation;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The value of [`EncoderOptions::encoder`] that means the built-in one.
pub const DEFAULT: &str = "default";

/// Bytes at the start of a file that tell what it is.
const HEAD_BYTES: usize = 16;

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

/// The encoder that the options name: the built-in one, or a file recognised by its content.
///
/// # Errors
/// [`Error::Io`] for a file that cannot be read; [`Error::InvalidArgument`] for one that is
/// neither safetensors nor ONNX; otherwise as the encoder that is made.
pub fn open(options: &EncoderOptions) -> Result<Arc<dyn Encoder>> {
    options.validate()?;
    if options.encoder == DEFAULT {
        return Ok(Arc::new(DefaultEncoder::new()?));
    }
    let path = Path::new(&options.encoder);
    let failed = |source| Error::io(path, source);
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let file = File::open(path).map_err(failed)?;
    file.take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
    match kind(&head).ok_or_else(|| unknown(&options.encoder, &head))? {
        Kind::ResNet => Ok(Arc::new(ResNetEncoder::from_file(path, options)?)),
        Kind::Onnx => Ok(Arc::new(OnnxEncoder::from_file(path, options)?)),
    }
}

/// The file of the encoder's ResNet, from which a detector's backbone may start.
///
/// # Errors
/// [`Error::InvalidArgument`] for an encoder that is not a ResNet; [`Error::Io`].
pub fn weights(options: &EncoderOptions) -> Result<Vec<u8>> {
    if options.encoder == DEFAULT {
        return Ok(default::weights()?.to_vec());
    }
    let path = Path::new(&options.encoder);
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    match kind(&bytes) {
        Some(Kind::ResNet) => Ok(bytes),
        _ => {
            let reason = format!(
                "`encoder`, but {} holds no ResNet: name a file of one, or `random`",
                path.display()
            );
            Err(Error::invalid("backbone_init", reason))
        }
    }
}

/// What identifies the file that [`weights`] reads, without asking whether it holds a ResNet.
///
/// # Errors
/// [`Error::Io`].
pub fn weights_fingerprint(options: &EncoderOptions) -> Result<String> {
    match options.encoder.as_str() {
        // A build without them has no detector that could start from them.
        DEFAULT => Ok(default::weights().map_or_else(
            |_| "encoder:absent".into(),
            |bytes| fingerprint::of_bytes("encoder", bytes),
        )),
        path => fingerprint::of_file("encoder", Path::new(path)),
    }
}

/// The encoder of a file's content, safetensors or ONNX; `options.encoder` is not looked at.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(bytes: &[u8], options: &EncoderOptions) -> Result<Arc<dyn Encoder>> {
    options.validate()?;
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    match kind(head).ok_or_else(|| unknown("in memory", head))? {
        Kind::ResNet => Ok(Arc::new(ResNetEncoder::from_bytes(bytes, options)?)),
        Kind::Onnx => Ok(Arc::new(OnnxEncoder::from_bytes(bytes, options)?)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    ResNet,
    Onnx,
}

/// A safetensors file begins with the length of its JSON header, 8 bytes, and the header's brace.
/// An ONNX file is a protocol buffer without a signature; its first field is the version of the
/// format (field 1, an integer: byte 0x08), one digit for every version so far.
fn kind(head: &[u8]) -> Option<Kind> {
    match head {
        [_, _, _, _, _, _, 0, 0, b'{', ..] => Some(Kind::ResNet),
        [0x08, 1..=0x7f, ..] => Some(Kind::Onnx),
        _ => None,
    }
}

fn unknown(file: &str, head: &[u8]) -> Error {
    let hint = match head {
        [b'P', b'K', ..] | [0x80, ..] => {
            "; it looks like a PyTorch checkpoint, which must be saved as safetensors first"
        }
        _ => "",
    };
    let reason = format!("`{file}` is neither a safetensors nor an ONNX file{hint}");
    Error::invalid("encoder", reason)
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

    #[test]
    fn files_are_known_by_their_first_bytes() {
        assert_eq!(kind(b"\x40\x01\0\0\0\0\0\0{\"conv1"), Some(Kind::ResNet));
        assert_eq!(kind(b"\x08\x0a\x12\x07pytorch"), Some(Kind::Onnx));
        for other in [&b"PK\x03\x04"[..], b"\x89PNG", b"", b"\x08", b"<html>"] {
            assert_eq!(kind(other), None);
        }
        let checkpoint = unknown("weights.pth", b"PK\x03\x04").to_string();
        assert!(
            checkpoint.contains("`weights.pth`") && checkpoint.contains("saved as safetensors")
        );
    }

    #[test]
    fn a_missing_or_foreign_file_is_named() {
        let open = |encoder: &str| {
            let options = EncoderOptions { encoder: encoder.into(), ..EncoderOptions::default() };
            super::open(&options).err().unwrap()
        };
        assert!(matches!(open("missing.safetensors"), Error::Io { .. }));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(open(manifest).to_string().contains("neither a safetensors nor an ONNX file"));
        assert!(open_bytes(b"PK", &EncoderOptions::default()).is_err());
    }
}

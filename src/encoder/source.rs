//! Which encoder: the choice by name, by file or by bytes at hand.

use super::default::{self, DefaultEncoder};
use super::onnx::OnnxEncoder;
use super::options::{DEFAULT, EncoderOptions};
use super::resnet::ResNetEncoder;
use super::{Encoder, fingerprint};
use crate::backbone::checkpoint::{Checkpoint, weights_file};
use crate::data::file_kind::{self, FileKind, HEAD_BYTES};
use crate::data::tensor_file::head;
use crate::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// What a file of an encoder must be.
const WANTED: &str = "an encoder, as it is neither a safetensors nor an ONNX file";

/// The encoder that the options name: the built-in one, or a file recognised by its content.
///
/// # Errors
/// [`Error::Io`] for a file that cannot be read; [`Error::Format`] for one that is neither safetensors
/// nor ONNX, with what it is; otherwise as the encoder that is made.
pub fn open(options: &EncoderOptions) -> Result<Arc<dyn Encoder>> {
    options.validate()?;
    if options.encoder == DEFAULT {
        return Ok(Arc::new(DefaultEncoder::new()?));
    }
    let path = weights_file(Path::new(&options.encoder))?;
    let head = head(&path)?;
    match kind(&head, &options.encoder)? {
        FileKind::Safetensors => Ok(Arc::new(ResNetEncoder::from_file(&path, options)?)),
        FileKind::Onnx => Ok(Arc::new(OnnxEncoder::from_file(&path, options)?)),
    }
}

/// The file of the encoder's ResNet, from which a detector's backbone may start.
///
/// # Errors
/// [`Error::InvalidArgument`] for an encoder that is not a ResNet; [`Error::Format`] for a file that is
/// no encoder; [`Error::Io`].
pub fn weights(options: &EncoderOptions) -> Result<Checkpoint<'static>> {
    if options.encoder == DEFAULT {
        return Checkpoint::read(default::weights()?, DEFAULT);
    }
    let path = weights_file(Path::new(&options.encoder))?;
    match kind(&head(&path)?, &options.encoder)? {
        FileKind::Safetensors => Checkpoint::open(&path),
        FileKind::Onnx => {
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
/// [`Error::Io`]; [`Error::Format`] for a folder without one file of weights.
pub fn weights_fingerprint(options: &EncoderOptions) -> Result<String> {
    match options.encoder.as_str() {
        // A build without them has no detector that could start from them.
        DEFAULT => Ok(default::weights().map_or_else(
            |_| "encoder:absent".into(),
            |bytes| fingerprint::of_bytes("encoder", bytes),
        )),
        path => fingerprint::of_file("encoder", &weights_file(Path::new(path))?),
    }
}

/// The encoder of a file's content, safetensors or ONNX; `options.encoder` is not looked at.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(bytes: &[u8], options: &EncoderOptions) -> Result<Arc<dyn Encoder>> {
    options.validate()?;
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    match kind(head, "encoder in memory")? {
        FileKind::Safetensors => Ok(Arc::new(ResNetEncoder::from_bytes(bytes, options)?)),
        FileKind::Onnx => Ok(Arc::new(OnnxEncoder::from_bytes(bytes, options)?)),
    }
}

fn kind(head: &[u8], source: &str) -> Result<FileKind> {
    file_kind::recognise(head).ok_or_else(|| file_kind::refusal(source, head, WANTED))
}

#[cfg(test)]
mod tests {
    use super::*;

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

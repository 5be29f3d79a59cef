//! What ONNX Runtime is asked to run and where, and what a model says of its inputs and outputs: the
//! words that an encoder and its session share.

use crate::{Error, Result};
use std::path::Path;

/// Where ONNX Runtime does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    /// The processor.
    Cpu,
    /// An NVIDIA device, for the whole model.
    Cuda,
}

impl Provider {
    /// The provider of that name: `cpu` or `cuda`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another name; [`Error::NotCompiled`] for `cuda` without the
    /// cargo feature of that name.
    pub(super) fn from_name(name: &str) -> Result<Provider> {
        match name {
            "cpu" => Ok(Provider::Cpu),
            "cuda" if cfg!(feature = "cuda") => Ok(Provider::Cuda),
            "cuda" => Err(Error::NotCompiled { feature: "cuda" }),
            _ => Err(Error::invalid("onnx_provider", format!("`{name}` is none of cpu, cuda"))),
        }
    }

    /// The name that [`Provider::from_name`] reads.
    pub(super) fn name(self) -> &'static str {
        match self {
            Provider::Cpu => "cpu",
            Provider::Cuda => "cuda",
        }
    }
}

/// Where a model comes from.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "onnx"), expect(dead_code, reason = "that build loads no models"))]
pub(super) enum Model<'a> {
    File(&'a Path),
    Bytes(&'a [u8]),
}

/// An input or output as the model declares it. Sides that vary are negative.
pub(super) struct Outlet {
    pub name: String,
    /// `f32` or the name of another element type; `None` for what is no tensor.
    pub element: Option<String>,
    pub dimensions: Vec<i64>,
}

#[cfg(all(test, not(feature = "cuda")))]
mod tests {
    use super::*;

    #[test]
    fn cuda_without_its_feature_says_so() {
        let error = Provider::from_name("cuda").unwrap_err();
        assert!(matches!(error, Error::NotCompiled { feature: "cuda" }));
    }
}

//! What a detector's folder says of it, and which detectors there are.
//!
//! A new detector is a folder with a [`DetectorKind`] and a line in [`KINDS`]. Training, prediction, files
//! and the ABI know detectors by this alone.

use super::backbone_weights::BackboneWeights;
use super::config::DetectorConfig;
use super::deformable_detr::DeformableDetr;
use super::description::DetectorDescription;
use super::naming::Naming;
use super::network::{BatchShape, Layers};
use super::onnx::graph::{Graph, Value};
use super::whole_detector::Detector;
use crate::backbone::checkpoint::Checkpoint;
use crate::nn::network::Purpose;
use crate::nn::parameters::{ParameterSpec, ParameterTable};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;
use std::path::Path;

/// Every detector; the first is the one that files without a kind hold.
pub static KINDS: [&dyn DetectorKind; 1] = [&DeformableDetr];

/// What one detector is: parameters, operations, names in files, ONNX.
pub trait DetectorKind: fmt::Debug + Send + Sync {
    /// Its name in files.
    fn name(&self) -> &'static str;

    /// Its name in messages.
    fn title(&self) -> &'static str;

    /// # Errors
    /// [`Error::InvalidArgument`] with the first key that is out of range.
    fn validate(&self, config: &DetectorConfig) -> Result<()>;

    /// Every parameter under its official name, in an order that never changes: drawn values depend on
    /// it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for sizes that the backbone does not come in.
    fn parameters(&self, config: &DetectorConfig) -> Result<Vec<ParameterSpec>>;

    /// The operations for a batch of one size, to be run on up to `workers_count` workers.
    ///
    /// # Errors
    /// [`Error::Internal`] for a parameter that `table` lacks.
    fn build(
        &self,
        config: &DetectorConfig,
        table: &ParameterTable,
        shape: BatchShape,
        purpose: Purpose,
        workers_count: usize,
    ) -> Result<Layers>;

    /// What stands before the public names of the backbone's parameters.
    fn backbone_prefix(&self) -> &'static str;

    /// Checks, before any long work, that `weights` are a backbone of the detector's sizes; numbers are
    /// not looked at.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another backbone; those of the file.
    fn check_backbone(&self, weights: BackboneWeights<'_>, config: &DetectorConfig) -> Result<()>;

    /// Puts `weights` into the backbone's place.
    ///
    /// # Errors
    /// As [`DetectorKind::check_backbone`]; [`Error::Format`] for numbers that are none; [`Error::Shape`]
    /// where `table` is not of `config`.
    fn start_backbone(
        &self,
        weights: BackboneWeights<'_>,
        config: &DetectorConfig,
        table: &ParameterTable,
        parameters: &mut [f32],
    ) -> Result<()>;

    /// The biases of a class head, under either naming: as many as there are classes.
    fn class_bias(&self) -> &'static str;

    /// Beside [`DetectorKind::class_bias`], names of which a whole file has one and copies of heads none.
    fn marks(&self) -> &'static [&'static str];

    /// Where a file may hold a parameter, the usual place first: the tensors that make it up, in the
    /// order of its rows.
    fn places(&self, config: &DetectorConfig, name: &str, naming: Naming) -> Vec<Vec<String>>;

    /// The tensors that make up a parameter in a file that is written.
    fn written(&self, name: &str, naming: Naming) -> Vec<String>;

    /// Under which further official names a file repeats this parameter.
    fn repeated(&self, config: &DetectorConfig, name: &str) -> Vec<String>;

    /// Every size in which the detector of `file` differs from `config`, as one line; empty where none is
    /// found.
    fn differences(&self, file: &Checkpoint<'_>, config: &DetectorConfig, naming: Naming)
    -> String;

    /// What the documents of Hugging Face in `folder` say of a file that has heads for as many classes as
    /// `classes_of_file` answers; `None` where there are none. What they leave open is that of `plain`.
    ///
    /// # Errors
    /// [`Error::Format`] naming the document and the key; [`Error::Shape`] for another number of classes;
    /// those of `classes_of_file`.
    fn described_by_hugging_face(
        &self,
        folder: &Path,
        classes_of_file: &dyn Fn() -> Result<usize>,
        plain: Option<&DetectorDescription>,
    ) -> Result<Option<DetectorDescription>>;

    /// The `config.json` with which `transformers` reads a file of `detector`.
    ///
    /// # Errors
    /// Those of the detector's configuration.
    fn hugging_face_config(&self, detector: &Detector) -> Result<serde_json::Value>;

    /// Adds `detector` to an ONNX graph: logits `[batch, queries, classes]` and boxes
    /// `[batch, queries, 4]` for `images` `[batch, 3, height, width]`, of which a side that is `None` may be
    /// any.
    ///
    /// # Errors
    /// Those of the detector's configuration.
    fn add_to_onnx(
        &self,
        detector: &Detector,
        graph: &mut Graph,
        images: &Value,
        sides: (Option<usize>, Option<usize>),
    ) -> Result<(Value, Value)>;
}

/// One of [`KINDS`], by its name in files.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(&'static dyn DetectorKind);

impl Kind {
    /// # Errors
    /// [`Error::InvalidArgument`] with the names that there are.
    pub fn from_name(name: &str) -> Result<Kind> {
        let found = KINDS.iter().find(|kind| kind.name() == name);
        found.map(|kind| Kind(*kind)).ok_or_else(|| {
            let known = KINDS.map(DetectorKind::name).join(", ");
            Error::invalid("kind", format!("`{name}` is no detector of this library: {known}"))
        })
    }
}

impl Default for Kind {
    fn default() -> Kind {
        Kind(KINDS[0])
    }
}

impl Deref for Kind {
    type Target = dyn DetectorKind;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        self.name() == other.name()
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl TryFrom<String> for Kind {
    type Error = Error;

    fn try_from(name: String) -> Result<Kind> {
        Kind::from_name(&name)
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> String {
        kind.name().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_names_of_their_own() {
        for kind in KINDS {
            assert_eq!(Kind::from_name(kind.name()).unwrap().title(), kind.title());
        }
        let error = Kind::from_name("yolo").unwrap_err().to_string();
        assert!(error.contains("`yolo`") && error.contains("deformable-detr"), "{error}");
    }
}

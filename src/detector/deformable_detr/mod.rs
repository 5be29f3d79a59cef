//! Deformable DETR (Zhu, Su, Lu, Li, Wang, Dai, ICLR 2021) with a ResNet backbone.
//!
//! Facts of the official code that the paper leaves open are in the reference (algorithm.md §2.1):
//! initial values, names, the extra level, how reference points meet padding. Every parameter is declared
//! once, in [`parameters`]; everything else finds it by its name or its role.

pub mod batch_geometry;
mod file_sizes;
pub mod hugging_face_config;
pub mod hugging_face_folder;
pub mod initial;
pub mod names;
pub mod network;
mod onnx;
pub mod parameters;
pub mod sizes;

use super::backbone_weights::BackboneWeights;
use super::config::DetectorConfig;
use super::description::DetectorDescription;
use super::kind::DetectorKind;
use super::naming::Naming;
use super::network::{BatchShape, Layers};
use super::onnx::graph::{Graph, Value};
use super::whole_detector::Detector;
use crate::Result;
use crate::backbone::checkpoint::Checkpoint;
use crate::nn::network::Purpose;
use crate::nn::parameters::{ParameterSpec, ParameterTable};
use std::path::Path;

/// This folder.
#[derive(Debug)]
pub struct DeformableDetr;

impl DetectorKind for DeformableDetr {
    fn name(&self) -> &'static str {
        "deformable-detr"
    }

    fn title(&self) -> &'static str {
        "Deformable DETR"
    }

    fn validate(&self, config: &DetectorConfig) -> Result<()> {
        sizes::validate(config)
    }

    fn parameters(&self, config: &DetectorConfig) -> Result<Vec<ParameterSpec>> {
        parameters::specifications(config)
    }

    fn build(
        &self,
        config: &DetectorConfig,
        table: &ParameterTable,
        shape: BatchShape,
        purpose: Purpose,
        workers_count: usize,
    ) -> Result<Layers> {
        network::build(config, table, shape, purpose, workers_count)
    }

    fn backbone_prefix(&self) -> &'static str {
        names::BACKBONE_PREFIX
    }

    fn check_backbone(&self, weights: BackboneWeights<'_>, config: &DetectorConfig) -> Result<()> {
        weights.check_resnet(config)
    }

    fn start_backbone(
        &self,
        weights: BackboneWeights<'_>,
        config: &DetectorConfig,
        table: &ParameterTable,
        parameters: &mut [f32],
    ) -> Result<()> {
        weights.start_resnet(config, names::BACKBONE_PREFIX, table, parameters)
    }

    fn class_bias(&self) -> &'static str {
        names::CLASS_BIAS
    }

    fn marks(&self) -> &'static [&'static str] {
        &names::MARKS
    }

    fn places(&self, config: &DetectorConfig, name: &str, naming: Naming) -> Vec<Vec<String>> {
        names::places(config, name, naming)
    }

    fn written(&self, name: &str, naming: Naming) -> Vec<String> {
        match naming {
            Naming::Official => vec![name.into()],
            Naming::HuggingFace => names::hugging_face(name),
        }
    }

    fn repeated(&self, config: &DetectorConfig, name: &str) -> Vec<String> {
        names::repeated(config, name)
    }

    fn differences(
        &self,
        file: &Checkpoint<'_>,
        config: &DetectorConfig,
        naming: Naming,
    ) -> String {
        file_sizes::differences(file, config, naming)
    }

    fn described_by_hugging_face(
        &self,
        folder: &Path,
        classes_of_file: &dyn Fn() -> Result<usize>,
        plain: Option<&DetectorDescription>,
    ) -> Result<Option<DetectorDescription>> {
        hugging_face_folder::description(folder, classes_of_file, plain)
    }

    fn hugging_face_config(&self, detector: &Detector) -> Result<serde_json::Value> {
        hugging_face_config::document(detector)
    }

    fn add_to_onnx(
        &self,
        detector: &Detector,
        graph: &mut Graph,
        images: &Value,
        sides: (Option<usize>, Option<usize>),
    ) -> Result<(Value, Value)> {
        onnx::predictions(detector, graph, images, sides)
    }
}

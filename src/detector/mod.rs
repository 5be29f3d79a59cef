//! Detectors: from images to class logits and boxes, with public parameter names.
//!
//! What one detector alone has is a folder behind [`kind::DetectorKind`]; everything else here is shared.

pub mod backbone_weights;
pub mod config;
pub mod deformable_detr;
pub mod description;
pub mod host_guide;
pub mod hugging_face;
pub mod kind;
pub mod naming;
pub mod network;
pub mod onnx;
pub mod parameters;
pub mod prediction;
pub mod predictor;
pub mod weights;
mod weights_read;
pub mod whole_detector;

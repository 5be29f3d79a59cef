//! Detectors: from images to class logits and boxes, with public parameter names.

pub mod deformable_detr;
pub mod host_guide;
pub mod onnx;
pub mod prediction;

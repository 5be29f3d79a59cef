//! Detectors: from images to class logits and boxes, with public parameter names.

pub mod config;
pub mod deformable_detr;
pub mod description;
pub mod detector;
pub mod host_guide;
pub mod onnx;
pub mod prediction;
pub mod predictor;
pub mod tensor_file;
pub mod weights;
mod weights_read;

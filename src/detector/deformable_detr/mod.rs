//! Deformable DETR (Zhu, Su, Lu, Li, Wang, Dai, ICLR 2021) with a ResNet backbone.
//!
//! Facts of the official code that the paper leaves open are in the reference (algorithm.md §2.1):
//! initial values, names, the extra level, how reference points meet padding.

pub mod batch_geometry;
pub(super) mod file_sizes;
pub mod hugging_face_config;
pub mod hugging_face_folder;
pub mod initialise;
pub mod names;
pub mod network;
pub(super) mod onnx;

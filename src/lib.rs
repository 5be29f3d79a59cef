//! libsimdetr: an object detector taught by images that nobody labelled.
//!
//! The library implements SimDETR (US 2025/0265826 A1). Stage 0, the part in this crate so far,
//! turns a folder of images into a detection data set without labels:
//!
//! ```text
//! images ──encoder──▶ feature maps (stride 32, stride 16)
//!        ──proposals─▶ regions ▶ filters ▶ boxes + vectors       per image (local clustering)
//!        ──clustering▶ one pseudo-class per box                  whole set (global clustering)
//!                      = T_0, a detection data set in COCO form
//! ```
//!
//! # The rooms
//!
//! | room | what it does |
//! |---|---|
//! | [`capi`] | the C ABI: check, convert, guard, call; no algorithm lives there |
//! | [`pipeline`] | stage 0 end to end: run folder, resume, report, demo |
//! | [`proposals`] | local clustering: affinity, eigenvectors, regions, filters, Selective Search |
//! | [`clustering`] | global clustering: k-means over a set of any size |
//! | [`criterion`] | losses of every decoder layer, with their gradients |
//! | [`matching`] | DETR's matching costs and exact assignment |
//! | [`evaluation`] | COCO average precision and recall |
//! | [`encoder`] | where feature maps come from: built in, a ResNet, ONNX, the host |
//! | [`data`] | images, folders, COCO files, the proposal store |
//! | [`backbone`] | ResNet: what encoders and, later, detectors share |
//! | [`nn`] | layers and matrix products |
//!
//! Arrows point down only: `capi, bin → pipeline → proposals, clustering, evaluation, encoder →
//! data, backbone → nn`. Every room uses [`error`], [`workers`], [`control`], [`geometry`] and
//! [`random`].
#![deny(unsafe_code)]

pub mod backbone;
#[allow(unsafe_code)]
pub mod capi;
pub mod clustering;
pub mod config;
pub mod control;
pub mod criterion;
pub mod data;
pub mod detector;
pub mod encoder;
pub mod error;
pub mod evaluation;
pub mod geometry;
pub mod matching;
pub mod nn;
pub mod pipeline;
pub mod proposals;
pub mod random;
pub mod training;
pub mod workers;

pub use error::{Error, Result};

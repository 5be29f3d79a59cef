//! libsimdetr: an object detector taught by images that nobody labelled.
//!
//! The library implements SimDETR (US 2025/0265826 A1), Algorithm 1:
//!
//! ```text
//! images ──encoder──▶ feature maps (stride 32, stride 16)
//!        ──proposals─▶ regions ▶ filters ▶ boxes + vectors       per image (local clustering)
//!        ──clustering▶ one pseudo-class per box                  whole set (global clustering)
//!                      = T_0, a detection data set in COCO form
//!        ──training──▶ a detector on T_0: matcher, criterion, augmentation, trainable backbone
//!        ──relabel───▶ its own boxes = T_1
//!        ──training──▶ ... stages 1, 2, ...
//! ```
//!
//! # The rooms
//!
//! | room | what it does |
//! |---|---|
//! | [`capi`] | the C ABI: check, convert, guard, call; no algorithm lives there |
//! | [`pipeline`] | Algorithm 1 end to end: run folder, resume, report, demo; fine-tuning, predictions |
//! | [`training`] | steps, stages, optimiser, checkpoints, relabelling |
//! | [`detector`] | from images to boxes: each detector a folder (Deformable DETR), predictions, files, ONNX |
//! | [`criterion`] | losses of every decoder layer and their gradients |
//! | [`matching`] | which query answers for which target: costs and exact assignment |
//! | [`proposals`] | local clustering: affinity, eigenvectors, regions, filters, Selective Search |
//! | [`clustering`] | global clustering: k-means over a set of any size |
//! | [`evaluation`] | COCO average precision and recall |
//! | [`encoder`] | where feature maps come from: built in, a ResNet, ONNX, the host |
//! | [`data`] | images, folders, COCO files, the proposal store, augmentation, batches |
//! | [`backbone`] | ResNet: what encoders and detectors share |
//! | [`nn`] | operations, networks of them over one arena, training and prediction |
//! | [`kernels`] | vector kernels and matrix products, over memory of [`memory::aligned`] |
//!
//! Arrows point down only: `capi, bin → pipeline → training → detector, criterion → matching → data,
//! backbone → nn → kernels`; `proposals, clustering, evaluation, encoder` stand beside training and know
//! nothing of it. Every room uses [`error`], [`memory`], [`workers`], [`control`], [`geometry`] and [`random`];
//! [`byte_count`] writes sizes for their messages.
#![deny(unsafe_code)]

pub mod backbone;
pub mod byte_count;
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
pub mod kernels;
pub mod matching;
pub mod memory;
pub mod nn;
mod per_process;
pub mod pipeline;
pub mod proposals;
pub mod random;
pub mod ranking;
pub mod training;
pub mod workers;

pub use error::{Error, Result};

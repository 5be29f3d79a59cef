//! The C ABI: check, convert, guard, call. No algorithm lives here.
//!
//! One file for each handle; every exported function runs its body inside [`guard`], so that no
//! panic crosses the border, and reports through a status and a caller-owned `simdetr_error_t`.
//! `include/simdetr.h` is generated from these files by `tests/header.rs`, which also fixes their
//! order; the doc comments are Doxygen because they become the header's text. What all functions
//! that answer a status have in common, the optional `error` and that nobody may ignore the status,
//! is written there once. Declarations that repeat are macros of [`declare`]. The conventions and
//! their reasons are in the header's opening comment (`cbindgen.toml`).
//!
//! Safety, once for all exported functions: pointers must be NULL where the text allows it, or
//! point to what the text says for as long as it says. NULL elsewhere, unknown numbers and wrong
//! sizes are answered with a status. What an `unsafe` function does within that contract, or within
//! its own `# Safety`, needs no block of its own; a block stands, with its reason, where more is
//! relied on.
#![allow(non_camel_case_types, clippy::missing_safety_doc, unsafe_op_in_unsafe_fn)]

pub mod cancel;
pub mod clusterer;
pub mod clusterer_answers;
pub mod clusterer_steps;
pub mod criterion;
pub mod criterion_answers;
mod declare;
pub mod detections;
pub mod detector;
pub mod detector_callbacks;
pub mod detector_export;
mod detector_host;
pub mod detector_predict;
pub mod encoder;
pub mod encoder_callback;
pub mod encoder_encode;
pub mod encoder_open;
pub mod error;
pub mod evaluator;
pub mod extractor;
pub mod extractor_images;
pub mod extractor_maps;
pub mod extractor_options;
pub mod feature_maps;
mod guard;
pub mod host_maps;
pub mod image;
pub mod image_geometry;
pub mod log;
pub mod matcher;
mod options;
pub mod overlay;
mod pointers;
pub mod proposals;
pub mod proposals_tensor;
pub mod run;
pub mod selective_search_options;
pub mod status;
pub mod store;
pub mod store_read;
pub mod targets;
pub mod tensor;
mod tensor_part;
pub mod trainer;
mod trainer_measured;
pub mod trainer_run;
pub mod trainer_step;
pub mod version;
pub mod workers;

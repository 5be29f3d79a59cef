//! Layers and matrix products: f32 on the CPU, activations NHWC.
//!
//! Own code and no framework (design.md §4): a framework's convolutions were three to seven times
//! slower than what reused buffers and one good matrix product give.

pub mod activation;
pub mod aligned;
pub mod batch_norm;
mod exponential;
pub mod kept;
pub mod local;
#[allow(unsafe_code)]
pub mod matrix_product;
pub mod network;
pub mod operation;
pub mod ops;
#[allow(unsafe_code)]
mod pages;
pub mod parameter_values;
pub mod parameters;
pub mod placement;
#[allow(unsafe_code)]
pub mod simd;
pub mod winograd;

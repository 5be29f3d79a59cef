//! The operations of trainable networks: one file each, with forward, backward and tests.
//!
//! Maps are dense `[images, height, width, channels]` without a border, so that every operation
//! reads what any other wrote; weights are raw, as they lie on disk (OIHW). What an operation may
//! ask for and must keep is [`crate::nn::operation::Operation`]'s contract.

pub mod add;
pub mod attention;
pub mod bilinear_resize;
pub mod box_refinement;
mod column_sums;
pub mod concatenate;
pub mod convolution;
pub mod deformable_attention;
mod deformable_cells;
mod deformable_samples;
pub mod dropout;
pub mod embedding;
#[cfg(test)]
pub(crate) mod finite_difference;
pub mod frozen_norm;
pub mod group_norm;
#[cfg(test)]
pub(crate) mod harness;
mod heads;
pub mod inverse_sigmoid;
pub mod layer_norm;
pub mod level_embedding;
pub mod level_references;
pub mod linear;
pub mod mask_rows;
pub mod max_pool;
mod reduce;
pub mod relu;
pub mod sampling_locations;
pub mod sigmoid;
pub mod sine_positions;
pub mod slice;
pub mod softmax;

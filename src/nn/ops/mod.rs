//! The operations of trainable networks: one file each, with forward, backward and tests.
//!
//! Maps are dense `[images, height, width, channels]` without a border, so that every operation
//! reads what any other wrote; weights are raw, as they lie on disk (OIHW). What an operation may
//! ask for and must keep is [`crate::nn::operation::Operation`]'s contract.

pub mod convolution;
#[cfg(test)]
pub(crate) mod finite_difference;
#[cfg(test)]
pub(crate) mod harness;
pub mod relu;

//! What every room computes with: vector kernels and matrix products. f32 on the CPU,
//! activations NHWC.
//!
//! Own code and no framework (design.md §4): a framework's convolutions were three to seven times
//! slower than what reused buffers and one good matrix product give.
//!
//! | file | what it does |
//! |---|---|
//! | [`simd`] | kernels in vector instructions, once over all levels |
//! | [`matrix_product`] | products of strided matrices, split over workers |
//! | [`winograd`] | 3x3 convolutions with a quarter of the multiplications |
//! | [`activation`] | where the values of a batch of maps lie |

pub mod activation;
pub(crate) mod exponential;
#[allow(unsafe_code)]
pub mod matrix_product;
#[allow(unsafe_code)]
pub mod simd;
pub mod winograd;

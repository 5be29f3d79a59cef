//! What every room computes with: vector kernels, matrix products, aligned memory. f32 on the CPU,
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
//! | [`aligned`] | memory that starts on a cache line |
//! | [`local`] | memory of a thread for the task that it runs |

pub mod activation;
pub mod aligned;
pub(crate) mod exponential;
pub mod local;
#[allow(unsafe_code)]
pub mod matrix_product;
mod pages;
#[allow(unsafe_code)]
pub mod simd;
pub mod winograd;

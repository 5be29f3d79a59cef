//! Every operation there is, as plain data: the one list that backends are held to.
//!
//! A new operation is a file under `ops` and a line here. Each backend matches the list without a
//! rest, so that an operation that it cannot compute does not compile.

use super::cpu::{OnCpu, Real};
use super::operation::Operation;
use super::ops;

/// Writes the list, and what each backend makes of it.
macro_rules! operations {
    ($($(#[$condition:meta])? $name:ident($path:path),)*) => {
        /// One operation of a network.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            $($(#[$condition])? $name($path),)*
        }

        impl Op {
            /// Its shapes.
            pub fn description(&self) -> &dyn Operation {
                match self {
                    $($(#[$condition])? Op::$name(operation) => operation,)*
                }
            }

            /// How the CPU computes it.
            pub fn on_cpu<T: Real>(&self) -> &dyn OnCpu<T> {
                match self {
                    $($(#[$condition])? Op::$name(operation) => operation,)*
                }
            }
        }

        $($(#[$condition])? impl From<$path> for Op {
            fn from(operation: $path) -> Op {
                Op::$name(operation)
            }
        })*
    };
}

operations! {
    Add(ops::add::Add),
    Attention(ops::attention::Attention),
    BilinearResize(ops::bilinear_resize::BilinearResize),
    BoxRefinement(ops::box_refinement::BoxRefinement),
    Concatenate(ops::concatenate::Concatenate),
    Convolution(ops::convolution::Convolution),
    DeformableAttention(ops::deformable_attention::DeformableAttention),
    Dropout(ops::dropout::Dropout),
    Embedding(ops::embedding::Embedding),
    FrozenNorm(ops::frozen_norm::FrozenNorm),
    GroupNorm(ops::group_norm::GroupNorm),
    InverseSigmoid(ops::inverse_sigmoid::InverseSigmoid),
    LayerNorm(ops::layer_norm::LayerNorm),
    LevelEmbedding(ops::level_embedding::LevelEmbedding),
    LevelReferences(ops::level_references::LevelReferences),
    Linear(ops::linear::Linear),
    MaskRows(ops::mask_rows::MaskRows),
    MaxPool(ops::max_pool::MaxPool),
    Relu(ops::relu::Relu),
    SamplingLocations(ops::sampling_locations::SamplingLocations),
    Sigmoid(ops::sigmoid::Sigmoid),
    Slice(ops::slice::Slice),
    Softmax(ops::softmax::Softmax),
    #[cfg(test)]
    Multiply(super::network::tests::Multiply),
}

//! Networks of operations: described, laid out in one arena, run forward and back.
//!
//! | file | what it does |
//! |---|---|
//! | [`operation`] | what an operation is, whoever computes it |
//! | [`op`] | the list of all operations, which every backend matches |
//! | [`ops`] | the operations, one file each: description, CPU, tests |
//! | [`element`] | the kinds of numbers that tensors hold |
//! | [`backend`] | what a plan has to know of who runs it |
//! | [`cpu`] | how the CPU computes an operation |
//! | [`network`] | operations in order, every buffer's place, training and prediction |
//! | [`parameters`] | names, shapes and places of a network's parameters |
//! | [`parameter_values`] | their values, and what prediction packed from them |
//! | [`placement`] | buffers that are never alive together share memory |
//! | [`kept`] | networks of the sizes that were used last |
//! | [`batch_norm`] | a batch normalisation folded into a convolution, for other programs |

pub mod backend;
pub mod batch_norm;
pub mod cpu;
pub mod element;
pub mod kept;
pub mod network;
pub mod op;
pub mod operation;
pub mod ops;
pub mod parameter_values;
pub mod parameters;
pub mod placement;

//! Backbones: what encoders and, later, detectors share. ResNet so far.
//!
//! | file | what it does |
//! |---|---|
//! | [`architecture`] | the table of a ResNet's convolutions: names, shapes, order |
//! | [`checkpoint`] | a safetensors file as named f32 tensors, under whatever prefix it uses |
//! | [`choice`] | the network of a checkpoint that is read, and which names are its |
//! | [`networks`] | which network of a checkpoint is read: the trained one, not its slow copy |
//! | [`operations`] | a ResNet as operations of a network |
//! | [`resnet_weights`] | the parameters of a ResNet, checked against the table |
//! | [`resnet`] | the network for inference |

pub mod architecture;
pub mod checkpoint;
pub mod choice;
pub mod networks;
pub mod operations;
pub mod resnet;
pub mod resnet_weights;

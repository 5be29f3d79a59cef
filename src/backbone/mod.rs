//! Backbones: what encoders and, later, detectors share. ResNet so far.
//!
//! | file | what it does |
//! |---|---|
//! | [`architecture`] | the table of a ResNet's convolutions: names, shapes, order |
//! | [`checkpoint`] | a safetensors file as named f32 tensors, under whatever prefix it uses |
//! | [`resnet_weights`] | the parameters of a ResNet, checked against the table |
//! | [`resnet`] | the network for inference |

pub mod architecture;
pub mod checkpoint;
pub mod resnet;
pub mod resnet_weights;

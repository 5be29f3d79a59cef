//! What a detector is trained on: losses of every decoder layer and their gradients.
//!
//! Eq. 2 of the patent (¶38-39): -log p of the class of every query, and a box loss for those
//! that were matched. Read by its letter there is a class "no object" and a softmax; read with
//! the detectors that it trains (¶76-80: DETReg, ViDT+) there is a sigmoid for each class and
//! focal loss. Both are here ([`ClassLoss`](crate::matching::ClassLoss)), with DETR's box loss
//! (L1 and GIoU) and one matching for each layer.

mod boxes;
mod classes;
pub mod config;
pub mod evaluate;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod soft_golden;
mod soft_targets;

pub use config::{ClassTarget, CriterionConfig, LabelScore};
pub use evaluate::{Criterion, Gradients, LayerLosses, Losses};

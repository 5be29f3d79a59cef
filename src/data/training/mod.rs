//! Data for training: a data set T_j, the changes that every look at an image makes to it, and
//! batches of normalised maps with their targets.
//!
//! ```text
//! COCO file + folder ──▶ TrainingSet ──(order of the epoch)──▶ Recipe ──▶ Sample
//!                                                              decode, mosaic, flip, crop,
//!                                                              resize, colour
//! Samples ──▶ Batch (one size bucket, normalised, padded) ──▶ TrainingLoader's bounded queue
//! ```
//!
//! Every draw comes from a Philox stream keyed by (seed, stage, epoch, image, purpose), so that a
//! batch depends on its number alone: not on threads, nor on where a run was resumed.

pub mod augmentation;
pub mod batch;
pub mod buckets;
pub mod loader;
pub mod order;
mod queue;
pub mod sample;
pub mod set;
mod set_read;

pub use augmentation::AugmentationConfig;
pub use batch::Batch;
pub use loader::{LoaderConfig, LoaderRun, TrainingLoader};
pub use sample::{Sample, Target};
pub use set::TrainingSet;

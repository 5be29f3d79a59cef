//! Training a detector on pseudo-labels, relabelling with it and training again (Algorithm 1).

pub mod adamw;
pub mod checkpoint;
pub mod checkpoint_files;
pub mod checks;
pub mod config;
mod course;
mod executor;
pub mod fusion;
pub mod groups;
pub mod held_out;
pub mod host_checkpoint;
pub mod host_detector;
pub mod host_model;
pub mod measured_lines;
pub mod metric_lines;
pub mod metrics;
mod own_recall;
pub mod relabel;
mod relabel_config;
mod relabel_shards;
pub mod schedule;
pub mod stage;
pub mod stage_config;
pub mod step;
pub mod suppression;
pub mod trainable;
pub mod trainer;

//! Training a detector on pseudo-labels, relabelling with it and training again (Algorithm 1).

pub mod adamw;
pub mod checkpoint;
pub mod config;
pub mod groups;
pub mod metrics;
pub mod relabel;
pub mod schedule;
pub mod stage;
pub mod suppression;
pub mod trainer;

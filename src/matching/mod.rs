//! Which query answers for which target: DETR's matching costs and exact assignment.
//!
//! Eq. 1 of the patent (¶36) asks for the permutation of least cost between the targets, padded
//! with "no object", and the queries. Padding costs nothing, so only the rectangular problem of
//! targets against queries is solved, exactly, for each image and decoder layer by itself.

pub mod assignment;
pub mod batch;
pub mod box_policy;
pub mod config;
pub mod costs;
pub mod input;
pub mod matcher;
mod transpose;

pub use assignment::{Assigner, UNASSIGNED};
pub use batch::BatchAssigner;
pub use box_policy::{BoxPolicy, KeptTargets};
pub use config::{ClassLoss, MatcherConfig};
pub use input::{Predictions, Targets};
pub use matcher::{Matcher, Matches};

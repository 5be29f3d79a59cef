//! The merges of claims 9 and 10 (patent ¶59-60): alternatives to dropping, off by default.
//!
//! Both find groups of regions and unite each group: one mask, the box around all, the vector
//! pooled again.

pub mod overlap;
pub mod semantic;

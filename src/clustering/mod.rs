//! Global clustering: one pseudo-class for each proposal of the whole set.
//!
//! Patent ¶35 and ¶55: one distributed k-means over all vectors. What it leaves open follows
//! DeepCluster-v2, the only published candidate (reference/algorithm.md §1.2): spherical, ten
//! rounds and a final assignment, an empty cluster keeps its centroid.
//!
//! Every label is the arg max of one f32 score, computed in one order of operations, the lower
//! class winning ties; the fast search before it only discards what provably cannot win. Sums are
//! exact integers. So a label depends on its vector and the centroids alone, a centroid on its
//! vectors alone, and neither on threads, blocks, shards or the memory at hand.
//!
//! | file | what it does |
//! |---|---|
//! | `config` | options |
//! | `centroids`, `centroids_file` | centroids, and their safetensors file |
//! | `accumulator` | exact sums of vectors by class, which any process group can add up |
//! | `nearest` | the best centroid of each vector |
//! | `contest` | who can still be the best of each row |
//! | `filter_int8`, `filter_f32` | which centroids can still be the best |
//! | `projection` | the few directions in which centroids differ most |
//! | `inner_products` | squared lengths in f32, and what rounding does to them |
//! | `slab`, `stream` | vectors read, checked and searched within a memory budget |
//! | `seeding` | the first centroids: random rows, k-means++, k-means|| |
//! | `fit` | whole runs, and the steps that a distributed host drives |

mod accumulator;
mod centroids;
mod centroids_file;
mod config;
mod contest;
mod filter_f32;
mod filter_int8;
mod fit;
mod inner_products;
mod nearest;
mod projection;
mod seeding;
mod slab;
mod stream;

pub use accumulator::Accumulator;
pub use centroids::Centroids;
pub use config::{ClusterConfig, EmptyClusters, Metric, Seeding};
pub use fit::{Fit, RoundReport, accumulate, assign, fit, fit_from, labels};
pub use seeding::seed;
pub use stream::Resources;

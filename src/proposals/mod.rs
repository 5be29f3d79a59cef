//! Local clustering: from the feature maps of one image to its proposals.
//!
//! Patent ¶32-34, ¶53 and ¶57-63. Each map is clustered several times; connected parts of the
//! clusters are regions; filters thin them; every region gives a box and a vector.
//!
//! ```text
//! map ─affinity─▶ operator ─eigenvectors─▶ embedding ─kmeans─▶ labels        for each map, each K
//! labels ─similar_centroids─▶ ─components─▶ regions ─pooling─▶ boxes and vectors
//!        ─merges─▶ ─duplicates─▶ ─nested─▶ ─large─▶ ─cap─▶ ProposalSet
//! ```
//!
//! [`extractor`] runs the whole, [`config`] holds every key, [`scratch`] the memory that is kept
//! from image to image.

pub mod box_kmeans;
pub mod config;
pub mod extractor;
pub mod scratch;
pub mod selective_search;

mod affinity;
mod collector;
mod components;
mod counts;
mod eigenvectors;
mod features;
mod filters;
mod grid;
mod image_maps;
mod inner_products;
mod kmeans;
mod kmeans_distances;
mod map_clustering;
mod merges;
mod nearness;
mod numeric;
mod operator;
mod output;
mod pointwise;
mod pooling;
mod regions;
mod row_product;
mod small_eigen;
mod triangular;

pub use config::ProposalConfig;
pub use counts::ExtractCounts;
pub use extractor::Extractor;
pub use grid::ImageGeometry;
pub use image_maps::{ImageMaps, LevelMap};
pub use map_clustering::{MapClusterer, MapRequest};
pub use output::{OutputRegion, fill_from_regions};
pub use pooling::pool_box;
pub use scratch::Scratch;

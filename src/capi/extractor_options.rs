//! Options of the extractor: one struct for each table of the configuration document.

use super::declare::{choices, initialiser, options};
use super::options::copy_options;
use super::pointers::slice;
use super::selective_search_options::{
    selective_search_options, simdetr_selective_search_options_t,
};
use super::workers::simdetr_parallel_for_fn_t;
use crate::pipeline::config::RunConfig;
use crate::proposals::ProposalConfig;
use crate::{Error, Result};
use std::ffi::c_void;

choices! {
    METHODS: &str {
        /// Local clustering of feature maps; the default.
        SIMDETR_METHOD_SPECTRAL = 1 => "spectral",
        /// Selective Search on the image itself.
        SIMDETR_METHOD_SELECTIVE_SEARCH = 2 => "selective-search",
    }
    LOCAL_METHODS: &str {
        /// Spectral clustering of the cells of a map; the default.
        SIMDETR_LOCAL_METHOD_SPECTRAL = 1 => "spectral",
        /// k-means of the cells' features.
        SIMDETR_LOCAL_METHOD_KMEANS = 2 => "kmeans",
    }
    AFFINITIES: &str {
        /// cos; for features that are not negative and not centred.
        SIMDETR_AFFINITY_COSINE = 1 => "cosine",
        /// (1 + cos) / 2.
        SIMDETR_AFFINITY_COSINE_SHIFTED = 2 => "cosine_shifted",
        /// exp((cos - 1) / `temperature`); the default.
        SIMDETR_AFFINITY_COSINE_EXP = 3 => "cosine_exp",
        /// cos moved and scaled to [0, 1] over all pairs of the map.
        SIMDETR_AFFINITY_COSINE_MINMAX = 4 => "cosine_minmax",
        /// max(0, cos).
        SIMDETR_AFFINITY_COSINE_CLAMPED = 5 => "cosine_clamped",
        /// exp(-d^2 / (2 `sigma`^2)).
        SIMDETR_AFFINITY_RBF = 6 => "rbf",
        /// 1 where cos > `tau`, else nearly 0.
        SIMDETR_AFFINITY_BINARY = 7 => "binary",
    }
    CENTERS: &str {
        /// The mean over the cells of the map is subtracted; the default.
        SIMDETR_CENTER_IMAGE = 1 => "image",
        /// Nothing is subtracted.
        SIMDETR_CENTER_NONE = 2 => "none",
    }
    SCALES: &str {
        /// Channels are scaled by their deviation in the map; the default.
        SIMDETR_SCALE_IMAGE = 1 => "image",
        /// Channels are not scaled.
        SIMDETR_SCALE_NONE = 2 => "none",
    }
    CONTAINMENTS: &str {
        /// A region must lie in the other region; the default.
        SIMDETR_CONTAINMENT_REGION = 1 => "region",
        /// A box must lie in the other box.
        SIMDETR_CONTAINMENT_BOX = 2 => "box",
    }
    OVERLAP_MERGES: &str {
        /// Nothing is merged; the default.
        SIMDETR_OVERLAP_MERGE_OFF = 1 => "off",
        /// Regions whose boxes overlap are united.
        SIMDETR_OVERLAP_MERGE_UNION = 2 => "union",
        /// Boxes are clustered by 1 - IoU, and close ones united.
        SIMDETR_OVERLAP_MERGE_IOU_KMEANS = 3 => "iou_kmeans",
    }
    SEMANTIC_MERGES: &str {
        /// Nothing is merged; the default.
        SIMDETR_SEMANTIC_MERGE_OFF = 1 => "off",
        /// Regions with similar vectors are united.
        SIMDETR_SEMANTIC_MERGE_UNION = 2 => "union",
    }
    CAP_OVERLAPS: &str {
        /// The larger of the two overlaps below; the default.
        SIMDETR_CAP_OVERLAP_MAX = 1 => "max",
        /// Intersection over union of the boxes.
        SIMDETR_CAP_OVERLAP_BOX = 2 => "box",
        /// Intersection over union of the regions.
        SIMDETR_CAP_OVERLAP_REGION = 3 => "region",
        /// The mean of the two.
        SIMDETR_CAP_OVERLAP_MEAN = 4 => "mean",
    }
    CAP_ORDERS: &str {
        /// The smallest region goes first; the default.
        SIMDETR_CAP_ORDER_SIZE = 1 => "size",
        /// The least compact region goes first.
        SIMDETR_CAP_ORDER_COMPACTNESS = 2 => "compactness",
    }
    SCORES: &str {
        /// The region's share of the image; the default.
        SIMDETR_SCORE_REGION_SHARE = 1 => "region_share",
        /// The box's share of the image.
        SIMDETR_SCORE_BOX_SHARE = 2 => "box_share",
        /// 1 for every proposal.
        SIMDETR_SCORE_CONSTANT = 3 => "constant",
    }
}

options! {
    /// Local clustering and its filters, the table `[proposals]`. Zero in a field is its default.
    pub struct simdetr_local_options_t (160 bytes, first without affinity_reach) {
        /// `SIMDETR_LOCAL_SET_*` of the fields whose zero is meant.
        pub set_mask: u64 => apart,
        /// All K, map after map, deepest map first; NULL is 2, 4, 8 and 8, 16.
        pub cluster_counts: *const u32 => apart,
        /// How many K each map has, `[cluster_counts_maps]`; lists without a map go to the last map.
        pub cluster_counts_lengths: *const usize => apart,
        /// Number of lists.
        pub cluster_counts_maps: usize => apart,
        /// `SIMDETR_LOCAL_METHOD_*`.
        pub local_method: i32 => one of LOCAL_METHODS,
        /// `SIMDETR_AFFINITY_*`.
        pub affinity: i32 => one of AFFINITIES,
        /// Of `SIMDETR_AFFINITY_COSINE_EXP`.
        pub temperature: f32,
        /// Of `SIMDETR_AFFINITY_RBF`.
        pub sigma: f32,
        /// Of `SIMDETR_AFFINITY_BINARY`.
        pub tau: f32 => bit SIMDETR_LOCAL_SET_TAU = 1,
        /// `SIMDETR_CENTER_*`.
        pub center: i32 => one of CENTERS,
        /// `SIMDETR_SCALE_*`.
        pub scale: i32 => one of SCALES,
        /// Residual at which an eigenvector is accepted.
        pub eigen_tolerance: f32,
        /// Starts of each k-means, 1-64.
        pub kmeans_starts: u32,
        /// Filter (a): clusters whose centroids have a larger cosine are merged; 1 merges none.
        pub centroid_merge_similarity: f32 => bit SIMDETR_LOCAL_SET_CENTROID_MERGE_SIMILARITY = 2,
        /// Filter (b): a cluster with more connected parts is dropped.
        pub components_max: u32,
        /// Neighbours of a cell: 4 or 8.
        pub connectivity: u32,
        /// Smallest region as a share of the image.
        pub region_size_min: f32 => bit SIMDETR_LOCAL_SET_REGION_SIZE_MIN = 4,
        /// Filter (c): of two boxes with a larger IoU the smaller region goes.
        pub duplicate_iou: f32 => bit SIMDETR_LOCAL_SET_DUPLICATE_IOU = 8,
        /// Filter (d): cosine over which a contained region goes; 1 switches the filter off.
        pub nested_similarity: f32 => bit SIMDETR_LOCAL_SET_NESTED_SIMILARITY = 16,
        /// `SIMDETR_CONTAINMENT_*`.
        pub containment: i32 => one of CONTAINMENTS,
        /// Share of the smaller region (or box) that must lie in the larger one.
        pub containment_share: f32 => bit SIMDETR_LOCAL_SET_CONTAINMENT_SHARE = 32,
        /// `SIMDETR_OVERLAP_MERGE_*`.
        pub overlap_merge: i32 => one of OVERLAP_MERGES,
        /// IoU over which boxes are merged.
        pub overlap_merge_iou: f32 => bit SIMDETR_LOCAL_SET_OVERLAP_MERGE_IOU = 64,
        /// `SIMDETR_SEMANTIC_MERGE_*`.
        pub semantic_merge: i32 => one of SEMANTIC_MERGES,
        /// Cosine over which regions are merged.
        pub semantic_merge_similarity: f32 => bit SIMDETR_LOCAL_SET_SEMANTIC_MERGE_SIMILARITY = 128,
        /// Filter (e): most proposals of an image.
        pub proposals_max: u32,
        /// `SIMDETR_CAP_OVERLAP_*`.
        pub cap_overlap: i32 => one of CAP_OVERLAPS,
        /// Overlap down to which filter (e) drops the smaller of a pair.
        pub cap_overlap_min: f32 => bit SIMDETR_LOCAL_SET_CAP_OVERLAP_MIN = 256,
        /// `SIMDETR_SCORE_*`.
        pub score: i32 => one of SCORES,
        /// Share of its width and height by which a box grows on each side, inside the image.
        pub box_margin: f32 => bit SIMDETR_LOCAL_SET_BOX_MARGIN = 512,
        /// Distance, as a share of the map's longer side, at which cells cease to know each other; 0 is no
        /// limit.
        pub affinity_reach: f32,
        /// `SIMDETR_CAP_ORDER_*`.
        pub cap_order: i32 => one of CAP_ORDERS,
        /// A region whose box is a larger share of the image goes; 0 is 1, which keeps all.
        pub box_share_max: f32,
    }
}

options! {
    /// Where images come in, how they are sized, and who works. Zero in a field is its default.
    pub struct simdetr_extractor_options_t (96 bytes) {
        /// Must be 0; no field has a zero that is not its default.
        pub set_mask: u64 => apart,
        /// Key of every random number; 0 is 0.
        pub seed: u64 => apart,
        /// Most pixels of an image; 0 is 100 million.
        pub pixels_max: u64 => within limits,
        /// Most bytes of an encoded image; 0 is 256 MiB.
        pub bytes_max: u64 => within limits,
        /// Pixels of the shorter side that the encoder sees; 0 is 480.
        pub image_short_side: u32 => within resize,
        /// Most pixels of the longer side; 0 is 800.
        pub image_long_side_max: u32 => within resize,
        /// Both sides become multiples of this; 0 is 32.
        pub side_multiple: u32 => within resize,
        /// 0 is one for each processor; 1 is the caller's own, which starts no thread.
        pub threads: u32 => apart,
        /// Local clustering; NULL is all defaults.
        pub proposals: *const simdetr_local_options_t => apart,
        /// The host's job system instead of threads of the library; NULL for none. `threads` then says
        /// how many tasks it runs at once.
        pub parallel_for: simdetr_parallel_for_fn_t => apart,
        /// First argument of `parallel_for`.
        pub parallel_for_user_data: *mut c_void => apart,
        /// `SIMDETR_METHOD_*`.
        pub method: i32 => one of METHODS,
        /// Must be 0.
        pub reserved: i32 => reserved,
        /// Of `SIMDETR_METHOD_SELECTIVE_SEARCH`; NULL is all defaults.
        pub selective_search: *const simdetr_selective_search_options_t => apart,
    }
}

initialiser!(simdetr_local_options_init, options, simdetr_local_options_t);

initialiser!(simdetr_extractor_options_init, options, simdetr_extractor_options_t);

/// # Safety
/// `given` is NULL or as the header says.
unsafe fn local_options(given: *const simdetr_local_options_t) -> Result<ProposalConfig> {
    let given = copy_options(given)?;
    let mut keys = given.keys()?;
    keys.list("cluster_counts", cluster_counts(&given)?);
    let config: ProposalConfig = keys.finish()?;
    config.validate()?;
    Ok(config)
}

/// # Safety
/// The lists of `given` are readable.
unsafe fn cluster_counts(given: &simdetr_local_options_t) -> Result<Vec<Vec<i64>>> {
    let maps = given.cluster_counts_maps;
    let lengths = slice(given.cluster_counts_lengths, maps, "cluster_counts_lengths")?;
    let total = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
    let total = total.ok_or_else(|| Error::invalid("cluster_counts_lengths", "overflow"))?;
    let mut counts = slice(given.cluster_counts, total, "cluster_counts")?.iter();
    let lists = lengths.iter();
    Ok(lists.map(|&length| counts.by_ref().take(length).map(|&k| i64::from(k)).collect()).collect())
}

impl simdetr_extractor_options_t {
    /// The configuration of a run that these options stand for.
    ///
    /// # Safety
    /// The structs that the options point to are as the header says.
    pub(super) unsafe fn config(&self) -> Result<RunConfig> {
        let config = RunConfig {
            seed: self.seed,
            proposals: local_options(self.proposals)?,
            selective_search: selective_search_options(self.selective_search)?,
            ..self.keys()?.finish()?
        };
        config.validate()?;
        Ok(config)
    }
}

//! Options of the extractor: one struct for each table of the configuration document.

use super::options::{Keys, Versioned, copy_options, init};
use super::pointers::slice;
use super::selective_search_options::{
    selective_search_options, simdetr_selective_search_options_t,
};
use super::workers::simdetr_parallel_for_fn_t;
use crate::pipeline::config::RunConfig;
use crate::proposals::ProposalConfig;
use crate::{Error, Result};
use std::ffi::c_void;
use std::mem::offset_of;

/// Local clustering of feature maps; the default.
pub const SIMDETR_METHOD_SPECTRAL: i32 = 1;
/// Selective Search on the image itself.
pub const SIMDETR_METHOD_SELECTIVE_SEARCH: i32 = 2;

/// Spectral clustering of the cells of a map; the default.
pub const SIMDETR_LOCAL_METHOD_SPECTRAL: i32 = 1;
/// k-means of the cells' features.
pub const SIMDETR_LOCAL_METHOD_KMEANS: i32 = 2;

/// cos; for features that are not negative and not centred.
pub const SIMDETR_AFFINITY_COSINE: i32 = 1;
/// (1 + cos) / 2.
pub const SIMDETR_AFFINITY_COSINE_SHIFTED: i32 = 2;
/// exp((cos - 1) / `temperature`); the default.
pub const SIMDETR_AFFINITY_COSINE_EXP: i32 = 3;
/// cos moved and scaled to [0, 1] over all pairs of the map.
pub const SIMDETR_AFFINITY_COSINE_MINMAX: i32 = 4;
/// max(0, cos).
pub const SIMDETR_AFFINITY_COSINE_CLAMPED: i32 = 5;
/// exp(-d^2 / (2 `sigma`^2)).
pub const SIMDETR_AFFINITY_RBF: i32 = 6;
/// 1 where cos > `tau`, else nearly 0.
pub const SIMDETR_AFFINITY_BINARY: i32 = 7;

/// The mean over the cells of the map is subtracted; the default.
pub const SIMDETR_CENTER_IMAGE: i32 = 1;
/// Nothing is subtracted.
pub const SIMDETR_CENTER_NONE: i32 = 2;

/// Channels are scaled by their deviation in the map; the default.
pub const SIMDETR_SCALE_IMAGE: i32 = 1;
/// Channels are not scaled.
pub const SIMDETR_SCALE_NONE: i32 = 2;

/// A region must lie in the other region; the default.
pub const SIMDETR_CONTAINMENT_REGION: i32 = 1;
/// A box must lie in the other box.
pub const SIMDETR_CONTAINMENT_BOX: i32 = 2;

/// Nothing is merged; the default.
pub const SIMDETR_OVERLAP_MERGE_OFF: i32 = 1;
/// Regions whose boxes overlap are united.
pub const SIMDETR_OVERLAP_MERGE_UNION: i32 = 2;
/// Boxes are clustered by 1 - IoU, and close ones united.
pub const SIMDETR_OVERLAP_MERGE_IOU_KMEANS: i32 = 3;

/// Nothing is merged; the default.
pub const SIMDETR_SEMANTIC_MERGE_OFF: i32 = 1;
/// Regions with similar vectors are united.
pub const SIMDETR_SEMANTIC_MERGE_UNION: i32 = 2;

/// The larger of the two overlaps below; the default.
pub const SIMDETR_CAP_OVERLAP_MAX: i32 = 1;
/// Intersection over union of the boxes.
pub const SIMDETR_CAP_OVERLAP_BOX: i32 = 2;
/// Intersection over union of the regions.
pub const SIMDETR_CAP_OVERLAP_REGION: i32 = 3;
/// The mean of the two.
pub const SIMDETR_CAP_OVERLAP_MEAN: i32 = 4;

/// The smallest region goes first; the default.
pub const SIMDETR_CAP_ORDER_SIZE: i32 = 1;
/// The least compact region goes first.
pub const SIMDETR_CAP_ORDER_COMPACTNESS: i32 = 2;

/// The region's share of the image; the default.
pub const SIMDETR_SCORE_REGION_SHARE: i32 = 1;
/// The box's share of the image.
pub const SIMDETR_SCORE_BOX_SHARE: i32 = 2;
/// 1 for every proposal.
pub const SIMDETR_SCORE_CONSTANT: i32 = 3;

const METHODS: &[&str] = &["spectral", "selective-search"];
const LOCAL_METHODS: &[&str] = &["spectral", "kmeans"];
const AFFINITIES: &[&str] =
    &["cosine", "cosine_shifted", "cosine_exp", "cosine_minmax", "cosine_clamped", "rbf", "binary"];
const CENTERS: &[&str] = &["image", "none"];
const SCALES: &[&str] = &["image", "none"];
const CONTAINMENTS: &[&str] = &["region", "box"];
const OVERLAP_MERGES: &[&str] = &["off", "union", "iou_kmeans"];
const SEMANTIC_MERGES: &[&str] = &["off", "union"];
const CAP_OVERLAPS: &[&str] = &["max", "box", "region", "mean"];
const CAP_ORDERS: &[&str] = &["size", "compactness"];
const SCORES: &[&str] = &["region_share", "box_share", "constant"];

/// `tau` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_TAU: u64 = 1;
/// `centroid_merge_similarity` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_CENTROID_MERGE_SIMILARITY: u64 = 2;
/// `region_size_min` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_REGION_SIZE_MIN: u64 = 4;
/// `duplicate_iou` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_DUPLICATE_IOU: u64 = 8;
/// `nested_similarity` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_NESTED_SIMILARITY: u64 = 16;
/// `containment_share` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_CONTAINMENT_SHARE: u64 = 32;
/// `overlap_merge_iou` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_OVERLAP_MERGE_IOU: u64 = 64;
/// `semantic_merge_similarity` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_SEMANTIC_MERGE_SIMILARITY: u64 = 128;
/// `cap_overlap_min` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_CAP_OVERLAP_MIN: u64 = 256;
/// `box_margin` is meant although it is 0.
pub const SIMDETR_LOCAL_SET_BOX_MARGIN: u64 = 512;

const LOCAL_BITS: u64 = 1023;

/// Local clustering and its filters, the table `[proposals]`. Zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_local_options_t {
    /// `sizeof(simdetr_local_options_t)`.
    pub struct_size: usize,
    /// `SIMDETR_LOCAL_SET_*` of the fields whose zero is meant.
    pub set_mask: u64,
    /// All K, map after map, deepest map first; NULL is 2, 4, 8 and 8, 16.
    pub cluster_counts: *const u32,
    /// How many K each map has, `[cluster_counts_maps]`; lists without a map go to the last map.
    pub cluster_counts_lengths: *const usize,
    /// Number of lists.
    pub cluster_counts_maps: usize,
    /// `SIMDETR_LOCAL_METHOD_*`.
    pub local_method: i32,
    /// `SIMDETR_AFFINITY_*`.
    pub affinity: i32,
    /// Of `SIMDETR_AFFINITY_COSINE_EXP`.
    pub temperature: f32,
    /// Of `SIMDETR_AFFINITY_RBF`.
    pub sigma: f32,
    /// Of `SIMDETR_AFFINITY_BINARY`.
    pub tau: f32,
    /// `SIMDETR_CENTER_*`.
    pub center: i32,
    /// `SIMDETR_SCALE_*`.
    pub scale: i32,
    /// Residual at which an eigenvector is accepted.
    pub eigen_tolerance: f32,
    /// Starts of each k-means, 1-64.
    pub kmeans_starts: u32,
    /// Filter (a): clusters whose centroids have a larger cosine are merged; 1 merges none.
    pub centroid_merge_similarity: f32,
    /// Filter (b): a cluster with more connected parts is dropped.
    pub components_max: u32,
    /// Neighbours of a cell: 4 or 8.
    pub connectivity: u32,
    /// Smallest region as a share of the image.
    pub region_size_min: f32,
    /// Filter (c): of two boxes with a larger IoU the smaller region goes.
    pub duplicate_iou: f32,
    /// Filter (d): cosine over which a contained region goes; 1 switches the filter off.
    pub nested_similarity: f32,
    /// `SIMDETR_CONTAINMENT_*`.
    pub containment: i32,
    /// Share of the smaller region (or box) that must lie in the larger one.
    pub containment_share: f32,
    /// `SIMDETR_OVERLAP_MERGE_*`.
    pub overlap_merge: i32,
    /// IoU over which boxes are merged.
    pub overlap_merge_iou: f32,
    /// `SIMDETR_SEMANTIC_MERGE_*`.
    pub semantic_merge: i32,
    /// Cosine over which regions are merged.
    pub semantic_merge_similarity: f32,
    /// Filter (e): most proposals of an image.
    pub proposals_max: u32,
    /// `SIMDETR_CAP_OVERLAP_*`.
    pub cap_overlap: i32,
    /// Overlap down to which filter (e) drops the smaller of a pair.
    pub cap_overlap_min: f32,
    /// `SIMDETR_SCORE_*`.
    pub score: i32,
    /// Share of its width and height by which a box grows on each side, inside the image.
    pub box_margin: f32,
    /// Distance, as a share of the map's longer side, at which cells cease to know each other; 0 is no
    /// limit.
    pub affinity_reach: f32,
    /// `SIMDETR_CAP_ORDER_*`.
    pub cap_order: i32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<simdetr_local_options_t>() == 152);

// SAFETY: `repr(C)`, size first, numbers and pointers that may be NULL.
unsafe impl Versioned for simdetr_local_options_t {
    const NAME: &'static str = "simdetr_local_options_t";
    const SMALLEST: usize = offset_of!(simdetr_local_options_t, affinity_reach);
}

/// Where images come in, how they are sized, and who works. Zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_extractor_options_t {
    /// `sizeof(simdetr_extractor_options_t)`.
    pub struct_size: usize,
    /// Must be 0; no field has a zero that is not its default.
    pub set_mask: u64,
    /// Key of every random number; 0 is 0.
    pub seed: u64,
    /// Most pixels of an image; 0 is 100 million.
    pub pixels_max: u64,
    /// Most bytes of an encoded image; 0 is 256 MiB.
    pub bytes_max: u64,
    /// Pixels of the shorter side that the encoder sees; 0 is 480.
    pub image_short_side: u32,
    /// Most pixels of the longer side; 0 is 800.
    pub image_long_side_max: u32,
    /// Both sides become multiples of this; 0 is 32.
    pub side_multiple: u32,
    /// 0 is one for each processor; 1 is the caller's own, which starts no thread.
    pub threads: u32,
    /// Local clustering; NULL is all defaults.
    pub proposals: *const simdetr_local_options_t,
    /// The host's job system instead of threads of the library; NULL for none. `threads` then says
    /// how many tasks it runs at once.
    pub parallel_for: simdetr_parallel_for_fn_t,
    /// First argument of `parallel_for`.
    pub parallel_for_user_data: *mut c_void,
    /// `SIMDETR_METHOD_*`.
    pub method: i32,
    /// Must be 0.
    pub reserved: i32,
    /// Of `SIMDETR_METHOD_SELECTIVE_SEARCH`; NULL is all defaults.
    pub selective_search: *const simdetr_selective_search_options_t,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<simdetr_extractor_options_t>() == 96);

// SAFETY: `repr(C)`, size first, numbers and pointers that may be NULL.
unsafe impl Versioned for simdetr_extractor_options_t {
    const NAME: &'static str = "simdetr_extractor_options_t";
    const SMALLEST: usize = size_of::<simdetr_extractor_options_t>();
}

/// Sets every field to its default and `struct_size` to the size given.
///
/// @param[out] options May be NULL.
/// @param[in] struct_size `sizeof *options`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_local_options_init(
    options: *mut simdetr_local_options_t,
    struct_size: usize,
) {
    // SAFETY: promised by the caller.
    unsafe { init(options, struct_size) }
}

/// Sets every field to its default and `struct_size` to the size given.
///
/// @param[out] options May be NULL.
/// @param[in] struct_size `sizeof *options`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_extractor_options_init(
    options: *mut simdetr_extractor_options_t,
    struct_size: usize,
) {
    // SAFETY: promised by the caller.
    unsafe { init(options, struct_size) }
}

/// # Safety
/// `given` is NULL or as the header says.
unsafe fn local_options(given: *const simdetr_local_options_t) -> Result<ProposalConfig> {
    // SAFETY: promised by the caller.
    let (given, lists) = unsafe {
        let given = copy_options(given)?;
        (given, cluster_counts(&given)?)
    };
    let mut keys = Keys::new::<simdetr_local_options_t>(given.set_mask, LOCAL_BITS)?;
    keys.integer_lists("cluster_counts", lists)
        .choice("local_method", given.local_method, LOCAL_METHODS)?
        .choice("affinity", given.affinity, AFFINITIES)?
        .choice("center", given.center, CENTERS)?
        .choice("scale", given.scale, SCALES)?
        .choice("containment", given.containment, CONTAINMENTS)?
        .choice("overlap_merge", given.overlap_merge, OVERLAP_MERGES)?
        .choice("semantic_merge", given.semantic_merge, SEMANTIC_MERGES)?
        .choice("cap_overlap", given.cap_overlap, CAP_OVERLAPS)?
        .choice("cap_order", given.cap_order, CAP_ORDERS)?
        .choice("score", given.score, SCORES)?;
    for (key, value) in [
        ("kmeans_starts", given.kmeans_starts),
        ("components_max", given.components_max),
        ("connectivity", given.connectivity),
        ("proposals_max", given.proposals_max),
    ] {
        keys.integer(key, i64::from(value), 0);
    }
    for (key, value, bit) in [
        ("temperature", given.temperature, 0),
        ("sigma", given.sigma, 0),
        ("tau", given.tau, SIMDETR_LOCAL_SET_TAU),
        ("affinity_reach", given.affinity_reach, 0),
        ("eigen_tolerance", given.eigen_tolerance, 0),
        (
            "centroid_merge_similarity",
            given.centroid_merge_similarity,
            SIMDETR_LOCAL_SET_CENTROID_MERGE_SIMILARITY,
        ),
        ("region_size_min", given.region_size_min, SIMDETR_LOCAL_SET_REGION_SIZE_MIN),
        ("duplicate_iou", given.duplicate_iou, SIMDETR_LOCAL_SET_DUPLICATE_IOU),
        ("nested_similarity", given.nested_similarity, SIMDETR_LOCAL_SET_NESTED_SIMILARITY),
        ("containment_share", given.containment_share, SIMDETR_LOCAL_SET_CONTAINMENT_SHARE),
        ("overlap_merge_iou", given.overlap_merge_iou, SIMDETR_LOCAL_SET_OVERLAP_MERGE_IOU),
        (
            "semantic_merge_similarity",
            given.semantic_merge_similarity,
            SIMDETR_LOCAL_SET_SEMANTIC_MERGE_SIMILARITY,
        ),
        ("cap_overlap_min", given.cap_overlap_min, SIMDETR_LOCAL_SET_CAP_OVERLAP_MIN),
        ("box_margin", given.box_margin, SIMDETR_LOCAL_SET_BOX_MARGIN),
    ] {
        keys.real(key, f64::from(value), bit);
    }
    let config: ProposalConfig = keys.finish()?;
    config.validate()?;
    Ok(config)
}

/// # Safety
/// The lists of `given` are readable.
unsafe fn cluster_counts(given: &simdetr_local_options_t) -> Result<Vec<Vec<i64>>> {
    let maps = given.cluster_counts_maps;
    // SAFETY: promised by the caller.
    let lengths = unsafe { slice(given.cluster_counts_lengths, maps, "cluster_counts_lengths") }?;
    let total = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
    let total = total.ok_or_else(|| Error::invalid("cluster_counts_lengths", "overflow"))?;
    // SAFETY: promised by the caller.
    let mut counts = unsafe { slice(given.cluster_counts, total, "cluster_counts") }?.iter();
    let lists = lengths.iter();
    Ok(lists.map(|&length| counts.by_ref().take(length).map(|&k| i64::from(k)).collect()).collect())
}

impl simdetr_extractor_options_t {
    /// The configuration of a run that these options stand for.
    ///
    /// # Safety
    /// The structs that the options point to are as the header says.
    pub(super) unsafe fn config(&self) -> Result<RunConfig> {
        if self.reserved != 0 {
            let name = "simdetr_extractor_options_t.reserved";
            return Err(Error::invalid(name, format!("is {}, must be 0", self.reserved)));
        }
        let keys = || Keys::new::<simdetr_extractor_options_t>(self.set_mask, 0);
        let config = RunConfig {
            seed: self.seed,
            limits: keys()?
                .unsigned("pixels_max", self.pixels_max, 0)?
                .unsigned("bytes_max", self.bytes_max, 0)?
                .finish()?,
            resize: keys()?
                .integer("image_short_side", i64::from(self.image_short_side), 0)
                .integer("image_long_side_max", i64::from(self.image_long_side_max), 0)
                .integer("side_multiple", i64::from(self.side_multiple), 0)
                .finish()?,
            // SAFETY: promised by the caller.
            proposals: unsafe { local_options(self.proposals) }?,
            // SAFETY: promised by the caller.
            selective_search: unsafe { selective_search_options(self.selective_search) }?,
            ..keys()?.choice("method", self.method, METHODS)?.finish()?
        };
        config.validate()?;
        Ok(config)
    }
}

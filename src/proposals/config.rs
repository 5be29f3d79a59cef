//! Every key of local clustering and of the filters, with its default and where it comes from.
//!
//! Sources: the patent's paragraph where it gives a value; otherwise a measurement (class-agnostic
//! AR of at most 25 boxes an image, times 100, on the even-ranked images of coco128; differences
//! under 0.5 are noise) or a published relative.

use super::kmeans::STARTS_MAX;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What groups the cells of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalMethod {
    /// Spectral clustering (Ng, Jordan, Weiss 2001), as in patent ¶32.
    Spectral,
    /// k-means of the features themselves.
    Kmeans,
}

/// How alike two cells are; `cos` is the cosine of their (centred) features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affinity {
    /// cos; for non-negative features that are not centred.
    Cosine,
    /// (1 + cos) / 2.
    CosineShifted,
    /// exp((cos - 1) / `temperature`).
    CosineExp,
    /// cos moved and scaled to [0, 1] over all pairs of the map.
    CosineMinmax,
    /// max(0, cos).
    CosineClamped,
    /// exp(-d² / (2 `sigma`²)), with d the distance of the features in units of the root mean
    /// square distance of all pairs.
    Rbf,
    /// 1 where cos > `tau`, else 1e-5.
    Binary,
}

/// What is subtracted from every cell before cells are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Center {
    /// The mean over the cells of the map.
    Image,
    None,
}

/// What every channel is divided by before cells are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The channel's deviation over the cells of the map, times the root of its group's size: all
    /// channels of a group weigh the same, and so do all groups.
    Image,
    None,
}

/// What has to be contained for filter (d).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Containment {
    /// The region's cells (patent ¶57).
    Region,
    /// The region's box (patent ¶62).
    Box,
}

/// What filter (e) calls overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapOverlap {
    /// The larger of the two below.
    Max,
    /// Intersection over union of the boxes.
    Box,
    /// Intersection over union of the regions.
    Region,
    /// The mean of the two.
    Mean,
}

/// Which region filter (e) calls the least, where an image has too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapOrder {
    /// The smallest (patent ¶63).
    Size,
    /// The least compact: the region's share of its box, times the root of the box's shorter side
    /// over its longer one, times the fourth root of the region's share of the image.
    Compactness,
}

/// Merging of boxes that overlap (claim 9, ¶59).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlapMerge {
    Off,
    /// Regions whose boxes overlap by more than `overlap_merge_iou` are united.
    Union,
    /// k-means of the boxes under the distance 1 - IoU; members closer to their centre than
    /// 1 - `overlap_merge_iou` are united.
    IouKmeans,
}

/// Merging of regions with the same content (claim 10, ¶60).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SemanticMerge {
    Off,
    /// Regions whose vectors have a cosine over `semantic_merge_similarity` are united.
    Union,
}

/// What ranks the proposals of T_0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// The region's share of the image.
    RegionShare,
    /// The box's share of the image.
    BoxShare,
    /// 1 for every proposal.
    Constant,
}

/// The keys of local clustering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProposalConfig {
    /// Default `spectral` (¶32).
    pub local_method: LocalMethod,
    /// One list of K for each map, deepest first. Default `[[2, 4, 8], [8, 16]]` (¶53). A map
    /// without a list is not clustered; lists without a map go to the last map, so that a ViT,
    /// which has one map, is clustered with all of them.
    pub cluster_counts: Vec<Vec<usize>>,
    /// Default `cosine_exp`: 8.7 AR against 6.9-7.4 of the others.
    pub affinity: Affinity,
    /// Of `cosine_exp`. Default 0.07; anything from 0.05 to 0.1 is as good.
    pub temperature: f32,
    /// Of `rbf`. Default 0.5, half the typical distance of two cells.
    pub sigma: f32,
    /// Of `binary`. Default 0.2 (TokenCut).
    pub tau: f32,
    /// How far a cell knows others: affinities are multiplied by exp(-d² / (2 `affinity_reach`²)),
    /// with d the distance of two cells as a share of the map's longer side (Shi and Malik,
    /// "Normalized cuts and image segmentation", PAMI 2000). Default 0: no limit, as in the patent.
    /// Without one all objects of a sort fall into one cluster, and those that touch into one region;
    /// 0.05 parts them, together with `temperature = 0.15`, `cluster_counts = [[2, 4, 8], [12, 24,
    /// 48]]`, `nested_similarity = 1`, `cap_order = "compactness"` and `cap_overlap_min = 0.65`: every
    /// third training image of BCCD 15.3 AR against 8.4, coco128 10.3 against 9.5 (means of three
    /// seeds), at twice the time (0.12 against 0.06 s an image of coco128).
    pub affinity_reach: f32,
    /// Default `image`: without it all cells of a picture look alike to a network.
    pub center: Center,
    /// Default `image`: 6.5 AR against 5.8 with one scale for each group of channels.
    pub scale: Scale,
    /// Residual at which an eigenvector is accepted. Default 1e-4.
    pub eigen_tolerance: f32,
    /// Starts of each k-means, 1-64. Default 4; more changed nothing.
    pub kmeans_starts: usize,
    /// Filter (a): clusters whose centroids have a larger cosine are merged; 1 merges none.
    /// Default 0.8 (+0.3 AR).
    pub centroid_merge_similarity: f32,
    /// Filter (b): a cluster with more connected parts is dropped. Parts smaller than
    /// `region_size_min` are not counted: the patent is silent on them, and counting specks
    /// drops four in ten good regions (6.5 against 8.5 AR). Default 10 (¶57).
    pub components_max: usize,
    /// Neighbours of a cell: 4 or 8. Default 4 (8.7 against 8.5 AR).
    pub connectivity: usize,
    /// Smallest region as a share of the image. Default 0.005; once the cap prefers large
    /// regions, 0.01 and 0.02 differ by noise (9.4 and 9.2 AR).
    pub region_size_min: f32,
    /// Filter (c): of two boxes with a larger IoU the smaller region goes. Default 0.95 (¶57).
    pub duplicate_iou: f32,
    /// Filter (d): cosine of two regions' vectors over which a contained region goes; 1 switches
    /// the filter off. Default 0.98 (9.3 AR; off 9.4; 0.95 8.5; 0.9 8.6).
    pub nested_similarity: f32,
    /// Default `region` (¶57).
    pub containment: Containment,
    /// Share of the smaller region (or box) that must lie in the larger one. Default 0.95: maps
    /// of two strides never agree to the cell.
    pub containment_share: f32,
    /// Default `off`: claim 9 is an alternative to the filters.
    pub overlap_merge: OverlapMerge,
    /// Default 0.8.
    pub overlap_merge_iou: f32,
    /// Default `off`: claim 10 is an alternative to the filters.
    pub semantic_merge: SemanticMerge,
    /// Default 0.95.
    pub semantic_merge_similarity: f32,
    /// A region whose box is a larger share of the image goes, over 0 to 1. Default 1: none does, as in
    /// the patent. Where objects stand before a background, 0.64 leaves that out (README, "Objects before
    /// a background"). Selective Search has `selective_search_side_share_max` for it.
    pub box_share_max: f32,
    /// Filter (e): most proposals of an image. Default 25 (¶63).
    pub proposals_max: usize,
    /// Default `max`.
    pub cap_overlap: CapOverlap,
    /// Overlap down to which filter (e) drops the smaller of the most overlapping pair; once no
    /// pair overlaps by more, the smallest region goes. 0 is the letter of ¶63, which gives small
    /// scattered regions the places of large ones. Default 0.8 (8.6 AR; 0 6.9; 1 8.5).
    pub cap_overlap_min: f32,
    /// Default `size` (¶63). Where `affinity_reach` is set, `compactness` keeps small whole objects
    /// instead of the pieces of what is behind them: 14.5 AR against 8.9 on blood cells, 9.5 against
    /// 8.9 on coco128, by a prototype without filters (b) and (d), with clusters of 16 and 32 and
    /// `cap_overlap_min = 0.65`.
    pub cap_order: CapOrder,
    /// Default `region_share`.
    pub score: Score,
    /// Share of its width and height by which the box of a proposal grows on each side, inside the
    /// image: cells that an object's edge cuts mostly fall to what surrounds it. Filters see the
    /// box of ¶33 as it is, which 0 gives. Default 0.03 (AR, mean of five seeds: 0 9.2, 0.03 9.6,
    /// 0.04 9.5).
    pub box_margin: f32,
}

impl Default for ProposalConfig {
    fn default() -> ProposalConfig {
        ProposalConfig {
            local_method: LocalMethod::Spectral,
            cluster_counts: vec![vec![2, 4, 8], vec![8, 16]],
            affinity: Affinity::CosineExp,
            temperature: 0.07,
            sigma: 0.5,
            tau: 0.2,
            affinity_reach: 0.0,
            center: Center::Image,
            scale: Scale::Image,
            eigen_tolerance: 1e-4,
            kmeans_starts: 4,
            centroid_merge_similarity: 0.8,
            components_max: 10,
            connectivity: 4,
            region_size_min: 0.005,
            duplicate_iou: 0.95,
            nested_similarity: 0.98,
            containment: Containment::Region,
            containment_share: 0.95,
            overlap_merge: OverlapMerge::Off,
            overlap_merge_iou: 0.8,
            semantic_merge: SemanticMerge::Off,
            semantic_merge_similarity: 0.95,
            box_share_max: 1.0,
            proposals_max: 25,
            cap_overlap: CapOverlap::Max,
            cap_overlap_min: 0.8,
            cap_order: CapOrder::Size,
            score: Score::RegionShare,
            box_margin: 0.03,
        }
    }
}

/// Most clusterings of one image: each has its own place in the random key.
const CLUSTERINGS_MAX: usize = 64;
/// Most clusters: a dense eigenproblem of six times as many rows is solved for each map.
const CLUSTERS_MAX: usize = 64;

impl ProposalConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the first key outside its range.
    pub fn validate(&self) -> Result<()> {
        let counts = || self.cluster_counts.iter().flatten();
        let clusterings = counts().count();
        if clusterings == 0 || clusterings > CLUSTERINGS_MAX {
            let reason = format!("{clusterings} clusterings, not 1 to {CLUSTERINGS_MAX}");
            return Err(Error::invalid("cluster_counts", reason));
        }
        if let Some(count) = counts().find(|&&count| !(2..=CLUSTERS_MAX).contains(&count)) {
            let reason = format!("{count} is not in [2, {CLUSTERS_MAX}]");
            return Err(Error::invalid("cluster_counts", reason));
        }
        if self.affinity == Affinity::Cosine && self.center == Center::Image {
            let reason = "`cosine` needs features that are not centred: set center = none, or \
                          use `cosine_shifted` or `cosine_exp`";
            return Err(Error::invalid("affinity", reason));
        }
        let formed = !matches!(self.affinity, Affinity::Cosine | Affinity::CosineShifted);
        if self.affinity_reach > 0.0 && !formed {
            let reason = format!(
                "{} needs an affinity that is formed, not `cosine` or `cosine_shifted`",
                self.affinity_reach
            );
            return Err(Error::invalid("affinity_reach", reason));
        }
        if ![4, 8].contains(&self.connectivity) {
            let reason = format!("{} is neither 4 nor 8", self.connectivity);
            return Err(Error::invalid("connectivity", reason));
        }
        within("kmeans_starts", self.kmeans_starts as f32, 1.0, STARTS_MAX as f32)?;
        within("components_max", self.components_max as f32, 1.0, f32::MAX)?;
        within("proposals_max", self.proposals_max as f32, 1.0, f32::MAX)?;
        within("box_share_max", self.box_share_max, f32::MIN_POSITIVE, 1.0)?;
        within("temperature", self.temperature, 1e-3, 1e3)?;
        within("sigma", self.sigma, 1e-3, 1e3)?;
        within("tau", self.tau, -1.0, 1.0)?;
        within("eigen_tolerance", self.eigen_tolerance, 1e-6, 0.1)?;
        for (key, share) in [
            ("affinity_reach", self.affinity_reach),
            ("region_size_min", self.region_size_min),
            ("duplicate_iou", self.duplicate_iou),
            ("containment_share", self.containment_share),
            ("overlap_merge_iou", self.overlap_merge_iou),
            ("cap_overlap_min", self.cap_overlap_min),
            ("box_margin", self.box_margin),
        ] {
            within(key, share, 0.0, 1.0)?;
        }
        for (key, cosine) in [
            ("centroid_merge_similarity", self.centroid_merge_similarity),
            ("nested_similarity", self.nested_similarity),
            ("semantic_merge_similarity", self.semantic_merge_similarity),
        ] {
            within(key, cosine, -1.0, 1.0)?;
        }
        Ok(())
    }

    /// Writes the K of map `level` of `maps_count` to `counts`, ascending, each once.
    pub(super) fn counts_of_level(&self, level: usize, maps_count: usize, counts: &mut Vec<usize>) {
        counts.clear();
        let last = level + 1 == maps_count;
        for (set, list) in self.cluster_counts.iter().enumerate() {
            if set == level || (last && set > level) {
                counts.extend_from_slice(list);
            }
        }
        counts.sort_unstable();
        counts.dedup();
    }
}

fn within(key: &str, value: f32, low: f32, high: f32) -> Result<()> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::invalid(key, format!("{value} is not in [{low}, {high}]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_survives_toml() {
        let config = ProposalConfig::default();
        config.validate().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("affinity = \"cosine_exp\"") && text.contains("center = \"image\""));
        assert_eq!(crate::config::parse::<ProposalConfig>(&text, "test").unwrap(), config);
    }

    #[test]
    fn values_out_of_range_name_their_key() {
        type Change = fn(&mut ProposalConfig);
        let cases: [(&str, Change); 12] = [
            ("box_margin", |c| c.box_margin = 1.5),
            ("box_share_max", |c| c.box_share_max = 0.0),
            ("cluster_counts", |c| c.cluster_counts = vec![vec![]]),
            ("cluster_counts", |c| c.cluster_counts = vec![vec![2, 1]]),
            ("affinity", |c| c.affinity = Affinity::Cosine),
            ("affinity_reach", |c| c.affinity_reach = 1.5),
            ("affinity_reach", |c| {
                c.affinity_reach = 0.1;
                c.affinity = Affinity::CosineShifted;
            }),
            ("connectivity", |c| c.connectivity = 6),
            ("kmeans_starts", |c| c.kmeans_starts = 0),
            ("temperature", |c| c.temperature = f32::NAN),
            ("region_size_min", |c| c.region_size_min = -0.1),
            ("nested_similarity", |c| c.nested_similarity = 1.5),
        ];
        for (key, change) in cases {
            let mut config = ProposalConfig::default();
            change(&mut config);
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{key}:")), "{message}");
        }
    }

    #[test]
    fn sets_without_a_map_go_to_the_last_map_and_maps_without_a_set_get_none() {
        let config = ProposalConfig::default();
        let mut counts = Vec::new();
        let mut of = |level, maps| {
            config.counts_of_level(level, maps, &mut counts);
            counts.clone()
        };
        assert_eq!(of(0, 2), [2, 4, 8]);
        assert_eq!(of(1, 2), [8, 16]);
        assert_eq!(of(0, 1), [2, 4, 8, 16]);
        assert_eq!(of(1, 3), [8, 16]);
        assert!(of(2, 3).is_empty());
    }
}

//! `overlap_merge` (claim 9, ¶59): boxes with a high intersection over union become one.
//!
//! `union` unites whatever a chain of overlaps over the limit links. `iou_kmeans` takes ¶59's
//! sentence "the IoU metric may be determined using k-means clustering" as: k-means of the boxes
//! under the distance 1 - IoU, with as many centres as proposals are wanted; each cluster's
//! members whose IoU with the centre is over the limit are united.

use crate::geometry;
use crate::proposals::box_kmeans::BoxKmeans;
use crate::proposals::config::{OverlapMerge, ProposalConfig};
use crate::proposals::numeric::{bytes_of, sized};
use crate::proposals::regions::Regions;

/// Memory of [`BoxClusters::unite`].
#[derive(Debug, Default)]
pub struct BoxClusters {
    kmeans: BoxKmeans,
    first: Vec<u32>,
}

impl BoxClusters {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.kmeans.memory_bytes() + bytes_of(&self.first)
    }

    /// Unites regions as `config.overlap_merge` says. Answers how many vanished.
    pub fn unite(&mut self, regions: &mut Regions, config: &ProposalConfig) -> usize {
        let limit = config.overlap_merge_iou;
        match config.overlap_merge {
            OverlapMerge::Off => 0,
            OverlapMerge::Union => {
                regions.unite_linked(|regions, a, b| regions.box_overlap(a, b) > limit)
            }
            OverlapMerge::IouKmeans => self.unite_clusters(regions, config.proposals_max, limit),
        }
    }

    fn unite_clusters(&mut self, regions: &mut Regions, clusters: usize, limit: f32) -> usize {
        let BoxClusters { kmeans, first } = self;
        kmeans.fit(&regions.boxes, |region| regions.alive[region], clusters);
        let first = sized(first, kmeans.centres().len());
        first.fill(u32::MAX);
        let mut groups = regions.take_groups();
        for region in (0..regions.count()).filter(|&region| regions.alive[region]) {
            let cluster = kmeans.label(region);
            let (bounds, centre) = (&regions.boxes[region], &kmeans.centres()[cluster]);
            if geometry::intersection_over_union(bounds, centre) as f32 <= limit {
                continue;
            }
            if first[cluster] == u32::MAX {
                first[cluster] = region as u32;
            }
            groups[region] = first[cluster];
        }
        let united = regions.unite(&groups);
        regions.return_groups(groups);
        united
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposals::filters::scene::strip;

    fn unite(regions: &mut Regions, overlap_merge: OverlapMerge, iou: f32, most: usize) -> usize {
        let config = ProposalConfig {
            overlap_merge,
            overlap_merge_iou: iou,
            proposals_max: most,
            ..ProposalConfig::default()
        };
        BoxClusters::default().unite(regions, &config)
    }

    const UP: [f32; 2] = [0.0, 1.0];

    #[test]
    fn union_links_chains_and_needs_more_than_the_limit() {
        // Neighbours overlap by 8 / 12, the ends by 6 / 14.
        let scene = || strip(&[(0, 10, UP), (2, 12, UP), (4, 14, UP), (50, 60, UP)]);
        let mut regions = scene();
        assert_eq!(unite(&mut regions, OverlapMerge::Union, 0.6, 25), 2);
        assert_eq!(regions.alive, [true, false, false, true]);
        assert_eq!(regions.boxes[0], [0.0, 0.0, 14.0, 1.0]);
        assert_eq!(regions.cells(0), 14);
        assert_eq!(unite(&mut scene(), OverlapMerge::Union, 0.67, 25), 0);
        assert_eq!(unite(&mut scene(), OverlapMerge::Off, 0.1, 25), 0);
    }

    #[test]
    fn boxes_without_area_and_clusters_without_end_end() {
        let mut regions = strip(&[(0, 10, UP), (20, 30, UP), (40, 50, UP)]);
        regions.boxes.iter_mut().for_each(|bounds| bounds[2] = bounds[0]);
        assert_eq!(unite(&mut regions, OverlapMerge::IouKmeans, 0.7, usize::MAX), 0);
    }

    #[test]
    fn kmeans_unites_the_members_near_each_centre() {
        let scene = || strip(&[(0, 10, UP), (50, 70, UP), (1, 11, UP), (51, 71, UP), (5, 50, UP)]);
        let mut regions = scene();
        assert_eq!(unite(&mut regions, OverlapMerge::IouKmeans, 0.7, 3), 2);
        assert_eq!(regions.alive, [true, true, false, false, true]);
        assert_eq!(regions.boxes[1], [50.0, 0.0, 71.0, 1.0]);
        // With room for all, every box is its own centre.
        assert_eq!(unite(&mut scene(), OverlapMerge::IouKmeans, 0.7, 25), 0);
    }
}

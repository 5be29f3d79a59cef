//! `overlap_merge` (claim 9, ¶59): boxes with a high intersection over union become one.
//!
//! `union` unites whatever a chain of overlaps over the limit links. `iou_kmeans` takes ¶59's
//! sentence "the IoU metric may be determined using k-means clustering" as: k-means of the boxes
//! under the distance 1 - IoU, with as many centres as proposals are wanted; each cluster's
//! members whose IoU with the centre is over the limit are united.

use crate::geometry::{self, BoundingBox};
use crate::proposals::config::{OverlapMerge, ProposalConfig};
use crate::proposals::numeric::{bytes_of, sized};
use crate::proposals::regions::Regions;

/// Rounds of the k-means of boxes; a few dozen boxes settle in fewer.
const ROUNDS_MAX: usize = 20;

/// Memory of [`BoxClusters::unite`].
#[derive(Debug, Default)]
pub struct BoxClusters {
    centres: Vec<BoundingBox>,
    label: Vec<u32>,
    sums: Vec<[f64; 5]>,
    first: Vec<u32>,
}

impl BoxClusters {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.centres)
            + bytes_of(&self.label)
            + bytes_of(&self.sums)
            + bytes_of(&self.first)
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
        self.seed(regions, clusters);
        sized(&mut self.label, regions.count()).fill(u32::MAX);
        for _ in 0..ROUNDS_MAX {
            if !self.assign(regions) {
                break;
            }
            self.move_centres(regions);
        }
        let first = sized(&mut self.first, self.centres.len());
        first.fill(u32::MAX);
        let mut groups = regions.take_groups();
        for region in (0..regions.count()).filter(|&region| regions.alive[region]) {
            let cluster = self.label[region] as usize;
            let bounds = &regions.boxes[region];
            if geometry::intersection_over_union(bounds, &self.centres[cluster]) as f32 <= limit {
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

    /// The first box, then always the box that overlaps the chosen ones least; no more of them than
    /// there are boxes, as a box without area overlaps nothing, itself included.
    fn seed(&mut self, regions: &Regions, clusters: usize) {
        self.centres.clear();
        let living = || (0..regions.count()).filter(|&region| regions.alive[region]);
        let clusters = clusters.min(living().count());
        while self.centres.len() < clusters {
            let overlap = |region: usize| {
                let each = self.centres.iter();
                each.map(|c| geometry::intersection_over_union(&regions.boxes[region], c))
                    .fold(0.0, f64::max)
            };
            let farthest = living().reduce(|a, b| if overlap(b) < overlap(a) { b } else { a });
            match farthest {
                Some(region) if self.centres.is_empty() || overlap(region) < 1.0 => {
                    self.centres.push(regions.boxes[region]);
                }
                _ => break,
            }
        }
    }

    fn assign(&mut self, regions: &Regions) -> bool {
        let mut changed = false;
        for region in (0..regions.count()).filter(|&region| regions.alive[region]) {
            let overlap = |cluster: usize| {
                geometry::intersection_over_union(&regions.boxes[region], &self.centres[cluster])
            };
            let nearest = (1..self.centres.len()).fold(0, |best, cluster| {
                if overlap(cluster) > overlap(best) { cluster } else { best }
            });
            changed |= self.label[region] != nearest as u32;
            self.label[region] = nearest as u32;
        }
        changed
    }

    fn move_centres(&mut self, regions: &Regions) {
        let sums = sized(&mut self.sums, self.centres.len());
        sums.fill([0.0; 5]);
        for region in (0..regions.count()).filter(|&region| regions.alive[region]) {
            let sum = &mut sums[self.label[region] as usize];
            for (total, side) in sum.iter_mut().zip(&regions.boxes[region]) {
                *total += f64::from(*side);
            }
            sum[4] += 1.0;
        }
        for (centre, sum) in self.centres.iter_mut().zip(&*sums).filter(|(_, sum)| sum[4] > 0.0) {
            for (side, total) in centre.iter_mut().zip(sum) {
                *side = (total / sum[4]) as f32;
            }
        }
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

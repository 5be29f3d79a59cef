//! Filter (e): while an image has too many proposals, those go that add least diversity, then
//! those that are smallest (patent ¶57 (e) and ¶63: "by order of diversity (considering both
//! their boxes and segmentation masks) and size").
//!
//! ¶63 drops the smaller of the most overlapping pair, over and over. Once no pair overlaps much
//! that only thins out large regions around each other while specks stay, so under
//! `cap_overlap_min` size decides: the smallest region goes.
//!
//! Size keeps the large pieces of a background and drops the many small objects in front of it. Those
//! are compact, and what is left between them is ragged, so `cap_order = compactness` puts
//! compactness in the place of size, with size as a weak second.

use crate::geometry;
use crate::proposals::config::{CapOrder, CapOverlap, ProposalConfig};
use crate::proposals::numeric::{bytes_of, sized};
use crate::proposals::regions::Regions;

/// The overlap of a region with itself and with rejected ones: less than any other.
const NO_OVERLAP: f32 = -1.0;

/// Memory of [`Cap::reject`].
#[derive(Debug, Default)]
pub struct Cap {
    living: Vec<u32>,
    overlaps: Vec<f32>,
    nearest: Vec<u32>,
    compactness: Vec<f32>,
}

impl Cap {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.living)
            + bytes_of(&self.overlaps)
            + bytes_of(&self.nearest)
            + bytes_of(&self.compactness)
    }

    /// Rejects regions until `config.proposals_max` are left. Answers how many. `image_area` is in the
    /// pixels of the boxes.
    pub fn reject(
        &mut self,
        regions: &mut Regions,
        image_area: f64,
        config: &ProposalConfig,
    ) -> usize {
        self.living.clear();
        self.living.extend((0..regions.count() as u32).filter(|&r| regions.alive[r as usize]));
        let count = self.living.len();
        let rejected = count.saturating_sub(config.proposals_max);
        if rejected == 0 {
            return 0;
        }
        self.measure(regions, config.cap_overlap);
        self.compactness.clear();
        if config.cap_order == CapOrder::Compactness {
            let living = self.living.iter().map(|&region| region as usize);
            self.compactness
                .extend(living.map(|region| compactness_of(regions, region, image_area)));
        }
        for _ in 0..rejected {
            let region = |place: usize| self.living[place] as usize;
            let less = |first: usize, second: usize| {
                let by_size = regions.is_smaller(region(first), region(second));
                let (Some(one), Some(other)) =
                    (self.compactness.get(first), self.compactness.get(second))
                else {
                    return by_size;
                };
                one < other || (one == other && by_size)
            };
            let smaller =
                |first: usize, second: usize| if less(first, second) { first } else { second };
            let places = (0..count).filter(|&place| regions.alive[region(place)]);
            let overlap =
                |place: usize| self.overlaps[place * count + self.nearest[place] as usize];
            let most = places.clone().reduce(|a, b| if overlap(b) > overlap(a) { b } else { a });
            let goes = match most {
                Some(place) if overlap(place) > config.cap_overlap_min => {
                    Some(smaller(place, self.nearest[place] as usize))
                }
                _ => places.reduce(smaller),
            };
            if let Some(place) = goes {
                regions.alive[region(place)] = false;
                self.forget(place, count);
            }
        }
        rejected
    }

    /// All overlaps, and for each region the other that overlaps it most.
    fn measure(&mut self, regions: &Regions, kind: CapOverlap) {
        let count = self.living.len();
        let overlaps = sized(&mut self.overlaps, count * count);
        for first in 0..count {
            overlaps[first * count + first] = NO_OVERLAP;
            for second in 0..first {
                let (a, b) = (self.living[first] as usize, self.living[second] as usize);
                let value = match kind {
                    CapOverlap::Box => regions.box_overlap(a, b),
                    CapOverlap::Region => regions.mask_overlap(a, b),
                    CapOverlap::Max => regions.box_overlap(a, b).max(regions.mask_overlap(a, b)),
                    CapOverlap::Mean => {
                        0.5 * (regions.box_overlap(a, b) + regions.mask_overlap(a, b))
                    }
                };
                overlaps[first * count + second] = value;
                overlaps[second * count + first] = value;
            }
        }
        self.nearest.clear();
        self.nearest.extend(overlaps.chunks_exact(count).map(nearest_of));
    }

    /// Takes a rejected region out of everybody's overlaps.
    fn forget(&mut self, place: usize, count: usize) {
        for other in 0..count {
            self.overlaps[other * count + place] = NO_OVERLAP;
            self.overlaps[place * count + other] = NO_OVERLAP;
            if self.nearest[other] as usize == place {
                self.nearest[other] = nearest_of(&self.overlaps[other * count..][..count]);
            }
        }
    }
}

/// [`CapOrder::Compactness`]; 0 for a box without area.
fn compactness_of(regions: &Regions, region: usize, image_area: f64) -> f32 {
    let bounds = &regions.boxes[region];
    let [width, height] = [bounds[2] - bounds[0], bounds[3] - bounds[1]].map(f64::from);
    let share = f64::from(regions.shares[region]);
    let area = geometry::area(bounds);
    if area <= 0.0 {
        return 0.0;
    }
    let aspect = width.min(height) / width.max(height);
    (share * image_area / area * aspect.sqrt() * share.sqrt().sqrt()) as f32
}

/// The first of the largest.
fn nearest_of(row: &[f32]) -> u32 {
    (1..row.len()).fold(0, |best, index| if row[index] > row[best] { index } else { best }) as u32
}

#[cfg(test)]
mod tests {
    use super::super::scene::strip;
    use super::*;
    use crate::proposals::grid::Grid;

    /// Pixels of the image that `scene::strip` makes regions of.
    const STRIP_AREA: f64 = 100.0;

    fn kept(regions: &[(usize, usize)], proposals_max: usize, cap_overlap_min: f32) -> Vec<usize> {
        let list: Vec<_> = regions.iter().map(|&(from, to)| (from, to, [1.0, 0.0])).collect();
        let mut regions = strip(&list);
        let config = ProposalConfig { proposals_max, cap_overlap_min, ..ProposalConfig::default() };
        let rejected = Cap::default().reject(&mut regions, STRIP_AREA, &config);
        assert_eq!(rejected, list.len() - regions.alive.iter().filter(|alive| **alive).count());
        (0..list.len()).filter(|&region| regions.alive[region]).collect()
    }

    #[test]
    fn the_smaller_of_the_most_overlapping_pair_goes_first() {
        // 0 and 1 overlap most, then 2 and 3; 4 is smallest but alone.
        let regions = [(0, 20), (0, 18), (40, 60), (45, 60), (90, 92)];
        assert_eq!(kept(&regions, 4, 0.0), [0, 2, 3, 4]);
        assert_eq!(kept(&regions, 3, 0.0), [0, 2, 4]);
        assert_eq!(kept(&regions, 5, 0.0), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn under_the_floor_the_smallest_goes() {
        let regions = [(0, 20), (0, 18), (40, 60), (45, 60), (90, 92)];
        // Only the first pair (IoU 0.9) overlaps by more than 0.8.
        assert_eq!(kept(&regions, 4, 0.8), [0, 2, 3, 4]);
        assert_eq!(kept(&regions, 3, 0.8), [0, 2, 3]);
        assert_eq!(kept(&regions, 1, 0.9), [0]);
        // The floor itself does not count as more.
        assert_eq!(kept(&regions, 4, 0.9), [0, 1, 2, 3]);
    }

    #[test]
    fn removal_uncovers_the_next_pair() {
        // A chain: 1 overlaps 0 and 2; once 1 is gone, 0 and 2 do not overlap.
        assert_eq!(kept(&[(0, 10), (4, 13), (12, 30), (50, 60)], 3, 0.0), [0, 2, 3]);
        assert_eq!(kept(&[(0, 10), (4, 13), (12, 30), (50, 60)], 2, 0.0), [0, 2]);
    }

    /// Regions of an image of 10 x 10: box and share. Ragged ones fill little of their box.
    fn shapes() -> Regions {
        let shapes: [([f32; 4], f32); 5] = [
            ([0.0, 0.0, 10.0, 10.0], 0.3),
            ([0.0, 0.0, 2.0, 2.0], 0.04),
            ([4.0, 4.0, 6.0, 6.0], 0.02),
            ([0.0, 8.0, 9.0, 9.0], 0.09),
            ([7.0, 2.0, 9.0, 4.0], 0.04),
        ];
        let mut regions = Regions::default();
        regions.clear(Grid { height: 1, width: 1 }, 1);
        for (bounds, share) in shapes {
            regions.push(bounds, share, 0, 2);
        }
        regions
    }

    #[test]
    fn compact_regions_outlive_large_ragged_ones() {
        let kept = |cap_order, proposals_max| {
            let mut regions = shapes();
            let config = ProposalConfig {
                cap_order,
                proposals_max,
                cap_overlap: CapOverlap::Box,
                ..ProposalConfig::default()
            };
            Cap::default().reject(&mut regions, STRIP_AREA, &config);
            (0..regions.count()).filter(|&region| regions.alive[region]).collect::<Vec<_>>()
        };
        assert_eq!(kept(CapOrder::Size, 2), [0, 3]);
        // By hand: 0.30 * 1 * 0.740, 1 * 1 * 0.447, 0.5 * 1 * 0.376, 1 * 0.333 * 0.548, as the second;
        // of two alike the later one goes.
        assert_eq!(kept(CapOrder::Compactness, 4), [0, 1, 2, 4]);
        assert_eq!(kept(CapOrder::Compactness, 3), [0, 1, 4]);
        assert_eq!(kept(CapOrder::Compactness, 2), [1, 4]);
        assert_eq!(kept(CapOrder::Compactness, 1), [1]);
    }

    #[test]
    fn of_an_overlapping_pair_the_less_compact_goes() {
        let kept = |cap_order| {
            let mut regions = Regions::default();
            regions.clear(Grid { height: 1, width: 1 }, 1);
            // A square, and a long box over the whole of it that is larger and half empty.
            regions.push([0.0, 0.0, 4.0, 4.0], 0.16, 0, 2);
            regions.push([0.0, 0.0, 9.0, 4.0], 0.18, 0, 2);
            let config = ProposalConfig {
                cap_order,
                proposals_max: 1,
                cap_overlap: CapOverlap::Box,
                cap_overlap_min: 0.3,
                ..ProposalConfig::default()
            };
            Cap::default().reject(&mut regions, STRIP_AREA, &config);
            regions.alive
        };
        assert_eq!(kept(CapOrder::Size), [false, true]);
        assert_eq!(kept(CapOrder::Compactness), [true, false]);
    }

    #[test]
    fn a_box_without_area_is_the_least_compact() {
        let mut regions = Regions::default();
        regions.clear(Grid { height: 1, width: 1 }, 1);
        regions.push([3.0, 0.0, 3.0, 5.0], 0.1, 0, 2);
        assert_eq!(compactness_of(&regions, 0, STRIP_AREA), 0.0);
    }
}

//! Filter (e): while an image has too many proposals, those go that add least diversity, then
//! those that are smallest (patent ¶57 (e) and ¶63: "by order of diversity (considering both
//! their boxes and segmentation masks) and size").
//!
//! ¶63 drops the smaller of the most overlapping pair, over and over. Once no pair overlaps much
//! that only thins out large regions around each other while specks stay, so under
//! `cap_overlap_min` size decides: the smallest region goes.

use crate::proposals::config::{CapOverlap, ProposalConfig};
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
}

impl Cap {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.living) + bytes_of(&self.overlaps) + bytes_of(&self.nearest)
    }

    /// Rejects regions until `config.proposals_max` are left. Answers how many.
    pub fn reject(&mut self, regions: &mut Regions, config: &ProposalConfig) -> usize {
        self.living.clear();
        self.living.extend((0..regions.count() as u32).filter(|&r| regions.alive[r as usize]));
        let count = self.living.len();
        let rejected = count.saturating_sub(config.proposals_max);
        if rejected == 0 {
            return 0;
        }
        self.measure(regions, config.cap_overlap);
        for _ in 0..rejected {
            let region = |place: usize| self.living[place] as usize;
            let smaller = |first: usize, second: usize| {
                if regions.is_smaller(region(first), region(second)) { first } else { second }
            };
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

/// The first of the largest.
fn nearest_of(row: &[f32]) -> u32 {
    (1..row.len()).fold(0, |best, index| if row[index] > row[best] { index } else { best }) as u32
}

#[cfg(test)]
mod tests {
    use super::super::scene::strip;
    use super::*;

    fn kept(regions: &[(usize, usize)], proposals_max: usize, cap_overlap_min: f32) -> Vec<usize> {
        let list: Vec<_> = regions.iter().map(|&(from, to)| (from, to, [1.0, 0.0])).collect();
        let mut regions = strip(&list);
        let config = ProposalConfig { proposals_max, cap_overlap_min, ..ProposalConfig::default() };
        let rejected = Cap::default().reject(&mut regions, &config);
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
}

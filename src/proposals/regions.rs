//! The regions of one image while the filters work on them: masks as bits, boxes, shares.

use super::components::NO_LABEL;
use super::grid::Grid;
use super::numeric::{bytes_of, dot};
use crate::geometry::{self, BoundingBox};
use crate::ranking::rank;
use std::cmp::Ordering;

/// Regions as flat arrays with one entry each; a rejected region stays, with `alive` unset.
#[derive(Debug, Default)]
pub struct Regions {
    /// The grid of all masks.
    pub grid: Grid,
    /// `[regions, grid.words()]`: cell i is bit i % 64 of word i / 64.
    pub masks: Vec<u64>,
    pub boxes: Vec<BoundingBox>,
    /// Area as a share of the image.
    pub shares: Vec<f32>,
    pub levels: Vec<i32>,
    pub cluster_counts: Vec<i32>,
    pub alive: Vec<bool>,
    /// `[regions, dimensions]`: the mean of the first map over the region.
    pub pooled: Vec<f32>,
    /// `[regions, dimensions]`: unit vectors that filters compare; zero where there is no
    /// direction.
    pub compared: Vec<f32>,
    pub dimensions: usize,
    order: Vec<usize>,
    groups: Vec<u32>,
}

impl Regions {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.masks)
            + bytes_of(&self.boxes)
            + bytes_of(&self.shares)
            + bytes_of(&self.levels)
            + bytes_of(&self.cluster_counts)
            + bytes_of(&self.alive)
            + bytes_of(&self.pooled)
            + bytes_of(&self.compared)
            + bytes_of(&self.order)
            + bytes_of(&self.groups)
    }

    /// Forgets all regions and keeps the memory.
    pub fn clear(&mut self, grid: Grid, dimensions: usize) {
        self.grid = grid;
        self.dimensions = dimensions;
        self.masks.clear();
        self.boxes.clear();
        self.shares.clear();
        self.levels.clear();
        self.cluster_counts.clear();
        self.alive.clear();
        self.pooled.clear();
        self.compared.clear();
    }

    /// Number of regions, rejected ones included.
    pub fn count(&self) -> usize {
        self.boxes.len()
    }

    /// The mask of one region.
    pub fn mask(&self, region: usize) -> &[u64] {
        let words = self.grid.words();
        &self.masks[region * words..(region + 1) * words]
    }

    /// Adds a region without cells; [`Regions::set_cells`] fills masks.
    pub fn push(&mut self, bounds: BoundingBox, share: f32, level: usize, cluster_count: usize) {
        self.masks.resize(self.masks.len() + self.grid.words(), 0);
        self.boxes.push(bounds);
        self.shares.push(share);
        self.levels.push(level as i32);
        self.cluster_counts.push(cluster_count as i32);
        self.alive.push(true);
    }

    /// Sets the bits of every cell whose component became a region. `coarse_cells` gives the
    /// map's cell under each cell of the grid, `region_of` the region of each component.
    pub fn set_cells(&mut self, coarse_cells: &[u32], component_of: &[u32], region_of: &[u32]) {
        let words = self.grid.words();
        for (cell, coarse) in coarse_cells.iter().enumerate() {
            let component = component_of[*coarse as usize];
            if component == NO_LABEL || region_of[component as usize] == NO_LABEL {
                continue;
            }
            let region = region_of[component as usize] as usize;
            self.masks[region * words + cell / 64] |= 1 << (cell % 64);
        }
    }

    /// Cells that two masks share.
    pub fn shared_cells(&self, first: usize, second: usize) -> u32 {
        self.mask(first).iter().zip(self.mask(second)).map(|(a, b)| (a & b).count_ones()).sum()
    }

    /// Cells of one mask.
    pub fn cells(&self, region: usize) -> u32 {
        self.mask(region).iter().map(|word| word.count_ones()).sum()
    }

    /// Intersection over union of two masks, in [0, 1].
    pub fn mask_overlap(&self, first: usize, second: usize) -> f32 {
        let shared = self.shared_cells(first, second);
        let union = self.cells(first) + self.cells(second) - shared;
        if union == 0 { 0.0 } else { shared as f32 / union as f32 }
    }

    /// Intersection over union of two boxes, in [0, 1].
    pub fn box_overlap(&self, first: usize, second: usize) -> f32 {
        geometry::intersection_over_union(&self.boxes[first], &self.boxes[second]) as f32
    }

    /// Cosine of the compared vectors of two regions.
    pub fn similarity(&self, first: usize, second: usize) -> f32 {
        let row = |region: usize| {
            &self.compared[region * self.dimensions..(region + 1) * self.dimensions]
        };
        dot(row(first), row(second))
    }

    /// Whether `first` is the smaller of two regions: by area, then by box, then the later one.
    pub fn is_smaller(&self, first: usize, second: usize) -> bool {
        let key = |region: usize| (self.shares[region], geometry::area(&self.boxes[region]));
        let ((share, area), (other_share, other_area)) = (key(first), key(second));
        share
            .total_cmp(&other_share)
            .then(area.total_cmp(&other_area))
            .then(second.cmp(&first))
            .is_lt()
    }

    /// Visits the regions from the largest to the smallest; each is rejected when `rejects` says
    /// so for one larger region that was kept. Answers how many were.
    pub fn reject_smaller(&mut self, rejects: impl Fn(&Regions, usize, usize) -> bool) -> usize {
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend((0..self.count()).filter(|&region| self.alive[region]));
        rank(&mut order, &|a, b| match self.is_smaller(a, b) {
            true => Ordering::Greater,
            false => Ordering::Less,
        });
        let mut rejected = 0;
        for (position, &region) in order.iter().enumerate() {
            let against = order[..position].iter().copied();
            if against
                .filter(|&larger| self.alive[larger])
                .any(|larger| rejects(self, larger, region))
            {
                self.alive[region] = false;
                rejected += 1;
            }
        }
        self.order = order;
        rejected
    }

    /// Unites groups of regions: `group_of` gives the first member of each living region's group.
    /// The first member becomes the union, the others are rejected. Answers how many were.
    pub fn unite(&mut self, group_of: &[u32]) -> usize {
        let words = self.grid.words();
        let mut rejected = 0;
        for (region, &first) in group_of.iter().enumerate() {
            let first = first as usize;
            if !self.alive[region] || first == region {
                continue;
            }
            for word in 0..words {
                self.masks[first * words + word] |= self.masks[region * words + word];
            }
            let other = self.boxes[region];
            let bounds = &mut self.boxes[first];
            *bounds = [
                bounds[0].min(other[0]),
                bounds[1].min(other[1]),
                bounds[2].max(other[2]),
                bounds[3].max(other[3]),
            ];
            self.alive[region] = false;
            rejected += 1;
            self.shares[first] = self.cells(first) as f32 / self.grid.cells() as f32;
        }
        rejected
    }

    /// Unites whatever a chain of linked pairs of living regions connects. Answers how many
    /// regions vanished.
    pub fn unite_linked(&mut self, linked: impl Fn(&Regions, usize, usize) -> bool) -> usize {
        let mut groups = self.take_groups();
        for second in (0..self.count()).filter(|&region| self.alive[region]) {
            for first in (0..second).filter(|&region| self.alive[region]) {
                let (low, high) =
                    (groups[first].min(groups[second]), groups[first].max(groups[second]));
                if low != high && linked(self, first, second) {
                    groups
                        .iter_mut()
                        .filter(|group| **group == high)
                        .for_each(|group| *group = low);
                }
            }
        }
        let united = self.unite(&groups);
        self.return_groups(groups);
        united
    }

    /// Takes the memory in which merges note the group of each region, each its own at first.
    pub fn take_groups(&mut self) -> Vec<u32> {
        let mut groups = std::mem::take(&mut self.groups);
        groups.clear();
        groups.extend(0..self.count() as u32);
        groups
    }

    /// Gives the memory back.
    pub fn return_groups(&mut self, groups: Vec<u32>) {
        self.groups = groups;
    }
}

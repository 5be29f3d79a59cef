//! From the labels of one clustering to regions: filter (a), connected parts, filter (b), the
//! smallest size (patent ¶33 and ¶57).

use super::components::{Component, Components, NO_LABEL};
use super::config::ProposalConfig;
use super::counts::ExtractCounts;
use super::features::Features;
use super::filters::components_count::find_noisy;
use super::filters::similar_centroids::SimilarCentroids;
use super::grid::{Grid, ImageGeometry};
use super::numeric::bytes_of;
use super::regions::Regions;

/// Where labels come from.
#[derive(Debug, Clone, Copy)]
pub struct Clustering {
    pub geometry: ImageGeometry,
    pub map: Grid,
    /// Pixels of the resized image for each cell.
    pub stride: usize,
    pub level: usize,
    pub clusters: usize,
}

/// Memory of [`Collector::collect`], and the regions collected so far.
#[derive(Debug, Default)]
pub struct Collector {
    pub regions: Regions,
    labels: Vec<u32>,
    similar: SimilarCentroids,
    components: Components,
    parts: Vec<u32>,
    noisy: Vec<bool>,
    coarse_cells: Vec<u32>,
    region_of: Vec<u32>,
}

impl Collector {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.regions.memory_bytes()
            + bytes_of(&self.labels)
            + self.similar.memory_bytes()
            + self.components.memory_bytes()
            + bytes_of(&self.parts)
            + bytes_of(&self.noisy)
            + bytes_of(&self.coarse_cells)
            + bytes_of(&self.region_of)
    }

    /// Adds the regions of one clustering of `features` into `labels`.
    pub fn collect(
        &mut self,
        labels: &[u32],
        features: &Features<'_>,
        clustering: &Clustering,
        config: &ProposalConfig,
        counts: &mut ExtractCounts,
    ) {
        let (map, clusters) = (clustering.map, clustering.clusters);
        self.labels.clear();
        self.labels.extend_from_slice(labels);
        let similarity = config.centroid_merge_similarity;
        counts.clusters_merged +=
            self.similar.merge(features, &mut self.labels, clusters, similarity);
        self.components.find(&self.labels, map.width, config.connectivity);
        let share = |component: &Component| component.cells as f32 / map.cells() as f32;
        let large = |component: &Component| share(component) >= config.region_size_min;
        let components = &self.components.list;
        counts.clusters_noisy += find_noisy(
            components,
            clusters,
            config.components_max,
            large,
            &mut self.parts,
            &mut self.noisy,
        );
        self.region_of.clear();
        for component in components {
            let noisy = self.noisy[component.label as usize];
            counts.regions_small += usize::from(!noisy && !large(component));
            if noisy || !large(component) {
                self.region_of.push(NO_LABEL);
                continue;
            }
            self.region_of.push(self.regions.count() as u32);
            let bounds = clustering.geometry.cells_to_box(clustering.stride, component.bounds);
            self.regions.push(bounds, share(component), clustering.level, clusters);
        }
        let coarse_cells = self.regions.grid.coarse_cells(map, &mut self.coarse_cells);
        self.regions.set_cells(coarse_cells, &self.components.of_cell, &self.region_of);
    }
}

//! The whole of local clustering for one image: maps in, proposals out (patent ¶32-34).

use super::collector::Clustering;
use super::config::{OverlapMerge, ProposalConfig, Score, SemanticMerge};
use super::counts::ExtractCounts;
use super::filters::{duplicates, large, nested};
use super::grid::Grid;
use super::image_maps::{ImageMaps, LevelMap};
use super::map_clustering::MapRequest;
use super::merges::semantic;
use super::output::{OutputRegion, fill_from_regions};
use super::pooling::pool;
use super::scratch::Scratch;
use crate::control::Control;
use crate::data::proposal_set::ProposalSet;
use crate::geometry;
use crate::ranking::rank;
use crate::workers::Workers;
use crate::{Error, Result};

/// Local clustering with one configuration. Shared between threads; each brings its scratch.
#[derive(Debug, Clone)]
pub struct Extractor {
    config: ProposalConfig,
}

impl Extractor {
    /// # Errors
    /// [`Error::InvalidArgument`] of [`ProposalConfig::validate`].
    pub fn new(config: ProposalConfig) -> Result<Extractor> {
        config.validate()?;
        Ok(Extractor { config })
    }

    /// The configuration.
    pub fn config(&self) -> &ProposalConfig {
        &self.config
    }

    /// The proposals of one image, by falling score, ties in the order in which they were found.
    ///
    /// The answer depends on the configuration, the maps, `seed` and the image's id, and not on
    /// `workers`. Once `scratch` and `out` have grown, `Workers::caller()` allocates nothing.
    /// On error `out` is empty or whole, never in between. `control` is looked at between clusterings
    /// and on the way to the eigenvectors; it reports nothing.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::NotConverged`] where rounding ends the search for eigenvectors;
    /// [`Error::Shape`] for maps that do not fit their description, [`Error::NonFinite`] for NaN
    /// or infinity in a clustered map, [`Error::InvalidArgument`] for `cosine` over features of
    /// mixed signs.
    pub fn extract(
        &self,
        image: &ImageMaps<'_>,
        seed: u64,
        (workers, control): (&Workers, &Control<'_>),
        scratch: &mut Scratch,
        out: &mut ProposalSet,
    ) -> Result<ExtractCounts> {
        check(image)?;
        let mut counts = ExtractCounts::default();
        let first = &image.maps[0];
        out.clear(first.map.channels);
        let grid = self.finest_grid(image, scratch);
        scratch.collector.regions.clear(grid, first.map.channels);
        for level in 0..image.maps.len() {
            self.cluster_level(image, level, seed, (workers, control), scratch, &mut counts)?;
        }
        counts.regions_found = scratch.collector.regions.count();
        self.filter(image, workers, scratch, &mut counts);
        self.write(image, scratch, out, &mut counts);
        Ok(counts)
    }

    /// The grid of the finest map that is clustered.
    fn finest_grid(&self, image: &ImageMaps<'_>, scratch: &mut Scratch) -> Grid {
        let mut finest = Grid::default();
        for (level, map) in image.maps.iter().enumerate() {
            self.config.counts_of_level(level, image.maps.len(), &mut scratch.counts);
            let grid = grid_of(map);
            if !scratch.counts.is_empty() && grid.cells() > finest.cells() {
                finest = grid;
            }
        }
        finest
    }

    /// All clusterings of one map; their regions join `scratch.collector.regions`.
    fn cluster_level(
        &self,
        image: &ImageMaps<'_>,
        level: usize,
        seed: u64,
        (workers, control): (&Workers, &Control<'_>),
        scratch: &mut Scratch,
        counts: &mut ExtractCounts,
    ) -> Result<()> {
        self.config.counts_of_level(level, image.maps.len(), &mut scratch.counts);
        let asked = scratch.counts.len();
        scratch.counts.retain(|&clusters| clusters < image.maps[level].map.cells());
        counts.clusterings_skipped += asked - scratch.counts.len();
        if scratch.counts.is_empty() {
            if level == 0 {
                let LevelMap { map, groups, .. } = &image.maps[0];
                scratch.first.measure(map, groups, &self.config, workers);
            }
            return Ok(());
        }
        let Scratch { clusterer, collector, first, counts: cluster_counts, .. } = scratch;
        let request = MapRequest {
            map: &image.maps[level],
            level,
            cluster_counts,
            seed,
            image_id: image.image_id,
            clusterings_before: counts.clusterings,
        };
        let clustering = |clusters| Clustering {
            geometry: image.geometry,
            map: grid_of(&image.maps[level]),
            stride: image.maps[level].stride,
            level,
            clusters,
        };
        let runners = (workers, control);
        clusterer.cluster(&request, &self.config, runners, |clusters, labels, features| {
            collector.collect(labels, features, &clustering(clusters), &self.config, counts);
            counts.clusterings += 1;
        })?;
        let unconverged = clusterer.eigenvectors.residual > self.config.eigen_tolerance;
        counts.maps_unconverged += usize::from(unconverged);
        if level == 0 {
            std::mem::swap(first, &mut clusterer.standardisation);
        }
        Ok(())
    }

    /// Vectors, merges and filters (c)-(e).
    fn filter(
        &self,
        image: &ImageMaps<'_>,
        workers: &Workers,
        scratch: &mut Scratch,
        counts: &mut ExtractCounts,
    ) {
        let config = &self.config;
        let map = &image.maps[0].map;
        let regions = &mut scratch.collector.regions;
        pool(map, &scratch.first, regions, &mut scratch.pooling, workers);
        if config.overlap_merge != OverlapMerge::Off {
            counts.regions_merged += scratch.boxes.unite(regions, config);
            pool(map, &scratch.first, regions, &mut scratch.pooling, workers);
        }
        if config.semantic_merge != SemanticMerge::Off {
            counts.regions_merged += semantic::unite(regions, config.semantic_merge_similarity);
            pool(map, &scratch.first, regions, &mut scratch.pooling, workers);
        }
        counts.regions_duplicate = duplicates::reject(regions, config.duplicate_iou);
        counts.regions_nested = nested::reject(
            regions,
            config.nested_similarity,
            config.containment,
            config.containment_share,
        );
        let image_area = image.geometry.area();
        counts.regions_large = large::reject(regions, image_area, config.box_share_max);
        counts.regions_over_cap = scratch.cap.reject(regions, image_area, config);
    }

    fn write(
        &self,
        image: &ImageMaps<'_>,
        scratch: &mut Scratch,
        out: &mut ProposalSet,
        counts: &mut ExtractCounts,
    ) {
        let regions = &scratch.collector.regions;
        let score = |region: usize| match self.config.score {
            Score::RegionShare => regions.shares[region],
            Score::BoxShare => {
                (geometry::area(&regions.boxes[region]) / image.geometry.area()) as f32
            }
            Score::Constant => 1.0,
        };
        let order = &mut scratch.order;
        order.clear();
        order.extend((0..regions.count()).filter(|&region| regions.alive[region]));
        rank(order, &|a, b| score(b).total_cmp(&score(a)));
        let dimensions = regions.dimensions;
        let list = order.iter().map(|&region| OutputRegion {
            bounds: image.geometry.grown(regions.boxes[region], self.config.box_margin),
            share: regions.shares[region],
            level: regions.levels[region],
            cluster_count: regions.cluster_counts[region],
            score: score(region),
            vector: &regions.pooled[region * dimensions..(region + 1) * dimensions],
            mask: regions.mask(region),
            grid: regions.grid.mask_grid(),
        });
        counts.regions_without_direction = fill_from_regions(list, dimensions, out);
        counts.proposals = out.count();
    }
}

fn grid_of(level: &LevelMap<'_>) -> Grid {
    Grid { height: level.map.height, width: level.map.width }
}

fn check(image: &ImageMaps<'_>) -> Result<()> {
    let sides = image.geometry;
    if [sides.original_width, sides.original_height, sides.resized_width, sides.resized_height]
        .contains(&0)
    {
        return Err(Error::invalid("geometry", format!("{sides:?} has a side of 0")));
    }
    if image.maps.is_empty() {
        return Err(Error::invalid("maps", "an image needs at least one feature map"));
    }
    for (level, LevelMap { map, stride, groups }) in image.maps.iter().enumerate() {
        let name = || format!("map {level}");
        let expected = map.height * map.width * map.channels;
        if expected == 0 || expected != map.values.len() {
            let sizes =
                format!("[{},{},{}] values, none of them 0", map.height, map.width, map.channels);
            return Err(Error::shape(name(), sizes, format!("{} values", map.values.len())));
        }
        if *stride == 0 {
            return Err(Error::invalid(name(), "stride 0"));
        }
        if !groups.is_empty()
            && (groups.contains(&0) || groups.iter().sum::<usize>() != map.channels)
        {
            let reason = format!("groups {groups:?} do not sum to {} channels", map.channels);
            return Err(Error::invalid(name(), reason));
        }
    }
    Ok(())
}

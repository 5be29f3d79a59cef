//! All clusterings of one map: one decomposition serves every K.
//!
//! Normalised spectral clustering of Ng, Jordan and Weiss 2001 (patent ¶32): the rows of the K
//! leading eigenvectors of D^-1/2 W D^-1/2, each made a unit vector, are grouped by k-means.

use super::affinity::{Graph, GraphScratch};
use super::config::{LocalMethod, ProposalConfig};
use super::eigenvectors::Eigenvectors;
use super::features::{FeatureScratch, Features, Standardisation};
use super::grid::Grid;
use super::image_maps::LevelMap;
use super::kmeans::{KMeans, Points, STARTS_MAX};
use super::numeric::{bytes_of, normalise, sized};
use crate::Result;
use crate::control::Control;
use crate::memory::{self, bytes_of as bytes};
use crate::random::{Purpose, Random, StreamKey};
use crate::workers::Workers;

/// Eigenvalues under this are zero in f32: their vectors are arbitrary and carry nothing.
const EIGENVALUE_MIN: f32 = 1e-5;

/// Numbers of each cell and cluster that the decomposition and its k-means hold, at most.
const VECTORS_PER_CLUSTER: usize = 16;

/// What to cluster, and how its random numbers are keyed.
#[derive(Debug, Clone, Copy)]
pub struct MapRequest<'a> {
    pub map: &'a LevelMap<'a>,
    /// Number of the map, 0 = deepest.
    pub level: usize,
    /// Each K, ascending and below the number of cells.
    pub cluster_counts: &'a [usize],
    pub seed: u64,
    pub image_id: u32,
    /// Clusterings of the same image that came before.
    pub clusterings_before: usize,
}

/// The memory of clustering a map, and what was found on the way.
#[derive(Debug, Default)]
pub struct MapClusterer {
    /// Of the last map.
    pub standardisation: Standardisation,
    /// Of the last map; not touched by `local_method = kmeans`.
    pub eigenvectors: Eigenvectors,
    features: FeatureScratch,
    graph: GraphScratch,
    embedding: Vec<f32>,
    kmeans: KMeans,
}

impl MapClusterer {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        self.standardisation.memory_bytes()
            + self.eigenvectors.memory_bytes()
            + self.features.memory_bytes()
            + self.graph.memory_bytes()
            + bytes_of(&self.embedding)
            + self.kmeans.memory_bytes()
    }

    /// Clusters the map with every K and hands K, a label for each cell (row-major) and the
    /// compared features to `found`. `control` is looked at between clusterings and on the way to the
    /// eigenvectors.
    ///
    /// # Errors
    /// Those of [`Features::prepare`], [`Graph::build`] and [`Eigenvectors::solve`];
    /// [`crate::Error::OutOfMemory`].
    pub fn cluster(
        &mut self,
        request: &MapRequest<'_>,
        config: &ProposalConfig,
        (workers, control): (&Workers, &Control<'_>),
        mut found: impl FnMut(usize, &[u32], &Features<'_>),
    ) -> Result<()> {
        let Some(&most) = request.cluster_counts.last() else { return Ok(()) };
        let LevelMap { map, groups, .. } = request.map;
        let level = request.level;
        let numbers = map.channels + 1 + VECTORS_PER_CLUSTER * (most + 1);
        memory::probe(bytes::<f32>(map.cells().saturating_mul(numbers)), "clustering a map")?;
        self.standardisation.measure(map, groups, config, workers);
        let (standardisation, scratch) = (&self.standardisation, &mut self.features);
        let features = Features::prepare(map, level, standardisation, config, scratch, workers)?;
        let key = |purpose| StreamKey::new(request.seed, purpose).for_image(request.image_id);
        if config.local_method == LocalMethod::Spectral {
            let grid = Grid { height: map.height, width: map.width };
            let graph = Graph::build(features, (level, grid), config, &mut self.graph, workers)?;
            let key = StreamKey { epoch: level as u16, ..key(Purpose::EigenStart) };
            let (tolerance, mut random) = (config.eigen_tolerance, Random::new(key));
            self.eigenvectors.solve(&graph, most, tolerance, &mut random, (workers, control))?;
        }
        for (index, &clusters) in request.cluster_counts.iter().enumerate() {
            control.check()?;
            let points = match config.local_method {
                LocalMethod::Kmeans => Points {
                    values: features.rows,
                    count: features.cells,
                    dimensions: features.columns,
                },
                LocalMethod::Spectral => {
                    embed(&self.eigenvectors, map.cells(), clusters, &mut self.embedding)
                }
            };
            // Stage 0 has no epochs: their place in the key numbers the clusterings and starts.
            let epoch = ((request.clusterings_before + index) * STARTS_MAX) as u16;
            let key = StreamKey { epoch, ..key(Purpose::LocalSeeding) };
            let starts = config.kmeans_starts;
            let run = (workers, control);
            let labels = self.kmeans.cluster(&points, clusters, starts, key, run)?;
            found(clusters, labels, &features);
        }
        Ok(())
    }
}

/// The rows of the leading eigenvectors, each made a unit vector.
fn embed<'a>(
    found: &Eigenvectors,
    cells: usize,
    clusters: usize,
    embedding: &'a mut Vec<f32>,
) -> Points<'a> {
    let values = sized(embedding, cells * clusters);
    let leading = found.values[..clusters].iter();
    let meaningful = leading.filter(|value| **value > EIGENVALUE_MIN).count();
    let vectors = found.vectors.chunks_exact(found.count);
    for (row, vector) in values.chunks_exact_mut(clusters).zip(vectors) {
        row.fill(0.0);
        row[..meaningful].copy_from_slice(&vector[..meaningful]);
        normalise(row);
    }
    Points { values, count: cells, dimensions: clusters }
}

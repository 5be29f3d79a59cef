//! Filter (a): clusters of one clustering with similar centroids are one cluster (patent ¶57,
//! "to avoid over-clustering"). Before the components, so that what was cut apart joins again.
//!
//! The metric is the cosine of the mean compared rows; the patent names none. Merging is
//! transitive: whatever a chain of similar centroids links becomes one cluster.

use crate::proposals::features::Features;
use crate::proposals::numeric::{bytes_of, dot, sized};

/// Memory of [`SimilarCentroids::merge`].
#[derive(Debug, Default)]
pub struct SimilarCentroids {
    centroids: Vec<f32>,
    group: Vec<u32>,
    sizes: Vec<u32>,
}

impl SimilarCentroids {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.centroids) + bytes_of(&self.group) + bytes_of(&self.sizes)
    }

    /// Relabels `labels` (below `clusters`) so that clusters whose centroids have a cosine over
    /// `similarity` share the smallest of their labels. Answers how many clusters vanished.
    pub fn merge(
        &mut self,
        features: &Features<'_>,
        labels: &mut [u32],
        clusters: usize,
        similarity: f32,
    ) -> usize {
        if similarity >= 1.0 {
            return 0;
        }
        let columns = features.columns;
        let centroids = sized(&mut self.centroids, clusters * columns);
        let sizes = sized(&mut self.sizes, clusters);
        let group = sized(&mut self.group, clusters);
        centroids.fill(0.0);
        sizes.fill(0);
        (0..clusters).for_each(|cluster| group[cluster] = cluster as u32);
        for (cell, label) in labels.iter().enumerate() {
            let cluster = *label as usize;
            sizes[cluster] += 1;
            let target = &mut centroids[cluster * columns..(cluster + 1) * columns];
            target.iter_mut().zip(features.row(cell)).for_each(|(sum, value)| *sum += value);
        }
        let centroid = |cluster: usize| &centroids[cluster * columns..(cluster + 1) * columns];
        let mut merged = 0;
        for first in 0..clusters {
            for second in first + 1..clusters {
                let (a, b) = (centroid(first), centroid(second));
                let squares = [dot(a, a), dot(b, b)];
                let lengths = (squares[0] * squares[1]).sqrt();
                // Of a flat map, centred rows have no direction: they are all alike.
                let alike = squares == [0.0; 2] || dot(a, b) > similarity * lengths;
                let (low, high) =
                    (group[first].min(group[second]), group[first].max(group[second]));
                let empty = sizes[first] == 0 || sizes[second] == 0;
                if empty || low == high || !alike {
                    continue;
                }
                group.iter_mut().filter(|entry| **entry == high).for_each(|entry| *entry = low);
                merged += 1;
            }
        }
        labels.iter_mut().for_each(|label| *label = group[*label as usize]);
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(rows: &[[f32; 2]], similarity: f32) -> (Vec<u32>, usize) {
        let rows: Vec<f32> = rows.concat();
        let cells = rows.len() / 2;
        let features = Features { rows: &rows, cells, columns: 2, square: 1.0 };
        let mut labels: Vec<u32> = (0..cells as u32).collect();
        let merged = SimilarCentroids::default().merge(&features, &mut labels, cells, similarity);
        (labels, merged)
    }

    #[test]
    fn only_a_larger_cosine_merges() {
        // The cosine of the two is exactly 0.6.
        assert_eq!(merge(&[[1.0, 0.0], [0.6, 0.8]], 0.6).0, [0, 1]);
        assert_eq!(merge(&[[1.0, 0.0], [0.6, 0.8]], 0.59), (vec![0, 0], 1));
    }

    #[test]
    fn chains_merge_and_one_switches_the_filter_off() {
        let rows = [[1.0, 0.0], [0.0, 1.0], [0.8, 0.6], [0.6, 0.8], [-1.0, 0.0]];
        assert_eq!(merge(&rows, 0.75), (vec![0, 0, 0, 0, 4], 3));
        assert_eq!(merge(&[[1.0, 0.0], [1.0, 0.0]], 1.0), (vec![0, 1], 0));
    }

    #[test]
    fn centroids_without_direction_are_alike_and_like_no_other() {
        assert_eq!(merge(&[[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]], 0.5), (vec![0, 1, 0], 1));
    }

    #[test]
    fn a_cluster_without_cells_joins_nothing() {
        let rows = [1.0, 0.0, 1.0, 0.0];
        let features = Features { rows: &rows, cells: 2, columns: 2, square: 1.0 };
        let mut labels = [0, 2];
        let merged = SimilarCentroids::default().merge(&features, &mut labels, 3, 0.5);
        assert_eq!((labels, merged), ([0, 0], 1));
    }
}

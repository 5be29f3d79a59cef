//! Options of the global clustering.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Options, as in the TOML document and the C options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterConfig {
    /// Number of pseudo-classes K, at least 1. Default 2048 (patent ¶80, Table 9).
    pub classes: u32,
    /// Rounds of assignment and update before the final assignment. Default 10 (DeepCluster-v2).
    pub rounds: u32,
    /// `spherical` (cosine; vectors and centroids have length 1) or `euclidean`. Default
    /// `spherical` (DeepCluster-v2).
    pub metric: String,
    /// `kmeans||`, `kmeans++` (both on a sample) or `random` (rows). Default `kmeans||`: as good
    /// as k-means++ and a few passes instead of one for each class (Bahmani et al., 2012).
    pub seeding: String,
    /// Rows for each class in the sample that seeding sees, at least 1. Default 32; the sample
    /// shrinks when `memory_bytes_max` is too small for it.
    pub sample_per_class: u32,
    /// What becomes of a cluster without vectors: `keep` its centroid, or `split` the largest
    /// cluster. Default `keep` (DeepCluster-v2).
    pub empty_clusters: String,
    /// Seed of the random numbers. Default 0.
    pub seed: u64,
    /// Bytes that a call may allocate. Default 1 GiB.
    pub memory_bytes_max: u64,
}

impl Default for ClusterConfig {
    fn default() -> ClusterConfig {
        ClusterConfig {
            classes: 2048,
            rounds: 10,
            metric: "spherical".into(),
            seeding: "kmeans||".into(),
            sample_per_class: 32,
            empty_clusters: "keep".into(),
            seed: 0,
            memory_bytes_max: 1 << 30,
        }
    }
}

impl ClusterConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the key.
    pub fn validate(&self) -> Result<()> {
        let at_least_1 = [("classes", self.classes), ("sample_per_class", self.sample_per_class)];
        if let Some((key, _)) = at_least_1.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::invalid(key, "must be at least 1"));
        }
        self.metric().and(self.seeding().map(drop)).and(self.empty_clusters().map(drop))
    }

    /// The value of `metric`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown name.
    pub fn metric(&self) -> Result<Metric> {
        choose("metric", &self.metric, &Metric::NAMES)
    }

    /// The value of `seeding`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown name.
    pub fn seeding(&self) -> Result<Seeding> {
        let names = [
            ("kmeans||", Seeding::KMeansParallel),
            ("kmeans++", Seeding::KMeansPlusPlus),
            ("random", Seeding::Random),
        ];
        choose("seeding", &self.seeding, &names)
    }

    /// The value of `empty_clusters`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown name.
    pub fn empty_clusters(&self) -> Result<EmptyClusters> {
        let names = [("keep", EmptyClusters::Keep), ("split", EmptyClusters::Split)];
        choose("empty_clusters", &self.empty_clusters, &names)
    }
}

/// What "near" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The largest cosine; vectors are made unit vectors when they are read.
    Spherical,
    /// The smallest Euclidean distance.
    Euclidean,
}

impl Metric {
    const NAMES: [(&'static str, Metric); 2] =
        [("spherical", Metric::Spherical), ("euclidean", Metric::Euclidean)];

    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown name.
    pub fn from_name(name: &str) -> Result<Metric> {
        choose("metric", name, &Metric::NAMES)
    }

    /// `spherical` or `euclidean`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Spherical => "spherical",
            Metric::Euclidean => "euclidean",
        }
    }
}

/// Where the first centroids come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeding {
    /// Bahmani et al., "Scalable k-means++", VLDB 2012.
    KMeansParallel,
    /// Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    KMeansPlusPlus,
    /// Rows drawn at random, as DeepCluster-v2 does.
    Random,
}

/// What becomes of a cluster that got no vector in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyClusters {
    /// It keeps its centroid.
    Keep,
    /// It takes half of the largest cluster: the same centroid, nudged apart.
    Split,
}

fn choose<T: Copy>(key: &str, name: &str, names: &[(&str, T)]) -> Result<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        Error::invalid(key, format!("`{name}` is none of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_and_unknown_names_are_answered_with_the_known() {
        ClusterConfig::default().validate().unwrap();
        let config = ClusterConfig { seeding: "kmeans+".into(), ..ClusterConfig::default() };
        let error = config.validate().unwrap_err().to_string();
        assert_eq!(error, "seeding: `kmeans+` is none of kmeans||, kmeans++, random");
        let config = ClusterConfig { classes: 0, ..ClusterConfig::default() };
        assert!(config.validate().unwrap_err().to_string().contains("classes"));
        let config = ClusterConfig { metric: "l1".into(), ..ClusterConfig::default() };
        assert!(config.validate().is_err());
    }
}

//! Options of a store, and what each of its files records so that it explains itself.

use crate::config::text_differences;
use crate::{Error, Result};
use arrow_schema::Metadata;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Layout version that this library writes and reads.
pub const STORE_VERSION: u32 = 1;

/// Options of the store, as in the TOML document and the C options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreConfig {
    /// `f16` or `f32`: element type of the unit vectors on disk. Default `f16`: half the bytes,
    /// and a cosine moves by less than 5e-4 (conventions.md, "Numbers").
    pub feature_dtype: String,
    /// Images in a shard, at least 1. Default 256: with 25 proposals of 2048 dimensions a shard
    /// is 26 MB, small enough to lose to a kill and large enough to read in one go.
    pub shard_images: u32,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        StoreConfig { feature_dtype: "f16".into(), shard_images: 256 }
    }
}

impl StoreConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the key.
    pub fn validate(&self) -> Result<()> {
        self.settings(1, String::new()).map(drop)
    }

    /// The settings of a store of vectors of `dimensions` numbers. `fingerprint` identifies
    /// whatever decides the contents (configuration, encoder, seed); a store is resumed or merged
    /// only under an equal one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for values outside their range.
    pub fn settings(&self, dimensions: usize, fingerprint: String) -> Result<StoreSettings> {
        if self.shard_images == 0 {
            return Err(Error::invalid("shard_images", "must be at least 1"));
        }
        if dimensions == 0 || dimensions > DIMENSIONS_MAX {
            let reason = format!("{dimensions} is outside [1, {DIMENSIONS_MAX}]");
            return Err(Error::invalid("dimensions", reason));
        }
        let feature_dtype = FeatureType::from_name(&self.feature_dtype)?;
        Ok(StoreSettings {
            dimensions,
            feature_dtype,
            shard_images: self.shard_images,
            fingerprint,
        })
    }
}

/// Longest vector that a store takes: ten times the widest known backbone.
const DIMENSIONS_MAX: usize = 1 << 16;

/// Element type of the vectors on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureType {
    F16,
    F32,
}

impl FeatureType {
    /// # Errors
    /// [`Error::InvalidArgument`] for any name but `f16` and `f32`.
    pub fn from_name(name: &str) -> Result<FeatureType> {
        match name {
            "f16" => Ok(FeatureType::F16),
            "f32" => Ok(FeatureType::F32),
            other => {
                Err(Error::invalid("feature_dtype", format!("`{other}` is neither f16 nor f32")))
            }
        }
    }

    /// `f16` or `f32`.
    pub fn name(self) -> &'static str {
        match self {
            FeatureType::F16 => "f16",
            FeatureType::F32 => "f32",
        }
    }

    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            FeatureType::F16 => 2,
            FeatureType::F32 => 4,
        }
    }
}

/// What all files of one store have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Length of a vector.
    pub dimensions: usize,
    /// Element type of the vectors.
    pub feature_dtype: FeatureType,
    /// Images in every shard but the last.
    pub shard_images: u32,
    /// Identifies what decided the contents.
    pub fingerprint: String,
}

impl StoreSettings {
    /// The shard that holds `image_id`, both counted from 1.
    pub(super) fn shard_of(&self, image_id: u32) -> u32 {
        (image_id - 1) / self.shard_images + 1
    }

    /// The first image of a shard; past the last possible image where there is none.
    pub(super) fn first_image(&self, shard: u32) -> u64 {
        u64::from(shard - 1) * u64::from(self.shard_images) + 1
    }

    pub(super) fn to_metadata(&self) -> Metadata {
        Metadata::from([
            ("simdetr.store_version", STORE_VERSION.to_string()),
            ("simdetr.dimensions", self.dimensions.to_string()),
            ("simdetr.feature_dtype", self.feature_dtype.name().to_string()),
            ("simdetr.shard_images", self.shard_images.to_string()),
            ("simdetr.fingerprint", self.fingerprint.clone()),
        ])
    }

    /// # Errors
    /// [`Error::Format`] naming `path` for another version or a missing entry.
    pub(super) fn from_metadata(metadata: &Metadata, path: &Path) -> Result<StoreSettings> {
        let entry = |key: &str| {
            metadata
                .get(&format!("simdetr.{key}"))
                .map(String::as_str)
                .ok_or_else(|| Error::format(path, format!("is not of a proposal store: no {key}")))
        };
        let number = |key: &str| {
            let text = entry(key)?;
            text.parse::<u32>()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| Error::format(path, format!("{key} is `{text}`")))
        };
        let version = entry("store_version")?;
        if version != STORE_VERSION.to_string() {
            let reason = format!("store version {version}; this library reads {STORE_VERSION}");
            return Err(Error::format(path, reason));
        }
        Ok(StoreSettings {
            dimensions: number("dimensions")? as usize,
            feature_dtype: FeatureType::from_name(entry("feature_dtype")?)
                .map_err(|error| Error::format(path, error))?,
            shard_images: number("shard_images")?,
            fingerprint: entry("fingerprint")?.to_string(),
        })
    }

    /// # Errors
    /// [`Error::RunMismatch`] about `path` with the settings in which `found` differs; of
    /// fingerprints that are documents, the keys.
    pub(super) fn check_same(&self, found: &StoreSettings, path: &Path) -> Result<()> {
        let pairs = self.entries().into_iter().zip(found.entries());
        let differences: Vec<_> = pairs
            .flat_map(|((key, wanted), (_, found))| text_differences(key, &found, &wanted))
            .collect();
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Error::RunMismatch { path: path.into(), differences }),
        }
    }

    fn entries(&self) -> [(&'static str, String); 4] {
        [
            ("dimensions", self.dimensions.to_string()),
            ("feature_dtype", self.feature_dtype.name().to_string()),
            ("shard_images", self.shard_images.to_string()),
            ("fingerprint", self.fingerprint.clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_and_bad_values_are_named() {
        StoreConfig::default().validate().unwrap();
        let config = StoreConfig { feature_dtype: "bf16".into(), ..StoreConfig::default() };
        assert!(config.validate().unwrap_err().to_string().contains("bf16"));
        let config = StoreConfig { shard_images: 0, ..StoreConfig::default() };
        assert!(config.validate().unwrap_err().to_string().contains("shard_images"));
        assert!(StoreConfig::default().settings(0, String::new()).is_err());
    }

    #[test]
    fn settings_survive_their_metadata_and_versions_are_compared() {
        let settings = StoreConfig::default().settings(7, "abc".into()).unwrap();
        let path = Path::new("000001.arrow");
        let mut metadata = settings.to_metadata();
        assert_eq!(StoreSettings::from_metadata(&metadata, path).unwrap(), settings);
        metadata.insert("simdetr.store_version".to_string(), "2".to_string());
        let error = StoreSettings::from_metadata(&metadata, path).unwrap_err();
        assert_eq!(error.to_string(), "000001.arrow: store version 2; this library reads 1");
    }

    #[test]
    fn shards_follow_from_image_ids() {
        let config = StoreConfig { shard_images: 4, ..StoreConfig::default() };
        let settings = config.settings(1, String::new()).unwrap();
        assert_eq!([1, 4, 5, 8, 9].map(|image| settings.shard_of(image)), [1, 1, 2, 2, 3]);
        assert_eq!([1, 2, 3].map(|shard| settings.first_image(shard)), [1, 5, 9]);
    }
}

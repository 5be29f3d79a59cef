//! The safetensors file of centroids, so that other programs can read them too: tensor `centroids`, f32,
//! `[classes, dimensions]`, and as JSON in one entry of text its layout's version and the metric.

use super::centroids::Centroids;
use super::config::Metric;
use crate::data::tensor_file::TensorFile;
use crate::data::tensor_file_write::{little_endian, write_tensors};
use crate::{Error, Result, memory};
use safetensors::Dtype;
use serde_json::{Value, json};
use std::path::Path;

/// Layout version of the file.
const FILE_VERSION: u32 = 1;
const TENSOR: &str = "centroids";
const METADATA: &str = "simdetr";

impl Centroids {
    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let entries = json!({ "version": FILE_VERSION, "metric": self.metric().name() });
        let shape = vec![self.classes(), self.dimensions()];
        let tensors = [(TENSOR.to_string(), shape, little_endian(self.values()))];
        write_tensors(path, &tensors, Some((METADATA, entries.to_string())))
    }

    /// Reads what [`Centroids::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::OutOfMemory`]; [`Error::Format`] for anything else that is wrong, naming
    /// the file.
    pub fn load(path: &Path) -> Result<Centroids> {
        let format = |reason: String| Error::format(path, reason);
        let file = TensorFile::open(path)?;
        let entries = file.text(METADATA);
        let entries = entries.ok_or_else(|| format("holds no centroids of this library".into()))?;
        let entries: Value = serde_json::from_str(entries)
            .map_err(|error| format(format!("damaged metadata: {error}")))?;
        let version = &entries["version"];
        if *version != FILE_VERSION {
            let reason = format!("centroids version {version}; this library reads {FILE_VERSION}");
            return Err(format(reason));
        }
        let metric = Metric::from_name(entries["metric"].as_str().unwrap_or_default());
        let metric = metric.map_err(|error| format(error.to_string()))?;
        let mut tensors = file.tensors();
        let tensor = tensors.remove(TENSOR).ok_or_else(|| format(format!("no `{TENSOR}`")))?;
        let (Dtype::F32, &[classes, dimensions]) = (tensor.dtype, &tensor.shape[..]) else {
            return Err(format(format!("{:?} of shape {:?}", tensor.dtype, tensor.shape)));
        };
        // A header whose sizes overflow or do not fit the file has been refused.
        let mut values = memory::with_capacity(classes * dimensions, TENSOR)?;
        file.for_each_piece(&tensor, |piece| {
            values.extend(piece.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        })?;
        Centroids::new(values, classes, dimensions, metric)
            .map_err(|error| format(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_such_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clusters.safetensors");
        let refused = || {
            let error = Centroids::load(&path).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("clusters.safetensors"), "{text}");
            text
        };
        let values = [0.5f32, f32::NAN];
        let write = |name: &str, shape: &[usize], values: &[f32], entries: Option<&str>| {
            let tensors = [(name.to_string(), shape.to_vec(), little_endian(values))];
            let text = entries.map(|entries| (METADATA, entries.to_string()));
            write_tensors(&path, &tensors, text).unwrap();
        };
        let entries = r#"{"version":1,"metric":"euclidean"}"#;
        type Case<'a> = (&'a str, &'a [usize], &'a [f32], Option<&'a str>, &'a str);
        let cases: [Case<'_>; 8] = [
            (TENSOR, &[1, 1], &values[..1], None, "holds no centroids of this library"),
            (TENSOR, &[1, 1], &values[..1], Some("{"), "damaged metadata"),
            (TENSOR, &[1, 1], &values[..1], Some(r#"{"version":2}"#), "centroids version 2"),
            (TENSOR, &[1, 1], &values[..1], Some(r#"{"version":1,"metric":"far"}"#), "far"),
            ("other", &[1, 1], &values[..1], Some(entries), "no `centroids`"),
            (TENSOR, &[1], &values[..1], Some(entries), "F32 of shape [1]"),
            (TENSOR, &[0, 2], &[], Some(entries), "none of them 0"),
            (TENSOR, &[1, 2], &values, Some(entries), "NaN"),
        ];
        for (name, shape, values, entries, expected) in cases {
            write(name, shape, values, entries);
            let text = refused();
            assert!(text.contains(expected), "{expected}: {text}");
        }
        write(TENSOR, &[1, 1], &values[..1], Some(entries));
        Centroids::load(&path).unwrap();
        let huge =
            r#"{"centroids":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
        let mut bytes = (huge.len() as u64).to_le_bytes().to_vec();
        bytes.extend(huge.bytes().chain([0; 4]));
        for damaged in [&bytes[..], b"PK\x03\x04"] {
            std::fs::write(&path, damaged).unwrap();
            refused();
        }
        assert!(matches!(Centroids::load(&folder.path().join("none")), Err(Error::Io { .. })));
    }
}

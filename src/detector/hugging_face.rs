//! The `config.json` that `transformers` reads beside a detector's weights; what it says is the
//! detector's own.

use super::whole_detector::Detector;
use crate::Result;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The entry that says whose document it is; `transformers` passes over it.
const MARK: &str = "simdetr_version";

/// Where the document of the weights at `weights` lies.
pub fn beside(weights: &Path) -> PathBuf {
    weights.with_file_name("config.json")
}

/// Whether `bytes` are a document that this library wrote.
pub fn is_ours(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok_and(|document| document.get(MARK).is_some())
}

/// The document for `detector`.
///
/// # Errors
/// Those of [`super::kind::DetectorKind::hugging_face_config`].
pub fn hugging_face_config(detector: &Detector) -> Result<String> {
    let mut document = detector.config().kind.hugging_face_config(detector)?;
    document[MARK] = json!(env!("CARGO_PKG_VERSION"));
    Ok(format!("{document:#}\n"))
}

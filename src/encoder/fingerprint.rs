//! What identifies an encoder's weights in a run: kind, length and fingerprint of the content.

use crate::Result;
use crate::data::fingerprint;
use std::path::Path;

/// `kind:length:fingerprint` of bytes at hand.
pub fn of_bytes(kind: &str, bytes: &[u8]) -> String {
    let content = fingerprint::text(bytes.len() as u64, fingerprint::of_bytes(bytes));
    format!("{kind}:{content}")
}

/// The same of a file's content.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn of_file(kind: &str, path: &Path) -> Result<String> {
    Ok(format!("{kind}:{}", fingerprint::text_of_file(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_bytes_of_one_content_agree_and_others_differ() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, b"weights").unwrap();
        let whole = of_bytes("onnx", b"weights");
        assert_eq!(of_file("onnx", &path).unwrap(), whole);
        assert!(whole.starts_with("onnx:7:"), "{whole}");
        assert_ne!(of_bytes("onnx", b"weight5"), whole);
        assert_ne!(of_bytes("resnet", b"weights"), whole);
    }
}

//! What identifies an encoder's weights in `run.toml`: kind, length and CRC-32 of the content.
//!
//! It guards against going on with another model by mistake, not against forgery, so a checksum
//! that the tree already holds is enough.

use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes that are read at a time; a model may be larger than the memory.
const BLOCK_BYTES: usize = 1 << 20;

/// `kind:length:crc32` of bytes at hand.
pub fn of_bytes(kind: &str, bytes: &[u8]) -> String {
    format!("{kind}:{}:{:08x}", bytes.len(), crc32fast::hash(bytes))
}

/// The same of a file's content.
///
/// # Errors
/// [`Error::Io`].
pub fn of_file(kind: &str, path: &Path) -> Result<String> {
    let failed = |source| Error::io(path, source);
    let mut file = File::open(path).map_err(failed)?;
    let mut block = vec![0; BLOCK_BYTES];
    let (mut checksum, mut length) = (crc32fast::Hasher::new(), 0);
    loop {
        let count = file.read(&mut block).map_err(failed)?;
        if count == 0 {
            return Ok(format!("{kind}:{length}:{:08x}", checksum.finalize()));
        }
        checksum.update(&block[..count]);
        length += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_bytes_of_one_content_agree_and_others_differ() {
        let bytes: Vec<u8> = (0..2 * BLOCK_BYTES + 3).map(|index| (index % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, &bytes).unwrap();
        let whole = of_bytes("onnx", &bytes);
        assert_eq!(of_file("onnx", &path).unwrap(), whole);
        assert_ne!(of_bytes("onnx", &bytes[1..]), whole);
        // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
        assert_eq!(of_bytes("resnet", b"123456789"), "resnet:9:cbf43926");
    }
}

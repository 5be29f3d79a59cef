//! Writes safetensors files: the same bytes for the same tensors and text.
//!
//! The format is a length, a JSON header and the tensors' bytes (safetensors' specification). The
//! header is written here because the text entries of the `safetensors` crate come in an order that
//! changes from run to run, and because Hugging Face's readers want `format` beside any other text.

use super::atomic_file;
use crate::{Error, Result};
use serde_json::json;
use std::io::Write;
use std::path::Path;

/// A tensor to write: name, shape and values.
pub type NamedTensor<'a> = (String, Vec<usize>, LittleEndian<'a>);

/// Readers of Hugging Face refuse a file that has text but not this entry.
const FORMAT: (&str, &str) = ("format", "pt");

/// The header's length is a multiple of this, so that tensors can be mapped as they lie.
const ALIGNMENT: usize = 8;

/// Numbers that are written as safetensors holds them. A copy of a whole detector's would not fit beside
/// it where memory is short.
#[derive(Debug, Clone, Copy)]
pub struct LittleEndian<'a>(&'a [f32]);

impl LittleEndian<'_> {
    fn length_bytes(&self) -> usize {
        size_of_val(self.0)
    }

    fn write(&self, writer: &mut dyn Write) -> std::io::Result<()> {
        let mut bytes = [0; PIECE * size_of::<f32>()];
        for piece in self.0.chunks(PIECE) {
            let bytes = &mut bytes[..size_of_val(piece)];
            for (target, value) in bytes.as_chunks_mut().0.iter_mut().zip(piece) {
                *target = value.to_le_bytes();
            }
            writer.write_all(bytes)?;
        }
        Ok(())
    }
}

/// Numbers that are turned into bytes together.
const PIECE: usize = 1024;

/// `values` as safetensors holds them.
pub fn little_endian(values: &[f32]) -> LittleEndian<'_> {
    LittleEndian(values)
}

/// Writes f32 tensors, by name, as one safetensors file, and beside them one entry of text, key and
/// value.
///
/// # Errors
/// [`Error::Io`]; what lay there stays whole then. [`Error::Internal`] for a name that comes twice.
pub fn write_tensors(
    path: &Path,
    tensors: &[NamedTensor<'_>],
    metadata: Option<(&str, String)>,
) -> Result<()> {
    let mut sorted: Vec<&NamedTensor<'_>> = tensors.iter().collect();
    sorted.sort_unstable_by_key(|(name, ..)| name);
    let header = header(&sorted, metadata)?;
    atomic_file::write_with(path, |writer| {
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(header.as_bytes())?;
        sorted.iter().try_for_each(|(_, _, values)| values.write(writer))
    })
}

fn header(sorted: &[&NamedTensor<'_>], metadata: Option<(&str, String)>) -> Result<String> {
    let mut entries = serde_json::Map::new();
    let mut text = serde_json::Map::from_iter([(FORMAT.0.to_string(), json!(FORMAT.1))]);
    text.extend(metadata.map(|(key, value)| (key.to_string(), json!(value))));
    entries.insert("__metadata__".into(), text.into());
    let mut first = 0;
    for (name, shape, values) in sorted {
        let last = first + values.length_bytes();
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [first, last] });
        if entries.insert(name.clone(), entry).is_some() {
            return Err(Error::Internal { reason: format!("safetensors: {name} comes twice") });
        }
        first = last;
    }
    let mut header = serde_json::Value::Object(entries).to_string();
    let padding = header.len().next_multiple_of(ALIGNMENT) - header.len();
    header.extend(std::iter::repeat_n(' ', padding));
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    #[test]
    fn files_read_back_with_tensors_and_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.safetensors");
        let tensors = [
            ("b".to_string(), vec![2, 1], little_endian(&[1.0, -2.0])),
            ("a\"".to_string(), vec![], little_endian(&[3.0])),
        ];
        write_tensors(&path, &tensors, Some(("key", "two\nlines".into()))).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("b").unwrap().shape(), [2, 1]);
        assert_eq!(file.tensor("b").unwrap().data(), [1.0f32, -2.0].map(f32::to_le_bytes).concat());
        assert_eq!(file.tensor("a\"").unwrap().data(), 3.0f32.to_le_bytes());
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let text = metadata.metadata().as_ref().unwrap();
        assert_eq!((text["format"].as_str(), text["key"].as_str()), ("pt", "two\nlines"));
        let twice = [tensors[0].clone(), tensors[0].clone()];
        assert!(write_tensors(&path, &twice, None).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

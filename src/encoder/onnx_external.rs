//! The files beside an ONNX model in which its weights may lie (`TensorProto.external_data`), so that
//! what identifies a model covers all that it reads.
//!
//! An ONNX file is a protocol buffer; only the fields that lead to tensors are followed. A file that
//! is none has no such files here, and ONNX Runtime says what is wrong with it.

use super::fingerprint;
use crate::data::fingerprint::{ContentHasher, text_of_file};
use crate::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// Deepest nesting that is followed: graphs lie in attributes of nodes of graphs.
const DEPTH_MAX: usize = 32;

/// What a message is, as far as it leads to tensors.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Function,
    Node,
    Attribute,
    SparseTensor,
    Tensor,
    Entry,
}

impl Message {
    /// The message in a field of this one.
    fn field(self, number: u64) -> Option<Message> {
        match (self, number) {
            (Message::Model, 7) | (Message::Attribute, 6 | 11) => Some(Message::Graph),
            (Message::Model, 25) => Some(Message::Function),
            (Message::Graph, 1) | (Message::Function, 7) => Some(Message::Node),
            (Message::Node, 5) => Some(Message::Attribute),
            (Message::Graph, 15) | (Message::Attribute, 22 | 23) => Some(Message::SparseTensor),
            (Message::Graph, 5) | (Message::Attribute, 5 | 10) | (Message::SparseTensor, 1 | 2) => {
                Some(Message::Tensor)
            }
            (Message::Tensor, 13) => Some(Message::Entry),
            _ => None,
        }
    }
}

/// What identifies a model file and the files of weights that it names.
///
/// # Errors
/// [`Error::Io`].
fn fingerprint_of(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let own = fingerprint::of_bytes("onnx", &bytes);
    let mut files = BTreeSet::new();
    gather(&bytes, Message::Model, 0, &mut files);
    if files.is_empty() {
        return Ok(own);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut hasher = ContentHasher::new();
    for file in &files {
        let content = text_of_file(&folder.join(file))?;
        hasher.update(format!("{file}\n{content}\n").as_bytes());
    }
    Ok(format!("{own}+{:032x}", hasher.finish()))
}

/// What `open` makes of the model file, which it reads itself, and of its fingerprint.
///
/// # Errors
/// Those of `open`; [`Error::Io`]; [`Error::OnnxModel`] for files that changed meanwhile: nobody knows then
/// which content was opened.
pub fn open_fingerprinted<T>(path: &Path, open: impl FnOnce(String) -> Result<T>) -> Result<T> {
    let fingerprint = fingerprint_of(path)?;
    let opened = open(fingerprint.clone())?;
    if fingerprint_of(path)? != fingerprint {
        let reason = "it, or a file of its weights, changed while it was opened".into();
        return Err(Error::OnnxModel { model: path.display().to_string(), reason });
    }
    Ok(opened)
}

fn gather(bytes: &[u8], message: Message, depth: usize, files: &mut BTreeSet<String>) {
    if let Message::Entry = message {
        let text = |wanted| {
            let mut found = Fields(bytes).filter(|(number, _)| *number == wanted);
            found.next().and_then(|(_, value)| std::str::from_utf8(value).ok())
        };
        if let (Some("location"), Some(file)) = (text(1), text(2)) {
            files.insert(file.into());
        }
        return;
    }
    for (number, value) in Fields(bytes) {
        if let Some(inner) = message.field(number).filter(|_| depth < DEPTH_MAX) {
            gather(value, inner, depth + 1, files);
        }
    }
}

/// Number and bytes of each field that has a length, until the end or the first damage.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (value, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(value)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<(u64, &'a [u8])> {
        loop {
            let tag = self.number()?;
            match tag & 7 {
                0 => drop(self.number()?),
                1 => drop(self.take(8)?),
                2 => {
                    let length = self.number()?;
                    return Some((tag >> 3, self.take(length)?));
                }
                5 => drop(self.take(4)?),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let length = u8::try_from(value.len()).unwrap();
        [&[number << 3 | 2, length][..], value].concat()
    }

    #[test]
    fn weights_beside_the_model_are_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, weights) = (folder.path().join("model.onnx"), folder.path().join("weights.bin"));
        let entry = [field(1, b"location"), field(2, b"weights.bin")].concat();
        let tensor = [vec![0x10, 1], field(13, &entry), vec![0x70, 1]].concat();
        let model = [vec![0x08, 8], field(7, &field(5, &tensor))].concat();
        std::fs::write(&path, &model).unwrap();
        assert!(fingerprint_of(&path).unwrap_err().to_string().contains("weights.bin"));
        std::fs::write(&weights, b"first").unwrap();
        let first = fingerprint_of(&path).unwrap();
        std::fs::write(&weights, b"other").unwrap();
        assert_ne!(fingerprint_of(&path).unwrap(), first);
        // As an attribute of a node, where constants lie.
        let nested = field(7, &field(1, &field(5, &field(5, &tensor))));
        std::fs::write(&path, &nested).unwrap();
        assert!(fingerprint_of(&path).unwrap().contains('+'));
    }

    #[test]
    fn a_model_that_changes_while_it_is_opened_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, b"first").unwrap();
        let answer = open_fingerprinted(&path, Ok).unwrap();
        assert_eq!(answer, fingerprint::of_bytes("onnx", b"first"));
        let changed = open_fingerprinted(&path, |_| {
            std::fs::write(&path, b"other").unwrap();
            Ok(())
        });
        assert!(changed.unwrap_err().to_string().contains("changed while it was opened"));
    }

    #[test]
    fn a_file_without_such_weights_is_known_by_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        for bytes in [&b""[..], b"\x08\x08", b"\x3a\xff\xff\xff\xff\xff", &[0xff; 40]] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(fingerprint_of(&path).unwrap(), fingerprint::of_bytes("onnx", bytes));
        }
    }
}

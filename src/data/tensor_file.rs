//! A safetensors file whose tensors are read when they are asked for, from memory or from the file.
//!
//! Weights may be as large as what a machine has left: of a file, only the header and one piece of a
//! tensor are held beside the numbers that are read.

use super::file_kind::{self, FileKind};
use super::fingerprint::{self, ContentHasher};
use super::positioned::read_exact_at;
use crate::{Error, Result, memory};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{SafeTensorError, SafeTensors};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// Bytes of a tensor that are read together: whole numbers of every type.
const PIECE_BYTES: usize = 1 << 16;
/// Bytes before the header: its length.
const LENGTH_BYTES: usize = 8;
/// Longest header, that of the format.
const HEADER_BYTES_MAX: u64 = 100_000_000;

/// The header of a safetensors file, and where its tensors are.
#[derive(Debug)]
pub struct TensorFile<'a> {
    source: String,
    metadata: Metadata,
    /// Bytes before those of the tensors.
    start: usize,
    content: Content<'a>,
}

/// The whole file.
#[derive(Debug)]
enum Content<'a> {
    Memory(&'a [u8]),
    Disk(File),
}

impl<'a> TensorFile<'a> {
    /// The file in `bytes`; `source` names it in errors.
    ///
    /// # Errors
    /// [`Error::Format`] when it is not a whole safetensors file: what it is instead.
    pub fn of_bytes(bytes: &'a [u8], source: &str) -> Result<TensorFile<'a>> {
        check_kind(&bytes[..bytes.len().min(file_kind::HEAD_BYTES)], source)?;
        let (length, metadata) = SafeTensors::read_metadata(bytes)
            .map_err(|error| file_kind::damaged(source, bytes.len(), &error))?;
        let (start, content) = (LENGTH_BYTES + length, Content::Memory(bytes));
        Ok(TensorFile { source: source.into(), metadata, start, content })
    }

    /// A file on disk, of which the header is read.
    ///
    /// # Errors
    /// As [`TensorFile::of_bytes`]; [`Error::Io`]; [`Error::OutOfMemory`].
    pub fn open(path: &Path) -> Result<TensorFile<'static>> {
        let source = path.display().to_string();
        check_kind(&head(path)?, &source)?;
        let failed = |error| Error::io(path, error);
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let damaged = |error: SafeTensorError| {
            file_kind::damaged(&source, usize::try_from(bytes).unwrap_or(usize::MAX), &error)
        };
        let mut length = [0; LENGTH_BYTES];
        read_exact_at(&file, &mut length, 0).map_err(failed)?;
        let length = u64::from_le_bytes(length);
        if length > HEADER_BYTES_MAX {
            return Err(damaged(SafeTensorError::HeaderTooLarge));
        }
        let start = LENGTH_BYTES as u64 + length;
        if start > bytes {
            return Err(damaged(SafeTensorError::InvalidHeaderLength));
        }
        let mut header = memory::filled(0u8, length as usize, &source)?;
        read_exact_at(&file, &mut header, LENGTH_BYTES as u64).map_err(failed)?;
        let header = std::str::from_utf8(&header)
            .map_err(|error| damaged(SafeTensorError::InvalidHeader(error)))?;
        let metadata: Metadata = serde_json::from_str(header)
            .map_err(|error| damaged(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        if start + metadata.data_len() as u64 != bytes {
            return Err(damaged(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(TensorFile { content: Content::Disk(file), start: start as usize, metadata, source })
    }

    /// The file's name in errors.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every tensor by its name.
    pub fn tensors(&self) -> BTreeMap<String, TensorInfo> {
        let tensors = self.metadata.tensors().into_iter();
        tensors.map(|(name, info)| (name, info.clone())).collect()
    }

    /// `length:fingerprint` of the whole file, header included, as [`fingerprint::text`] has it. It is
    /// read from the file that is open: another one that has taken its name since is not looked at.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn fingerprint(&self) -> Result<String> {
        let mut hasher = ContentHasher::new();
        self.for_each_piece_of(0..self.start + self.metadata.data_len(), |piece| {
            hasher.update(piece);
        })?;
        Ok(fingerprint::text(hasher.length(), hasher.finish()))
    }

    /// A text of the header.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// Gives the bytes of a tensor of [`TensorFile::tensors`] to `take`, in order, in pieces of whole
    /// numbers.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn for_each_piece(&self, tensor: &TensorInfo, take: impl FnMut(&[u8])) -> Result<()> {
        let (first, last) = tensor.data_offsets;
        self.for_each_piece_of(self.start + first..self.start + last, take)
    }

    /// Gives bytes of the file to `take`, in order.
    fn for_each_piece_of(&self, range: Range<usize>, mut take: impl FnMut(&[u8])) -> Result<()> {
        match &self.content {
            Content::Memory(bytes) => take(&bytes[range]),
            Content::Disk(file) => {
                let mut piece = [0; PIECE_BYTES];
                for first in range.clone().step_by(PIECE_BYTES) {
                    let piece = &mut piece[..PIECE_BYTES.min(range.end - first)];
                    read_exact_at(file, piece, first as u64)
                        .map_err(|error| Error::io(Path::new(&self.source), error))?;
                    take(piece);
                }
            }
        }
        Ok(())
    }
}

/// Refuses what does not begin as safetensors files do; `head` are the first bytes.
///
/// # Errors
/// [`Error::Format`]: what it is instead.
pub fn check_kind(head: &[u8], source: &str) -> Result<()> {
    match file_kind::recognise(head) {
        Some(FileKind::Safetensors) => Ok(()),
        _ => Err(file_kind::refusal(source, head, "a safetensors file")),
    }
}

/// The first bytes of a file, by which its kind is known.
///
/// # Errors
/// [`Error::Io`].
pub fn head(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::io(path, source);
    let mut head = Vec::with_capacity(file_kind::HEAD_BYTES);
    let file = File::open(path).map_err(failed)?;
    file.take(file_kind::HEAD_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    fn bytes() -> Vec<u8> {
        let long: Vec<u8> = (0..40_000u32).flat_map(|value| (value as f32).to_le_bytes()).collect();
        let views = [
            ("long", TensorView::new(Dtype::F32, vec![200, 200], &long).unwrap()),
            ("none", TensorView::new(Dtype::F32, vec![0, 3], &[]).unwrap()),
        ];
        let texts = [("key".to_string(), "text".to_string())].into();
        safetensors::serialize(views, Some(texts)).unwrap()
    }

    fn read(file: &TensorFile<'_>) -> Vec<(String, Vec<u8>)> {
        let all = file.tensors().into_iter().map(|(name, info)| {
            let mut bytes = Vec::new();
            file.for_each_piece(&info, |piece| bytes.extend_from_slice(piece)).unwrap();
            (name, bytes)
        });
        all.collect()
    }

    #[test]
    fn files_and_bytes_give_the_same() {
        let (folder, bytes) = (tempfile::tempdir().unwrap(), bytes());
        let path = folder.path().join("file.safetensors");
        std::fs::write(&path, &bytes).unwrap();
        let (file, memory) =
            (TensorFile::open(&path).unwrap(), TensorFile::of_bytes(&bytes, "memory").unwrap());
        let found = read(&file);
        assert_eq!(found, read(&memory));
        assert_eq!((found[0].1.len(), found[1].1.len()), (160_000, 0));
        assert_eq!(
            (file.text("key"), memory.text("key"), file.text("no")),
            (Some("text"), Some("text"), None)
        );
    }

    #[test]
    fn damaged_files_are_refused_as_damaged_bytes_are() {
        let (folder, whole) = (tempfile::tempdir().unwrap(), bytes());
        let path = folder.path().join("file.safetensors");
        let mut longer = whole.clone();
        longer.push(0);
        let mut header = whole.clone();
        header[12] = 0xff;
        for bytes in [&whole[..whole.len() - 1], &whole[..40], &longer, &header, b"PK\x03\x04"] {
            std::fs::write(&path, bytes).unwrap();
            let source = path.display().to_string();
            let from_memory = TensorFile::of_bytes(bytes, &source).unwrap_err().to_string();
            assert_eq!(TensorFile::open(&path).unwrap_err().to_string(), from_memory);
        }
    }

    /// A run is known by the weights that it read, not by those that lay there a moment later.
    #[test]
    fn a_fingerprint_is_of_the_file_that_is_read_though_another_takes_its_name() {
        let (folder, bytes) = (tempfile::tempdir().unwrap(), bytes());
        let path = folder.path().join("file.safetensors");
        std::fs::write(&path, &bytes).unwrap();
        let file = TensorFile::open(&path).unwrap();
        let whole = fingerprint::text_of_file(&path).unwrap();
        assert_eq!(file.fingerprint().unwrap(), whole);
        let memory = TensorFile::of_bytes(&bytes, "memory").unwrap();
        assert_eq!(memory.fingerprint().unwrap(), whole);

        let (other, mut changed) = (folder.path().join("other"), bytes.clone());
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&other, changed).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!((file.fingerprint().unwrap(), read(&file)), (whole.clone(), read(&memory)));
        assert_ne!(TensorFile::open(&path).unwrap().fingerprint().unwrap(), whole);
    }
}

//! One Arrow IPC file with one record batch: written atomically, read by position.
//!
//! Reading looks up where each buffer lies (Arrow columnar format, "IPC file format") and then
//! fetches only the bytes that are asked for, so that memory does not grow with a shard. The file
//! is checked once when it is opened: magic at both ends, a footer that parses, the expected
//! columns, and buffers that lie inside the file and are long enough for their rows.

use crate::data::atomic_file;
use crate::data::positioned::read_exact_at;
use crate::memory::{self, bytes_of};
use crate::{Error, Result};
use arrow_array::RecordBatch;
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, Fields, Metadata, Schema};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Buffers start at multiples of this many bytes, so that they can be mapped and loaded whole
/// cache lines at a time.
const ALIGNMENT_BYTES: usize = 64;
const MAGIC: &[u8; 6] = b"ARROW1";
/// Longest footer or batch header that is read; ours have a few kilobytes.
const HEADER_BYTES_MAX: u64 = 1 << 24;

/// Writes `batch` to `path`, which is then complete or absent.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn write(path: &Path, batch: &RecordBatch) -> Result<()> {
    atomic_file::write_with(path, |output| {
        let options = IpcWriteOptions::try_new(ALIGNMENT_BYTES, false, MetadataVersion::V5);
        options
            .and_then(|options| {
                let mut writer =
                    FileWriter::try_new_with_options(output, batch.schema_ref(), options)?;
                writer.write(batch)?;
                writer.finish()
            })
            .map_err(|error| match error {
                ArrowError::IoError(_, source) => source,
                other => std::io::Error::other(other),
            })
    })
}

/// Where one buffer lies in its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Location {
    pub offset: u64,
    pub length: u64,
}

/// An open file.
#[derive(Debug)]
pub(super) struct ArrowFile {
    path: PathBuf,
    file: File,
    schema: Schema,
    rows: usize,
    buffers: Vec<Location>,
}

impl ArrowFile {
    /// Opens and checks everything that does not depend on the expected columns.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for a file that is truncated or not of this kind.
    pub fn open(path: &Path) -> Result<ArrowFile> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let length = file.metadata().map_err(|error| Error::io(path, error))?.len();
        let footer = read_footer(path, &file, length)?;
        let footer = arrow_ipc::root_as_footer(&footer)
            .map_err(|error| Error::format(path, format!("damaged footer: {error}")))?;
        let schema = footer.schema().ok_or_else(|| Error::format(path, "no schema"))?;
        let schema = arrow_ipc::convert::try_fb_to_schema(schema)
            .map_err(|error| Error::format(path, format!("damaged schema: {error}")))?;
        let blocks = footer.recordBatches().unwrap_or_default();
        if blocks.len() != 1 {
            return Err(Error::format(
                path,
                format!("{} record batches, expected 1", blocks.len()),
            ));
        }
        let block = blocks.get(0);
        let (offset, header) = (block.offset() as u64, block.metaDataLength() as u64);
        let (rows, buffers) = read_batch_header(path, &file, length, offset, header)?;
        Ok(ArrowFile { path: path.into(), file, schema, rows, buffers })
    }

    /// # Errors
    /// [`Error::Format`] when the columns are others.
    pub fn check_fields(&self, expected: &Fields) -> Result<()> {
        if self.schema.fields() != expected {
            let names = |fields: &Fields| {
                let names: Vec<_> =
                    fields.iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect();
                names.join(", ")
            };
            let reason = format!(
                "columns [{}], expected [{}]",
                names(self.schema.fields()),
                names(expected)
            );
            return Err(Error::format(&self.path, reason));
        }
        Ok(())
    }

    /// The entries that the writer put beside the columns.
    pub fn metadata(&self) -> &Metadata {
        self.schema.metadata()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Where `buffer` lies, at least `bytes` long.
    ///
    /// # Errors
    /// [`Error::Format`] where it is shorter.
    pub fn location(&self, buffer: usize, bytes: u64) -> Result<Location> {
        match self.buffers.get(buffer) {
            Some(location) if location.length >= bytes => Ok(*location),
            found => {
                let length = found.map_or(0, |location| location.length);
                let reason = format!("buffer {buffer} has {length} bytes, {bytes} needed");
                Err(Error::format(&self.path, reason))
            }
        }
    }

    /// The first `count` numbers of a buffer.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::Io`].
    pub fn numbers<const BYTES: usize, T>(
        &self,
        buffer: usize,
        count: usize,
        from_bytes: fn([u8; BYTES]) -> T,
    ) -> Result<Vec<T>> {
        let bytes = self.bytes(buffer, count * BYTES)?;
        memory::probe(bytes_of::<T>(count), "a column of proposals")?;
        Ok(bytes.as_chunks::<BYTES>().0.iter().map(|chunk| from_bytes(*chunk)).collect())
    }

    /// The offsets of a list or text column: one more than rows, never falling, from 0 on.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::Io`].
    pub fn offsets(&self, buffer: usize) -> Result<Vec<u32>> {
        if self.rows == 0 {
            return Ok(vec![0]);
        }
        let offsets = self.numbers(buffer, self.rows + 1, u32::from_le_bytes)?;
        if offsets[0] != 0 || !offsets.is_sorted() {
            return Err(Error::format(&self.path, format!("damaged offsets in buffer {buffer}")));
        }
        Ok(offsets)
    }

    /// The texts of a column whose offsets are in `buffer`.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::Io`].
    pub fn texts(&self, buffer: usize) -> Result<Vec<String>> {
        let offsets = self.offsets(buffer)?;
        let bytes = self.bytes(buffer + 1, offsets[self.rows] as usize)?;
        let text = |range: &[u32]| {
            String::from_utf8(bytes[range[0] as usize..range[1] as usize].to_vec())
                .map_err(|_| Error::format(&self.path, "a text is not UTF-8"))
        };
        offsets.windows(2).map(text).collect()
    }

    fn bytes(&self, buffer: usize, count: usize) -> Result<Vec<u8>> {
        let location = self.location(buffer, count as u64)?;
        let mut bytes = memory::filled(0, count, &self.path.display().to_string())?;
        read_exact_at(&self.file, &mut bytes, location.offset)
            .map_err(|error| Error::io(&self.path, error))?;
        Ok(bytes)
    }
}

fn read_footer(path: &Path, file: &File, length: u64) -> Result<Vec<u8>> {
    let truncated =
        |what: &str| Error::format(path, format!("truncated or damaged: {length} bytes, {what}"));
    // Magic and padding at the front; footer length and magic at the back.
    let (front, back) = (8, 10);
    if length < front + back {
        return Err(truncated("too short for an Arrow file"));
    }
    let mut head = [0; 6];
    let mut tail = [0; 10];
    read_exact_at(file, &mut head, 0).map_err(|error| Error::io(path, error))?;
    read_exact_at(file, &mut tail, length - back).map_err(|error| Error::io(path, error))?;
    if &head != MAGIC {
        return Err(Error::format(path, "is not an Arrow file"));
    }
    let footer_length = arrow_ipc::reader::read_footer_length(tail)
        .map_err(|_| truncated("no footer at the end"))? as u64;
    if footer_length > (length - front - back).min(HEADER_BYTES_MAX) {
        return Err(truncated("the footer does not fit"));
    }
    let mut footer = vec![0; footer_length as usize];
    read_exact_at(file, &mut footer, length - back - footer_length)
        .map_err(|error| Error::io(path, error))?;
    Ok(footer)
}

fn read_batch_header(
    path: &Path,
    file: &File,
    length: u64,
    offset: u64,
    header: u64,
) -> Result<(usize, Vec<Location>)> {
    let damaged = |what: &str| Error::format(path, format!("damaged: {what}"));
    // Continuation marker and header length come first.
    let inside = offset.checked_add(header).is_some_and(|end| end <= length);
    if !inside || !(8..=HEADER_BYTES_MAX).contains(&header) {
        return Err(damaged("the record batch lies outside the file"));
    }
    let mut bytes = vec![0; header as usize];
    read_exact_at(file, &mut bytes, offset).map_err(|error| Error::io(path, error))?;
    let message = arrow_ipc::root_as_message(&bytes[8..])
        .map_err(|error| damaged(&format!("record batch header: {error}")))?;
    let batch = message
        .header_as_record_batch()
        .ok_or_else(|| damaged("the footer points at something that is not a record batch"))?;
    if batch.compression().is_some() {
        return Err(Error::format(path, "compressed buffers are not supported"));
    }
    let mut buffers = Vec::new();
    for buffer in batch.buffers().unwrap_or_default() {
        let start = (offset + header).checked_add(buffer.offset() as u64);
        let end = start.and_then(|start| start.checked_add(buffer.length() as u64));
        match (start, end) {
            (Some(start), Some(end)) if end <= length => {
                buffers.push(Location { offset: start, length: buffer.length() as u64 });
            }
            _ => return Err(damaged("a buffer lies outside the file")),
        }
    }
    let rows = usize::try_from(batch.length()).map_err(|_| damaged("a negative row count"))?;
    Ok((rows, buffers))
}

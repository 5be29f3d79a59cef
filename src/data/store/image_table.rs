//! The image table of one shard: every image, those that are broken or have no proposals too.

use super::arrow_file::{self, ArrowFile};
use super::schema::{image_buffer, image_schema};
use super::settings::StoreSettings;
use crate::{Error, Result};
use arrow_array::{RecordBatch, StringArray, UInt32Array};
use std::path::Path;
use std::sync::Arc;

/// What became of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageStatus {
    /// It was read; it may still have no proposals.
    Ok,
    /// It could not be read; the record's message says why.
    Broken,
}

impl ImageStatus {
    /// `ok` or `broken`.
    pub fn name(self) -> &'static str {
        match self {
            ImageStatus::Ok => "ok",
            ImageStatus::Broken => "broken",
        }
    }
}

/// One image of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRecord {
    /// Rank of the path in its folder, from 1 (conventions.md, "Identity").
    pub image_id: u32,
    /// Relative path with `/` between its parts.
    pub path: String,
    /// Pixels of the upright image; 0 where it could not be read.
    pub width: u32,
    /// Pixels of the upright image; 0 where it could not be read.
    pub height: u32,
    pub status: ImageStatus,
    /// Why a broken image is broken; empty for others.
    pub message: String,
}

/// The images of one shard with the number of proposals of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ImageTable {
    pub records: Vec<ImageRecord>,
    pub proposal_counts: Vec<u32>,
}

impl ImageTable {
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path, settings: &StoreSettings) -> Result<()> {
        let numbers = |field: fn(&ImageRecord) -> u32| {
            Arc::new(UInt32Array::from_iter_values(self.records.iter().map(field)))
        };
        fn texts<'a>(values: impl Iterator<Item = &'a str>) -> Arc<StringArray> {
            Arc::new(StringArray::from_iter_values(values))
        }
        let batch = RecordBatch::try_new(
            Arc::new(image_schema(settings)),
            vec![
                numbers(|record| record.image_id),
                numbers(|record| record.width),
                numbers(|record| record.height),
                Arc::new(UInt32Array::from(self.proposal_counts.clone())),
                texts(self.records.iter().map(|record| record.path.as_str())),
                texts(self.records.iter().map(|record| record.status.name())),
                texts(self.records.iter().map(|record| record.message.as_str())),
            ],
        )
        .map_err(|error| Error::Internal { reason: format!("image table: {error}") })?;
        arrow_file::write(path, &batch)
    }

    /// Reads a table and checks that it belongs to a store of `settings` and that its images
    /// follow each other.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`], [`Error::RunMismatch`].
    pub fn read(path: &Path, settings: &StoreSettings) -> Result<ImageTable> {
        let file = ArrowFile::open(path)?;
        settings.check_same(&StoreSettings::from_metadata(file.metadata(), path)?, path)?;
        file.check_fields(image_schema(settings).fields())?;
        let numbers = |buffer| file.numbers(buffer, file.rows(), u32::from_le_bytes);
        let ids = numbers(image_buffer::IMAGE_ID)?;
        let (widths, heights) = (numbers(image_buffer::WIDTH)?, numbers(image_buffer::HEIGHT)?);
        let proposal_counts = numbers(image_buffer::PROPOSALS_COUNT)?;
        let mut paths = file.texts(image_buffer::PATH_OFFSETS)?.into_iter();
        let statuses = file.texts(image_buffer::STATUS_OFFSETS)?;
        let mut messages = file.texts(image_buffer::MESSAGE_OFFSETS)?.into_iter();
        let mut records = Vec::with_capacity(ids.len());
        for (row, status) in statuses.iter().enumerate() {
            if u64::from(ids[row]) != u64::from(ids[0]) + row as u64 {
                let reason = format!("image {} in row {row} is out of order", ids[row]);
                return Err(Error::format(path, reason));
            }
            let status = match status.as_str() {
                "ok" => ImageStatus::Ok,
                "broken" => ImageStatus::Broken,
                other => return Err(Error::format(path, format!("status `{other}`"))),
            };
            records.push(ImageRecord {
                image_id: ids[row],
                path: paths.next().unwrap_or_default(),
                width: widths[row],
                height: heights[row],
                status,
                message: messages.next().unwrap_or_default(),
            });
        }
        Ok(ImageTable { records, proposal_counts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::store::StoreConfig;

    #[test]
    fn a_table_survives_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000001.arrow");
        let settings = StoreConfig::default().settings(3, "a".into()).unwrap();
        let record = |image_id, path: &str, status, message: &str| ImageRecord {
            image_id,
            path: path.into(),
            width: 4,
            height: 3,
            status,
            message: message.into(),
        };
        let table = ImageTable {
            records: vec![
                record(5, "größe/a.jpg", ImageStatus::Ok, ""),
                record(6, "b.png", ImageStatus::Broken, "half a file"),
            ],
            proposal_counts: vec![7, 0],
        };
        table.write(&path, &settings).unwrap();
        assert_eq!(ImageTable::read(&path, &settings).unwrap(), table);
        let other = StoreConfig::default().settings(3, "b".into()).unwrap();
        assert!(matches!(ImageTable::read(&path, &other), Err(Error::RunMismatch { .. })));
        let table = ImageTable::default();
        table.write(&path, &settings).unwrap();
        assert_eq!(ImageTable::read(&path, &settings).unwrap(), table);
    }
}

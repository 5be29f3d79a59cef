//! Filling a store: append image by image, commit shard by shard, go on where a run was killed.

use super::arrow_file;
use super::columns::{Columns, check_set};
use super::image_table::{ImageRecord, ImageStatus, ImageTable};
use super::reader::StoreReader;
use super::settings::StoreSettings;
use super::{image_table_path, shard_numbers, shard_path};
use crate::data::atomic_file;
use crate::data::folder_lock::FolderLock;
use crate::data::proposal_set::ProposalSet;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Appends images in the order of their ids. Dropping it loses the images of the shard that is
/// not full yet, as a kill does; [`StoreWriter::finish`] commits them.
#[derive(Debug)]
pub struct StoreWriter {
    folder: PathBuf,
    /// Two writers would overwrite each other's shards.
    _lock: FolderLock,
    settings: StoreSettings,
    next_image_id: u32,
    finished: bool,
    rows_committed: u64,
    images: ImageTable,
    columns: Columns,
}

impl StoreWriter {
    /// Opens `folder`, creating it if need be, and goes on after its last complete shard.
    /// `first_image_id` is 1 but for a store that holds a part of a larger set, where it must
    /// begin a shard: 1, 1 + shard_images, 1 + 2 shard_images, ...
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a `first_image_id` inside a shard; [`Error::RunMismatch`]
    /// when the folder holds a store of other settings or of other images; [`Error::Locked`] while
    /// another writer has it open; [`Error::Format`] for damaged shards; [`Error::Io`].
    pub fn open(
        folder: &Path,
        settings: StoreSettings,
        first_image_id: u32,
    ) -> Result<StoreWriter> {
        if first_image_id == 0 || !(first_image_id - 1).is_multiple_of(settings.shard_images) {
            let size = settings.shard_images;
            let reason = format!("{first_image_id} does not begin a shard of {size} images");
            return Err(Error::invalid("first_image_id", reason));
        }
        atomic_file::check_folder(folder)?;
        let images_folder = folder.join("images");
        std::fs::create_dir_all(&images_folder)
            .map_err(|error| Error::io(&images_folder, error))?;
        let mut writer = StoreWriter {
            _lock: FolderLock::take(&folder.join("store.lock"))?,
            folder: folder.into(),
            settings,
            next_image_id: first_image_id,
            finished: false,
            rows_committed: 0,
            images: ImageTable::default(),
            columns: Columns::default(),
        };
        if !shard_numbers(folder)?.is_empty() {
            writer.resume(first_image_id)?;
        }
        Ok(writer)
    }

    fn resume(&mut self, first_image_id: u32) -> Result<()> {
        let reader = StoreReader::open(&self.folder)?;
        self.settings.check_same(reader.settings(), &self.folder)?;
        let ids = reader.image_ids();
        if ids.start != u64::from(first_image_id) {
            let (found, wanted) = (ids.start.to_string(), first_image_id.to_string());
            return Err(Error::mismatch(&self.folder, "first_image_id", &found, &wanted));
        }
        self.next_image_id = ids.end as u32;
        self.rows_committed = reader.proposals_count();
        self.finished = !(ids.end - 1).is_multiple_of(u64::from(self.settings.shard_images));
        Ok(())
    }

    /// The store's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The image that must be appended next: one more than the last one that was appended or,
    /// after opening, committed.
    pub fn next_image_id(&self) -> u32 {
        self.next_image_id
    }

    /// Proposals so far, committed or not.
    pub fn proposals_count(&self) -> u64 {
        self.rows_committed + self.columns.count() as u64
    }

    /// Bytes of the shard in memory.
    pub fn memory_bytes(&self) -> usize {
        self.columns.memory_bytes()
    }

    /// Appends one image with its proposals (none for a broken one). Commits the shard when this
    /// was its last image.
    ///
    /// # Errors
    /// Nothing is appended on [`Error::InvalidArgument`] (out of order, after a short shard, or a
    /// broken image with proposals) nor on [`Error::Shape`], [`Error::NonFinite`] and
    /// [`Error::ZeroVector`] (a set that breaks the promises of [`ProposalSet`]). On
    /// [`Error::Io`] the whole shard is lost, nothing of it is on disk, and
    /// [`StoreWriter::next_image_id`] is its first image again.
    pub fn append(&mut self, record: ImageRecord, set: &ProposalSet) -> Result<()> {
        if self.finished {
            let last = self.next_image_id - 1;
            let reason = format!("the store was finished with image {last}");
            return Err(Error::invalid("image_id", reason));
        }
        if record.image_id != self.next_image_id {
            let reason = format!("{}, expected {}", record.image_id, self.next_image_id);
            return Err(Error::invalid("image_id", reason));
        }
        if record.status == ImageStatus::Broken && set.count() > 0 {
            let reason = format!("image {} is broken but has proposals", record.image_id);
            return Err(Error::invalid("proposals", reason));
        }
        check_set(record.image_id, set, self.settings.dimensions)?;
        self.columns.push(record.image_id, set, self.settings.feature_dtype);
        self.images.proposal_counts.push(set.count() as u32);
        self.images.records.push(record);
        self.next_image_id += 1;
        if self.images.records.len() as u32 == self.settings.shard_images {
            self.commit()?;
        }
        Ok(())
    }

    /// Commits what is left as a last, shorter shard. A store without any image has no shards.
    ///
    /// # Errors
    /// [`Error::Io`]; nothing of that shard is then on disk.
    pub fn finish(mut self) -> Result<()> {
        if self.images.records.is_empty() { Ok(()) } else { self.commit() }
    }

    /// Writes the image table, then the shard, whose presence says that both are complete.
    fn commit(&mut self) -> Result<()> {
        let images = std::mem::take(&mut self.images);
        let columns = std::mem::take(&mut self.columns);
        let first = images.records[0].image_id;
        let number = self.settings.shard_of(first);
        let attempt = || {
            images.write(&image_table_path(&self.folder, number), &self.settings)?;
            let batch = columns.into_batch(&self.settings)?;
            arrow_file::write(&shard_path(&self.folder, number), &batch)?;
            Ok(batch.num_rows() as u64)
        };
        match attempt() {
            Ok(rows) => {
                self.rows_committed += rows;
                Ok(())
            }
            Err(error) => {
                self.next_image_id = first;
                Err(error)
            }
        }
    }
}

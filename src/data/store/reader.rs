//! Reading a store by position: image by image, or as rows of vectors for the global clustering.
//!
//! Opening reads each shard's footer and image ids' range only; files are opened again for each
//! read, so neither memory nor open files grow with the number of shards.

use super::arrow_file::{ArrowFile, Location};
use super::image_table::{ImageRecord, ImageTable};
use super::schema::{shard_buffer, shard_schema};
use super::settings::{FeatureType, StoreSettings};
use super::{image_table_path, shard_numbers, shard_path};
use crate::data::positioned::read_exact_at;
use crate::data::proposal_set::{MaskGrid, ProposalSet};
use crate::data::vectors::VectorSource;
use crate::geometry::BoundingBox;
use crate::{Error, Result, memory};
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Whether a read wants the vectors, which are nearly all of a shard's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vectors {
    Read,
    /// [`ProposalSet::vectors`] stays empty.
    Skip,
}

/// One image as it was appended. Vectors of an f16 store come back rounded to f16.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredImage {
    pub record: ImageRecord,
    /// Row of its first proposal in the whole store, where [`VectorSource`] and pseudo-class
    /// labels find it.
    pub first_row: u64,
    pub proposals: ProposalSet,
}

/// What the reader keeps of each shard.
#[derive(Debug, Clone)]
struct Shard {
    number: u32,
    path: PathBuf,
    first_row: u64,
    rows: usize,
    vectors: Location,
}

/// A store that is complete up to its last committed shard.
#[derive(Debug, Clone)]
pub struct StoreReader {
    folder: PathBuf,
    settings: StoreSettings,
    shards: Vec<Shard>,
    image_ids: Range<u64>,
    rows: u64,
}

impl StoreReader {
    /// Opens and checks every shard.
    ///
    /// # Errors
    /// [`Error::Format`] naming the file that is truncated, damaged, missing between others or of
    /// another version, or the folder without shards; [`Error::RunMismatch`] when two shards are
    /// of different stores; [`Error::Io`].
    pub fn open(folder: &Path) -> Result<StoreReader> {
        let numbers = shard_numbers(folder)?;
        let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else {
            return Err(Error::format(folder, "holds no shard of a proposal store"));
        };
        let path = shard_path(folder, first);
        let settings = StoreSettings::from_metadata(ArrowFile::open(&path)?.metadata(), &path)?;
        let mut shards: Vec<Shard> = Vec::with_capacity(numbers.len());
        let mut rows = 0;
        for (number, expected) in numbers.into_iter().zip(first..) {
            if number != expected {
                let path = shard_path(folder, expected);
                return Err(Error::format(path, format!("missing; there are shards to {last}")));
            }
            let shard = open_shard(folder, number, rows, &settings)?;
            rows += shard.rows as u64;
            shards.push(shard);
        }
        let mut reader = StoreReader {
            folder: folder.into(),
            image_ids: settings.first_image(first)..settings.first_image(last),
            settings,
            shards,
            rows,
        };
        // Only the last shard may be short, so its table alone decides where the ids end.
        reader.image_ids.end += reader.image_table(reader.shards.len() - 1)?.records.len() as u64;
        Ok(reader)
    }

    /// What all shards have in common.
    pub fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    /// The images of the store, by id, without gaps.
    pub fn image_ids(&self) -> Range<u64> {
        self.image_ids.clone()
    }

    /// Number of proposals.
    pub fn proposals_count(&self) -> u64 {
        self.rows
    }

    /// Number of shards.
    pub fn shards_count(&self) -> usize {
        self.shards.len()
    }

    /// The number in a shard's file name.
    pub(super) fn shard_number(&self, shard: usize) -> u32 {
        self.shards[shard].number
    }

    /// The images of one shard in order, counted from 0.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] past the last shard; [`Error::Format`], [`Error::Io`].
    pub fn read_shard(&self, shard: usize, vectors: Vectors) -> Result<Vec<StoredImage>> {
        let Some(entry) = self.shards.get(shard) else {
            let reason = format!("{shard}, but there are {}", self.shards.len());
            return Err(Error::invalid("shard", reason));
        };
        let table = self.image_table(shard)?;
        let columns = ShardColumns::read(entry)?;
        let mut row = 0;
        let mut images = Vec::with_capacity(table.records.len());
        for (record, count) in table.records.into_iter().zip(table.proposal_counts) {
            let rows = row..row + count as usize;
            if columns
                .image_ids
                .get(rows.clone())
                .is_none_or(|ids| ids.iter().any(|id| *id != record.image_id))
            {
                let reason = format!("does not hold the {count} proposals of {}", record.image_id);
                return Err(Error::format(&entry.path, reason));
            }
            let first_row = entry.first_row + row as u64;
            let mut proposals = columns.proposals(rows.clone(), self.settings.dimensions);
            if vectors == Vectors::Read {
                let length = rows.len() * self.settings.dimensions;
                proposals.vectors = memory::filled(0.0, length, "proposals' vectors")?;
                self.read(first_row, &mut proposals.vectors)?;
            }
            images.push(StoredImage { record, first_row, proposals });
            row = rows.end;
        }
        if row != entry.rows {
            let reason = format!("{} proposals, but its images have {row}", entry.rows);
            return Err(Error::format(&entry.path, reason));
        }
        Ok(images)
    }

    /// What became of the images of one shard, without its proposals.
    ///
    /// # Errors
    /// As [`StoreReader::read_shard`].
    pub fn read_records(&self, shard: usize) -> Result<Vec<ImageRecord>> {
        match shard < self.shards.len() {
            true => Ok(self.image_table(shard)?.records),
            false => {
                let reason = format!("{shard}, but there are {}", self.shards.len());
                Err(Error::invalid("shard", reason))
            }
        }
    }

    /// All images in order, one shard in memory at a time.
    pub fn images(&self, vectors: Vectors) -> impl Iterator<Item = Result<StoredImage>> + '_ {
        (0..self.shards.len()).flat_map(move |shard| match self.read_shard(shard, vectors) {
            Ok(images) => images.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    /// The table of a shard, checked against its place in the store.
    fn image_table(&self, shard: usize) -> Result<ImageTable> {
        let number = self.shards[shard].number;
        let path = image_table_path(&self.folder, number);
        let table = ImageTable::read(&path, &self.settings)?;
        let count = table.records.len();
        let full = self.settings.shard_images as usize;
        let last = shard + 1 == self.shards.len();
        if count == 0 || count > full || (count < full && !last) {
            return Err(Error::format(path, format!("{count} images, expected {full}")));
        }
        let (found, expected) = (table.records[0].image_id, self.settings.first_image(number));
        if u64::from(found) != expected {
            let reason = format!("begins with image {found}, expected {expected}");
            return Err(Error::format(path, reason));
        }
        Ok(table)
    }
}

fn open_shard(
    folder: &Path,
    number: u32,
    first_row: u64,
    settings: &StoreSettings,
) -> Result<Shard> {
    let path = shard_path(folder, number);
    let file = ArrowFile::open(&path)?;
    settings.check_same(&StoreSettings::from_metadata(file.metadata(), &path)?, &path)?;
    file.check_fields(shard_schema(settings).fields())?;
    let row_bytes = settings.dimensions * settings.feature_dtype.bytes();
    let vectors = file.location(shard_buffer::VECTOR, (file.rows() * row_bytes) as u64)?;
    Ok(Shard { number, rows: file.rows(), path, first_row, vectors })
}

impl VectorSource for StoreReader {
    fn rows_count(&self) -> u64 {
        self.rows
    }

    fn dimensions(&self) -> usize {
        self.settings.dimensions
    }

    fn read(&self, first: u64, rows: &mut [f32]) -> Result<()> {
        let dimensions = self.settings.dimensions;
        let count = (rows.len() / dimensions) as u64;
        if first.checked_add(count).is_none_or(|end| end > self.rows) {
            let expected = format!("at most row {}", self.rows);
            return Err(Error::shape("rows", expected, format!("{count} rows from row {first}")));
        }
        let mut row = first;
        let mut rest = rows;
        let mut index = self.shards.partition_point(|shard| shard.first_row <= first);
        index = index.saturating_sub(1);
        while !rest.is_empty() {
            let shard = &self.shards[index];
            let skipped = (row - shard.first_row) as usize;
            let taken = (shard.rows - skipped).min(rest.len() / dimensions);
            let (now, later) = rest.split_at_mut(taken * dimensions);
            if taken > 0 {
                self.read_rows(shard, skipped, now)?;
            }
            rest = later;
            row += taken as u64;
            index += 1;
        }
        Ok(())
    }
}

/// Bytes fetched by one read while vectors are converted: long enough to make the call cheap,
/// short enough to stay in the cache.
const PIECE_BYTES: usize = 1 << 16;

impl StoreReader {
    /// Fills `values` from row `skipped` of a shard on.
    fn read_rows(&self, shard: &Shard, skipped: usize, values: &mut [f32]) -> Result<()> {
        let file = File::open(&shard.path).map_err(|error| Error::io(&shard.path, error))?;
        let width = self.settings.feature_dtype.bytes();
        let mut offset = shard.vectors.offset + (skipped * self.settings.dimensions * width) as u64;
        let mut bytes = vec![0; PIECE_BYTES.min(values.len() * width)];
        let mut halves = vec![0u16; PIECE_BYTES / 2];
        for piece in values.chunks_mut(PIECE_BYTES / width) {
            let bytes = &mut bytes[..piece.len() * width];
            read_exact_at(&file, bytes, offset).map_err(|error| Error::io(&shard.path, error))?;
            offset += bytes.len() as u64;
            match self.settings.feature_dtype {
                FeatureType::F16 => {
                    let halves = &mut halves[..piece.len()];
                    for (half, bytes) in halves.iter_mut().zip(bytes.as_chunks::<2>().0) {
                        *half = u16::from_le_bytes(*bytes);
                    }
                    halves.reinterpret_cast::<f16>().convert_to_f32_slice(piece);
                }
                FeatureType::F32 => {
                    for (value, bytes) in piece.iter_mut().zip(bytes.as_chunks::<4>().0) {
                        *value = f32::from_le_bytes(*bytes);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Everything of a shard but its vectors.
struct ShardColumns {
    image_ids: Vec<u32>,
    boxes: Vec<f32>,
    region_shares: Vec<f32>,
    levels: Vec<i32>,
    cluster_counts: Vec<i32>,
    scores: Vec<f32>,
    norms: Vec<f32>,
    mask_heights: Vec<u32>,
    mask_widths: Vec<u32>,
    mask_offsets: Vec<u32>,
    mask_runs: Vec<u32>,
}

impl ShardColumns {
    fn read(shard: &Shard) -> Result<ShardColumns> {
        let file = ArrowFile::open(&shard.path)?;
        let floats = |buffer, count| file.numbers(buffer, count, f32::from_le_bytes);
        let signed = |buffer| file.numbers(buffer, file.rows(), i32::from_le_bytes);
        let unsigned = |buffer, count| file.numbers(buffer, count, u32::from_le_bytes);
        let rows = file.rows();
        let mask_offsets = file.offsets(shard_buffer::MASK_OFFSETS)?;
        Ok(ShardColumns {
            image_ids: unsigned(shard_buffer::IMAGE_ID, rows)?,
            boxes: floats(shard_buffer::BOX, rows * 4)?,
            region_shares: floats(shard_buffer::REGION_SHARE, rows)?,
            levels: signed(shard_buffer::LEVEL)?,
            cluster_counts: signed(shard_buffer::CLUSTERS_COUNT)?,
            scores: floats(shard_buffer::SCORE, rows)?,
            norms: floats(shard_buffer::NORM, rows)?,
            mask_heights: unsigned(shard_buffer::MASK_HEIGHT, rows)?,
            mask_widths: unsigned(shard_buffer::MASK_WIDTH, rows)?,
            mask_runs: unsigned(shard_buffer::MASK_RUNS, mask_offsets[rows] as usize)?,
            mask_offsets,
        })
    }

    /// The proposals in `rows`, without vectors.
    fn proposals(&self, rows: Range<usize>, dimensions: usize) -> ProposalSet {
        let boxes: &[BoundingBox] = self.boxes[rows.start * 4..rows.end * 4].as_chunks().0;
        let offsets = &self.mask_offsets[rows.start..=rows.end];
        let runs = offsets[0] as usize..offsets[rows.len()] as usize;
        let grids = rows
            .clone()
            .map(|row| MaskGrid { height: self.mask_heights[row], width: self.mask_widths[row] });
        ProposalSet {
            dimensions,
            boxes: boxes.to_vec(),
            mask_grids: grids.collect(),
            region_shares: self.region_shares[rows.clone()].to_vec(),
            levels: self.levels[rows.clone()].to_vec(),
            cluster_counts: self.cluster_counts[rows.clone()].to_vec(),
            scores: self.scores[rows.clone()].to_vec(),
            vectors: Vec::new(),
            norms: self.norms[rows].to_vec(),
            mask_offsets: offsets.iter().map(|offset| offset - offsets[0]).collect(),
            mask_runs: self.mask_runs[runs].to_vec(),
        }
    }
}

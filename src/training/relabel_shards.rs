//! Labels of a set that are done, in files of some images each, until all of them are there.
//!
//! A killed relabelling goes on after its last shard. Nothing stale is used: a folder of shards
//! says which detector and which options they are of, and each image in them which file it was, by
//! size and time of change. A folder of other shards is emptied; files that are none are left alone.

use crate::data::atomic_file;
use crate::data::training::set::{TrainingImage, TrainingSet};
use crate::detector::prediction::Detection;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The file that says what the shards are of.
const IDENTITY: &str = "identity";
/// The ending of a shard.
const EXTENSION: &str = "json";

/// A folder of shards.
#[derive(Debug)]
pub(super) struct Shards {
    folder: PathBuf,
}

/// What became of consecutive images of a set.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shard {
    pub(super) images: Vec<ShardImage>,
}

/// What became of one image.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardImage {
    pub(super) image_id: u32,
    /// Below the set's folder.
    pub(super) path: String,
    /// Width and height as the annotations say.
    stated: [u32; 2],
    stamp: Stamp,
    pub(super) outcome: Outcome,
}

/// Which file it was: its bytes, and when they last changed, in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp(u64, u64, u32);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// Pixels of the image and its boxes, best first.
    Labelled { width: u32, height: u32, boxes: Vec<ShardBox> },
    /// It is no image.
    Broken { reason: String },
}

/// A box by the bits of its numbers, so that it comes back as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardBox {
    pub(super) class: u32,
    /// Left, top, right, bottom, score.
    bits: [u32; 5],
}

impl Stamp {
    /// That of a file as it is now.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn of(path: &Path) -> Result<Stamp> {
        let stamp = |path: &Path| {
            let metadata = std::fs::metadata(path)?;
            let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(Stamp(metadata.len(), changed.as_secs(), changed.subsec_nanos()))
        };
        stamp(path).map_err(|error| Error::io(path, error))
    }
}

impl From<&Detection> for ShardBox {
    fn from(found: &Detection) -> ShardBox {
        let [left, top, right, bottom] = found.bounds;
        let bits = [left, top, right, bottom, found.score].map(f32::to_bits);
        ShardBox { class: found.class, bits }
    }
}

impl ShardBox {
    /// The box, xyxy in pixels, and its score.
    pub(super) fn values(&self) -> ([f32; 4], f32) {
        let [left, top, right, bottom, score] = self.bits.map(f32::from_bits);
        ([left, top, right, bottom], score)
    }
}

impl ShardImage {
    pub(super) fn new(entry: &TrainingImage, stamp: Stamp, outcome: Outcome) -> ShardImage {
        let (image_id, path) = (entry.image_id, entry.relative_path.clone());
        ShardImage { image_id, path, stated: [entry.width, entry.height], stamp, outcome }
    }

    /// Whether this is what became of `entry`, whose file is at `path`.
    fn is_of(&self, entry: &TrainingImage, path: &Path) -> bool {
        (self.image_id, &self.path) == (entry.image_id, &entry.relative_path)
            && self.stated == [entry.width, entry.height]
            && Stamp::of(path).is_ok_and(|stamp| stamp == self.stamp)
    }
}

impl Shard {
    /// Whether this is what became of these images of `set`, as they are now.
    pub(super) fn is_of(&self, set: &TrainingSet, range: Range<usize>) -> bool {
        let is_of = |(index, image): (usize, &ShardImage)| {
            image.is_of(&set.images()[index], &set.path(index))
        };
        self.images.len() == range.len() && range.zip(&self.images).all(is_of)
    }
}

impl Shards {
    /// The shards in `folder`, which is made; without any that are not of `identity`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn open(folder: &Path, identity: &str) -> Result<Shards> {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let shards = Shards { folder: folder.into() };
        let path = folder.join(IDENTITY);
        let is_same = match std::fs::read(&path) {
            Ok(found) => found == identity.as_bytes(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(Error::io(path, error)),
        };
        if !is_same {
            shards.empty()?;
            atomic_file::write(&path, identity.as_bytes())?;
        }
        Ok(shards)
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{number:06}.{EXTENSION}"))
    }

    /// Shard `number`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for a damaged one.
    pub(super) fn read(&self, number: usize) -> Result<Shard> {
        let path = self.path(number);
        let bytes = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::format(&path, error))
    }

    /// Commits shard `number`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write(&self, number: usize, shard: &Shard) -> Result<()> {
        let bytes = serde_json::to_vec(shard)
            .map_err(|error| Error::Internal { reason: format!("shard {number}: {error}") })?;
        atomic_file::write(&self.path(number), &bytes)
    }

    /// Removes the shards, then what they are of.
    fn empty(&self) -> Result<()> {
        let io = |error| Error::io(&self.folder, error);
        let is_shard = |path: &Path| {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
            let is_number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
            is_number && path.extension().is_some_and(|extension| extension == EXTENSION)
        };
        for entry in std::fs::read_dir(&self.folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if is_shard(&path) {
                std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
            }
        }
        match std::fs::remove_file(self.folder.join(IDENTITY)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(error)),
            _ => Ok(()),
        }
    }

    /// Removes the folder, unless somebody put other files there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn remove(self) -> Result<()> {
        self.empty()?;
        match std::fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::DirectoryNotEmpty => {
                Err(Error::io(&self.folder, error))
            }
            _ => Ok(()),
        }
    }
}

/// Removes the shards in `folder`, where there is one: those of labels that are written.
///
/// # Errors
/// [`Error::Io`].
pub fn discard(folder: &Path) -> Result<()> {
    match folder.join(IDENTITY).exists() {
        true => Shards { folder: folder.into() }.remove(),
        false => Ok(()),
    }
}

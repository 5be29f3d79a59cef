//! Several stores into one, where machines extracted disjoint parts of one set of images.
//!
//! A shard's name and bytes follow from its image ids and images alone, so merging copies files
//! and the merged store equals, byte for byte, the one that a single machine would have written.

use super::reader::StoreReader;
use super::{image_table_path, shard_numbers, shard_path};
use crate::control::Control;
use crate::data::atomic_file;
use crate::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Copies the shards of `sources`, in any order, into the new store `target`.
///
/// # Errors
/// [`Error::InvalidArgument`] without sources, when two hold the same images, when images between
/// them are missing, or when `target` already holds shards; [`Error::RunMismatch`] when their
/// settings differ; [`Error::Format`], [`Error::Io`]; [`Error::Cancelled`]. After an error the
/// target may hold some of the shards, each complete.
pub fn merge(sources: &[PathBuf], target: &Path, control: Control<'_>) -> Result<StoreReader> {
    if !shard_numbers(target)?.is_empty() {
        let reason = format!("{} already holds a store", target.display());
        return Err(Error::invalid("target", reason));
    }
    let mut stores = Vec::with_capacity(sources.len());
    for source in sources {
        stores.push((StoreReader::open(source)?, source));
    }
    stores.sort_by_key(|(store, _)| store.image_ids().start);
    let Some((first, _)) = stores.first() else {
        return Err(Error::invalid("sources", "no store to merge"));
    };
    for pair in stores.windows(2) {
        let ((before, before_path), (after, after_path)) = (&pair[0], &pair[1]);
        first.settings().check_same(after.settings(), after_path)?;
        let (end, start) = (before.image_ids().end, after.image_ids().start);
        if start != end {
            let problem = if start < end { "both hold images" } else { "miss the images between" };
            let reason = format!(
                "{} and {} {problem} {}..{}",
                before_path.display(),
                after_path.display(),
                start.min(end),
                start.max(end)
            );
            return Err(Error::invalid("sources", reason));
        }
    }
    atomic_file::check_folder(target)?;
    let images = target.join("images");
    std::fs::create_dir_all(&images).map_err(|error| Error::io(&images, error))?;
    for (store, source) in &stores {
        for shard in 0..store.shards_count() {
            control.report("merge", shard as u64, store.shards_count() as u64)?;
            let number = store.shard_number(shard);
            copy(&image_table_path(source, number), &image_table_path(target, number))?;
            copy(&shard_path(source, number), &shard_path(target, number))?;
        }
    }
    StoreReader::open(target)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut input = File::open(from).map_err(|error| Error::io(from, error))?;
    atomic_file::write_with(to, |output| std::io::copy(&mut input, output).map(drop))
}

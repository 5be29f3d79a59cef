//! The proposal store: every proposal of every image, on disk, in pieces that never change.
//!
//! A store is a folder (design.md §6; conventions.md, "On disk"):
//!
//! ```text
//! proposals/000001.arrow          shard 1: the proposals of images 1 ..= shard_images
//! proposals/images/000001.arrow   its image table: every image, broken and empty ones too
//! proposals/000002.arrow          ...
//! ```
//!
//! Both are Arrow IPC files with one uncompressed record batch, so any Arrow reader opens them.
//! A shard's number follows from its image ids alone, and its bytes from its images alone:
//! stores that were filled on different machines are merged by putting their files together.
//! The image table is renamed into place before its shard, so the shard's presence says that both
//! are complete; what a killed run leaves is a `.*.partial` file or a table without a shard; the
//! next run removes the one and overwrites the other.
//!
//! | file | what it does |
//! |---|---|
//! | `settings` | options, and what each file records about its store |
//! | `schema` | the columns |
//! | `arrow_file` | one Arrow file: written atomically, read by position |
//! | `columns` | proposals on their way into a shard, checked |
//! | `image_table` | one row for each image |
//! | `writer` | append, commit, resume |
//! | `reader` | images and vectors, by positioned reads |
//! | `merge` | several stores into one |

mod arrow_file;
mod columns;
mod image_table;
mod merge;
mod reader;
mod schema;
mod settings;
mod writer;

pub use image_table::{ImageRecord, ImageStatus};
pub use merge::merge;
pub use reader::{StoreReader, StoredImage, Vectors};
pub use settings::{FeatureType, STORE_VERSION, StoreConfig, StoreSettings};
pub use writer::StoreWriter;

use std::path::{Path, PathBuf};

/// The file of shard `number` (from 1).
fn shard_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:06}.arrow"))
}

/// The image table of shard `number` (from 1).
fn image_table_path(folder: &Path, number: u32) -> PathBuf {
    folder.join("images").join(format!("{number:06}.arrow"))
}

/// The numbers of the shards in `folder`, ascending; none where the folder does not exist.
fn shard_numbers(folder: &Path) -> crate::Result<Vec<u32>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(crate::Error::io(folder, error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| crate::Error::io(folder, error))?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".arrow"));
        let digits =
            stem.filter(|stem| stem.len() >= 6 && stem.bytes().all(|b| b.is_ascii_digit()));
        numbers.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

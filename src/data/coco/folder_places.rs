//! Joins the images that a COCO file lists to the files of a folder, by path alone: the ids of a
//! folder are ranks, of which the file's writer knew nothing.

use super::join::pair_images;
use super::{CocoFile, CocoImage};
use crate::data::folder::FolderImage;
use crate::{Error, Result};
use std::path::Path;

/// Where the images of a file are in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderPlaces {
    /// Id in the folder and position in the file, by id.
    pub found: Vec<(u32, usize)>,
    /// Positions in the file of images that have no name.
    pub nameless: Vec<usize>,
}

impl FolderPlaces {
    /// Finds the images that `file`, read from `annotations`, lists among those `found` in `folder`:
    /// by the whole relative path first, then by the longest end of it that is one image's alone.
    ///
    /// # Errors
    /// [`Error::MissingImages`]; [`Error::Format`] when no image has a name and when names leave
    /// open which image is meant.
    pub fn find(
        annotations: &Path,
        file: &CocoFile,
        folder: &Path,
        found: &[FolderImage],
    ) -> Result<FolderPlaces> {
        let listed = found
            .iter()
            .map(|image| CocoImage::new(image.image_id.into(), image.relative_path.as_str(), 0, 0));
        let listed = CocoFile { images: listed.collect(), ..CocoFile::default() };
        let pairs =
            pair_images(file, &listed).map_err(|reason| Error::format(annotations, reason))?;
        let mut partners = vec![None; file.images.len()];
        pairs.iter().for_each(|&(position, other)| partners[position] = Some(other));
        let (mut places, mut missing) = (Vec::with_capacity(pairs.len()), Vec::new());
        let mut nameless = Vec::new();
        for (position, (image, partner)) in file.images.iter().zip(partners).enumerate() {
            match partner {
                // A folder's ranks are not the ids of the file's writer.
                _ if image.file_name.is_empty() => nameless.push(position),
                Some(other) => places.push((found[other].image_id, position)),
                None => missing.push(&image.file_name),
            }
        }
        if nameless.len() == file.images.len() {
            let count = nameless.len();
            return Err(Error::format(
                annotations,
                format!("none of {count} images has a file_name"),
            ));
        }
        if let Some(first) = missing.first() {
            return Err(Error::MissingImages {
                annotations: annotations.into(),
                folder: folder.into(),
                missing: missing.len(),
                listed: file.images.len(),
                first: first.to_string(),
            });
        }
        places.sort_unstable();
        Ok(FolderPlaces { found: places, nameless })
    }
}

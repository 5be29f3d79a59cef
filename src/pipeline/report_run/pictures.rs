//! The images that a report shows: read again, and left out where they are no longer there.

use crate::Error;
use crate::Result;
use crate::data::image::{Image, ImageLimits, decode};
use std::path::Path;

/// Where pictures come from.
pub(super) struct Pictures<'a> {
    /// In place of the folder that a run records.
    folder: Option<&'a Path>,
    /// Pictures that could not be read.
    pub missing: usize,
}

impl<'a> Pictures<'a> {
    pub(super) fn new(folder: Option<&'a Path>) -> Pictures<'a> {
        Pictures { folder, missing: 0 }
    }

    /// Whether a folder is known where the run records none.
    pub(super) fn has_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// The picture `name` of the folder, `recorded` where the request has none; `None` where it
    /// cannot be read, which is counted.
    ///
    /// # Errors
    /// Those that are not about the picture.
    pub(super) fn read(
        &mut self,
        recorded: &Path,
        name: &str,
        limits: &ImageLimits,
    ) -> Result<Option<Image>> {
        let path = self.folder.unwrap_or(recorded).join(name);
        match decode::read(&path, limits) {
            Ok(image) => Ok(Some(image)),
            Err(
                error
                @ (Error::Io { .. } | Error::ImageDecode { .. } | Error::ImageTooLarge { .. }),
            ) => {
                log::warn!("not shown: {error}");
                self.missing += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

//! The images of a folder, in the order that gives them their ids.
//!
//! An image is known by its path below the folder: UTF-8, parts joined by `/`, ranked by bytes;
//! its id is the rank, counted from 1 (conventions.md, "Identity"). The list is made before
//! anything is decoded, so broken files have a rank too and a repaired one changes no other id.
//!
//! What counts as an image: a regular file with the extension of a format that is read (in any
//! case), whatever it holds, and any other regular file that begins like one. Files and folders
//! whose name begins with a dot are left out. Links are followed; a folder that can be reached in
//! several ways is read once, by its real path where that lies inside, so loops end.

use super::image::decode::{RECOGNITION_BYTES, is_recognised};
use crate::{Error, Result};
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Extensions that make a file an image candidate, in lower case.
pub const EXTENSIONS: [&str; 10] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff"];

/// One candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderImage {
    /// 1-based rank of `relative_path`.
    pub image_id: u32,
    /// Path below the folder, parts joined by `/`.
    pub relative_path: String,
}

impl FolderImage {
    /// The file itself.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.relative_path)
    }
}

/// Lists the images of `folder` and of all folders in it, by id.
///
/// # Errors
/// [`Error::Io`] with the path for a folder that cannot be read and for an image whose path is
/// not UTF-8; [`Error::NoImages`] when there is none; [`Error::InvalidArgument`] when there are
/// more than ids.
pub fn list(folder: &Path) -> Result<Vec<FolderImage>> {
    let mut walk = Walk::default();
    walk.folders.push(PathBuf::new());
    while let Some(relative) = walk.folders.pop().or_else(|| walk.links.pop_first()) {
        walk.read(folder, &relative)?;
    }
    if walk.images.is_empty() {
        return Err(Error::NoImages { path: folder.into() });
    }
    let mut paths = Vec::with_capacity(walk.images.len());
    for relative in &walk.images {
        paths.push(portable(folder, relative)?);
    }
    paths.sort_unstable();
    let ids = 1..=u32::try_from(paths.len()).map_err(|_| {
        Error::invalid("images", format!("{} files, ids end at {}", paths.len(), u32::MAX))
    })?;
    let image = |(image_id, relative_path)| FolderImage { image_id, relative_path };
    Ok(ids.zip(paths).map(image).collect())
}

/// What is still to be read and what was found; all paths are relative to the folder.
#[derive(Default)]
struct Walk {
    folders: Vec<PathBuf>,
    /// Links to folders. They wait until every real folder was read.
    links: BTreeSet<PathBuf>,
    /// Canonical paths of the folders that were read.
    seen: HashSet<PathBuf>,
    images: Vec<PathBuf>,
}

impl Walk {
    fn read(&mut self, root: &Path, relative: &Path) -> Result<()> {
        let folder = root.join(relative);
        let failed = |source| Error::io(&folder, source);
        if !self.seen.insert(folder.canonicalize().map_err(failed)?) {
            return Ok(());
        }
        for entry in folder.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            let relative = relative.join(name);
            let link = entry.file_type().map_err(|source| Error::io(&path, source))?.is_symlink();
            match path.metadata() {
                Ok(target) if target.is_dir() && link => drop(self.links.insert(relative)),
                Ok(target) if target.is_dir() => self.folders.push(relative),
                Ok(target) if target.is_file() => {
                    if has_extension(&path) || begins_like_an_image(&path) {
                        self.images.push(relative);
                    }
                }
                // Pipes and devices: opening one could wait for ever.
                Ok(_) => {}
                // A link to nothing: reading it later reports it like any broken file.
                Err(_) if has_extension(&path) => self.images.push(relative),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

fn has_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// A file that cannot be opened and has no image's extension is taken for something else.
fn begins_like_an_image(path: &Path) -> bool {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(RECOGNITION_BYTES);
        File::open(path)?.take(RECOGNITION_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().is_ok_and(|bytes| is_recognised(&bytes))
}

fn portable(root: &Path, relative: &Path) -> Result<String> {
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| {
        let reason = "the name is not UTF-8, which ids and COCO files need";
        Error::io(root.join(relative), io::Error::new(io::ErrorKind::InvalidData, reason))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(folder: &Path, files: &[&str]) {
        for file in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"not an image").unwrap();
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        list(folder).unwrap().into_iter().map(|image| image.relative_path).collect()
    }

    #[test]
    fn ids_rank_whole_relative_paths_by_bytes() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["b.jpg", "a/z.JPG", "a.b/1.png", "a!.tif", "ä.webp", "Z.bmp"]);
        let images = list(folder.path()).unwrap();
        let names: Vec<_> = images.iter().map(|image| image.relative_path.as_str()).collect();
        assert_eq!(names, ["Z.bmp", "a!.tif", "a.b/1.png", "a/z.JPG", "b.jpg", "ä.webp"]);
        assert!(images.iter().enumerate().all(|(rank, image)| image.image_id == rank as u32 + 1));
        assert!(images[3].path(folder.path()).is_file());
    }

    #[test]
    fn content_makes_an_image_where_the_name_does_not_and_dots_hide() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["labels.json", ".hidden.jpg", ".thumbs/a.jpg", "broken.jpeg"]);
        std::fs::write(folder.path().join("photo"), b"\xff\xd8\xff\xe0 and so on").unwrap();
        assert_eq!(names(folder.path()), ["broken.jpeg", "photo"]);
    }

    #[test]
    fn a_folder_without_images_and_a_missing_folder_are_named_errors() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["deep/labels.txt"]);
        assert!(
            matches!(list(folder.path()), Err(Error::NoImages { path }) if path == folder.path())
        );
        for missing in ["nothing", "deep/labels.txt"] {
            let path = folder.path().join(missing);
            assert!(matches!(list(&path), Err(Error::Io { path: named, .. }) if named == path));
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_once_and_loops_end() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fill(folder.path(), &["real/1.jpg"]);
        fill(outside.path(), &["2.jpg"]);
        symlink(folder.path(), folder.path().join("real/loop")).unwrap();
        symlink(folder.path().join("real"), folder.path().join("a_link_to_real")).unwrap();
        symlink(outside.path(), folder.path().join("outside")).unwrap();
        symlink(outside.path(), folder.path().join("outside_again")).unwrap();
        symlink("nowhere", folder.path().join("dangling.jpg")).unwrap();
        symlink("nowhere", folder.path().join("dangling.txt")).unwrap();
        assert_eq!(names(folder.path()), ["dangling.jpg", "outside/2.jpg", "real/1.jpg"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf8_is_an_error_if_it_is_an_image() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["1.jpg"]);
        let name = |bytes| folder.path().join(std::ffi::OsStr::from_bytes(bytes));
        std::fs::write(name(b"\xe9.txt"), b"").unwrap();
        assert_eq!(names(folder.path()), ["1.jpg"]);
        std::fs::write(name(b"\xe9.jpg"), b"").unwrap();
        let error = list(folder.path()).unwrap_err();
        assert!(error.to_string().contains("not UTF-8"), "{error}");
    }
}

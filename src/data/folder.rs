//! The images of a folder, in the order that gives them their ids, and what is left out of it.
//!
//! An image is known by its path below the folder: UTF-8, parts joined by `/`, ranked by bytes;
//! its id is the rank, counted from 1 (conventions.md, "Identity"). The list is made before
//! anything is decoded, so broken files have a rank too and a repaired one changes no other id.
//!
//! What counts as an image: a regular file with the extension of a format that is read (in any
//! case), whatever it holds, and any other regular file that begins like one. So `a.jpg` has a
//! rank even if it turns out to be a HEIC when it is read; `a.heic` has none, unless a JPEG hides
//! behind the name. Links are followed; a folder that can be reached in several ways is read once,
//! by its real path where that lies inside, so loops end.
//!
//! Left out, and said: images whose own name or whose folder's name begins with a dot (told by
//! their extension, as nothing hidden is opened), images whose path is not UTF-8, and files of
//! formats that are not read, by their content or else by their extension. They have no rank, so
//! converting a HEIC to a JPEG of another name gives ids as if the JPEG had been added. Everything
//! else in a folder (texts, labels) is not mentioned.

use super::image::format::{
    RECOGNITION_BYTES, is_readable, unsupported_by_content, unsupported_by_extension,
};
use crate::{Error, Result};
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use super::left_out::{BrokenImage, LeftOut, LeftOutReason, count_by_reason};

/// Extensions that make a file an image candidate, in lower case.
pub const EXTENSIONS: [&str; 11] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff", "gif"];

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

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderListing {
    /// By id.
    pub images: Vec<FolderImage>,
    /// By path.
    pub left_out: Vec<LeftOut>,
}

impl FolderListing {
    /// Holds a listing of `folder` against the rule that nothing may be left out.
    ///
    /// # Errors
    /// [`Error::UnsupportedImage`] or [`Error::LeftOut`] with the first file that is left out.
    pub fn refuse_left_out(&self, folder: &Path) -> Result<()> {
        let Some(first) = self.left_out.first() else { return Ok(()) };
        let path = folder.join(&first.path);
        Err(match first.reason {
            LeftOutReason::UnsupportedFormat { format } => {
                Error::UnsupportedImage { image: path.display().to_string(), format }
            }
            reason => Error::LeftOut {
                path,
                folder: folder.into(),
                reason: reason.to_string(),
                files: self.left_out.len(),
            },
        })
    }
}

/// Lists the images of `folder` and of all folders in it, by id, and what is left out of it.
///
/// # Errors
/// [`Error::Io`] with the path for a folder that cannot be read; [`Error::NoImages`], with what
/// was left out, when there is none; [`Error::InvalidArgument`] when there are more than ids.
pub fn list(folder: &Path) -> Result<FolderListing> {
    let mut walk = Walk::default();
    walk.folders.push(PathBuf::new());
    while let Some(relative) = walk.folders.pop().or_else(|| walk.links.pop_first()) {
        walk.read(folder, &relative)?;
    }
    while let Some(relative) = walk.hidden_folders.pop() {
        walk.read_hidden(folder, &relative);
    }
    let Walk { images, mut left_out, .. } = walk;
    let mut paths = Vec::with_capacity(images.len());
    for relative in images {
        match portable(&relative) {
            Some(path) => paths.push(path),
            None => left_out.push(left_out_file(&relative, LeftOutReason::UnreadableName)),
        }
    }
    paths.sort_unstable();
    left_out.sort_unstable();
    if paths.is_empty() {
        return Err(Error::NoImages { path: folder.into(), left_out: instead(&left_out) });
    }
    let ids = 1..=u32::try_from(paths.len()).map_err(|_| {
        Error::invalid("images", format!("{} files, ids end at {}", paths.len(), u32::MAX))
    })?;
    let image = |(image_id, relative_path)| FolderImage { image_id, relative_path };
    Ok(FolderListing { images: ids.zip(paths).map(image).collect(), left_out })
}

/// [`list`] where `strict` makes everything that is left out an error.
///
/// # Errors
/// Those of [`list`] and of [`FolderListing::refuse_left_out`].
pub fn list_with(folder: &Path, strict: bool) -> Result<FolderListing> {
    let listing = list(folder)?;
    if strict {
        listing.refuse_left_out(folder)?;
    }
    Ok(listing)
}

/// What a folder without images holds instead.
fn instead(left_out: &[LeftOut]) -> String {
    let Some(LeftOut { path, reason }) = left_out.first() else { return String::new() };
    format!("; {} files were left out, the first: {path}: {reason}", left_out.len())
}

/// What is still to be read and what was found; all paths are relative to the folder.
#[derive(Default)]
struct Walk {
    folders: Vec<PathBuf>,
    /// Links to folders. They wait until every real folder was read.
    links: BTreeSet<PathBuf>,
    hidden_folders: Vec<PathBuf>,
    /// Canonical paths of the folders that were read.
    seen: HashSet<PathBuf>,
    images: Vec<PathBuf>,
    left_out: Vec<LeftOut>,
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
            let path = entry.path();
            let relative = relative.join(&name);
            let kind = entry.file_type().map_err(|source| Error::io(&path, source))?;
            if name.as_encoded_bytes().starts_with(b".") {
                self.take_hidden(relative, kind);
                continue;
            }
            match path.metadata() {
                Ok(target) if target.is_dir() && kind.is_symlink() => {
                    self.links.insert(relative);
                }
                Ok(target) if target.is_dir() => self.folders.push(relative),
                Ok(target) if target.is_file() => self.take_file(&path, relative),
                // Pipes and devices: opening one could wait for ever.
                Ok(_) => {}
                // A link to nothing: reading it later reports it like any broken file.
                Err(_) if has_extension(&path) => self.images.push(relative),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn take_file(&mut self, path: &Path, relative: PathBuf) {
        if has_extension(path) {
            self.images.push(relative);
            return;
        }
        // A file that cannot be opened and has no image's extension is taken for something else.
        let head = first_bytes(path).unwrap_or_default();
        if is_readable(&head) {
            self.images.push(relative);
        } else if let Some(format) = unsupported_by_content(&head).or_else(|| named_by(path)) {
            let reason = LeftOutReason::UnsupportedFormat { format };
            self.left_out.push(left_out_file(&relative, reason));
        }
    }

    fn take_hidden(&mut self, relative: PathBuf, kind: std::fs::FileType) {
        if kind.is_dir() {
            self.hidden_folders.push(relative);
        } else if has_extension(&relative) || named_by(&relative).is_some() {
            self.left_out.push(left_out_file(&relative, LeftOutReason::Hidden));
        }
    }

    /// Everything below a hidden folder is hidden. What cannot be read there concerns nobody.
    fn read_hidden(&mut self, root: &Path, relative: &Path) {
        for entry in root.join(relative).read_dir().into_iter().flatten().flatten() {
            if let Ok(kind) = entry.file_type() {
                self.take_hidden(relative.join(entry.file_name()), kind);
            }
        }
    }
}

fn has_extension(path: &Path) -> bool {
    extension(path).is_some_and(|extension| {
        EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// The unsupported format that a file's extension stands for.
fn named_by(path: &Path) -> Option<&'static str> {
    extension(path).and_then(unsupported_by_extension)
}

fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(RECOGNITION_BYTES);
    File::open(path)?.take(RECOGNITION_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `None` if a part of the path is not UTF-8.
fn portable(relative: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

fn left_out_file(relative: &Path, reason: LeftOutReason) -> LeftOut {
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    LeftOut { path: parts.join("/"), reason }
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
        list(folder).unwrap().images.into_iter().map(|image| image.relative_path).collect()
    }

    #[test]
    fn ids_rank_whole_relative_paths_by_bytes() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["b.jpg", "a/z.JPG", "a.b/1.png", "a!.tif", "ä.webp", "Z.bmp"]);
        let images = list(folder.path()).unwrap().images;
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
        assert!(matches!(list(folder.path()), Err(Error::NoImages { path, left_out })
                if path == folder.path() && left_out.is_empty()));
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

    fn reasons(folder: &Path) -> Vec<(String, &'static str)> {
        let left_out = list(folder).unwrap().left_out;
        left_out.into_iter().map(|file| (file.path, file.reason.name())).collect()
    }

    #[test]
    fn what_is_left_out_is_said_and_has_no_rank() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["b.jpg", "z.gif", "labels.json", ".DS_Store", ".git/index"]);
        fill(folder.path(), &[".hidden.jpg", ".thumbs/deep/a.PNG", "in/.b.heic", "a.HEIC"]);
        let write = |name, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("photo", b"\0\0\0\x18ftypavif\0\0\0\0avifmif1");
        write("drawing.xml", b"<?xml version=\"1.0\"?><svg/>");
        write("box.xml", b"<?xml version=\"1.0\"?><annotation/>");
        write("really_a_jpeg.heic", b"\xff\xd8\xff\xe0 and so on");
        assert_eq!(names(folder.path()), ["b.jpg", "really_a_jpeg.heic", "z.gif"]);
        let expected = [
            (".hidden.jpg", "hidden"),
            (".thumbs/deep/a.PNG", "hidden"),
            ("a.HEIC", "unsupported_format"),
            ("drawing.xml", "unsupported_format"),
            ("in/.b.heic", "hidden"),
            ("photo", "unsupported_format"),
        ];
        assert_eq!(reasons(folder.path()), expected.map(|(path, name)| (path.to_string(), name)));
        let listing = list(folder.path()).unwrap();
        let counts = count_by_reason(&listing.left_out);
        assert_eq!(counts, [("hidden", 3), ("unsupported_format", 3)]);
        let error = listing.refuse_left_out(folder.path()).unwrap_err();
        assert!(error.to_string().contains("6 files"), "{error}");
        let plain = FolderListing { left_out: Vec::new(), ..listing };
        assert!(plain.refuse_left_out(folder.path()).is_ok());
    }

    #[test]
    fn a_folder_of_unsupported_formats_alone_says_so() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["1.heic", "2.heic"]);
        let error = list(folder.path()).unwrap_err().to_string();
        let expected = "no images in this folder; 2 files were left out, the first: 1.heic: the \
                        image format HEIC is not supported";
        assert!(error.ends_with(expected), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf8_skips_its_file_if_it_is_an_image() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path(), &["1.jpg"]);
        let name = |bytes| folder.path().join(std::ffi::OsStr::from_bytes(bytes));
        std::fs::write(name(b"\xe9.txt"), b"").unwrap();
        assert!(reasons(folder.path()).is_empty());
        std::fs::write(name(b"\xe9.jpg"), b"").unwrap();
        std::fs::create_dir(name(b"\xe8")).unwrap();
        std::fs::write(name(b"\xe8/2.png"), b"").unwrap();
        assert_eq!(names(folder.path()), ["1.jpg"]);
        let expected =
            ["\u{FFFD}.jpg", "\u{FFFD}/2.png"].map(|path| (path.into(), "unreadable_name"));
        assert_eq!(reasons(folder.path()), expected);
        let error = list(folder.path()).unwrap().refuse_left_out(folder.path()).unwrap_err();
        assert!(matches!(&error, Error::LeftOut { files: 2, .. }), "{error}");
    }
}

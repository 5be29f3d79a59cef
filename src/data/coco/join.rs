//! Pairs the images of two files (conventions.md, "Identity"): by `file_name` when both list
//! their images, the whole relative path first and then a base name that is unique on both
//! sides; by id otherwise.

use super::{CocoFile, CocoImage};
use std::collections::HashMap;

/// How image ids of one file become image ids of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageJoin {
    /// Both files use the same ids.
    ById,
    /// Ids of the first file to ids of the second; images that the second lacks are absent.
    ByName(HashMap<i64, i64>),
}

impl ImageJoin {
    /// The join that takes ids of `from` to ids of `to`.
    pub fn new(from: &CocoFile, to: &CocoFile) -> ImageJoin {
        if !names_all(&from.images) || !names_all(&to.images) {
            return ImageJoin::ById;
        }
        let paths: HashMap<&str, i64> =
            to.images.iter().map(|image| (image.file_name.as_str(), image.id)).collect();
        let (from_names, to_names) = (unique_base_names(from), unique_base_names(to));
        let pairs = from.images.iter().filter_map(|image| {
            let by_base_name = || {
                let name = base_name(&image.file_name);
                from_names.get(name).copied().flatten()?;
                to_names.get(name).copied().flatten()
            };
            let partner = paths.get(image.file_name.as_str()).copied().or_else(by_base_name)?;
            Some((image.id, partner))
        });
        ImageJoin::ByName(pairs.collect())
    }

    /// The other file's id of image `id`, or `None` when it has no such image.
    pub fn partner(&self, id: i64) -> Option<i64> {
        match self {
            ImageJoin::ById => Some(id),
            ImageJoin::ByName(pairs) => pairs.get(&id).copied(),
        }
    }
}

fn names_all(images: &[CocoImage]) -> bool {
    !images.is_empty() && images.iter().all(|image| !image.file_name.is_empty())
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Base name to image id; `None` for a name that several images share.
fn unique_base_names(file: &CocoFile) -> HashMap<&str, Option<i64>> {
    let mut names = HashMap::new();
    for image in &file.images {
        names
            .entry(base_name(&image.file_name))
            .and_modify(|id| *id = None)
            .or_insert(Some(image.id));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(images: &[(i64, &str)]) -> CocoFile {
        let images = images.iter().map(|&(id, name)| CocoImage {
            id,
            file_name: name.into(),
            width: 0,
            height: 0,
        });
        CocoFile { images: images.collect(), ..CocoFile::default() }
    }

    #[test]
    fn whole_paths_come_first_then_unique_base_names() {
        let from = file(&[(1, "a/x.jpg"), (2, "y.jpg"), (3, "b/z.jpg"), (4, "c/z.jpg"), (5, "w")]);
        let to = file(&[(10, "x.jpg"), (20, "a/x.jpg"), (30, "val/y.jpg"), (40, "z.jpg")]);
        let join = ImageJoin::new(&from, &to);
        assert_eq!(join.partner(1), Some(20), "the whole path");
        assert_eq!(join.partner(2), Some(30), "a unique base name");
        assert_eq!(join.partner(3), None, "two images are called z.jpg");
        assert_eq!(join.partner(5), None, "no such image");
    }

    #[test]
    fn a_base_name_that_is_ambiguous_on_the_other_side_joins_nothing() {
        let join = ImageJoin::new(&file(&[(1, "x.jpg")]), &file(&[(2, "a/x.jpg"), (3, "b/x.jpg")]));
        assert_eq!(join.partner(1), None);
    }

    #[test]
    fn without_both_image_lists_ids_are_taken_as_they_are() {
        let join = ImageJoin::new(&CocoFile::default(), &file(&[(2, "x.jpg")]));
        assert_eq!(join, ImageJoin::ById);
        assert_eq!(join.partner(77), Some(77));
    }
}

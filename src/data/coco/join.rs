//! Joins the images and the categories of two files (conventions.md, "Identity"): images by
//! `file_name` where both files say it, categories by `name`; by id where a name is missing, and
//! where a file has no such list at all.

use super::foreign_ids::IdTexts;
use super::ids::DenseIds;
use super::names::{category_key, path_key};
use super::pairing::{Ambiguous, Named, pair};
use super::{CocoCategory, CocoFile, CocoImage};
use std::collections::HashSet;

/// How many of several entries a message names.
const NAMED_MAX: usize = 3;

/// Positions in the lists of two files that belong together, ascending in the first file.
pub type Pairs = Vec<(usize, usize)>;

/// Names by which entries of two files cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguity {
    /// `image 3 ("b/z.jpg") and image 4 ("c/z.jpg")`
    first: String,
    second: String,
}

impl std::fmt::Display for Ambiguity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ambiguity { first, second } = self;
        write!(
            formatter,
            "names do not tell which is which: {first} here, {second} in the other list"
        )
    }
}

/// The images that both files list.
///
/// # Errors
/// Names that leave open which images belong together.
pub fn pair_images(first: &CocoFile, second: &CocoFile) -> Result<Pairs, Ambiguity> {
    let named = |image: &CocoImage, id| Named { id, key: path_key(&image.file_name) };
    let translated = |image: &CocoImage| first.image_texts.translate(image.id, &second.image_texts);
    let first_names: Vec<_> =
        first.images.iter().map(|image| named(image, translated(image))).collect();
    let second_names: Vec<_> =
        second.images.iter().map(|image| named(image, Some(image.id))).collect();
    pair(&first_names, &second_names, true).map_err(|ambiguous| {
        let shown = |file: &CocoFile, place: usize| {
            let image = &file.images[place];
            format!("image {} ({:?})", file.image_texts.shown(image.id), image.file_name)
        };
        named_ambiguity(&ambiguous, |place| shown(first, place), |place| shown(second, place))
    })
}

/// The categories that both files list.
///
/// # Errors
/// Names that leave open which categories belong together.
pub fn pair_categories(first: &CocoFile, second: &CocoFile) -> Result<Pairs, Ambiguity> {
    let named = |category: &CocoCategory, id| Named { id, key: category_key(&category.name) };
    let translated =
        |one: &CocoCategory| first.category_texts.translate(one.id, &second.category_texts);
    let first_names: Vec<_> =
        first.categories.iter().map(|one| named(one, translated(one))).collect();
    let second_names: Vec<_> =
        second.categories.iter().map(|one| named(one, Some(one.id))).collect();
    pair(&first_names, &second_names, false).map_err(|ambiguous| {
        let shown = |file: &CocoFile, place: usize| {
            let category = &file.categories[place];
            format!("category {} ({:?})", file.category_texts.shown(category.id), category.name)
        };
        named_ambiguity(&ambiguous, |place| shown(first, place), |place| shown(second, place))
    })
}

fn named_ambiguity(
    ambiguous: &Ambiguous,
    first: impl Fn(usize) -> String,
    second: impl Fn(usize) -> String,
) -> Ambiguity {
    let list = |places: &[usize], shown: &dyn Fn(usize) -> String| {
        let named = places.iter().take(NAMED_MAX).map(|&place| shown(place));
        let others = places.len().saturating_sub(NAMED_MAX);
        let others = (others > 0).then(|| format!("{others} more"));
        named.chain(others).collect::<Vec<_>>().join(" and ")
    };
    Ambiguity { first: list(&ambiguous.first, &first), second: list(&ambiguous.second, &second) }
}

/// Ids of one file to ids of another.
#[derive(Debug, Clone, PartialEq)]
pub struct IdJoin {
    /// The ids that the first file lists.
    listed: DenseIds,
    /// For each of them, by rank, the id in the second file.
    partners: Vec<Option<i64>>,
    /// Ids of the second file that have a partner.
    taken: HashSet<i64>,
    texts: IdTexts,
    other_texts: IdTexts,
}

impl IdJoin {
    /// The join of image ids that `pairs`, from [`pair_images`], make.
    pub fn of_images(first: &CocoFile, second: &CocoFile, pairs: &Pairs) -> IdJoin {
        let id = |file: &CocoFile, position: usize| file.images[position].id;
        let ids = pairs.iter().map(|&(one, other)| (id(first, one), id(second, other))).collect();
        let listed = first.images.iter().map(|image| image.id).collect();
        let texts = (&first.image_texts, &second.image_texts);
        IdJoin::new(listed, ids, texts, second.images.is_empty())
    }

    /// The join of category ids that `pairs`, from [`pair_categories`], make.
    pub fn of_categories(first: &CocoFile, second: &CocoFile, pairs: &Pairs) -> IdJoin {
        let id = |file: &CocoFile, position: usize| file.categories[position].id;
        let ids = pairs.iter().map(|&(one, other)| (id(first, one), id(second, other))).collect();
        let listed = first.categories.iter().map(|category| category.id).collect();
        let texts = (&first.category_texts, &second.category_texts);
        IdJoin::new(listed, ids, texts, second.categories.is_empty())
    }

    fn new(
        listed: Vec<i64>,
        pairs: Vec<(i64, i64)>,
        (texts, other_texts): (&IdTexts, &IdTexts),
        other_has_no_list: bool,
    ) -> IdJoin {
        // Without a list on the other side every id of this one is as good as unlisted.
        let listed = if other_has_no_list { DenseIds::default() } else { DenseIds::new(listed) };
        let mut partners = vec![None; listed.count()];
        let mut taken = HashSet::new();
        for (one, other) in pairs {
            if let Some(rank) = listed.rank(one) {
                partners[rank as usize] = Some(other);
                taken.insert(other);
            }
        }
        let (texts, other_texts) = (texts.clone(), other_texts.clone());
        IdJoin { listed, partners, taken, texts, other_texts }
    }

    /// The other file's id for `id`, or `None` when it has none. An id that its own file does not
    /// list has no name, and is taken as it is unless that belongs to another.
    pub fn partner(&self, id: i64) -> Option<i64> {
        match self.listed.rank(id) {
            Some(rank) => self.partners[rank as usize],
            None => {
                let same = self.texts.translate(id, &self.other_texts)?;
                (!self.taken.contains(&same)).then_some(same)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(images: &[(i64, &str)]) -> CocoFile {
        let images = images.iter().map(|&(id, name)| CocoImage::new(id, name, 0, 0));
        CocoFile { images: images.collect(), ..CocoFile::default() }
    }

    fn join(first: &CocoFile, second: &CocoFile) -> IdJoin {
        IdJoin::of_images(first, second, &pair_images(first, second).unwrap())
    }

    #[test]
    fn listed_images_are_joined_by_name_and_others_by_id() {
        let first = file(&[(1, "./x.jpg"), (2, "a\\y.jpg"), (3, "gone.jpg")]);
        let second = file(&[(2, "x.jpg"), (20, "a/y.jpg"), (9, "z.jpg")]);
        let join = join(&first, &second);
        let partners = [1, 2, 3, 9, 20, 77].map(|id| join.partner(id));
        // 9 is not listed and free; 20 is not listed and another's; 77 is no one's.
        assert_eq!(partners, [Some(2), Some(20), None, Some(9), None, Some(77)]);
    }

    #[test]
    fn without_both_lists_ids_are_taken_as_they_are() {
        let list = file(&[(2, "x.jpg")]);
        assert_eq!(join(&CocoFile::default(), &list).partner(77), Some(77));
        assert_eq!(join(&list, &CocoFile::default()).partner(2), Some(2));
    }

    #[test]
    fn categories_are_joined_by_name_and_ambiguity_names_both_sides() {
        let file = |categories: &[(i64, &str)]| CocoFile {
            categories: categories.iter().map(|&(id, name)| CocoCategory::new(id, name)).collect(),
            ..CocoFile::default()
        };
        let first = file(&[(1, "cat"), (2, "dog"), (3, "")]);
        let second = file(&[(2, "cat"), (1, "dog"), (3, "bird")]);
        let pairs = pair_categories(&first, &second).unwrap();
        let join = IdJoin::of_categories(&first, &second, &pairs);
        assert_eq!([1, 2, 3].map(|id| join.partner(id)), [Some(2), Some(1), Some(3)]);
        let twice = file(&[(4, "cat"), (5, "cat")]);
        let error = pair_categories(&twice, &second).unwrap_err().to_string();
        assert!(error.contains(r#"category 4 ("cat") and category 5 ("cat") here"#), "{error}");
        assert!(error.contains(r#"category 2 ("cat") in the other list"#), "{error}");
    }
}

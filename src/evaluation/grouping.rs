//! Orders boxes by category, then image, then input order, by two stable counting passes.

use super::input::Boxes;

/// What is known of each box, category by category and image by image.
///
/// Entries are copied into place and not referred to by index: input mostly comes image by image,
/// so that reading it in order and writing to as many places as there are categories is far
/// cheaper than reading it back in the order of categories.
pub(super) struct Grouping<T> {
    entries: Vec<T>,
    /// `[categories + 1]` positions in `entries`.
    starts: Vec<u32>,
}

impl<T: Copy + Default> Grouping<T> {
    /// Groups `boxes`, each represented by what `entry` answers for its index; with `pooled`, all
    /// of them as one category.
    pub(super) fn new(
        boxes: &Boxes,
        pooled: bool,
        categories_count: usize,
        images_count: usize,
        entry: impl Fn(usize) -> T,
    ) -> Grouping<T> {
        let count = boxes.images.len() as u32;
        let by_image: Vec<u32> = if boxes.images.is_sorted() {
            (0..count).collect()
        } else {
            counting_sort(0..count, &boxes.images, images_count, |index| index as u32).0
        };
        if pooled {
            let entries = by_image.into_iter().map(|index| entry(index as usize)).collect();
            return Grouping { entries, starts: vec![0, count] };
        }
        let categories = &boxes.categories;
        let is_known = |index: &u32| categories[*index as usize] != Boxes::NO_CATEGORY;
        let known = by_image.iter().copied().filter(is_known);
        let (entries, starts) = counting_sort(known, categories, categories_count, entry);
        Grouping { entries, starts }
    }

    /// Entries of one category, image by image.
    pub(super) fn category(&self, category: usize) -> &[T] {
        &self.entries[self.starts[category] as usize..self.starts[category + 1] as usize]
    }
}

/// The entries of `indices` in ascending order of their key, stable; and where each key begins.
fn counting_sort<T: Copy + Default>(
    indices: impl Iterator<Item = u32> + Clone,
    keys: &[u32],
    keys_count: usize,
    entry: impl Fn(usize) -> T,
) -> (Vec<T>, Vec<u32>) {
    let mut starts = vec![0u32; keys_count + 1];
    for index in indices.clone() {
        starts[keys[index as usize] as usize + 1] += 1;
    }
    for key in 0..keys_count {
        starts[key + 1] += starts[key];
    }
    let mut next = starts.clone();
    let mut entries = vec![T::default(); starts[keys_count] as usize];
    for index in indices {
        let place = &mut next[keys[index as usize] as usize];
        entries[*place as usize] = entry(index as usize);
        *place += 1;
    }
    (entries, starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_ordered_by_category_then_image_then_input() {
        let boxes = Boxes {
            images: vec![1, 0, 1, 0, 0, 1],
            categories: vec![0, 1, 0, 0, Boxes::NO_CATEGORY, 1],
            ..Boxes::default()
        };
        let grouping = Grouping::new(&boxes, false, 3, 2, |index| index);
        assert_eq!(grouping.category(0), [3, 0, 2]);
        assert_eq!(grouping.category(1), [1, 5]);
        assert!(grouping.category(2).is_empty());
        let pooled = Grouping::new(&boxes, true, 1, 2, |index| index);
        assert_eq!(pooled.category(0), [1, 3, 4, 0, 2, 5]);
    }
}

//! Orders boxes by category, then image, then input order, by two stable counting passes.

use super::input::Boxes;

/// The order of a table of boxes and where each category begins.
pub(super) struct Grouping {
    /// Indices of boxes.
    order: Vec<u32>,
    /// `[categories + 1]` positions in `order`.
    starts: Vec<u32>,
}

impl Grouping {
    /// Groups `boxes`; with `pooled`, all of them as one category.
    pub(super) fn new(
        boxes: &Boxes,
        pooled: bool,
        categories_count: usize,
        images_count: usize,
    ) -> Grouping {
        let by_image: Vec<u32> = if boxes.images.is_sorted() {
            (0..boxes.images.len() as u32).collect()
        } else {
            counting_sort(0..boxes.images.len() as u32, &boxes.images, images_count).0
        };
        if pooled {
            let end = by_image.len() as u32;
            return Grouping { order: by_image, starts: vec![0, end] };
        }
        let known = by_image
            .iter()
            .copied()
            .filter(|&index| boxes.categories[index as usize] != Boxes::NO_CATEGORY);
        let (order, starts) = counting_sort(known, &boxes.categories, categories_count);
        Grouping { order, starts }
    }

    /// Indices of one category's boxes, image by image.
    pub(super) fn category(&self, category: usize) -> &[u32] {
        &self.order[self.starts[category] as usize..self.starts[category + 1] as usize]
    }
}

/// `indices` in ascending order of their key, stable; and where each key begins.
fn counting_sort(
    indices: impl Iterator<Item = u32> + Clone,
    keys: &[u32],
    keys_count: usize,
) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0u32; keys_count + 1];
    for index in indices.clone() {
        starts[keys[index as usize] as usize + 1] += 1;
    }
    for key in 0..keys_count {
        starts[key + 1] += starts[key];
    }
    let mut next = starts.clone();
    let mut order = vec![0u32; starts[keys_count] as usize];
    for index in indices {
        let place = &mut next[keys[index as usize] as usize];
        order[*place as usize] = index;
        *place += 1;
    }
    (order, starts)
}

/// The runs of `order` that share an image.
pub(super) fn by_image<'a>(
    order: &'a [u32],
    images: &'a [u32],
) -> impl Iterator<Item = &'a [u32]> + 'a {
    order.chunk_by(|&first, &second| images[first as usize] == images[second as usize])
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
        let grouping = Grouping::new(&boxes, false, 3, 2);
        assert_eq!(grouping.category(0), [3, 0, 2]);
        assert_eq!(grouping.category(1), [1, 5]);
        assert!(grouping.category(2).is_empty());
        let groups: Vec<_> = by_image(grouping.category(0), &boxes.images).collect();
        assert_eq!(groups, [&[3][..], &[0, 2]]);
        assert_eq!(Grouping::new(&boxes, true, 1, 2).category(0), [1, 3, 4, 0, 2, 5]);
    }
}

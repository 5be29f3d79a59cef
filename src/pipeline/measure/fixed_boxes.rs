//! The control: boxes fitted to T_0 and put on every image alike. What they recall is what a detector
//! gets for its number of boxes without looking.
//!
//! Boxes are taken as shares of their image's sides and clustered by their overlap; a centre is worth
//! as many boxes as it has, so that the best of them come first.

use crate::data::coco::{CocoAnnotation, CocoFile, CocoImage};
use crate::geometry::BoundingBox;
use crate::proposals::box_kmeans::BoxKmeans;
use std::collections::HashMap;

/// Boxes that are clustered, evenly spread over those that there are: a hundred centres know no more
/// of a million.
const SAMPLE_MAX: usize = 20_000;

/// Boxes as shares of an image's sides, xyxy, each with its share of T_0.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedBoxes {
    boxes: Vec<(BoundingBox, f64)>,
}

impl FixedBoxes {
    /// At most `count` boxes fitted to those of `labels`, whose images have sizes.
    pub fn fit(labels: &CocoFile, count: usize) -> FixedBoxes {
        let images: HashMap<i64, &CocoImage> =
            labels.images.iter().map(|image| (image.id, image)).collect();
        let every = labels.annotations.len().div_ceil(SAMPLE_MAX).max(1);
        let sampled = labels.annotations.iter().step_by(every);
        let relative: Vec<BoundingBox> = sampled
            .filter_map(|label| {
                let image = images.get(&label.image_id)?;
                let (width, height) = (f64::from(image.width), f64::from(image.height));
                let [x, y, w, h] = label.bounds;
                let sides = [x / width, y / height, (x + w) / width, (y + h) / height];
                sides.iter().all(|side| side.is_finite()).then(|| sides.map(|side| side as f32))
            })
            .collect();
        let mut clusters = BoxKmeans::default();
        clusters.fit(&relative, |_| true, count);
        let share = |members: usize| members as f64 / relative.len().max(1) as f64;
        let counts = clusters.counts().into_iter().map(share);
        FixedBoxes { boxes: clusters.centres().iter().copied().zip(counts).collect() }
    }

    /// The boxes on every image of `file`, in place of its own.
    pub fn on_images_of(&self, mut file: CocoFile) -> CocoFile {
        let category_id = file.categories.first().map_or(0, |category| category.id);
        let on = |image: &CocoImage| {
            let (image_id, width, height) = (image.id, image.width, image.height);
            self.boxes.iter().map(move |&([left, top, right, bottom], share)| {
                let (x, y) = (f64::from(left * width as f32), f64::from(top * height as f32));
                let w = f64::from((right - left) * width as f32);
                let h = f64::from((bottom - top) * height as f32);
                CocoAnnotation {
                    image_id,
                    category_id,
                    bounds: [x, y, w, h],
                    area: w * h,
                    score: Some(share),
                    is_crowd: false,
                }
            })
        };
        file.annotations = file.images.iter().flat_map(on).collect();
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(image_id: i64, bounds: [f64; 4]) -> CocoAnnotation {
        let area = bounds[2] * bounds[3];
        CocoAnnotation { image_id, category_id: 3, bounds, area, score: None, is_crowd: false }
    }

    #[test]
    fn boxes_are_those_of_most_labels_in_shares_of_the_image() {
        let labels = CocoFile {
            images: vec![CocoImage::new(1, "a", 100, 50), CocoImage::new(2, "b", 200, 100)],
            annotations: vec![
                label(1, [0.0, 0.0, 50.0, 25.0]),
                label(2, [0.0, 0.0, 100.0, 50.0]),
                label(2, [150.0, 50.0, 50.0, 50.0]),
            ],
            ..CocoFile::default()
        };
        let fixed = FixedBoxes::fit(&labels, 2);
        let other = CocoFile {
            images: vec![CocoImage::new(7, "c", 40, 20), CocoImage::new(8, "d", 80, 80)],
            ..CocoFile::default()
        };
        let placed = fixed.on_images_of(other);
        assert_eq!(placed.annotations.len(), 4);
        let [best, rest] = [placed.annotations[0], placed.annotations[1]];
        assert_eq!((best.image_id, best.bounds), (7, [0.0, 0.0, 20.0, 10.0]));
        assert_eq!(rest.bounds, [30.0, 10.0, 10.0, 10.0]);
        assert!(best.score.unwrap() > 0.6 && rest.score.unwrap() < 0.4);
        assert_eq!(placed.annotations[2].bounds, [0.0, 0.0, 40.0, 40.0]);
        assert_eq!(FixedBoxes::fit(&labels, 100).boxes.len(), 2, "two places, one of them twice");
    }
}

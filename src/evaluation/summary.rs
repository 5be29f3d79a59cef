//! The figures: means of precision and recall over thresholds, recalls and categories.
//!
//! The mean of 80,000 numbers depends, in its last bits, on the order of its additions;
//! [`pairwise_sum`] adds in numpy's order, so that figures can be compared for equality.

use super::input::EvaluationInput;
use super::notes::FileNotes;
use super::options::EvaluationOptions;
use super::precision::{CategoryCurves, UNDEFINED};
use super::protocol::{AREAS_COUNT, RECALLS_COUNT, THRESHOLDS_COUNT};
use crate::data::coco::CocoCategory;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

const ALL: usize = 0;
const SMALL: usize = 1;
const MEDIUM: usize = 2;
const LARGE: usize = 3;

/// Figures in [0, 1], -1 where there is nothing to measure.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// Over thresholds .50 to .95, at the largest number of detections, as all precisions here.
    pub average_precision: f64,
    pub average_precision_50: f64,
    pub average_precision_75: f64,
    /// Objects under 32² square pixels.
    pub average_precision_small: f64,
    /// Objects of 32² to 96² square pixels.
    pub average_precision_medium: f64,
    /// Objects over 96² square pixels.
    pub average_precision_large: f64,
    /// One for each entry of `detections_max`.
    pub average_recall: Vec<f64>,
    /// At the largest number of detections, as the next two.
    pub average_recall_small: f64,
    pub average_recall_medium: f64,
    pub average_recall_large: f64,
    pub detections_max: Vec<u32>,
    pub class_agnostic: bool,
    /// In ascending order of id; one entry with id 0 when class-agnostic.
    pub categories: Vec<CategoryFigures>,
    pub images_count: usize,
    pub objects_count: usize,
    pub detections_count: usize,
    /// Detections on images that the ground truth does not list.
    pub detections_left_out: usize,
    /// What else was left out of two files, and noticed when they were joined.
    pub notes: FileNotes,
    #[serde(skip)]
    curves: Vec<CategoryCurves>,
}

/// The figures of one category, at the largest number of detections.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryFigures {
    #[serde(flatten, serialize_with = "id_and_name")]
    pub category: CocoCategory,
    pub average_precision: f64,
    pub average_precision_50: f64,
    pub average_recall: f64,
}

/// The id as the ground truth writes it.
fn id_and_name<S: Serializer>(category: &CocoCategory, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry("category_id", &category.id_form.written(category.id))?;
    map.serialize_entry("name", &category.name)?;
    map.end()
}

impl Evaluation {
    pub(super) fn new(
        input: &EvaluationInput,
        options: &EvaluationOptions,
        curves: Vec<CategoryCurves>,
    ) -> Evaluation {
        let every = 0..THRESHOLDS_COUNT;
        let precision = |area| mean_precision(&curves, area, every.clone());
        let maxima = options.detections_max.len();
        let recall = |area, index| mean_recall(&curves, area, index, maxima);
        let pooled = [CocoCategory::new(0, "")];
        let categories = if options.class_agnostic { &pooled } else { input.categories() };
        let categories =
            categories.iter().zip(curves.chunks(1)).map(|(category, one)| CategoryFigures {
                category: category.clone(),
                average_precision: mean_precision(one, ALL, every.clone()),
                average_precision_50: mean_precision(one, ALL, 0..1),
                average_recall: mean_recall(one, ALL, maxima - 1, maxima),
            });
        Evaluation {
            average_precision: precision(ALL),
            average_precision_50: mean_precision(&curves, ALL, 0..1),
            average_precision_75: mean_precision(&curves, ALL, 5..6),
            average_precision_small: precision(SMALL),
            average_precision_medium: precision(MEDIUM),
            average_precision_large: precision(LARGE),
            average_recall: (0..maxima).map(|index| recall(ALL, index)).collect(),
            average_recall_small: recall(SMALL, maxima - 1),
            average_recall_medium: recall(MEDIUM, maxima - 1),
            average_recall_large: recall(LARGE, maxima - 1),
            detections_max: options.detections_max.clone(),
            class_agnostic: options.class_agnostic,
            categories: categories.collect(),
            images_count: input.images_count(),
            objects_count: input.objects_count(),
            detections_count: input.detections_count(),
            detections_left_out: input.notes().images_unknown.detections_count,
            notes: input.notes().clone(),
            curves,
        }
    }

    /// Every figure with the name under which it is known, in the order of pycocotools' summary.
    pub fn figures(&self) -> Vec<(String, f64)> {
        let mut figures: Vec<(String, f64)> = vec![
            ("AP".into(), self.average_precision),
            ("AP50".into(), self.average_precision_50),
            ("AP75".into(), self.average_precision_75),
            ("APs".into(), self.average_precision_small),
            ("APm".into(), self.average_precision_medium),
            ("APl".into(), self.average_precision_large),
        ];
        for (maximum, &recall) in self.detections_max.iter().zip(&self.average_recall) {
            figures.push((format!("AR@{maximum}"), recall));
        }
        figures.push(("ARs".into(), self.average_recall_small));
        figures.push(("ARm".into(), self.average_recall_medium));
        figures.push(("ARl".into(), self.average_recall_large));
        figures
    }

    /// `[thresholds, recalls, categories, areas]`, row-major: precision at the largest number of
    /// detections, -1 where a category has no objects of that area.
    pub fn precision_array(&self) -> Vec<f64> {
        let mut array =
            Vec::with_capacity(THRESHOLDS_COUNT * RECALLS_COUNT * self.curves.len() * AREAS_COUNT);
        for point in 0..THRESHOLDS_COUNT * RECALLS_COUNT {
            for curves in &self.curves {
                array.extend(
                    curves.precision.iter().map(|one| one.get(point).unwrap_or(&UNDEFINED)),
                );
            }
        }
        array
    }

    /// `[thresholds, categories, areas, maxima]`, row-major; -1 as above.
    pub fn recall_array(&self) -> Vec<f64> {
        let maxima = self.detections_max.len();
        let mut array =
            Vec::with_capacity(THRESHOLDS_COUNT * self.curves.len() * AREAS_COUNT * maxima);
        for threshold in 0..THRESHOLDS_COUNT {
            for recall in self.curves.iter().flat_map(|curves| &curves.recall) {
                let places = threshold * maxima..(threshold + 1) * maxima;
                array.extend(places.map(|place| recall.get(place).unwrap_or(&UNDEFINED)));
            }
        }
        array
    }
}

fn mean_precision(
    curves: &[CategoryCurves],
    area: usize,
    thresholds: std::ops::Range<usize>,
) -> f64 {
    let mut values = Vec::new();
    for point in thresholds.start * RECALLS_COUNT..thresholds.end * RECALLS_COUNT {
        values.extend(curves.iter().filter_map(|one| one.precision[area].get(point)));
    }
    mean(&values)
}

fn mean_recall(curves: &[CategoryCurves], area: usize, index: usize, maxima: usize) -> f64 {
    let mut values = Vec::new();
    for threshold in 0..THRESHOLDS_COUNT {
        let place = threshold * maxima + index;
        values.extend(curves.iter().filter_map(|one| one.recall[area].get(place)));
    }
    mean(&values)
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { UNDEFINED } else { pairwise_sum(values) / values.len() as f64 }
}

/// Numpy's order of additions for a contiguous array: eight partial sums in blocks of up to 128
/// numbers, and blocks in a balanced tree.
fn pairwise_sum(values: &[f64]) -> f64 {
    let count = values.len();
    if count < 8 {
        return values.iter().sum();
    }
    if count <= 128 {
        let (groups, rest) = values.as_chunks::<8>();
        let mut partial = [0.0; 8];
        for group in groups {
            for (sum, value) in partial.iter_mut().zip(group) {
                *sum += value;
            }
        }
        let [a, b, c, d, e, f, g, h] = partial;
        return rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, x| sum + x);
    }
    let half = count / 2;
    let (left, right) = values.split_at(half - half % 8);
    pairwise_sum(left) + pairwise_sum(right)
}

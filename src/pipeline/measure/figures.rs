//! What is measured of a file of boxes: average precision and recall against true boxes, whatever the
//! classes.

use crate::Result;
use crate::control::Control;
use crate::data::coco::CocoFile;
use crate::data::coco::read::read_dataset;
use crate::evaluation::{self, EvaluationInput, EvaluationOptions};
use crate::workers::Workers;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Boxes an image at which recall is read; precision is that of the last.
const DETECTIONS: [u32; 4] = [1, 10, 25, 100];

/// Figures in [0, 1], -1 where there is no true box.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Over the IoU thresholds .50 to .95, as the recalls.
    pub average_precision: f64,
    pub average_precision_50: f64,
    /// Average recall with the best box of each image.
    pub recall_1: f64,
    /// With the best 10.
    pub recall_10: f64,
    /// With the best 25.
    pub recall_25: f64,
    /// With the best 100.
    pub recall_100: f64,
}

impl Figures {
    /// With the best 10, 25 and 100 boxes.
    pub fn recalls(&self) -> [f64; 3] {
        [self.recall_10, self.recall_25, self.recall_100]
    }
}

/// True boxes, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    pub file: CocoFile,
}

impl Truth {
    /// # Errors
    /// Those of [`read_dataset`].
    pub fn read(path: &Path) -> Result<Truth> {
        Ok(Truth { file: read_dataset(path)? })
    }

    /// Scores the boxes `found`, which messages call `name`.
    ///
    /// # Errors
    /// Those of [`EvaluationInput::from_coco`] and of the evaluation.
    pub fn measure(
        &self,
        found: &CocoFile,
        name: &Path,
        workers: &Workers,
        control: &Control<'_>,
    ) -> Result<Figures> {
        let input = EvaluationInput::from_coco(&self.file, found, name)?;
        let options = EvaluationOptions { class_agnostic: true, detections_max: DETECTIONS.into() };
        let found = evaluation::evaluate(&input, &options, workers, control)?;
        let [recall_1, recall_10, recall_25, recall_100] =
            [0, 1, 2, 3].map(|place| found.average_recall[place]);
        Ok(Figures {
            average_precision: found.average_precision,
            average_precision_50: found.average_precision_50,
            recall_1,
            recall_10,
            recall_25,
            recall_100,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::coco::{CocoAnnotation, CocoCategory, CocoImage};

    fn file(boxes: &[([f64; 4], i64, Option<f64>)]) -> CocoFile {
        let annotation = |&(bounds, category_id, score): &([f64; 4], i64, Option<f64>)| {
            let area = bounds[2] * bounds[3];
            CocoAnnotation { image_id: 1, category_id, bounds, area, score, is_crowd: false }
        };
        CocoFile {
            images: vec![CocoImage::new(1, "a.png", 100, 100)],
            categories: vec![CocoCategory::new(0, "thing"), CocoCategory::new(1, "other")],
            annotations: boxes.iter().map(annotation).collect(),
            ..CocoFile::default()
        }
    }

    #[test]
    fn classes_do_not_count_and_each_recall_sees_its_number_of_boxes() {
        let [first, second] = [[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 20.0, 20.0]];
        let truth = Truth { file: file(&[(first, 0, None), (second, 0, None)]) };
        // The best box finds nothing, the second one an object of another class.
        let found = file(&[([80.0, 0.0, 5.0, 5.0], 0, Some(0.9)), (first, 1, Some(0.8))]);
        let (workers, control) = (Workers::caller(), Control::default());
        let figures = truth.measure(&found, Path::new("found"), &workers, &control).unwrap();
        assert_eq!((figures.recall_1, figures.recall_10, figures.recall_100), (0.0, 0.5, 0.5));
        // Precision 1/2 up to a recall of 1/2: 51 of 101 points.
        assert!((figures.average_precision - 0.5 * 51.0 / 101.0).abs() < 1e-9);
        assert!((figures.average_precision_50 - figures.average_precision).abs() < 1e-9);
    }
}

//! Annotations as nearly every file holds them, read at full speed: ids that are integers, numbers
//! that are boxes. The first one that is anything else stops the reading, which then begins again
//! in [`super::records`], where everything is looked at.

use super::CocoAnnotation;
use super::foreign_ids::IdCollector;
use super::records::{Kind, is_box, is_measure};
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;

#[derive(serde::Deserialize)]
struct PlainAnnotation {
    image_id: i64,
    category_id: i64,
    bbox: [f64; 4],
    area: Option<f64>,
    score: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
}

/// Reads a list of annotations.
pub(super) struct PlainAnnotations<'a> {
    pub kind: Kind,
    pub image_ids: &'a mut IdCollector,
    pub category_ids: &'a mut IdCollector,
    pub annotations: &'a mut Vec<CocoAnnotation>,
}

impl PlainAnnotations<'_> {
    /// `None` for one that is to be looked at more closely.
    fn annotation(&mut self, read: PlainAnnotation) -> Option<CocoAnnotation> {
        let PlainAnnotation { image_id, category_id, bbox: bounds, score, .. } = read;
        let box_area = bounds[2] * bounds[3];
        let (area, is_crowd) = match self.kind {
            Kind::DataSet => (read.area.unwrap_or(box_area), read.iscrowd != 0),
            Kind::Detections => (box_area, false),
        };
        let has_score = score.is_some() || self.kind == Kind::DataSet;
        (has_score && is_box(&bounds) && is_measure(area)).then(|| CocoAnnotation {
            image_id: self.image_ids.number(image_id),
            category_id: self.category_ids.number(category_id),
            bounds,
            area,
            score,
            is_crowd,
        })
    }
}

impl<'de> DeserializeSeed<'de> for PlainAnnotations<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PlainAnnotations<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(read) = list.next_element()? {
            let annotation = self.annotation(read);
            self.annotations.push(annotation.ok_or_else(|| A::Error::custom("not plain"))?);
        }
        Ok(())
    }
}

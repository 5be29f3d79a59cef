//! One entry of each list: its fields, and what pycocotools would make of them.

use super::fields::{Bounds, Field, Record};
use super::foreign_ids::IdCollector;
use super::values::Scalar;
use super::{CocoAnnotation, CocoCategory, CocoImage};
use serde::de::{IgnoredAny, MapAccess};

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    DataSet,
    /// Every box has a score, and is no crowd and as large as it is, whatever the file says:
    /// pycocotools sets both when it loads results.
    Detections,
}

#[derive(Debug, Default)]
pub(super) struct ImageRecord<'de> {
    pub id: Scalar<'de>,
    file_name: Scalar<'de>,
    width: Scalar<'de>,
    height: Scalar<'de>,
}

impl<'de> Record<'de> for ImageRecord<'de> {
    fn read<A: MapAccess<'de>>(&mut self, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Id => self.id = map.next_value()?,
            Field::FileName => self.file_name = map.next_value()?,
            Field::Width => self.width = map.next_value()?,
            Field::Height => self.height = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl ImageRecord<'_> {
    /// # Errors
    /// What is wrong, with the field.
    pub(super) fn image(&self, ids: &mut IdCollector) -> Result<CocoImage, String> {
        let id = self.id.id(ids).ok_or_else(|| no_id("id", &self.id))?;
        let side = |field, found: &Scalar<'_>| {
            found.side().ok_or_else(|| format!("`{field}` is {found}, not a number of pixels"))
        };
        let (width, height) = (side("width", &self.width)?, side("height", &self.height)?);
        let file_name = self.file_name.name();
        let file_name =
            file_name.ok_or_else(|| format!("`file_name` is {}, not a text", self.file_name))?;
        Ok(CocoImage { id, id_form: self.id.id_form(), file_name, width, height })
    }
}

#[derive(Debug, Default)]
pub(super) struct CategoryRecord<'de> {
    pub id: Scalar<'de>,
    name: Scalar<'de>,
}

impl<'de> Record<'de> for CategoryRecord<'de> {
    fn read<A: MapAccess<'de>>(&mut self, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Id => self.id = map.next_value()?,
            Field::Name => self.name = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl CategoryRecord<'_> {
    /// # Errors
    /// What is wrong, with the field.
    pub(super) fn category(&self, ids: &mut IdCollector) -> Result<CocoCategory, String> {
        let id = self.id.id(ids).ok_or_else(|| no_id("id", &self.id))?;
        let name = self.name.name();
        let name = name.ok_or_else(|| format!("`name` is {}, not a text", self.name))?;
        Ok(CocoCategory { id, id_form: self.id.id_form(), name })
    }
}

#[derive(Debug, Default)]
pub(super) struct AnnotationRecord<'de> {
    pub id: Scalar<'de>,
    image_id: Scalar<'de>,
    category_id: Scalar<'de>,
    bbox: Bounds,
    area: Scalar<'de>,
    score: Scalar<'de>,
    iscrowd: Scalar<'de>,
}

impl<'de> Record<'de> for AnnotationRecord<'de> {
    fn read<A: MapAccess<'de>>(&mut self, field: Field, map: &mut A) -> Result<(), A::Error> {
        match field {
            Field::Id => self.id = map.next_value()?,
            Field::ImageId => self.image_id = map.next_value()?,
            Field::CategoryId => self.category_id = map.next_value()?,
            Field::Bbox => self.bbox = map.next_value()?,
            Field::Area => self.area = map.next_value()?,
            Field::Score => self.score = map.next_value()?,
            Field::Iscrowd => self.iscrowd = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// Why an annotation is not taken.
pub(super) enum Refusal {
    /// A field of another kind than its name says: the file is not read.
    Field(String),
    /// Numbers that are no box: the annotation is left out.
    Box(String),
}

impl AnnotationRecord<'_> {
    pub(super) fn annotation(
        &self,
        kind: Kind,
        image_ids: &mut IdCollector,
        category_ids: &mut IdCollector,
    ) -> Result<CocoAnnotation, Refusal> {
        let field = |name, found: &Scalar<'_>, wanted| {
            Refusal::Field(format!("`{name}` is {found}, not {wanted}"))
        };
        let image_id = self.image_id.id(image_ids);
        let image_id = image_id.ok_or_else(|| Refusal::Field(no_id("image_id", &self.image_id)))?;
        let category_id = self.category_id.id(category_ids);
        let category_id =
            category_id.ok_or_else(|| Refusal::Field(no_id("category_id", &self.category_id)))?;
        let bounds = self.bbox.0.map_err(|wrong| Refusal::Field(format!("`bbox` is {wrong}")))?;
        let score = number(&self.score);
        let (mut is_crowd, mut stated_area) = (false, None);
        match kind {
            Kind::Detections if score.is_none() => {
                return Err(field("score", &self.score, "a number"));
            }
            Kind::Detections => {}
            Kind::DataSet => {
                let found = self.iscrowd.flag();
                is_crowd = found.ok_or_else(|| field("iscrowd", &self.iscrowd, "0 or 1"))?;
                stated_area = number(&self.area);
                if stated_area.is_none() && !matches!(self.area, Scalar::Missing | Scalar::Null) {
                    return Err(field("area", &self.area, "a number"));
                }
            }
        }
        if !is_box(&bounds) {
            return Err(Refusal::Box(format!("`bbox` is {bounds:?}")));
        }
        let area = stated_area.unwrap_or(bounds[2] * bounds[3]);
        if !is_measure(area) {
            return Err(Refusal::Box(format!("`area` is {area:?}")));
        }
        Ok(CocoAnnotation { image_id, category_id, bounds, area, score, is_crowd })
    }
}

/// Whether x, y, width and height are a box.
pub(super) fn is_box(bounds: &[f64; 4]) -> bool {
    bounds[0].is_finite() && bounds[1].is_finite() && is_measure(bounds[2]) && is_measure(bounds[3])
}

pub(super) fn is_measure(value: f64) -> bool {
    (0.0..f64::INFINITY).contains(&value)
}

fn number(found: &Scalar<'_>) -> Option<f64> {
    match found {
        Scalar::Float(value) => Some(*value),
        Scalar::Integer(value) => Some(*value as f64),
        _ => None,
    }
}

fn no_id(field: &str, found: &Scalar<'_>) -> String {
    format!("`{field}` is {found}, not a whole number or a text")
}

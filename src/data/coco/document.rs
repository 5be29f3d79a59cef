//! A COCO file while it is parsed: serde_json calls these visitors entry by entry, and what cannot
//! be understood is gathered instead of ending the reading.

use super::CocoFile;
use super::fields::{Entry, Record};
use super::foreign_ids::IdCollector;
use super::problems::Problems;
use super::records::{AnnotationRecord, CategoryRecord, ImageRecord, Kind, Refusal};
use super::values::Scalar;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Parses a whole file.
///
/// # Errors
/// What JSON, or the outline of a COCO file, does not allow, and where.
pub(super) fn parse(bytes: &[u8], kind: Kind) -> Result<Document, String> {
    // As text, like all JSON here: a second kind of reader would be code for nothing.
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut document = Document::new(kind);
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = (&mut document).deserialize(&mut json).and_then(|()| json.end());
    parsed.map(|()| document).map_err(|error| error.to_string())
}

/// A file as far as it was read.
pub(super) struct Document {
    kind: Kind,
    pub file: CocoFile,
    pub has_images: bool,
    pub has_categories: bool,
    pub has_annotations: bool,
    image_ids: IdCollector,
    category_ids: IdCollector,
    /// Entries that cannot be understood.
    pub problems: Problems,
}

impl Document {
    fn new(kind: Kind) -> Document {
        Document {
            kind,
            file: CocoFile::default(),
            has_images: false,
            has_categories: false,
            has_annotations: false,
            image_ids: IdCollector::default(),
            category_ids: IdCollector::default(),
            problems: Problems::default(),
        }
    }

    fn add_image(&mut self, index: usize, entry: Entry<'_, ImageRecord<'_>>) {
        let known = entry.0.map_err(|found| (Scalar::Missing, not_an_object(&found)));
        let image = known.and_then(|record| {
            let id = record.id.clone();
            record.image(&mut self.image_ids).map_err(|reason| (id, reason))
        });
        match image {
            Ok(image) => self.file.images.push(image),
            Err((id, reason)) => self.problems.add(|| describe("image", index, &id, &reason)),
        }
    }

    fn add_category(&mut self, index: usize, entry: Entry<'_, CategoryRecord<'_>>) {
        let known = entry.0.map_err(|found| (Scalar::Missing, not_an_object(&found)));
        let category = known.and_then(|record| {
            let id = record.id.clone();
            record.category(&mut self.category_ids).map_err(|reason| (id, reason))
        });
        match category {
            Ok(category) => self.file.categories.push(category),
            Err((id, reason)) => self.problems.add(|| describe("category", index, &id, &reason)),
        }
    }

    fn add_annotation(&mut self, index: usize, entry: Entry<'_, AnnotationRecord<'_>>) {
        const KIND: &str = "annotation";
        let record = match entry.0 {
            Ok(record) => record,
            Err(found) => {
                let reason = not_an_object(&found);
                return self.problems.add(|| describe(KIND, index, &Scalar::Missing, &reason));
            }
        };
        match record.annotation(self.kind, &mut self.image_ids, &mut self.category_ids) {
            Ok(annotation) => self.file.annotations.push(annotation),
            Err(Refusal::Field(reason)) => {
                self.problems.add(|| describe(KIND, index, &record.id, &reason));
            }
            Err(Refusal::Box(reason)) => {
                self.file.left_out_indices.push(index);
                self.file.left_out.add(|| describe(KIND, index, &record.id, &reason));
            }
        }
    }

    /// Gives ids that are texts their final numbers.
    ///
    /// # Errors
    /// A number that stands where the texts do.
    pub(super) fn settle_ids(&mut self) -> Result<(), String> {
        let (texts, images) = std::mem::take(&mut self.image_ids).finish()?;
        self.file.image_texts = texts;
        let (texts, categories) = std::mem::take(&mut self.category_ids).finish()?;
        self.file.category_texts = texts;
        if images.is_empty() && categories.is_empty() {
            return Ok(());
        }
        self.file.images.iter_mut().for_each(|image| images.replace(&mut image.id));
        self.file.categories.iter_mut().for_each(|one| categories.replace(&mut one.id));
        for annotation in &mut self.file.annotations {
            images.replace(&mut annotation.image_id);
            categories.replace(&mut annotation.category_id);
        }
        Ok(())
    }
}

fn not_an_object(found: &Scalar<'_>) -> String {
    format!("{found}, not an object")
}

/// "annotation 3 (id 17): `bbox` is missing"
fn describe(kind: &str, index: usize, id: &Scalar<'_>, reason: &str) -> String {
    match id {
        Scalar::Missing => format!("{kind} {index}: {reason}"),
        Scalar::Text(text) => format!("{kind} {index} (id {text:?}): {reason}"),
        id => format!("{kind} {index} (id {id}): {reason}"),
    }
}

impl<'de> DeserializeSeed<'de> for &mut Document {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Document {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a COCO data set or a list of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        self.has_annotations = true;
        List::new(|index, entry| self.add_annotation(index, entry)).visit_seq(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            // Of a key that comes twice the last counts, as in Python.
            match key {
                Key::Images => {
                    self.has_images = true;
                    self.file.images.clear();
                    map.next_value_seed(List::new(|index, entry| self.add_image(index, entry)))?;
                }
                Key::Categories => {
                    self.has_categories = true;
                    self.file.categories.clear();
                    map.next_value_seed(List::new(|index, entry| self.add_category(index, entry)))?;
                }
                Key::Annotations => {
                    self.has_annotations = true;
                    self.file.annotations.clear();
                    self.file.left_out = Problems::default();
                    self.file.left_out_indices.clear();
                    let list = List::new(|index, entry| self.add_annotation(index, entry));
                    map.next_value_seed(list)?;
                }
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Images,
    Categories,
    Annotations,
    #[serde(other)]
    Other,
}

/// Hands every entry of a list to a function, with its index.
struct List<R, F> {
    add: F,
    record: PhantomData<R>,
}

impl<R, F> List<R, F> {
    fn new<'de>(add: F) -> List<R, F>
    where
        R: Record<'de>,
        F: FnMut(usize, Entry<'de, R>),
    {
        List { add, record: PhantomData }
    }
}

impl<'de, R: Record<'de>, F: FnMut(usize, Entry<'de, R>)> DeserializeSeed<'de> for List<R, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, R: Record<'de>, F: FnMut(usize, Entry<'de, R>)> Visitor<'de> for List<R, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(entry) = list.next_element()? {
            (self.add)(index, entry);
            index += 1;
        }
        Ok(())
    }
}

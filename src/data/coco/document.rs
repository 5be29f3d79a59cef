//! A COCO file while it is parsed: serde_json calls these visitors entry by entry, and what cannot
//! be understood is gathered instead of ending the reading.

use super::CocoFile;
use super::fields::{Fill, Record};
use super::foreign_ids::IdCollector;
use super::plain::PlainAnnotations;
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
    // What is not plain costs a second reading, and a plain file nothing.
    Document::parse(text, kind, true)
        .or_else(|_| Document::parse(text, kind, false))
        .map_err(|error| error.to_string())
}

/// A file as far as it was read.
pub(super) struct Document {
    kind: Kind,
    /// Annotations are read as [`PlainAnnotations`], or not at all.
    plain: bool,
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
    fn parse(text: &str, kind: Kind, plain: bool) -> serde_json::Result<Document> {
        let mut document = Document {
            kind,
            plain,
            file: CocoFile::default(),
            has_images: false,
            has_categories: false,
            has_annotations: false,
            image_ids: IdCollector::default(),
            category_ids: IdCollector::default(),
            problems: Problems::default(),
        };
        let mut json = serde_json::Deserializer::from_str(text);
        (&mut document).deserialize(&mut json)?;
        json.end()?;
        Ok(document)
    }

    fn plain_annotations(&mut self) -> PlainAnnotations<'_> {
        PlainAnnotations {
            kind: self.kind,
            image_ids: &mut self.image_ids,
            category_ids: &mut self.category_ids,
            annotations: &mut self.file.annotations,
        }
    }

    fn add_image(&mut self, index: usize, entry: Entry<'_, ImageRecord<'_>>) {
        const KIND: &str = "image";
        let Some(record) = self.record(KIND, index, entry) else { return };
        match record.image(&mut self.image_ids) {
            Ok(image) => self.file.images.push(image),
            Err(reason) => self.problems.add(|| describe(KIND, index, &record.id, &reason)),
        }
    }

    fn add_category(&mut self, index: usize, entry: Entry<'_, CategoryRecord<'_>>) {
        const KIND: &str = "category";
        let Some(record) = self.record(KIND, index, entry) else { return };
        match record.category(&mut self.category_ids) {
            Ok(category) => self.file.categories.push(category),
            Err(reason) => self.problems.add(|| describe(KIND, index, &record.id, &reason)),
        }
    }

    fn add_annotation(&mut self, index: usize, entry: Entry<'_, AnnotationRecord<'_>>) {
        const KIND: &str = "annotation";
        let Some(record) = self.record(KIND, index, entry) else { return };
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

    fn record<'a, R>(&mut self, kind: &str, index: usize, entry: Entry<'a, R>) -> Option<&'a R> {
        entry
            .inspect_err(|found| {
                let reason = format!("{found}, not an object");
                self.problems.add(|| describe(kind, index, &Scalar::Missing, &reason));
            })
            .ok()
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
        match self.plain {
            true => self.plain_annotations().visit_seq(list),
            false => List::new(|index, entry| self.add_annotation(index, entry)).visit_seq(list),
        }
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
                    if self.plain {
                        map.next_value_seed(self.plain_annotations())?;
                    } else {
                        let list = List::new(|index, entry| self.add_annotation(index, entry));
                        map.next_value_seed(list)?;
                    }
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

/// A record, or what stood in its place.
type Entry<'a, R> = Result<&'a R, Scalar<'a>>;

/// Hands every entry of a list to a function, with its index.
struct List<R, F> {
    add: F,
    record: PhantomData<R>,
}

impl<R, F: FnMut(usize, Entry<'_, R>)> List<R, F> {
    fn new(add: F) -> List<R, F> {
        List { add, record: PhantomData }
    }
}

impl<'de, R: Record<'de>, F: FnMut(usize, Entry<'_, R>)> DeserializeSeed<'de> for List<R, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, R: Record<'de>, F: FnMut(usize, Entry<'_, R>)> Visitor<'de> for List<R, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut record = R::default();
        let mut index = 0;
        while let Some(found) = list.next_element_seed(Fill(&mut record))? {
            (self.add)(index, found.map_or(Ok(&record), Err));
            record = R::default();
            index += 1;
        }
        Ok(())
    }
}

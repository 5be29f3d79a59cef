//! Reads COCO files in one pass: no document tree, only the fields that detection needs.
//!
//! The text is read whole (a file of 700,000 results is about 100 MB) and released before the
//! answer is used. serde_json calls the visitors below as it parses, so that an annotation costs
//! 80 bytes and nothing else; numbers are rounded correctly, as Python's reader rounds them.

use super::{CocoAnnotation, CocoCategory, CocoFile, CocoImage};
use crate::{Error, Result, memory};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::path::Path;

/// Reads a data set: an object with `images`, `categories` and `annotations`.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] with what is wrong and where: not JSON, a missing key, a
/// number that is not finite, a negative size, an image id listed twice.
pub fn read_dataset(path: &Path) -> Result<CocoFile> {
    let document = read_document(path)?;
    for (key, found) in [
        ("images", document.has_images),
        ("categories", document.has_categories),
        ("annotations", document.has_annotations),
    ] {
        if !found {
            return Err(Error::format(path, format!("a data set must have the key `{key}`")));
        }
    }
    Ok(document.file)
}

/// Reads detections: a list of `{image_id, category_id, bbox, score}`, or a data set whose
/// annotations carry `score`.
///
/// # Errors
/// As [`read_dataset`], `images` and `categories` being optional; and [`Error::Format`] with the
/// number of the first detection without a score.
pub fn read_detections(path: &Path) -> Result<CocoFile> {
    let document = read_document(path)?;
    if !document.has_annotations {
        return Err(Error::format(path, "detections must be a list, or have `annotations`"));
    }
    match document.file.annotations.iter().position(|annotation| annotation.score.is_none()) {
        Some(index) => Err(Error::format(path, format!("detection {index} has no `score`"))),
        None => Ok(document.file),
    }
}

fn read_document(path: &Path) -> Result<Document> {
    let bytes = memory::read_file(path)?;
    // The text is held while it becomes images and annotations, which take no more than it does.
    memory::probe(bytes.len() as u64, "images and annotations")?;
    let refused =
        |reason: &dyn fmt::Display| Error::format(path, format!("not a COCO file: {reason}"));
    // As text, like all JSON here: a second kind of reader would be code for nothing.
    let text = std::str::from_utf8(&bytes).map_err(|error| refused(&error))?;
    let document: Document = serde_json::from_str(text).map_err(|error| refused(&error))?;
    let mut seen = HashSet::with_capacity(document.file.images.len());
    match document.file.images.iter().find(|image| !seen.insert(image.id)) {
        Some(image) => Err(Error::format(path, format!("image id {} is listed twice", image.id))),
        None => Ok(document),
    }
}

/// A file and which of its keys were there.
#[derive(Default)]
struct Document {
    file: CocoFile,
    has_images: bool,
    has_categories: bool,
    has_annotations: bool,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Document, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a COCO data set or a list of results")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<Document, A::Error> {
        let annotations = AnnotationsVisitor.visit_seq(list)?;
        let file = CocoFile { annotations, ..CocoFile::default() };
        Ok(Document { file, has_annotations: true, ..Document::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Document, A::Error> {
        let mut document = Document::default();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "images" => {
                    document.has_images = true;
                    document.file.images =
                        map.next_value::<Vec<ImageRecord>>()?.into_iter().map(Into::into).collect();
                }
                "categories" => {
                    document.has_categories = true;
                    document.file.categories = map
                        .next_value::<Vec<CategoryRecord>>()?
                        .into_iter()
                        .map(Into::into)
                        .collect();
                }
                "annotations" => {
                    document.has_annotations = true;
                    document.file.annotations = map.next_value::<Annotations>()?.0;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(document)
    }
}

#[derive(serde::Deserialize)]
struct ImageRecord {
    id: i64,
    #[serde(default)]
    file_name: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
}

impl From<ImageRecord> for CocoImage {
    fn from(record: ImageRecord) -> CocoImage {
        let ImageRecord { id, file_name, width, height } = record;
        CocoImage { id, file_name, width, height }
    }
}

#[derive(serde::Deserialize)]
struct CategoryRecord {
    id: i64,
    #[serde(default)]
    name: String,
}

impl From<CategoryRecord> for CocoCategory {
    fn from(record: CategoryRecord) -> CocoCategory {
        CocoCategory { id: record.id, name: record.name }
    }
}

#[derive(serde::Deserialize)]
struct AnnotationRecord {
    image_id: i64,
    category_id: i64,
    bbox: [f64; 4],
    area: Option<f64>,
    score: Option<f64>,
    #[serde(default, deserialize_with = "flag")]
    iscrowd: bool,
}

/// `iscrowd` is 0 or 1 in COCO's own files, a boolean in some others.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = bool;
        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            formatter.write_str("0, 1 or a boolean")
        }
        fn visit_bool<E>(self, value: bool) -> std::result::Result<bool, E> {
            Ok(value)
        }
        fn visit_u64<E>(self, value: u64) -> std::result::Result<bool, E> {
            Ok(value != 0)
        }
    }
    deserializer.deserialize_any(Flag)
}

impl AnnotationRecord {
    fn checked(self) -> std::result::Result<CocoAnnotation, String> {
        let [_, _, width, height] = self.bbox;
        // JSON has no NaN, and serde_json refuses numbers that overflow; what is left is the sign.
        if width < 0.0 || height < 0.0 {
            return Err(format!("the box has size {width} x {height}"));
        }
        if let Some(area) = self.area.filter(|&area| area < 0.0) {
            return Err(format!("the area is {area}"));
        }
        Ok(CocoAnnotation {
            image_id: self.image_id,
            category_id: self.category_id,
            bounds: self.bbox,
            area: self.area.unwrap_or(width * height),
            score: self.score,
            is_crowd: self.iscrowd,
        })
    }
}

struct Annotations(Vec<CocoAnnotation>);

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Annotations, D::Error> {
        deserializer.deserialize_seq(AnnotationsVisitor).map(Annotations)
    }
}

struct AnnotationsVisitor;

impl<'de> Visitor<'de> for AnnotationsVisitor {
    type Value = Vec<CocoAnnotation>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list of annotations")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut list: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut annotations = Vec::new();
        while let Some(record) = list.next_element::<AnnotationRecord>()? {
            let annotation = record.checked().map_err(|reason| {
                de::Error::custom(format_args!("annotation {}: {reason}", annotations.len()))
            })?;
            annotations.push(annotation);
        }
        Ok(annotations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_data_set_keeps_its_order_and_skips_what_it_does_not_know() {
        let (_folder, path) = written(
            r#"{"info": {"a": [1, {"b": "}"}]},
                "images": [{"id": 9, "file_name": "a/\u00e9.jpg", "width": 4, "height": 3, "x": 1}],
                "annotations": [
                  {"id": 1, "image_id": 9, "category_id": 5, "bbox": [0.1, 2, 3, 4],
                   "segmentation": {"counts": "},{\"", "size": [1, 2]}, "area": 7.5, "iscrowd": 1},
                  {"image_id": 9, "category_id": 2, "bbox": [0, 0, 2, 2], "iscrowd": false}],
                "categories": [{"id": 5, "name": "cat"}, {"id": 2}]}"#,
        );
        let file = read_dataset(&path).unwrap();
        assert_eq!(file.images[0].file_name, "a/é.jpg");
        assert_eq!((file.images[0].width, file.images[0].height), (4, 3));
        assert_eq!(file.categories[0], CocoCategory { id: 5, name: "cat".into() });
        assert_eq!(file.annotations[0].bounds, [0.1, 2.0, 3.0, 4.0]);
        assert_eq!((file.annotations[0].area, file.annotations[0].is_crowd), (7.5, true));
        assert_eq!((file.annotations[1].area, file.annotations[1].is_crowd), (4.0, false));
        let error = read_detections(&path).unwrap_err();
        assert!(error.to_string().contains("detection 0 has no `score`"), "{error}");
    }

    #[test]
    fn a_list_of_results_is_read_with_correctly_rounded_numbers() {
        let (_folder, path) = written(
            r#" [{"image_id":1,"category_id":3,"bbox":[258.15000000000003,1e-3,9007199254740993,0],
                 "score":0.23600000143051147}]"#,
        );
        let file = read_detections(&path).unwrap();
        let annotation = file.annotations[0];
        assert_eq!(annotation.bounds, [258.15000000000003, 0.001, 9_007_199_254_740_992.0, 0.0]);
        assert_eq!(annotation.score, Some(0.23600000143051147));
        let error = read_dataset(&path).unwrap_err();
        assert!(error.to_string().contains("key `images`"), "{error}");
    }

    #[test]
    fn bad_files_are_named_with_what_and_where() {
        let image = r#"{"id": 1}"#;
        let annotation = r#"{"image_id": 1, "category_id": 1, "bbox": "#;
        let dataset = |images: &str, bounds: &str| {
            format!(
                r#"{{"images": [{images}], "categories": [], "annotations": [{annotation}{bounds}}}]}}"#
            )
        };
        for (text, wanted) in [
            ("not json".to_string(), "not a COCO file: expected ident at line 1 column 2"),
            ("7".to_string(), "expected a COCO data set"),
            (r#"{"images": []"#.to_string(), "EOF"),
            (r#"{"images": [], "annotations": []}"#.to_string(), "key `categories`"),
            (dataset(image, "[0, 0, NaN, 1]"), "expected value at line 1"),
            (dataset(image, "[0, 0, 1e999, 1]"), "number out of range"),
            (dataset(image, "[0, 0, -3, 1]"), "annotation 0: the box has size -3 x 1"),
            (dataset(image, "[0, 0, 3]"), "invalid length 3"),
            (dataset(image, r#"[0, 0, 3, 1], "area": -1"#), "annotation 0: the area is -1"),
            (dataset(image, r#"[0, 0, 3, 1], "iscrowd": "no""#), "expected 0, 1 or a boolean"),
            (dataset(r#"{"id": 1}, {"id": 1}"#, "[0, 0, 1, 1]"), "image id 1 is listed twice"),
            (dataset(image, "[0, 0, 1, 1]") + "x", "trailing characters"),
            (
                r#"[{"image_id": 1, "category_id": 1, "score": 1}]"#.to_string(),
                "missing field `bbox`",
            ),
        ] {
            let (_folder, path) = written(&text);
            let error = read_dataset(&path).unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("file.json"), "{text}: {error}");
        }
        let error = read_dataset(Path::new("/nonexistent/a.json")).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
    }
}

//! Reads COCO files in one pass: no document tree, only the fields that detection needs.
//!
//! The text is read whole (a file of 700,000 results is about 100 MB) and released before the
//! answer is used. serde_json calls the visitors of [`super::document`] as it parses, so that an
//! annotation costs 80 bytes and nothing else; numbers are rounded correctly, as Python's reader
//! rounds them.
//!
//! What pycocotools takes is taken ([`super::values`]). An entry that cannot be understood refuses
//! the file, in one message with the first ten of them; a box that is none is left out and counted.

use super::document::{Document, parse};
use super::records::Kind;
use super::{CocoFile, odd_numbers};
use crate::{Error, Result, memory};
use std::collections::HashSet;
use std::path::Path;

/// Reads a data set: an object with `images`, `categories` and `annotations`.
///
/// Boxes with a side that is NaN, infinite or negative, and such areas, are left out
/// ([`CocoFile::left_out`]).
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] with what is wrong and where: not JSON, a missing key, entries
/// with a field of another kind (index, id and field of the first ten), an image id listed twice.
pub fn read_dataset(path: &Path) -> Result<CocoFile> {
    let document = read_document(path, Kind::DataSet)?;
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
/// annotations carry `score`. Boxes are left out as by [`read_dataset`].
///
/// # Errors
/// As [`read_dataset`], `images` and `categories` being optional and `score` not.
pub fn read_detections(path: &Path) -> Result<CocoFile> {
    let document = read_document(path, Kind::Detections)?;
    match document.has_annotations {
        true => Ok(document.file),
        false => Err(Error::format(path, "detections must be a list, or have `annotations`")),
    }
}

fn read_document(path: &Path, kind: Kind) -> Result<Document> {
    let mut bytes = memory::read_file(path)?;
    // The text is held while it becomes images and annotations, which take no more than it does.
    memory::probe(bytes.len() as u64, "images and annotations")?;
    let mut parsed = parse(&bytes, kind);
    // Only a file that JSON does not allow is looked through for what Python writes all the same.
    if parsed.is_err() && odd_numbers::replace(&mut bytes) {
        parsed = parse(&bytes, kind);
    }
    let mut document =
        parsed.map_err(|reason| Error::format(path, format!("not a COCO file: {reason}")))?;
    drop(bytes);
    if !document.problems.is_empty() {
        let (count, problems) = (document.problems.count(), &document.problems);
        let reason = match count {
            1 => problems.to_string(),
            _ => format!("{count} entries cannot be read: {problems}"),
        };
        return Err(Error::format(path, reason));
    }
    document.settle_ids().map_err(|reason| Error::format(path, reason))?;
    let file = &document.file;
    let mut seen = HashSet::with_capacity(file.images.len());
    match file.images.iter().find(|image| !seen.insert(image.id)) {
        Some(image) => {
            let id = file.image_texts.shown(image.id);
            Err(Error::format(path, format!("image id {id} is listed twice")))
        }
        None => Ok(document),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CocoCategory;
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
        assert_eq!(file.categories[0], CocoCategory::new(5, "cat"));
        assert_eq!(file.annotations[0].bounds, [0.1, 2.0, 3.0, 4.0]);
        assert_eq!((file.annotations[0].area, file.annotations[0].is_crowd), (7.5, true));
        assert_eq!((file.annotations[1].area, file.annotations[1].is_crowd), (4.0, false));
        let error = read_detections(&path).unwrap_err().to_string();
        assert!(error.contains("annotation 0 (id 1): `score` is missing"), "{error}");
        assert!(error.contains("annotation 1: `score` is missing"), "{error}");
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

    fn dataset(images: &str, rest: &str) -> String {
        let annotation = r#"{"id": 4, "image_id": 1, "category_id": 1, "bbox": "#;
        format!(
            r#"{{"images": [{images}], "categories": [], "annotations": [{annotation}{rest}}}]}}"#
        )
    }

    #[test]
    fn bad_files_are_named_with_what_and_where() {
        let image = r#"{"id": 1}"#;
        for (text, wanted) in [
            ("not json".to_string(), "not a COCO file: expected ident at line 1 column 2"),
            ("7".to_string(), "expected a COCO data set"),
            (r#"{"images": []"#.to_string(), "EOF"),
            (r#"{"images": [], "annotations": []}"#.to_string(), "key `categories`"),
            (dataset(image, "[0, 0, 3]"), "annotation 0 (id 4): `bbox` is a list of 3, not of 4"),
            (dataset(image, r#"[0, "1", 3, 4]"#), "`bbox` is no number at place 1"),
            (dataset(image, "{}"), "`bbox` is not a list"),
            (dataset(image, r#"[0, 0, 3, 1], "iscrowd": "no""#), "`iscrowd` is the text \"no\""),
            (dataset(image, r#"[0, 0, 3, 1], "area": [1]"#), "`area` is a list, not a number"),
            (dataset(image, r#"[0, 0, 3, 1], "image_id": 1.5"#), "`image_id` is 1.5, not a whole"),
            (dataset(image, r#"[0, 0, 3, 1], "category_id": null"#), "`category_id` is null"),
            (dataset("7", "[0, 0, 3, 1]"), "image 0: 7, not an object"),
            (dataset(r#"{"id": "a", "width": -3}"#, "[0, 0, 3, 1]"), "image 0 (id \"a\"): `width`"),
            (dataset(r#"{"id": 1}, {"id": 1.0}"#, "[0, 0, 1, 1]"), "image id 1 is listed twice"),
            (dataset(image, "[0, 0, 1, 1]") + "x", "trailing characters"),
            (
                r#"[{"image_id": 1, "category_id": 1, "score": 1}]"#.to_string(),
                "annotation 0: `bbox` is missing",
            ),
        ] {
            let (_folder, path) = written(&text);
            let error = read_dataset(&path).unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("file.json"), "{text}: {error}");
        }
        let error = read_dataset(Path::new("/nonexistent/a.json")).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
    }

    #[test]
    fn ten_bad_entries_are_named_and_the_others_counted() {
        let entries =
            (0..14).map(|id| format!(r#"{{"id": {id}, "image_id": 1, "bbox": [0, 0, 1]}}"#));
        let (_folder, path) = written(&format!("[{}]", entries.collect::<Vec<_>>().join(",")));
        let error = read_detections(&path).unwrap_err().to_string();
        assert!(error.contains("14 entries cannot be read: annotation 0 (id 0): `category_id`"));
        assert!(error.contains("annotation 9 (id 9)") && !error.contains("annotation 10"));
        assert!(error.ends_with("; and 4 more"), "{error}");
    }

    #[test]
    fn what_is_no_box_is_left_out_alone() {
        for bounds in [
            "[0, 0, NaN, 1]",
            "[0, 0, 1e999, 1]",
            "[0, 0, -3, 1]",
            "[0, -Infinity, 3, 1]",
            "[null, 0, 3, 1]",
            r#"[0, 0, 3, 1], "area": -1"#,
            r#"[0, 0, 3, 1], "area": NaN"#,
            r#"[0, 0, 1e200, 1e200]"#,
        ] {
            let good = r#"}, {"image_id": 1, "category_id": 1, "bbox": [0, 0, 3, 1]"#;
            let (_folder, path) = written(&dataset(r#"{"id": 1}"#, &(bounds.to_string() + good)));
            let file = read_dataset(&path).unwrap();
            assert_eq!((file.annotations.len(), file.left_out.count()), (1, 1), "{bounds}");
            let described = &file.left_out.described()[0];
            assert!(described.starts_with("annotation 0 (id 4): `"), "{described}");
        }
    }

    #[test]
    fn ids_that_are_texts_are_one_wherever_they_stand() {
        let (_folder, path) = written(
            r#"{"annotations": [{"image_id": "b", "category_id": "y", "bbox": [0, 0, 1, 1]},
                                {"image_id": 3.0, "category_id": "x", "bbox": [0, 0, 1, 1]}],
                "categories": [{"id": "x"}, {"id": "y"}],
                "images": [{"id": "a"}, {"id": 3}, {"id": "b"}]}"#,
        );
        let file = read_dataset(&path).unwrap();
        let ids: Vec<_> = file.images.iter().map(|image| image.id).collect();
        assert_eq!(ids, [i64::MIN, 3, i64::MIN + 1]);
        assert_eq!([file.annotations[0].image_id, file.annotations[1].image_id], [ids[2], ids[1]]);
        assert_eq!(file.annotations[0].category_id, file.categories[1].id);
        let written: Vec<_> =
            file.images.iter().map(|image| image.id_form.written(image.id).to_string()).collect();
        assert_eq!(written, ["\"a\"", "3", "\"b\""]);
    }
}

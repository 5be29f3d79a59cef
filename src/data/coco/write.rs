//! Writes COCO files, ids as they came, the same bytes for the same input: fixed keys in a fixed order, one record
//! for each line, the shortest decimals that read back as the same f32.
//!
//! Both writers take iterators, so that a data set that does not fit into memory can be written,
//! and a file appears under its name only when it is complete.

use super::foreign_ids::{IdForm, WrittenId};
use super::{CocoCategory, CocoImage, LabelledBox};
use crate::data::atomic_file;
use crate::geometry::{BoundingBox, to_xywh};
use crate::{Error, Result};
use serde::Serialize;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

/// Writes a data set: images, all categories, and boxes with annotation ids from 1 in the given
/// order. `description` goes into `info`.
///
/// # Errors
/// The first error of an iterator; [`Error::NonFinite`]; [`Error::Io`]. No file is then left or replaced.
pub fn write_dataset(
    path: &Path,
    description: &str,
    images: impl IntoIterator<Item = Result<CocoImage>>,
    categories: &[CocoCategory],
    boxes: impl IntoIterator<Item = Result<LabelledBox>>,
) -> Result<()> {
    let (mut images, mut boxes) = (images.into_iter(), boxes.into_iter());
    write_lists(path, description, &mut images, categories, &mut boxes)
}

/// The code of [`write_dataset`], once for all iterators.
fn write_lists(
    path: &Path,
    description: &str,
    images: Items<'_, CocoImage>,
    categories: &[CocoCategory],
    boxes: Items<'_, LabelledBox>,
) -> Result<()> {
    whole_file(path, &mut |output| {
        let (mut image_forms, category_forms) = (IdForms::default(), IdForms::of(categories));
        output.text("{\"info\": ")?;
        output.record(&Info { description })?;
        output.text(",\n\"licenses\": [],\n\"images\": ")?;
        output.list(images, |_, image| {
            image_forms.add(image.id, &image.id_form);
            ImageRecord {
                id: image.id_form.written(image.id),
                file_name: image.file_name,
                width: image.width,
                height: image.height,
            }
        })?;
        output.text(",\n\"categories\": ")?;
        output.list(&mut categories.iter().map(Ok), |_, category| CategoryRecord {
            id: category.id_form.written(category.id),
            name: &category.name,
        })?;
        output.text(",\n\"annotations\": ")?;
        output.list(&mut boxes.map(finite), |index, labelled| {
            let bbox = to_xywh(&labelled.bounds);
            AnnotationRecord {
                // pycocotools takes an id of 0 for "not matched".
                id: index + 1,
                image_id: image_forms.written(labelled.image_id),
                category_id: category_forms.written(labelled.category_id),
                bbox,
                area: f64::from(bbox[2]) * f64::from(bbox[3]),
                iscrowd: 0,
                score: labelled.score,
            }
        })?;
        output.text("}\n")
    })
}

/// Writes a list of results, the form that `loadRes` of pycocotools reads. A box without a score
/// gets 1. `images` and `categories` say how ids are written; those that they lack are integers.
///
/// # Errors
/// As [`write_dataset`].
pub fn write_detections(
    path: &Path,
    images: &[CocoImage],
    categories: &[CocoCategory],
    boxes: impl IntoIterator<Item = Result<LabelledBox>>,
) -> Result<()> {
    let mut image_forms = IdForms::default();
    images.iter().for_each(|image| image_forms.add(image.id, &image.id_form));
    write_results(path, &image_forms, &IdForms::of(categories), &mut boxes.into_iter())
}

/// The code of [`write_detections`], once for all iterators.
fn write_results(
    path: &Path,
    image_forms: &IdForms,
    category_forms: &IdForms,
    boxes: Items<'_, LabelledBox>,
) -> Result<()> {
    whole_file(path, &mut |output| {
        output.list(&mut boxes.map(finite), |_, labelled| DetectionRecord {
            image_id: image_forms.written(labelled.image_id),
            category_id: category_forms.written(labelled.category_id),
            bbox: to_xywh(&labelled.bounds),
            score: labelled.score.unwrap_or(1.0),
        })?;
        output.text("\n")
    })
}

/// What is written one by one, and may fail on the way.
type Items<'a, T> = &'a mut dyn Iterator<Item = Result<T>>;

/// JSON has no NaN: a box that is not finite would become one that cannot be read.
fn finite(labelled: Result<LabelledBox>) -> Result<LabelledBox> {
    let labelled = labelled?;
    let numbers = labelled.bounds.into_iter().chain(labelled.score);
    match numbers.enumerate().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => {
            let name = format!("box of image {}", labelled.image_id);
            Err(Error::NonFinite { name, index, value })
        }
        None => Ok(labelled),
    }
}

#[derive(Serialize)]
struct Info<'a> {
    description: &'a str,
}

#[derive(Serialize)]
struct ImageRecord {
    id: WrittenId,
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct CategoryRecord<'a> {
    id: WrittenId,
    name: &'a str,
}

#[derive(Serialize)]
struct AnnotationRecord {
    id: u64,
    image_id: WrittenId,
    category_id: WrittenId,
    bbox: BoundingBox,
    area: f64,
    iscrowd: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
}

#[derive(Serialize)]
struct DetectionRecord {
    image_id: WrittenId,
    category_id: WrittenId,
    bbox: BoundingBox,
    score: f32,
}

/// How ids are written, of those that are not integers.
#[derive(Default)]
struct IdForms(HashMap<i64, IdForm>);

impl IdForms {
    fn of(categories: &[CocoCategory]) -> IdForms {
        let mut forms = IdForms::default();
        categories.iter().for_each(|category| forms.add(category.id, &category.id_form));
        forms
    }

    fn add(&mut self, id: i64, form: &IdForm) {
        if *form != IdForm::Integer {
            self.0.insert(id, form.clone());
        }
    }

    fn written(&self, id: i64) -> WrittenId {
        self.0.get(&id).unwrap_or(&IdForm::Integer).written(id)
    }
}

/// What stops a file half-way: its storage, or what should be written into it.
enum Stop {
    Storage(io::Error),
    Source(Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Storage(error)
    }
}

fn whole_file(
    path: &Path,
    write: &mut dyn FnMut(&mut Output) -> std::result::Result<(), Stop>,
) -> Result<()> {
    let mut source_error = None;
    let written = atomic_file::write_with(path, |writer| {
        write(&mut Output { writer }).map_err(|stop| match stop {
            Stop::Storage(error) => error,
            Stop::Source(error) => {
                let text = error.to_string();
                source_error = Some(error);
                io::Error::other(text)
            }
        })
    });
    match source_error {
        Some(error) => Err(error),
        None => written,
    }
}

struct Output<'a> {
    writer: &'a mut dyn Write,
}

impl Output<'_> {
    fn text(&mut self, text: &str) -> std::result::Result<(), Stop> {
        Ok(self.writer.write_all(text.as_bytes())?)
    }

    fn record(&mut self, record: &impl Serialize) -> std::result::Result<(), Stop> {
        Ok(serde_json::to_writer(&mut *self.writer, record).map_err(io::Error::from)?)
    }

    fn list<T, R: Serialize>(
        &mut self,
        items: Items<'_, T>,
        mut to_record: impl FnMut(u64, T) -> R,
    ) -> std::result::Result<(), Stop> {
        self.text("[")?;
        for (index, item) in items.enumerate() {
            self.text(if index == 0 { "\n" } else { ",\n" })?;
            self.record(&to_record(index as u64, item.map_err(Stop::Source)?))?;
        }
        self.text("]")
    }
}

#[cfg(test)]
mod tests {
    use super::super::pseudo_categories;
    use super::super::read::{read_dataset, read_detections};
    use super::*;

    fn boxes() -> Vec<LabelledBox> {
        vec![
            LabelledBox {
                image_id: 2,
                category_id: 1,
                bounds: [0.1, 2.0, 3.5, 4.0],
                score: Some(0.25),
            },
            LabelledBox { image_id: 1, category_id: 0, bounds: [0.0, 0.0, 1e-7, 1.0], score: None },
        ]
    }

    fn image() -> CocoImage {
        CocoImage::new(1, "a \"b\".jpg", 7, 5)
    }

    #[test]
    fn a_data_set_has_exactly_these_bytes_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("T0.json");
        let boxes = boxes().into_iter().map(Ok);
        write_dataset(&path, "T_0", [Ok(image())], &pseudo_categories(2), boxes).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = r#"{"info": {"description":"T_0"},
"licenses": [],
"images": [
{"id":1,"file_name":"a \"b\".jpg","width":7,"height":5}],
"categories": [
{"id":0,"name":"pseudo-0"},
{"id":1,"name":"pseudo-1"}],
"annotations": [
{"id":1,"image_id":2,"category_id":1,"bbox":[0.1,2.0,3.4,2.0],"area":6.800000190734863,"iscrowd":0,"score":0.25},
{"id":2,"image_id":1,"category_id":0,"bbox":[0.0,0.0,1e-7,1.0],"area":1.0000000116860974e-7,"iscrowd":0}]}
"#;
        assert_eq!(text, expected);
        let file = read_dataset(&path).unwrap();
        assert_eq!(file.images, [image()]);
        assert_eq!(file.categories, pseudo_categories(2));
        assert_eq!(file.annotations[0].score, Some(0.25));
    }

    #[test]
    fn results_read_back_and_boxes_without_a_score_get_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("detections.json");
        write_detections(&path, &[], &[], boxes().into_iter().map(Ok)).unwrap();
        let scores: Vec<_> =
            read_detections(&path).unwrap().annotations.iter().map(|one| one.score).collect();
        assert_eq!(scores, [Some(0.25), Some(1.0)]);
    }

    #[test]
    fn ids_are_written_as_they_came() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        let form = |text: &str| IdForm::Text(text.into());
        let images = [
            CocoImage { id_form: form("a"), ..CocoImage::new(1, "1.jpg", 7, 5) },
            CocoImage { id_form: IdForm::Float, ..CocoImage::new(2, "2.jpg", 7, 5) },
        ];
        let mut categories = pseudo_categories(2);
        categories[0].id_form = form("cat");
        write_detections(&path, &images, &categories, boxes().into_iter().map(Ok)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#""image_id":2.0,"category_id":1,"#), "{text}");
        assert!(text.contains(r#""image_id":"a","category_id":"cat","#), "{text}");
        let listed = images.into_iter().map(Ok);
        write_dataset(&path, "", listed, &categories, boxes().into_iter().map(Ok)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#"{"id":"a","file_name""#), "{text}");
        assert!(text.contains(r#"{"id":2,"image_id":"a","category_id":"cat""#), "{text}");
        assert_eq!(read_dataset(&path).unwrap().images[1].id_form, IdForm::Float);
    }

    #[test]
    fn an_error_of_the_source_comes_back_as_it_is_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("T0.json");
        let boxes = [Ok(boxes()[0]), Err(Error::Cancelled)];
        let error = write_dataset(&path, "", [Ok(image())], &[], boxes).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error}");
        let broken = LabelledBox { score: Some(f32::NAN), ..self::boxes()[0] };
        let error = write_detections(&path, &[], &[], [Ok(broken)]).unwrap_err();
        assert!(matches!(error, Error::NonFinite { index: 4, .. }), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

//! The report of a run: one HTML file that needs nothing else, neither network nor scripts.
//!
//! Pictures are JPEG in base64, boxes and histograms are inline SVG, colours follow the reader's
//! light or dark setting. The report knows nothing of how a run is stored: it is written from a
//! [`ReportInput`], which the pipeline fills.

mod charts;
mod curves;
mod markup;
mod parts;
mod pictures;

pub use charts::Histogram;
pub use curves::{Curves, Line};
pub use parts::{ReportClass, ReportImage, ReportTable};

use crate::data::atomic_file;
use crate::{Error, Result};
use markup::{Page, escape};
use std::path::Path;

/// Everything that a report shows. Empty lists leave their section out.
#[derive(Debug, Clone, Default)]
pub struct ReportInput {
    pub title: String,
    /// One sentence under the title.
    pub subtitle: String,
    /// The numbers to see first: name and value.
    pub counts: Vec<(String, String)>,
    /// Figures of an evaluation, for example.
    pub tables: Vec<ReportTable>,
    /// Progress of training.
    pub curves: Vec<Curves>,
    /// The same image with the labels of each stage, a row for each image.
    pub comparisons: Vec<Vec<ReportImage>>,
    /// Images with their boxes.
    pub images: Vec<ReportImage>,
    /// Frequent pseudo-classes, most frequent first.
    pub classes: Vec<ReportClass>,
    pub histograms: Vec<Histogram>,
    /// Every key of the configuration and its value.
    pub settings: Vec<(String, String)>,
}

/// Writes the report; a file of that name is replaced.
///
/// # Errors
/// [`Error::Shape`] for an image whose boxes and classes differ in number, or whose pixels do not
/// fit its sides; [`Error::Io`].
pub fn write(path: &Path, input: &ReportInput) -> Result<()> {
    atomic_file::write(path, html(input)?.as_bytes())
}

/// Whether `bytes` are a report that this library wrote.
pub fn is_ours(bytes: &[u8]) -> bool {
    bytes
        .windows(markup::GENERATOR.len())
        .take(1024)
        .any(|part| part == markup::GENERATOR.as_bytes())
}

/// The report as one HTML document.
///
/// # Errors
/// As [`write`], without [`Error::Io`].
pub fn html(input: &ReportInput) -> Result<String> {
    for image in input.images.iter().chain(input.comparisons.iter().flatten()) {
        if image.boxes.len() != image.classes.len() {
            let got = format!("{} classes", image.classes.len());
            let expected = format!("{} classes, one for each box", image.boxes.len());
            return Err(Error::shape(image.name.clone(), expected, got));
        }
    }
    let mut page = Page::new(&input.title, &input.subtitle);
    if !input.counts.is_empty() {
        page.tiles(&input.counts);
    }
    if !input.tables.is_empty() {
        page.section("Evaluation", |page| page.tables(&input.tables));
    }
    if !input.curves.is_empty() {
        let charts: String = input.curves.iter().map(curves::figure).collect();
        page.section("Training", |page| {
            page.raw(&format!("<div class=\"charts\">{charts}</div>"));
        });
    }
    if !input.comparisons.is_empty() {
        let note = "The same images with the labels of each stage, best boxes first.";
        let rows = input.comparisons.iter().map(|row| pictures::image_sheet(row));
        let sheets = rows.collect::<Result<String>>()?;
        page.section("Stages", |page| page.noted(note, &sheets));
    }
    if !input.images.is_empty() {
        let note = "Boxes are coloured by pseudo-class; point at one to see its number.";
        let sheet = pictures::image_sheet(&input.images)?;
        page.section("Images", |page| page.noted(note, &sheet));
    }
    if !input.classes.is_empty() {
        let note = "The most frequent pseudo-classes, with some of their boxes cut out.";
        let sheet = pictures::class_sheets(&input.classes)?;
        page.section("Pseudo-classes", |page| page.noted(note, &sheet));
    }
    if !input.histograms.is_empty() {
        let charts: String = input.histograms.iter().map(charts::figure).collect();
        page.section("Distributions", |page| {
            page.raw(&format!("<div class=\"charts\">{charts}</div>"));
        });
    }
    if !input.settings.is_empty() {
        let rows = input.settings.iter().map(|(key, value)| {
            format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(key), escape(value))
        });
        let list = format!("<dl class=\"settings\">{}</dl>", rows.collect::<String>());
        page.section("Settings", |page| page.raw(&list));
    }
    Ok(page.finish())
}

#[cfg(test)]
mod tests {
    use super::pictures::class_colour;
    use super::*;
    use crate::data::image::Image;

    fn input() -> ReportInput {
        let image = Image::filled(64, 48, [10, 200, 30]).unwrap();
        ReportInput {
            title: "Run <1> & \"more\"".into(),
            counts: vec![("images".into(), "1".into())],
            images: vec![ReportImage {
                name: "a<b>.png".into(),
                image: image.clone(),
                boxes: vec![[1.0, 2.0, 30.0, 40.0]],
                classes: vec![7],
            }],
            classes: vec![ReportClass { class: 7, boxes_count: 12, crops: vec![image] }],
            histograms: vec![Histogram::whole_numbers("Proposals", "proposals", [1, 2, 2])],
            settings: vec![("seed".into(), "0".into())],
            ..ReportInput::default()
        }
    }

    #[test]
    fn the_page_stands_alone_and_escapes_its_texts() {
        let html = html(&input()).unwrap();
        for outside in ["http://", "https://", "src=\"/", "<script", "@import", "url("] {
            assert!(!html.replace("http://www.w3.org/2000/svg", "").contains(outside), "{outside}");
        }
        assert!(html.contains("Run &lt;1&gt; &amp; &quot;more&quot;") && !html.contains("<1>"));
        assert!(html.contains("a&lt;b&gt;.png") && html.contains("data:image/jpeg;base64,"));
        assert!(html.contains(&class_colour(7)) && html.contains("12 boxes"));
        assert!(html.ends_with("</html>\n"));
        assert!(is_ours(html.as_bytes()) && !is_ours(b"<!DOCTYPE html>\n<html></html>\n"));
    }

    #[test]
    fn sections_without_content_are_left_out() {
        let html = html(&ReportInput { title: "Empty".into(), ..ReportInput::default() }).unwrap();
        assert!(!html.contains("<section") && html.contains("Empty"));
    }

    #[test]
    fn boxes_without_classes_are_refused_with_both_numbers() {
        let mut input = input();
        input.images[0].classes.clear();
        let error = html(&input).unwrap_err().to_string();
        assert!(error.contains("1 classes") && error.contains("0 classes"), "{error}");
    }
}

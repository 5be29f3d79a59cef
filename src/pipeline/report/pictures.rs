//! Images with boxes over them, and crops of pseudo-classes.

use super::markup::escape;
use super::parts::{ReportClass, ReportImage};
use crate::Result;
use crate::data::image::{Image, encode, resize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;

/// Longest side of an image of the sheet: sharp at the sheet's column width of 270 to 400 points.
const IMAGE_SIDE_MAX: u32 = 480;
/// Height of a crop: the height at which it is shown, and half again for dense screens.
const CROP_HEIGHT: u32 = 108;
/// A crop wider than this many heights would fill its row.
const CROP_ASPECT_MAX: u32 = 3;
/// At these sizes, JPEG's artefacts are not seen from here on.
const JPEG_QUALITY: u8 = 82;

pub(super) fn image_sheet(images: &[ReportImage]) -> Result<String> {
    let mut html = String::from("<div class=\"sheet\">");
    for one in images {
        let Image { width, height, .. } = one.image;
        let long_side = width.max(height);
        let picture = if long_side > IMAGE_SIDE_MAX {
            let scaled = |side: u32| (side * IMAGE_SIDE_MAX).div_ceil(long_side);
            resize(&one.image, scaled(width), scaled(height))?
        } else {
            one.image.clone()
        };
        let source = data_url(&picture)?;
        // Large boxes first, so that small ones inside them can be pointed at.
        let mut boxes: Vec<_> = one.boxes.iter().zip(&one.classes).collect();
        boxes.sort_by(|a, b| crate::geometry::area(b.0).total_cmp(&crate::geometry::area(a.0)));
        let outlines: String = boxes
            .into_iter()
            .map(|([x0, y0, x1, y1], &class)| {
                format!(
                    "<rect x=\"{x0:.1}\" y=\"{y0:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
                     stroke=\"{}\"><title>pseudo-class {class}</title></rect>",
                    x1 - x0,
                    y1 - y0,
                    class_colour(class)
                )
            })
            .collect();
        let name = escape(&one.name);
        let count = counted_boxes(one.boxes.len() as u64);
        let _ = writeln!(
            html,
            "<figure class=\"picture\"><div class=\"frame\"><img alt=\"{name}\" src=\"{source}\">\
             <svg viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">{outlines}</svg>\
             </div><figcaption title=\"{name}\">{name} · {count}</figcaption></figure>"
        );
    }
    html.push_str("</div>");
    Ok(html)
}

pub(super) fn class_sheets(classes: &[ReportClass]) -> Result<String> {
    let mut html = String::new();
    for one in classes {
        let _ = write!(
            html,
            "<div class=\"class\"><div style=\"border-color: {}\"><b>{}</b>\
             <span>{}</span></div><div class=\"crops\">",
            class_colour(one.class),
            one.class,
            counted_boxes(one.boxes_count)
        );
        for crop in &one.crops {
            let width = (f64::from(crop.width) * f64::from(CROP_HEIGHT) / f64::from(crop.height))
                .round()
                .clamp(1.0, f64::from(CROP_HEIGHT * CROP_ASPECT_MAX));
            let source = data_url(&resize(crop, width as u32, CROP_HEIGHT)?)?;
            let _ = write!(html, "<img alt=\"\" src=\"{source}\">");
        }
        html.push_str("</div></div>\n");
    }
    Ok(html)
}

fn counted_boxes(count: u64) -> String {
    if count == 1 { "1 box".to_string() } else { format!("{count} boxes") }
}

fn data_url(image: &Image) -> Result<String> {
    let bytes = encode::jpeg(image, JPEG_QUALITY)?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes)))
}

/// The colour of a pseudo-class: neighbours in number are far apart in hue, by the golden angle.
pub(super) fn class_colour(class: u32) -> String {
    let hue = (f64::from(class) * 137.507_764).rem_euclid(360.0);
    // Three levels of lightness tell apart hues that come close after many classes.
    let lightness = 46 + 9 * (class % 3);
    format!("hsl({hue:.0} 80% {lightness}%)")
}

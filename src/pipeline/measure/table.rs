//! The rows as text: the same table for the command line and the report.

use super::{MeasuredImages, MeasuredKind, MeasuredRow};
use std::fmt::Write;

/// What stands above the columns, that of the names first.
pub const COLUMNS: [&str; 9] =
    ["x100", "boxes", "AP", "AP50", "AR@1", "AR@10", "AR@25", "AR@100", "own labels"];

/// The images as a heading.
pub fn title(images: MeasuredImages) -> &'static str {
    match images {
        MeasuredImages::HeldOut => "Held-out images, which training did not see",
        MeasuredImages::Training => "Training images",
    }
}

/// What a row is called.
pub fn name(row: &MeasuredRow) -> String {
    match row.kind {
        MeasuredKind::Proposals => format!("T_0, at most {} boxes", row.boxes_max),
        MeasuredKind::FixedBoxes => format!("{} fixed boxes", row.boxes_max),
        MeasuredKind::Detector => format!("detector of stage {}", row.stage),
        MeasuredKind::Labels => format!("labels T_{}", row.stage),
    }
}

/// A text for each of [`COLUMNS`].
pub fn cells(row: &MeasuredRow) -> [String; 9] {
    let percent = |figure: f64| match figure {
        figure if figure < 0.0 => "–".to_string(),
        figure => format!("{:.1}", 100.0 * figure),
    };
    let found = &row.figures;
    [
        name(row),
        format!("{:.1}", row.boxes_per_image()),
        percent(found.average_precision),
        percent(found.average_precision_50),
        percent(found.recall_1),
        percent(found.recall_10),
        percent(found.recall_25),
        percent(found.recall_100),
        row.own_recall.map_or_else(|| "–".to_string(), percent),
    ]
}

/// The rows of some images as a table of aligned columns under its title; empty without rows.
pub fn text(rows: &[MeasuredRow], images: MeasuredImages) -> String {
    let of_images: Vec<&MeasuredRow> = rows.iter().filter(|row| row.images == images).collect();
    let Some(first) = of_images.first() else { return String::new() };
    let mut lines = vec![COLUMNS.map(String::from)];
    lines.extend(of_images.iter().map(|row| cells(row)));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = format!("{} ({})\n", title(images), first.images_count);
    for line in &lines {
        let name = &line[0];
        // Writing into a string cannot fail.
        let _ = write!(text, "  {name:<0$}", widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::measure::figures::Figures;

    #[test]
    fn columns_stand_under_their_names() {
        let figures = Figures {
            average_precision: 0.0952,
            average_precision_50: 0.2,
            recall_1: -1.0,
            recall_10: 0.399,
            recall_25: 0.5,
            recall_100: 1.0,
        };
        let row = MeasuredRow {
            images: MeasuredImages::HeldOut,
            kind: MeasuredKind::Proposals,
            stage: 0,
            boxes_max: 25,
            images_count: 64,
            boxes_count: 1_600,
            figures,
            own_recall: None,
        };
        let detector =
            MeasuredRow { kind: MeasuredKind::Detector, stage: 1, own_recall: Some(0.991), ..row };
        let table = text(&[row, detector], MeasuredImages::HeldOut);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "Held-out images, which training did not see (64)");
        assert!(lines[1].trim_start().starts_with("x100") && lines[1].ends_with("own labels"));
        assert!(lines[2].contains("T_0, at most 25 boxes   25.0  9.5  20.0"), "{table}");
        assert!(lines[3].contains("detector of stage 1") && lines[3].ends_with("99.1"), "{table}");
        let ends: Vec<usize> = lines[1..].iter().map(|line| line.chars().count()).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{table}");
        assert_eq!(text(&[row], MeasuredImages::Training), "");
    }
}

//! Figures and documents as the texts that a report shows.

use crate::evaluation::Evaluation;
use crate::pipeline::report::ReportTable;

/// Every key of a document under its whole name.
pub(super) fn flatten(table: &toml::Table, prefix: &str, settings: &mut Vec<(String, String)>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => flatten(inner, &format!("{prefix}{key}."), settings),
            value => settings.push((format!("{prefix}{key}"), value.to_string())),
        }
    }
}

/// The figures of an evaluation.
pub(super) fn figures_table(title: &str, found: &Evaluation) -> ReportTable {
    let row = |(name, value): (String, f64)| vec![name, format!("{value:.4}")];
    ReportTable {
        title: title.into(),
        columns: vec!["figure".into(), "value".into()],
        rows: found.figures().into_iter().map(row).collect(),
    }
}

//! The page around the content: head, style, sections, tables, escaping.

use super::parts::ReportTable;

/// What says whose document it is.
pub(super) const GENERATOR: &str = "<meta name=\"generator\" content=\"simdetr\">";

/// An HTML document that is being written.
pub(super) struct Page {
    html: String,
}

impl Page {
    pub(super) fn new(title: &str, subtitle: &str) -> Page {
        let (title, subtitle) = (escape(title), escape(subtitle));
        let style = include_str!("style.css");
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{GENERATOR}\n\
             <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n\
             <header><h1>{title}</h1><p>{subtitle}</p></header>\n<main>\n"
        );
        Page { html }
    }

    /// Appends markup as it is.
    pub(super) fn raw(&mut self, markup: &str) {
        self.html.push_str(markup);
        self.html.push('\n');
    }

    /// A headed section that `fill` writes.
    pub(super) fn section(&mut self, title: &str, fill: impl FnOnce(&mut Page)) {
        self.raw(&format!("<section>\n<h2>{}</h2>", escape(title)));
        fill(self);
        self.raw("</section>");
    }

    /// A remark above markup.
    pub(super) fn noted(&mut self, note: &str, markup: &str) {
        self.raw(&format!("<p class=\"note\">{}</p>\n{markup}", escape(note)));
    }

    /// Large numbers with their names.
    pub(super) fn tiles(&mut self, counts: &[(String, String)]) {
        let tiles = counts.iter().map(|(name, value)| {
            format!(
                "<div class=\"tile\"><b>{}</b><span>{}</span></div>",
                escape(value),
                escape(name)
            )
        });
        let tiles: String = tiles.collect();
        self.raw(&format!("<div class=\"tiles\">{tiles}</div>"));
    }

    pub(super) fn tables(&mut self, tables: &[ReportTable]) {
        for table in tables {
            let cells = |tag: &str, texts: &[String]| -> String {
                let cells = texts.iter().map(|text| format!("<{tag}>{}</{tag}>", escape(text)));
                format!("<tr>{}</tr>", cells.collect::<String>())
            };
            let head = cells("th", &table.columns);
            let body: String = table.rows.iter().map(|row| cells("td", row)).collect();
            self.raw(&format!(
                "<div class=\"table\"><table><caption>{}</caption>\
                 <thead>{head}</thead><tbody>{body}</tbody></table></div>",
                escape(&table.title)
            ));
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.raw("</main>\n</body>\n</html>");
        self.html
    }
}

/// Text that is safe between tags and in attributes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! Categories that come from several files, under ids that tell all of them apart.

use super::CocoCategory;
use super::foreign_ids::{IdCollector, IdForm, IdTexts};
use std::collections::HashMap;

/// Gives categories from several files ids that tell all of them apart, texts too.
///
/// # Errors
/// The first category whose id another has, as it is written, and a number that stands where the
/// texts do.
pub fn settle(categories: &mut [CocoCategory]) -> Result<IdTexts, String> {
    let mut collector = IdCollector::default();
    for category in categories.iter_mut() {
        category.id = match &category.id_form {
            IdForm::Text(text) => collector.text(text),
            IdForm::Integer | IdForm::Float => collector.number(category.id),
        };
    }
    let (texts, finals) = collector.finish()?;
    let mut seen = HashMap::new();
    for category in categories {
        if matches!(category.id_form, IdForm::Text(_)) {
            finals.replace(&mut category.id);
        }
        if let Some(other) = seen.insert(category.id, category.name.clone()) {
            let (id, name) = (texts.shown(category.id), &category.name);
            return Err(format!("id {id} is that of {other:?} and of {name:?}"));
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_of_several_files_are_told_apart() {
        let text = |text: &str, id: i64| CocoCategory {
            id_form: IdForm::Text(text.into()),
            ..CocoCategory::new(id, text)
        };
        let mut categories = [text("b", i64::MIN), CocoCategory::new(4, "c"), text("a", i64::MIN)];
        let texts = settle(&mut categories).unwrap();
        assert_eq!(categories.each_ref().map(|one| one.id), [i64::MIN + 1, 4, i64::MIN]);
        assert_eq!(texts.shown(categories[0].id), "\"b\"");
        let mut twice = [CocoCategory::new(4, "c"), CocoCategory::new(4, "d")];
        assert_eq!(settle(&mut twice).unwrap_err(), "id 4 is that of \"c\" and of \"d\"");
    }
}

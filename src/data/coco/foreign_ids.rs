//! Ids as other programs write them: integers, whole floats (pandas makes them of a column with a
//! gap) and texts. Python counts `10` and `10.0` as one and `"10"` as another, and so does this.
//!
//! Inside, every id is an i64. A text stands as `i64::MIN` plus its rank among the file's texts, so
//! that texts are ordered as Python orders them; how an id was written is kept beside it.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// How a file writes an id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum IdForm {
    #[default]
    Integer,
    /// With a point: `10.0`.
    Float,
    /// This text; the number beside it is a stand-in.
    Text(Arc<str>),
}

/// An id as it is written into a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WrittenId {
    Integer(i64),
    Float(f64),
    Text(String),
}

impl IdForm {
    /// `id`, which came in this form.
    pub fn written(&self, id: i64) -> WrittenId {
        match self {
            IdForm::Integer => WrittenId::Integer(id),
            IdForm::Float => WrittenId::Float(id as f64),
            IdForm::Text(text) => WrittenId::Text(text.to_string()),
        }
    }
}

impl From<&WrittenId> for IdForm {
    fn from(written: &WrittenId) -> IdForm {
        match written {
            WrittenId::Integer(_) => IdForm::Integer,
            WrittenId::Float(_) => IdForm::Float,
            WrittenId::Text(text) => IdForm::Text(text.as_str().into()),
        }
    }
}

impl std::fmt::Display for WrittenId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WrittenId::Integer(id) => write!(formatter, "{id}"),
            WrittenId::Float(id) => write!(formatter, "{id:?}"),
            WrittenId::Text(text) => write!(formatter, "{text:?}"),
        }
    }
}

/// The texts among the ids of one file, in ascending order of their bytes; mostly none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdTexts(Vec<Arc<str>>);

impl IdTexts {
    /// The text that `id` stands for, or `None` for a number.
    pub fn text(&self, id: i64) -> Option<&Arc<str>> {
        self.0.get(id.abs_diff(i64::MIN) as usize)
    }

    /// `id` as it appears in messages.
    pub fn shown(&self, id: i64) -> String {
        match self.text(id) {
            Some(text) => format!("{text:?}"),
            None => id.to_string(),
        }
    }

    /// The id by which the file of `other` knows what this one calls `id`; `None` for a text that
    /// it does not have.
    pub fn translate(&self, id: i64, other: &IdTexts) -> Option<i64> {
        match self.text(id) {
            Some(text) => other.0.binary_search(text).ok().map(|rank| i64::MIN + rank as i64),
            None if other.text(id).is_some() => None,
            None => Some(id),
        }
    }
}

/// Gathers the texts of a file while it is read, when their ranks are not known yet.
#[derive(Debug)]
pub(super) struct IdCollector {
    texts: Vec<Arc<str>>,
    places: HashMap<Arc<str>, usize>,
    /// The lowest number among the ids.
    lowest: i64,
}

impl Default for IdCollector {
    fn default() -> IdCollector {
        IdCollector { texts: Vec::new(), places: HashMap::new(), lowest: i64::MAX }
    }
}

impl IdCollector {
    /// A number is its own id.
    pub(super) fn number(&mut self, id: i64) -> i64 {
        self.lowest = self.lowest.min(id);
        id
    }

    /// A text's id until [`IdCollector::finish`].
    pub(super) fn text(&mut self, text: &str) -> i64 {
        let place = match self.places.get(text) {
            Some(&place) => place,
            None => {
                let (text, place) = (Arc::<str>::from(text), self.texts.len());
                self.texts.push(Arc::clone(&text));
                self.places.insert(text, place);
                place
            }
        };
        i64::MIN + place as i64
    }

    /// The texts in order, and for each place that was given out the final id.
    ///
    /// # Errors
    /// A number that stands where the texts do.
    pub(super) fn finish(self) -> Result<(IdTexts, FinalIds), String> {
        let mut order: Vec<usize> = (0..self.texts.len()).collect();
        order.sort_unstable_by(|&one, &other| self.texts[one].cmp(&self.texts[other]));
        let mut ids = vec![0; order.len()];
        for (rank, &place) in order.iter().enumerate() {
            ids[place] = i64::MIN + rank as i64;
        }
        let texts =
            IdTexts(order.into_iter().map(|place| Arc::clone(&self.texts[place])).collect());
        match texts.text(self.lowest) {
            Some(_) => Err(format!("id {} cannot stand beside ids that are texts", self.lowest)),
            None => Ok((texts, FinalIds(ids))),
        }
    }
}

/// What the ids of texts become once all are known.
#[derive(Debug, Default)]
pub(super) struct FinalIds(Vec<i64>);

impl FinalIds {
    /// Whether every id is final already.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn replace(&self, id: &mut i64) {
        if let Some(&found) = self.0.get(id.abs_diff(i64::MIN) as usize) {
            *id = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(texts: &[&str]) -> (IdTexts, Vec<i64>) {
        let mut collector = IdCollector::default();
        let mut ids: Vec<i64> = texts.iter().map(|text| collector.text(text)).collect();
        collector.number(-7);
        let (texts, finals) = collector.finish().unwrap();
        ids.iter_mut().for_each(|id| finals.replace(id));
        (texts, ids)
    }

    #[test]
    fn texts_rank_by_their_bytes_and_are_found_in_another_file() {
        let (texts, ids) = collected(&["b", "a", "b", "c"]);
        assert_eq!(ids, [1, 0, 1, 2].map(|rank| i64::MIN + rank));
        assert_eq!((texts.shown(ids[0]), texts.shown(-7)), ("\"b\"".into(), "-7".into()));
        let (other, others) = collected(&["c", "z"]);
        assert_eq!(texts.translate(ids[3], &other), Some(others[0]));
        assert_eq!(texts.translate(ids[0], &other), None);
        assert_eq!(texts.translate(-7, &other), Some(-7));
        assert_eq!(IdTexts::default().translate(i64::MIN, &other), None, "a text's stand-in");
        assert_eq!(IdTexts::default().translate(i64::MIN, &IdTexts::default()), Some(i64::MIN));
    }

    #[test]
    fn a_number_in_the_place_of_a_text_is_refused() {
        let mut collector = IdCollector::default();
        collector.text("a");
        collector.number(i64::MIN);
        let reason = collector.finish().unwrap_err();
        assert!(reason.contains("-9223372036854775808"), "{reason}");
        let mut collector = IdCollector::default();
        collector.number(i64::MIN);
        assert!(collector.finish().unwrap().1.is_empty());
    }

    #[test]
    fn ids_are_written_as_they_came() {
        let json = |form: IdForm| serde_json::to_string(&form.written(10)).unwrap();
        assert_eq!(json(IdForm::Integer), "10");
        assert_eq!(json(IdForm::Float), "10.0");
        assert_eq!(json(IdForm::Text("a\"b".into())), r#""a\"b""#);
        let read: WrittenId = serde_json::from_str("10.0").unwrap();
        assert_eq!(IdForm::from(&read), IdForm::Float);
    }
}

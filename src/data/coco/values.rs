//! Values of a file's fields, read without refusing any: what was expected is told from what was
//! found only afterwards, so that one message can name every bad entry.

use super::foreign_ids::{IdCollector, IdForm};
use super::odd_numbers;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Any value; of lists and objects nothing is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Scalar<'de> {
    /// The field is not there.
    #[default]
    Missing,
    Null,
    Flag(bool),
    Integer(i64),
    /// NaN and infinities too.
    Float(f64),
    Text(Cow<'de, str>),
    List,
    Object,
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Scalar::Missing => formatter.write_str("missing"),
            Scalar::Null => formatter.write_str("null"),
            Scalar::Flag(value) => write!(formatter, "{value}"),
            Scalar::Integer(value) => write!(formatter, "{value}"),
            Scalar::Float(value) => write!(formatter, "{value:?}"),
            Scalar::Text(text) => write!(formatter, "the text {text:?}"),
            Scalar::List => formatter.write_str("a list"),
            Scalar::Object => formatter.write_str("an object"),
        }
    }
}

impl Scalar<'_> {
    /// The id that this is, noted by `ids`; `None` for what is no id.
    pub(super) fn id(&self, ids: &mut IdCollector) -> Option<i64> {
        match self {
            Scalar::Text(text) => Some(ids.text(text)),
            _ => self.whole().map(|id| ids.number(id)),
        }
    }

    /// How the id is written.
    pub(super) fn id_form(&self) -> IdForm {
        match self {
            Scalar::Text(text) => IdForm::Text(text.as_ref().into()),
            Scalar::Float(_) => IdForm::Float,
            _ => IdForm::Integer,
        }
    }

    /// A number without a fraction; `None` for another and for what is no number.
    pub(super) fn whole(&self) -> Option<i64> {
        // 2^63, which f64 holds exactly and i64 does not hold.
        const END: f64 = 9_223_372_036_854_775_808.0;
        match self {
            Scalar::Integer(value) => Some(*value),
            Scalar::Float(value) if value.fract() == 0.0 && (-END..END).contains(value) => {
                Some(*value as i64)
            }
            _ => None,
        }
    }

    /// A name: a text, or a number as a text; empty where the file says nothing, for which pandas
    /// writes NaN. `None` for what is no name.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Scalar::Missing | Scalar::Null => Some(String::new()),
            Scalar::Float(value) if value.is_nan() => Some(String::new()),
            Scalar::Text(text) => Some(text.to_string()),
            Scalar::Float(value) => {
                let whole = self.whole().map(|whole| whole.to_string());
                Some(whole.unwrap_or_else(|| value.to_string()))
            }
            Scalar::Integer(value) => Some(value.to_string()),
            Scalar::Flag(_) | Scalar::List | Scalar::Object => None,
        }
    }

    /// A number of pixels, to the nearest; 0 where the file says nothing. `None` for what is none.
    pub(super) fn side(&self) -> Option<u32> {
        let number = match self {
            Scalar::Missing | Scalar::Null => 0.0,
            Scalar::Float(value) if value.is_nan() => 0.0,
            Scalar::Float(value) => *value,
            Scalar::Integer(value) => *value as f64,
            Scalar::Text(text) => text.trim().parse().ok()?,
            Scalar::Flag(_) | Scalar::List | Scalar::Object => return None,
        };
        (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number.round() as u32)
    }

    /// 0 and 1 of any kind; false where the file says nothing. `None` for what is neither.
    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Scalar::Missing | Scalar::Null => Some(false),
            Scalar::Flag(value) => Some(*value),
            _ => self.whole().map(|value| value != 0),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Reads anything.
pub(super) struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(odd_numbers::meant(text).map_or(Scalar::Text(Cow::Borrowed(text)), Scalar::Float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(json: &str) -> Scalar<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn ids_are_whole_numbers_and_texts() {
        let id = |json| scalar(json).id(&mut IdCollector::default());
        assert_eq!([id("-3"), id("10.0"), id("1e3")], [Some(-3), Some(10), Some(1000)]);
        assert_eq!(id("9223372036854775807"), Some(i64::MAX));
        assert_eq!(id("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(id(r#""10""#), Some(i64::MIN), "the first text, which is not the number");
        for none in ["10.5", "9223372036854775808", "1e300", "null", "true", "[1]", r#"{"a": 1}"#] {
            assert_eq!(id(none), None, "{none}");
        }
        assert_eq!(scalar("10.0").id_form(), IdForm::Float);
    }

    #[test]
    fn names_sides_and_flags_are_taken_as_pandas_and_python_write_them() {
        let name = |json| scalar(json).name();
        assert_eq!([name("null"), name("1"), name("2.0")], ["", "1", "2"].map(|n| Some(n.into())));
        assert_eq!([name(r#""a\u00e9""#), name("\"\x7F\"")], ["aé", ""].map(|n| Some(n.into())));
        assert_eq!(name("[]"), None);
        let side = |json| scalar(json).side();
        assert_eq!(
            [side("640.0"), side("null"), side(r#""480""#)],
            [Some(640), Some(0), Some(480)]
        );
        assert_eq!([side("-1"), side("1e10"), side("[]"), side(r#""wide""#)], [None; 4]);
        let flag = |json| scalar(json).flag();
        assert_eq!([flag("0.0"), flag("1.0"), flag("true")], [Some(false), Some(true), Some(true)]);
        assert_eq!([flag("null"), flag("0.5"), flag(r#""1""#)], [Some(false), None, None]);
    }
}

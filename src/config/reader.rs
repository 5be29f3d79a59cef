//! A TOML value as serde reads it into a type.
//!
//! As `toml` does it, less what no option and no record has: a struct is a table and never a list
//! of its fields, an enum is a name. serde compiles a reader into every type, and without the lists
//! each is half as long; they were 0.1 MB of the library.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use toml::Value;
use toml::de::Error;

/// A value that is being read.
pub(super) struct Reader(pub(super) Value);

impl Reader {
    fn refuse<T>(&self, expected: &dyn serde::de::Expected) -> Result<T, Error> {
        Err(Error::invalid_type(Unexpected::Other(self.0.type_str()), expected))
    }
}

impl IntoDeserializer<'_, Error> for Reader {
    type Deserializer = Reader;

    fn into_deserializer(self) -> Reader {
        self
    }
}

fn read_table<'de, V: Visitor<'de>>(table: toml::Table, visitor: V) -> Result<V::Value, Error> {
    let fields = table.into_iter().map(|(key, value)| (key, Reader(value)));
    visitor.visit_map(MapDeserializer::new(fields))
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(value) => visitor.visit_string(value),
            Value::Integer(value) => visitor.visit_i64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Boolean(value) => visitor.visit_bool(value),
            Value::Datetime(value) => visitor.visit_string(value.to_string()),
            Value::Array(values) => {
                let mut elements = SeqDeserializer::new(values.into_iter().map(Reader));
                let value = visitor.visit_seq(&mut elements)?;
                elements.end()?;
                Ok(value)
            }
            Value::Table(table) => read_table(table, visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Table(table) => read_table(table, visitor),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(name.into_deserializer()),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        NoObject,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Part {
        sides: [f32; 2],
        counts: Vec<u16>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Record {
        name: String,
        kind: Kind,
        limit: Option<u64>,
        absent: Option<u64>,
        parts: Vec<Part>,
    }

    fn read(text: &str) -> Result<Record, Error> {
        Record::deserialize(Reader(Value::Table(toml::from_str(text)?)))
    }

    const START: &str = "name = 'a'\nkind = 'no_object'\nlimit = 7\n";

    #[test]
    fn a_record_is_what_tomls_own_reader_makes_of_it() {
        let text = format!("{START}[[parts]]\nsides = [0.5, 1.0]\ncounts = [1, 65535]\n");
        assert_eq!(read(&text).unwrap(), toml::from_str(&text).unwrap());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (rest, reason) in [
            ("", "missing field `parts`"),
            ("parts = 3", "invalid type: integer `3`, expected a sequence"),
            ("parts = [3]", "invalid type: integer, expected struct Part"),
            ("parts = [[[1, 2], [3]]]", "invalid type: array, expected struct Part"),
            ("parts = [{ sides = [1.0], counts = [] }]", "invalid length 1"),
            ("parts = [{ sides = [1.0, 2.0, 3.0], counts = [] }]", "invalid length 3"),
            (
                "parts = [{ sides = [1.0, 2.0], counts = [65536] }]",
                "invalid value: integer `65536`",
            ),
        ] {
            let error = read(&format!("{START}{rest}\n")).unwrap_err();
            assert!(error.message().contains(reason), "{rest}: {}", error.message());
        }
        let error = read(&START.replace("no_object", "none")).unwrap_err();
        assert!(error.message().contains("unknown variant `none`"), "{}", error.message());
    }
}

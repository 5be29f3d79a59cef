//! The one configuration document: TOML tables whose keys are the fields of the rooms' options.
//!
//! A table is a serde struct with a default for every field. Unknown keys are refused with the
//! nearest known one, and values of the wrong type name the key (conventions.md, "Options").

mod differences;
mod reader;

pub use differences::{differences, text_differences};

use crate::{Error, Result};
use reader::Reader;
use serde::{Serialize, de::DeserializeOwned};

/// Reads one TOML document into `T`; what the document does not say keeps its default.
/// `document` names the source in errors.
///
/// # Errors
/// [`Error::ConfigSyntax`], [`Error::UnknownKey`], [`Error::ConfigValue`].
pub fn parse<T: Default + Serialize + DeserializeOwned>(text: &str, document: &str) -> Result<T> {
    parse_over(&T::default(), text, document)
}

/// [`parse`] over other values than the defaults: what the document does not say stays as in
/// `base`.
///
/// # Errors
/// As [`parse`].
pub fn parse_over<T: Serialize + DeserializeOwned>(
    base: &T,
    text: &str,
    document: &str,
) -> Result<T> {
    table_over(base, parse_table(text, document)?, document)
}

/// [`parse`] for a table that is already there.
///
/// # Errors
/// [`Error::UnknownKey`], [`Error::ConfigValue`].
pub fn from_table<T: Default + Serialize + DeserializeOwned>(
    given: toml::Table,
    document: &str,
) -> Result<T> {
    table_over(&T::default(), given, document)
}

/// Reads a record that the library wrote itself: every field must be there. By way of a table, as
/// the configuration goes: text that is read straight into each type costs the library 0.4 MB.
///
/// # Errors
/// What is wrong with the text.
pub fn read_record<T: DeserializeOwned>(text: &str) -> std::result::Result<T, toml::de::Error> {
    read_table(toml::from_str(text)?)
}

/// A configuration or record as TOML, its keys in the order of the fields; `document` names it in
/// errors.
///
/// # Errors
/// [`Error::Internal`] for what TOML cannot hold.
pub fn to_text<T: Serialize>(value: &T, document: &str) -> Result<String> {
    toml::to_string(value)
        .map_err(|error| Error::Internal { reason: format!("{document}: {error}") })
}

/// The same as a table: numbers are those of the text.
///
/// # Errors
/// As [`to_text`].
pub fn to_table<T: Serialize>(value: &T, document: &str) -> Result<toml::Table> {
    parse_table(&to_text(value, document)?, document)
}

fn parse_table(text: &str, document: &str) -> Result<toml::Table> {
    toml::from_str(text).map_err(|error| Error::ConfigSyntax {
        document: document.into(),
        reason: error.message().into(),
    })
}

fn read_table<T: DeserializeOwned>(table: toml::Table) -> std::result::Result<T, toml::de::Error> {
    T::deserialize(Reader(toml::Value::Table(table)))
}

fn table_over<T: Serialize + DeserializeOwned>(
    base: &T,
    given: toml::Table,
    document: &str,
) -> Result<T> {
    let known = to_table(base, document)?;
    check_keys(&given, &known, "", document)?;
    read_table(merge(known, given)).map_err(|error| refusal(&error, document))
}

fn refusal(error: &toml::de::Error, document: &str) -> Error {
    let reason = error.message().to_string();
    Error::ConfigValue { document: document.into(), key: first_key(&reason), reason }
}

fn check_keys(
    given: &toml::Table,
    known: &toml::Table,
    prefix: &str,
    document: &str,
) -> Result<()> {
    for (key, value) in given {
        let path = format!("{prefix}{key}");
        match (known.get(key), value) {
            (None, _) => {
                return Err(Error::UnknownKey {
                    document: document.into(),
                    key: path,
                    nearest: format!("{prefix}{}", nearest(key, known.keys())),
                });
            }
            (Some(toml::Value::Table(known)), toml::Value::Table(given)) => {
                check_keys(given, known, &format!("{path}."), document)?;
            }
            (Some(default), value) if !same_kind(default, value) => {
                return Err(Error::ConfigValue {
                    document: document.into(),
                    key: path,
                    reason: format!("expected {}, got {}", default.type_str(), value.type_str()),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// An integer is accepted where a float is expected, as people write `temperature = 1`.
fn same_kind(default: &toml::Value, value: &toml::Value) -> bool {
    default.same_type(value) || (default.is_float() && value.is_integer())
}

fn merge(mut known: toml::Table, given: toml::Table) -> toml::Table {
    for (key, value) in given {
        let merged = match (known.remove(&key), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(given)) => {
                toml::Value::Table(merge(known, given))
            }
            (Some(toml::Value::Float(_)), toml::Value::Integer(value)) => {
                toml::Value::Float(value as f64)
            }
            (_, value) => value,
        };
        known.insert(key, merged);
    }
    known
}

/// The candidate that needs the fewest edits to become `name`.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a String>) -> String {
    candidates
        .min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
        .cloned()
        .unwrap_or_default()
}

/// serde names a variant or field in backquotes; an error without one has no key to point at.
fn first_key(reason: &str) -> String {
    reason.split('`').nth(1).unwrap_or("document").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Extract {
        temperature: f32,
        proposals_max: u32,
    }

    impl Default for Extract {
        fn default() -> Extract {
            Extract { temperature: 0.5, proposals_max: 25 }
        }
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Document {
        extract: Extract,
    }

    #[test]
    fn keys_override_defaults_and_integers_serve_as_floats() {
        let document: Document = parse("[extract]\ntemperature = 2\n", "test").unwrap();
        assert_eq!(document.extract, Extract { temperature: 2.0, proposals_max: 25 });
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = parse::<Document>("[extract]\nproposal_max = 3\n", "a.toml").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.toml: unknown key `extract.proposal_max`; the nearest is `extract.proposals_max`"
        );
    }

    #[test]
    fn a_wrong_type_names_the_key_and_both_types() {
        let error = parse::<Document>("[extract]\nproposals_max = 'x'\n", "a.toml").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.toml: `extract.proposals_max`: expected integer, got string"
        );
        assert!(matches!(parse::<Document>("[", "a.toml"), Err(Error::ConfigSyntax { .. })));
    }
}

//! Entries of a file's lists and the fields that are looked at, read without refusing any.

use super::values::{Scalar, ScalarVisitor};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The fields that are looked at; others are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
pub(super) enum Field {
    Id,
    ImageId,
    CategoryId,
    Bbox,
    Area,
    Score,
    Iscrowd,
    FileName,
    Width,
    Height,
    Name,
    #[serde(other)]
    Other,
}

/// A kind of entry, whose fields are read one by one; of a field that comes twice the last counts,
/// as in Python.
pub(super) trait Record<'de>: Default {
    /// Reads the value of `field`.
    fn read<A: MapAccess<'de>>(&mut self, field: Field, map: &mut A) -> Result<(), A::Error>;
}

/// Reads one entry of a list into a record, where it stays, as there are millions; answers what
/// stood in its place where that is no object.
pub(super) struct Fill<'a, T>(pub &'a mut T);

/// x, y, width and height as read, or what is wrong with them. Null is NaN, for which JavaScript
/// writes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds(pub Result<[f64; 4], WrongBounds>);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum WrongBounds {
    Missing,
    NotAList,
    Count(usize),
    NotANumber { place: usize },
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds(Err(WrongBounds::Missing))
    }
}

impl fmt::Display for WrongBounds {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            WrongBounds::Missing => formatter.write_str("missing"),
            WrongBounds::NotAList => formatter.write_str("not a list"),
            WrongBounds::Count(count) => write!(formatter, "a list of {count}, not of 4"),
            WrongBounds::NotANumber { place } => write!(formatter, "no number at place {place}"),
        }
    }
}

/// One coordinate; `None` for what is no number.
struct Coordinate(Option<f64>);

impl Coordinate {
    fn new(found: Scalar<'_>) -> Coordinate {
        Coordinate(match found {
            Scalar::Float(value) => Some(value),
            Scalar::Integer(value) => Some(value as f64),
            Scalar::Null => Some(f64::NAN),
            _ => None,
        })
    }
}

/// Lets a visitor take every value that is no list and no object as [`Scalar`] would.
macro_rules! scalars_become {
    ($convert:expr) => {
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            ScalarVisitor.visit_unit().map($convert)
        }

        fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
            ScalarVisitor.visit_bool(value).map($convert)
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            ScalarVisitor.visit_i64(value).map($convert)
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            ScalarVisitor.visit_u64(value).map($convert)
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
            ScalarVisitor.visit_f64(value).map($convert)
        }

        fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
            ScalarVisitor.visit_borrowed_str(text).map($convert)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            ScalarVisitor.visit_str(text).map($convert)
        }
    };
}

impl<'de> Deserialize<'de> for Coordinate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Coordinate, D::Error> {
        deserializer.deserialize_any(CoordinateVisitor)
    }
}

struct CoordinateVisitor;

impl<'de> Visitor<'de> for CoordinateVisitor {
    type Value = Coordinate;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a number")
    }

    scalars_become!(Coordinate::new);

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Coordinate, A::Error> {
        ScalarVisitor.visit_seq(list).map(Coordinate::new)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Coordinate, A::Error> {
        ScalarVisitor.visit_map(map).map(Coordinate::new)
    }
}

impl<'de> Deserialize<'de> for Bounds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bounds, D::Error> {
        deserializer.deserialize_any(BoundsVisitor)
    }
}

struct BoundsVisitor;

impl<'de> Visitor<'de> for BoundsVisitor {
    type Value = Bounds;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("x, y, width and height")
    }

    scalars_become!(|_| Bounds(Err(WrongBounds::NotAList)));

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Bounds, A::Error> {
        let mut bounds = [0.0; 4];
        let (mut wrong, mut count) = (None, 0);
        while let Some(Coordinate(found)) = list.next_element()? {
            match (found, bounds.get_mut(count)) {
                (Some(number), Some(bound)) => *bound = number,
                (None, Some(_)) => wrong = Some(WrongBounds::NotANumber { place: count }),
                (_, None) => {}
            }
            count += 1;
        }
        if count != bounds.len() {
            wrong = Some(WrongBounds::Count(count));
        }
        Ok(Bounds(wrong.map_or(Ok(bounds), Err)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bounds, A::Error> {
        ScalarVisitor.visit_map(map).map(|_| Bounds(Err(WrongBounds::NotAList)))
    }
}

impl<'de, T: Record<'de>> DeserializeSeed<'de> for Fill<'_, T> {
    type Value = Option<Scalar<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Record<'de>> Visitor<'de> for Fill<'_, T> {
    type Value = Option<Scalar<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    scalars_become!(Some);

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        ScalarVisitor.visit_seq(list).map(Some)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(field) = map.next_key()? {
            self.0.read(field, &mut map)?;
        }
        Ok(None)
    }
}

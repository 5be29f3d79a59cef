//! Option structs: copied in by their `struct_size`, turned into the configuration's own keys.
//!
//! The size rules are those of Linux' `copy_struct_from_user`: an older caller's struct is
//! continued with zeros, a newer caller's is accepted as long as what we do not know is zero. So
//! a program keeps working with an older or newer library without being compiled again.
//!
//! Fields become a TOML table with the same names and take the same road as the configuration
//! file (`crate::config`): one set of defaults, one set of checks.

use crate::{Error, Result, config};
use serde::{Serialize, de::DeserializeOwned};

/// The largest `struct_size` that is not taken for an uninitialised field.
const STRUCT_SIZE_MAX: usize = 4096;

/// A struct of the header that starts with `struct_size`.
///
/// # Safety
/// `repr(C)`, first field `struct_size: usize`, and all bytes zero is a valid value.
pub(super) unsafe trait Versioned: Copy {
    /// The C name.
    const NAME: &'static str;
    /// `size_of` the layout that was published first.
    const SMALLEST: usize;

    /// Every field zero: the defaults.
    fn zeroed() -> Self {
        // SAFETY: promised by the implementation.
        unsafe { std::mem::zeroed() }
    }
}

/// Copies the caller's struct; NULL is all defaults.
///
/// # Safety
/// `given` is NULL or points to as many readable bytes as its first `size_t` says.
pub(super) unsafe fn copy_options<T: Versioned>(given: *const T) -> Result<T> {
    if given.is_null() {
        return Ok(T::zeroed());
    }
    // SAFETY: the caller's promise is the same.
    unsafe { copy_struct(given) }
}

/// Copies a struct that must be there.
///
/// # Safety
/// As [`copy_options`].
pub(super) unsafe fn copy_struct<T: Versioned>(given: *const T) -> Result<T> {
    // SAFETY: the caller's promise is the same.
    let size = unsafe { checked_size(given) }?;
    let known = size_of::<T>();
    let mut copy = T::zeroed();
    // SAFETY: `size` bytes are readable by promise, `known` are writable; both stop at the lesser.
    unsafe {
        let target = (&raw mut copy).cast::<u8>();
        target.copy_from_nonoverlapping(given.cast::<u8>(), size.min(known));
        let tail = given.cast::<u8>();
        if let Some(offset) = (known..size).find(|&offset| *tail.add(offset) != 0) {
            return Err(Error::UnknownOption { name: T::NAME.into(), offset, known });
        }
    }
    Ok(copy)
}

/// The caller's `struct_size`, if it can be one.
///
/// # Safety
/// `given` is NULL or points to a readable `size_t`.
pub(super) unsafe fn checked_size<T: Versioned>(given: *const T) -> Result<usize> {
    if given.is_null() {
        return Err(Error::NullPointer { argument: T::NAME.into() });
    }
    // SAFETY: the first field is readable; no alignment is asked for.
    let size = unsafe { given.cast::<usize>().read_unaligned() };
    if !(T::SMALLEST..=STRUCT_SIZE_MAX).contains(&size) {
        return Err(Error::StructSize {
            name: T::NAME.into(),
            got: size,
            smallest: T::SMALLEST,
            largest: STRUCT_SIZE_MAX,
        });
    }
    Ok(size)
}

/// Fills in the caller's struct as far as its `struct_size`, which stays as it is.
///
/// # Safety
/// `target` is NULL or points to as many writable bytes as its first `size_t` says.
pub(super) unsafe fn write_struct<T: Versioned>(target: *mut T, value: &T) -> Result<()> {
    // SAFETY: the caller's promise is the same.
    let size = unsafe { checked_size(target.cast_const()) }?;
    let header = size_of::<usize>();
    // SAFETY: at most `size` bytes are written, which the caller promises to be writable.
    unsafe {
        let source = (&raw const *value).cast::<u8>().add(header);
        let length = size.min(size_of::<T>()) - header;
        target.cast::<u8>().add(header).copy_from_nonoverlapping(source, length);
    }
    Ok(())
}

/// Fills the first `struct_size` bytes of a struct with defaults and the size; what every
/// `simdetr_*_init` does.
///
/// # Safety
/// `target` is NULL or points to `struct_size` writable bytes.
pub(super) unsafe fn init<T: Versioned>(target: *mut T, struct_size: usize) {
    if target.is_null() || struct_size < size_of::<usize>() || struct_size > STRUCT_SIZE_MAX {
        return;
    }
    // SAFETY: promised by the caller; the size was checked.
    unsafe {
        target.cast::<u8>().write_bytes(0, struct_size);
        target.cast::<usize>().write_unaligned(struct_size);
    }
}

/// The keys that an options struct sets.
pub(super) struct Keys {
    document: &'static str,
    set_mask: u64,
    table: toml::Table,
}

impl Keys {
    /// `set_mask` may only hold bits of `known_bits`.
    pub(super) fn new<T: Versioned>(set_mask: u64, known_bits: u64) -> Result<Keys> {
        if set_mask & !known_bits != 0 {
            let unknown = set_mask & !known_bits;
            return Err(Error::invalid(
                format!("{}.set_mask", T::NAME),
                format!("unknown bits {unknown:#x}; known are {known_bits:#x}"),
            ));
        }
        Ok(Keys { document: T::NAME, set_mask, table: toml::Table::new() })
    }

    fn put(&mut self, key: &str, value: toml::Value) {
        self.table.insert(key.into(), value);
    }

    /// An integer; given if not 0, or if `bit` (0 where zero means default) is set.
    pub(super) fn integer(&mut self, key: &str, value: i64, bit: u64) -> &mut Keys {
        if value != 0 || self.set_mask & bit != 0 {
            self.put(key, toml::Value::Integer(value));
        }
        self
    }

    /// An unsigned integer, which TOML holds up to 2^63 - 1.
    pub(super) fn unsigned(&mut self, key: &str, value: u64, bit: u64) -> Result<&mut Keys> {
        let value = i64::try_from(value).map_err(|_| Error::ConfigValue {
            document: self.document.into(),
            key: key.into(),
            reason: format!("{value} is over {}", i64::MAX),
        })?;
        Ok(self.integer(key, value, bit))
    }

    /// A real number; given if not 0, or if `bit` is set.
    pub(super) fn real(&mut self, key: &str, value: f64, bit: u64) -> &mut Keys {
        if value != 0.0 || self.set_mask & bit != 0 {
            self.put(key, toml::Value::Float(value));
        }
        self
    }

    /// One of `names`, counted from 1; 0 is the default.
    pub(super) fn choice(&mut self, key: &str, value: i32, names: &[&str]) -> Result<&mut Keys> {
        if value != 0 {
            let name = usize::try_from(value - 1).ok().and_then(|index| names.get(index));
            let name = name.ok_or_else(|| Error::ConfigValue {
                document: self.document.into(),
                key: key.into(),
                reason: format!("{value} is not one of 1..={} ({})", names.len(), names.join(", ")),
            })?;
            self.put(key, toml::Value::String((*name).into()));
        }
        Ok(self)
    }

    /// A switch whose default is off: 0 or 1.
    pub(super) fn switch(&mut self, key: &str, value: i32) -> Result<&mut Keys> {
        match value {
            0 => {}
            1 => self.put(key, toml::Value::Boolean(true)),
            _ => {
                return Err(Error::ConfigValue {
                    document: self.document.into(),
                    key: key.into(),
                    reason: format!("{value} is neither 0 nor 1"),
                });
            }
        }
        Ok(self)
    }

    /// Real numbers; given if any is not 0, or if `bit` is set.
    pub(super) fn reals(&mut self, key: &str, values: &[f32], bit: u64) -> &mut Keys {
        if values.iter().any(|&value| value != 0.0) || self.set_mask & bit != 0 {
            let values = values.iter().map(|&value| toml::Value::Float(f64::from(value)));
            self.put(key, toml::Value::Array(values.collect()));
        }
        self
    }

    /// Integers; none is the default.
    pub(super) fn integers(&mut self, key: &str, values: &[i64]) -> &mut Keys {
        if !values.is_empty() {
            let values = values.iter().map(|&value| toml::Value::Integer(value));
            self.put(key, toml::Value::Array(values.collect()));
        }
        self
    }

    /// Lists of integers; none is the default.
    pub(super) fn integer_lists(&mut self, key: &str, lists: Vec<Vec<i64>>) -> &mut Keys {
        if !lists.is_empty() {
            let list = |list: Vec<i64>| {
                toml::Value::Array(list.into_iter().map(toml::Value::Integer).collect())
            };
            self.put(key, toml::Value::Array(lists.into_iter().map(list).collect()));
        }
        self
    }

    /// A text; NULL is the default.
    pub(super) fn text(&mut self, key: &str, value: Option<&str>) -> &mut Keys {
        if let Some(value) = value {
            self.put(key, toml::Value::String(value.into()));
        }
        self
    }

    /// Texts; none is the default.
    pub(super) fn texts(&mut self, key: &str, values: &[&str]) -> &mut Keys {
        if !values.is_empty() {
            let values = values.iter().map(|&value| toml::Value::String(value.into()));
            self.put(key, toml::Value::Array(values.collect()));
        }
        self
    }

    /// The configuration with these keys over its defaults.
    pub(super) fn finish<C: Default + Serialize + DeserializeOwned>(&mut self) -> Result<C> {
        config::from_table(std::mem::take(&mut self.table), self.document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Old {
        struct_size: usize,
        rounds: u64,
    }

    #[repr(C)]
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct New {
        struct_size: usize,
        rounds: u64,
        tolerance: f64,
    }

    // SAFETY: `repr(C)`, size first, plain numbers.
    unsafe impl Versioned for Old {
        const NAME: &'static str = "old";
        const SMALLEST: usize = 16;
    }

    // SAFETY: as above.
    unsafe impl Versioned for New {
        const NAME: &'static str = "new";
        const SMALLEST: usize = 16;
    }

    #[test]
    fn short_long_and_dirty_structs() {
        let old = Old { struct_size: 16, rounds: 3 };
        let mut new = New { struct_size: 24, rounds: 4, tolerance: 0.0 };
        // SAFETY: each struct is as long as its first field says, or refused by that field alone.
        unsafe {
            let copied = copy_options((&raw const old).cast::<New>()).unwrap();
            assert_eq!(copied, New { struct_size: 16, rounds: 3, tolerance: 0.0 });
            let copied = copy_options((&raw const new).cast::<Old>()).unwrap();
            assert_eq!(copied, Old { struct_size: 24, rounds: 4 });
            new.tolerance = 0.5;
            let error = copy_options((&raw const new).cast::<Old>()).unwrap_err();
            assert!(matches!(error, Error::UnknownOption { offset: 22, known: 16, .. }), "{error}");
            for size in [0, 15, 4097, usize::MAX] {
                new.struct_size = size;
                let error = copy_options(&raw const new).unwrap_err();
                assert!(matches!(error, Error::StructSize { got, .. } if got == size));
            }
            assert_eq!(copy_options::<New>(std::ptr::null()).unwrap(), New::zeroed());
            assert!(copy_struct::<New>(std::ptr::null()).is_err());
            init(&raw mut new, 24);
            assert_eq!(new, New { struct_size: 24, rounds: 0, tolerance: 0.0 });
        }
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(default)]
    struct Config {
        rounds: u32,
        tolerance: f32,
        metric: String,
        strict: bool,
    }

    impl Default for Config {
        fn default() -> Config {
            Config { rounds: 10, tolerance: 0.5, metric: "cosine".into(), strict: false }
        }
    }

    #[test]
    fn zero_is_the_default_unless_its_bit_is_set() {
        let config: Config = Keys::new::<New>(0, 1).unwrap().finish().unwrap();
        assert_eq!(config, Config::default());
        let mut keys = Keys::new::<New>(1, 1).unwrap();
        keys.integer("rounds", 7, 0).real("tolerance", 0.0, 1);
        keys.choice("metric", 2, &["cosine", "rbf"]).unwrap().switch("strict", 1).unwrap();
        let expected = Config { rounds: 7, tolerance: 0.0, metric: "rbf".into(), strict: true };
        assert_eq!(keys.finish::<Config>().unwrap(), expected);
    }

    #[test]
    fn unknown_numbers_and_bits_are_refused_with_the_known_ones() {
        assert!(Keys::new::<New>(4, 1).is_err());
        let mut keys = Keys::new::<New>(0, 0).unwrap();
        for value in [-1, 3, i32::MIN, i32::MAX] {
            let error = keys.choice("metric", value, &["cosine", "rbf"]).err().unwrap();
            assert!(error.to_string().contains("1..=2 (cosine, rbf)"), "{error}");
        }
        assert!(keys.switch("strict", 2).is_err());
        assert!(keys.unsigned("rounds", u64::MAX, 0).is_err());
        keys.integer("rounds", -1, 0);
        assert!(keys.finish::<Config>().is_err());
    }
}

//! Option structs: copied in by their `struct_size`, turned into the configuration's own keys.
//!
//! The size rules are those of Linux' `copy_struct_from_user`: an older caller's struct is
//! continued with zeros, a newer caller's is accepted as long as what we do not know is zero. So
//! a program keeps working with an older or newer library without being compiled again.
//!
//! Fields become a TOML table with the same names and take the same road as the configuration
//! file (`crate::config`): one set of defaults, one set of checks.

use super::pointers::optional_text;
use crate::pipeline::config::RunConfig;
use crate::pipeline::preset;
use crate::{Error, Result, config};
use serde::{Serialize, de::DeserializeOwned};
use std::ffi::c_char;

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
    copy_struct(given)
}

/// Copies a struct that must be there.
///
/// # Safety
/// As [`copy_options`].
pub(super) unsafe fn copy_struct<T: Versioned>(given: *const T) -> Result<T> {
    let size = checked_size(given)?;
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
    let size = checked_size(target.cast_const())?;
    let header = size_of::<usize>();
    // SAFETY: at most `size` bytes are written, which the caller promises to be writable.
    unsafe {
        let source = (&raw const *value).cast::<u8>().add(header);
        let length = size.min(size_of::<T>()) - header;
        target.cast::<u8>().add(header).copy_from_nonoverlapping(source, length);
    }
    Ok(())
}

/// Writes a report that the caller may not want; its size is checked before the work.
///
/// # Safety
/// `target` is NULL or as [`write_struct`] wants it.
pub(super) unsafe fn wanted<T: Versioned>(target: *mut T) -> Result<impl FnOnce(&T) -> Result<()>> {
    if !target.is_null() {
        checked_size(target.cast_const())?;
    }
    let write = move |value: &T| match target.is_null() {
        true => Ok(()),
        false => write_struct(target, value),
    };
    Ok(write)
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

    fn refuse(&self, key: &str, reason: String) -> Error {
        Error::ConfigValue { document: self.document.into(), key: key.into(), reason }
    }

    /// One field; given if it is not zero, or if `set_mask` has `bit`.
    ///
    /// # Safety
    /// As [`Field::value`].
    pub(super) unsafe fn set<F: Field>(&mut self, key: &str, field: F, bit: u64) -> Result<()> {
        let (value, is_zero) = field.value(key)?;
        let value = value.map_err(|reason| self.refuse(key, reason))?;
        if !is_zero || self.set_mask & bit != 0 {
            self.put(key, value);
        }
        Ok(())
    }

    /// The same for a key of a table.
    ///
    /// # Safety
    /// As [`Field::value`].
    pub(super) unsafe fn set_within<F: Field>(
        &mut self,
        table: &str,
        key: &str,
        field: F,
    ) -> Result<()> {
        let mut inner = Keys { document: self.document, set_mask: 0, table: toml::Table::new() };
        inner.set(key, field, 0)?;
        let entry = self.table.entry(table).or_insert_with(|| toml::Table::new().into());
        if let toml::Value::Table(entry) = entry {
            entry.extend(inner.table);
        }
        Ok(())
    }

    /// One of `names`, counted from 1; 0 is the default.
    pub(super) fn choice(&mut self, key: &str, value: i32, names: &[&str]) -> Result<()> {
        if value != 0 {
            let name = usize::try_from(value - 1).ok().and_then(|index| names.get(index));
            let name = name.ok_or_else(|| {
                let known = format!("1..={} ({})", names.len(), names.join(", "));
                self.refuse(key, format!("{value} is not one of {known}"))
            })?;
            self.put(key, toml::Value::from(*name));
        }
        Ok(())
    }

    /// A switch whose default is off: 0 or 1.
    pub(super) fn switch(&mut self, key: &str, value: i32) -> Result<()> {
        match value {
            0 => {}
            1 => self.put(key, toml::Value::Boolean(true)),
            _ => return Err(self.refuse(key, format!("{value} is neither 0 nor 1"))),
        }
        Ok(())
    }

    /// A list; none is the default.
    pub(super) fn list<V: Into<toml::Value>>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = V>,
    ) {
        let values: Vec<toml::Value> = values.into_iter().map(V::into).collect();
        if !values.is_empty() {
            self.put(key, values.into());
        }
    }

    /// The configuration with these keys over its defaults.
    pub(super) fn finish<C: Default + Serialize + DeserializeOwned>(self) -> Result<C> {
        config::from_table(self.table, self.document)
    }
}

/// Refuses another value than 0 in the field that a struct keeps for later.
pub(super) fn reserved<T: Versioned>(value: impl Into<i64>) -> Result<()> {
    let value = value.into();
    match value {
        0 => Ok(()),
        _ => Err(Error::invalid(format!("{}.reserved", T::NAME), format!("is {value}, must be 0"))),
    }
}

/// One of `choices`, counted from 1; 0 is the first.
pub(super) fn chosen<T: Copy>(field: &str, number: i32, choices: &[T]) -> Result<T> {
    let chosen = usize::try_from(number).ok().and_then(|number| choices.get(number.max(1) - 1));
    chosen
        .copied()
        .ok_or_else(|| Error::invalid(field, format!("{number} is outside 0..={}", choices.len())))
}

/// A preset, by default the first, under the keys of a configuration document.
///
/// # Safety
/// The texts are NULL or end with NUL.
pub(super) unsafe fn preset_config(
    name: *const c_char,
    (document, field): (*const c_char, &str),
) -> Result<RunConfig> {
    let name = optional_text(name, "preset")?.unwrap_or(preset::NAMES[0]);
    let document = optional_text(document, field)?.unwrap_or_default();
    config::parse_over(&preset::by_name(name)?, document, field)
}

/// What a field says, or why it cannot be said, and whether it is zero.
type Said = (std::result::Result<toml::Value, String>, bool);

/// A type that fields of options have.
pub(super) trait Field: Copy {
    /// The field as the configuration has it.
    ///
    /// # Errors
    /// What is wrong with a text.
    ///
    /// # Safety
    /// A text is NULL or ends with NUL.
    unsafe fn value(self, key: &str) -> Result<Said>;
}

/// A number of the header that TOML holds as another type, by way of which it is converted.
macro_rules! number {
    ($($type:ty),+) => {
        $(impl Field for $type {
            unsafe fn value(self, _key: &str) -> Result<Said> {
                let value = i64::try_from(self).map(toml::Value::Integer);
                Ok((value.map_err(|_| format!("{self} is over {}", i64::MAX)), self == 0))
            }
        })+
    };
}

number!(i32, u32, u64);

impl Field for f32 {
    unsafe fn value(self, _key: &str) -> Result<Said> {
        Ok((Ok(f64::from(self).into()), self == 0.0))
    }
}

impl<const N: usize> Field for [f32; N] {
    unsafe fn value(self, _key: &str) -> Result<Said> {
        let values: Vec<toml::Value> = self.iter().map(|&value| f64::from(value).into()).collect();
        Ok((Ok(values.into()), self.iter().all(|&value| value == 0.0)))
    }
}

impl Field for *const c_char {
    unsafe fn value(self, key: &str) -> Result<Said> {
        let text = optional_text(self, key)?;
        Ok((Ok(text.unwrap_or_default().into()), text.is_none()))
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

    super::super::declare::options! {
        /// Options with a field of each rule.
        pub struct sample_options_t (40 bytes) {
            pub set_mask: u64 => apart,
            pub rounds: u64,
            pub tolerance: f32 => bit SAMPLE_SET_TOLERANCE = 2,
            pub metric: i32 => one of METRICS,
            pub strict: i32 => switch,
            pub reserved: u32 => reserved,
        }
    }

    const METRICS: &[&str] = &["cosine", "rbf"];

    fn read(options: sample_options_t) -> Result<Config> {
        // SAFETY: there are no texts.
        unsafe { options.keys() }?.finish()
    }

    #[test]
    fn zero_is_the_default_unless_its_bit_is_set() {
        assert_eq!(read(sample_options_t::zeroed()).unwrap(), Config::default());
        let zeroed = sample_options_t::zeroed();
        let given = sample_options_t { rounds: 7, metric: 2, strict: 1, set_mask: 2, ..zeroed };
        let expected = Config { rounds: 7, tolerance: 0.0, metric: "rbf".into(), strict: true };
        assert_eq!(read(given).unwrap(), expected);
    }

    #[test]
    fn unknown_numbers_and_bits_are_refused_with_the_known_ones() {
        let zeroed = sample_options_t::zeroed();
        let refused = |options| read(options).unwrap_err().to_string();
        assert!(
            refused(sample_options_t { set_mask: 6, ..zeroed }).contains("bits 0x4; known are 0x2")
        );
        for metric in [-1, 3, i32::MIN, i32::MAX] {
            let error = refused(sample_options_t { metric, ..zeroed });
            assert!(error.contains("1..=2 (cosine, rbf)"), "{error}");
        }
        assert!(refused(sample_options_t { strict: 2, ..zeroed }).contains("neither 0 nor 1"));
        assert!(refused(sample_options_t { rounds: u64::MAX, ..zeroed }).contains("is over"));
        assert!(refused(sample_options_t { reserved: 1, ..zeroed }).contains("must be 0"));
        for number in [-1, 3, i32::MIN, i32::MAX] {
            let error = chosen("reading", number, &["a", "b"]).unwrap_err().to_string();
            assert_eq!(error, format!("reading: {number} is outside 0..=2"));
        }
        assert_eq!([0, 1, 2].map(|number| chosen("r", number, &[7, 8]).unwrap()), [7, 7, 8]);
    }
}

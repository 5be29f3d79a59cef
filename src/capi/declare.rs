//! What declarations of the border have in common, written once: handles, structs that start with
//! `struct_size`, option fields with their rules, numbered choices.
//!
//! cbindgen does not expand macros. `tests/support/declarations.rs` puts plain Rust in their place
//! before it looks: of `handle`, `memory_bytes` and `initialiser` the functions as they stand below,
//! of the others what stands inside the braces. No doc comment is lost on the way.

/// A handle: what messages call it, and the function that ends it, with its text.
macro_rules! handle {
    ($handle:ident, $argument:ident, $destroy:ident, $text:literal) => {
        impl $crate::capi::guard::Handle for $handle {
            const NAME: &'static str = stringify!($argument);
            fn poison(&self) -> &$crate::capi::guard::Poison {
                &self.poison
            }
        }

        #[doc = $text]
        ///
        #[doc = concat!("@param[in] ", stringify!($argument), " May be NULL.")]
        ///
        /// Any thread.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $destroy($argument: *mut $handle) {
            $crate::capi::guard::destroy($argument)
        }
    };
}

/// The function that says what a handle's method `memory_bytes` does: its text, and what the bytes are
/// of.
macro_rules! memory_bytes {
    ($handle:ident, $argument:ident, $function:ident, $text:literal, $bytes:literal) => {
        #[doc = $text]
        ///
        #[doc = concat!("@param[in] ", stringify!($argument), " The handle.")]
        #[doc = concat!("@param[out] bytes ", $bytes)]
        /// @return A status.
        ///
        #[doc = concat!("May run at the same time as other functions that take the ", stringify!($argument), " `const`.")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $function(
            $argument: *const $handle,
            bytes: *mut u64,
            error: *mut $crate::capi::error::simdetr_error_t,
        ) -> $crate::capi::status::simdetr_status_t {
            $crate::capi::guard::guard_handle($argument, error, |handle| {
                let held = handle.memory_bytes() as u64;
                $crate::capi::pointers::output(bytes, "bytes").map(|bytes| bytes.set(held))
            })
        }
    };
}

/// The function that fills a struct with zeros and its size.
macro_rules! initialiser {
    ($function:ident, $argument:ident, $type:ident) => {
        /// Sets every field to zero, which is the default of those that have one, and `struct_size` to
        /// the size given.
        ///
        #[doc = concat!("@param[out] ", stringify!($argument), " May be NULL.")]
        #[doc = concat!("@param[in] struct_size `sizeof *", stringify!($argument), "`.")]
        ///
        /// Any thread.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $function($argument: *mut $type, struct_size: usize) {
            $crate::capi::options::init($argument, struct_size)
        }
    };
}

/// A struct that starts with `struct_size`: its bytes where pointers have 64 bits and, where it has
/// grown, the field that the first published layout ended before. Its fields are numbers, arrays of
/// numbers, pointers and optional functions: zero bytes are a value of each.
macro_rules! versioned {
    (
        $(#[$about:meta])*
        pub struct $name:ident ($bytes:literal bytes $(, first without $later:ident)?) {
            $($fields:tt)*
        }
    ) => {
        $(#[$about])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name {
            #[doc = concat!("`sizeof(", stringify!($name), ")`, set by the caller.")]
            pub struct_size: usize,
            $($fields)*
        }

        #[cfg(target_pointer_width = "64")]
        const _: () = assert!(size_of::<$name>() == $bytes);

        // SAFETY: `repr(C)`, size first; the macro's text says what fields may be.
        unsafe impl $crate::capi::options::Versioned for $name {
            const NAME: &'static str = stringify!($name);
            const SMALLEST: usize = {
                let sizes = [size_of::<$name>() $(, std::mem::offset_of!($name, $later))?];
                sizes[sizes.len() - 1]
            };
        }
    };
}

/// A [`versioned`] struct whose fields are keys of the configuration, by the same names. Zero is the
/// default; after `=>` stands what else holds for a field:
/// - `bit SET = n`: zero is meant where `set_mask` has that bit, a constant of this name,
/// - `one of CHOICES`: the number of a choice,
/// - `switch`: 0 or 1,
/// - `reserved`: must be 0,
/// - `within table`: a key of that table,
/// - `apart`: no key, or one that takes more than the field; read elsewhere.
macro_rules! options {
    (
        $(#[$about:meta])*
        pub struct $name:ident ($($layout:tt)+) {
            $(
                $(#[$text:meta])*
                pub $field:ident: $type:ty $(=> $($rule:ident)+ $(= $bit:literal)?)?,
            )*
        }
    ) => {
        $($($crate::capi::declare::bit_constant!($field $($rule)+ $($bit)?);)?)*

        $crate::capi::declare::versioned! {
            $(#[$about])*
            pub struct $name ($($layout)+) {
                $($(#[$text])* pub $field: $type,)*
            }
        }

        impl $name {
            /// The keys that the fields set.
            ///
            /// # Safety
            /// Texts are NULL or end with NUL.
            pub(super) unsafe fn keys(&self) -> $crate::Result<$crate::capi::options::Keys> {
                let known = 0 $($(| $crate::capi::declare::bit_of!($($rule)+))?)*;
                let mut keys = $crate::capi::options::Keys::new::<Self>(self.set_mask, known)?;
                $($crate::capi::declare::key!(self, keys, $field $($($rule)+)?);)*
                Ok(keys)
            }
        }
    };
}

/// The constant of a bit that a rule of [`options`] names.
macro_rules! bit_constant {
    ($field:ident bit $constant:ident $bit:literal) => {
        #[doc = concat!("`", stringify!($field), "` is meant although it is 0.")]
        pub const $constant: u64 = $bit;
    };
    ($($other:ident)+) => {};
}

/// The bit of a rule of [`options`].
macro_rules! bit_of {
    (bit $bit:ident) => {
        $bit
    };
    ($($other:ident)+) => {
        0
    };
}

/// One field of [`options`] by its rule.
macro_rules! key {
    ($given:ident, $keys:ident, $field:ident) => {
        $keys.set(stringify!($field), $given.$field, 0)?
    };
    ($given:ident, $keys:ident, $field:ident bit $bit:ident) => {
        $keys.set(stringify!($field), $given.$field, $bit)?
    };
    ($given:ident, $keys:ident, $field:ident one of $choices:ident) => {
        $keys.choice(stringify!($field), $given.$field, $choices)?
    };
    ($given:ident, $keys:ident, $field:ident within $table:ident) => {
        $keys.set_within(stringify!($table), stringify!($field), $given.$field)?
    };
    ($given:ident, $keys:ident, $field:ident switch) => {
        $keys.switch(stringify!($field), $given.$field)?
    };
    ($given:ident, $keys:ident, $field:ident reserved) => {
        $crate::capi::options::reserved::<Self>($given.$field)?
    };
    ($given:ident, $keys:ident, $field:ident apart) => {};
}

/// Numbered choices and what each stands for, such as its name in the configuration; counted from 1
/// in this order for ever.
macro_rules! choices {
    ($($list:ident: $type:ty {
        $($(#[$text:meta])* $constant:ident = $number:literal => $value:expr,)+
    })+) => {$(
        $($(#[$text])* pub const $constant: i32 = $number;)+

        pub(super) const $list: &[$type] = &[$($value),+];

        const _: () = {
            let numbers = [$($number),+];
            let mut index = 0;
            while index < numbers.len() {
                assert!(numbers[index] == index + 1);
                index += 1;
            }
        };
    )+};
}

pub(super) use {
    bit_constant, bit_of, choices, handle, initialiser, key, memory_bytes, options, versioned,
};

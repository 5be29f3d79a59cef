//! An encoder that lives in the host: a callback fills feature maps, image by image.

use super::encoder::simdetr_encoder_t;
use super::error::simdetr_error_t;
use super::guard::{guard, into_handle};
use super::image::{borrowed_image, simdetr_image_t};
use super::options::{Versioned, copy_struct, init};
use super::pointers::{output, slice, text};
use super::status::simdetr_status_t;
use crate::data::feature_map::FeatureMap;
use crate::data::image::Image;
use crate::encoder::MapDescription;
use crate::encoder::host::HostEncoder;
use crate::{Error, Result};
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// The encoder's callback runs on whichever thread has an image: the default.
pub const SIMDETR_CALLBACK_THREADS_ANY: i32 = 1;
/// The encoder's callback runs only on threads that call the library, one image after the other in
/// each call.
pub const SIMDETR_CALLBACK_THREADS_CALLER: i32 = 2;

/// One map for the host to fill.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_map_t {
    /// `[height, width, channels]` floats of the library, row by row, to be written.
    pub values: *mut f32,
    /// Rows of cells.
    pub height: usize,
    /// Cells in a row.
    pub width: usize,
    /// Channels, as `simdetr_encoder_callback_t` said.
    pub channels: usize,
}

/// Fills the maps of one image. Calls about one image run it on the thread that made them;
/// `simdetr_extractor_extract_batch` and `simdetr_extractor_extract_folder` run it on the threads of
/// the library, or on those where the host's `parallel_for` runs tasks, several at once. With
/// `SIMDETR_CALLBACK_THREADS_CALLER` these two also run it on the thread that made the call alone,
/// one image after the other. Must not throw or `longjmp`. May use other handles, but not the
/// extractor that calls.
///
/// @param[in] user_data `simdetr_encoder_callback_t.user_data`.
/// @param[in] image RGB8 without padding, already resized; borrowed for the call.
/// @param[in] maps `[maps_count]`, deepest (largest stride) first; every value must be written.
/// @param[in] maps_count Number of maps.
/// @return 0, or a negative number that becomes the status of the call.
pub type simdetr_encode_fn_t = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        image: *const simdetr_image_t,
        maps: *const simdetr_map_t,
        maps_count: usize,
    ) -> i32,
>;

/// Called once, after the last call of the callback, with its `user_data`, by the thread that ends
/// the last handle which uses it.
pub type simdetr_destroy_fn_t = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// An encoder of the host.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_encoder_callback_t {
    /// `sizeof(simdetr_encoder_callback_t)`.
    pub struct_size: usize,
    /// Name of the host's model, which stands in run folders in place of a checksum.
    pub name: *const c_char,
    /// Fills the maps.
    pub encode: simdetr_encode_fn_t,
    /// First argument of `encode`; used from the threads on which that runs.
    pub user_data: *mut c_void,
    /// Ends `user_data`; NULL for none. Called also when creating the encoder fails.
    pub user_data_destroy: simdetr_destroy_fn_t,
    /// Channels of each map, `[maps_count]`.
    pub channels: *const usize,
    /// Pixels of the resized image for each cell of each map, `[maps_count]`.
    pub strides: *const usize,
    /// Number of maps.
    pub maps_count: usize,
    /// One of `SIMDETR_CALLBACK_THREADS_*`; 0 is `SIMDETR_CALLBACK_THREADS_ANY`. Results are the same.
    pub callback_threads: i32,
    /// Must be 0.
    pub reserved: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<simdetr_encoder_callback_t>() == 72);

// SAFETY: `repr(C)`, size first, numbers and pointers that may be NULL.
unsafe impl Versioned for simdetr_encoder_callback_t {
    const NAME: &'static str = "simdetr_encoder_callback_t";
    const SMALLEST: usize = std::mem::offset_of!(simdetr_encoder_callback_t, callback_threads);
}

/// The host's data, ended when the last handle that uses it ends.
pub(super) struct HostData {
    user_data: *mut c_void,
    destroy: simdetr_destroy_fn_t,
}

impl HostData {
    /// Owns `user_data` from here on.
    pub(super) fn new(user_data: *mut c_void, destroy: simdetr_destroy_fn_t) -> HostData {
        HostData { user_data, destroy }
    }

    /// The first argument of the host's functions.
    pub(super) fn pointer(&self) -> *mut c_void {
        self.user_data
    }
}

// SAFETY: the host allows the use of its data from any thread.
unsafe impl Send for HostData {}
// SAFETY: as above.
unsafe impl Sync for HostData {}

impl Drop for HostData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the host's own function with its own data, once.
            unsafe { destroy(self.user_data) }
        }
    }
}

/// Sets every field to zero and `struct_size` to the size given.
///
/// @param[out] callback May be NULL.
/// @param[in] struct_size `sizeof *callback`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_callback_init(
    callback: *mut simdetr_encoder_callback_t,
    struct_size: usize,
) {
    // SAFETY: promised by the caller.
    unsafe { init(callback, struct_size) }
}

/// Makes an encoder of a callback of the host.
///
/// @param[in] callback The callback, its data and its maps; copied. From here on the library owns
/// `user_data` and ends it by `user_data_destroy`, also when this function fails, except where
/// `callback` itself cannot be read (NULL or a wrong `struct_size`).
/// @param[out] out The encoder, to be given to `simdetr_encoder_destroy`.
/// @param[out] error Optional.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_encoder_create_from_callback(
    callback: *const simdetr_encoder_callback_t,
    out: *mut *mut simdetr_encoder_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        // SAFETY: promised by the caller.
        unsafe {
            let callback = copy_struct(callback)?;
            let data = HostData::new(callback.user_data, callback.user_data_destroy);
            let out = output(out, "out")?;
            let name = text(callback.name, "name")?;
            let channels = slice(callback.channels, callback.maps_count, "channels")?;
            let strides = slice(callback.strides, callback.maps_count, "strides")?;
            let maps = channels.iter().zip(strides).enumerate();
            let maps = maps.map(|(index, (&channels, &stride))| {
                MapDescription::new(format!("map{index}"), channels, stride)
            });
            let encode =
                callback.encode.ok_or_else(|| Error::NullPointer { argument: "encode".into() })?;
            let fill = move |images: &[Image], maps: &mut [Vec<FeatureMap>]| {
                let data = &data;
                let mut each = images.iter().zip(maps);
                each.find_map(|(image, maps)| {
                    let status = call(encode, data.pointer(), image, maps);
                    (status != 0).then_some(status)
                })
                .unwrap_or(0)
            };
            let needs_caller_thread = needs_caller_thread(&callback)?;
            let encoder = HostEncoder::new(name, maps.collect(), Box::new(fill))?;
            let encoder = match needs_caller_thread {
                true => encoder.on_caller_thread(),
                false => encoder,
            };
            out.set(into_handle(simdetr_encoder_t::new(Arc::new(encoder))));
            Ok(())
        }
    })
}

fn needs_caller_thread(callback: &simdetr_encoder_callback_t) -> Result<bool> {
    if callback.reserved != 0 {
        let name = "simdetr_encoder_callback_t.reserved";
        return Err(Error::invalid(name, format!("is {}, must be 0", callback.reserved)));
    }
    match callback.callback_threads {
        0 | SIMDETR_CALLBACK_THREADS_ANY => Ok(false),
        SIMDETR_CALLBACK_THREADS_CALLER => Ok(true),
        other => {
            let reason = format!("{other} is not one of 1..=2 (any, caller)");
            Err(Error::invalid("callback_threads", reason))
        }
    }
}

fn call(
    encode: unsafe extern "C" fn(
        *mut c_void,
        *const simdetr_image_t,
        *const simdetr_map_t,
        usize,
    ) -> i32,
    user_data: *mut c_void,
    image: &Image,
    maps: &mut [FeatureMap],
) -> i32 {
    let image = borrowed_image(image);
    let maps: Vec<simdetr_map_t> = maps
        .iter_mut()
        .map(|map| simdetr_map_t {
            values: map.values.as_mut_ptr(),
            height: map.height,
            width: map.width,
            channels: map.channels,
        })
        .collect();
    // SAFETY: image and maps live for the call; the callback is the host's promise.
    unsafe { encode(user_data, &raw const image, maps.as_ptr(), maps.len()) }
}

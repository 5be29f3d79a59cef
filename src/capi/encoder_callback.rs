//! An encoder that lives in the host: a callback fills feature maps, image by image.

use super::declare::{choices, initialiser, versioned};
use super::encoder::simdetr_encoder_t;
use super::error::simdetr_error_t;
use super::guard::{guard, into_handle};
use super::image::{borrowed_image, simdetr_image_t};
use super::options::{chosen, copy_struct, reserved};
use super::pointers::{output, slice, text};
use super::status::simdetr_status_t;
use crate::Error;
use crate::data::feature_map::FeatureMap;
use crate::data::image::Image;
use crate::encoder::MapDescription;
use crate::encoder::host::HostEncoder;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

choices! {
    CALLBACK_THREADS: bool {
        /// The encoder's callback runs on whichever thread has an image: the default.
        SIMDETR_CALLBACK_THREADS_ANY = 1 => false,
        /// The encoder's callback runs only on threads that call the library, one image after the other in
        /// each call.
        SIMDETR_CALLBACK_THREADS_CALLER = 2 => true,
    }
}

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
///
/// @param[in] user_data What stands beside the function in its struct.
pub type simdetr_destroy_fn_t = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

versioned! {
    /// An encoder of the host.
    pub struct simdetr_encoder_callback_t (72 bytes, first without callback_threads) {
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

initialiser!(simdetr_encoder_callback_init, callback, simdetr_encoder_callback_t);

/// Makes an encoder of a callback of the host.
///
/// @param[in] callback The callback, its data and its maps; copied. From here on the library owns
/// `user_data` and ends it by `user_data_destroy`, also when this function fails, except where
/// `callback` itself cannot be read (NULL or a wrong `struct_size`).
/// @param[out] out The encoder, to be given to `simdetr_encoder_destroy`.
/// @return A status.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_create_from_callback(
    callback: *const simdetr_encoder_callback_t,
    out: *mut *mut simdetr_encoder_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
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
        reserved::<simdetr_encoder_callback_t>(callback.reserved)?;
        let threads = callback.callback_threads;
        let needs_caller_thread = chosen("callback_threads", threads, CALLBACK_THREADS)?;
        let encoder = HostEncoder::new(name, maps.collect(), Box::new(fill))?;
        let encoder = match needs_caller_thread {
            true => encoder.on_caller_thread(),
            false => encoder,
        };
        out.set(into_handle(simdetr_encoder_t::new(Arc::new(encoder))));
        Ok(())
    })
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

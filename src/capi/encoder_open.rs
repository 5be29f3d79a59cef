//! Encoders that the library brings or reads: the built-in one, a ResNet from safetensors, ONNX.

use super::encoder::simdetr_encoder_t;
use super::error::simdetr_error_t;
use super::guard::{guard, into_handle};
use super::options::{Keys, Versioned, copy_options, init};
use super::pointers::{optional_text, output, slice, texts};
use super::status::simdetr_status_t;
use crate::encoder::source::{self, EncoderOptions};
use crate::{Error, Result};
use std::ffi::c_char;

/// ONNX models run on the processor; the default.
pub const SIMDETR_ONNX_PROVIDER_CPU: i32 = 1;
/// ONNX models run on an NVIDIA device as a whole, or not at all.
pub const SIMDETR_ONNX_PROVIDER_CUDA: i32 = 2;

const ONNX_PROVIDERS: &[&str] = &["cpu", "cuda"];

/// `image_mean` is given although it is all zero.
pub const SIMDETR_ENCODER_SET_IMAGE_MEAN: u64 = 1;

/// Which encoder. Zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_encoder_options_t {
    /// `sizeof(simdetr_encoder_options_t)`.
    pub struct_size: usize,
    /// `SIMDETR_ENCODER_SET_*` of the fields whose zero is meant.
    pub set_mask: u64,
    /// "default", or the path of a safetensors file (ResNet) or an ONNX file. NULL is "default".
    pub encoder: *const c_char,
    /// Names of the maps to take, `[layers_count]`: "layer1" to "layer4", or outputs of an ONNX
    /// model. NULL takes layer4 and layer3, or every output that is a map.
    pub layers: *const *const c_char,
    /// Number of `layers`.
    pub layers_count: usize,
    /// Subtracted from red, green and blue in [0, 1]; all zero is ImageNet's mean.
    pub image_mean: [f32; 3],
    /// Red, green and blue are divided by this; all zero is ImageNet's standard deviation.
    pub image_deviation: [f32; 3],
    /// Path of libonnxruntime. NULL looks at `SIMDETR_ORT_LIB`, `ORT_DYLIB_PATH` and the usual
    /// names.
    pub onnx_library: *const c_char,
    /// `SIMDETR_ONNX_PROVIDER_*`.
    pub onnx_provider: i32,
    /// Threads of an ONNX model: 0 is one for each processor, 1 the caller's own.
    pub onnx_threads: u32,
    /// What stands before the names of the network to read where a safetensors file holds several, for
    /// example "encoder_q"; "." where nothing does. NULL takes the one that was trained and leaves
    /// momentum and EMA copies.
    pub weights_prefix: *const c_char,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<simdetr_encoder_options_t>() == 88);
    assert!(std::mem::offset_of!(simdetr_encoder_options_t, onnx_library) == 64);
    assert!(std::mem::offset_of!(simdetr_encoder_options_t, weights_prefix) == 80);
};

// SAFETY: `repr(C)`, size first, numbers and pointers that may be NULL.
unsafe impl Versioned for simdetr_encoder_options_t {
    const NAME: &'static str = "simdetr_encoder_options_t";
    // The first layout ended with `onnx_threads`.
    const SMALLEST: usize = std::mem::offset_of!(simdetr_encoder_options_t, weights_prefix);
}

/// # Safety
/// `given` is NULL or as the header says.
unsafe fn encoder_options(given: *const simdetr_encoder_options_t) -> Result<EncoderOptions> {
    // SAFETY: promised by the caller.
    unsafe {
        let options = copy_options(given)?;
        let mut keys = Keys::new::<simdetr_encoder_options_t>(
            options.set_mask,
            SIMDETR_ENCODER_SET_IMAGE_MEAN,
        )?;
        let layers = texts(options.layers, options.layers_count, "layers")?;
        keys.text("encoder", optional_text(options.encoder, "encoder")?)
            .texts("layers", &layers)
            .reals("image_mean", &options.image_mean, SIMDETR_ENCODER_SET_IMAGE_MEAN)
            .reals("image_deviation", &options.image_deviation, 0)
            .text("onnx_library", optional_text(options.onnx_library, "onnx_library")?)
            .choice("onnx_provider", options.onnx_provider, ONNX_PROVIDERS)?
            .integer("onnx_threads", i64::from(options.onnx_threads), 0);
        keys.text("weights_prefix", optional_text(options.weights_prefix, "weights_prefix")?);
        let options: EncoderOptions = keys.finish()?;
        options.validate()?;
        Ok(options)
    }
}

/// Sets every field to its default and `struct_size` to the size given.
///
/// @param[out] options May be NULL.
/// @param[in] struct_size `sizeof *options`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_options_init(
    options: *mut simdetr_encoder_options_t,
    struct_size: usize,
) {
    // SAFETY: promised by the caller.
    unsafe { init(options, struct_size) }
}

/// Makes the built-in encoder, or one from a file.
///
/// @param[in] options NULL is the built-in encoder.
/// @param[out] out The encoder, to be given to `simdetr_encoder_destroy`.
/// @param[out] error Optional.
/// @return `SIMDETR_ERROR_WEIGHT_NAMES`, `SIMDETR_ERROR_ONNX_*` and `SIMDETR_ERROR_FORMAT` say what
/// is wrong with the file, `SIMDETR_ERROR_NOT_COMPILED` which feature this build lacks.
///
/// Any thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_encoder_create(
    options: *const simdetr_encoder_options_t,
    out: *mut *mut simdetr_encoder_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        // SAFETY: promised by the caller.
        let (out, options) = unsafe { (output(out, "out")?, encoder_options(options)?) };
        let encoder = source::open(&options)?;
        out.set(into_handle(simdetr_encoder_t::new(encoder)));
        Ok(())
    })
}

/// Makes an encoder from the bytes of a safetensors or ONNX file, told apart by their content.
///
/// @param[in] data The file's bytes, read during the call only.
/// @param[in] length Number of bytes.
/// @param[in] options NULL is all defaults; `encoder` must be NULL.
/// @param[out] out The encoder, to be given to `simdetr_encoder_destroy`.
/// @param[out] error Optional.
/// @return As `simdetr_encoder_create`.
///
/// Any thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_encoder_create_from_memory(
    data: *const u8,
    length: usize,
    options: *const simdetr_encoder_options_t,
    out: *mut *mut simdetr_encoder_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        // SAFETY: promised by the caller.
        let (out, data, options) = unsafe {
            (output(out, "out")?, slice(data, length, "data")?, encoder_options(options)?)
        };
        if options.encoder != EncoderOptions::default().encoder {
            return Err(Error::invalid("encoder", "names a file beside the bytes in memory"));
        }
        let encoder = source::open_bytes(data, &options)?;
        out.set(into_handle(simdetr_encoder_t::new(encoder)));
        Ok(())
    })
}

//! Encoders that the library brings or reads: the built-in one, a ResNet from safetensors, ONNX.

use super::declare::{choices, initialiser, options};
use super::encoder::simdetr_encoder_t;
use super::error::simdetr_error_t;
use super::guard::{guard, into_handle};
use super::options::copy_options;
use super::pointers::{output, slice, texts};
use super::status::simdetr_status_t;
use crate::encoder::options::EncoderOptions;
use crate::encoder::source;
use crate::{Error, Result};
use std::ffi::c_char;

choices! {
    ONNX_PROVIDERS: &str {
        /// ONNX models run on the processor; the default.
        SIMDETR_ONNX_PROVIDER_CPU = 1 => "cpu",
        /// ONNX models run on an NVIDIA device as a whole, or not at all.
        SIMDETR_ONNX_PROVIDER_CUDA = 2 => "cuda",
    }
}

options! {
    /// Which encoder. Zero in a field is its default.
    pub struct simdetr_encoder_options_t (88 bytes, first without weights_prefix) {
        /// `SIMDETR_ENCODER_SET_*` of the fields whose zero is meant.
        pub set_mask: u64 => apart,
        /// "default", or the path of a safetensors file (ResNet) or an ONNX file. NULL is "default".
        pub encoder: *const c_char,
        /// Names of the maps to take, `[layers_count]`: "layer1" to "layer4", or outputs of an ONNX
        /// model. NULL takes layer4 and layer3, or every output that is a map.
        pub layers: *const *const c_char => apart,
        /// Number of `layers`.
        pub layers_count: usize => apart,
        /// Subtracted from red, green and blue in [0, 1]; all zero is ImageNet's mean.
        pub image_mean: [f32; 3] => bit SIMDETR_ENCODER_SET_IMAGE_MEAN = 1,
        /// Red, green and blue are divided by this; all zero is ImageNet's standard deviation.
        pub image_deviation: [f32; 3],
        /// Path of libonnxruntime. NULL looks at `SIMDETR_ORT_LIB`, `ORT_DYLIB_PATH` and the usual
        /// names.
        pub onnx_library: *const c_char,
        /// `SIMDETR_ONNX_PROVIDER_*`.
        pub onnx_provider: i32 => one of ONNX_PROVIDERS,
        /// Threads of an ONNX model: 0 is one for each processor, 1 the caller's own.
        pub onnx_threads: u32,
        /// What stands before the names of the network to read where a safetensors file holds several, for
        /// example "encoder_q"; "." where nothing does. NULL takes the one that was trained and leaves
        /// momentum and EMA copies.
        pub weights_prefix: *const c_char,
    }
}

/// # Safety
/// `given` is NULL or as the header says.
unsafe fn encoder_options(given: *const simdetr_encoder_options_t) -> Result<EncoderOptions> {
    let options = copy_options(given)?;
    let mut keys = options.keys()?;
    keys.list("layers", texts(options.layers, options.layers_count, "layers")?);
    let options: EncoderOptions = keys.finish()?;
    options.validate()?;
    Ok(options)
}

initialiser!(simdetr_encoder_options_init, options, simdetr_encoder_options_t);

/// Makes the built-in encoder, or one from a file.
///
/// @param[in] options NULL is the built-in encoder.
/// @param[out] out The encoder, to be given to `simdetr_encoder_destroy`.
/// @return `SIMDETR_ERROR_WEIGHT_NAMES`, `SIMDETR_ERROR_ONNX_*` and `SIMDETR_ERROR_FORMAT` say what
/// is wrong with the file, `SIMDETR_ERROR_NOT_COMPILED` which feature this build lacks.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_create(
    options: *const simdetr_encoder_options_t,
    out: *mut *mut simdetr_encoder_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, options) = (output(out, "out")?, encoder_options(options)?);
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
/// @return As `simdetr_encoder_create`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_create_from_memory(
    data: *const u8,
    length: usize,
    options: *const simdetr_encoder_options_t,
    out: *mut *mut simdetr_encoder_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, data, options) =
            (output(out, "out")?, slice(data, length, "data")?, encoder_options(options)?);
        if options.encoder != EncoderOptions::default().encoder {
            return Err(Error::invalid("encoder", "names a file beside the bytes in memory"));
        }
        let encoder = source::open_bytes(data, &options)?;
        out.set(into_handle(simdetr_encoder_t::new(encoder)));
        Ok(())
    })
}

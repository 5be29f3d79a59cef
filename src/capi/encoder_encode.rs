//! An encoder's feature maps of an image: the way out of the library after its first arrow.

use super::declare::{initialiser, options};
use super::encoder::simdetr_encoder_t;
use super::error::simdetr_error_t;
use super::feature_maps::simdetr_feature_maps_t;
use super::guard::guard_handle;
use super::image::{copy_image, copy_tensor_image, simdetr_image_t};
use super::options::copy_options;
use super::pointers::{borrow_mut, slice};
use super::run::{simdetr_run_options_t, with_control};
use super::status::simdetr_status_t;
use super::tensor::DLTensor;
use super::workers::{simdetr_parallel_for_fn_t, workers};
use crate::Result;
use crate::data::image::{Image, ImageLimits, ResizeRule, decode};
use crate::pipeline::encoded_image::{EncodedImage, rule_for};
use crate::workers::Workers;
use std::ffi::c_void;

options! {
    /// How an image is resized before it is encoded, and who does the work. Zero in a field is its
    /// default.
    pub struct simdetr_encode_options_t (48 bytes) {
        /// Must be 0.
        pub set_mask: u64 => apart,
        /// Pixels of the shorter side; 0 is 480.
        pub image_short_side: u32,
        /// Most pixels of the longer side; 0 is 800.
        pub image_long_side_max: u32,
        /// Both sides become multiples of this, or of what the encoder needs; 0 is 32.
        pub side_multiple: u32,
        /// Threads: 0 is one for each processor, 1 the caller's own.
        pub threads: u32 => apart,
        /// The host's job system in place of threads of ours; NULL for none.
        pub parallel_for: simdetr_parallel_for_fn_t => apart,
        /// First argument of `parallel_for`.
        pub parallel_for_user_data: *mut c_void => apart,
    }
}

initialiser!(simdetr_encode_options_init, options, simdetr_encode_options_t);

/// # Safety
/// `given` is NULL or as the header says.
unsafe fn encode_options(given: *const simdetr_encode_options_t) -> Result<(ResizeRule, Workers)> {
    let options = copy_options(given)?;
    let rule = options.keys()?.finish::<ResizeRule>()?;
    let (callback, user_data) = (options.parallel_for, options.parallel_for_user_data);
    Ok((rule, workers(options.threads, callback, user_data)?))
}

/// Encodes the image that `read` gives and puts the maps into `feature_maps`.
///
/// # Safety
/// The pointers are NULL or as the header says.
unsafe fn encode(
    encoder: &simdetr_encoder_t,
    options: *const simdetr_encode_options_t,
    run: *const simdetr_run_options_t,
    feature_maps: *mut simdetr_feature_maps_t,
    read: impl FnOnce(&ImageLimits) -> Result<Image>,
) -> Result<()> {
    let target = borrow_mut(feature_maps, "feature_maps")?;
    let (rule, workers) = encode_options(options)?;
    let workers = workers.sharing_scratch(&encoder.keeper);
    let encoder = &*encoder.encoder;
    let rule = rule_for(encoder, &rule)?;
    let limits = ImageLimits::default();
    let image = read(&limits)?;
    limits.check_pixels("image", image.width, image.height)?;
    let encoded = with_control(run, |control| {
        EncodedImage::new(encoder, &rule, &image, (&workers, control))
    })?;
    target.encoded = encoded;
    target.descriptions = encoder.maps().to_vec();
    Ok(())
}

/// Computes an encoder's feature maps of one image.
///
/// @param[in] encoder The encoder.
/// @param[in] image Pixels of the host.
/// @param[in] options NULL is all defaults.
/// @param[in] run Optional.
/// @param[in] feature_maps Receives the maps; untouched unless the status is 0.
/// @return A status; negative where the host's encoder callback stopped the call.
///
/// May run at the same time as other functions on the encoder, with other feature maps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_encode_image(
    encoder: *const simdetr_encoder_t,
    image: *const simdetr_image_t,
    options: *const simdetr_encode_options_t,
    run: *const simdetr_run_options_t,
    feature_maps: *mut simdetr_feature_maps_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(encoder, error, |encoder| {
        encode(encoder, options, run, feature_maps, |_| copy_image(image))
    })
}

/// Computes an encoder's feature maps of one encoded image: JPEG, PNG, WebP, BMP or TIFF,
/// recognised by content; the maps are those of the upright image.
///
/// @param[in] encoder The encoder.
/// @param[in] data The file's bytes.
/// @param[in] length Number of bytes.
/// @param[in] options NULL is all defaults.
/// @param[in] run Optional.
/// @param[in] feature_maps Receives the maps; untouched unless the status is 0.
/// @return `SIMDETR_ERROR_IMAGE_DECODE` or `SIMDETR_ERROR_IMAGE_TOO_LARGE` say what is wrong.
///
/// May run at the same time as other functions on the encoder, with other feature maps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_encode_bytes(
    encoder: *const simdetr_encoder_t,
    data: *const u8,
    length: usize,
    options: *const simdetr_encode_options_t,
    run: *const simdetr_run_options_t,
    feature_maps: *mut simdetr_feature_maps_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(encoder, error, |encoder| {
        let data = slice(data, length, "data")?;
        let read = |limits: &ImageLimits| decode::decode(data, "data", limits);
        encode(encoder, options, run, feature_maps, read)
    })
}

/// Computes an encoder's feature maps of an image tensor.
///
/// @param[in] encoder The encoder.
/// @param[in] image `[3, H, W]` or `[H, W, 3]`, with or without a leading 1, any positive strides;
/// u8, or f32 in [0, 1].
/// @param[in] options NULL is all defaults.
/// @param[in] run Optional.
/// @param[in] feature_maps Receives the maps; untouched unless the status is 0.
/// @return A status.
///
/// May run at the same time as other functions on the encoder, with other feature maps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_encoder_encode_tensor(
    encoder: *const simdetr_encoder_t,
    image: *const DLTensor,
    options: *const simdetr_encode_options_t,
    run: *const simdetr_run_options_t,
    feature_maps: *mut simdetr_feature_maps_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(encoder, error, |encoder| {
        encode(encoder, options, run, feature_maps, |_| copy_tensor_image(image, "image"))
    })
}

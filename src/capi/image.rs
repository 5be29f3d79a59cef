//! `simdetr_image_t`, and images as DLPack tensors.

use super::declare::{choices, initialiser, versioned};
use super::options::{chosen, copy_struct, reserved};
use super::pointers::slice;
use super::tensor::{DLTensor, Element, Tensor};
use crate::data::image::Image;
use crate::data::image::view::{ImageView, Layout, PixelFormat};
use crate::{Error, Result, memory};

choices! {
    PIXEL_FORMATS: PixelFormat {
        /// Bytes red, green, blue.
        SIMDETR_PIXEL_RGB8 = 1 => PixelFormat::Rgb8,
        /// Bytes blue, green, red.
        SIMDETR_PIXEL_BGR8 = 2 => PixelFormat::Bgr8,
        /// Bytes red, green, blue, alpha; alpha is ignored.
        SIMDETR_PIXEL_RGBA8 = 3 => PixelFormat::Rgba8,
        /// Bytes blue, green, red, alpha; alpha is ignored.
        SIMDETR_PIXEL_BGRA8 = 4 => PixelFormat::Bgra8,
        /// One byte of brightness.
        SIMDETR_PIXEL_GRAY8 = 5 => PixelFormat::Gray8,
        /// Rows of brightness, then half as many rows of colour differences, blue's and red's in turns,
        /// from `data + row_stride_bytes * height` on, in the range of video (BT.601). Sides are even and
        /// the top row comes first.
        SIMDETR_PIXEL_NV12 = 6 => PixelFormat::Nv12,
        /// Brightness, blue's difference, brightness, red's difference: four bytes for two pixels, in the
        /// range of video (BT.601). The width is even.
        SIMDETR_PIXEL_YUYV = 7 => PixelFormat::Yuyv,
    }
}

versioned! {
    /// Pixels of the host, borrowed for the call. The image is taken as upright.
    pub struct simdetr_image_t (40 bytes) {
        /// First byte of the top row.
        pub data: *const u8,
        /// Pixels in a row.
        pub width: u32,
        /// Rows.
        pub height: u32,
        /// Bytes from one row to the row below it; negative where the bottom row comes first in
        /// memory; 0 for rows without padding.
        pub row_stride_bytes: i64,
        /// One of `SIMDETR_PIXEL_*`; 0 is `SIMDETR_PIXEL_RGB8`.
        pub pixel_format: i32,
        /// Must be 0.
        pub reserved: i32,
    }
}

initialiser!(simdetr_image_init, image, simdetr_image_t);

/// An image of the library as the host sees it, for as long as the image lives.
pub(super) fn borrowed_image(image: &Image) -> simdetr_image_t {
    simdetr_image_t {
        struct_size: size_of::<simdetr_image_t>(),
        data: image.pixels.as_ptr(),
        width: image.width,
        height: image.height,
        row_stride_bytes: i64::from(image.width) * 3,
        pixel_format: SIMDETR_PIXEL_RGB8,
        reserved: 0,
    }
}

/// Copies the host's pixels as RGB.
///
/// # Safety
/// `given` is NULL or describes readable pixels.
pub(super) unsafe fn copy_image(given: *const simdetr_image_t) -> Result<Image> {
    let mut image = Image::default();
    copy_image_into(given, &mut image)?;
    Ok(image)
}

/// [`copy_image`] into memory that is used again: nothing is allocated once it has held an image of
/// this size.
///
/// # Safety
/// As [`copy_image`].
pub(super) unsafe fn copy_image_into(
    given: *const simdetr_image_t,
    target: &mut Image,
) -> Result<()> {
    let image = copy_struct(given)?;
    reserved::<simdetr_image_t>(image.reserved)?;
    let stride = isize::try_from(image.row_stride_bytes).map_err(|_| {
        Error::invalid("row_stride_bytes", format!("{} is too large", image.row_stride_bytes))
    })?;
    let layout = Layout {
        width: image.width,
        height: image.height,
        row_stride_bytes: stride,
        format: chosen("pixel_format", image.pixel_format, PIXEL_FORMATS)?,
    };
    let (before, span) = layout.span()?;
    let lowest = if image.data.is_null() { image.data } else { image.data.wrapping_sub(before) };
    // SAFETY: the caller promises that every row of the layout is readable.
    let bytes = unsafe { slice(lowest, span, "simdetr_image_t.data") }?;
    let view = ImageView::new(bytes, layout)?;
    let length = u64::from(layout.width) * u64::from(layout.height) * 3;
    if (target.pixels.capacity() as u64) < length {
        memory::probe(length, "a copy of the image")?;
    }
    view.copy_into(target);
    Ok(())
}

/// Copies an image tensor as RGB: `[3, H, W]` or `[H, W, 3]`, with or without a leading 1, any
/// positive strides, u8 in 0..=255 or f32 in 0..=1.
///
/// # Safety
/// `tensor` is NULL or a living DLPack tensor.
pub(super) unsafe fn copy_tensor_image(tensor: *const DLTensor, name: &str) -> Result<Image> {
    // SAFETY: promised by the caller; only the element type is looked at.
    let is_bytes = unsafe { tensor.as_ref() }.is_none_or(|tensor| tensor.dtype == u8::TYPE);
    if is_bytes {
        let tensor = Tensor::<u8>::borrow(tensor, name)?;
        return gather(&tensor, name, Some);
    }
    let tensor = Tensor::<f32>::borrow(tensor, name)?;
    gather(&tensor, name, |value| {
        (0.0..=1.0).contains(&value).then(|| (value * 255.0).round() as u8)
    })
}

fn gather<T: Element + std::fmt::Display>(
    tensor: &Tensor<'_, T>,
    name: &str,
    convert: impl Fn(T) -> Option<u8>,
) -> Result<Image> {
    let [rows, columns, channels] = image_axes(tensor.shape).ok_or_else(|| {
        let expected = "[3,H,W] or [H,W,3], with or without a leading 1";
        Error::shape(name, expected, format!("{:?}", tensor.shape))
    })?;
    let side = |axis: usize| {
        u32::try_from(tensor.size(axis))
            .map_err(|_| Error::shape(name, "sides below 2^32", format!("{:?}", tensor.shape)))
    };
    let (height, width) = (side(rows)?, side(columns)?);
    let mut pixels = memory::with_capacity(tensor.size(rows) * tensor.size(columns) * 3, name)?;
    for y in 0..tensor.size(rows) {
        for x in 0..tensor.size(columns) {
            for channel in 0..3 {
                let value = tensor.at([rows, columns, channels], [y, x, channel]);
                let byte = convert(value).ok_or_else(|| {
                    let place = format!("{value} at row {y}, column {x}, channel {channel}");
                    Error::invalid(name, format!("{place} is outside [0, 1]"))
                })?;
                pixels.push(byte);
            }
        }
    }
    Image::new(width, height, pixels)
}

/// Which axes of the shape are rows, columns and channels.
fn image_axes(shape: &[i64]) -> Option<[usize; 3]> {
    let lead = match shape {
        [_, _, _] => 0,
        [1, _, _, _] => 1,
        _ => return None,
    };
    match shape[lead..] {
        [3, _, _] => Some([lead + 1, lead + 2, lead]),
        [_, _, 3] => Some([lead, lead + 1, lead + 2]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::tensor::describe;

    fn tensor<T: Element>(
        values: &mut [T],
        shape: &mut [i64],
        strides: Option<&mut [i64]>,
    ) -> DLTensor {
        let dense = describe(values, shape, &mut []);
        DLTensor { strides: strides.map_or(std::ptr::null_mut(), <[i64]>::as_mut_ptr), ..dense }
    }

    #[test]
    fn planar_and_interleaved_tensors_give_the_same_image() {
        let mut planar = [1u8, 2, 11, 12, 21, 22];
        let mut interleaved = [1u8, 11, 21, 2, 12, 22];
        let mut floats = interleaved.map(|value| f32::from(value) / 255.0);
        // SAFETY: values and shapes live during each call.
        unsafe {
            let expected = Image::new(2, 1, interleaved.to_vec()).unwrap();
            let read = |tensor: DLTensor| copy_tensor_image(&raw const tensor, "image").unwrap();
            assert_eq!(read(tensor(&mut planar, &mut [3, 1, 2], None)), expected);
            assert_eq!(read(tensor(&mut interleaved, &mut [1, 1, 2, 3], None)), expected);
            let channels_last = Some(&mut [6, 1, 6, 3][..]);
            assert_eq!(read(tensor(&mut floats, &mut [1, 3, 1, 2], channels_last)), expected);
            let refused = |tensor: DLTensor| copy_tensor_image(&raw const tensor, "image").err();
            floats[4] = 1.5;
            let error = refused(tensor(&mut floats, &mut [1, 2, 3], None)).unwrap().to_string();
            assert!(error.contains("1.5 at row 0, column 1, channel 1"), "{error}");
            let error = refused(tensor(&mut planar, &mut [6], None)).unwrap().to_string();
            assert!(error.contains("[6]"), "{error}");
            let (mut shape, mut strides) = ([3, 1, 2], [2, 2, -1]);
            let mut turned = tensor(&mut planar, &mut shape, Some(&mut strides));
            assert!(matches!(refused(turned), Some(Error::Strides { .. })));
            turned.device.device_type = 2;
            assert!(matches!(refused(turned), Some(Error::Device { .. })));
        }
    }

    #[test]
    fn images_of_the_host_are_checked_and_turned_to_rgb() {
        let pixels = [1u8, 2, 3, 0, 4, 5, 6, 0];
        let mut image = simdetr_image_t {
            struct_size: size_of::<simdetr_image_t>(),
            data: pixels[4..].as_ptr(),
            width: 1,
            height: 2,
            row_stride_bytes: -4,
            pixel_format: SIMDETR_PIXEL_BGRA8,
            reserved: 0,
        };
        // SAFETY: the rows lie in `pixels`.
        unsafe {
            assert_eq!(copy_image(&raw const image).unwrap().pixels, [6, 5, 4, 3, 2, 1]);
            image.pixel_format = 8;
            assert!(copy_image(&raw const image).unwrap_err().to_string().contains("8 is outside"));
            image.pixel_format = 0;
            image.data = std::ptr::null();
            assert!(matches!(copy_image(&raw const image), Err(Error::NullPointer { .. })));
            assert!(matches!(copy_image(std::ptr::null()), Err(Error::NullPointer { .. })));
        }
    }
}

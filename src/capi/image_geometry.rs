//! `simdetr_image_geometry_t`: the sizes that lead from the cells of feature maps back to pixels.

use super::declare::{initialiser, versioned};
use super::options::reserved;
use crate::proposals::ImageGeometry;
use crate::{Error, Result};

versioned! {
    /// The image that feature maps belong to.
    pub struct simdetr_image_geometry_t (32 bytes) {
        /// Pixels of the upright original image, in which boxes are given.
        pub original_width: u32,
        /// Pixels of the upright original image.
        pub original_height: u32,
        /// Pixels of the image as the encoder saw it; 0 is that of the original.
        pub resized_width: u32,
        /// Pixels of the image as the encoder saw it; 0 is that of the original.
        pub resized_height: u32,
        /// Keys the image's random numbers; the rank of its path where it has one.
        pub image_id: u32,
        /// Must be 0.
        pub reserved: u32,
    }
}

initialiser!(simdetr_image_geometry_init, geometry, simdetr_image_geometry_t);

impl simdetr_image_geometry_t {
    pub(super) fn of(geometry: &ImageGeometry) -> simdetr_image_geometry_t {
        simdetr_image_geometry_t {
            struct_size: size_of::<simdetr_image_geometry_t>(),
            original_width: geometry.original_width as u32,
            original_height: geometry.original_height as u32,
            resized_width: geometry.resized_width as u32,
            resized_height: geometry.resized_height as u32,
            image_id: 0,
            reserved: 0,
        }
    }

    pub(super) fn check(&self) -> Result<ImageGeometry> {
        reserved::<simdetr_image_geometry_t>(self.reserved)?;
        if self.original_width == 0 || self.original_height == 0 {
            let (width, height) = (self.original_width, self.original_height);
            return Err(Error::invalid("geometry", format!("{width}x{height} pixels")));
        }
        let or_original =
            |resized, original: u32| if resized == 0 { original } else { resized } as usize;
        Ok(ImageGeometry {
            original_width: self.original_width as usize,
            original_height: self.original_height as usize,
            resized_width: or_original(self.resized_width, self.original_width),
            resized_height: or_original(self.resized_height, self.original_height),
        })
    }
}

//! Pictures to look at: an image of a store with its proposals drawn on it.

use super::clusterer::simdetr_clusterer_t;
use super::error::simdetr_error_t;
use super::guard::guard_handle;
use super::pointers::{borrow, optional, text};
use super::status::simdetr_status_t;
use super::store::simdetr_proposal_store_t;
use crate::Error;
use crate::clustering;
use crate::control::Control;
use crate::data::drawing::{Outline, draw_box, palette, thickness_for};
use crate::data::image::{ImageLimits, decode, encode};
use crate::data::vectors::VectorArray;
use crate::data::{atomic_file, store::ImageStatus};
use std::ffi::c_char;
use std::path::Path;

/// Writes a PNG of one image with its boxes, coloured by pseudo-class.
///
/// @param[in] store A store that was opened or finished.
/// @param[in] index Which image, from 0.
/// @param[in] images Folder of images that the store was made from.
/// @param[in] clusterer A clusterer with centroids; NULL draws all boxes in one colour.
/// @param[in] path File to write; complete or absent.
/// @return A status.
///
/// May run at the same time as other functions that take store or clusterer `const`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_proposal_store_overlay(
    store: *const simdetr_proposal_store_t,
    index: u64,
    images: *const c_char,
    clusterer: *const simdetr_clusterer_t,
    path: *const c_char,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard_handle(store, error, |store| {
        let folder = Path::new(text(images, "images")?);
        let path = Path::new(text(path, "path")?);
        let clusterer = optional(clusterer, |clusterer| borrow(clusterer, "clusterer"))?;
        atomic_file::check(path)?;
        store.reading()?.with_image(index, |found| {
            if found.record.status == ImageStatus::Broken {
                let reason = format!("{}: {}", found.record.path, found.record.message);
                return Err(Error::invalid("index", reason));
            }
            let file = folder.join(&found.record.path);
            let mut picture = decode::read(&file, &ImageLimits::default())?;
            let set = &found.proposals;
            let classes = match clusterer {
                Some(clusterer) if set.count() > 0 => clustering::labels(
                    &VectorArray::new(&set.vectors, set.dimensions)?,
                    clusterer.centroids()?,
                    &clusterer.resources(&Control::default()),
                )?,
                _ => vec![0; set.count()],
            };
            let thickness = thickness_for(&picture);
            for (bounds, class) in set.boxes.iter().zip(classes) {
                draw_box(&mut picture, bounds, Outline { colour: palette(class), thickness });
            }
            atomic_file::write(path, &encode::png(&picture)?)
        })
    })
}

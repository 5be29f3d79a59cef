//! Under which ids and names a detector's boxes are written: the ranks of the folder and the
//! detector's categories, or those of a data set that the boxes are to be compared with.

use super::predict_report::PredictReport;
use crate::data::coco::folder_places::FolderPlaces;
use crate::data::coco::join::pair_categories;
use crate::data::coco::read::read_dataset;
use crate::data::coco::settle::settle;
use crate::data::coco::{CocoCategory, CocoFile, CocoImage};
use crate::data::folder::FolderImage;
use crate::{Error, Result};
use std::path::Path;

/// An image that is predicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub place: FolderImage,
    /// As it is written; the size is what the annotations say, 0 where they do not.
    pub written: CocoImage,
}

/// What is predicted and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    pub images: Vec<Listed>,
    /// Class index to category.
    pub categories: Vec<CocoCategory>,
    /// With what the annotations leave out.
    pub report: PredictReport,
}

impl Names {
    /// Ranks of the folder, categories of the detector.
    pub fn own(images: &[FolderImage], categories: &[CocoCategory]) -> Names {
        let listed = images.iter().map(|image| Listed {
            written: CocoImage::new(image.image_id.into(), image.relative_path.as_str(), 0, 0),
            place: image.clone(),
        });
        let categories = categories.to_vec();
        Names { images: listed.collect(), categories, report: PredictReport::default() }
    }

    /// Those of the data set `annotations`. Classes that it does not list keep their own ids.
    ///
    /// # Errors
    /// Those of [`read_dataset`] and [`FolderPlaces::find`]; [`Error::Format`] where names of
    /// categories leave open which is meant, and where a class that the data set does not list has
    /// the id of one that it does.
    pub fn of_annotations(
        annotations: &Path,
        folder: &Path,
        images: &[FolderImage],
        categories: &[CocoCategory],
    ) -> Result<Names> {
        let refused = |reason: &dyn std::fmt::Display| Error::format(annotations, reason);
        let truth = read_dataset(annotations)?;
        if truth.images.is_empty() {
            return Err(refused(&"the file lists no image"));
        }
        let mut own = CocoFile { categories: categories.to_vec(), ..CocoFile::default() };
        own.category_texts = settle(&mut own.categories).map_err(|reason| refused(&reason))?;
        let pairs = pair_categories(&own, &truth).map_err(|reason| refused(&reason))?;
        let mut report = PredictReport::default();
        let mut partners = vec![None; categories.len()];
        pairs.iter().for_each(|&(class, place)| partners[class] = Some(place));
        let written = categories.iter().zip(partners).map(|(category, place)| match place {
            Some(place) => truth.categories[place].clone(),
            None => {
                let id = category.id_form.written(category.id);
                report.categories_unknown.add(|| format!("{id} {:?}", category.name));
                category.clone()
            }
        });
        let mut written: Vec<CocoCategory> = written.collect();
        settle(&mut written).map_err(|reason| {
            refused(&format!("a class of the detector is not among the categories: {reason}"))
        })?;
        let places = FolderPlaces::find(annotations, &truth, folder, images)?;
        for &position in &places.nameless {
            let id = truth.image_texts.shown(truth.images[position].id);
            report.images_nameless.add(|| format!("image {position} (id {id})"));
        }
        report.images_unlisted = images.len() - places.found.len();
        let by_id = |id: u32| images.binary_search_by_key(&id, |image| image.image_id).ok();
        let listed = places.found.iter().filter_map(|&(id, position)| {
            let place = images[by_id(id)?].clone();
            Some(Listed { place, written: truth.images[position].clone() })
        });
        Ok(Names { images: listed.collect(), categories: written, report })
    }

    /// Fails where the annotations hold an image that cannot be predicted, as `strict` asks for.
    ///
    /// # Errors
    /// [`Error::Format`] about `annotations`.
    pub fn refuse_left_out(&self, annotations: &Path) -> Result<()> {
        let nameless = &self.report.images_nameless;
        match nameless.is_empty() {
            true => Ok(()),
            false => {
                let reason = format!("`file_name` is missing: {nameless}");
                Err(Error::format(annotations, reason))
            }
        }
    }
}

//! What a detector is beside its parameters: sizes, the images it sees, the names of its classes.
//!
//! A file of ours carries it as one text entry, a TOML document, which other readers pass over.

use super::config::DetectorConfig;
use crate::backbone::checkpoint::Checkpoint;
use crate::data::coco::CocoCategory;
use crate::data::coco::foreign_ids::{IdForm, WrittenId};
use crate::data::image::{Normalisation, ResizeRule};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Key of the text entry.
pub const KEY: &str = "simdetr_detector";
/// Version of the document's layout.
const VERSION: u32 = 1;

/// Everything about a detector but its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorDescription {
    pub config: DetectorConfig,
    /// That of the backbone.
    pub normalisation: Normalisation,
    /// The size that the detector sees.
    pub resize: ResizeRule,
    /// Class index to category, `config.classes_count` of them, ids ascending.
    pub categories: Vec<CocoCategory>,
}

/// The document.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    detector: DetectorConfig,
    normalisation: Normalisation,
    resize: ResizeRule,
    categories: Categories,
}

/// Lists of the same length, by class index.
#[derive(Debug, Serialize, Deserialize)]
struct Categories {
    ids: Vec<i64>,
    names: Vec<String>,
    /// The ids as data sets write them, where one is no integer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    written_ids: Vec<WrittenId>,
}

impl DetectorDescription {
    /// A detector whose `config.classes_count` classes have their indices for ids and no names, without
    /// what only training has.
    pub fn unnamed(
        config: DetectorConfig,
        normalisation: Normalisation,
        resize: ResizeRule,
    ) -> DetectorDescription {
        let category = |id| CocoCategory::new(id, "");
        let categories = (0..config.classes_count as i64).map(category).collect();
        let config = config.predicting();
        DetectorDescription { config, normalisation, resize, categories }
    }

    /// # Errors
    /// [`Error::InvalidArgument`] with the first key out of range; [`Error::Shape`] for another
    /// number of categories than classes.
    pub fn validate(&self) -> Result<()> {
        self.config.validate()?;
        let groups = self.config.query_groups_count;
        if groups != 1 {
            let reason = format!(
                "{groups}; a detector holds the first group alone, as `DetectorConfig::predicting()` \
                 says"
            );
            return Err(Error::invalid("query_groups_count", reason));
        }
        self.normalisation.validate()?;
        self.resize.validate()?;
        let (classes, categories) = (self.config.classes_count, self.categories.len());
        if classes != categories {
            let expected = format!("{classes}, one for each class");
            return Err(Error::shape("categories", expected, categories));
        }
        match self.categories.windows(2).find(|pair| pair[0].id >= pair[1].id) {
            Some(pair) => {
                let reason = format!("id {} comes before {}", pair[0].id, pair[1].id);
                Err(Error::invalid("categories", reason))
            }
            None => Ok(()),
        }
    }

    /// The description as a TOML document.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be written as TOML.
    pub fn to_text(&self) -> Result<String> {
        let written = |category: &CocoCategory| category.id_form.written(category.id);
        let are_integers = self.categories.iter().all(|one| one.id_form == IdForm::Integer);
        let categories = Categories {
            ids: self.categories.iter().map(|category| category.id).collect(),
            names: self.categories.iter().map(|category| category.name.clone()).collect(),
            written_ids: match are_integers {
                true => Vec::new(),
                false => self.categories.iter().map(written).collect(),
            },
        };
        let document = Document {
            version: VERSION,
            // The file that is written holds one network, whatever it came from.
            detector: DetectorConfig { weights_prefix: String::new(), ..self.config.clone() },
            normalisation: self.normalisation.clone(),
            resize: self.resize.clone(),
            categories,
        };
        crate::config::to_text(&document, "detector")
    }

    /// Reads the document of the file `source`.
    ///
    /// # Errors
    /// [`Error::Format`] for a document that is damaged or of another version; those of
    /// [`DetectorDescription::validate`].
    pub fn from_text(text: &str, source: &str) -> Result<DetectorDescription> {
        let document: Document = crate::config::read_record(text)
            .map_err(|error| Error::format(source, error.message()))?;
        if document.version != VERSION {
            let version = document.version;
            let reason = format!("detector of version {version}; this library reads {VERSION}");
            return Err(Error::format(source, reason));
        }
        let Categories { ids, names, written_ids } = document.categories;
        if ids.len() != names.len() {
            let reason = format!("{} category ids and {} names", ids.len(), names.len());
            return Err(Error::format(source, reason));
        }
        if !written_ids.is_empty() && written_ids.len() != ids.len() {
            let reason = format!("{} category ids, {} written", ids.len(), written_ids.len());
            return Err(Error::format(source, reason));
        }
        let forms = written_ids.iter().map(IdForm::from).chain(std::iter::repeat(IdForm::Integer));
        let category = |((id, name), id_form)| CocoCategory { id, id_form, name };
        let description = DetectorDescription {
            config: document.detector,
            normalisation: document.normalisation,
            resize: document.resize,
            categories: ids.into_iter().zip(names).zip(forms).map(category).collect(),
        };
        description.validate()?;
        Ok(description)
    }

    /// The description that a safetensors file carries, if it carries one.
    ///
    /// # Errors
    /// Those of [`DetectorDescription::from_text`].
    pub fn of_file(file: &Checkpoint<'_>) -> Result<Option<DetectorDescription>> {
        let of_text = |text| DetectorDescription::from_text(text, file.source());
        file.text(KEY).map(of_text).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> DetectorDescription {
        let config = DetectorConfig { classes_count: 2, ..DetectorConfig::default() };
        let (normalisation, resize) = (Normalisation::default(), ResizeRule::default());
        let mut description = DetectorDescription::unnamed(config, normalisation, resize);
        description.categories =
            [(-4, "red \"cell\""), (90, "")].map(|(id, name)| CocoCategory::new(id, name)).into();
        description
    }

    #[test]
    fn the_document_reads_back() {
        let written = description().to_text().unwrap();
        assert!(!written.contains("written_ids"));
        assert_eq!(DetectorDescription::from_text(&written, "file").unwrap(), description());
        let mut others = description();
        others.categories[0].id_form = IdForm::Text("10.0".into());
        others.categories[1].id_form = IdForm::Float;
        let written = others.to_text().unwrap();
        assert_eq!(DetectorDescription::from_text(&written, "file").unwrap(), others);
        let shorter = written.replace("[\"10.0\", 90.0]", "[90.0]");
        let error = DetectorDescription::from_text(&shorter, "file").unwrap_err().to_string();
        assert!(error.contains("2 category ids, 1 written"), "{error}");
    }

    #[test]
    fn a_document_says_which_detector_it_is() {
        let written = description().to_text().unwrap();
        let line = "kind = \"deformable-detr\"\n";
        assert_eq!(written.matches(line).count(), 1);
        let with = |other| DetectorDescription::from_text(&written.replace(line, other), "file");
        assert_eq!(with("").unwrap(), description(), "files of before there were kinds");
        let error = with("kind = \"yolo\"\n").unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("`yolo`") && error.contains("deformable-detr"), "{error}");
    }

    #[test]
    fn documents_that_do_not_fit_are_named_errors() {
        let written = description().to_text().unwrap();
        let refused = |from: &str, to: &str| {
            let changed = written.replace(from, to);
            assert_ne!(changed, written);
            DetectorDescription::from_text(&changed, "file").unwrap_err().to_string()
        };
        assert!(refused("version = 1", "version = 2").contains("version 2"));
        assert!(refused("version = 1", "version = ").contains("file"));
        assert!(refused("[-4, 90]", "[90, -4]").contains("90 comes before -4"));
        assert!(refused("[-4, 90]", "[90]").contains("1 category ids and 2 names"));
        assert!(
            refused("classes_count = 2", "classes_count = 3").contains("3, one for each class")
        );
        assert!(refused("levels_count = 4", "levels_count = 9").contains("levels_count"));
        let groups = refused("query_groups_count = 1", "query_groups_count = 2");
        assert!(groups.contains("query_groups_count: 2") && groups.contains("predicting()"));
    }
}

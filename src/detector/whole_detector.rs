//! A whole detector: parameters and description, opened, saved and asked for predictions.

use super::config::DetectorConfig;
use super::description::{DetectorDescription, KEY};
use super::kind::Kind;
use super::naming::Naming;
use super::parameters::{initialise, parameter_table};
use super::predictor::{Predictor, PredictorMemory};
use super::weights;
use crate::backbone::checkpoint::{Checkpoint, weights_file};
use crate::control::Control;
use crate::data::coco::CocoCategory;
use crate::data::image::Image;
use crate::detector::prediction::{Detections, Reading, Wanted};
use crate::nn::parameter_values::ParameterValues;
use crate::nn::parameters::ParameterTable;
use crate::workers::Workers;
use crate::{Error, Result, memory};
use std::path::Path;

/// What memory is asked for.
const PARAMETERS: &str = "a detector's parameters";

/// A detector that is no longer trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    description: DetectorDescription,
    table: ParameterTable,
    parameters: ParameterValues<f32>,
}

/// Which of a detector's boxes are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictionOptions {
    /// Best boxes of each image. Default 100, as COCO's evaluation counts them.
    pub detections_max: usize,
    /// Boxes with a lower score are left out. Default 0: none is.
    pub score_min: f32,
    /// Default [`Reading::Pairs`], that of the official detectors.
    pub reading: Reading,
}

impl Default for PredictionOptions {
    fn default() -> PredictionOptions {
        PredictionOptions { detections_max: 100, score_min: 0.0, reading: Reading::Pairs }
    }
}

impl PredictionOptions {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the first one outside its range.
    pub fn validate(&self) -> Result<()> {
        if self.detections_max == 0 {
            return Err(Error::invalid("detections_max", "0; at least 1 is needed"));
        }
        if !(0.0..=1.0).contains(&self.score_min) {
            return Err(Error::invalid(
                "score_min",
                format!("{} is not in [0, 1]", self.score_min),
            ));
        }
        Ok(())
    }
}

impl Detector {
    /// A detector of `parameters`, in the places of [`parameter_table`].
    ///
    /// # Errors
    /// Those of [`DetectorDescription::validate`]; [`Error::Shape`] for another number of them.
    pub fn new(description: DetectorDescription, parameters: Vec<f32>) -> Result<Detector> {
        description.validate()?;
        let table = parameter_table(&description.config)?;
        if table.length() != parameters.len() {
            return Err(Error::shape("parameters", table.length(), parameters.len()));
        }
        Ok(Detector { description, table, parameters: ParameterValues::new(parameters) })
    }

    /// A detector that has learned nothing.
    ///
    /// # Errors
    /// Those of [`DetectorDescription::validate`].
    pub fn untrained(description: DetectorDescription, seed: u64) -> Result<Detector> {
        description.validate()?;
        let table = parameter_table(&description.config)?;
        let parameters = ParameterValues::new(initialise(&table, seed)?);
        Ok(Detector { description, table, parameters })
    }

    /// Opens a safetensors file of either naming, or the folder of one.
    ///
    /// A file that this library wrote says what it holds, and for one of Hugging Face the `config.json`
    /// beside it does. `plain` says it for other files: all sizes but
    /// `classes_count`, which is read off the file; where its categories are not as many, they are
    /// unnamed. Its `config.weights_prefix` chooses among several networks of a file. A checkpoint of
    /// training that has several groups of its `config.queries_count` queries gives the first one.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for a file that is not whole or says nothing where `plain` is
    /// `None`; [`Error::WeightNames`] and [`Error::Shape`] when it holds another detector;
    /// [`Error::OutOfMemory`].
    pub fn open(path: &Path, plain: Option<&DetectorDescription>) -> Result<Detector> {
        let file = weights_file(path)?;
        Detector::read(Checkpoint::open(&file)?, &file, file.parent(), plain)
    }

    /// [`Detector::open`] for a file that may hold a backbone alone: `None` then.
    ///
    /// # Errors
    /// As [`Detector::open`].
    pub fn open_if_detector(
        path: &Path,
        plain: Option<&DetectorDescription>,
    ) -> Result<Option<Detector>> {
        let file = weights_file(path)?;
        let checkpoint = Checkpoint::open(&file)?;
        match weights::has_heads(&checkpoint) {
            true => Detector::read(checkpoint, &file, file.parent(), plain).map(Some),
            false => Ok(None),
        }
    }

    /// [`Detector::open`] for the content of a file, which `source` names in errors.
    ///
    /// # Errors
    /// As [`Detector::open`].
    pub fn from_bytes(
        bytes: &[u8],
        source: &str,
        plain: Option<&DetectorDescription>,
    ) -> Result<Detector> {
        Detector::read(Checkpoint::read(bytes, source)?, Path::new(source), None, plain)
    }

    /// `folder` is where documents may lie beside the file.
    fn read(
        file: Checkpoint<'_>,
        path: &Path,
        folder: Option<&Path>,
        plain: Option<&DetectorDescription>,
    ) -> Result<Detector> {
        let wanted = plain.map_or("", |plain| plain.config.weights_prefix.as_str());
        let file = weights::open(file, wanted)?;
        let description = match DetectorDescription::of_file(&file)? {
            Some(found) => found,
            None => match described(&file, folder, plain)? {
                Some(found) => found,
                None => {
                    let reason = format!("it lacks `{KEY}`, so the detector's sizes must be given");
                    fitted(plain.ok_or_else(|| Error::format(path, reason))?, &file)?
                }
            },
        };
        let (table, parameters) = read_first_group(&file, &description.config)?;
        Ok(Detector { description, table, parameters: ParameterValues::new(parameters) })
    }

    /// Whether `bytes` are a safetensors file with a detector's heads, as opposed to a backbone.
    pub fn is_in(bytes: &[u8]) -> bool {
        Checkpoint::read(bytes, "").is_ok_and(|file| weights::has_heads(&file))
    }

    /// Writes parameters under `naming` and the description beside them; what lay there stays whole
    /// until the new file is.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path, naming: Naming) -> Result<()> {
        let text = Some((KEY, self.description.to_text()?));
        weights::write(path, self.config(), &self.table, self.parameters(), naming, text)
    }

    /// Writes the backbone alone under torchvision's names.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save_backbone(&self, path: &Path) -> Result<()> {
        weights::write_backbone(path, &*self.config().kind, &self.table, self.parameters())
    }

    /// Sizes, what it sees, categories.
    pub fn description(&self) -> &DetectorDescription {
        &self.description
    }

    /// Its sizes.
    pub fn config(&self) -> &DetectorConfig {
        &self.description.config
    }

    /// Class index to category.
    pub fn categories(&self) -> &[CocoCategory] {
        &self.description.categories
    }

    /// Every parameter by name.
    pub fn table(&self) -> &ParameterTable {
        &self.table
    }

    /// The flat parameters, in the places that [`Detector::table`] says.
    pub fn parameters(&self) -> &[f32] {
        self.parameters.as_slice()
    }

    /// Bytes of the parameters and of what predictions so far, of whatever sizes, packed from them;
    /// networks lie in the memory of predictions.
    pub fn memory_bytes(&self) -> usize {
        self.parameters.memory_bytes()
    }

    /// Reads detections off images one at a time.
    pub fn predictor(&self) -> Predictor<'_> {
        Predictor {
            config: &self.description.config,
            table: &self.table,
            parameters: &self.parameters,
            resize: &self.description.resize,
            normalisation: &self.description.normalisation,
        }
    }

    /// The best detections of `count` images, each in its own pixels, best first, in place of what
    /// `found` held: see [`Predictor::predict`].
    ///
    /// # Errors
    /// Those of [`PredictionOptions::validate`] and [`Predictor::predict`].
    pub fn predict(
        &self,
        images: (usize, impl FnMut(usize, &mut Image) -> Result<()>),
        options: &PredictionOptions,
        memory: &mut PredictorMemory,
        runners: (&Workers, &Control<'_>),
        found: &mut Detections,
    ) -> Result<()> {
        options.validate()?;
        let PredictionOptions { detections_max: count, score_min, reading } = *options;
        let wanted = Wanted { count, score_min, reading };
        self.predictor().predict(images, &wanted, memory, runners, found)
    }

    /// [`Detector::predict`] on images at hand.
    ///
    /// # Errors
    /// As [`Detector::predict`].
    pub fn predict_images(
        &self,
        images: &[Image],
        options: &PredictionOptions,
        memory: &mut PredictorMemory,
        workers: &Workers,
    ) -> Result<Detections> {
        let mut found = Detections::default();
        let read = |index: usize, frame: &mut Image| {
            frame.clone_from(&images[index]);
            Ok(())
        };
        let runners = (workers, &Control::default());
        self.predict((images.len(), read), options, memory, runners, &mut found)?;
        Ok(found)
    }
}

/// The parameters of a detector of `config`, whose file may have more groups of its queries.
fn read_first_group(
    file: &Checkpoint<'_>,
    config: &DetectorConfig,
) -> Result<(ParameterTable, Vec<f32>)> {
    let table = parameter_table(config)?;
    let query_groups_count = weights::query_groups_of(file, &table, config.queries_count);
    let whole = DetectorConfig { query_groups_count, ..config.clone() };
    let whole_table = parameter_table(&whole)?;
    let values = weights::read_network(file, &whole, &whole_table)?;
    if whole == *config {
        return Ok((whole_table, values));
    }
    // The configured number of queries alone says that they are groups.
    log::warn!(
        "{}: read as the first of {query_groups_count} groups of `queries_count` {} queries",
        file.source(),
        config.queries_count
    );
    let mut parameters = memory::filled(0.0, table.length(), PARAMETERS)?;
    weights::take_over(&whole_table, &values, &table, &mut parameters, |_| true)?;
    Ok((table, parameters))
}

/// What the documents in the folder of a Hugging Face file say.
fn described(
    file: &Checkpoint<'_>,
    folder: Option<&Path>,
    plain: Option<&DetectorDescription>,
) -> Result<Option<DetectorDescription>> {
    let kind = plain.map_or_else(Kind::default, |plain| plain.config.kind);
    match folder {
        Some(folder) if weights::naming_of(file) == Naming::HuggingFace => {
            kind.described_by_hugging_face(folder, &|| classes_of(file, kind), plain)
        }
        _ => Ok(None),
    }
}

/// The classes that a file has heads for.
fn classes_of(file: &Checkpoint<'_>, kind: Kind) -> Result<usize> {
    let missing = || file.names_error("no class head; found", file.names());
    Ok(file.shape(kind.class_bias()).ok_or_else(missing)?.iter().product())
}

/// `plain` with as many classes as the file has.
fn fitted(plain: &DetectorDescription, file: &Checkpoint<'_>) -> Result<DetectorDescription> {
    let classes_count = classes_of(file, plain.config.kind)?;
    let config = DetectorConfig { classes_count, ..plain.config.clone() };
    let fitted = match plain.categories.len() == classes_count {
        true => DetectorDescription { config, ..plain.clone() },
        false => {
            let (normalisation, resize) = (plain.normalisation.clone(), plain.resize.clone());
            DetectorDescription::unnamed(config, normalisation, resize)
        }
    };
    fitted.validate()?;
    Ok(fitted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::{Normalisation, ResizeRule};
    use crate::detector::prediction::Detection;

    fn detector() -> Detector {
        let config = DetectorConfig {
            backbone_depth: 18,
            backbone_width: 8,
            levels_count: 2,
            hidden_size: 32,
            encoder_layers_count: 1,
            decoder_layers_count: 2,
            feedforward_size: 16,
            queries_count: 6,
            classes_count: 3,
            ..DetectorConfig::default()
        };
        let resize =
            ResizeRule { image_short_side: 64, image_long_side_max: 96, side_multiple: 32 };
        let normalisation = Normalisation { mean: [0.5; 3], ..Normalisation::default() };
        let mut description = DetectorDescription::unnamed(config, normalisation, resize);
        description.categories[2] = CocoCategory::new(70, "platelet");
        Detector::untrained(description, 5).unwrap()
    }

    fn images() -> Vec<Image> {
        let image = |(width, height): (u32, u32)| {
            let pixels = (0..width * height * 3).map(|value| (value * 37 % 251) as u8).collect();
            Image::new(width, height, pixels).unwrap()
        };
        [(90, 60), (40, 80), (90, 60)].map(image).into()
    }

    #[test]
    fn a_saved_detector_says_what_it_is_and_predicts_the_same() {
        let (detector, folder) = (detector(), tempfile::tempdir().unwrap());
        let path = folder.path().join("detector.safetensors");
        let predict = |detector: &Detector, images: &[Image]| {
            let options = PredictionOptions { detections_max: 9, ..Default::default() };
            let mut memory = PredictorMemory::default();
            let workers = Workers::caller();
            let found = detector.predict_images(images, &options, &mut memory, &workers).unwrap();
            found.images().map(<[Detection]>::to_vec).collect::<Vec<_>>()
        };
        let expected = predict(&detector, &images());
        assert_eq!(expected.iter().map(Vec::len).collect::<Vec<_>>(), [9, 9, 9]);
        assert_eq!(expected[0], expected[2]);
        assert_eq!(expected[1..2], predict(&detector, &images()[1..2]));
        for naming in [Naming::Official, Naming::HuggingFace] {
            detector.save(&path, naming).unwrap();
            assert!(Detector::is_in(&std::fs::read(&path).unwrap()));
            let opened = Detector::open(&path, None).unwrap();
            assert_eq!(opened, detector);
            assert_eq!(predict(&opened, &images()), expected);
        }
        detector.save_backbone(&path).unwrap();
        assert!(!Detector::is_in(&std::fs::read(&path).unwrap()));
    }

    #[test]
    fn plain_files_open_with_the_sizes_given() {
        let (detector, folder) = (detector(), tempfile::tempdir().unwrap());
        let path = folder.path().join("plain.safetensors");
        let (config, table) = (detector.config(), detector.table());
        weights::write(&path, config, table, detector.parameters(), Naming::Official, None)
            .unwrap();
        let error = Detector::open(&path, None).unwrap_err().to_string();
        assert!(error.contains("lacks `simdetr_detector`"), "{error}");
        let opened = Detector::open(&path, Some(detector.description())).unwrap();
        assert_eq!(opened, detector);
        let mut other = detector.description().clone();
        (other.config.classes_count, other.categories) = (2048, Vec::new());
        let opened = Detector::open(&path, Some(&other)).unwrap();
        assert_eq!((opened.categories().len(), opened.categories()[2].id), (3, 2));
        other.config.hidden_size = 64;
        let error = Detector::open(&path, Some(&other)).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }

    #[test]
    fn options_and_damaged_files_are_refused_by_name() {
        let (detector, folder) = (detector(), tempfile::tempdir().unwrap());
        let path = folder.path().join("detector.safetensors");
        detector.save(&path, Naming::Official).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 7, 200, bytes.len() - 1] {
            let error = Detector::from_bytes(&bytes[..length], "cut", None).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{length}: {error}");
        }
        for (detections_max, score_min) in [(0, 0.0), (1, 1.5), (1, f32::NAN)] {
            let options = PredictionOptions { detections_max, score_min, ..Default::default() };
            assert!(options.validate().is_err());
        }
        let short = Detector::new(detector.description().clone(), vec![0.0; 3]).unwrap_err();
        assert!(matches!(short, Error::Shape { .. }), "{short}");
    }
}

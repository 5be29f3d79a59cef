//! A host's detector whose recall at every step is written in a script: it has learned nothing but how
//! many steps it made, and finds each image's one object as well as its script says for that step.

use simdetr::data::image::Image;
use simdetr::detector::prediction::Detection;
use simdetr::matching::Predictions;
use simdetr::matching::input::PredictionsShape;
use simdetr::training::host_model::{HostBatch, HostGradients, HostModel, HostUpdate};
use simdetr::training::trainable::StageStart;
use simdetr::{Error, Result};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What the test sees.
#[derive(Debug, Default)]
pub struct Seen {
    /// The brightest value of any training image so far, normalised.
    pub brightest: f32,
    /// Images that were looked at to find objects.
    pub detected_count: usize,
}

/// The model.
pub struct ScriptedModel {
    /// IoU with the object after so many steps.
    overlaps: &'static [f32],
    seen: Arc<Mutex<Seen>>,
    classes_count: usize,
    steps_count: u32,
    logits: Vec<f32>,
    boxes: Vec<f32>,
}

impl ScriptedModel {
    pub fn new(overlaps: &'static [f32], seen: &Arc<Mutex<Seen>>) -> ScriptedModel {
        let (logits, boxes) = (Vec::new(), Vec::new());
        let seen = seen.clone();
        ScriptedModel { overlaps, seen, classes_count: 0, steps_count: 0, logits, boxes }
    }
}

/// The one object of an image: its left half.
pub fn object(width: f32, height: f32) -> [f32; 4] {
    [0.0, 0.0, width / 2.0, height]
}

impl HostModel for ScriptedModel {
    fn name(&self) -> &str {
        "scripted"
    }

    fn start_stage(&mut self, start: &StageStart) -> Result<()> {
        self.classes_count = start.classes_count;
        if start.fresh {
            self.steps_count = 0;
        }
        Ok(())
    }

    fn forward(&mut self, batch: &HostBatch<'_>) -> Result<Predictions<'_>> {
        let (images, classes) = (batch.sizes.len(), self.classes_count);
        let mut seen = self.seen.lock().unwrap();
        seen.brightest = batch.maps.iter().copied().fold(seen.brightest, f32::max);
        self.logits = vec![-2.0; images * classes];
        self.boxes = [0.4, 0.4, 0.2, 0.2].repeat(images);
        let shape = PredictionsShape { layers: 1, batch: images, queries: 1, classes };
        Predictions::new(&self.logits, &self.boxes, shape)
    }

    fn backward(&mut self, _: &HostGradients<'_>) -> Result<()> {
        Ok(())
    }

    fn step(&mut self, _: &HostUpdate) -> Result<f64> {
        self.steps_count += 1;
        Ok(1.0)
    }

    fn detect(&mut self, image: &Image, _: usize) -> Result<Option<Vec<Detection>>> {
        self.seen.lock().unwrap().detected_count += 1;
        let [left, top, right, bottom] = object(image.width as f32, image.height as f32);
        let overlap = self.overlaps[self.steps_count as usize];
        let bounds = [left, top, right * overlap, bottom];
        Ok(Some(vec![Detection { bounds, class: 0, score: 0.5 }]))
    }

    fn save(&mut self, path: &Path) -> Result<()> {
        std::fs::write(path, self.steps_count.to_string()).map_err(|error| Error::io(path, error))
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        self.steps_count = text.parse().unwrap();
        Ok(())
    }
}

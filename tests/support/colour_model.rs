//! The smallest detector that a host could bring: a query for each cell of a 3x2 grid, which reads the
//! cell's mean colour through linear layers; stochastic gradient descent with momentum. It can be told
//! to fail, and what it does depends on nothing but its parameters.

use simdetr::data::image::Image;
use simdetr::detector::prediction::Detection;
use simdetr::matching::Predictions;
use simdetr::matching::input::PredictionsShape;
use simdetr::training::host_model::{HostBatch, HostGradients, HostModel, HostUpdate};
use simdetr::training::trainable::StageStart;
use simdetr::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

const GRID: [usize; 2] = [2, 3];
const QUERIES: usize = GRID[0] * GRID[1];
/// Mean red, green, blue, and 1.
const FEATURES: usize = 4;
const LAYERS: usize = 2;

/// What the test decides and sees.
#[derive(Debug, Default)]
pub struct Script {
    /// The callback that fails, at which of its calls from now on (from 1), and with what.
    pub failure: Option<(&'static str, usize, i32)>,
    /// Calls of each callback.
    pub calls: BTreeMap<&'static str, usize>,
    /// Loss of every step that was made.
    pub losses: Vec<f64>,
}

/// The model; it labels through forward passes.
#[derive(Default)]
pub struct ColourModel {
    script: Arc<Mutex<Script>>,
    /// Logits a query.
    logits_count: usize,
    /// One more logit than classes.
    softmax: bool,
    /// `[logits + 4, FEATURES]`.
    parameters: Vec<f32>,
    gradients: Vec<f32>,
    velocity: Vec<f32>,
    /// Of the last forward pass: `[images, QUERIES, FEATURES]`.
    features: Vec<f32>,
    logits: Vec<f32>,
    boxes: Vec<f32>,
}

impl ColourModel {
    pub fn new(script: Arc<Mutex<Script>>, softmax: bool) -> ColourModel {
        ColourModel { script, softmax, ..ColourModel::default() }
    }

    fn call(&self, callback: &'static str) -> Result<()> {
        let mut script = self.script.lock().unwrap();
        *script.calls.entry(callback).or_default() += 1;
        match &mut script.failure {
            Some((name, left, status)) if *name == callback => {
                *left -= 1;
                let status = *status;
                if *left > 0 {
                    return Ok(());
                }
                script.failure = None;
                Err(Error::HostCallback { callback, status })
            }
            _ => Ok(()),
        }
    }

    fn rows(&self) -> usize {
        self.logits_count + 4
    }

    /// Mean colour of each cell of the un-padded image.
    fn see(&mut self, batch: &HostBatch<'_>) {
        self.features.clear();
        let map_length = batch.height * batch.width * 3;
        for (map, size) in batch.maps.chunks_exact(map_length).zip(batch.sizes) {
            let [height, width] = size.map(|side| side as usize);
            for cell in 0..QUERIES {
                let (row, column) = (cell / GRID[1], cell % GRID[1]);
                let (y0, y1) = (row * height / GRID[0], (row + 1) * height / GRID[0]);
                let (x0, x1) = (column * width / GRID[1], (column + 1) * width / GRID[1]);
                let mut sum = [0f32; 3];
                for y in y0..y1 {
                    for pixel in map[(y * batch.width + x0) * 3..][..(x1 - x0) * 3].chunks(3) {
                        (0..3).for_each(|channel| sum[channel] += pixel[channel]);
                    }
                }
                let area = ((y1 - y0) * (x1 - x0)) as f32;
                self.features.extend(sum.map(|sum| sum / area));
                self.features.push(1.0);
            }
        }
    }

    fn anchor(query: usize) -> [f32; 4] {
        let (row, column) = ((query / GRID[1]) as f32, (query % GRID[1]) as f32);
        let (high, wide) = (1.0 / GRID[0] as f32, 1.0 / GRID[1] as f32);
        [(column + 0.5) * wide, (row + 0.5) * high, wide, high]
    }
}

impl HostModel for ColourModel {
    fn name(&self) -> &str {
        "colours"
    }

    fn start_stage(&mut self, start: &StageStart) -> Result<()> {
        self.call("start_stage")?;
        self.logits_count = start.classes_count + usize::from(self.softmax);
        let length = self.rows() * FEATURES;
        if start.fresh {
            self.parameters = (0..length).map(|at| ((at * 7 % 11) as f32 - 5.0) * 0.02).collect();
        }
        self.velocity = vec![0.0; length];
        self.gradients = vec![0.0; length];
        Ok(())
    }

    fn forward(&mut self, batch: &HostBatch<'_>) -> Result<Predictions<'_>> {
        self.call("forward")?;
        self.see(batch);
        let logits_count = self.logits_count;
        self.logits.clear();
        self.boxes.clear();
        for (cell, features) in self.features.chunks_exact(FEATURES).enumerate() {
            let line = |row: usize| -> f32 {
                let weights = &self.parameters[row * FEATURES..][..FEATURES];
                weights.iter().zip(features).map(|(weight, feature)| weight * feature).sum()
            };
            self.logits.extend((0..logits_count).map(line));
            let anchor = ColourModel::anchor(cell % QUERIES);
            // Sides keep their sign: an anchor moves by less than half of itself.
            self.boxes.extend((0..4).map(|side| {
                anchor[side] + 0.5 * anchor[2 + side % 2] * line(logits_count + side).tanh()
            }));
        }
        // Two layers that say the same.
        self.logits.extend_from_within(..);
        self.boxes.extend_from_within(..);
        let batch = batch.sizes.len();
        let shape =
            PredictionsShape { layers: LAYERS, batch, queries: QUERIES, classes: logits_count };
        Predictions::new(&self.logits, &self.boxes, shape)
    }

    fn backward(&mut self, given: &HostGradients<'_>) -> Result<()> {
        self.call("backward")?;
        if given.part == 0 {
            self.gradients.fill(0.0);
        }
        let logits_count = self.logits_count;
        let cells = self.features.len() / FEATURES;
        for layer in 0..LAYERS {
            for cell in 0..cells {
                let (place, anchor) = (layer * cells + cell, ColourModel::anchor(cell % QUERIES));
                let features = &self.features[cell * FEATURES..][..FEATURES];
                for row in 0..logits_count + 4 {
                    let slope = match row.checked_sub(logits_count) {
                        None => given.logits[place * logits_count + row],
                        Some(side) => {
                            let half = 0.5 * anchor[2 + side % 2];
                            let tanh = (self.boxes[place * 4 + side] - anchor[side]) / half;
                            given.boxes[place * 4 + side] * half * (1.0 - tanh * tanh)
                        }
                    };
                    for (sum, feature) in
                        self.gradients[row * FEATURES..][..FEATURES].iter_mut().zip(features)
                    {
                        *sum += slope * feature;
                    }
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, update: &HostUpdate) -> Result<f64> {
        self.call("step")?;
        let mut norm = 0.0;
        for ((parameter, velocity), gradient) in
            self.parameters.iter_mut().zip(&mut self.velocity).zip(&self.gradients)
        {
            *velocity = 0.5 * *velocity + gradient;
            *parameter -= 0.02 * update.rate_factor as f32 * *velocity;
            norm += f64::from(*gradient) * f64::from(*gradient);
        }
        self.script.lock().unwrap().losses.push(update.loss);
        Ok(norm.sqrt())
    }

    fn detect(&mut self, _image: &Image, _count: usize) -> Result<Option<Vec<Detection>>> {
        self.call("detect")?;
        Ok(None)
    }

    fn save(&mut self, path: &Path) -> Result<()> {
        // Half a file is there when the host gives up.
        std::fs::write(path, b"half").unwrap();
        self.call("save")?;
        let values = self.parameters.iter().chain(&self.velocity);
        let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(path, bytes).map_err(|error| Error::io(path, error))
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        self.call("load")?;
        let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let (parameters, velocity): (Vec<_>, Vec<_>) =
            values.enumerate().partition(|(at, _)| *at < self.parameters.len());
        self.parameters = parameters.into_iter().map(|(_, value)| value).collect();
        self.velocity = velocity.into_iter().map(|(_, value)| value).collect();
        Ok(())
    }
}

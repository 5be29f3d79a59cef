//! What a detector that lives in the host does for Algorithm 1: the contract behind the C callbacks.
//!
//! The library owns data, matching, losses, schedule, labels and checkpoints' bookkeeping; the host
//! owns parameters, the network and the optimiser. Calls come one at a time from the thread that
//! trains. Each error ends the call that trains and comes back from it; the run can go on later.

use super::step::StepPlace;
use super::trainable::StageStart;
use crate::Result;
use crate::data::image::Image;
use crate::detector::prediction::Detection;
use crate::matching::Predictions;
use std::path::Path;

/// Images for a forward pass.
#[derive(Debug, Clone, Copy)]
pub struct HostBatch<'a> {
    /// `[images, height, width, 3]`, normalised; 0 outside an image, which lies at the top left.
    pub maps: &'a [f32],
    /// `[height, width]` of every image without its padding.
    pub sizes: &'a [[u32; 2]],
    pub height: usize,
    pub width: usize,
    /// A backward pass follows; otherwise the boxes are read as labels.
    pub training: bool,
    /// Where in the run it is: what dropout may draw from. Zeros outside of training.
    pub place: StepPlace,
    /// Of the step, from 0; gradients of part 0 begin a new sum.
    pub part: usize,
}

/// What the loss asks of the forward pass before.
#[derive(Debug, Clone, Copy)]
pub struct HostGradients<'a> {
    /// As the logits, `[layers, images, queries, classes]`.
    pub logits: &'a [f32],
    /// As the boxes, `[layers, images, queries, 4]`.
    pub boxes: &'a [f32],
    /// Of the step, from 0; gradients of part 0 begin a new sum.
    pub part: usize,
}

/// One change of the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostUpdate {
    pub place: StepPlace,
    /// The schedule's factor on every learning rate.
    pub rate_factor: f64,
    /// `training.learning_rate` times the factor, for hosts without rates of their own.
    pub learning_rate: f64,
    /// Sum of the losses whose gradients the step has.
    pub loss: f64,
}

/// A detector of the host.
pub trait HostModel: Send {
    /// What the model is, for checkpoints: those of another name are another run's.
    fn name(&self) -> &str;

    /// Makes ready for a stage: weights of the start of a run where `start.fresh` says so (the same
    /// each time), the optimiser without memory. A [`HostModel::load`] may follow.
    ///
    /// # Errors
    /// The host's.
    fn start_stage(&mut self, start: &StageStart) -> Result<()>;

    /// Logits and boxes of every layer, the best layer last: one logit a class (one more for "no
    /// object" under softmax), boxes cxcywh as shares of the un-padded image.
    ///
    /// # Errors
    /// The host's.
    fn forward(&mut self, batch: &HostBatch<'_>) -> Result<Predictions<'_>>;

    /// Adds to the gradients of the parameters what those of the last forward pass's outputs give.
    ///
    /// # Errors
    /// The host's.
    fn backward(&mut self, gradients: &HostGradients<'_>) -> Result<()>;

    /// Changes the parameters; answers the norm of their gradients, 0 where it is not known.
    ///
    /// # Errors
    /// The host's.
    fn step(&mut self, update: &HostUpdate) -> Result<f64>;

    /// The `count` best boxes of an image, in its pixels; all of them under `usize::MAX`. `None`: the library reads them off a
    /// forward pass. Asked for between two steps as well where images are held out.
    ///
    /// # Errors
    /// The host's.
    fn detect(&mut self, image: &Image, count: usize) -> Result<Option<Vec<Detection>>>;

    /// Writes everything that the next step depends on into a new file at `path`.
    ///
    /// # Errors
    /// The host's.
    fn save(&mut self, path: &Path) -> Result<()>;

    /// Reads what [`HostModel::save`] wrote: behind [`HostModel::start_stage`], and at the end of a stage
    /// that ends with the weights of an earlier step.
    ///
    /// # Errors
    /// The host's.
    fn load(&mut self, path: &Path) -> Result<()>;
}

//! What training steps change, and who runs them: parameters, their gradients, the optimiser's moments and
//! the arena of activations, in the memory of the CPU.
//!
//! The trainer says which network runs, on which images, and how its predictions are judged; it holds no
//! gradient and no activation of training itself. Predictions, checkpoints and loading read the parameters
//! where they lie.

use super::adamw::{AdamW, StepSettings};
use super::groups::Group;
use crate::criterion::Gradients;
use crate::data::training::batch::Batch;
use crate::detector::network::DetectorNetwork;
use crate::kernels::matrix_product::Update;
use crate::matching::Predictions;
use crate::nn::network::Memory;
use crate::nn::operation::StepKey;
use crate::nn::parameter_values::ParameterValues;
use crate::workers::Workers;
use crate::{Result, memory};

/// The state of one detector in training.
#[derive(Debug)]
pub struct Executor {
    parameters: ParameterValues<f32>,
    /// As long as the trained parameters, which come first.
    gradients: Vec<f32>,
    optimiser: AdamW,
    groups: Vec<Group>,
    /// Networks of all sizes share it.
    memory: Memory<f32>,
    workers: Workers,
}

impl Executor {
    /// For flat `parameters`, the first `trained_length` of which are trained, with the rates of `groups`.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub fn new(
        parameters: Vec<f32>,
        trained_length: usize,
        groups: Vec<Group>,
        workers: Workers,
    ) -> Result<Executor> {
        Ok(Executor {
            parameters: ParameterValues::new(parameters),
            gradients: memory::filled(0.0, trained_length, "the gradients")?,
            optimiser: AdamW::new(trained_length)?,
            groups,
            memory: Memory::default(),
            workers,
        })
    }

    /// The flat parameters.
    pub fn parameters(&self) -> &ParameterValues<f32> {
        &self.parameters
    }

    /// The flat parameters, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        self.parameters.as_mut_slice()
    }

    /// The flat parameters and the optimiser, to be saved together.
    pub fn state(&self) -> (&[f32], &AdamW) {
        (self.parameters.as_slice(), &self.optimiser)
    }

    /// The flat parameters and the optimiser, to be loaded together.
    pub fn state_mut(&mut self) -> (&mut [f32], &mut AdamW) {
        (self.parameters.as_mut_slice(), &mut self.optimiser)
    }

    /// Puts an optimiser that has taken no step in place of this one.
    ///
    /// # Errors
    /// [`crate::Error::OutOfMemory`].
    pub fn forget_steps(&mut self) -> Result<()> {
        self.optimiser = AdamW::new(self.gradients.len())?;
        Ok(())
    }

    /// Runs `network` there and back on the images of a part; `judge` writes the gradients of its
    /// predictions in between. The parameters' gradients are those of this part, or added to those of the
    /// parts before it.
    ///
    /// # Errors
    /// Those of `judge`; [`crate::Error::OutOfMemory`].
    pub fn accumulate(
        &mut self,
        network: &DetectorNetwork,
        part: &Batch,
        (key, update): (&StepKey, Update),
        judge: impl FnOnce(&Predictions<'_>, &mut Gradients<'_>) -> Result<()>,
    ) -> Result<()> {
        let (memory, parameters) = (&mut self.memory, self.parameters.as_slice());
        memory.fit(network.network())?;
        network.images_mut(memory).copy_from_slice(&part.maps);
        network.set_sizes(memory, &part.sizes);
        network.network().forward(memory, parameters, key, &self.workers);
        let outputs = network.outputs(memory);
        let predictions = Predictions::new(outputs.logits, outputs.boxes, network.predictions())?;
        let (logits, boxes) = (outputs.logits_gradient, outputs.boxes_gradient);
        judge(&predictions, &mut Gradients { logits, boxes })?;
        let (gradients, workers) = (&mut self.gradients, &self.workers);
        network.network().backward(memory, parameters, gradients, update, key, workers);
        Ok(())
    }

    /// Changes the parameters against their gradients and answers the norm of these before clipping. Where
    /// that is not finite nothing is changed.
    pub fn update(&mut self, settings: &StepSettings) -> f64 {
        let (parameters, gradients) = (self.parameters.as_mut_slice(), &self.gradients);
        self.optimiser.step(parameters, gradients, &self.groups, settings, &self.workers)
    }

    /// Frees what predictions packed from the parameters.
    pub fn forget_packed(&mut self) {
        self.parameters.forget_packed();
    }

    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.gradients.as_slice())
            + self.optimiser.memory_bytes()
            + self.groups.capacity() * size_of::<Group>()
            + self.memory.memory_bytes()
            + self.parameters.memory_bytes()
    }
}

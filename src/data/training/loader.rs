//! Batches in order, made ahead of time by threads of their own.
//!
//! Batch i is a function of the set, the configuration, (seed, stage) and i; how many threads make
//! it and where the run started have no part in it. A resumed run asks for `batches` from where it
//! stopped. The loader's threads are its own, because they sleep when the queue is full, which a
//! task of a shared pool must not.

use super::augmentation::AugmentationConfig;
use super::augmentation::recipe::{Recipe, Scratch};
use super::batch::{Batch, Normaliser};
use super::buckets::Buckets;
use super::order::{Order, epoch_key};
use super::queue::Queue;
use super::sample::Sample;
use super::set::TrainingSet;
use crate::control::Control;
use crate::data::image::{ImageLimits, Normalisation};
use crate::random::{Purpose, StreamKey};
use crate::workers::THREADS_MAX;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

/// The keys of the loader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoaderConfig {
    /// Threads that make batches; 0: the caller makes each batch when it asks for it. Default 2:
    /// a core makes well over 100 mosaics of four images at 320 pixels in a second, far more than
    /// it can train on, and the second thread hides a slow file.
    pub loader_threads: usize,
    /// Batches that are begun or ready ahead of the one in use, each with 12 bytes for every pixel
    /// of its bucket: 4.4 MB an image at 608x608. Default 2, which hides one slow batch.
    pub prefetch_batches: usize,
    /// `[height, width]` of what batches are padded to, at most twelve. Default empty: derived
    /// from `image_short_sides` and `image_long_side_max`.
    pub buckets: Vec<[u32; 2]>,
    /// Whether an image that cannot be decoded ends the run. Default false: another image takes
    /// its place, and it is reported and counted; relabelling leaves it out. An image that cannot
    /// be read from its disk always ends the call; the next one goes on.
    pub strict_images: bool,
}

impl Default for LoaderConfig {
    fn default() -> LoaderConfig {
        LoaderConfig {
            loader_threads: 2,
            prefetch_batches: 2,
            buckets: Vec::new(),
            strict_images: false,
        }
    }
}

impl LoaderConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the first key outside its range; `augmentation` says
    /// which sizes the buckets must hold.
    pub fn validate(&self, augmentation: &AugmentationConfig) -> Result<()> {
        if self.loader_threads > THREADS_MAX {
            let reason = format!("{} is over {THREADS_MAX}", self.loader_threads);
            return Err(Error::invalid("loader_threads", reason));
        }
        if self.prefetch_batches == 0 {
            return Err(Error::invalid("prefetch_batches", "0; at least 1 is needed"));
        }
        Buckets::new(&self.buckets, augmentation).map(drop)
    }
}

/// Which batches a loader makes, and how.
#[derive(Debug, Clone)]
pub struct LoaderRun {
    pub augmentation: AugmentationConfig,
    pub loader: LoaderConfig,
    /// That of the backbone.
    pub normalisation: Normalisation,
    pub limits: ImageLimits,
    pub seed: u64,
    pub stage: u16,
    /// Images of a batch.
    pub batch_size: usize,
    /// Numbers of the batches, from the start of the stage.
    pub batches: std::ops::Range<u64>,
}

/// Makes batches ahead of time. Dropping it stops its threads.
#[derive(Debug)]
pub struct TrainingLoader {
    maker: Arc<Maker>,
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    /// What the caller's thread uses when there is no other.
    workspace: Workspace,
    broken: BTreeMap<u32, String>,
}

impl TrainingLoader {
    /// Starts making the batches of `run` over `set`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a configuration that its `validate` refuses or a batch
    /// without images; [`Error::Internal`] when the system refuses to start a thread.
    pub fn new(set: Arc<TrainingSet>, run: LoaderRun) -> Result<TrainingLoader> {
        run.augmentation.validate()?;
        run.loader.validate(&run.augmentation)?;
        run.normalisation.validate()?;
        run.limits.validate()?;
        if run.batch_size == 0 {
            return Err(Error::invalid("batch_size", "0; at least 1 is needed"));
        }
        let window = run.loader.prefetch_batches;
        let queue = Arc::new(Queue::new(run.batches.clone(), window));
        let threads_count = run.loader.loader_threads;
        let maker = Arc::new(Maker {
            order: Order::new(run.seed, run.stage, set.images_count()),
            buckets: Buckets::new(&run.loader.buckets, &run.augmentation)?,
            normaliser: Normaliser::new(&run.normalisation),
            set,
            run,
        });
        let mut loader = TrainingLoader {
            maker,
            queue,
            threads: Vec::with_capacity(threads_count),
            workspace: Workspace::default(),
            broken: BTreeMap::new(),
        };
        for index in 0..threads_count {
            let (maker, queue) = (loader.maker.clone(), loader.queue.clone());
            let thread = std::thread::Builder::new()
                .name(format!("simdetr-loader-{index}"))
                .spawn(move || maker.serve(&queue))
                .map_err(|error| Error::Internal { reason: format!("loader thread: {error}") })?;
            loader.threads.push(thread);
        }
        Ok(loader)
    }

    /// The next batch, waiting for it if need be; `None` after the last one.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::NoReadableImage`] when every image is broken; the error of a
    /// broken image under `strict_images`; [`Error::Io`]. The loader can be asked on after an error.
    pub fn next(&mut self, control: &Control) -> Result<Option<Batch>> {
        if self.threads.is_empty() {
            self.make_here(control)?;
        }
        let batch = self.queue.take(control)?;
        for image in batch.iter().flat_map(|batch| &batch.broken) {
            if self.broken.insert(image.image_id, image.reason.clone()).is_none() {
                log::warn!("{}; another image takes its place", image.reason);
            }
        }
        Ok(batch)
    }

    /// Makes the batch that is taken next on the caller's thread, unless a call that was cancelled
    /// has left it ready.
    fn make_here(&mut self, control: &Control) -> Result<()> {
        control.check()?;
        let Some((number, batch)) = self.queue.claim_next() else { return Ok(()) };
        let is_cancelled = || control.check().is_err();
        match self.maker.attempt(number, batch, &mut self.workspace, &is_cancelled) {
            // It is begun anew by the next call.
            Err(Error::Cancelled) => {
                self.queue.give_up(number);
                Err(Error::Cancelled)
            }
            made => {
                self.queue.put(number, made);
                Ok(())
            }
        }
    }

    /// Gives a batch's memory back for one to come.
    pub fn recycle(&self, batch: Batch) {
        self.queue.recycle(batch);
    }

    /// The broken images that batches so far have met: id, and what is wrong, with the path.
    pub fn broken(&self) -> &BTreeMap<u32, String> {
        &self.broken
    }
}

impl Drop for TrainingLoader {
    fn drop(&mut self) {
        self.queue.stop();
        for thread in self.threads.drain(..) {
            // A panic in it has become an error of its batch already.
            drop(thread.join());
        }
    }
}

/// Memory of one thread.
#[derive(Debug, Default)]
struct Workspace {
    scratch: Scratch,
    samples: Vec<Sample>,
}

/// Everything that a batch depends on.
#[derive(Debug)]
struct Maker {
    set: Arc<TrainingSet>,
    run: LoaderRun,
    order: Order,
    buckets: Buckets,
    normaliser: Normaliser,
}

impl Maker {
    /// Makes batches until there are no more.
    fn serve(&self, queue: &Queue) {
        let mut workspace = Workspace::default();
        while let Some((number, batch)) = queue.claim() {
            let made = self.attempt(number, batch, &mut workspace, &|| queue.is_stopped());
            queue.put(number, made);
        }
    }

    /// [`Maker::make`], whose panic must reach the consumer as an error: he would wait for this
    /// batch for ever.
    fn attempt(
        &self,
        number: u64,
        batch: Batch,
        workspace: &mut Workspace,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Batch> {
        let make = || self.make(number, batch, workspace, is_stopped);
        catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| {
            *workspace = Workspace::default();
            Err(Error::Internal { reason: format!("batch {number} panicked") })
        })
    }

    fn make(
        &self,
        number: u64,
        mut batch: Batch,
        workspace: &mut Workspace,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Batch> {
        let Workspace { scratch, samples } = workspace;
        let recipe = Recipe {
            set: &self.set,
            config: &self.run.augmentation,
            limits: &self.run.limits,
            strict: self.run.loader.strict_images,
        };
        let size = self.run.batch_size;
        batch.number = number;
        batch.image_ids.clear();
        batch.broken.clear();
        samples.resize_with(size, Sample::default);
        for (index, sample) in samples.iter_mut().enumerate() {
            if is_stopped() {
                return Err(Error::Cancelled);
            }
            let place = self.order.place(number * size as u64 + index as u64);
            let image = self.order.epoch(place.epoch)[place.rank] as usize;
            let image_id = self.set.images()[image].image_id;
            let key = StreamKey {
                seed: self.run.seed,
                stage: self.run.stage,
                epoch: epoch_key(place.epoch),
                image_id,
                purpose: Purpose::Augmentation,
            };
            batch.image_ids.push(image_id);
            recipe.make(image, key, scratch, sample, &mut batch.broken)?;
        }
        batch.assemble(samples, &self.buckets, &self.normaliser)?;
        Ok(batch)
    }
}

#[cfg(test)]
#[path = "loader_tests.rs"]
mod tests;

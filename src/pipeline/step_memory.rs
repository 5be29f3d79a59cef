//! What a training step takes, known before anything is built: so that a run which the machine cannot
//! hold ends with a sentence and not with a killed process.
//!
//! The network's part is exact: it is laid out for the largest bucket, which costs milliseconds and no
//! memory. Beside it are the parameters with gradients and moments, and the batches made ahead.

use super::config::RunConfig;
use super::preset;
use crate::byte_count::text;
use crate::data::training::buckets::Buckets;
use crate::detector::config::DetectorConfig;
use crate::detector::network::{BatchShape, DetectorNetwork};
use crate::detector::parameters::parameter_table;
use crate::memory::{self, bytes_of};
use crate::nn::network::Purpose;
use crate::nn::parameters::ParameterTable;
use crate::{Error, Result};

/// Colours of a pixel.
const COLOURS: usize = 3;
/// Arrays as long as the trained parameters: gradients and two moments.
const TRAINED_ARRAYS: usize = 3;
/// Arrays as long as all parameters: themselves, and a copy while a detector is written.
const PARAMETER_ARRAYS: usize = 2;

/// What one training step takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepMemory {
    /// Images that are in memory together, at the largest size of a batch.
    pub images: usize,
    pub height: usize,
    pub width: usize,
    /// Activations, their gradients and scratch, and those of labelling one image.
    pub network_bytes: u64,
    /// Parameters, gradients and moments.
    pub state_bytes: u64,
    /// The images of the step and of the batches that are made ahead.
    pub batches_bytes: u64,
}

impl StepMemory {
    /// For a run of `config` on `workers_count` threads; its `detector.classes_count` counts.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the first key out of range.
    pub fn of(config: &RunConfig, workers_count: usize) -> Result<StepMemory> {
        let (training, augmentation) = (&config.training, &config.augmentation);
        training.validate()?;
        let buckets = Buckets::new(&config.loader.buckets, augmentation)?;
        let area = |size: &&[u32; 2]| u64::from(size[0]) * u64::from(size[1]);
        let [height, width] =
            buckets.sizes().iter().max_by_key(area).map_or([0; 2], |size| size.map(|s| s as usize));
        let images = training.part();
        let table = parameter_table(&config.detector)?;
        let network =
            |shape, purpose| arena(&config.detector, &table, shape, purpose, workers_count);
        let recompute = training.recompute;
        let step = network(BatchShape { images, height, width }, Purpose::Training { recompute })?;
        let side = augmentation.seen_size();
        let seen = BatchShape {
            images: 1,
            height: side.image_short_side as usize,
            width: side.image_long_side_max as usize,
        };
        let numbers = PARAMETER_ARRAYS * table.length() + TRAINED_ARRAYS * table.trained_length();
        let ahead = images.saturating_mul(config.loader.prefetch_batches);
        let images_held = training.batch_size.saturating_add(ahead);
        let batch_numbers = images_held.saturating_mul(height * width * COLOURS);
        Ok(StepMemory {
            images,
            height,
            width,
            network_bytes: step.saturating_add(network(seen, Purpose::Prediction)?),
            state_bytes: bytes_of::<f32>(numbers),
            batches_bytes: bytes_of::<f32>(batch_numbers),
        })
    }

    /// All of it.
    pub fn total_bytes(&self) -> u64 {
        self.network_bytes.saturating_add(self.state_bytes).saturating_add(self.batches_bytes)
    }
}

fn arena(
    detector: &DetectorConfig,
    table: &ParameterTable,
    shape: BatchShape,
    purpose: Purpose,
    workers_count: usize,
) -> Result<u64> {
    let network = DetectorNetwork::new(detector, table, shape, purpose, workers_count)?;
    Ok(bytes_of::<f32>(network.network().memory_length()))
}

/// A step beside what it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    pub step: StepMemory,
    /// The lesser of `training.memory_bytes_max` and what the machine has free; `None` where neither
    /// is known.
    pub limit_bytes: Option<u64>,
}

impl Fit {
    /// Whether the step stays under its limit.
    pub fn fits(&self) -> bool {
        self.limit_bytes.is_none_or(|limit| self.step.total_bytes() <= limit)
    }
}

/// What a training step of `config` takes and may take on this machine, on `workers_count` threads.
///
/// # Errors
/// As [`StepMemory::of`].
pub fn fit(config: &RunConfig, workers_count: usize) -> Result<Fit> {
    let step = StepMemory::of(config, workers_count)?;
    let configured = Some(config.training.memory_bytes_max).filter(|bytes| *bytes > 0);
    let limit_bytes = configured.into_iter().chain(memory::available_bytes()).min();
    Ok(Fit { step, limit_bytes })
}

/// Whose sizes a detector has: another preset changes those of the configuration alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizesOf {
    Configuration,
    /// The file that training starts from.
    File,
}

/// Refuses a run of `config` whose training step does not fit, for a detector of the sizes of
/// `detector`, which `sizes_of` has.
///
/// # Errors
/// [`Error::OutOfMemory`] with the numbers and the keys that would make it fit; as [`StepMemory::of`].
pub fn check(
    config: &RunConfig,
    (detector, sizes_of): (&DetectorConfig, SizesOf),
    workers_count: usize,
) -> Result<()> {
    let config = RunConfig { detector: detector.clone(), ..config.clone() };
    let found = fit(&config, workers_count)?;
    let (Some(limit), false) = (found.limit_bytes, found.fits()) else { return Ok(()) };
    let step = found.step;
    let what = format!(
        "a training step ({} images of {}x{} pixels; {} for activations and their gradients, {} for \
         parameters, gradients and moments, {} for batches)",
        step.images,
        step.height,
        step.width,
        text(step.network_bytes),
        text(step.state_bytes),
        text(step.batches_bytes)
    );
    Err(Error::OutOfMemory {
        what,
        needed_bytes: step.total_bytes(),
        available_bytes: Some(limit),
        advice: advice(&config, sizes_of, limit, workers_count)?,
    })
}

/// The keys that would make it fit, with what the step would then take.
fn advice(
    config: &RunConfig,
    sizes_of: SizesOf,
    limit: u64,
    workers_count: usize,
) -> Result<String> {
    let mut ways = Vec::new();
    if let Some((part, bytes)) = largest_part(config, limit, workers_count)? {
        ways.push(format!("`training.part_size = {part}` ({}, its gradients summed)", text(bytes)));
    }
    for name in &preset::NAMES[1..] {
        let mut other = preset::by_name(name)?;
        match sizes_of {
            SizesOf::Configuration => {
                other.detector.classes_count = config.detector.classes_count;
            }
            SizesOf::File => other.detector = config.detector.clone(),
        }
        let bytes = StepMemory::of(&other, workers_count)?.total_bytes();
        if bytes <= limit {
            ways.push(format!("preset `{name}` ({})", text(bytes)));
        }
    }
    ways.push(
        "smaller `training.part_size`, `training.batch_size`, `augmentation.image_short_sides` and \
         `augmentation.image_long_side_max`"
            .into(),
    );
    if config.training.memory_bytes_max > 0 {
        ways.push(format!(
            "`training.memory_bytes_max`, which is {}",
            config.training.memory_bytes_max
        ));
    }
    Ok(format!("what would fit: {}", ways.join("; or ")))
}

/// The largest part of a batch that stays under `limit`, and what the step then takes.
fn largest_part(
    config: &RunConfig,
    limit: u64,
    workers_count: usize,
) -> Result<Option<(usize, u64)>> {
    let training = &config.training;
    let divides = |part: &usize| training.batch_size.is_multiple_of(*part);
    for part in (1..training.part()).rev().filter(divides) {
        let mut smaller = config.clone();
        smaller.training.part_size = part;
        let bytes = StepMemory::of(&smaller, workers_count)?.total_bytes();
        if bytes <= limit {
            return Ok(Some((part, bytes)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::network::Memory;

    #[test]
    fn the_estimate_is_what_the_network_takes() {
        let mut config = preset::by_name("tiny").unwrap();
        config.training.batch_size = 2;
        let step = StepMemory::of(&config, 2).unwrap();
        let table = parameter_table(&config.detector).unwrap();
        let shape = BatchShape { images: step.images, height: step.height, width: step.width };
        let purpose = Purpose::Training { recompute: config.training.recompute };
        let network = DetectorNetwork::new(&config.detector, &table, shape, purpose, 2).unwrap();
        let mut memory = Memory::<f32>::default();
        memory.fit(network.network()).unwrap();
        let held = memory.memory_bytes() as u64;
        assert!(step.network_bytes > held && step.network_bytes < held + held / 2);
        assert_eq!((step.images, step.height, step.width), (2, 224, 224));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_numbers_and_keys() {
        let mut config = RunConfig::default();
        config.training.memory_bytes_max = 6_000_000_000;
        let check = |config: &RunConfig| {
            super::check(config, (&config.detector, SizesOf::Configuration), 2)
        };
        let error = check(&config).unwrap_err();
        let message = error.to_string();
        let Error::OutOfMemory { needed_bytes, available_bytes, .. } = error else {
            panic!("{message}")
        };
        assert!(needed_bytes > 100_000_000_000, "{message}");
        assert!(available_bytes.is_some_and(|bytes| bytes <= 6_000_000_000), "{message}");
        for named in [
            "192 images of 608x608",
            "training.part_size",
            "preset `small`",
            "preset `tiny`",
            "training.batch_size",
            "image_long_side_max",
            "training.memory_bytes_max",
        ] {
            assert!(message.contains(named), "{named}: {message}");
        }
        let mut tiny = preset::by_name("tiny").unwrap();
        check(&tiny).unwrap();
        tiny.training.memory_bytes_max = 1;
        assert!(!fit(&tiny, 2).unwrap().fits());
    }

    #[test]
    fn the_part_that_is_advised_fits() {
        let mut config = RunConfig::default();
        let limit = 20_000_000_000;
        let (part, bytes) = largest_part(&config, limit, 2).unwrap().unwrap();
        config.training.part_size = part;
        assert_eq!(StepMemory::of(&config, 2).unwrap().total_bytes(), bytes);
        assert!(bytes <= limit && part >= 1);
    }
}

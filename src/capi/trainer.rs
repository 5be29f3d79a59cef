//! `simdetr_trainer_t`: Algorithm 1 from one configuration document, with the built-in detector or
//! one of the host's. What it runs is in `trainer_run`.

use super::declare::{handle, initialiser, memory_bytes, versioned};
use super::detector_callbacks::simdetr_detector_callbacks_t;
use super::detector_host::DetectorHost;
use super::error::simdetr_error_t;
use super::guard::{Poison, guard, into_handle};
use super::options::{Keys, copy_options, copy_struct, preset_config};
use super::pointers::output;
use super::status::simdetr_status_t;
use super::workers::{simdetr_parallel_for_fn_t, workers};
use crate::data::training::batch::Batch;
use crate::pipeline::config::RunConfig;
use crate::pipeline::measure::MeasuredRow;
use crate::pipeline::pretrain::LabelsReport;
use crate::pipeline::pretrainer::Pretrainer;
use crate::workers::Workers;
use crate::{Error, Result};
use std::ffi::{c_char, c_void};
use std::path::PathBuf;

/// Trains detectors. One thread at a time.
pub struct simdetr_trainer_t {
    pub(super) pretrainer: Pretrainer,
    /// Of the last whole run, T_0 first.
    pub(super) labels: Vec<LabelsReport>,
    /// Of the last whole run, held-out images first.
    pub(super) measured: Vec<MeasuredRow>,
    /// Folder of held-out images and the file of their true boxes.
    pub(super) validation: Option<(PathBuf, PathBuf)>,
    /// A broken image is an error.
    pub(super) strict: bool,
    /// Memory of single steps.
    pub(super) batch: Batch,
    poison: Poison,
}

versioned! {
    /// How to train. Zero in a field is its default.
    pub struct simdetr_trainer_options_t (56 bytes) {
        /// Must be 0; no field has a zero that is not its default.
        pub set_mask: u64,
        /// Keys under those of the document: "deformable-detr-r50", "small" or "tiny". NULL is
        /// "deformable-detr-r50", the patent's sizes.
        pub preset: *const c_char,
        /// The configuration document itself (TOML), not its path: the keys of `simdetr config`. NULL
        /// leaves those of the preset.
        pub config_toml: *const c_char,
        /// 1: a broken image ends the call. 0: it is left out.
        pub strict: i32,
        /// 0 is one for each processor.
        pub threads: u32,
        /// The host's job system instead of threads of the library; NULL for none. `threads` then says
        /// how many tasks it runs at once. Loading images has threads of its own
        /// (`loader.loader_threads`).
        pub parallel_for: simdetr_parallel_for_fn_t,
        /// First argument of `parallel_for`.
        pub parallel_for_user_data: *mut c_void,
    }
}

initialiser!(simdetr_trainer_options_init, options, simdetr_trainer_options_t);

/// What an options struct says, read.
struct Given {
    config: RunConfig,
    strict: bool,
    workers: Workers,
}

/// # Safety
/// `options` is NULL or as the header says.
unsafe fn read(options: *const simdetr_trainer_options_t) -> Result<Given> {
    let given = copy_options(options)?;
    Keys::new::<simdetr_trainer_options_t>(given.set_mask, 0)?;
    if !(0..=1).contains(&given.strict) {
        let reason = format!("{} is neither 0 nor 1", given.strict);
        return Err(Error::invalid("simdetr_trainer_options_t.strict", reason));
    }
    let config = preset_config(given.preset, (given.config_toml, "config_toml"))?;
    let workers = workers(given.threads, given.parallel_for, given.parallel_for_user_data)?;
    Ok(Given { config, strict: given.strict == 1, workers })
}

fn handle(pretrainer: Pretrainer, strict: bool) -> *mut simdetr_trainer_t {
    let (batch, poison) = (Batch::default(), Poison::default());
    let (labels, measured, validation) = (Vec::new(), Vec::new(), None);
    into_handle(simdetr_trainer_t {
        pretrainer,
        labels,
        measured,
        validation,
        strict,
        batch,
        poison,
    })
}

/// Makes a trainer of the built-in detector, a Deformable DETR with a ResNet.
///
/// @param[in] options NULL is all defaults.
/// @param[out] out The trainer, to be given to `simdetr_trainer_destroy`.
/// @return `SIMDETR_ERROR_UNKNOWN_KEY`, `SIMDETR_ERROR_CONFIG_VALUE` and
/// `SIMDETR_ERROR_CONFIG_SYNTAX` say what is wrong with the document.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_create(
    options: *const simdetr_trainer_options_t,
    out: *mut *mut simdetr_trainer_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let (out, given) = (output(out, "out")?, read(options)?);
        let pretrainer = Pretrainer::new(given.config, given.workers)?;
        out.set(handle(pretrainer, given.strict));
        Ok(())
    })
}

/// Makes a trainer of a detector of the host. The tables `detector` and, but for `learning_rate`,
/// schedule, batches and steps, `training` of the document do not concern it.
///
/// @param[in] callbacks The detector; copied. From here on the library owns `user_data` and ends it
/// by `user_data_destroy`, also when this function fails, except where `callbacks` itself cannot be
/// read (NULL or a wrong `struct_size`).
/// @param[in] options NULL is all defaults.
/// @param[out] out The trainer, to be given to `simdetr_trainer_destroy`.
/// @return As `simdetr_trainer_create`; `SIMDETR_ERROR_NULL_POINTER` for a function that is missing.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_create_from_callbacks(
    callbacks: *const simdetr_detector_callbacks_t,
    options: *const simdetr_trainer_options_t,
    out: *mut *mut simdetr_trainer_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        let host = DetectorHost::new(&copy_struct(callbacks)?)?;
        let (out, given) = (output(out, "out")?, read(options)?);
        let pretrainer = Pretrainer::with_host(given.config, Box::new(host), given.workers)?;
        out.set(handle(pretrainer, given.strict));
        Ok(())
    })
}

handle!(
    simdetr_trainer_t,
    trainer,
    simdetr_trainer_destroy,
    "Destroys a trainer. What it wrote into a run's folder stays."
);

memory_bytes!(
    simdetr_trainer_t,
    trainer,
    simdetr_trainer_memory_bytes,
    "Says how many bytes a trainer holds between calls: the built-in detector's parameters, gradients, optimiser and arena, or what surrounds the host's.",
    "The answer."
);

impl simdetr_trainer_t {
    fn memory_bytes(&self) -> usize {
        let labels = size_of_val(self.labels.as_slice());
        let reports = labels + size_of_val(self.measured.as_slice());
        let maps = self.batch.maps.capacity() * size_of::<f32>();
        size_of::<simdetr_trainer_t>() + reports + maps + self.pretrainer.memory_bytes()
    }
}

//! `simdetr_trainer_t`: Algorithm 1 from one configuration document, with the built-in detector or
//! one of the host's. What it runs is in `trainer_run`.

use super::detector_callbacks::simdetr_detector_callbacks_t;
use super::detector_host::DetectorHost;
use super::error::simdetr_error_t;
use super::guard::{Handle, Poison, destroy, guard, guard_handle, into_handle};
use super::options::{Keys, Versioned, copy_options, copy_struct, init};
use super::pointers::{optional_text, output};
use super::status::simdetr_status_t;
use super::workers::{simdetr_parallel_for_fn_t, workers};
use crate::data::training::batch::Batch;
use crate::pipeline::config::RunConfig;
use crate::pipeline::measure::MeasuredRow;
use crate::pipeline::preset;
use crate::pipeline::pretrain::LabelsReport;
use crate::pipeline::pretrainer::Pretrainer;
use crate::workers::Workers;
use crate::{Error, Result, config};
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

impl Handle for simdetr_trainer_t {
    const NAME: &'static str = "trainer";
    fn poison(&self) -> &Poison {
        &self.poison
    }
}

/// How to train. Zero in a field is its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct simdetr_trainer_options_t {
    /// `sizeof(simdetr_trainer_options_t)`.
    pub struct_size: usize,
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

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<simdetr_trainer_options_t>() == 56);

// SAFETY: `repr(C)`, size first, numbers and pointers that may be NULL.
unsafe impl Versioned for simdetr_trainer_options_t {
    const NAME: &'static str = "simdetr_trainer_options_t";
    const SMALLEST: usize = size_of::<simdetr_trainer_options_t>();
}

/// Sets every field to its default and `struct_size` to the size given.
///
/// @param[out] options May be NULL.
/// @param[in] struct_size `sizeof *options`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_options_init(
    options: *mut simdetr_trainer_options_t,
    struct_size: usize,
) {
    // SAFETY: promised by the caller.
    unsafe { init(options, struct_size) }
}

/// What an options struct says, read.
struct Given {
    config: RunConfig,
    strict: bool,
    workers: Workers,
}

/// # Safety
/// `options` is NULL or as the header says.
unsafe fn read(options: *const simdetr_trainer_options_t) -> Result<Given> {
    // SAFETY: promised by the caller.
    let (given, name, document) = unsafe {
        let given = copy_options(options)?;
        let name = optional_text(given.preset, "preset")?;
        (given, name, optional_text(given.config_toml, "config_toml")?)
    };
    Keys::new::<simdetr_trainer_options_t>(given.set_mask, 0)?;
    if !(0..=1).contains(&given.strict) {
        let reason = format!("{} is neither 0 nor 1", given.strict);
        return Err(Error::invalid("simdetr_trainer_options_t.strict", reason));
    }
    let base = preset::by_name(name.unwrap_or(preset::NAMES[0]))?;
    let config = match document {
        None => base,
        Some(document) => config::parse_over(&base, document, "config_toml")?,
    };
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
/// @param[out] error Optional.
/// @return `SIMDETR_ERROR_UNKNOWN_KEY`, `SIMDETR_ERROR_CONFIG_VALUE` and
/// `SIMDETR_ERROR_CONFIG_SYNTAX` say what is wrong with the document.
///
/// Any thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_trainer_create(
    options: *const simdetr_trainer_options_t,
    out: *mut *mut simdetr_trainer_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        // SAFETY: promised by the caller.
        let (out, given) = unsafe { (output(out, "out")?, read(options)?) };
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
/// @param[out] error Optional.
/// @return As `simdetr_trainer_create`; `SIMDETR_ERROR_NULL_POINTER` for a function that is missing.
///
/// Any thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_trainer_create_from_callbacks(
    callbacks: *const simdetr_detector_callbacks_t,
    options: *const simdetr_trainer_options_t,
    out: *mut *mut simdetr_trainer_t,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    guard(error, || {
        // SAFETY: promised by the caller.
        let (host, out, given) = unsafe {
            let host = DetectorHost::new(&copy_struct(callbacks)?)?;
            (host, output(out, "out")?, read(options)?)
        };
        let pretrainer = Pretrainer::with_host(given.config, Box::new(host), given.workers)?;
        out.set(handle(pretrainer, given.strict));
        Ok(())
    })
}

/// Destroys a trainer. What it wrote into a run's folder stays.
///
/// @param[in] trainer May be NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn simdetr_trainer_destroy(trainer: *mut simdetr_trainer_t) {
    // SAFETY: promised by the caller.
    unsafe { destroy(trainer) }
}

/// Says how many bytes a trainer holds between calls: the built-in detector's parameters, gradients,
/// optimiser and arena, or what surrounds the host's.
///
/// @param[in] trainer The trainer.
/// @param[out] bytes The answer.
/// @param[out] error Optional.
/// @return A status.
///
/// One thread at a time on one trainer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn simdetr_trainer_memory_bytes(
    trainer: *const simdetr_trainer_t,
    bytes: *mut u64,
    error: *mut simdetr_error_t,
) -> simdetr_status_t {
    // SAFETY: promised by the caller.
    unsafe {
        guard_handle(trainer, error, |trainer| {
            let reports = size_of_val(trainer.labels.as_slice());
            let reports = reports + size_of_val(trainer.measured.as_slice());
            let maps = trainer.batch.maps.capacity() * size_of::<f32>();
            let held = reports + maps + trainer.pretrainer.memory_bytes();
            let held = size_of::<simdetr_trainer_t>() + held;
            output(bytes, "bytes")?.set(held as u64);
            Ok(())
        })
    }
}

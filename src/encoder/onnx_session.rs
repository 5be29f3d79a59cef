//! One ONNX model loaded and run through `ort`: the only file that knows its session types.
//! (`onnx_absent.rs` has the same functions for builds without the feature `onnx`.)

use super::onnx_library;
use super::onnx_model::{Model, Outlet, Provider};
use crate::{Error, Result};
#[cfg(feature = "cuda")]
use ort::ep::{self, cuda::ConvAlgorithmSearch};
use ort::session::builder::{AutoDevicePolicy, SessionBuilder};
use ort::value::{TensorElementType, TensorRef, ValueType};
use std::sync::{Mutex, PoisonError};

/// A loaded model. One run at a time: `ort` asks for exclusive access, and ONNX Runtime splits
/// the work of a run among its own threads.
pub(super) struct Session {
    session: Mutex<ort::session::Session>,
    pub inputs: Vec<Outlet>,
    pub outputs: Vec<Outlet>,
    label: String,
}

impl Session {
    /// Loads `model`; `label` names it in errors.
    ///
    /// # Errors
    /// [`Error::OnnxLibrary`], [`Error::OnnxModel`], [`Error::OnnxProvider`].
    pub fn open(
        model: Model,
        label: &str,
        library: &str,
        provider: Provider,
        threads: usize,
    ) -> Result<Session> {
        let environment = onnx_library::environment(library)?;
        let session = ort::session::Session::builder(environment)
            .and_then(|builder| configure(builder, threads))
            .map_err(|error| Error::Internal { reason: format!("ONNX Runtime: {error}") })
            .and_then(|builder| with_provider(builder, provider))
            .and_then(|mut builder| {
                match model {
                    Model::File(path) => builder.commit_from_file(path),
                    Model::Bytes(bytes) => builder.commit_from_memory(bytes),
                }
                .map_err(|error| load_error(label, provider, &error))
            })?;
        let outlets = |outlets: &[ort::value::Outlet]| outlets.iter().map(outlet).collect();
        Ok(Session {
            inputs: outlets(session.inputs()),
            outputs: outlets(session.outputs()),
            session: Mutex::new(session),
            label: label.into(),
        })
    }

    /// Runs the model on one NCHW tensor and hands each of `outputs` to `take` with its number.
    ///
    /// # Errors
    /// [`Error::OnnxModel`] when the run fails; whatever `take` answers.
    pub fn run(
        &self,
        shape: [usize; 4],
        values: &[f32],
        outputs: &[&str],
        mut take: impl FnMut(usize, &[usize], &[f32]) -> Result<()>,
    ) -> Result<()> {
        let failed = |reason: String| Error::OnnxModel {
            model: self.label.clone(),
            reason: one_line(&reason),
        };
        let input = TensorRef::from_array_view((shape, values))
            .map_err(|error| failed(error.to_string()))?;
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = session.run(ort::inputs![input]).map_err(|error| {
            failed(format!("running it on an image of {}x{}: {error}", shape[3], shape[2]))
        })?;
        for (number, name) in outputs.iter().enumerate() {
            let value = answers
                .get(name)
                .ok_or_else(|| failed(format!("the run gave no output `{name}`")))?;
            let (shape, values) = value
                .try_extract_tensor::<f32>()
                .map_err(|error| failed(format!("output `{name}`: {error}")))?;
            let shape: Vec<usize> = shape.iter().map(|side| *side as usize).collect();
            take(number, &shape, values)?;
        }
        Ok(())
    }
}

fn outlet(outlet: &ort::value::Outlet) -> Outlet {
    let (element, dimensions) = match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
            (Some("f32".into()), shape.to_vec())
        }
        ValueType::Tensor { ty, shape, .. } => {
            (Some(format!("{ty:?}").to_lowercase()), shape.to_vec())
        }
        _ => (None, Vec::new()),
    };
    Outlet { name: outlet.name().into(), element, dimensions }
}

/// Waiting threads sleep instead of spinning: two spinning threads were slower than one on busy
/// cores. The device policy keeps plug-in providers of the process from being chosen for us.
fn configure(builder: SessionBuilder, threads: usize) -> ort::Result<SessionBuilder> {
    let builder = builder
        .with_intra_threads(threads)?
        .with_intra_op_spinning(false)?
        .with_deterministic_compute(true)?;
    Ok(builder.with_auto_device(AutoDevicePolicy::PreferCPU)?)
}

/// Registers a device provider so that it runs every operation or none: what it cannot run is an
/// error at load time instead of a silent detour over the CPU.
fn with_provider(builder: SessionBuilder, provider: Provider) -> Result<SessionBuilder> {
    match provider {
        Provider::Cpu => Ok(builder),
        #[cfg(feature = "cuda")]
        // Heuristic search picks the same convolutions in every process; timing them does not.
        Provider::Cuda => builder
            .with_execution_providers([ep::CUDA::default()
                .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
                .with_tf32(false)
                .build()
                .error_on_failure()])
            .and_then(SessionBuilder::with_disable_cpu_fallback)
            .map_err(|error: ort::Error<SessionBuilder>| Error::OnnxProvider {
                provider: provider.name().into(),
                reason: one_line(error.message()),
            }),
        #[cfg(not(feature = "cuda"))]
        Provider::Cuda => Err(Error::NotCompiled { feature: "cuda" }),
    }
}

fn load_error(label: &str, provider: Provider, error: &ort::Error) -> Error {
    use ort::ErrorCode::{InvalidGraph, InvalidProtobuf, NoModel, NoSuchFile};
    let of_the_file = matches!(error.code(), InvalidGraph | InvalidProtobuf | NoModel | NoSuchFile);
    if provider == Provider::Cpu || of_the_file {
        Error::OnnxModel { model: label.into(), reason: one_line(error.message()) }
    } else {
        Error::OnnxProvider { provider: provider.name().into(), reason: one_line(error.message()) }
    }
}

/// ONNX Runtime's messages run over several lines.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

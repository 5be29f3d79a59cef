//! The command line: arguments in, one call of `simdetr::pipeline`, text or JSON out.
//!
//! Exit status 0: done; 1: it failed; 2: the arguments or the configuration document are wrong.

mod arguments;
mod output;
mod progress;

use arguments::{Arguments, Command, Common};
use clap::Parser;
use output::Answer;
use progress::Bars;
use simdetr::control::{Control, Progress};
use simdetr::evaluation::{self, EvaluationInput, EvaluationOptions};
use simdetr::pipeline::config::{Method, RunConfig};
use simdetr::pipeline::extract::ExtractRequest;
use simdetr::pipeline::pretrain::PretrainRequest;
use simdetr::pipeline::workspace::Workspace;
use simdetr::pipeline::{cluster, demo, export, extract, preset, pretrain, report_run};
use simdetr::workers::Workers;
use simdetr::{Error, Result};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let as_json = arguments.common.json;
    let bars = Bars::new(!as_json && std::io::stderr().is_terminal());
    let answer = run(&arguments, &bars);
    bars.finish();
    match answer {
        Ok(answer) => {
            output::print(&answer, as_json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::print_error(&error, as_json);
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

/// What the user wrote is wrong, as opposed to what was found when doing it.
fn is_usage(error: &Error) -> bool {
    matches!(
        error,
        Error::UnknownKey { .. }
            | Error::ConfigValue { .. }
            | Error::ConfigSyntax { .. }
            | Error::InvalidArgument { .. }
    )
}

fn run(arguments: &Arguments, bars: &Bars) -> Result<Answer> {
    let show = |progress: Progress<'_>| bars.show(progress);
    let control = Control { cancel: None, progress: Some(&show) };
    let workers = Workers::with_threads(arguments.common.threads)?;
    let preset = match &arguments.command {
        Command::Pretrain { preset, .. } => preset.as_deref(),
        Command::Demo { .. } => Some(demo::PRESET),
        _ => None,
    };
    let mut config = document(&arguments.common, preset)?;
    match &arguments.command {
        Command::Extract { images, out, encoder, method } => {
            override_extraction(&mut config, encoder.as_deref(), method.as_deref())?;
            let strict = arguments.common.strict;
            let request = ExtractRequest { images, config: &config, strict };
            let report = extract::extract(&request, &Workspace::new(out), &workers, &control)?;
            Ok(output::extracted(&report, out))
        }
        Command::Cluster { run, classes } => {
            if let Some(classes) = classes {
                config.cluster.classes = *classes;
            }
            let workspace = Workspace::new(run);
            let fit = cluster::cluster(&workspace, &config, &workers, &control)?;
            Ok(output::clustered(&fit, &workspace.clusters()))
        }
        Command::Export { run, out } => {
            let report = export::export(&Workspace::new(run), out, &workers, &control)?;
            Ok(output::exported(&report, out))
        }
        Command::Pretrain { images, out, stages, ground_truth, .. } => {
            config.pretrain.stages_count = stages.unwrap_or(config.pretrain.stages_count);
            let request = PretrainRequest {
                images,
                config: &config,
                strict: arguments.common.strict,
                ground_truth: ground_truth.as_deref(),
            };
            let report = pretrain::pretrain(&request, &Workspace::new(out), &workers, &control)?;
            Ok(output::pretrained(&report))
        }
        Command::Evaluate { ground_truth, detections, class_agnostic, detections_max } => {
            let mut options =
                EvaluationOptions { class_agnostic: *class_agnostic, ..Default::default() };
            if !detections_max.is_empty() {
                options.detections_max.clone_from(detections_max);
            }
            evaluate(ground_truth, detections, &options, &workers, &control)
        }
        Command::Report { run, ground_truth } => {
            let truth = ground_truth.as_deref();
            let path = report_run::report(&Workspace::new(run), truth, &workers, &control)?;
            Ok(output::reported(&path))
        }
        Command::Demo { out, scenes } => {
            let report = demo::demo(out.as_deref(), *scenes, &config, &workers, &control)?;
            Ok(output::demonstrated(&report))
        }
        Command::Config => output::configuration(),
    }
}

fn evaluate(
    ground_truth: &Path,
    detections: &Path,
    options: &EvaluationOptions,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<Answer> {
    let input = EvaluationInput::from_files(ground_truth, detections)?;
    Ok(output::evaluated(&evaluation::evaluate(&input, options, workers, control)?))
}

/// The configuration document with the options of every command over it.
fn document(common: &Common, preset: Option<&str>) -> Result<RunConfig> {
    let mut config = preset.map_or_else(|| Ok(RunConfig::default()), preset::by_name)?;
    if let Some(path) = &common.config {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        config = simdetr::config::parse_over(&config, &text, &path.display().to_string())?;
    }
    if let Some(seed) = common.seed {
        config.seed = seed;
    }
    Ok(config)
}

fn override_extraction(
    config: &mut RunConfig,
    encoder: Option<&str>,
    method: Option<&str>,
) -> Result<()> {
    if let Some(encoder) = encoder {
        config.encoder.encoder = encoder.into();
    }
    if let Some(method) = method {
        config.method = Method::from_name(method)?;
    }
    Ok(())
}

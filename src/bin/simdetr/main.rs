//! The command line: arguments in, one call of `simdetr::pipeline`, text or JSON out.
//!
//! Exit status 0: done; 1: it failed; 2: the arguments or the configuration document are wrong.

mod arguments;
mod output;
mod progress;

use arguments::{Arguments, BoxFormat, Command, Common, Format};
use clap::Parser;
use output::Answer;
use progress::Bars;
use simdetr::control::{Control, Progress};
use simdetr::data::atomic_file;
use simdetr::detector::deformable_detr::detector::{Detector, PredictionOptions};
use simdetr::detector::deformable_detr::hugging_face_config::hugging_face_config;
use simdetr::detector::deformable_detr::weights::Naming;
use simdetr::detector::onnx;
use simdetr::evaluation::{self, EvaluationInput, EvaluationOptions};
use simdetr::pipeline::config::{Method, RunConfig};
use simdetr::pipeline::extract::ExtractRequest;
use simdetr::pipeline::finetune::{FinetuneRequest, TestSet, plain_description};
use simdetr::pipeline::predict::{PredictRequest, PredictionForm};
use simdetr::pipeline::pretrain::PretrainRequest;
use simdetr::pipeline::workspace::Workspace;
use simdetr::pipeline::{
    cluster, demo, export, extract, finetune, predict, preset, pretrain, report_run,
};
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
    let mut config = document(arguments)?;
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
        Command::Export { run: Some(run), out, .. } => {
            let report = export::export(&Workspace::new(run), out, &workers, &control)?;
            Ok(output::exported(&report, out))
        }
        Command::Export {
            detector: Some(detector),
            format: Some(format),
            height,
            width,
            out,
            ..
        } => convert(&open(detector, &config)?, *format, (*height, *width), out),
        Command::Export { .. } => Err(Error::invalid("export", "--run or --detector is needed")),
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
        Command::Finetune { .. } => fine_tuning(&arguments.command, &config, &workers, &control),
        Command::Predict {
            detector,
            images,
            out,
            detections_max,
            score_min,
            annotations,
            format,
        } => {
            let (detections_max, score_min) = (*detections_max, *score_min);
            let options =
                PredictionOptions { detections_max, score_min, ..PredictionOptions::default() };
            let request = PredictRequest {
                detector: &open(detector, &config)?,
                images,
                annotations: annotations.as_deref(),
                form: match format {
                    BoxFormat::DataSet => PredictionForm::DataSet,
                    BoxFormat::Results => PredictionForm::Results,
                },
                options: &options,
                limits: &config.limits,
                strict: arguments.common.strict,
            };
            let report = predict::predict(&request, out, &workers, &control)?;
            Ok(output::predicted(&report, out))
        }
        Command::Evaluate { ground_truth, detections, class_agnostic, detections_max } => {
            let mut options =
                EvaluationOptions { class_agnostic: *class_agnostic, ..Default::default() };
            if !detections_max.is_empty() {
                options.detections_max.clone_from(detections_max);
            }
            let strict = arguments.common.strict;
            evaluate((ground_truth, detections), &options, strict, &workers, &control)
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

fn fine_tuning(
    command: &Command,
    config: &RunConfig,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<Answer> {
    let Command::Finetune {
        annotations,
        images,
        init,
        out,
        fraction,
        split_seed,
        test_annotations,
        test_images,
        ..
    } = command
    else {
        return Err(Error::Internal { reason: format!("{command:?} is not finetune") });
    };
    let test = test_annotations.as_deref().map(|annotations| TestSet {
        annotations,
        images: test_images.as_deref().unwrap_or(images),
    });
    let (fraction, split_seed) = (*fraction, *split_seed);
    let request = FinetuneRequest { annotations, images, init, fraction, split_seed, config, test };
    Ok(output::finetuned(&finetune::finetune(&request, out, workers, control)?))
}

fn evaluate(
    (ground_truth, detections): (&Path, &Path),
    options: &EvaluationOptions,
    strict: bool,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<Answer> {
    let input = EvaluationInput::from_files(ground_truth, detections)?;
    if strict {
        input.refuse_left_out(options, detections)?;
    }
    Ok(output::evaluated(&evaluation::evaluate(&input, options, workers, control)?))
}

/// The configuration document over the command's preset.
fn document(arguments: &Arguments) -> Result<RunConfig> {
    let Common { config: document, seed, .. } = &arguments.common;
    let mut config = match &arguments.command {
        Command::Pretrain { preset: Some(name), .. } => preset::by_name(name)?,
        Command::Demo { .. } => preset::by_name(demo::PRESET)?,
        Command::Finetune { preset, .. } => {
            preset::for_finetuning(preset.as_deref().unwrap_or(preset::NAMES[0]))?
        }
        _ => RunConfig::default(),
    };
    if let Some(path) = document {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        config = simdetr::config::parse_over(&config, &text, &path.display().to_string())?;
    }
    config.seed = seed.unwrap_or(config.seed);
    Ok(config)
}

/// The detector of a file; the document says what a file that does not describe itself holds.
fn open(path: &Path, config: &RunConfig) -> Result<Detector> {
    Detector::open(path, Some(&plain_description(config)))
}

fn convert(
    detector: &Detector,
    format: Format,
    (height, width): (usize, usize),
    out: &Path,
) -> Result<Answer> {
    match format {
        Format::Official => detector.save(out, Naming::Official)?,
        Format::HuggingFace => {
            detector.save(out, Naming::HuggingFace)?;
            let document = out.with_file_name("config.json");
            atomic_file::write(&document, hugging_face_config(detector)?.as_bytes())?;
        }
        Format::Backbone => detector.save_backbone(out)?,
        Format::Onnx => onnx::export(detector, height, width, out)?,
    }
    Ok(output::converted(detector, out))
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

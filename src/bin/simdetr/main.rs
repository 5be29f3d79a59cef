//! The command line: arguments in, one call of `simdetr::pipeline`, text or JSON out.
//!
//! Exit status 0: done; 1: it failed; 2: the arguments or the configuration document are wrong.

mod arguments;
mod conversion;
mod detector_answers;
mod document;
mod left_out;
mod logger;
mod output;
mod printing;
mod progress;

use arguments::{Arguments, BoxFormat, Command};
use clap::Parser;
use document::{Document, document};
use output::Answer;
use progress::Bars;
use simdetr::control::{Control, Progress};
use simdetr::data::atomic_file;
use simdetr::detector::whole_detector::{Detector, PredictionOptions};
use simdetr::evaluation::{self, EvaluationInput, EvaluationOptions};
use simdetr::pipeline::config::{Method, RunConfig};
use simdetr::pipeline::demo::DemoScenes;
use simdetr::pipeline::extract::ExtractRequest;
use simdetr::pipeline::finetune::{FinetuneRequest, TestSet, plain_description};
use simdetr::pipeline::measure::HeldOut;
use simdetr::pipeline::predict::{PredictRequest, PredictionForm};
use simdetr::pipeline::pretrain::PretrainRequest;
use simdetr::pipeline::report_run::ReportRequest;
use simdetr::pipeline::workspace::Workspace;
use simdetr::pipeline::{cluster, demo, export, extract, finetune, predict, pretrain, report_run};
use simdetr::workers::Workers;
use simdetr::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => return printing::usage(&message),
    };
    let as_json = arguments.common.json;
    let bars = Arc::new(Bars::new(&arguments.common));
    logger::install(&arguments.common, &bars);
    let answer = run(&arguments, &bars);
    bars.finish();
    match answer {
        Ok(answer) => {
            let aside = printing::is_standard_output(arguments.command.output_file());
            printing::answer(&answer, as_json, aside)
        }
        Err(error) => printing::failure(&error, as_json),
    }
}

fn run(arguments: &Arguments, bars: &Bars) -> Result<Answer> {
    let show = |progress: Progress<'_>| bars.show(progress);
    let control = Control { cancel: None, progress: Some(&show) };
    let workers = Workers::with_threads(arguments.common.threads)?;
    let force = arguments.common.force;
    let Document { mut config, chosen } = document(arguments)?;
    match &arguments.command {
        Command::Extract { images, out, encoder, method, restart } => {
            override_extraction(&mut config, encoder.as_deref(), method.as_deref())?;
            let strict = arguments.common.strict;
            let request = ExtractRequest { images, config: &config, strict };
            let workspace = Workspace::new(out).restarted(*restart);
            let report = extract::extract(&request, &workspace, &workers, &control)?;
            Ok(output::extracted(&report, out))
        }
        Command::Cluster { run, classes, restart } => {
            if let Some(classes) = classes {
                config.cluster.classes = *classes;
            }
            let workspace = Workspace::new(run).restarted(*restart);
            let report = cluster::cluster(&workspace, &config, &workers, &control)?;
            Ok(output::clustered(&report, &workspace.clusters()))
        }
        Command::Export { run: Some(run), out, .. } => {
            let workspace = Workspace::new(run);
            let (record, clusters) = (run.join("run.toml"), workspace.clusters());
            conversion::check_not_input(out, &[&record, &clusters], force)?;
            let report = export::export(&workspace, out, &workers, &control)?;
            Ok(output::exported(&report, out))
        }
        Command::Export {
            detector: Some(detector),
            format: Some(format),
            height,
            width,
            out,
            ..
        } => {
            conversion::check(detector, *format, out, force)?;
            let detector = open(detector, &config)?;
            let guide = conversion::convert(&detector, *format, (*height, *width), out)?;
            Ok(detector_answers::converted(&detector, &guide, out))
        }
        Command::Describe { detector } => {
            Ok(detector_answers::described(&open(detector, &config)?))
        }
        Command::Export { .. } => Err(Error::invalid("export", "--run or --detector is needed")),
        Command::Pretrain { images, out, stages, ground_truth, restart, .. } => {
            let held_out = held_out(&arguments.command);
            config.pretrain.stages_count = stages.unwrap_or(config.pretrain.stages_count);
            let request = PretrainRequest {
                images,
                config: &config,
                strict: arguments.common.strict,
                ground_truth: ground_truth.as_deref(),
                held_out,
            };
            let workspace = Workspace::new(out).restarted(*restart);
            let report = pretrain::pretrain(&request, &workspace, &workers, &control)?;
            Ok(output::pretrained(&report).with_preset(chosen))
        }
        Command::Finetune { .. } => {
            let strict = arguments.common.strict;
            let answer = fine_tuning((&arguments.command, strict), &config, &workers, &control)?;
            Ok(answer.with_preset(chosen))
        }
        Command::Predict { .. } => prediction(arguments, &config, &workers, &control),
        Command::Evaluate { ground_truth, detections, class_agnostic, detections_max } => {
            let mut options =
                EvaluationOptions { class_agnostic: *class_agnostic, ..Default::default() };
            if !detections_max.is_empty() {
                options.detections_max.clone_from(detections_max);
            }
            let strict = arguments.common.strict;
            evaluate((ground_truth, detections), &options, strict, &workers, &control)
        }
        Command::Report { run, images, ground_truth } => {
            let (images, ground_truth) = (images.as_deref(), ground_truth.as_deref());
            let request = ReportRequest { run, images, ground_truth, force };
            Ok(output::reported(&report_run::report(&request, &workers, &control)?))
        }
        Command::Demo { out, scenes, held_out } => {
            let scenes = DemoScenes { training: *scenes, held_out: *held_out };
            let report = demo::demo(out.as_deref(), scenes, &config, &workers, &control)?;
            Ok(output::demonstrated(&report))
        }
        Command::Config { .. } => {
            config.validate()?;
            output::configuration(&config)
        }
    }
}

/// The held-out images of `pretrain`.
fn held_out(command: &Command) -> Option<HeldOut<'_>> {
    match command {
        Command::Pretrain {
            validation_images: Some(images),
            validation_annotations: Some(annotations),
            ..
        } => Some(HeldOut { images, annotations }),
        _ => None,
    }
}

fn prediction(
    Arguments { common, command }: &Arguments,
    config: &RunConfig,
    workers: &Workers,
    control: &Control<'_>,
) -> Result<Answer> {
    let Command::Predict { detector, images, out, detections_max, score_min, annotations, format } =
        command
    else {
        return Err(Error::Internal { reason: format!("{command:?} is not predict") });
    };
    let inputs: Vec<&Path> =
        [detector].into_iter().chain(annotations).map(PathBuf::as_path).collect();
    conversion::check_not_input(out, &inputs, common.force)?;
    atomic_file::check(out)?;
    let (detections_max, score_min) = (*detections_max, *score_min);
    let options = PredictionOptions { detections_max, score_min, ..PredictionOptions::default() };
    let request = PredictRequest {
        detector: &open(detector, config)?,
        images,
        annotations: annotations.as_deref(),
        form: match format {
            BoxFormat::DataSet => PredictionForm::DataSet,
            BoxFormat::Results => PredictionForm::Results,
        },
        options: &options,
        limits: &config.limits,
        strict: common.strict,
    };
    let report = predict::predict(&request, out, workers, control)?;
    Ok(output::predicted(&report, out))
}

fn fine_tuning(
    (command, strict): (&Command, bool),
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
        restart,
        ..
    } = command
    else {
        return Err(Error::Internal { reason: format!("{command:?} is not finetune") });
    };
    let test = test_annotations.as_deref().map(|annotations| TestSet {
        annotations,
        images: test_images.as_deref().unwrap_or(images),
    });
    let (fraction, split_seed, restart) = (*fraction, *split_seed, *restart);
    let request = FinetuneRequest {
        annotations,
        images,
        init,
        fraction,
        split_seed,
        config,
        test,
        strict,
        restart,
    };
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

/// The detector of a file; the document says what a file that does not describe itself holds.
fn open(path: &Path, config: &RunConfig) -> Result<Detector> {
    Detector::open(path, Some(&plain_description(config)))
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

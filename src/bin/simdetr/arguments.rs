//! What the command line understands. Options that name a key of the configuration document win
//! over the document.

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use simdetr::data::atomic_file::STANDARD_OUTPUT;
use std::path::{Path, PathBuf};

/// Teaches an object detector from images that nobody labelled.
#[derive(Debug, Parser)]
#[command(name = "simdetr", version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// Threads, up to four for each processor (and always up to 8); 0 is one for each. Results do
    /// not depend on it.
    #[arg(long, global = true, default_value_t = 0)]
    pub threads: usize,
    /// Key of every random number [default: the document's, else 0].
    #[arg(long, global = true)]
    pub seed: Option<u64>,
    /// Configuration document (TOML); `simdetr config` prints one with every default.
    #[arg(long, global = true, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// A broken image ends the run instead of being reported and skipped.
    #[arg(long, global = true)]
    pub strict: bool,
    /// One JSON object on standard output instead of text; errors too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// Replaces files that another program wrote (`config.json` beside an export, `report.html`),
    /// and inputs of the command by its output.
    #[arg(long, global = true)]
    pub force: bool,
    /// Says more on standard error: steps, -vv decisions, -vvv everything. RUST_LOG says it by part
    /// of the program.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Says nothing on standard error but errors: no warnings, no progress.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// A file to write; `-` is standard output.
fn output_file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(|text| match text == "-" {
        true => PathBuf::from(STANDARD_OUTPUT),
        false => PathBuf::from(text),
    })
}

/// How a detector is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// safetensors under the names of the official Deformable DETR.
    Official,
    /// safetensors under the names of DeformableDetrForObjectDetection, and `config.json` beside it.
    HuggingFace,
    /// safetensors of the backbone alone under torchvision's names.
    Backbone,
    /// ONNX model; what it wants of an image is printed, and in its metadata.
    Onnx,
}

/// How boxes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BoxFormat {
    /// COCO data set: images, categories and annotations with scores.
    DataSet,
    /// List of boxes with scores, as `loadRes` of pycocotools reads it.
    Results,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find proposals in every image of a folder; goes on where a killed run stopped.
    Extract {
        /// Folder of images, searched recursively.
        #[arg(long, value_name = "DIR")]
        images: PathBuf,
        /// Run folder; made if it is missing.
        #[arg(long, value_name = "RUN")]
        out: PathBuf,
        /// `default`, ResNet weights (.safetensors) or an ONNX model (.onnx).
        #[arg(long, value_name = "default|FILE")]
        encoder: Option<String>,
        /// `spectral` or `selective-search`.
        #[arg(long)]
        method: Option<String>,
        /// Begin anew: remove the files that an earlier run wrote there, and no others.
        #[arg(long)]
        restart: bool,
    },
    /// Cluster the proposals of the whole set into pseudo-classes.
    Cluster {
        #[arg(long, value_name = "RUN")]
        run: PathBuf,
        /// Number of pseudo-classes.
        #[arg(long, value_name = "K")]
        classes: Option<u32>,
        /// Cluster anew: remove the clusters and what was trained on them, and no other files.
        #[arg(long)]
        restart: bool,
    },
    /// Write what other programs read: the data set T_0 of a run, or a detector.
    Export {
        /// Run folder, of which T_0 is written as a COCO file.
        #[arg(long, value_name = "RUN", required_unless_present = "detector")]
        run: Option<PathBuf>,
        /// Detector (.safetensors), which is written in another format.
        #[arg(long, value_name = "FILE", conflicts_with = "run", requires = "format")]
        detector: Option<PathBuf>,
        /// Of a detector.
        #[arg(long, value_enum, conflicts_with = "run")]
        format: Option<Format>,
        /// Rows of an ONNX model's images, a multiple of the detector's `side_multiple`; 0 is any.
        #[arg(long, value_name = "PIXELS", requires = "detector", default_value_t = 0)]
        height: usize,
        /// Columns of an ONNX model's images, likewise.
        #[arg(long, value_name = "PIXELS", requires = "detector", default_value_t = 0)]
        width: usize,
        /// File to write; `-` is standard output, and what is said then goes to standard error.
        #[arg(long, value_name = "FILE", value_parser = output_file())]
        out: PathBuf,
    },
    /// Say what a detector is and wants: sizes, what to do to an image, categories.
    Describe {
        /// Detector (.safetensors), or the folder of a Hugging Face model.
        #[arg(long, value_name = "FILE")]
        detector: PathBuf,
    },
    /// Teach a detector: propose, cluster, train, relabel with it and train again.
    Pretrain {
        /// Folder of images, searched recursively.
        #[arg(long, value_name = "DIR")]
        images: PathBuf,
        /// Run folder; made if it is missing. A killed run goes on where it stopped.
        #[arg(long, value_name = "RUN")]
        out: PathBuf,
        /// Keys under those of the document: `deformable-detr-r50`, `small` or `tiny` [default: that
        /// of the run, else the largest that suits this machine].
        #[arg(long, value_name = "NAME")]
        preset: Option<String>,
        /// Begin anew: remove the files that an earlier run wrote there, and no others.
        #[arg(long)]
        restart: bool,
        /// Stages of training.
        #[arg(long, value_name = "N")]
        stages: Option<u16>,
        /// COCO file with the true boxes, for measuring only.
        #[arg(long, value_name = "GT.json")]
        ground_truth: Option<PathBuf>,
        /// Folder of images that are not trained on, for measuring only.
        #[arg(long, value_name = "DIR", requires = "validation_annotations")]
        validation_images: Option<PathBuf>,
        /// COCO file with their true boxes.
        #[arg(long, value_name = "GT.json", requires = "validation_images")]
        validation_annotations: Option<PathBuf>,
    },
    /// Train a detector on true labels, with a class head of its own for them.
    Finetune {
        /// COCO file with the true boxes.
        #[arg(long, value_name = "COCO.json")]
        annotations: PathBuf,
        /// Folder of its images.
        #[arg(long, value_name = "DIR")]
        images: PathBuf,
        /// What to start from: a detector, a checkpoint or a ResNet (.safetensors), `encoder` for the encoder's
        /// weights in the backbone, or `random`.
        #[arg(long, value_name = "random|encoder|FILE")]
        init: String,
        /// Run folder; made if it is missing. A killed run goes on where it stopped.
        #[arg(long, value_name = "RUN")]
        out: PathBuf,
        /// Share of the images to train on, above 0 and up to 1.
        #[arg(long, default_value_t = 1.0)]
        fraction: f64,
        /// Which images they are; another seed takes others.
        #[arg(long, value_name = "N", default_value_t = 0)]
        split_seed: u64,
        /// Keys under those of the document: `deformable-detr-r50`, `small` or `tiny` [default: that
        /// of the run, else the largest that suits this machine].
        #[arg(long, value_name = "NAME")]
        preset: Option<String>,
        /// Begin anew: remove the files that an earlier run wrote there, and no others.
        #[arg(long)]
        restart: bool,
        /// COCO file with true boxes to measure on; without it nothing is measured.
        #[arg(long, value_name = "COCO.json")]
        test_annotations: Option<PathBuf>,
        /// Folder of the images to measure on [default: that of --images].
        #[arg(long, value_name = "DIR", requires = "test_annotations")]
        test_images: Option<PathBuf>,
    },
    /// Write a detector's boxes on every image of a folder as a COCO file with scores.
    Predict {
        /// Detector (.safetensors), or the folder of a Hugging Face model; one that does not say its
        /// sizes has those of the document.
        #[arg(long, value_name = "FILE")]
        detector: PathBuf,
        /// Folder of images, searched recursively.
        #[arg(long, value_name = "DIR")]
        images: PathBuf,
        /// File to write; `-` is standard output, and what is said then goes to standard error.
        #[arg(long, value_name = "FILE.json", value_parser = output_file())]
        out: PathBuf,
        /// Best boxes of each image.
        #[arg(long, value_name = "N", default_value_t = 100)]
        detections_max: usize,
        /// Boxes with a lower score are left out.
        #[arg(long, value_name = "SCORE", default_value_t = 0.0)]
        score_min: f32,
        /// COCO file whose images are predicted and whose ids of images and categories are written.
        #[arg(long, value_name = "GT.json")]
        annotations: Option<PathBuf>,
        /// What is written.
        #[arg(long, value_enum, default_value = "data-set")]
        format: BoxFormat,
    },
    /// COCO average precision and recall of a detections file.
    Evaluate {
        /// COCO file with the true boxes.
        #[arg(long, value_name = "GT.json")]
        ground_truth: PathBuf,
        /// A results list, or a COCO file whose annotations carry `score`.
        #[arg(long, value_name = "FILE")]
        detections: PathBuf,
        /// Pool all classes.
        #[arg(long)]
        class_agnostic: bool,
        /// Detections counted for each image, ascending.
        #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
        detections_max: Vec<u32>,
    },
    /// Write one HTML file that shows a run, whole or half-done.
    Report {
        /// Folder of extract, pretrain or finetune, or the file that predict wrote.
        #[arg(long, value_name = "RUN")]
        run: PathBuf,
        /// Folder of the images that are shown [default: the run's; a file of predict says none].
        #[arg(long, value_name = "DIR")]
        images: Option<PathBuf>,
        /// COCO file with the true boxes, for a table of recall.
        #[arg(long, value_name = "GT.json")]
        ground_truth: Option<PathBuf>,
    },
    /// Render scenes with known boxes, run everything on them, score the result.
    Demo {
        /// Folder for the scenes and the run [default: a new folder under the system's temporary one].
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Number of scenes to train on.
        #[arg(long, default_value_t = 400)]
        scenes: u32,
        /// Number of other scenes, which are only measured on.
        #[arg(long, value_name = "N", default_value_t = 64)]
        held_out: u32,
    },
    /// Print the configuration document with every key, as the other commands would read it with
    /// the same --preset, --config and --seed.
    Config {
        /// Keys under those of the document: `deformable-detr-r50`, `small` or `tiny`.
        #[arg(long, value_name = "NAME")]
        preset: Option<String>,
    },
}

impl Command {
    /// The file that the user named for the result.
    pub fn output_file(&self) -> Option<&Path> {
        match self {
            Command::Export { out, .. } | Command::Predict { out, .. } => Some(out),
            _ => None,
        }
    }
}

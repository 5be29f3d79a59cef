//! Predictions of a whole detector that another program can time in turns with its own.
//!
//! `predict PRESET FOLDER IMAGES HEIGHT WIDTH THREADS` draws a detector of a preset that sees images
//! of that size, writes it as ONNX (`model.onnx`) with normalised images (`images.f32`, NCHW) into the folder,
//! and then, for each line of its standard input, finds objects on those images as the C ABI does, from
//! 8-bit RGB to boxes, and prints the milliseconds. At the end it writes logits and boxes of the same
//! images (`logits.f32`, `boxes.f32`). `benches/peers_predict.py` drives it.

use simdetr::control::Control;
use simdetr::data::image::normalise::to_tensor;
use simdetr::data::image::{Image, ResizeRule};
use simdetr::detector::description::DetectorDescription;
use simdetr::detector::network::{BatchShape, DetectorNetwork};
use simdetr::detector::onnx;
use simdetr::detector::prediction::Detections;
use simdetr::detector::predictor::PredictorMemory;
use simdetr::detector::whole_detector::{Detector, PredictionOptions};
use simdetr::nn::network::{Memory, Purpose};
use simdetr::nn::parameter_values::ParameterValues;
use simdetr::pipeline::finetune::plain_description;
use simdetr::pipeline::preset;
use simdetr::workers::Workers;
use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

type Answer<T> = Result<T, Box<dyn Error>>;

fn main() -> Answer<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let [preset, folder, sizes @ ..] = &arguments[..] else {
        println!("PRESET FOLDER ... are needed: `benches/peers_predict.py` gives them");
        return Ok(());
    };
    let sizes = sizes.iter().map(|text| text.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [images, height, width, threads] = sizes[..] else {
        return Err("IMAGES HEIGHT WIDTH THREADS are needed".into());
    };
    let (folder, shape) = (Path::new(folder), BatchShape { images, height, width });
    let detector = detector(preset, shape)?;
    onnx::export(&detector, height, width, &folder.join("model.onnx"))?;
    let frames: Vec<Image> = (0..images).map(|number| frame(number, shape)).collect();
    let tensor = tensor(&detector, &frames, folder)?;
    let workers = Workers::with_threads(threads)?;
    let (mut memory, mut found) = (PredictorMemory::default(), Detections::default());
    let options = PredictionOptions::default();
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        let read = |index: usize, image: &mut Image| {
            image.clone_from(&frames[index]);
            Ok(())
        };
        let runners = (&workers, &Control::default());
        detector.predict((images, read), &options, &mut memory, runners, &mut found)?;
        println!("{:.3}", start.elapsed().as_secs_f64() * 1e3);
    }
    answers(&detector, shape, &tensor, folder, &workers)
}

/// Drawn weights, and a rule that leaves images of this size as they are.
fn detector(preset: &str, shape: BatchShape) -> Answer<Detector> {
    let described = plain_description(&preset::by_name(preset)?);
    let (short, long) = (shape.height.min(shape.width), shape.height.max(shape.width));
    let resize = ResizeRule {
        image_short_side: u32::try_from(short)?,
        image_long_side_max: u32::try_from(long)?,
        ..described.resize
    };
    Ok(Detector::untrained(DetectorDescription { resize, ..described }, 1)?)
}

/// Squares of several colours over a slope.
fn frame(number: usize, shape: BatchShape) -> Image {
    let pixel = |index: usize| {
        let (y, x) = (index / shape.width, index % shape.width);
        let square = (y / 24 + x / 32 + number) * 53 % 256;
        [(x * 255 / shape.width) as u8, (y * 255 / shape.height) as u8, square as u8]
    };
    let pixels = (0..shape.height * shape.width).flat_map(pixel).collect();
    Image { width: shape.width as u32, height: shape.height as u32, pixels }
}

/// The frames as the network sees them, written for a peer whose channels come first.
fn tensor(detector: &Detector, frames: &[Image], folder: &Path) -> Answer<Vec<f32>> {
    let length = frames[0].pixels.len();
    let mut values = vec![0.0; frames.len() * length];
    for (image, to) in frames.iter().zip(values.chunks_exact_mut(length)) {
        to_tensor(image, &detector.description().normalisation, to)?;
    }
    let planar: Vec<f32> = values
        .chunks_exact(length)
        .flat_map(|image| (0..3).flat_map(|channel| image.iter().skip(channel).step_by(3)))
        .copied()
        .collect();
    write(&folder.join("images.f32"), &planar)?;
    Ok(values)
}

/// Logits and boxes of the last layer.
fn answers(
    detector: &Detector,
    shape: BatchShape,
    images: &[f32],
    folder: &Path,
    workers: &Workers,
) -> Answer<()> {
    let (config, purpose) = (detector.config(), Purpose::Prediction);
    let network = DetectorNetwork::new(config, detector.table(), shape, purpose, workers.count())?;
    let parameters = ParameterValues::new(detector.parameters().to_vec());
    let constants = network.constants(&parameters, None, workers)?;
    let mut memory = Memory::default();
    network.images_mut(&mut memory).copy_from_slice(images);
    let runners = (workers, &Control::default());
    network.network().predict(&mut memory, &parameters, &constants, runners)?;
    write(&folder.join("logits.f32"), network.logits(&memory, 0))?;
    write(&folder.join("boxes.f32"), network.boxes(&memory, 0))
}

fn write(path: &Path, values: &[f32]) -> Answer<()> {
    Ok(std::fs::write(
        path,
        values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>(),
    )?)
}

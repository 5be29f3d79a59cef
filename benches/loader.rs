//! Time of loading for training.
//!
//! `cargo bench --bench loader -- IMAGE...` prints what each operation costs for these images, the
//! best of many runs. `benches/peers_loader.py` runs the same binary as
//! `loader batches ANNOTATIONS FOLDER THREADS BATCHES`: mosaics of 2x2 even tiles at 320 pixels,
//! flipped and with changed colours, in batches of 16; and as `loader pixels OUTPUT IMAGE...`, which
//! writes for each image its pixels, the image at 160x160, and the image after [`STEPS`].

use simdetr::control::Control;
use simdetr::data::image::decode::read;
use simdetr::data::image::{Image, ImageLimits, Normalisation, Sampler};
use simdetr::data::training::augmentation::blur::{self, BlurScratch};
use simdetr::data::training::augmentation::colour::{self, Step};
use simdetr::data::training::augmentation::framing::Framing;
use simdetr::data::training::{
    AugmentationConfig, LoaderConfig, LoaderRun, TrainingLoader, TrainingSet,
};
use simdetr::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const RUNS: usize = 20;

/// Changes of colour of fixed strength.
const STEPS: [Step; 4] =
    [Step::Hue(0.06), Step::Contrast(1.31), Step::Saturation(0.72), Step::Brightness(0.81)];

fn best_ms(mut run: impl FnMut()) -> f64 {
    let times = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Milliseconds of each operation for one image.
fn operations(path: &Path) -> Result<()> {
    let limits = ImageLimits::default();
    let source = read(path, &limits)?;
    println!("{}: {}x{}", path.display(), source.width, source.height);
    println!("  decode                     {:.3} ms", best_ms(|| drop(read(path, &limits))));
    let (mut sampler, mut drawn) = (Sampler::default(), Image::default());
    for side in [160, 320] {
        let framing = Framing::whole(source.width, source.height).resized(side, side);
        let time = best_ms(|| drop(framing.draw(&source, &mut sampler, &mut drawn)));
        println!("  resize to {side}x{side}          {time:.3} ms");
    }
    let steps =
        [Step::Hue(0.06), Step::Contrast(1.31), Step::Saturation(0.72), Step::Brightness(0.81)];
    println!(
        "  colours at 320x320         {:.3} ms",
        best_ms(|| colour::apply(&mut drawn, &steps))
    );
    for step in steps {
        let time = best_ms(|| colour::apply(&mut drawn, &[step]));
        println!("    {step:18?}       {time:.3} ms");
    }
    let mut scratch = BlurScratch::default();
    for sigma in [0.5, 2.0] {
        let time = best_ms(|| blur::apply(&mut drawn, sigma, &mut scratch));
        println!("  blur at 320x320, sigma {sigma} {time:.3} ms");
    }
    Ok(())
}

/// Writes what the operations make of the images, 8-bit RGB one after another.
fn pixels(output: &str, images: &[&str]) -> Result<()> {
    let (mut bytes, mut square) = (Vec::new(), Image::default());
    for path in images {
        let mut image = read(Path::new(path), &ImageLimits::default())?;
        let framing = Framing::whole(image.width, image.height).resized(160, 160);
        framing.draw(&image, &mut Sampler::default(), &mut square)?;
        bytes.extend_from_slice(&image.pixels);
        bytes.extend_from_slice(&square.pixels);
        colour::apply(&mut image, &STEPS);
        bytes.extend_from_slice(&image.pixels);
    }
    std::fs::write(output, bytes).map_err(|source| Error::io(output, source))
}

/// Makes batches and prints the seconds that they took.
fn batches(annotations: &str, folder: &str, threads: usize, batches_count: u64) -> Result<()> {
    let set = Arc::new(TrainingSet::read(Path::new(annotations), Path::new(folder))?);
    let augmentation = AugmentationConfig {
        image_short_sides: vec![320],
        image_long_side_max: 320,
        mosaic_probability: 1.0,
        mosaic_tile_share_min: 1.0,
        colour_probability: 1.0,
        grey_probability: 0.0,
        blur_probability: 0.0,
        ..AugmentationConfig::default()
    };
    let run = LoaderRun {
        augmentation,
        loader: LoaderConfig { loader_threads: threads, ..LoaderConfig::default() },
        normalisation: Normalisation::default(),
        limits: ImageLimits::default(),
        seed: 1,
        stage: 1,
        batch_size: 16,
        batches: 0..batches_count,
    };
    let start = Instant::now();
    let mut loader = TrainingLoader::new(set, run)?;
    while let Some(batch) = loader.next(&Control::default())? {
        loader.recycle(std::hint::black_box(batch));
    }
    println!("{:.6}", start.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["batches", annotations, folder, threads, count] => {
            match (threads.parse(), count.parse()) {
                (Ok(threads), Ok(count)) => batches(annotations, folder, threads, count),
                _ => panic!("THREADS and BATCHES are numbers, got {threads} and {count}"),
            }
        }
        ["pixels", output, images @ ..] => pixels(output, images),
        images => images.iter().try_for_each(|image| operations(Path::new(image))),
    }
}

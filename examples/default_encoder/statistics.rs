//! Measures the mean and the deviation of every channel of the default encoder on a folder of
//! images and adds them to a weights file (`README.md` in this folder says when).
//!
//!     cargo run --release --example default_encoder_statistics -- WEIGHTS IMAGES OUT
//!
//! WEIGHTS is what `train.py` wrote, OUT the file that the library embeds. Both kinds of channels
//! are computed by the library's own code, on images resized as `extract` resizes them.

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use simdetr::Result;
use simdetr::data::feature_map::FeatureMap;
use simdetr::data::image::{ImageLimits, ResizeRule, decode, resize};
use simdetr::encoder::descriptor::Descriptor;
use simdetr::encoder::options::EncoderOptions;
use simdetr::encoder::resnet::ResNetEncoder;
use simdetr::encoder::{Encoder, MapDescription};
use simdetr::workers::Workers;
use std::path::{Path, PathBuf};

/// Images that are measured, evenly spread over the folder.
const IMAGES_COUNT: usize = 200;

/// Sums over all cells of one map, for each channel.
#[derive(Clone)]
struct Moments {
    cells: f64,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn new(channels: usize) -> Moments {
        Moments { cells: 0.0, sums: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Adds the channels of `map` from channel `first` of the whole on.
    fn add(&mut self, map: &FeatureMap, first: usize) {
        for cell in map.values.chunks_exact(map.channels) {
            for (channel, value) in (first..).zip(cell) {
                self.sums[channel] += f64::from(*value);
                self.squares[channel] += f64::from(*value).powi(2);
            }
        }
        self.cells += if first == 0 { (map.height * map.width) as f64 } else { 0.0 };
    }

    fn merge(&mut self, other: &Moments) {
        self.cells += other.cells;
        for (sum, other) in self.sums.iter_mut().zip(&other.sums) {
            *sum += other;
        }
        for (square, other) in self.squares.iter_mut().zip(&other.squares) {
            *square += other;
        }
    }

    /// The statistics as tensors' bytes: mean, deviation.
    fn finish(&self) -> [Vec<u8>; 2] {
        let bytes = |value: f64| (value as f32).to_le_bytes();
        let mean = self.sums.iter().flat_map(|sum| bytes(sum / self.cells)).collect();
        let variance = |(sum, square): (&f64, &f64)| {
            (square / self.cells - (sum / self.cells).powi(2)).max(0.0)
        };
        let deviation = self.sums.iter().zip(&self.squares);
        [mean, deviation.flat_map(|sums| bytes(variance(sums).sqrt())).collect()]
    }
}

fn measure_one(network: &ResNetEncoder, path: &Path) -> Result<Vec<Moments>> {
    let image = decode::read(path, &ImageLimits::default())?;
    let (width, height) = ResizeRule::default().target(image.width, image.height);
    let image = resize(&image, width, height)?;
    let strides: Vec<usize> = network.maps().iter().map(|map| map.stride).collect();
    let workers = Workers::caller();
    let plain = Descriptor::default().maps(&image, &strides, &workers)?;
    let learned = network.encode(&[image], &workers)?.remove(0);
    let both = learned.iter().zip(&plain);
    Ok(both
        .map(|(learned, plain)| {
            let mut moments = Moments::new(learned.channels + plain.channels);
            moments.add(learned, 0);
            moments.add(plain, learned.channels);
            moments
        })
        .collect())
}

/// Evenly spread files of a folder, in the order of their names.
fn chosen(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(folder)?.collect();
    let mut paths: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let count = IMAGES_COUNT.min(paths.len());
    Ok((0..count).map(|index| paths[index * paths.len() / count].clone()).collect())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [weights, images, out] = &paths[..] else {
        return Err("three arguments are needed: WEIGHTS IMAGES OUT".into());
    };
    let bytes = std::fs::read(weights)?;
    let network = ResNetEncoder::from_bytes(&bytes, &EncoderOptions::default())?;
    let images = chosen(images)?;
    let measured = Workers::with_threads(0)?
        .try_map(images.len(), |index| measure_one(&network, &images[index]))?;

    let mut statistics = Vec::new();
    for (level, MapDescription { name, .. }) in network.maps().iter().enumerate() {
        let mut total = Moments::new(measured[0][level].sums.len());
        measured.iter().for_each(|image| total.merge(&image[level]));
        println!("{name}: {} channels over {} cells", total.sums.len(), total.cells);
        for (part, values) in ["mean", "deviation"].into_iter().zip(total.finish()) {
            statistics.push((format!("statistics.level{level}.{part}"), values));
        }
    }

    let file = SafeTensors::deserialize(&bytes)?;
    let (_, header) = SafeTensors::read_metadata(&bytes)?;
    let mut tensors = file.tensors();
    tensors.retain(|(name, _)| !name.starts_with("statistics."));
    for (name, values) in &statistics {
        let view = TensorView::new(Dtype::F32, vec![values.len() / 4], values)?;
        tensors.push((name.clone(), view));
    }
    safetensors::serialize_to_file(tensors, header.metadata().clone(), out)?;
    Ok(())
}

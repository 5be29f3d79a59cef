//! A ResNet-50's convolutions, forward and backward, that another program can time in turns with
//! its own.
//!
//! `operations PARAMETERS INPUT OUTPUT IMAGES HEIGHT WIDTH THREADS` reads for each convolution, in
//! the order of the architecture's table, its weights, the scale and the shift of its frozen norm
//! (raw little-endian f32), and images (NHWC). It runs one forward and backward of all weights for
//! each line of its standard input and prints the milliseconds of both; at the end it writes the
//! gradients of all weights to OUTPUT. The loss is the sum of the deepest map.
//! `benches/peers_operations.py` drives it. Without arguments it times each shape of convolution
//! of the network by itself, at 2x320x320 on two threads, and prints the share of the sums that a
//! backward of the map and one of the weights take.

use simdetr::backbone::architecture::{Architecture, NamedConvolution};
use simdetr::kernels::matrix_product::Update;
use simdetr::nn::network::{Memory, Network, NetworkBuilder, Purpose, TensorId};
use simdetr::nn::operation::StepKey;
use simdetr::nn::ops::convolution::{Channels, Convolution, Geometry};
use simdetr::nn::ops::max_pool::{MaxPool, Window as Pool};
use simdetr::workers::Workers;
use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

/// Rounds of a run without arguments, of which the fastest counts.
const ROUNDS: usize = 7;
const STEP: StepKey = StepKey { seed: 1, stage: 1, step: 0, part: 0, training: true };

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let [parameters, input, output, sizes @ ..] = &arguments[..] else {
        return each_shape();
    };
    let sizes = sizes.iter().map(|text| text.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [images, height, width, threads] = sizes[..] else {
        return Err("IMAGES HEIGHT WIDTH THREADS are needed".into());
    };
    let (parameters, pixels) = (floats(&std::fs::read(parameters)?), std::fs::read(input)?);
    let workers = Workers::with_threads(threads)?;
    let mut backbone = Backbone::new(images, (height, width), &workers)?;
    let data = backbone.network.data_mut(&mut backbone.memory, backbone.pixels);
    data.copy_from_slice(&floats(&pixels));
    let mut gradients = vec![0.0; backbone.trained];
    for line in std::io::stdin().lock().lines() {
        line?;
        let (forward, backward) = backbone.step(&parameters, &mut gradients, &workers);
        println!("{forward:.3} {backward:.3}");
    }
    eprintln!("arena {:.0} MB", backbone.memory.memory_bytes() as f64 / 1e6);
    std::fs::write(output, gradients.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>())?;
    Ok(())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

struct Backbone {
    network: Network<f32>,
    memory: Memory<f32>,
    pixels: TensorId,
    /// Weights of all convolutions.
    trained: usize,
}

impl Backbone {
    fn new(
        images: usize,
        size: (usize, usize),
        workers: &Workers,
    ) -> Result<Backbone, Box<dyn Error>> {
        let architecture = Architecture::with_depth(50, 64).ok_or("no ResNet-50")?;
        let layers = architecture.convolutions();
        let trained = layers.iter().map(|layer| layer.geometry.weights_count()).sum();
        let mut builder = NetworkBuilder::new(workers.count());
        let pixels = builder.data(images * size.0 * size.1 * 3);
        let mut adding = Adding { builder, images, weights: 0, norms: trained };
        let stem = adding.add(&layers[0], (pixels, size), None, true);
        let mut map = adding.pool(stem);
        let mut next = 1;
        for (stage, blocks) in architecture.blocks.into_iter().enumerate() {
            for index in 0..blocks {
                let block = &layers[next..];
                let shortcut = architecture.has_shortcut(stage, index);
                map = adding.block(block, shortcut, map);
                next += 3 + usize::from(shortcut);
            }
        }
        let network = adding.builder.finish(&[map.0], Purpose::Training { recompute: false });
        Ok(Backbone { network, memory: Memory::default(), pixels, trained })
    }

    /// Milliseconds of forward and backward.
    fn step(&mut self, parameters: &[f32], gradients: &mut [f32], workers: &Workers) -> (f64, f64) {
        let start = Instant::now();
        self.network.forward(&mut self.memory, parameters, &STEP, workers);
        let middle = Instant::now();
        self.network.outputs_and_gradients(&mut self.memory, [0])[0].1.fill(1.0);
        let (memory, update) = (&mut self.memory, Update::Overwrite);
        self.network.backward(memory, parameters, gradients, update, &STEP, workers);
        let times = (middle - start, middle.elapsed());
        (times.0.as_secs_f64() * 1e3, times.1.as_secs_f64() * 1e3)
    }
}

type Map = (TensorId, (usize, usize));

/// The parameters' order in the flat array is weights of all layers, then scales and shifts.
struct Adding {
    builder: NetworkBuilder,
    images: usize,
    /// Where the next layer's weights, and its norm, start.
    weights: usize,
    norms: usize,
}

impl Adding {
    fn add(
        &mut self,
        layer: &NamedConvolution,
        (from, (height, width)): Map,
        residual: Option<TensorId>,
        relu: bool,
    ) -> Map {
        let geometry = layer.geometry;
        let (channels, images) = (Channels::FrozenNorm, self.images);
        let residual_given = residual.is_some();
        let operation = Convolution {
            geometry,
            images,
            height,
            width,
            channels,
            residual: residual_given,
            relu,
        };
        let mut take = |start: &mut usize, length: usize, trained: bool| {
            *start += length;
            self.builder.parameter(*start - length..*start, trained)
        };
        let mut inputs = vec![from, take(&mut self.weights, geometry.weights_count(), true)];
        inputs.push(take(&mut self.norms, geometry.out_channels, false));
        inputs.push(take(&mut self.norms, geometry.out_channels, false));
        inputs.extend(residual);
        (self.builder.add(operation, &inputs), operation.output_size())
    }

    fn pool(&mut self, (from, (height, width)): Map) -> Map {
        let geometry = Pool { window: 3, stride: 2, padding: 1 };
        let operation = MaxPool { geometry, images: self.images, height, width, channels: 64 };
        (self.builder.add(operation, &[from]), geometry.output_size(height, width))
    }

    /// Parameters follow the table, where the shortcut is last, though the third convolution
    /// needs its result.
    fn block(&mut self, layers: &[NamedConvolution], shortcut: bool, from: Map) -> Map {
        let inner = self.add(&layers[0], from, None, true);
        let inner = self.add(&layers[1], inner, None, true);
        if !shortcut {
            return self.add(&layers[2], inner, Some(from.0), true);
        }
        let third = &layers[2].geometry;
        let places = (self.weights, self.norms);
        (self.weights, self.norms) =
            (places.0 + third.weights_count(), places.1 + 2 * third.out_channels);
        let (residual, _) = self.add(&layers[3], from, None, false);
        let after = (self.weights, self.norms);
        (self.weights, self.norms) = places;
        let map = self.add(&layers[2], inner, Some(residual), true);
        (self.weights, self.norms) = after;
        map
    }
}

/// Times forward, backward of the map and backward of the weights of every shape.
fn each_shape() -> Result<(), Box<dyn Error>> {
    let architecture = Architecture::with_depth(50, 64).ok_or("no ResNet-50")?;
    let workers = Workers::with_threads(2)?;
    let mut shapes: Vec<(Geometry, usize, usize)> = Vec::new();
    let mut side = 320;
    for layer in architecture.convolutions() {
        let geometry = layer.geometry;
        // The shortcut of a stage's first block reads what its second convolution reads.
        let shortcut = layer.name.contains("downsample");
        let input = if shortcut { side * geometry.stride } else { side };
        match shapes.iter_mut().find(|shape| (shape.0, shape.1) == (geometry, input)) {
            Some(shape) => shape.2 += 1,
            None => shapes.push((geometry, input, 1)),
        }
        if !shortcut {
            side = geometry.output_size(input, input).0;
        }
        if layer.name == "conv1" {
            side = side.div_ceil(2);
        }
    }
    let mut totals = [0.0; 3];
    println!("   in  out k s side  n   forward   map     weights  ms of one; GFLOP/s of each");
    for (geometry, side, count) in shapes {
        let times = time_shape(geometry, side, &workers);
        let (height, width) = geometry.output_size(side, side);
        let work = 4.0 * (geometry.weights_count() * height * width) as f64 / 1e6;
        let Geometry { in_channels, out_channels, kernel, stride, .. } = geometry;
        print!("{in_channels:5}{out_channels:5}{kernel:2}{stride:2}{side:5}{count:3}");
        times.iter().for_each(|time| print!("{time:9.3}"));
        times.iter().for_each(|time| print!("{:7.0}", work / time));
        println!();
        totals.iter_mut().zip(times).for_each(|(total, time)| *total += time * count as f64);
    }
    let sum: f64 = totals.iter().sum();
    println!(
        "forward {:.1}, map {:.1}, weights {:.1}: {sum:.1} ms",
        totals[0], totals[1], totals[2]
    );
    Ok(())
}

fn time_shape(geometry: Geometry, side: usize, workers: &Workers) -> [f64; 3] {
    let channels = Channels::Plain;
    let (images, residual, relu) = (2, false, true);
    let layer =
        Convolution { geometry, images, height: side, width: side, channels, residual, relu };
    let (pixels, weights) = (images * side * side * geometry.in_channels, geometry.weights_count());
    let drawn = |count: usize| (0..count).map(|index| (index * 7 % 101) as f32 / 50.0 - 1.0);
    let parameters: Vec<f32> = drawn(pixels + weights).collect();
    let mut gradients = vec![0.0; pixels + weights];
    let mut fastest = [f64::INFINITY; 3];
    for (which, trained) in [(1, [true, false]), (2, [false, true])] {
        let mut builder = NetworkBuilder::new(workers.count());
        // The trained parameter has to come first in the flat array.
        let (map, kernel) = match which {
            1 => (0..pixels, pixels..pixels + weights),
            _ => (weights..weights + pixels, 0..weights),
        };
        let inputs = [builder.parameter(map, trained[0]), builder.parameter(kernel, trained[1])];
        let output = builder.add(layer, &inputs);
        let network = builder.finish(&[output], Purpose::Training { recompute: false });
        let mut memory = Memory::default();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            network.forward(&mut memory, &parameters, &STEP, workers);
            fastest[0] = fastest[0].min(start.elapsed().as_secs_f64() * 1e3);
            network.outputs_and_gradients(&mut memory, [0])[0].1.fill(1.0);
            let start = Instant::now();
            let update = Update::Overwrite;
            network.backward(&mut memory, &parameters, &mut gradients, update, &STEP, workers);
            fastest[which] = fastest[which].min(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    fastest
}

//! A ResNet forward that another program can time in turns with its own.
//!
//! `resnet_forward WEIGHTS.safetensors INPUT OUTPUT IMAGES HEIGHT WIDTH THREADS` reads images (raw
//! little-endian f32, NHWC), then runs one forward for each line of its standard input and prints
//! the milliseconds; at the end it writes the deepest map to OUTPUT. `benches/peers_resnet.py`
//! drives it. Without arguments it times a ResNet-50 with drawn weights at 4x480x480 on two
//! threads.

use simdetr::backbone::architecture::Architecture;
use simdetr::backbone::resnet::{ResNet, ResNetPlan};
use simdetr::backbone::resnet_weights::ResNetWeights;
use simdetr::control::Control;
use simdetr::nn::network::Memory;
use simdetr::random::{Purpose, Random, StreamKey};
use simdetr::workers::Workers;
use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

/// Rounds of a run without arguments.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|text| !text.starts_with("--")).collect();
    let [weights, input, output, sizes @ ..] = &arguments[..] else {
        return drawn();
    };
    let sizes = sizes.iter().map(|text| text.parse()).collect::<Result<Vec<usize>, _>>()?;
    let [images, height, width, threads] = sizes[..] else {
        return Err("IMAGES HEIGHT WIDTH THREADS are needed".into());
    };
    let network = ResNet::from_safetensors(&std::fs::read(weights)?, weights)?;
    let pixels = floats(&std::fs::read(input)?);
    let workers = Workers::with_threads(threads)?;
    let plan = network.plan([images, height, width], &[3], &workers)?;
    let mut memory = Memory::default();
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{:.3}", forward_ms(&network, &plan, &mut memory, &pixels, &workers)?);
    }
    let values = plan.values(&memory, 0).iter();
    std::fs::write(output, values.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    Ok(())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Milliseconds of one forward, the copy into the plan left out as torch's input is in place too.
fn forward_ms(
    network: &ResNet,
    plan: &ResNetPlan,
    memory: &mut Memory<f32>,
    pixels: &[f32],
    workers: &Workers,
) -> simdetr::Result<f64> {
    plan.images_mut(memory)?.copy_from_slice(pixels);
    let start = Instant::now();
    network.forward(plan, memory, (workers, &Control::default()))?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn drawn() -> Result<(), Box<dyn Error>> {
    let architecture = Architecture::with_depth(50, 64).ok_or("no ResNet-50")?;
    let mut random = Random::new(StreamKey::new(1, Purpose::Initialisation));
    let weights = ResNetWeights::from_values(architecture, |name, shape| {
        let inputs: usize = shape[1..].iter().product();
        let bound = if shape.len() == 4 { (2.0 / inputs as f64).sqrt() } else { 0.0 };
        let centre = if shape.len() == 4 || name.ends_with("bias") { 0.0 } else { 0.5 };
        let count = shape.iter().product();
        (0..count).map(|_| (centre + bound * random.normal()) as f32).collect()
    })?;
    let network = ResNet::new(weights);
    let workers = Workers::with_threads(2)?;
    let plan = network.plan([4, 480, 480], &[3, 2], &workers)?;
    let mut memory = Memory::default();
    let pixels: Vec<f32> =
        (0..4 * 480 * 480 * 3).map(|index| (index * 7 % 101) as f32 / 50.0 - 1.0).collect();
    let times = (0..=ROUNDS)
        .map(|_| forward_ms(&network, &plan, &mut memory, &pixels, &workers))
        .collect::<simdetr::Result<Vec<f64>>>()?;
    let fastest = times[1..].iter().copied().fold(f64::INFINITY, f64::min);
    println!("ResNet-50, 4x480x480, 2 threads: {fastest:.1} ms, the fastest of {ROUNDS}");
    Ok(())
}

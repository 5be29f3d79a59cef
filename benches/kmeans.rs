//! Times one k-means run on vectors from a file, for `benches/peers_kmeans.py`.
//!
//! `kmeans POINTS START DIMENSIONS ROUNDS THREADS METRIC OUT`: POINTS and START hold f32 rows,
//! little-endian. Prints the wall and processor seconds of the rounds and the final assignment, as
//! JSON, and writes OUT.centroids (f32) and OUT.labels (u32).

use simdetr::clustering::{Centroids, ClusterConfig, Metric, Resources, fit_from, labels};
use simdetr::control::Control;
use simdetr::data::vectors::VectorArray;
use simdetr::workers::Workers;
use std::time::Instant;

fn floats(path: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).expect(path);
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// User and system seconds of this process, from the clock ticks of proc(5): fields 14 and 15.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [points, start, dimensions, rounds, threads, metric, out] = arguments.as_slice() else {
        println!("usage: kmeans POINTS START DIMENSIONS ROUNDS THREADS METRIC OUT");
        return;
    };
    let dimensions: usize = dimensions.parse().expect("DIMENSIONS");
    let points = floats(points);
    let source = VectorArray::new(&points, dimensions).expect("POINTS");
    let start = floats(start);
    let classes = start.len() / dimensions;
    let metric = Metric::from_name(metric).expect("METRIC");
    let start = Centroids::new(start, classes, dimensions, metric).expect("START");
    let workers = Workers::with_threads(threads.parse().expect("THREADS")).expect("THREADS");
    let control = Control::default();
    let config =
        ClusterConfig { rounds: rounds.parse().expect("ROUNDS"), ..ClusterConfig::default() };
    let resources =
        Resources { workers: &workers, control, memory_bytes_max: config.memory_bytes_max };

    let (begin, processor_begin) = (Instant::now(), processor_seconds());
    let fit = fit_from(&source, start, &config, &workers, control).expect("fit");
    let labels = labels(&source, &fit.centroids, &resources).expect("labels");
    let seconds = begin.elapsed().as_secs_f64();
    let processor = processor_seconds() - processor_begin;

    let centroids = fit.centroids.values().iter().flat_map(|value| value.to_le_bytes());
    std::fs::write(format!("{out}.centroids"), centroids.collect::<Vec<u8>>()).expect("OUT");
    let labels = labels.iter().flat_map(|label| label.to_le_bytes());
    std::fs::write(format!("{out}.labels"), labels.collect::<Vec<u8>>()).expect("OUT");
    println!("{{\"seconds\": {seconds}, \"processor_seconds\": {processor}}}");
}

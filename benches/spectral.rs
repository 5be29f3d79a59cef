//! Local clustering of one image's maps: times of our own, and a server that `peers_spectral.py`
//! drives, so that ours and a peer run in turns on the same maps.
//!
//! Without arguments: the five clusterings of ¶53 on random maps of 225x2048 and 900x1024, beside
//! matrix products of the same number of operations. With arguments:
//! `spectral THREADS CONFIG.toml MAP:HEIGHT:WIDTH:CHANNELS:K,K ...`, where MAP holds f32 values;
//! every line `run` on standard input answers the seconds of one run and the residuals, `dump`
//! writes `MAP.labels` (u32, one row for each K) and `MAP.vectors` (f32, `[cells, K]`).

use simdetr::control::Control;
use simdetr::data::feature_map::{FeatureMap, FeatureMapView};
use simdetr::kernels::matrix_product::{Matrix, MatrixMut, Update, product};
use simdetr::proposals::config::{Affinity, Center, Scale};
use simdetr::proposals::{LevelMap, MapClusterer, MapRequest, ProposalConfig};
use simdetr::random::{Purpose, Random, StreamKey};
use simdetr::workers::Workers;
use std::io::BufRead;
use std::time::Instant;

struct Job {
    path: String,
    map: FeatureMap,
    cluster_counts: Vec<usize>,
    clusterer: MapClusterer,
    labels: Vec<u32>,
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [] => own_times(),
        [threads, config, maps @ ..] => {
            let workers = Workers::with_threads(threads.parse().unwrap()).unwrap();
            let text = std::fs::read_to_string(config).unwrap();
            let config = simdetr::config::parse(&text, config).unwrap();
            let mut jobs: Vec<Job> = maps.iter().map(|map| read_job(map)).collect();
            serve(&mut jobs, &config, &workers);
        }
        _ => panic!("spectral [THREADS CONFIG.toml MAP:HEIGHT:WIDTH:CHANNELS:K,K ...]"),
    }
}

fn read_job(argument: &str) -> Job {
    let parts: Vec<&str> = argument.split(':').collect();
    let number = |index: usize| parts[index].parse::<usize>().unwrap();
    let bytes = std::fs::read(parts[0]).unwrap();
    let values = bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let map = FeatureMap { values, height: number(1), width: number(2), channels: number(3) };
    let cluster_counts = parts[4].split(',').map(|k| k.parse().unwrap()).collect();
    let (clusterer, labels) = (MapClusterer::default(), Vec::new());
    Job { path: parts[0].into(), map, cluster_counts, clusterer, labels }
}

fn run(jobs: &mut [Job], config: &ProposalConfig, workers: &Workers) -> f64 {
    let start = Instant::now();
    for (level, job) in jobs.iter_mut().enumerate() {
        let map = LevelMap { map: job.map.view(), stride: 32, groups: &[] };
        let request = MapRequest {
            map: &map,
            level,
            cluster_counts: &job.cluster_counts,
            seed: 0,
            image_id: 1,
            clusterings_before: 8 * level,
        };
        let labels = &mut job.labels;
        labels.clear();
        let result = job.clusterer.cluster(
            &request,
            config,
            (workers, &Control::default()),
            |_, found, _| labels.extend_from_slice(found),
        );
        result.unwrap();
    }
    start.elapsed().as_secs_f64()
}

fn serve(jobs: &mut [Job], config: &ProposalConfig, workers: &Workers) {
    for line in std::io::stdin().lock().lines() {
        match line.unwrap().trim() {
            "run" => {
                let seconds = run(jobs, config, workers);
                let found = jobs.iter().map(|job| &job.clusterer.eigenvectors);
                let residuals: Vec<f32> = found.map(|vectors| vectors.residual).collect();
                println!("{seconds} {residuals:?}");
            }
            "dump" => {
                jobs.iter().for_each(dump);
                println!("dumped");
            }
            other => panic!("unknown command {other}"),
        }
    }
}

fn dump(job: &Job) {
    let labels: Vec<u8> = job.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    std::fs::write(format!("{}.labels", job.path), labels).unwrap();
    let found = &job.clusterer.eigenvectors;
    let values = &found.vectors[..job.map.view().cells() * found.count];
    let vectors: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(format!("{}.vectors", job.path), vectors).unwrap();
}

/// Non-negative features in bands with much noise, as a network's last layers give them.
fn random_map(height: usize, width: usize, channels: usize) -> FeatureMap {
    let mut random = Random::new(StreamKey::new(1, Purpose::Sampling));
    let centres: Vec<f64> = (0..12 * channels).map(|_| random.normal()).collect();
    let mut values = Vec::new();
    for cell in 0..height * width {
        let band = cell * 12 / (height * width);
        for channel in 0..channels {
            let value = centres[band * channels + channel] + random.normal();
            values.push(value.max(0.0) as f32);
        }
    }
    FeatureMap { values, height, width, channels }
}

/// Seconds of a square product with as many operations as forming both Gram matrices takes.
fn gram_products(jobs: &[Job], workers: &Workers) -> f64 {
    let mut seconds = 0.0;
    for FeatureMapView { values, height, width, channels } in jobs.iter().map(|job| job.map.view())
    {
        let cells = height * width;
        let mut gram = vec![0.0f32; cells * cells];
        let rows = Matrix::new(values, cells, channels);
        let start = Instant::now();
        let target = MatrixMut::new(&mut gram, cells, cells);
        product(target, rows, rows.transposed(), Update::Overwrite, workers);
        seconds += start.elapsed().as_secs_f64();
    }
    seconds
}

fn own_times() {
    let base = ProposalConfig { eigen_tolerance: 1e-4, ..ProposalConfig::default() };
    let plain = ProposalConfig { center: Center::None, scale: Scale::None, ..base.clone() };
    let configs = [
        ("cosine", ProposalConfig { affinity: Affinity::Cosine, ..plain.clone() }),
        ("cosine_shifted", ProposalConfig { affinity: Affinity::CosineShifted, ..plain }),
        ("cosine_exp", base),
    ];
    for threads in [1, 2] {
        let workers = Workers::with_threads(threads).unwrap();
        for (name, config) in &configs {
            let job = |map: FeatureMap, cluster_counts: &[usize]| Job {
                path: String::new(),
                map,
                cluster_counts: cluster_counts.to_vec(),
                clusterer: MapClusterer::default(),
                labels: Vec::new(),
            };
            let mut jobs = [
                job(random_map(15, 15, 2048), &[2, 4, 8]),
                job(random_map(30, 30, 1024), &[8, 16]),
            ];
            let (mut ours, mut gram) = (f64::INFINITY, f64::INFINITY);
            for _ in 0..15 {
                ours = ours.min(run(&mut jobs, config, &workers));
                gram = gram.min(gram_products(&jobs, &workers));
            }
            let products: Vec<usize> =
                jobs.iter().map(|job| job.clusterer.eigenvectors.products).collect();
            println!(
                "{threads} threads, {name:14}: five clusterings {:6.2} ms, both Grams {:6.2} ms, \
                 vector products {products:?}",
                1e3 * ours,
                1e3 * gram
            );
        }
    }
}

//! Global clustering against scikit-learn and faiss, in shards, at several thread counts, inside
//! memory budgets, and with bad input.

use safetensors::SafeTensors;
use simdetr::Error;
use simdetr::clustering::{
    Accumulator, Centroids, ClusterConfig, EmptyClusters, Fit, Metric, Resources, accumulate,
    assign, fit, fit_from, labels, seed,
};
use simdetr::control::{CancelToken, Control};
use simdetr::data::vectors::{VectorArray, VectorSource};
use simdetr::random::{Purpose, Random, StreamKey};
use simdetr::workers::Workers;
use std::path::Path;

fn golden_numbers(name: &str) -> Vec<[u8; 4]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kmeans/golden.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    tensors.tensor(name).unwrap().data().as_chunks::<4>().0.to_vec()
}

fn golden(name: &str) -> Vec<f32> {
    golden_numbers(name).into_iter().map(f32::from_le_bytes).collect()
}

/// Overlapping blobs, so that rounds move labels about.
fn blobs(count: usize, dimensions: usize) -> Vec<f32> {
    let mut random = Random::new(StreamKey::new(3, Purpose::Demo));
    let centers: Vec<f64> = (0..40 * dimensions).map(|_| random.normal()).collect();
    (0..count)
        .flat_map(|_| {
            let center = random.below(40) as usize * dimensions;
            (0..dimensions).map(|d| centers[center + d] + random.normal()).collect::<Vec<_>>()
        })
        .map(|value| value as f32)
        .collect()
}

fn config(classes: u32, metric: &str) -> ClusterConfig {
    ClusterConfig { classes, metric: metric.into(), ..ClusterConfig::default() }
}

fn run(source: &dyn VectorSource, config: &ClusterConfig, threads: usize) -> Fit {
    fit(source, config, &Workers::with_threads(threads).unwrap(), Control::default()).unwrap()
}

fn resources(workers: &Workers) -> Resources<'_> {
    Resources { workers, control: Control::default(), memory_bytes_max: 1 << 26 }
}

#[test]
fn ten_rounds_end_where_those_of_scikit_learn_and_faiss_end() {
    let (points, start) = (golden("points"), golden("start"));
    let source = VectorArray::new(&points, 16).unwrap();
    let workers = Workers::caller();
    for metric in [Metric::Euclidean, Metric::Spherical] {
        let centroids = Centroids::new(start.clone(), 12, 16, metric).unwrap();
        let config = ClusterConfig::default();
        let fit = fit_from(&source, centroids, &config, &workers, Control::default()).unwrap();
        let wanted = golden(metric.name());
        for (got, wanted) in fit.centroids.values().iter().zip(&wanted) {
            assert!((got - wanted).abs() < 2e-6, "{metric:?}: {got} is not {wanted}");
        }
        let wanted: Vec<u32> = golden_numbers(&format!("{}_labels", metric.name()))
            .into_iter()
            .map(u32::from_le_bytes)
            .collect();
        assert_eq!(labels(&source, &fit.centroids, &resources(&workers)).unwrap(), wanted);
    }
}

#[test]
fn four_shards_give_the_bits_of_a_single_run() {
    let (count, dimensions) = (20_000, 24);
    let points = blobs(count, dimensions);
    let source = VectorArray::new(&points, dimensions).unwrap();
    for metric in ["spherical", "euclidean"] {
        let config = ClusterConfig { rounds: 4, ..config(60, metric) };
        let workers = Workers::with_threads(2).unwrap();
        let start = seed(&source, &config, &workers, Control::default()).unwrap();
        let whole =
            fit_from(&source, start.clone(), &config, &workers, Control::default()).unwrap();
        let largest = points.iter().fold(0.0f32, |max, value| max.max(value.abs()));
        let magnitude_max = if metric == "spherical" { 1.0 } else { largest };
        let mut centroids = start;
        for _ in 0..config.rounds {
            let borders = [0, 4096, 4097, 15_000, count as u64];
            let mut sums = Accumulator::new(60, dimensions, magnitude_max).unwrap();
            for shard in [2, 0, 3, 1] {
                let mut part = Accumulator::new(60, dimensions, magnitude_max).unwrap();
                let rows = borders[shard]..borders[shard + 1];
                accumulate(&source, rows, &centroids, &mut part, &resources(&workers)).unwrap();
                sums.merge(&part).unwrap();
            }
            centroids = centroids.update(&sums, EmptyClusters::Keep).unwrap();
        }
        assert_eq!(centroids, whole.centroids);
    }
}

#[test]
fn threads_and_memory_change_nothing() {
    let points = blobs(9000, 20);
    let source = VectorArray::new(&points, 20).unwrap();
    for seeding in ["kmeans||", "kmeans++", "random"] {
        let config =
            ClusterConfig { rounds: 3, seeding: seeding.into(), ..config(50, "spherical") };
        let first = run(&source, &config, 1);
        for threads in [2, 3, 7] {
            assert_eq!(run(&source, &config, threads), first, "{seeding} with {threads} threads");
        }
        let start = seed(&source, &config, &Workers::caller(), Control::default()).unwrap();
        let tight = ClusterConfig { memory_bytes_max: 300_000, ..config };
        let tight =
            fit_from(&source, start, &tight, &Workers::caller(), Control::default()).unwrap();
        assert_eq!(tight, first);
    }
}

#[test]
fn rounds_lower_the_objective_and_careful_seeding_beats_random_rows() {
    let points = blobs(4000, 8);
    let source = VectorArray::new(&points, 8).unwrap();
    for metric in ["spherical", "euclidean"] {
        let fit = run(&source, &config(40, metric), 2);
        assert!(fit.rounds.windows(2).all(|pair| pair[1].objective <= pair[0].objective * 1.0001));
        let first = |seeding: &str| {
            let config = ClusterConfig { seeding: seeding.into(), rounds: 1, ..config(40, metric) };
            run(&source, &config, 2).rounds[0].objective
        };
        assert!(first("kmeans||") < first("random") && first("kmeans++") < first("random"));
    }
}

#[test]
fn duplicates_leave_classes_empty_and_do_no_harm() {
    let points: Vec<f32> =
        (0..100).flat_map(|row| if row % 2 == 0 { [1.0, 2.0] } else { [2.0, 1.0] }).collect();
    let source = VectorArray::new(&points, 2).unwrap();
    for metric in ["spherical", "euclidean"] {
        for empty in ["keep", "split"] {
            for seeding in ["kmeans||", "kmeans++", "random"] {
                let config = ClusterConfig {
                    empty_clusters: empty.into(),
                    seeding: seeding.into(),
                    ..config(5, metric)
                };
                let fit = run(&source, &config, 1);
                assert!(fit.centroids.values().iter().all(|value| value.is_finite()));
                assert!(fit.rounds[0].empty >= 3, "{metric} {empty} {seeding}");
            }
        }
    }
}

#[test]
fn a_split_gives_an_empty_class_a_part_of_the_largest() {
    let points: Vec<f32> = (0..64).flat_map(|row| [1.0, row as f32 / 64.0]).collect();
    let source = VectorArray::new(&points, 2).unwrap();
    let start = vec![1.0, 0.5, -1.0, 0.0];
    let counts = |empty: &str| {
        let centroids = Centroids::new(start.clone(), 2, 2, Metric::Spherical).unwrap();
        let config = ClusterConfig { empty_clusters: empty.into(), ..config(2, "spherical") };
        let workers = Workers::caller();
        let fit = fit_from(&source, centroids, &config, &workers, Control::default()).unwrap();
        let labels = labels(&source, &fit.centroids, &resources(&workers)).unwrap();
        labels.iter().filter(|label| **label == 1).count()
    };
    assert_eq!(counts("keep"), 0);
    assert!((20..44).contains(&counts("split")), "{}", counts("split"));
}

#[test]
fn bad_input_is_named_with_its_numbers() {
    let mut points = blobs(50, 4);
    let workers = Workers::caller();
    let fails = |points: &[f32], config: &ClusterConfig| {
        let source = VectorArray::new(points, 4).unwrap();
        fit(&source, config, &workers, Control::default()).unwrap_err()
    };
    let error = fails(&points, &config(51, "spherical"));
    assert!(matches!(error, Error::TooFewPoints { clusters: 51, points: 50 }), "{error}");
    let error = fails(&[], &config(1, "spherical"));
    assert!(matches!(error, Error::TooFewPoints { clusters: 1, points: 0 }), "{error}");
    let tiny = ClusterConfig { memory_bytes_max: 1000, ..config(8, "spherical") };
    let error = fails(&points, &tiny).to_string();
    assert!(error.contains("memory_bytes_max") && error.contains("1000"), "{error}");
    points[42] = f32::NAN;
    for metric in ["spherical", "euclidean"] {
        let error = fails(&points, &config(3, metric));
        assert!(matches!(error, Error::NonFinite { index: 42, .. }), "{error}");
    }
    points[40..44].fill(0.0);
    let error = fails(&points, &config(3, "spherical"));
    assert!(matches!(error, Error::ZeroVector { index: 10, .. }), "{error}");
    let source = VectorArray::new(&points, 4).unwrap();
    fit(&source, &config(3, "euclidean"), &workers, Control::default()).unwrap();
    let centroids = Centroids::new(vec![1.0; 6], 2, 3, Metric::Spherical).unwrap();
    let error = labels(&source, &centroids, &resources(&workers)).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}

#[test]
fn a_set_token_stops_the_rounds_and_an_assignment_comes_in_order() {
    let points = blobs(5000, 4);
    let source = VectorArray::new(&points, 4).unwrap();
    let token = CancelToken::default();
    let cancel = |progress: simdetr::control::Progress<'_>| {
        if progress.step == "cluster" && progress.done == 2 {
            token.cancel();
        }
        0
    };
    let control = Control { cancel: Some(&token), progress: Some(&cancel) };
    let error = fit(&source, &config(9, "spherical"), &Workers::caller(), control).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    let centroids = run(&source, &config(9, "spherical"), 2).centroids;
    let workers = Workers::with_threads(3).unwrap();
    let (mut next, mut objective) = (100, 0.0);
    assign(&source, 100..4900, &centroids, &resources(&workers), |first, classes, distances| {
        assert_eq!(first, next);
        next += classes.len() as u64;
        objective += distances.iter().sum::<f32>();
        Ok(())
    })
    .unwrap();
    assert!(next == 4900 && objective > 0.0);
}

#[test]
fn centroids_survive_the_disk_and_damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clusters.safetensors");
    let centroids = Centroids::new(blobs(7, 3), 7, 3, Metric::Euclidean).unwrap();
    centroids.save(&path).unwrap();
    assert_eq!(Centroids::load(&path).unwrap(), centroids);
    let bytes = std::fs::read(&path).unwrap();
    centroids.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    for length in [0, 5, 30, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = Centroids::load(&path).unwrap_err();
        assert!(matches!(&error, Error::Format { .. }), "{length}: {error}");
    }
    let text = String::from_utf8_lossy(&bytes[8..]).into_owned();
    let at = 8 + text.find("\\\"version\\\":1").unwrap() + 12;
    let mut foreign = bytes.clone();
    foreign[at] = b'7';
    std::fs::write(&path, foreign).unwrap();
    let error = Centroids::load(&path).unwrap_err().to_string();
    assert!(error.contains("version 7") && error.contains("reads 1"), "{error}");
}

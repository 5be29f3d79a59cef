//! Eigenvectors and labels of local clustering against scipy and scikit-learn
//! (`tests/golden/spectral/make.py`).

use serde_json::Value;
use simdetr::control::Control;
use simdetr::data::feature_map::FeatureMap;
use simdetr::proposals::config::{Affinity, Center, Scale};
use simdetr::proposals::{LevelMap, MapClusterer, MapRequest, ProposalConfig};
use simdetr::workers::Workers;

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/spectral/spectral.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn config_of(name: &str, golden: &Value) -> ProposalConfig {
    let single = |key: &str| golden[key].as_f64().unwrap() as f32;
    let affinity: Affinity = serde_json::from_value(name.into()).unwrap();
    let plain = affinity == Affinity::Cosine;
    ProposalConfig {
        affinity,
        temperature: single("temperature"),
        sigma: single("sigma"),
        tau: single("tau"),
        center: if plain { Center::None } else { Center::Image },
        scale: if plain { Scale::None } else { Scale::Image },
        eigen_tolerance: 1e-5,
        kmeans_starts: 10,
        ..ProposalConfig::default()
    }
}

/// Labels of the last K, and the clusterer that holds the eigenvectors.
fn run(case: &Value, golden: &Value) -> (Vec<u32>, MapClusterer) {
    let described = &golden["maps"][case["map"].as_str().unwrap()];
    let side = |key: &str| described[key].as_u64().unwrap() as usize;
    let values = numbers(&described["values"]).into_iter().map(|x| x as f32).collect();
    let (height, width, channels) = (side("height"), side("width"), side("channels"));
    let map = FeatureMap { values, height, width, channels };
    let config = config_of(case["affinity"].as_str().unwrap(), golden);
    let request = MapRequest {
        map: &LevelMap { map: map.view(), stride: 16, groups: &[8, 4] },
        level: 0,
        cluster_counts: &[case["count"].as_u64().unwrap() as usize],
        seed: 1,
        image_id: 1,
        clusterings_before: 0,
    };
    let runners = (&Workers::caller(), &Control::default());
    let (mut labels, mut clusterer) = (Vec::new(), MapClusterer::default());
    clusterer.cluster(&request, &config, runners, |_, found, _| labels = found.to_vec()).unwrap();
    (labels, clusterer)
}

/// The largest distance of a golden vector from the span of ours: an upper bound of the sine of
/// the principal angle, up to the root of their number.
fn distance_of_spans(ours: &[f32], golden: &[f64], count: usize) -> f64 {
    let mut worst = 0.0f64;
    for wanted in 0..count {
        let mut rest: Vec<f64> = golden.iter().skip(wanted).step_by(count).copied().collect();
        for found in 0..count {
            let column = || ours.iter().skip(found).step_by(count).map(|x| f64::from(*x));
            let along: f64 = column().zip(&rest).map(|(a, b)| a * b).sum();
            rest.iter_mut().zip(column()).for_each(|(value, x)| *value -= along * x);
        }
        worst = worst.max(rest.iter().map(|x| x * x).sum::<f64>().sqrt());
    }
    worst
}

/// Whether two labellings are the same up to names.
fn same_partition(first: &[u32], second: &[f64]) -> bool {
    (0..first.len()).all(|a| (0..a).all(|b| (first[a] == first[b]) == (second[a] == second[b])))
}

#[test]
fn eigenvectors_span_the_exact_space() {
    let golden = golden();
    for case in golden["cases"].as_array().unwrap() {
        let name = format!("{} of {}", case["affinity"], case["map"]);
        let count = case["count"].as_u64().unwrap() as usize;
        let (_, clusterer) = run(case, &golden);
        let found = &clusterer.eigenvectors;
        let wanted = numbers(&case["eigenvalues"]);
        for (value, exact) in found.values.iter().zip(&wanted) {
            assert!((f64::from(*value) - exact).abs() < 1e-5, "{name}: {value} for {exact}");
        }
        assert!(found.residual <= 1e-5, "{name}: residual {}", found.residual);
        let gap = wanted[count - 1] - wanted[count];
        if gap > 1e-2 {
            let cells = numbers(&case["eigenvectors"]).len();
            let exact = numbers(&case["eigenvectors"]);
            let distance = distance_of_spans(&found.vectors[..cells], &exact, count);
            assert!(distance < 1e-3, "{name}: {distance} with a gap of {gap}");
        }
    }
}

#[test]
fn labels_are_the_known_parts_and_those_of_scikit_learn() {
    let golden = golden();
    let known = numbers(&golden["known"]);
    let labelled =
        golden["cases"].as_array().unwrap().iter().filter(|case| case["labels"].is_array());
    let mut cases = 0;
    for case in labelled {
        let (labels, _) = run(case, &golden);
        assert!(same_partition(&labels, &known), "{}: {labels:?}", case["affinity"]);
        assert!(same_partition(&labels, &numbers(&case["labels"])));
        cases += 1;
    }
    assert_eq!(cases, 7);
}

//! The block solver against the whole problem, where blocks barely fit, and what ends it.

use super::*;
use crate::data::feature_map::FeatureMapView;
use crate::proposals::config::{Affinity, ProposalConfig};
use crate::proposals::features::{FeatureScratch, Features, Standardisation};
use crate::proposals::grid::Grid;
use crate::random::{Purpose, StreamKey};

/// Cells in `parts` bands whose features differ by band, with noise.
fn bands(cells: usize, channels: usize, parts: usize, noise: f64) -> Vec<f32> {
    let mut random = Random::new(StreamKey::new(3, Purpose::Sampling));
    let centres: Vec<f64> = (0..parts * channels).map(|_| random.normal()).collect();
    let mut values = Vec::with_capacity(cells * channels);
    for cell in 0..cells {
        for channel in 0..channels {
            let centre = centres[cell * parts / cells * channels + channel];
            values.push((centre + noise * random.normal()) as f32);
        }
    }
    values
}

/// What `use_graph` makes of the graph of a row of cells.
fn with_graph<T>(
    values: &[f32],
    channels: usize,
    affinity: Affinity,
    use_graph: impl FnOnce(&Graph<'_>) -> T,
) -> T {
    let config = ProposalConfig { affinity, ..ProposalConfig::default() };
    let (width, workers) = (values.len() / channels, Workers::caller());
    let map = FeatureMapView { values, height: 1, width, channels };
    let mut standardisation = Standardisation::default();
    standardisation.measure(&map, &[], &config, &workers);
    let mut memory = FeatureScratch::default();
    let features =
        Features::prepare(&map, 0, &standardisation, &config, &mut memory, &workers).unwrap();
    let mut memory = crate::proposals::affinity::GraphScratch::default();
    use_graph(
        &Graph::build(features, (0, Grid { height: 1, width }), &config, &mut memory, &workers)
            .unwrap(),
    )
}

fn start() -> Random {
    Random::new(StreamKey::new(7, Purpose::EigenStart))
}

fn solved(graph: &Graph<'_>, count: usize) -> Eigenvectors {
    let mut found = Eigenvectors::default();
    let runners = (&Workers::caller(), &Control::default());
    found.solve(graph, count, 1e-5, &mut start(), runners).unwrap();
    found
}

/// The largest |A v - lambda v| of an entry.
fn residual_of(found: &mut Eigenvectors, graph: &Graph<'_>) -> f32 {
    let (cells, count) = (found.cells, found.count);
    let mut product = vec![0.0; cells * count];
    let mut operator = Operator::default();
    operator.load(graph, &Workers::caller());
    operator.apply(graph, &found.vectors, count, count, &mut product, &Workers::caller());
    let wanted = |index: usize| found.values[index % count] * found.vectors[index];
    product.iter().enumerate().map(|(i, value)| (value - wanted(i)).abs()).fold(0.0, f32::max)
}

/// The blocks' answer and the whole problem's.
fn both(values: &[f32], channels: usize, count: usize, affinity: Affinity) -> [Vec<f32>; 2] {
    with_graph(values, channels, affinity, |graph| {
        let mut blocks = solved(graph, count);
        assert!(blocks.residual <= 1e-5, "{} after {}", blocks.residual, blocks.products);
        assert!(residual_of(&mut blocks, graph) < 3e-5);
        let cells = values.len() / channels;
        let mut whole = Eigenvectors { cells, count, ..Eigenvectors::default() };
        whole.operator.load(graph, &Workers::caller());
        whole.solve_whole(graph, &Workers::caller()).unwrap();
        whole.fix_signs();
        for (found, wanted) in blocks.values.iter().zip(&whole.values) {
            assert!((found - wanted).abs() < 1e-4, "{:?} {:?}", blocks.values, whole.values);
        }
        [blocks.vectors, whole.vectors]
    })
}

/// Smallest cosine of the angles between the two spans (both orthonormal, `count` columns).
fn smallest_cosine(first: &[f32], second: &[f32], count: usize) -> f64 {
    let mut gram = vec![0.0f64; count * count];
    for (a, b) in first.chunks_exact(count).zip(second.chunks_exact(count)) {
        for i in 0..count {
            for j in 0..count {
                gram[i * count + j] += f64::from(a[i]) * f64::from(b[j]);
            }
        }
    }
    let mut squared = vec![0.0; count * count];
    for i in 0..count {
        for j in 0..count {
            let cell = |k: usize| gram[k * count + i] * gram[k * count + j];
            squared[i * count + j] = (0..count).map(cell).sum();
        }
    }
    let mut solver = SmallEigen::default();
    solver.solve(&mut squared, count).unwrap();
    solver.values[count - 1].sqrt()
}

#[test]
fn blocks_find_the_space_of_the_whole_problem() {
    for affinity in [Affinity::CosineShifted, Affinity::CosineExp, Affinity::Rbf] {
        let values = bands(210, 20, 5, 0.3);
        let [blocks, whole] = both(&values, 20, 5, affinity);
        let cosine = smallest_cosine(&blocks, &whole, 5);
        assert!(cosine > 1.0 - 1e-6, "{affinity:?}: {cosine}");
    }
}

#[test]
fn repeated_eigenvalues_are_all_found() {
    // Eight parts that nothing connects: the eigenvalue 1 eight times.
    let values = bands(400, 64, 8, 0.0);
    let [blocks, whole] = both(&values, 64, 8, Affinity::CosineExp);
    assert!(smallest_cosine(&blocks, &whole, 8) > 1.0 - 1e-6);
}

#[test]
fn a_map_without_gaps_converges() {
    let values = bands(300, 8, 1, 1.0);
    both(&values, 8, 16, Affinity::CosineExp);
}

/// Maps of `cells` cells on which blocks run out of dimensions in different ways.
fn hard_maps(cells: usize, channels: usize) -> [Vec<f32>; 4] {
    let random = bands(cells, channels, 1, 1.0);
    let constant = vec![1.0; cells * channels];
    // Two kinds of cells: the graph has rank two.
    let deficient = (0..cells * channels).map(|i| (i / channels % 2 + i % 3) as f32).collect();
    // All but one cell alike.
    let mut lonely = constant.clone();
    lonely[..channels].iter_mut().step_by(2).for_each(|value| *value = -1.0);
    [random, constant, deficient, lonely]
}

/// Fails where `work` has not ended after a time that no correct run comes near.
fn within_a_minute(work: impl FnOnce() + Send + 'static) {
    let (done, finished) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    let outcome = finished.recv_timeout(std::time::Duration::from_secs(60));
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn every_size_around_the_capacity_of_the_basis_ends_with_orthonormal_vectors() {
    within_a_minute(|| {
        for count in 2..=16 {
            let capacity = basis_capacity(count);
            for cells in capacity - 1..=capacity + count {
                for (kind, values) in hard_maps(cells, 12).iter().enumerate() {
                    let name = format!("{count} of {cells} cells, map {kind}");
                    with_graph(values, 12, Affinity::CosineExp, |graph| {
                        let mut found = solved(graph, count);
                        assert!(residual_of(&mut found, graph) < 1e-3, "{name}");
                        let cosine = smallest_cosine(&found.vectors, &found.vectors, count);
                        assert!((cosine - 1.0).abs() < 1e-4, "{name}: {cosine}");
                    });
                }
            }
        }
    });
}

#[test]
fn a_set_token_ends_the_search_between_blocks() {
    with_graph(&bands(300, 8, 1, 1.0), 8, Affinity::CosineExp, |graph| {
        let token = crate::control::CancelToken::default();
        token.cancel();
        let control = Control { cancel: Some(&token), progress: None };
        let mut found = Eigenvectors::default();
        let runners = (&Workers::caller(), &control);
        let error = found.solve(graph, 16, 1e-5, &mut start(), runners).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error}");
    });
}

#[test]
fn a_block_that_has_no_room_is_a_named_error() {
    within_a_minute(|| {
        let values = bands(40, 12, 1, 1.0);
        with_graph(&values, 12, Affinity::CosineExp, |graph| {
            let mut found = Eigenvectors { cells: 40, count: 6, ..Eigenvectors::default() };
            found.operator.load(graph, &Workers::caller());
            let runners = (&Workers::caller(), &Control::default());
            // A basis of 36 leaves four dimensions for a block of six.
            let outcome = found.solve_in_blocks(graph, 36, 0.0, &mut start(), runners);
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::NotConverged { .. }), "{error}");
            assert!(error.to_string().contains("40 cells"), "{error}");
        });
    });
}

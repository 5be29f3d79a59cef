//! The best centroid of each vector, exactly, at the price of a rough search.
//!
//! Ranking centroids by `<x, c> + bias` serves both metrics (`Centroids::biases`). A filter scores
//! every pair roughly and knows how wrong it can be; only centroids whose rough score could still
//! hide the best are scored in f32. So a label does not depend on the filter, nor on the tile or
//! block in which its vector was searched. The idea is that of two-stage search with guaranteed
//! bounds (reference/performance.md §2: score in low precision, check in high precision).

use super::centroids::Centroids;
use super::contest::Contest;
use super::filter_f32::F32Filter;
use super::filter_int8::{Int8Filter, Int8Rows};
use crate::kernels::simd::{Level, rows, score_int8};

/// A label that guesses nothing.
pub(super) const NO_GUESS: u32 = u32::MAX;

/// Centroids made ready for searching.
pub(super) struct Nearest<'a> {
    centroids: &'a Centroids,
    biases: Vec<f32>,
    filter: Filter,
    level: Level,
}

enum Filter {
    Int8(Int8Filter),
    F32(F32Filter),
}

/// What a search keeps between calls.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    contest: Contest,
    int8: Int8Rows,
    f32_scores: Vec<f32>,
    picks: Vec<u32>,
    scores: Vec<f32>,
}

impl<'a> Nearest<'a> {
    /// Makes `centroids` ready, for the widest instructions of this processor.
    pub fn new(centroids: &'a Centroids) -> Nearest<'a> {
        let biases = centroids.biases();
        let filter = match Int8Filter::new(centroids, &biases) {
            Some(filter) => Filter::Int8(filter),
            None => Filter::F32(F32Filter::new(centroids, &biases)),
        };
        Nearest { centroids, biases, filter, level: Level::best() }
    }

    /// Bytes that the filter for so many centroids takes, at most.
    pub fn memory_bytes(classes: usize, dimensions: usize) -> usize {
        if Int8Filter::is_available() {
            Int8Filter::memory_bytes(classes, dimensions)
        } else {
            F32Filter::memory_bytes(classes, dimensions)
        }
    }

    /// Bytes of [`Scratch`] for searching `count` rows, but for the candidates.
    pub fn scratch_bytes(count: usize, dimensions: usize) -> usize {
        if Int8Filter::is_available() {
            Int8Rows::memory_bytes(count, dimensions)
        } else {
            F32Filter::scratch_bytes(count)
        }
    }

    /// Replaces each label, a guess or [`NO_GUESS`], by the class with the highest score, the
    /// lowest of equals, and writes that score. A good guess makes the search faster and changes
    /// nothing else.
    pub fn search(
        &self,
        vectors: &[f32],
        labels: &mut [u32],
        scores: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let dimensions = self.centroids.dimensions();
        let padding = match &self.filter {
            Filter::Int8(_) => score_int8::ROWS,
            Filter::F32(_) => 1,
        };
        scratch.contest.start(labels.len(), padding);
        match &self.filter {
            Filter::Int8(filter) => {
                filter.prepare(vectors, &mut scratch.int8, &mut scratch.contest);
            }
            Filter::F32(filter) => filter.prepare(vectors, &mut scratch.contest),
        }
        for (row, vector) in vectors.chunks_exact(dimensions).enumerate() {
            if labels[row] != NO_GUESS {
                self.score(vector, &labels[row..=row], &mut scores[row..=row]);
                scratch.contest.hear(row, scores[row]);
            }
        }
        match &self.filter {
            Filter::Int8(filter) => filter.scan(&scratch.int8, &mut scratch.contest),
            Filter::F32(filter) => {
                filter.scan(vectors, &mut scratch.f32_scores, &mut scratch.contest);
            }
        }
        for (row, vector) in vectors.chunks_exact(dimensions).enumerate() {
            let mut best = (labels[row], scores[row]);
            if best.0 == NO_GUESS {
                best = self.favourite(row, vector, &mut scratch.contest);
            }
            (labels[row], scores[row]) = self.decide(row, vector, best, scratch);
        }
    }

    /// The candidate with the highest rough score, with its exact score, which rules out most of
    /// the others.
    fn favourite(&self, row: usize, vector: &[f32], contest: &mut Contest) -> (u32, f32) {
        let candidates = contest.candidates[row].iter();
        let favourite = candidates.max_by(|a, b| a.score.total_cmp(&b.score));
        let mut best = (favourite.map_or(0, |favourite| favourite.class), 0.0);
        self.score(vector, &[best.0], std::slice::from_mut(&mut best.1));
        contest.hear(row, best.1);
        best
    }

    /// The best of a row's candidates by their f32 scores, `best` among them.
    fn decide(
        &self,
        row: usize,
        vector: &[f32],
        mut best: (u32, f32),
        scratch: &mut Scratch,
    ) -> (u32, f32) {
        let threshold = scratch.contest.thresholds[row];
        let known = best.0;
        let running = scratch.contest.candidates[row]
            .iter()
            .filter(|candidate| candidate.score > threshold && candidate.class != known);
        scratch.picks.clear();
        scratch.picks.extend(running.map(|candidate| candidate.class));
        if scratch.picks.is_empty() {
            return best;
        }
        scratch.scores.resize(scratch.picks.len(), 0.0);
        self.score(vector, &scratch.picks, &mut scratch.scores);
        for (class, score) in scratch.picks.iter().zip(&scratch.scores) {
            if *score > best.1 || (*score == best.1 && *class < best.0) {
                best = (*class, *score);
            }
        }
        best
    }

    fn score(&self, vector: &[f32], classes: &[u32], scores: &mut [f32]) {
        rows::products(self.level, vector, self.centroids.values(), classes, scores);
        for (class, score) in classes.iter().zip(scores) {
            *score += self.biases[*class as usize];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clustering::Metric;
    use crate::clustering::centroids::distinct;
    use crate::random::{Purpose, Random, StreamKey};

    fn draw(count: usize, dimensions: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
        (0..count * dimensions).map(|_| random.normal() as f32 + 0.5).collect()
    }

    /// Scores in f64, plain loops.
    fn exact(vector: &[f32], centroids: &Centroids) -> Vec<f64> {
        let score = |class| {
            let row: &[f32] = centroids.row(class);
            let dot: f64 = vector.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let square: f64 = row.iter().map(|value| f64::from(*value).powi(2)).sum();
            match centroids.metric() {
                Metric::Spherical => dot,
                Metric::Euclidean => dot - 0.5 * square,
            }
        };
        (0..centroids.classes()).map(score).collect()
    }

    fn filters(centroids: &Centroids) -> Vec<Filter> {
        let biases = centroids.biases();
        let mut filters = vec![Filter::F32(F32Filter::new(centroids, &biases))];
        filters.extend(Int8Filter::new(centroids, &biases).map(Filter::Int8));
        filters
    }

    #[test]
    fn labels_are_those_of_brute_force_in_f64() {
        for metric in [Metric::Spherical, Metric::Euclidean] {
            for (count, classes, dimensions) in
                [(1, 1, 1), (30, 33, 5), (100, 70, 64), (15, 300, 130)]
            {
                let vectors = draw(count, dimensions, 1);
                let values = draw(classes, dimensions, 2);
                let centroids = Centroids::new(values, classes, dimensions, metric).unwrap();
                for filter in filters(&centroids) {
                    let level = Level::best();
                    let biases = centroids.biases();
                    let nearest = Nearest { centroids: &centroids, biases, filter, level };
                    let mut labels = vec![NO_GUESS; count];
                    let (mut scores, mut scratch) = (vec![0.0; count], Scratch::default());
                    nearest.search(&vectors, &mut labels, &mut scores, &mut scratch);
                    for (row, vector) in vectors.chunks_exact(dimensions).enumerate() {
                        let exact = exact(vector, &centroids);
                        let best = exact.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        assert!(exact[labels[row] as usize] > best - 1e-4);
                        assert!((f64::from(scores[row]) - best).abs() < 1e-3);
                    }
                    let (cold, cold_scores) = (labels.clone(), scores.clone());
                    labels
                        .iter_mut()
                        .zip(0..)
                        .for_each(|(label, row)| *label = row % classes as u32);
                    nearest.search(&vectors, &mut labels, &mut scores, &mut scratch);
                    assert_eq!((labels, scores), (cold, cold_scores));
                }
            }
        }
    }

    #[test]
    fn the_lowest_of_equal_centroids_wins() {
        let rows = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
        let centroids =
            Centroids::new(rows.as_flattened().to_vec(), 4, 2, Metric::Spherical).unwrap();
        assert_eq!(distinct(&centroids), [0, 1]);
        let (mut labels, mut scores) = ([3, NO_GUESS], [0.0; 2]);
        let vectors = [2.0, 1.0, 1.0, 2.0];
        Nearest::new(&centroids).search(
            &vectors,
            &mut labels,
            &mut scores,
            &mut Scratch::default(),
        );
        assert_eq!((labels, scores), ([0, 1], [2.0, 2.0]));
    }
}

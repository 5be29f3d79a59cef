//! k-means of the cells of one image: the embedding's rows, or the features themselves.
//!
//! Greedy k-means++ seeding (Arthur and Vassilvitskii 2007, with several candidates for each
//! centre), Lloyd's rounds, several starts of which the one with the smallest sum of squared
//! distances wins. A cluster that empties keeps its centre; where fewer distinct points than
//! clusters exist, fewer clusters come out. Seeding takes one round for each cluster and Lloyd's
//! rounds are counted, so that no points, however placed, keep it from ending; a cancel token is
//! looked at in every round of either.

use super::kmeans_distances::{add_squares, compare, distances_with};
use super::numeric::{bytes_of, dot, sized};
use super::row_product::{RowProduct, RowView};
use crate::Result;
use crate::control::Control;
use crate::random::{Random, StreamKey};
use crate::workers::Workers;

/// Lloyd's rounds at most; a few dozen are usual.
const ROUNDS_MAX: usize = 100;
/// Rounds end when the centres move by less than this share of the points' variance.
const MOVEMENT_SHARE: f64 = 1e-4;
/// Most starts: each has its own place in the random key.
pub const STARTS_MAX: usize = 64;

/// Points as rows.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a> {
    pub values: &'a [f32],
    pub count: usize,
    pub dimensions: usize,
}

/// What all starts share.
struct Shared<'a> {
    points: &'a Points<'a>,
    /// Squared length of each point.
    squares: &'a [f32],
    /// The points as right operand.
    product: &'a RowProduct,
    /// Starts are shared among the workers; inside of one there is its thread alone.
    alone: Workers,
    control: &'a Control<'a>,
}

impl<'a> Points<'a> {
    fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.dimensions..(index + 1) * self.dimensions]
    }
}

/// Memory of [`KMeans::cluster`].
#[derive(Debug, Default)]
pub struct KMeans {
    squares: Vec<f32>,
    product: RowProduct,
    starts: Vec<Start>,
}

/// Memory of one start, and its answer.
#[derive(Debug, Default)]
struct Start {
    inertia: f64,
    labels: Vec<u32>,
    centres: Vec<f32>,
    centre_squares: Vec<f32>,
    sums: Vec<f64>,
    sizes: Vec<u32>,
    /// `[rows, points]`: products with candidates or centres.
    scores: Vec<f32>,
    closest: Vec<f32>,
    nearest: Vec<u32>,
    candidates: Vec<f32>,
    cumulative: Vec<f64>,
}

impl KMeans {
    /// Bytes held.
    pub fn memory_bytes(&self) -> usize {
        bytes_of(&self.squares)
            + self.product.memory_bytes()
            + bytes_of(&self.starts)
            + self.starts.iter().map(Start::memory_bytes).sum::<usize>()
    }

    /// A label in 0..`clusters` for each point: the best of `starts` starts, whose random numbers
    /// are keyed by `key` with the start's number added to its epoch.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn cluster(
        &mut self,
        points: &Points<'_>,
        clusters: usize,
        starts: usize,
        key: StreamKey,
        (workers, control): (&Workers, &Control<'_>),
    ) -> Result<&[u32]> {
        let squares = sized(&mut self.squares, points.count);
        for (index, value) in squares.iter_mut().enumerate() {
            *value = dot(points.row(index), points.row(index));
        }
        let dimensions = points.dimensions;
        self.product
            .load(dimensions, points.count, |step, point| points.values[point * dimensions + step]);
        let (product, alone) = (&self.product, workers.alone());
        let shared = Shared { points, squares, product, alone, control };
        let movement_max = MOVEMENT_SHARE * variance(points);
        if self.starts.len() < starts {
            self.starts.resize_with(starts, Start::default);
        }
        let runs = &mut self.starts[..starts];
        workers.for_each_piece(runs, 1, |index, piece| {
            let mut random = Random::new(StreamKey { epoch: key.epoch + index as u16, ..key });
            piece[0].run(&shared, clusters, movement_max, &mut random);
        });
        // A token that is set stays set: what a start left half-way is not looked at.
        control.check()?;
        let best = runs
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| a.inertia.total_cmp(&b.inertia))
            .map_or(0, |(index, _)| index);
        Ok(&self.starts[best].labels[..points.count])
    }
}

/// Mean over the dimensions of the variance of each, which scikit-learn's tolerance is relative
/// to.
fn variance(points: &Points<'_>) -> f64 {
    let mut total = 0.0;
    for dimension in 0..points.dimensions {
        let column = || points.values.iter().skip(dimension).step_by(points.dimensions);
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for value in column().take(points.count) {
            sum += f64::from(*value);
            squares += f64::from(*value).powi(2);
        }
        let mean = sum / points.count as f64;
        total += (squares / points.count as f64 - mean * mean).max(0.0);
    }
    total / points.dimensions as f64
}

impl Start {
    fn memory_bytes(&self) -> usize {
        let singles =
            [&self.centres, &self.centre_squares, &self.scores, &self.closest, &self.candidates];
        singles.into_iter().map(bytes_of).sum::<usize>()
            + bytes_of(&self.labels)
            + bytes_of(&self.nearest)
            + bytes_of(&self.sums)
            + bytes_of(&self.sizes)
            + bytes_of(&self.cumulative)
    }

    fn run(
        &mut self,
        shared: &Shared<'_>,
        clusters: usize,
        movement_max: f64,
        random: &mut Random,
    ) {
        let points = shared.points;
        let clusters = self.seed(shared, clusters, random);
        sized(&mut self.labels, points.count).fill(u32::MAX);
        for _ in 0..ROUNDS_MAX {
            if shared.control.check().is_err() || !self.assign(shared, clusters) {
                return;
            }
            if self.move_centres(points, clusters) <= movement_max {
                break;
            }
        }
        self.assign(shared, clusters);
    }

    /// Chooses the centres; answers how many distinct ones there are.
    fn seed(&mut self, shared: &Shared<'_>, clusters: usize, random: &mut Random) -> usize {
        let points = shared.points;
        let (count, dimensions) = (points.count, points.dimensions);
        let tries = 2 + clusters.ilog2() as usize;
        sized(&mut self.centres, clusters * dimensions);
        sized(&mut self.closest, count).fill(f32::INFINITY);
        sized(&mut self.cumulative, count);
        let first = random.below(count as u64) as usize;
        self.centres[..dimensions].copy_from_slice(points.row(first));
        let only = self.best_candidate(shared, &[first]);
        self.closest[..count].copy_from_slice(&self.scores[only * count..(only + 1) * count]);
        for centre in 1..clusters {
            let potential = self.accumulate(count);
            if potential <= 0.0 || shared.control.check().is_err() {
                return centre;
            }
            let mut drawn = [0usize; 2 + usize::BITS as usize];
            for entry in &mut drawn[..tries] {
                let wanted = random.uniform() * potential;
                let cumulative = &self.cumulative[..count];
                *entry = cumulative.partition_point(|&sum| sum <= wanted).min(count - 1);
            }
            let best = self.best_candidate(shared, &drawn[..tries]);
            self.closest[..count].copy_from_slice(&self.scores[best * count..(best + 1) * count]);
            self.centres[centre * dimensions..(centre + 1) * dimensions]
                .copy_from_slice(points.row(drawn[best]));
        }
        clusters
    }

    /// Running sums of the squared distances to the nearest centre.
    fn accumulate(&mut self, count: usize) -> f64 {
        let mut total = 0.0;
        for (sum, distance) in self.cumulative[..count].iter_mut().zip(&self.closest) {
            total += f64::from(*distance);
            *sum = total;
        }
        total
    }

    /// Fills `scores[candidate, point]` with the squared distance to the nearest centre if the
    /// candidate became one; answers the candidate with the smallest sum.
    fn best_candidate(&mut self, shared: &Shared<'_>, drawn: &[usize]) -> usize {
        let Shared { points, squares, product, alone, .. } = shared;
        let (count, dimensions, tries) = (points.count, points.dimensions, drawn.len());
        let candidates = sized(&mut self.candidates, tries * dimensions);
        for (row, index) in candidates.chunks_exact_mut(dimensions).zip(drawn) {
            row.copy_from_slice(points.row(*index));
        }
        let scores = sized(&mut self.scores, count * tries);
        let rows = RowView::dense(candidates, tries, dimensions);
        product.multiply(rows, scores, count, alone);
        let (mut best, mut least) = (0, f64::INFINITY);
        for (candidate, (row, index)) in scores.chunks_exact_mut(count).zip(drawn).enumerate() {
            let closest = &self.closest[..count];
            let potential = distances_with(row, squares[*index], squares, closest);
            if potential < least {
                (best, least) = (candidate, potential);
            }
        }
        best
    }

    /// Labels every point with its nearest centre, the first of equals. Answers whether a label
    /// changed.
    fn assign(&mut self, shared: &Shared<'_>, clusters: usize) -> bool {
        let Shared { points, squares, product, alone, .. } = shared;
        let (count, dimensions) = (points.count, points.dimensions);
        let centres = &self.centres[..clusters * dimensions];
        let centre_squares = sized(&mut self.centre_squares, clusters);
        for (value, centre) in centre_squares.iter_mut().zip(centres.chunks_exact(dimensions)) {
            *value = dot(centre, centre);
        }
        let scores = sized(&mut self.scores, count * clusters);
        let rows = RowView::dense(centres, clusters, dimensions);
        product.multiply(rows, scores, count, alone);
        let least = &mut self.closest[..count];
        let nearest = sized(&mut self.nearest, count);
        least.fill(f32::INFINITY);
        // A point that is no number is nearest to nothing and stays with the first centre.
        nearest.fill(0);
        for (cluster, row) in scores.chunks_exact(count).enumerate() {
            compare(row, centre_squares[cluster], cluster as u32, least, nearest);
        }
        self.inertia = add_squares(least, squares);
        let changed = self.labels[..count] != *nearest;
        std::mem::swap(&mut self.labels, &mut self.nearest);
        changed
    }

    /// Moves each centre to the mean of its points; answers the sum of squared movements.
    fn move_centres(&mut self, points: &Points<'_>, clusters: usize) -> f64 {
        let dimensions = points.dimensions;
        let sums = sized(&mut self.sums, clusters * dimensions);
        let sizes = sized(&mut self.sizes, clusters);
        sums.fill(0.0);
        sizes.fill(0);
        for (index, label) in self.labels[..points.count].iter().enumerate() {
            let cluster = *label as usize;
            sizes[cluster] += 1;
            let target = &mut sums[cluster * dimensions..(cluster + 1) * dimensions];
            for (sum, value) in target.iter_mut().zip(points.row(index)) {
                *sum += f64::from(*value);
            }
        }
        let mut movement = 0.0;
        for (cluster, size) in sizes.iter().enumerate().filter(|(_, size)| **size > 0) {
            let range = cluster * dimensions..(cluster + 1) * dimensions;
            for (centre, sum) in self.centres[range.clone()].iter_mut().zip(&sums[range]) {
                let mean = (sum / f64::from(*size)) as f32;
                movement += f64::from(mean - *centre).powi(2);
                *centre = mean;
            }
        }
        movement
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::control::CancelToken;
    use crate::random::Purpose;

    fn cluster(values: &[f32], dimensions: usize, clusters: usize, workers: &Workers) -> Vec<u32> {
        let points = Points { values, count: values.len() / dimensions, dimensions };
        let key = StreamKey::new(5, Purpose::LocalSeeding);
        let control = Control::default();
        KMeans::default().cluster(&points, clusters, 4, key, (workers, &control)).unwrap().to_vec()
    }

    #[test]
    fn a_set_token_ends_it_and_points_without_numbers_do_not_keep_it() {
        let values = [f32::MAX, f32::NAN, f32::INFINITY, -1e38, 0.0, 1.0, f32::MIN_POSITIVE, 3e38];
        let points = Points { values: &values, count: 8, dimensions: 1 };
        let (key, workers) = (StreamKey::new(5, Purpose::LocalSeeding), Workers::caller());
        let token = CancelToken::default();
        let control = Control { cancel: Some(&token), progress: None };
        let mut kmeans = KMeans::default();
        let mut run = || kmeans.cluster(&points, 5, 3, key, (&workers, &control)).map(<[u32]>::len);
        assert_eq!(run().unwrap(), 8);
        token.cancel();
        assert!(matches!(run(), Err(Error::Cancelled)));
    }

    #[test]
    fn separate_groups_are_found() {
        let mut random = Random::new(StreamKey::new(1, Purpose::Sampling));
        let mut values = Vec::new();
        for point in 0..300 {
            for dimension in 0..3 {
                let centre = if point % 3 == dimension { 4.0 } else { 0.0 };
                values.push(centre + 0.3 * random.normal() as f32);
            }
        }
        let labels = cluster(&values, 3, 3, &Workers::caller());
        assert!((3..300).all(|point| labels[point] == labels[point % 3]));
        assert!(labels[0] != labels[1] && labels[1] != labels[2] && labels[0] != labels[2]);
        assert_eq!(labels, cluster(&values, 3, 3, &Workers::with_threads(3).unwrap()));
    }

    #[test]
    fn fewer_distinct_points_than_clusters_give_fewer_clusters() {
        assert_eq!(cluster(&[1.0; 20], 2, 4, &Workers::caller()), [0; 10]);
        let labels = cluster(&[1.0, 0.0, 0.0, 1.0, 1.0, 0.0], 2, 8, &Workers::caller());
        assert!(labels[0] == labels[2] && labels[0] != labels[1]);
    }
}

//! The first centroids: random rows, k-means++, or k-means||.
//!
//! k-means++ (Arthur and Vassilvitskii 2007) draws one centroid after the other, each row with a
//! chance in proportion to its squared distance to the nearest one so far. k-means|| (Bahmani et
//! al. 2012) draws about as many rows as there are classes in each of a few passes, weighs them
//! by the rows that are nearest to them, and runs k-means++ on those. Both see a sample.

use super::centroids::Centroids;
use super::config::{ClusterConfig, Metric, Seeding};
use super::inner_products::square;
use super::nearest::Nearest;
use super::slab::{Rules, check_row};
use super::stream::{Budget, Resources, Stream};
use crate::control::Control;
use crate::data::vectors::{VectorArray, VectorSource};
use crate::kernels::simd::{Level, rows};
use crate::random::{Purpose, Random, StreamKey};
use crate::workers::Workers;
use crate::{Error, Result, memory};

/// Passes of k-means||; its authors find five enough.
const PASSES: u16 = 5;
/// Rows of one task of k-means++.
const PIECE_ROWS: usize = 2048;

/// Draws `config.classes` centroids from the rows of `source`. Where there are fewer different
/// rows than classes, centroids repeat.
///
/// # Errors
/// [`Error::TooFewPoints`]; [`Error::NonFinite`], [`Error::ZeroVector`] for rows of the sample;
/// [`Error::InvalidArgument`] for bad options or too little memory; those of the source.
pub fn seed(
    source: &dyn VectorSource,
    config: &ClusterConfig,
    workers: &Workers,
    control: Control<'_>,
) -> Result<Centroids> {
    config.validate()?;
    let (classes, dimensions) = (config.classes as usize, source.dimensions());
    if source.rows_count() < classes as u64 {
        let points = source.rows_count() as usize;
        return Err(Error::TooFewPoints { clusters: classes, points });
    }
    let metric = config.metric()?;
    let rules = Rules { metric, magnitude_max: f32::MAX };
    let mut budget = Budget::new(config.memory_bytes_max);
    budget.take("the centroids", (classes * dimensions * 4) as u64)?;
    if config.seeding()? == Seeding::Random {
        let values = sample(source, classes, config.seed, rules, (workers, &control))?;
        return Centroids::new(values, classes, dimensions, metric);
    }
    if config.seeding()? == Seeding::KMeansParallel {
        // All passes' candidates, and those of one pass made ready for searching.
        let candidates = (usize::from(PASSES) + 2) * classes * dimensions * 4;
        let search = Nearest::memory_bytes(classes, dimensions);
        budget.take("the candidates of k-means||", (candidates + search) as u64)?;
    }
    let count = sample_count(source, config, budget.left());
    budget.take("the sample", (count * (dimensions * 4 + 12)) as u64)?;
    let values = sample(source, count, config.seed, rules, (workers, &control))?;
    let points = Points { values: &values, dimensions, metric, budget };
    let resources = Resources { workers, control, memory_bytes_max: config.memory_bytes_max };
    let picks = match config.seeding()? {
        Seeding::KMeansParallel => points.parallel(classes, config.seed, &resources)?,
        _ => points.plus_plus(classes, &vec![1; count], config.seed, &resources)?,
    };
    Centroids::new(points.gather(&picks), classes, dimensions, metric)
}

/// Rows in the sample: as many as asked for, as there are, and as fit into half of the budget.
fn sample_count(source: &dyn VectorSource, config: &ClusterConfig, bytes: u64) -> usize {
    let wanted = u64::from(config.classes) * u64::from(config.sample_per_class);
    let fitting = bytes / 2 / (source.dimensions() as u64 * 4 + 12);
    wanted.min(fitting).max(u64::from(config.classes)).min(source.rows_count()) as usize
}

/// `count` different rows in ascending order: one drawn from each of as many equal strata.
fn sample(
    source: &dyn VectorSource,
    count: usize,
    seed: u64,
    rules: Rules,
    (workers, control): (&Workers, &Control<'_>),
) -> Result<Vec<f32>> {
    let mut random = Random::new(StreamKey::new(seed, Purpose::Sampling));
    let border =
        |index: usize| (u128::from(source.rows_count()) * index as u128 / count as u128) as u64;
    let picks: Vec<u64> = (0..count)
        .map(|index| border(index) + random.below(border(index + 1) - border(index)))
        .collect();
    let dimensions = source.dimensions();
    let mut values = memory::filled(0.0, count * dimensions, "the sample to seed from")?;
    let mut parts: Vec<(&mut [f32], Result<()>)> =
        values.chunks_mut(PIECE_ROWS * dimensions).map(|part| (part, Ok(()))).collect();
    workers.for_each_piece(&mut parts, 1, |piece, part| {
        let (values, outcome) = &mut part[0];
        let picks = &picks[piece * PIECE_ROWS..];
        *outcome = values.chunks_exact_mut(dimensions).zip(picks).try_for_each(|(row, pick)| {
            control.check()?;
            source.read(*pick, row)?;
            check_row(row, *pick, rules)
        });
    });
    parts.into_iter().try_for_each(|(_, outcome)| outcome)?;
    Ok(values)
}

/// The sample, or the candidates of k-means||.
struct Points<'a> {
    values: &'a [f32],
    dimensions: usize,
    metric: Metric,
    budget: Budget,
}

/// Some rows with their squared distances to the nearest centroid so far.
struct Piece {
    first: usize,
    squares: Vec<f32>,
    distances: Vec<f32>,
    /// Of the weighted distances.
    sum: f64,
}

impl Points<'_> {
    fn count(&self) -> usize {
        self.values.len() / self.dimensions
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dimensions..(row + 1) * self.dimensions]
    }

    fn gather(&self, picks: &[usize]) -> Vec<f32> {
        picks.iter().flat_map(|pick| self.row(*pick)).copied().collect()
    }

    /// k-means++ over rows that count `weights` times.
    fn plus_plus(
        &self,
        classes: usize,
        weights: &[u32],
        seed: u64,
        resources: &Resources<'_>,
    ) -> Result<Vec<usize>> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::GlobalSeeding));
        let mut pieces = self.pieces(resources.workers);
        let mut picks = vec![random.below(self.count() as u64) as usize];
        while picks.len() < classes {
            resources.control.check()?;
            let center = self.row(picks[picks.len() - 1]);
            let center_square = square(center);
            resources.workers.for_each_piece(&mut pieces, 1, |_, piece| {
                self.approach(&mut piece[0], center, center_square, weights);
            });
            picks.push(self.draw(&pieces, weights, &mut random));
        }
        Ok(picks)
    }

    fn pieces(&self, workers: &Workers) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = (0..self.count())
            .step_by(PIECE_ROWS)
            .map(|first| Piece { first, squares: Vec::new(), distances: Vec::new(), sum: 0.0 })
            .collect();
        workers.for_each_piece(&mut pieces, 1, |_, piece| {
            let piece = &mut piece[0];
            let rows = piece.first..self.count().min(piece.first + PIECE_ROWS);
            piece.distances = vec![f32::INFINITY; rows.len()];
            piece.squares = rows.map(|row| square(self.row(row))).collect();
        });
        pieces
    }

    /// Lowers the distances of a piece to those to `center` where it is nearer.
    fn approach(&self, piece: &mut Piece, center: &[f32], center_square: f32, weights: &[u32]) {
        let count = piece.distances.len();
        let picks: Vec<u32> = (0..count as u32).collect();
        let mut products = vec![0.0; count];
        let values = &self.values[piece.first * self.dimensions..][..count * self.dimensions];
        rows::products(Level::best(), center, values, &picks, &mut products);
        piece.sum = 0.0;
        for (row, product) in products.into_iter().enumerate() {
            let distance = (piece.squares[row] + center_square - 2.0 * product).max(0.0);
            piece.distances[row] = piece.distances[row].min(distance);
            let weight = f64::from(weights[piece.first + row]);
            piece.sum += f64::from(piece.distances[row]) * weight;
        }
    }

    /// A row with a chance in proportion to its weighted distance; any row where all are 0.
    fn draw(&self, pieces: &[Piece], weights: &[u32], random: &mut Random) -> usize {
        let total: f64 = pieces.iter().map(|piece| piece.sum).sum();
        let mut target = random.uniform() * total;
        let mut last = None;
        for piece in pieces {
            if target >= piece.sum {
                target -= piece.sum;
                continue;
            }
            for (row, distance) in piece.distances.iter().enumerate() {
                let share = f64::from(*distance) * f64::from(weights[piece.first + row]);
                if share > 0.0 {
                    last = Some(piece.first + row);
                    if target < share {
                        return piece.first + row;
                    }
                }
                target -= share;
            }
        }
        // Rounding may carry the target past the last row.
        last.unwrap_or_else(|| random.below(self.count() as u64) as usize)
    }

    fn parallel(&self, classes: usize, seed: u64, resources: &Resources<'_>) -> Result<Vec<usize>> {
        let mut random = Random::new(StreamKey::new(seed, Purpose::GlobalSeeding));
        let mut picks = vec![random.below(self.count() as u64) as usize];
        let mut distances = vec![f32::INFINITY; self.count()];
        let mut owners = vec![0u32; self.count()];
        let mut from = 0;
        for pass in 0..=PASSES {
            self.approach_many(&picks, from, &mut distances, &mut owners, resources)?;
            from = picks.len();
            let total: f64 = distances.iter().copied().map(f64::from).sum();
            if pass == PASSES || total == 0.0 {
                break;
            }
            let key = StreamKey { epoch: pass + 1, ..StreamKey::new(seed, Purpose::GlobalSeeding) };
            let mut random = Random::new(key);
            for (row, distance) in distances.iter().enumerate() {
                if random.uniform() * total < f64::from(*distance) * classes as f64 {
                    picks.push(row);
                }
            }
        }
        if picks.len() < classes {
            return self.plus_plus(classes, &vec![1; self.count()], seed, resources);
        }
        let mut weights = vec![0; picks.len()];
        owners.iter().for_each(|owner| weights[*owner as usize] += 1);
        let values = self.gather(&picks);
        let candidates = Points { values: &values, ..*self };
        let chosen = candidates.plus_plus(classes, &weights, seed, resources)?;
        Ok(chosen.into_iter().map(|candidate| picks[candidate]).collect())
    }

    /// Lowers the distances of all rows to those to `picks[from..]` where they are nearer.
    fn approach_many(
        &self,
        picks: &[usize],
        from: usize,
        distances: &mut [f32],
        owners: &mut [u32],
        resources: &Resources<'_>,
    ) -> Result<()> {
        let count = picks.len() - from;
        if count == 0 {
            return Ok(());
        }
        let centroids =
            Centroids::new(self.gather(&picks[from..]), count, self.dimensions, self.metric)?;
        let nearest = Nearest::new(&centroids);
        let source = VectorArray::new(self.values, self.dimensions)?;
        let rules = Rules { metric: self.metric, magnitude_max: f32::MAX };
        let mut budget = self.budget;
        let mut stream = Stream::new(&source, rules, &mut budget, resources.workers)?;
        let rows = 0..self.count() as u64;
        stream.run(rows, Some(&nearest), &mut [], resources, |slabs| {
            for slab in slabs {
                let found = slab.labels.iter().zip(slab.squared_distances(self.metric));
                for ((label, distance), row) in found.zip(slab.first as usize..) {
                    if distance < distances[row] {
                        distances[row] = distance;
                        owners[row] = from as u32 + label;
                    }
                }
            }
            Ok(())
        })
    }
}

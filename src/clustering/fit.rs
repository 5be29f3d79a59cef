//! Lloyd's rounds over a source of any size: whole, or in the steps that a distributed host
//! drives (accumulate a shard, add up accumulators, update, assign).

use super::accumulator::Accumulator;
use super::centroids::Centroids;
use super::config::{ClusterConfig, Metric};
use super::nearest::Nearest;
use super::seeding;
use super::slab::{Rules, Slab};
use super::stream::{Budget, Resources, Stream};
use crate::control::Control;
use crate::data::vectors::VectorSource;
use crate::workers::Workers;
use crate::{Error, Result, memory};
use std::ops::Range;

/// Tasks into which the addition of a block is cut, by ranges of classes.
const ADDITION_TASKS: usize = 16;

/// What a whole run gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub centroids: Centroids,
    /// One for each round that was run.
    pub rounds: Vec<RoundReport>,
}

/// What a round found before it moved the centroids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundReport {
    /// Sum of the squared distances of all vectors to their centroids.
    pub objective: f64,
    /// Classes without a vector.
    pub empty: usize,
}

/// Seeds and runs `config.rounds` rounds. Rounds stop early once they change no centroid, which
/// changes nothing but the time. The final assignment is [`assign`] or [`labels`].
///
/// # Errors
/// [`Error::TooFewPoints`] with fewer vectors than classes; [`Error::NonFinite`],
/// [`Error::ZeroVector`] (spherical only) naming the vector; [`Error::InvalidArgument`] for bad
/// options or too little memory; [`Error::Cancelled`]; those of the source.
pub fn fit(
    source: &dyn VectorSource,
    config: &ClusterConfig,
    workers: &Workers,
    control: Control<'_>,
) -> Result<Fit> {
    let centroids = seeding::seed(source, config, workers, control)?;
    fit_from(source, centroids, config, workers, control)
}

/// [`fit`] from given centroids, whose metric and number count instead of the options'.
///
/// # Errors
/// Those of [`fit`]; [`Error::Shape`] for centroids of another length than the vectors.
pub fn fit_from(
    source: &dyn VectorSource,
    mut centroids: Centroids,
    config: &ClusterConfig,
    workers: &Workers,
    control: Control<'_>,
) -> Result<Fit> {
    config.validate()?;
    check_source(source, &centroids, &(0..source.rows_count()))?;
    if source.rows_count() < centroids.classes() as u64 {
        let points = source.rows_count() as usize;
        return Err(Error::TooFewPoints { clusters: centroids.classes(), points });
    }
    let resources = Resources { workers, control, memory_bytes_max: config.memory_bytes_max };
    let magnitude_max = magnitude(source, centroids.metric(), &resources)?;
    let mut sums = Accumulator::new(centroids.classes(), centroids.dimensions(), magnitude_max)?;
    let mut run = Run::new(source, &centroids, Some(&sums), &resources)?;
    let mut guesses = run.guesses();
    let mut rounds = Vec::new();
    for round in 0..u64::from(config.rounds) {
        control.report("cluster", round, u64::from(config.rounds))?;
        sums.values_mut().fill(0);
        run.accumulate(0..source.rows_count(), &centroids, &mut guesses, &mut sums)?;
        let empty = sums.counts().iter().filter(|count| **count == 0).count();
        rounds.push(RoundReport { objective: sums.objective(), empty });
        let next = centroids.update(&sums, config.empty_clusters()?)?;
        if next == centroids {
            break;
        }
        centroids = next;
    }
    control.report("cluster", u64::from(config.rounds), u64::from(config.rounds))?;
    Ok(Fit { centroids, rounds })
}

/// Adds the vectors of `rows` to `sums`, each to the class of its nearest centroid. However the
/// rows of a source are divided among calls and processes, the sums of all are the same bits.
///
/// # Errors
/// Those of [`fit`]; [`Error::Shape`] for rows, centroids and sums that do not fit together. The
/// sums are then incomplete.
pub fn accumulate(
    source: &dyn VectorSource,
    rows: Range<u64>,
    centroids: &Centroids,
    sums: &mut Accumulator,
    resources: &Resources<'_>,
) -> Result<()> {
    check_source(source, centroids, &rows)?;
    if (sums.classes(), sums.dimensions()) != (centroids.classes(), centroids.dimensions()) {
        let expected = format!("[{},{}]", centroids.classes(), centroids.dimensions());
        let got = format!("[{},{}]", sums.classes(), sums.dimensions());
        return Err(Error::shape("accumulator", expected, got));
    }
    Run::new(source, centroids, Some(sums), resources)?.accumulate(rows, centroids, &mut [], sums)
}

/// Finds the class of each vector of `rows` and hands them to `sink` in order, piece by piece:
/// first row, classes, and squared distances to the centroids.
///
/// # Errors
/// Those of [`fit`] and of `sink`.
pub fn assign(
    source: &dyn VectorSource,
    rows: Range<u64>,
    centroids: &Centroids,
    resources: &Resources<'_>,
    mut sink: impl FnMut(u64, &[u32], &[f32]) -> Result<()>,
) -> Result<()> {
    check_source(source, centroids, &rows)?;
    let mut run = Run::new(source, centroids, None, resources)?;
    let nearest = Nearest::new(centroids);
    let total = rows.end - rows.start;
    let mut distances = Vec::new();
    run.stream.run(rows.clone(), Some(&nearest), &mut [], resources, |slabs| {
        for slab in slabs {
            distances.clear();
            distances.extend(slab.squared_distances(centroids.metric()));
            sink(slab.first, &slab.labels, &distances)?;
        }
        let last = slabs.last().map_or(0, |slab| slab.first + slab.labels.len() as u64);
        resources.control.report("assign", last - rows.start, total)
    })
}

/// The class of each vector of the source; four bytes for each beside `memory_bytes_max`.
///
/// # Errors
/// Those of [`assign`].
pub fn labels(
    source: &dyn VectorSource,
    centroids: &Centroids,
    resources: &Resources<'_>,
) -> Result<Vec<u32>> {
    let mut labels = memory::with_capacity(source.rows_count() as usize, "labels")?;
    assign(source, 0..source.rows_count(), centroids, resources, |_, classes, _| {
        labels.extend_from_slice(classes);
        Ok(())
    })?;
    Ok(labels)
}

/// What the rounds of one call share.
struct Run<'a> {
    stream: Stream<'a>,
    resources: Resources<'a>,
    metric: Metric,
    guesses_count: usize,
}

impl<'a> Run<'a> {
    fn new(
        source: &'a dyn VectorSource,
        centroids: &Centroids,
        sums: Option<&Accumulator>,
        resources: &Resources<'a>,
    ) -> Result<Run<'a>> {
        let (classes, dimensions) = (centroids.classes(), centroids.dimensions());
        let metric = centroids.metric();
        let mut budget = Budget::new(resources.memory_bytes_max);
        // The caller's centroids and, with sums, those of the next round.
        let copies = if sums.is_some() { 2 } else { 1 };
        budget.take("the centroids", (copies * classes * dimensions * 4) as u64)?;
        budget.take("the search", Nearest::memory_bytes(classes, dimensions) as u64)?;
        budget.take("the sums", sums.map_or(0, |sums| sums.values().len() as u64 * 8))?;
        // Guesses only save time, so they get a part of what is left or nothing.
        let guesses_bytes = source.rows_count() * 4;
        let affordable = sums.is_some() && guesses_bytes <= budget.left() / 4;
        let guesses_count = if affordable { source.rows_count() as usize } else { 0 };
        budget.take("guesses", guesses_count as u64 * 4)?;
        let magnitude_max = sums.map_or(f32::MAX, Accumulator::magnitude_max);
        let rules = Rules { metric, magnitude_max };
        let stream = Stream::new(source, rules, &mut budget, resources.workers)?;
        Ok(Run { stream, resources: *resources, metric, guesses_count })
    }

    /// Room for the labels of the last round, which are the next round's guesses.
    fn guesses(&self) -> Vec<u32> {
        vec![super::nearest::NO_GUESS; self.guesses_count]
    }

    fn accumulate(
        &mut self,
        rows: Range<u64>,
        centroids: &Centroids,
        guesses: &mut [u32],
        sums: &mut Accumulator,
    ) -> Result<()> {
        let nearest = Nearest::new(centroids);
        let (resources, metric) = (self.resources, self.metric);
        self.stream.run(rows, Some(&nearest), guesses, &resources, |slabs| {
            add(slabs, sums, resources.workers);
            slabs.iter().for_each(|slab| sums.add_distances(slab.squared_distances(metric)));
            sums.check_counts()
        })
    }
}

/// Adds the vectors of a block to the sums of their classes.
fn add(slabs: &[Slab], sums: &mut Accumulator, workers: &Workers) {
    let (classes, dimensions) = (sums.classes(), sums.dimensions());
    let (totals, counts, adder) = sums.parts();
    for label in slabs.iter().flat_map(|slab| &slab.labels) {
        counts[*label as usize] += 1;
    }
    let classes_each = classes.div_ceil(ADDITION_TASKS);
    workers.for_each_piece(totals, classes_each * dimensions, |piece, totals| {
        let first = piece * classes_each;
        let mine = first..first + totals.len() / dimensions;
        for slab in slabs {
            let vectors = slab.vectors.chunks_exact(dimensions);
            for (label, vector) in slab.labels.iter().zip(vectors) {
                if mine.contains(&(*label as usize)) {
                    let at = (*label as usize - first) * dimensions;
                    adder.add(&mut totals[at..at + dimensions], vector);
                }
            }
        }
    });
}

fn check_source(source: &dyn VectorSource, centroids: &Centroids, rows: &Range<u64>) -> Result<()> {
    if source.dimensions() != centroids.dimensions() {
        let expected = format!("{} dimensions", centroids.dimensions());
        return Err(Error::shape("vectors", expected, source.dimensions()));
    }
    if rows.start > rows.end || rows.end > source.rows_count() {
        let expected = format!("rows of {}", source.rows_count());
        return Err(Error::shape("rows", expected, format!("{}..{}", rows.start, rows.end)));
    }
    Ok(())
}

/// What the coordinates of a source stay within: 1 if spherical, else the largest, which takes a
/// pass over the source.
fn magnitude(source: &dyn VectorSource, metric: Metric, resources: &Resources<'_>) -> Result<f32> {
    if metric == Metric::Spherical {
        return Ok(1.0);
    }
    let rules = Rules { metric, magnitude_max: f32::MAX };
    let mut budget = Budget::new(resources.memory_bytes_max);
    let mut stream = Stream::new(source, rules, &mut budget, resources.workers)?;
    let mut largest = f32::MIN_POSITIVE;
    stream.run(0..source.rows_count(), None, &mut [], resources, |slabs| {
        for value in slabs.iter().flat_map(|slab| &slab.vectors) {
            largest = largest.max(value.abs());
        }
        Ok(())
    })?;
    Ok(largest)
}

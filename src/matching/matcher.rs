//! The matcher: every image of every decoder layer, each by itself.

use super::assignment::{Assigner, UNASSIGNED};
use super::config::{ClassLoss, MatcherConfig};
use super::costs::{ImagePredictions, PairCosts};
use super::input::{ImageTargets, Predictions, PredictionsShape, Targets};
use crate::kernels::simd::{Level, class_loss};
use crate::workers::Workers;
use crate::workers::lent::{FirstFailure, Pool};
use crate::{Error, Result};

/// What one worker needs to match one image.
#[derive(Debug, Default)]
struct Scratch {
    costs: PairCosts,
    assigner: Assigner,
}

/// Which query each target has, in each layer.
#[derive(Debug, Clone, Default)]
pub struct Matches {
    units: Vec<UnitMatches>,
}

/// What matching one image in one layer found.
#[derive(Debug, Clone, Default)]
pub struct UnitMatches {
    /// The query of each of the image's targets, or [`UNASSIGNED`].
    pub queries: Vec<u32>,
    /// Under softmax, ln of the sum of exp of each query's logits; else empty.
    pub(crate) log_sums: Vec<f32>,
}

impl UnitMatches {
    /// The image's targets and their queries, without those that found none.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let all = self.queries.iter().enumerate();
        all.filter(|pair| *pair.1 != UNASSIGNED).map(|(target, &query)| (target, query as usize))
    }
}

impl Matches {
    /// Layer by layer, image by image: `units()[layer * batch + image]`.
    pub fn units(&self) -> &[UnitMatches] {
        &self.units
    }

    /// Targets, over all layers, that found no query because there were more targets than
    /// queries.
    pub fn unmatched_count(&self) -> usize {
        let unmatched = |unit: &UnitMatches| unit.queries.len() - unit.pairs().count();
        self.units.iter().map(unmatched).sum()
    }

    fn memory_bytes(&self) -> usize {
        let of = |unit: &UnitMatches| {
            unit.queries.capacity() * size_of::<u32>() + unit.log_sums.capacity() * size_of::<f32>()
        };
        self.units.iter().map(of).sum::<usize>() + self.units.capacity() * size_of::<UnitMatches>()
    }
}

/// Matches targets to queries; keeps its memory between calls.
#[derive(Debug)]
pub struct Matcher {
    config: MatcherConfig,
    scratch: Pool<Scratch>,
    matches: Matches,
}

impl Matcher {
    /// # Errors
    /// Those of [`MatcherConfig::validate`].
    pub fn new(config: MatcherConfig) -> Result<Matcher> {
        config.validate()?;
        Ok(Matcher { config, scratch: Pool::default(), matches: Matches::default() })
    }

    /// Finds, for each image and layer, the pairs of least total cost: as many as the image has
    /// targets, or as there are queries where that is less. Does not depend on the workers.
    ///
    /// # Errors
    /// [`Error::NonFinite`] and [`Error::InvalidArgument`] for predictions without meaning,
    /// [`Error::Shape`] when the batches differ.
    pub fn run(
        &mut self,
        predictions: &Predictions<'_>,
        targets: &Targets<'_>,
        workers: &Workers,
    ) -> Result<&Matches> {
        let shape = predictions.shape();
        self.check_targets(shape, targets)?;
        let (config, scratch, failure) = (&self.config, &self.scratch, FirstFailure::default());
        self.matches.units.resize_with(shape.units(), UnitMatches::default);
        workers.for_each_piece(&mut self.matches.units, 1, |unit, matches| {
            let targets = targets.of_image(unit % shape.batch);
            let outcome = predictions.check_unit(unit).and_then(|()| {
                scratch.with(|own| own.run(config, predictions, unit, &targets, &mut matches[0]))
            });
            if let Err(error) = outcome {
                failure.record(unit, error);
            }
        });
        failure.into_result()?;
        Ok(&self.matches)
    }

    fn check_targets(&self, shape: PredictionsShape, targets: &Targets<'_>) -> Result<()> {
        if shape.batch != targets.batch() {
            let got = format!("{} counts", targets.batch());
            return Err(Error::shape("targets", format!("{} images", shape.batch), got));
        }
        let classes = self.config.class_loss.classes_of(shape.classes);
        if targets.classes_count() > classes {
            let expected = format!("classes below {classes} ({} logits)", shape.classes);
            let got = format!("classes below {}", targets.classes_count());
            return Err(Error::shape("targets", expected, got));
        }
        Ok(())
    }

    /// What the last successful [`Matcher::run`] found.
    pub fn matches(&self) -> &Matches {
        &self.matches
    }

    /// Bytes held between calls.
    pub fn memory_bytes(&self) -> usize {
        let of = |own: &Scratch| own.costs.memory_bytes() + own.assigner.memory_bytes();
        self.matches.memory_bytes() + self.scratch.memory_bytes(of)
    }
}

impl Scratch {
    fn run(
        &mut self,
        config: &MatcherConfig,
        predictions: &Predictions<'_>,
        unit: usize,
        targets: &ImageTargets<'_>,
        matches: &mut UnitMatches,
    ) -> Result<()> {
        let shape = predictions.shape();
        let logits = predictions.logits_of(unit);
        matches.log_sums.clear();
        if config.class_loss == ClassLoss::Softmax {
            let rows = logits.chunks_exact(shape.classes);
            let level = Level::best();
            matches.log_sums.extend(rows.map(|row| class_loss::log_sum(level, row) as f32));
        }
        matches.queries.resize(targets.boxes.len(), UNASSIGNED);
        let boxes = predictions.boxes_of(unit);
        let image = ImagePredictions { logits, boxes, log_sums: &matches.log_sums };
        let costs = self.costs.compute(config, &image, targets);
        let sizes = (targets.boxes.len(), shape.queries);
        self.assigner.assign(costs, sizes.0, sizes.1, &mut matches.queries).map_err(|error| {
            let (layer, image) = (unit / shape.batch, unit % shape.batch);
            match error {
                Error::NonFinite { name, index, value } => {
                    // The rows of the costs are the image's targets, the columns its queries.
                    let name = format!("layer {layer}, image {image}: {name}");
                    Error::NonFinite { name, index, value }
                }
                other => other,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: PredictionsShape =
        PredictionsShape { layers: 2, batch: 3, queries: 7, classes: 5 };

    fn wave(count: usize, scale: f32, offset: f32) -> Vec<f32> {
        (0..count).map(|index| ((index * 37 % 101) as f32 / 101.0 - 0.5) * scale + offset).collect()
    }

    fn boxes(count: usize) -> Vec<[f32; 4]> {
        wave(count * 4, 0.3, 0.4).as_chunks().0.to_vec()
    }

    fn run(config: &MatcherConfig, counts: &[u32], threads: usize) -> Matches {
        let (logits, predicted) = (wave(2 * 3 * 7 * 5, 6.0, 0.0), boxes(2 * 3 * 7));
        let total = counts.iter().sum::<u32>() as usize;
        let (classes, wanted) = (vec![1; total], boxes(total));
        let predictions = Predictions::new(&logits, predicted.as_flattened(), SHAPE).unwrap();
        let targets = Targets::new(counts, &classes, &wanted, 4).unwrap();
        let workers = Workers::with_threads(threads).unwrap();
        Matcher::new(config.clone()).unwrap().run(&predictions, &targets, &workers).unwrap().clone()
    }

    fn queries(matches: &Matches) -> Vec<Vec<u32>> {
        matches.units().iter().map(|unit| unit.queries.clone()).collect()
    }

    #[test]
    fn images_with_none_and_with_more_targets_than_queries() {
        for class_loss in [ClassLoss::Focal, ClassLoss::Softmax] {
            let config = MatcherConfig { class_loss, ..MatcherConfig::default() };
            let matches = run(&config, &[2, 0, 9], 1);
            let pairs: Vec<_> = matches.units().iter().map(|unit| unit.pairs().count()).collect();
            assert_eq!(pairs, [2, 0, 7, 2, 0, 7]);
            assert_eq!(matches.unmatched_count(), 2 * 2);
            for threads in [2, 3] {
                assert_eq!(queries(&run(&config, &[2, 0, 9], threads)), queries(&matches));
            }
        }
    }

    #[test]
    fn a_query_that_says_just_what_a_target_is_gets_it() {
        let (wanted, mut logits) = (boxes(3), vec![-4.0; 4 * 2]);
        let mut predicted = boxes(7)[3..].to_vec();
        for (query, target) in [(2, 0), (0, 1), (3, 2)] {
            predicted[query] = wanted[target];
            logits[query * 2 + 1] = 4.0;
        }
        let shape = PredictionsShape { layers: 1, batch: 1, queries: 4, classes: 2 };
        let predictions = Predictions::new(&logits, predicted.as_flattened(), shape).unwrap();
        let targets = Targets::new(&[3], &[1; 3], &wanted, 2).unwrap();
        let mut matcher = Matcher::new(MatcherConfig::default()).unwrap();
        let matches = matcher.run(&predictions, &targets, &Workers::caller()).unwrap();
        assert_eq!(matches.units()[0].queries, [2, 0, 3]);
    }

    #[test]
    fn predictions_without_meaning_and_other_batches_are_refused() {
        let (mut logits, predicted) = (wave(2 * 3 * 7 * 5, 6.0, 0.0), boxes(2 * 3 * 7));
        let mut matcher = Matcher::new(MatcherConfig::default()).unwrap();
        let mut run = |logits: &[f32], counts: &[u32], classes: usize| {
            let predictions = Predictions::new(logits, predicted.as_flattened(), SHAPE).unwrap();
            let targets = Targets::new(counts, &[], &[], classes).unwrap();
            let outcome = matcher.run(&predictions, &targets, &Workers::caller());
            outcome.map(|_| ()).unwrap_err().to_string()
        };
        let text = run(&logits, &[0; 2], 5);
        assert_eq!(text, "targets: expected 3 images, got 2 counts");
        assert!(run(&logits, &[0; 3], 6).contains("expected classes below 5 (5 logits)"));
        for index in [199, 36] {
            logits[index] = f32::NAN;
        }
        let text = run(&logits, &[0; 3], 5);
        assert!(text.starts_with("logits, layer 0, image 1, query 0, class 1"), "{text}");
    }
}

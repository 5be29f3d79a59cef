//! Which images of a set training does not learn from: those on which a stage is checked.
//!
//! Every image draws for itself, keyed by the run's seed and its id, and is held out where the draw
//! is below the share. So it is held out in every stage or in none, whatever other images there are,
//! and a larger share holds out those of a smaller one and others. How many they are is therefore
//! near the share and not exactly it.

use super::config::TrainingConfig;
use crate::data::training::set::TrainingSet;
use crate::random::{Purpose, Random, StreamKey};
use crate::{Error, Result};

/// Positions, ascending, of the images that are held out of a set whose images have these `ids`;
/// none under a share of 0.
///
/// # Errors
/// [`Error::InvalidArgument`] for a share that leaves one side without an image.
pub fn positions(
    ids: impl ExactSizeIterator<Item = u32>,
    training: &TrainingConfig,
    seed: u64,
) -> Result<Vec<usize>> {
    let (share, count) = (training.held_out_share, ids.len());
    if share == 0.0 {
        return Ok(Vec::new());
    }
    let draw = |id| Random::new(StreamKey::new(seed, Purpose::HeldOut).for_image(id)).uniform();
    let held_out: Vec<usize> =
        ids.enumerate().filter(|&(_, id)| draw(id) < share).map(|(position, _)| position).collect();
    if held_out.is_empty() || held_out.len() == count {
        let what = if held_out.is_empty() { "none" } else { "all" };
        let reason = format!("{share} of {count} images holds out {what} of them");
        return Err(Error::invalid("held_out_share", reason));
    }
    Ok(held_out)
}

/// [`positions`] in a set, whose labels there are what a stage is checked against.
///
/// # Errors
/// As [`positions`]; [`Error::InvalidArgument`] where the held-out images have no label.
pub fn of_set(set: &TrainingSet, training: &TrainingConfig, seed: u64) -> Result<Vec<usize>> {
    let held_out = positions(set.images().iter().map(|image| image.image_id), training, seed)?;
    let is_bare = |&position: &usize| set.targets(position).is_empty();
    if !held_out.is_empty() && held_out.iter().all(is_bare) {
        let (count, share) = (held_out.len(), training.held_out_share);
        let reason = format!("{share} holds out {count} images, of which none has a label");
        return Err(Error::invalid("held_out_share", reason));
    }
    Ok(held_out)
}

/// Optimiser steps of a stage on `set`.
///
/// # Errors
/// As [`of_set`].
pub fn steps_count(set: &TrainingSet, training: &TrainingConfig, seed: u64) -> Result<usize> {
    let held_out = of_set(set, training, seed)?;
    Ok(training.steps_count(set.images_count() - held_out.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(held_out_share: f64) -> TrainingConfig {
        TrainingConfig { held_out_share, check_steps: 1, ..TrainingConfig::default() }
    }

    #[test]
    fn an_image_is_held_out_for_itself_and_by_every_larger_share() {
        let of = |ids: &[u32], share, seed| -> Vec<u32> {
            let held_out = positions(ids.iter().copied(), &training(share), seed).unwrap();
            held_out.into_iter().map(|position| ids[position]).collect()
        };
        let all: Vec<u32> = (1..=1000).collect();
        let (few, more) = (of(&all, 0.1, 7), of(&all, 0.3, 7));
        assert!((70..130).contains(&few.len()) && (250..350).contains(&more.len()));
        assert!(few.iter().all(|id| more.contains(id)));
        assert_ne!(few, of(&all, 0.1, 8));
        // Other images come and go, in any order.
        let part: Vec<u32> = all.iter().rev().copied().filter(|id| id % 3 != 0).collect();
        let mut expected: Vec<u32> = few.iter().copied().filter(|id| id % 3 != 0).collect();
        expected.reverse();
        assert_eq!(of(&part, 0.1, 7), expected);
        assert!(of(&all, 0.0, 7).is_empty());
    }

    #[test]
    fn a_share_that_leaves_one_side_empty_is_refused() {
        let refused = |id: u32| positions([id].into_iter(), &training(0.5), 7).unwrap_err();
        let found: Vec<String> = (1..20).map(|id| refused(id).to_string()).collect();
        for what in ["none", "all"] {
            let expected = format!("held_out_share: 0.5 of 1 images holds out {what} of them");
            assert!(found.contains(&expected), "{found:?}");
        }
    }
}

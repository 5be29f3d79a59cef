//! What the checks of a stage found, and what follows from them: which was the best, and whether the
//! stage is over. Early stopping by patience, as Prechelt describes it ("Early stopping, but when?",
//! 1998), on recall of the detector's own labels, because true ones there are none.
//!
//! A checkpoint holds all checks up to its step ([`super::checkpoint::Position`]), so that a stage
//! that was killed decides as one that was not; the lines in `metrics.jsonl` are for people.

use super::metric_lines::{CheckLine, whole_lines};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Optimiser steps of the stage that were done.
    pub step: usize,
    /// Class-agnostic average recall, in [0, 1], of the held-out images' own labels by the
    /// detector's best 100 boxes.
    pub own_recall: f64,
}

/// The check with the highest recall, the earliest of equals; `None` where there is none.
pub fn best(checks: &[Check]) -> Option<Check> {
    let better = |best: Check, check: &Check| match check.own_recall > best.own_recall {
        true => *check,
        false => best,
    };
    checks.first().map(|first| checks.iter().fold(*first, better))
}

/// Whether the last `patience` checks, at least 1, were no better than one before them; never
/// under a patience of 0.
pub fn are_over(checks: &[Check], patience: usize) -> bool {
    let since = |best: Check| checks.iter().filter(|check| check.step > best.step).count();
    patience != 0 && best(checks).is_some_and(|best| since(best) >= patience)
}

/// Every check's line of a metrics file; one that a kill cut short, or that is being written, is
/// left out.
///
/// # Errors
/// [`Error::Io`].
pub fn read(path: &Path) -> Result<Vec<CheckLine>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    Ok(whole_lines(&text).filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(recalls: &[f64]) -> Vec<Check> {
        let check = |(at, &own_recall): (usize, &f64)| Check { step: 5 * (at + 1), own_recall };
        recalls.iter().enumerate().map(check).collect()
    }

    #[test]
    fn the_earliest_of_the_best_counts_and_patience_from_there() {
        assert_eq!(best(&[]), None);
        let found = checks(&[0.1, 0.3, 0.2, 0.3, 0.3]);
        assert_eq!(best(&found), Some(found[1]));
        let over = |patience| (1..=5).find(|&count| are_over(&found[..count], patience));
        assert_eq!([over(1), over(2), over(3), over(4)], [Some(3), Some(4), Some(5), None]);
        assert_eq!(over(0), None);
        assert!(!are_over(&[], 1) && are_over(&checks(&[0.0, 0.0]), 1));
    }
}

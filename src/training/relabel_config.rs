//! Which of a detector's own boxes become labels: how many, and which of those that overlap (patent
//! ¶40: the best 100 of 300 queries, then suppression; no threshold on scores).

use super::fusion::fuse;
use super::suppression::{has_area, suppress};
use crate::detector::prediction::{Detection, Reading};
use crate::geometry;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How a detector labels images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RelabelConfig {
    /// The best boxes of an image that the cut keeps. 0: `predictions_share` says how many. Default
    /// 100 (¶40).
    pub predictions_per_image: usize,
    /// The same as a share, in (0, 1], of all boxes that the detector has for the image, one a query;
    /// rounded, at least 1. Just one of this and `predictions_per_image` is not 0. Default 0; the
    /// patent's 100 of 300 queries are a third.
    pub predictions_share: f64,
    /// When boxes that overlap better ones go: `after_cut`, which leaves fewer than the cut keeps,
    /// `before_cut`, among all boxes, or `off`; `fuse` joins them in place of that, before the cut.
    /// Default `after_cut` (¶40).
    pub suppression: Suppression,
    /// A box goes, or joins others, when its IoU with a better one is above this. Default 0.55 (¶40).
    pub suppression_iou: f64,
    /// A box that takes a larger share of the image's area, in (0, 1], is no label: what is behind all
    /// objects is the easiest thing to find, and would come first. The cut does not count it, and nothing
    /// is joined with it; a mean that is larger goes too. Default 1: off (¶40), as [`ProposalConfig::box_share_max`] of T_0.
    ///
    /// [`ProposalConfig::box_share_max`]: crate::proposals::config::ProposalConfig::box_share_max
    pub box_share_max: f64,
    /// What ranks boxes, those that are measured too: the score of the `best_class`, or of `any_class`
    /// ([`Reading::Objects`]). Default `best_class`.
    pub box_score: BoxScore,
    /// The detector looks at the mirrored image too, and the boxes of both are chosen from together
    /// (data distillation, Radosavovic et al., CVPR 2018). Default false (¶40).
    pub mirrored: bool,
}

/// What a detector's box is worth where its class does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxScore {
    /// The probability of its best class.
    #[default]
    BestClass,
    /// One score of all classes ([`Reading::Objects`]). A detector that the host reads off itself has
    /// scores of its own.
    AnyClass,
}

impl BoxScore {
    /// How predictions are read.
    pub fn reading(self) -> Reading {
        match self {
            BoxScore::BestClass => Reading::Queries,
            BoxScore::AnyClass => Reading::Objects,
        }
    }
}

/// When boxes that overlap better ones go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// Among the boxes that the cut has kept (¶40).
    #[default]
    AfterCut,
    /// Among all boxes; the best of those that stay are kept.
    BeforeCut,
    /// Never.
    Off,
    /// All boxes that overlap become their weighted mean ([`fuse`]); the best of those are kept.
    Fuse,
}

impl Default for RelabelConfig {
    fn default() -> RelabelConfig {
        RelabelConfig {
            predictions_per_image: 100,
            predictions_share: 0.0,
            suppression: Suppression::AfterCut,
            suppression_iou: 0.55,
            box_share_max: 1.0,
            box_score: BoxScore::BestClass,
            mirrored: false,
        }
    }
}

impl RelabelConfig {
    /// # Errors
    /// [`Error::InvalidArgument`] naming the first key outside its range.
    pub fn validate(&self) -> Result<()> {
        let (count, share) = (self.predictions_per_image, self.predictions_share);
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::invalid("predictions_share", format!("{share} is not in [0, 1]")));
        }
        if (count == 0) == (share == 0.0) {
            let reason = format!("{count} and {share}; just one of them is to be 0");
            return Err(Error::invalid("predictions_per_image, predictions_share", reason));
        }
        if !(0.0..=1.0).contains(&self.suppression_iou) {
            let reason = format!("{} is not in [0, 1]", self.suppression_iou);
            return Err(Error::invalid("suppression_iou", reason));
        }
        if !(self.box_share_max > 0.0 && self.box_share_max <= 1.0) {
            let reason = format!("{} is not in (0, 1]", self.box_share_max);
            return Err(Error::invalid("relabel.box_share_max", reason));
        }
        Ok(())
    }

    /// Boxes that the detector is asked for: `usize::MAX` is all.
    pub(super) fn asked(&self) -> usize {
        match (self.suppression, self.predictions_per_image) {
            _ if self.box_share_max < 1.0 => usize::MAX,
            (Suppression::BeforeCut | Suppression::Fuse, _) | (_, 0) => usize::MAX,
            (Suppression::AfterCut | Suppression::Off, count) => count,
        }
    }

    /// Leaves of what the detector was [asked](RelabelConfig::asked) for in each of `views_count`
    /// views, best first, the labels of an image of `image_area` pixels.
    pub(super) fn choose(&self, found: &mut Vec<Detection>, views_count: usize, image_area: f64) {
        let kept = match self.predictions_per_image {
            0 => {
                let queries = (found.len() / views_count) as f64;
                ((self.predictions_share * queries).round() as usize).max(1)
            }
            count => count,
        };
        let box_area_max = self.box_share_max * image_area;
        let leave_out_large = |found: &mut Vec<Detection>| {
            if self.box_share_max < 1.0 {
                found.retain(|one| geometry::area(&one.bounds) <= box_area_max);
            }
        };
        leave_out_large(found);
        match self.suppression {
            Suppression::AfterCut => {
                found.truncate(kept);
                suppress(found, self.suppression_iou);
            }
            Suppression::BeforeCut => {
                suppress(found, self.suppression_iou);
                found.truncate(kept);
            }
            Suppression::Fuse => {
                fuse(found, self.suppression_iou);
                // A wide box and a tall one may have a mean that is larger than either.
                leave_out_large(found);
                found.truncate(kept);
            }
            Suppression::Off => {
                found.truncate(kept);
                found.retain(has_area);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(count: usize, share: f64, suppression: Suppression) -> RelabelConfig {
        RelabelConfig {
            predictions_per_image: count,
            predictions_share: share,
            suppression,
            ..RelabelConfig::default()
        }
    }

    /// Eight boxes of four places, best first: each but the first of a place lies on a better one. The
    /// seventh is empty.
    fn found() -> Vec<Detection> {
        let boxes =
            [(0, 9.0), (0, 10.0), (1, 10.0), (1, 9.0), (2, 10.0), (0, 9.5), (3, 0.0), (3, 10.0)];
        let detection = |(rank, (place, side)): (usize, (u8, f32))| {
            let left = f32::from(place) * 20.0;
            let bounds = [left, 0.0, left + side, side];
            Detection { bounds, class: 0, score: 0.9 - 0.1 * rank as f32 }
        };
        boxes.into_iter().enumerate().map(detection).collect()
    }

    /// Of an image that holds those boxes.
    const IMAGE_AREA: f64 = 1000.0;

    /// Ranks of the labels.
    fn chosen(count: usize, share: f64, suppression: Suppression) -> Vec<usize> {
        let (all, mut left) = (found(), found());
        config(count, share, suppression).choose(&mut left, 1, IMAGE_AREA);
        let rank = |label| all.iter().position(|one| one == label).unwrap();
        left.iter().map(rank).collect()
    }

    #[test]
    fn the_cut_comes_before_or_after_suppression() {
        use Suppression::{AfterCut, BeforeCut, Fuse, Off};
        assert_eq!(chosen(4, 0.0, AfterCut), [0, 2]);
        assert_eq!(chosen(4, 0.0, BeforeCut), [0, 2, 4, 7]);
        assert_eq!(chosen(3, 0.0, BeforeCut), [0, 2, 4]);
        assert_eq!(chosen(4, 0.0, Off), [0, 1, 2, 3]);
        assert_eq!(chosen(100, 0.0, Off), [0, 1, 2, 3, 4, 5, 7]);
        // A share is one of all boxes, of those that are suppressed too.
        assert_eq!(chosen(0, 0.5, AfterCut), chosen(4, 0.0, AfterCut));
        assert_eq!(chosen(0, 0.4, BeforeCut), chosen(3, 0.0, BeforeCut));
        assert_eq!(chosen(0, 0.01, Off), [0]);
        let mut joined = found();
        config(3, 0.0, Fuse).choose(&mut joined, 1, IMAGE_AREA);
        // Those of the first place outweigh each alone.
        assert_eq!(joined.len(), 3);
        assert!(joined[0].bounds[0] == 0.0 && joined[0].score > 0.9);
        config(0, 0.5, AfterCut).choose(&mut Vec::new(), 1, IMAGE_AREA);
    }

    #[test]
    fn a_box_that_is_too_large_is_no_label_and_takes_no_place() {
        use Suppression::{AfterCut, BeforeCut, Fuse, Off};
        // Those with a side of 10 are a tenth of the image each.
        let small = |count, share, suppression| {
            let limited = |box_share_max| {
                let mut left = found();
                RelabelConfig { box_share_max, ..config(count, share, suppression) }
                    .choose(&mut left, 1, IMAGE_AREA);
                left.iter().map(|one| one.bounds[0] as u32 / 20).collect::<Vec<_>>()
            };
            assert_eq!(limited(0.1), limited(1.0), "a box of just the limit stays");
            limited(0.099)
        };
        // What is left: (place 0, 9.0), (1, 9.0), (0, 9.5) and an empty one.
        assert_eq!(small(2, 0.0, AfterCut), [0, 1]);
        assert_eq!(small(3, 0.0, AfterCut), [0, 1]);
        assert_eq!(small(3, 0.0, BeforeCut), [0, 1]);
        assert_eq!(small(3, 0.0, Off), [0, 1, 0]);
        assert_eq!(small(3, 0.0, Fuse), [0, 1]);
        // A share is one of all queries.
        assert_eq!(small(0, 0.25, Off), [0, 1]);
        // Each of 64 pixels, and their mean of 9.0 times 7.2.
        let means = |box_share_max| {
            let boxes = [[0.0, 0.0, 10.0, 6.4], [0.0, 0.0, 8.0, 8.0]];
            let mut left = boxes.map(|bounds| Detection { bounds, class: 0, score: 0.5 }).to_vec();
            RelabelConfig { box_share_max, ..config(3, 0.0, Fuse) }.choose(&mut left, 1, 100.0);
            left.len()
        };
        assert_eq!((means(0.645), means(0.65)), (0, 1));
        let all = RelabelConfig { box_share_max: 0.9, ..config(7, 0.0, AfterCut) };
        assert_eq!(all.asked(), usize::MAX, "those in place of large ones are needed");
    }

    #[test]
    fn all_boxes_are_asked_for_where_they_count() {
        for (count, share, suppression, wanted) in [
            (7, 0.0, Suppression::AfterCut, 7),
            (7, 0.0, Suppression::Off, 7),
            (7, 0.0, Suppression::BeforeCut, usize::MAX),
            (7, 0.0, Suppression::Fuse, usize::MAX),
            (0, 0.5, Suppression::AfterCut, usize::MAX),
        ] {
            assert_eq!(config(count, share, suppression).asked(), wanted);
        }
    }

    #[test]
    fn one_of_count_and_share_is_given() {
        RelabelConfig::default().validate().unwrap();
        config(0, 1.0, Suppression::Off).validate().unwrap();
        for (count, share, part) in [
            (0, 0.0, "0 and 0; just one of them is to be 0"),
            (100, 0.25, "100 and 0.25; just one of them is to be 0"),
            (0, 1.5, "predictions_share: 1.5 is not in [0, 1]"),
            (0, f64::NAN, "predictions_share: NaN is not in [0, 1]"),
            (0, -0.5, "predictions_share: -0.5 is not in [0, 1]"),
        ] {
            let error = config(count, share, Suppression::Off).validate().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let bad = RelabelConfig { suppression_iou: -0.1, ..RelabelConfig::default() };
        assert!(bad.validate().unwrap_err().to_string().starts_with("suppression_iou"));
        for box_share_max in [0.0, 1.01, f64::NAN] {
            let bad = RelabelConfig { box_share_max, ..RelabelConfig::default() };
            assert!(bad.validate().unwrap_err().to_string().starts_with("relabel.box_share_max"));
        }
    }
}

//! What becomes of targets whose boxes are no boxes: refused, cut to the image, or left out.
//!
//! Data sets hold boxes that reach out of their image or have no size. A training loop that cannot
//! clean them first says here what it wants; the answer says which targets were kept, so that what
//! is found of them can be put back in its place.

use super::input::{Targets, check_classes, check_lengths, reach, wrong};
use crate::{Error, Result};

/// What is done with a target whose box [`Targets::new`] would refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoxPolicy {
    /// It is an error that names the target.
    Error,
    /// The box is cut to the image; a target of which nothing is left is left out. Numbers that are
    /// not finite stay an error.
    Clip,
    /// The target is left out.
    Skip,
}

/// Targets that a policy has gone over, in memory that is used again.
#[derive(Debug, Default)]
pub struct KeptTargets {
    counts: Vec<u32>,
    classes: Vec<u32>,
    boxes: Vec<[f32; 4]>,
    scores: Vec<f32>,
    kept: Vec<usize>,
}

impl KeptTargets {
    /// Goes over targets as [`Targets::new`] and [`Targets::with_scores`] take them.
    ///
    /// # Errors
    /// As those, but for boxes that the policy does not refuse; targets are named by their place
    /// among all that were given.
    pub fn choose<'a>(
        &'a mut self,
        (counts, classes, boxes): (&[u32], &[u32], &[[f32; 4]]),
        scores: Option<&[f32]>,
        classes_count: usize,
        policy: BoxPolicy,
    ) -> Result<Targets<'a>> {
        check_lengths(counts, classes, boxes)?;
        check_classes(counts, classes, classes_count)?;
        if let Some(scores) = scores.filter(|scores| scores.len() != boxes.len()) {
            return Err(Error::shape("target scores", boxes.len(), scores.len()));
        }
        self.clear();
        let mut target = 0;
        for (image, &count) in counts.iter().enumerate() {
            let before = self.kept.len();
            for _ in 0..count {
                let chosen = policy.apply(&boxes[target]);
                let chosen = chosen.map_err(|why| why.at(target, image, &boxes[target]))?;
                if let Some(bounds) = chosen {
                    self.boxes.push(bounds);
                    self.classes.push(classes[target]);
                    self.scores.extend(scores.map(|scores| scores[target]));
                    self.kept.push(target);
                }
                target += 1;
            }
            self.counts.push((self.kept.len() - before) as u32);
        }
        let targets = Targets::new(&self.counts, &self.classes, &self.boxes, classes_count)?;
        if scores.is_some() { targets.with_scores(&self.scores) } else { Ok(targets) }
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.classes.clear();
        self.boxes.clear();
        self.scores.clear();
        self.kept.clear();
    }

    /// Which of the given targets were kept, ascending.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// Bytes that are held between calls.
    pub fn memory_bytes(&self) -> usize {
        let numbers = self.counts.capacity() + self.classes.capacity() + self.scores.capacity();
        let places = self.kept.capacity() * size_of::<usize>();
        numbers * size_of::<u32>() + self.boxes.capacity() * size_of::<[f32; 4]>() + places
    }
}

/// Why a policy refuses a box.
enum Refusal {
    NotFinite,
    Wrong(String),
}

impl Refusal {
    fn at(self, target: usize, image: usize, bounds: &[f32; 4]) -> Error {
        let place = format!("target {target} of image {image}");
        match self {
            Refusal::NotFinite => {
                let side = bounds.iter().position(|side| !side.is_finite()).unwrap_or(0);
                let (name, index) = (format!("target boxes, {place}"), target * 4 + side);
                Error::NonFinite { name, index, value: bounds[side] }
            }
            Refusal::Wrong(why) => Error::invalid("target boxes", format!("{place}: {why}")),
        }
    }
}

impl BoxPolicy {
    /// The box to use, `None` for none.
    fn apply(self, bounds: &[f32; 4]) -> std::result::Result<Option<[f32; 4]>, Refusal> {
        let is_finite = bounds.iter().all(|side| side.is_finite());
        let fault = if is_finite { wrong(bounds) } else { None };
        match (self, fault) {
            (BoxPolicy::Skip, _) if !is_finite => Ok(None),
            _ if !is_finite => Err(Refusal::NotFinite),
            (_, None) => Ok(Some(*bounds)),
            (BoxPolicy::Error, Some(why)) => Err(Refusal::Wrong(why)),
            (BoxPolicy::Skip, Some(_)) => Ok(None),
            (BoxPolicy::Clip, Some(_)) => Ok(clipped(bounds)),
        }
    }
}

/// The part of a cxcywh box that lies inside [0, 1].
fn clipped(bounds: &[f32; 4]) -> Option<[f32; 4]> {
    let [low, high] = reach(bounds);
    let [left, top] = low.map(|side| side.max(0.0));
    let [right, bottom] = high.map(|side| side.min(1.0));
    let (width, height) = (right - left, bottom - top);
    let is_box = bounds[2] > 0.0 && bounds[3] > 0.0 && width > 0.0 && height > 0.0;
    is_box.then(|| [(left + right) / 2.0, (top + bottom) / 2.0, width, height])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [f32; 4] = [0.5, 0.5, 0.5, 0.5];
    /// Half of it lies left of the image.
    const HALF: [f32; 4] = [0.0, 0.5, 0.5, 0.5];
    const OUTSIDE: [f32; 4] = [1.5, 0.5, 0.5, 0.5];
    const FLAT: [f32; 4] = [0.5, 0.5, 0.5, 0.0];

    fn chosen(boxes: [[f32; 4]; 4], policy: BoxPolicy) -> Result<(Vec<usize>, Vec<[f32; 4]>)> {
        let mut memory = KeptTargets::default();
        let given: (&[u32], &[u32], &[[f32; 4]]) = (&[1, 3, 0], &[0, 1, 2, 3], &boxes);
        let targets = memory.choose(given, Some(&[0.1, 0.2, 0.3, 0.4]), 4, policy)?;
        let mut found = Vec::new();
        for image in 0..3 {
            let of_image = targets.of_image(image);
            found.extend_from_slice(of_image.boxes);
            for (place, &class) in of_image.classes.iter().enumerate() {
                assert_eq!(of_image.score(place), (class + 1) as f32 / 10.0);
            }
        }
        Ok((memory.kept().to_vec(), found))
    }

    #[test]
    fn boxes_are_refused_cut_or_left_out() {
        let boxes = [HALF, GOOD, OUTSIDE, FLAT];
        let error = chosen(boxes, BoxPolicy::Error).unwrap_err().to_string();
        assert!(error.starts_with("target boxes: target 0 of image 0: cxcywh"), "{error}");
        let cut = [0.125, 0.5, 0.25, 0.5];
        assert_eq!(chosen(boxes, BoxPolicy::Clip).unwrap(), (vec![0, 1], vec![cut, GOOD]));
        assert_eq!(chosen(boxes, BoxPolicy::Skip).unwrap(), (vec![1], vec![GOOD]));
        let all = [GOOD; 4];
        for policy in [BoxPolicy::Error, BoxPolicy::Clip, BoxPolicy::Skip] {
            assert_eq!(chosen(all, policy).unwrap(), (vec![0, 1, 2, 3], all.to_vec()));
        }
    }

    #[test]
    fn a_box_within_the_tolerance_of_rounding_stays_as_it_is() {
        let edge = [0.5, 0.5, 1.001, 1.0];
        for policy in [BoxPolicy::Error, BoxPolicy::Clip, BoxPolicy::Skip] {
            assert_eq!(chosen([edge; 4], policy).unwrap().1, vec![edge; 4]);
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_left_out_by_skip_alone() {
        let boxes = [GOOD, GOOD, [0.5, f32::NAN, 0.5, 0.5], GOOD];
        for policy in [BoxPolicy::Error, BoxPolicy::Clip] {
            let error = chosen(boxes, policy).unwrap_err();
            assert!(matches!(error, Error::NonFinite { index: 9, .. }), "{error}");
            assert!(error.to_string().contains("target 2 of image 1"), "{error}");
        }
        assert_eq!(chosen(boxes, BoxPolicy::Skip).unwrap().0, [0, 1, 3]);
    }

    #[test]
    fn classes_and_lengths_are_checked_whatever_the_policy() {
        let mut memory = KeptTargets::default();
        let boxes = [OUTSIDE, GOOD];
        let mut refused = |classes: &[u32], scores: Option<&[f32]>| {
            let given: (&[u32], &[u32], &[[f32; 4]]) = (&[2], classes, &boxes);
            memory.choose(given, scores, 3, BoxPolicy::Skip).unwrap_err().to_string()
        };
        let error = refused(&[7, 0], None);
        assert_eq!(error, "target classes: target 0 of image 0: 7 is not below 3");
        assert!(refused(&[0], None).starts_with("target classes: expected 2"));
        assert!(refused(&[0, 1], Some(&[1.0])).starts_with("target scores: expected 2"));
    }
}

//! The sizes that batches are padded to.
//!
//! A network keeps a plan for each size, so there are few of them. A batch gets the bucket with
//! the smallest area among those that hold its tallest and its widest image; of equal areas the
//! one that is listed first.

use super::augmentation::AugmentationConfig;
use crate::{Error, Result};

/// Most buckets.
pub const BUCKETS_MAX: usize = 12;
/// Derived sides are multiples of this, the stride of the deepest map of a ResNet.
const SIDE_MULTIPLE: u32 = 32;
/// How many shorter sides are derived; each gives a wide, a tall and a square bucket.
const STEPS: u32 = 4;

/// A list of `[height, width]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    sizes: Vec<[u32; 2]>,
}

impl Buckets {
    /// The buckets of `sizes`, `[height, width]` each, or, where there are none, buckets that suit
    /// the sizes of `augmentation`.
    ///
    /// Derived buckets have four shorter sides, evenly from the smallest to the largest of
    /// `image_short_sides`, and an aspect of 4:3, that of most photographs, in both orientations
    /// and as a square for batches that mix them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for more than [`BUCKETS_MAX`], a side of 0, and when no bucket
    /// holds two images of `image_long_side_max`, one wide and one tall, as a batch may.
    pub fn new(sizes: &[[u32; 2]], augmentation: &AugmentationConfig) -> Result<Buckets> {
        let sizes = if sizes.is_empty() { derived(augmentation) } else { sizes.to_vec() };
        if sizes.len() > BUCKETS_MAX {
            let reason = format!("{} sizes, at most {BUCKETS_MAX}", sizes.len());
            return Err(Error::invalid("buckets", reason));
        }
        if let Some([height, width]) = sizes.iter().find(|size| size.contains(&0)) {
            return Err(Error::invalid("buckets", format!("{height}x{width}")));
        }
        let side = augmentation.image_long_side_max;
        let buckets = Buckets { sizes };
        match buckets.choose(side, side) {
            Some(_) => Ok(buckets),
            None => {
                let reason = format!("none holds {side}x{side}, image_long_side_max both ways");
                Err(Error::invalid("buckets", reason))
            }
        }
    }

    /// All sizes, `[height, width]`.
    pub fn sizes(&self) -> &[[u32; 2]] {
        &self.sizes
    }

    /// The bucket for images up to `height` and up to `width`.
    pub fn choose(&self, height: u32, width: u32) -> Option<[u32; 2]> {
        let holds = |size: &&[u32; 2]| size[0] >= height && size[1] >= width;
        let area = |size: &&[u32; 2]| u64::from(size[0]) * u64::from(size[1]);
        self.sizes.iter().filter(holds).min_by_key(area).copied()
    }
}

fn derived(augmentation: &AugmentationConfig) -> Vec<[u32; 2]> {
    let up = |side: u32| side.next_multiple_of(SIDE_MULTIPLE);
    let (least, most) = (augmentation.image_short_side_min(), augmentation.image_short_side_max());
    let longest = up(augmentation.image_long_side_max);
    let mut sizes = Vec::new();
    for step in 1..=STEPS {
        let short = least + (most - least) * (step - 1) / (STEPS - 1);
        let long = if step == STEPS { longest } else { up(short * 4 / 3).min(longest) };
        for size in [[up(short), long], [long, up(short)], [long, long]] {
            if !sizes.contains(&size) {
                sizes.push(size);
            }
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_holds_all_images_is_chosen() {
        let buckets = Buckets::new(&[], &AugmentationConfig::default()).unwrap();
        assert!(buckets.sizes().len() <= BUCKETS_MAX);
        assert_eq!(buckets.choose(320, 426), Some([320, 448]));
        assert_eq!(buckets.choose(426, 320), Some([448, 320]));
        assert_eq!(buckets.choose(450, 600), Some([480, 608]));
        assert_eq!(buckets.choose(600, 600), Some([608, 608]));
        assert_eq!(buckets.choose(10, 10), Some([320, 448]));
        assert_eq!(buckets.choose(609, 1), None);
    }

    #[test]
    fn one_size_gives_one_bucket() {
        let buckets = Buckets::new(&[], &AugmentationConfig::plain(320, 320)).unwrap();
        assert_eq!(buckets.sizes(), [[320, 320]]);
    }

    #[test]
    fn lists_that_cannot_hold_every_batch_are_refused() {
        let refused = |sizes: &[[u32; 2]]| {
            Buckets::new(sizes, &AugmentationConfig::default()).unwrap_err().to_string()
        };
        assert!(refused(&[[480, 608], [608, 480]]).contains("none holds 600x600"));
        assert!(refused(&[[0, 608]]).contains("0x608"));
        assert!(refused(&[[608, 608]; 13]).contains("13 sizes, at most 12"));
    }
}

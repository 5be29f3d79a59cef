//! Strong changes of colour: brightness, contrast, saturation and hue, in a random order.
//!
//! The operations and their rounding are torchvision's (`ColorJitter` on 8-bit images): each one
//! yields whole levels before the next begins. They are worked out block by block over separate
//! channels, so that all of them together read and write the image once, or twice with a change of
//! contrast, which needs the mean of what came before it.

use super::config::AugmentationConfig;
use super::greyscale::LUMA;
use crate::data::image::Image;
use crate::kernels::simd::Level;
use crate::kernels::simd::plain::{Arithmetic, Kernel, run};
use crate::random::Random;

/// One change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Levels times this.
    Brightness(f64),
    /// Away from the mean luma of the image by this factor.
    Contrast(f64),
    /// Away from the luma of the pixel by this factor.
    Saturation(f64),
    /// Turns the hue by this share of the colour circle.
    Hue(f64),
}

impl Step {
    fn changes_anything(&self) -> bool {
        match *self {
            Step::Brightness(factor) | Step::Contrast(factor) | Step::Saturation(factor) => {
                factor != 1.0
            }
            Step::Hue(turn) => turn != 0.0,
        }
    }
}

/// Draws the changes of one image, in the order in which they are made.
pub fn draw(random: &mut Random, config: &AugmentationConfig) -> [Step; 4] {
    let mut factor = |strength: f64| {
        let (least, most) = ((1.0 - strength).max(0.0), 1.0 + strength);
        least + random.uniform() * (most - least)
    };
    let mut steps = [
        Step::Brightness(factor(config.brightness)),
        Step::Contrast(factor(config.contrast)),
        Step::Saturation(factor(config.saturation)),
        Step::Hue((random.uniform() * 2.0 - 1.0) * config.hue),
    ];
    for last in (1..steps.len()).rev() {
        steps.swap(last, random.below(last as u64 + 1) as usize);
    }
    steps
}

/// Makes the changes in place, in order.
pub fn apply(image: &mut Image, steps: &[Step]) {
    let (mut from, mut mean) = (0, 0.0);
    for (index, step) in steps.iter().enumerate() {
        // Contrast needs the mean of what all earlier steps have made.
        if matches!(step, Step::Contrast(_)) && step.changes_anything() {
            mean = pass(image, &steps[from..index], mean, true);
            from = index;
        }
    }
    pass(image, &steps[from..], mean, false);
}

/// Makes `steps` and answers the mean luma after them where it is wanted; `mean` is the one that a
/// change of contrast refers to.
fn pass(image: &mut Image, steps: &[Step], mean: f32, wants_mean: bool) -> f32 {
    let changes = steps.iter().any(Step::changes_anything);
    if !changes && !wants_mean {
        return 0.0;
    }
    let (pixels, _) = image.pixels.as_chunks_mut::<3>();
    let count = pixels.len().max(1);
    let mut luma_sum = 0;
    let wanted = wants_mean.then_some(&mut luma_sum);
    run(Level::best(), Pass { pixels, steps, mean, changes, luma_sum: wanted });
    (luma_sum as f64 / count as f64) as f32
}

struct Pass<'a> {
    pixels: &'a mut [[u8; 3]],
    steps: &'a [Step],
    mean: f32,
    changes: bool,
    /// Where the luma of all pixels after the steps is added to, if anywhere.
    luma_sum: Option<&'a mut u64>,
}

impl Kernel for Pass<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(mut self) {
        let mut block = Block::default();
        for pixels in self.pixels.chunks_mut(BLOCK) {
            block.load(pixels);
            for step in self.steps.iter().filter(|step| step.changes_anything()) {
                match *step {
                    Step::Brightness(factor) => block.blend::<A>(factor, 0.0),
                    Step::Contrast(factor) => block.blend::<A>(factor, self.mean),
                    Step::Saturation(factor) => block.saturate::<A>(factor),
                    Step::Hue(turn) => block.turn_hue(turn as f32),
                }
            }
            if let Some(sum) = &mut self.luma_sum {
                **sum += block.luma_sum(pixels.len());
            }
            if self.changes {
                block.store(pixels);
            }
        }
    }
}

/// Pixels that are worked on together: their channels in f32 are 3 KB and stay in the first cache.
const BLOCK: usize = 256;
/// Sums that grow side by side.
const LANES: usize = 16;

/// Channels of some pixels: whole levels from 0 to 255.
struct Block {
    red: [f32; BLOCK],
    green: [f32; BLOCK],
    blue: [f32; BLOCK],
}

impl Default for Block {
    fn default() -> Block {
        Block { red: [0.0; BLOCK], green: [0.0; BLOCK], blue: [0.0; BLOCK] }
    }
}

impl Block {
    #[inline(always)]
    fn load(&mut self, pixels: &[[u8; 3]]) {
        let channels = self.red.iter_mut().zip(&mut self.green).zip(&mut self.blue);
        for (((red, green), blue), pixel) in channels.zip(pixels) {
            (*red, *green, *blue) = (pixel[0].into(), pixel[1].into(), pixel[2].into());
        }
    }

    #[inline(always)]
    fn store(&self, pixels: &mut [[u8; 3]]) {
        let channels = self.red.iter().zip(&self.green).zip(&self.blue);
        for (((red, green), blue), pixel) in channels.zip(pixels) {
            *pixel = [*red as u8, *green as u8, *blue as u8];
        }
    }

    #[inline(always)]
    fn luma(&self, index: usize) -> f32 {
        let (red, green, blue) = (self.red[index], self.green[index], self.blue[index]);
        whole(red * LUMA[0] + green * LUMA[1] + blue * LUMA[2])
    }

    #[inline(always)]
    fn luma_sum(&self, count: usize) -> u64 {
        // Whole numbers of at most 255, so sums in f32 are exact and any order gives the same.
        // What lies behind the last pixel of the last block does not count.
        let mut sums = [0.0f32; LANES];
        for first in (0..BLOCK).step_by(LANES) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let index = first + lane;
                *sum += if index < count { self.luma(index) } else { 0.0 };
            }
        }
        sums.iter().sum::<f32>() as u64
    }

    /// Every level mixed with one level of grey.
    #[inline(always)]
    fn blend<A: Arithmetic>(&mut self, factor: f64, grey: f32) {
        for channel in [&mut self.red, &mut self.green, &mut self.blue] {
            for level in channel.iter_mut() {
                *level = mixed::<A>(*level, grey, factor);
            }
        }
    }

    /// Every pixel mixed with its own grey.
    #[inline(always)]
    fn saturate<A: Arithmetic>(&mut self, factor: f64) {
        for index in 0..BLOCK {
            let grey = self.luma(index);
            self.red[index] = mixed::<A>(self.red[index], grey, factor);
            self.green[index] = mixed::<A>(self.green[index], grey, factor);
            self.blue[index] = mixed::<A>(self.blue[index], grey, factor);
        }
    }

    /// Turns the hue of the HSV model (Smith 1978): every channel of a pixel lies between its
    /// value and its value less its chroma, by its distance from the hue on the colour circle.
    #[inline(always)]
    fn turn_hue(&mut self, turn: f32) {
        // torchvision scales levels from [0, 1] by this much before it cuts the fraction off.
        const TO_LEVELS: f32 = 255.999 / 255.0;
        for index in 0..BLOCK {
            let (red, green, blue) = (self.red[index], self.green[index], self.blue[index]);
            let value = red.max(green).max(blue);
            let chroma = value - red.min(green).min(blue);
            let divisor = if chroma == 0.0 { 1.0 } else { chroma };
            let sector = if value == red {
                (green - blue) / divisor
            } else if value == green {
                2.0 + (blue - red) / divisor
            } else {
                4.0 + (red - green) / divisor
            };
            let hue = around(around(sector + turn * 6.0 + 6.0));
            let channel = |place: f32| {
                let distance = around(place + hue);
                let share = distance.min(4.0 - distance).clamp(0.0, 1.0);
                whole((value - chroma * share) * TO_LEVELS)
            };
            self.red[index] = channel(5.0);
            self.green[index] = channel(3.0);
            self.blue[index] = channel(1.0);
        }
    }
}

/// `factor` of a level and the rest of a grey. A pixel without colour is its own grey, so the sum
/// is often a whole number but for its last bit; this is how torch rounds it.
#[inline(always)]
fn mixed<A: Arithmetic>(level: f32, grey: f32, factor: f64) -> f32 {
    let rest = (1.0 - factor) as f32;
    whole(A::multiply_add(grey, rest, level * factor as f32).clamp(0.0, 255.0))
}

/// A place on the circle of six sectors, from one of at most two turns.
#[inline(always)]
fn around(place: f32) -> f32 {
    if place >= 6.0 { place - 6.0 } else { place }
}

/// The whole part of a level from 0 to 256. Adding 2^23 rounds to a whole number without an
/// instruction that the oldest processors lack, and so keeps loops of it in vectors.
#[inline(always)]
fn whole(level: f32) -> f32 {
    const ROUNDING: f32 = 8_388_608.0;
    let rounded = (level + ROUNDING) - ROUNDING;
    if rounded > level { rounded - 1.0 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::super::test_scene::keyed;
    use super::*;

    fn noise(count: usize) -> Image {
        let mut random = keyed(3);
        let pixels = (0..count * 3).map(|_| random.next_u32() as u8).collect();
        Image::new(count as u32, 1, pixels).unwrap()
    }

    #[test]
    fn whole_parts_are_those_of_the_standard_library() {
        for step in 0..=25_600 {
            let level = step as f32 / 100.0;
            assert_eq!(whole(level), level.trunc(), "{level}");
        }
    }

    #[test]
    fn factors_that_change_nothing_leave_every_level() {
        let image = noise(700);
        let mut changed = image.clone();
        apply(&mut changed, &[Step::Contrast(1.0), Step::Brightness(1.0), Step::Hue(0.0)]);
        assert_eq!(changed, image);
        // A whole turn comes back, through all of the arithmetic.
        apply(&mut changed, &[Step::Hue(0.5), Step::Hue(0.5)]);
        let worst = changed.pixels.iter().zip(&image.pixels).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(2), "{worst:?}");
    }

    #[test]
    fn steps_in_one_call_are_the_steps_one_by_one() {
        let steps =
            [Step::Hue(-0.1), Step::Contrast(1.3), Step::Saturation(0.7), Step::Brightness(1.1)];
        let mut together = noise(1000);
        let mut alone = together.clone();
        apply(&mut together, &steps);
        steps.iter().for_each(|step| apply(&mut alone, std::slice::from_ref(step)));
        assert_eq!(together, alone);
    }

    #[test]
    fn draws_lie_in_range_and_come_in_every_order() {
        let config = AugmentationConfig::default();
        let mut first = [0; 4];
        for case in 0..200 {
            let steps = draw(&mut keyed(case), &config);
            for (position, step) in steps.iter().enumerate() {
                let (kind, inside) = match *step {
                    Step::Brightness(factor) => (0, (0.6..=1.4).contains(&factor)),
                    Step::Contrast(factor) => (1, (0.6..=1.4).contains(&factor)),
                    Step::Saturation(factor) => (2, (0.6..=1.4).contains(&factor)),
                    Step::Hue(turn) => (3, (-0.1..=0.1).contains(&turn)),
                };
                assert!(inside, "{step:?}");
                first[kind] += usize::from(position == 0);
            }
        }
        assert!(first.iter().all(|&count| count > 25), "{first:?}");
    }
}

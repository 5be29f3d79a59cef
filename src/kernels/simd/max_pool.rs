//! The largest of several pixels, channel by channel.

use super::lanes::Lanes;
use super::{Level, dispatch};

/// Writes to each `channels` floats of `output`, one after the other, the maxima over its window:
/// `window` entries of `offsets`, each the first float of a pixel of `data`. Windows at edges
/// repeat a pixel.
///
/// # Panics
/// When an offset leads outside `data` or the counts do not fit.
pub fn maxima(
    level: Level,
    data: &[f32],
    (offsets, window): (&[usize], usize),
    channels: usize,
    output: &mut [f32],
) {
    assert!(window > 0 && offsets.len().is_multiple_of(window));
    assert_eq!(output.len(), offsets.len() / window * channels);
    let largest = offsets.iter().copied().max().unwrap_or(0);
    assert!(offsets.is_empty() || largest + channels <= data.len());
    let whole = channels - channels % level.width();
    let windows = offsets.chunks_exact(window);
    for (offsets, pixel) in windows.clone().zip(output.chunks_exact_mut(channels.max(1))) {
        for channel in whole..channels {
            let values = offsets.iter().map(|offset| data[offset + channel]);
            pixel[channel] = values.fold(f32::NEG_INFINITY, larger);
        }
    }
    let job = &Job { data, offsets, window, channels, whole, output: output.as_mut_ptr() };
    dispatch!(level, kernel(job: &Job<'_>));
}

/// The larger; a NaN on the right stays, as [`Lanes::maximum`] has it.
fn larger(left: f32, right: f32) -> f32 {
    if left > right { left } else { right }
}

struct Job<'a> {
    data: &'a [f32],
    offsets: &'a [usize],
    window: usize,
    channels: usize,
    /// Channels that fill whole vectors.
    whole: usize,
    output: *mut f32,
}

/// # Safety
/// The level's instructions are enabled; [`maxima`] checked the offsets.
#[inline(always)]
unsafe fn kernel<L: Lanes>(job: &Job<'_>) {
    for (pixel, offsets) in job.offsets.chunks_exact(job.window).enumerate() {
        for channel in (0..job.whole).step_by(L::WIDTH) {
            // SAFETY: `WIDTH` channels from `channel` on exist in every pixel.
            unsafe {
                let mut largest = L::splat(f32::NEG_INFINITY);
                for offset in offsets {
                    let value = L::load(job.data.as_ptr().add(offset + channel));
                    largest = L::maximum(largest, value);
                }
                L::store(job.output.add(pixel * job.channels + channel), largest);
            }
        }
    }
}

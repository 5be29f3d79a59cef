//! What COCO's protocol fixes: the IoU thresholds, the recall points and the ranges of area.

/// Number of IoU thresholds: .50, .55, ... .95.
pub const THRESHOLDS_COUNT: usize = 10;
/// Number of recall points at which precision is read: 0, .01, ... 1.
pub const RECALLS_COUNT: usize = 101;
/// Number of ranges of area: all, small, medium, large.
pub const AREAS_COUNT: usize = 4;

/// Ranges of area in square pixels, both ends included: all, small, medium, large.
pub const AREA_RANGES: [[f64; 2]; AREAS_COUNT] =
    [[0.0, 1e10], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, 1e10]];

/// The ten IoU thresholds, with the bits of `numpy.linspace(.5, .95, 10)`.
pub fn iou_thresholds() -> [f64; THRESHOLDS_COUNT] {
    linspace(0.5, 0.95)
}

/// The 101 recall points, with the bits of `numpy.linspace(0, 1, 101)`.
pub fn recall_points() -> [f64; RECALLS_COUNT] {
    linspace(0.0, 1.0)
}

/// Evenly spaced numbers, rounded as numpy rounds them: index times step, plus start, and the
/// last one exact. Recalls fall on these points often, so one unit in the last place shows.
fn linspace<const COUNT: usize>(first: f64, last: f64) -> [f64; COUNT] {
    let step = (last - first) / (COUNT - 1) as f64;
    let mut points = std::array::from_fn(|index| index as f64 * step + first);
    points[COUNT - 1] = last;
    points
}

//! Boxes. `f32` xyxy in pixels of the upright original image, continuous coordinates: pixel `i`
//! covers `[i, i + 1)` (conventions.md, "Boxes and pixels").

/// A box as `[x0, y0, x1, y1]`.
pub type BoundingBox = [f32; 4];

/// The area of a box in square pixels, in f64; 0 for an inverted box.
pub fn area(bounds: &BoundingBox) -> f64 {
    let width = (f64::from(bounds[2]) - f64::from(bounds[0])).max(0.0);
    width * (f64::from(bounds[3]) - f64::from(bounds[1])).max(0.0)
}

/// The area that two boxes share, in square pixels.
pub fn intersection(first: &BoundingBox, second: &BoundingBox) -> f64 {
    let width = f64::from(first[2].min(second[2])) - f64::from(first[0].max(second[0]));
    let height = f64::from(first[3].min(second[3])) - f64::from(first[1].max(second[1]));
    width.max(0.0) * height.max(0.0)
}

/// Intersection over union in [0, 1]; 0 where both boxes are empty.
pub fn intersection_over_union(first: &BoundingBox, second: &BoundingBox) -> f64 {
    let shared = intersection(first, second);
    let union = area(first) + area(second) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// Whether `inner` lies within `outer`.
pub fn contains(outer: &BoundingBox, inner: &BoundingBox) -> bool {
    outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3]
}

/// xyxy to the xywh of COCO files.
pub fn to_xywh(bounds: &BoundingBox) -> [f32; 4] {
    [bounds[0], bounds[1], bounds[2] - bounds[0], bounds[3] - bounds[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_of_shifted_squares() {
        let (first, second) = ([0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]);
        assert_eq!(intersection(&first, &second), 1.0);
        assert!((intersection_over_union(&first, &second) - 1.0 / 7.0).abs() < 1e-12);
        assert_eq!(intersection_over_union(&first, &[5.0, 5.0, 6.0, 6.0]), 0.0);
        assert_eq!(intersection_over_union(&[1.0; 4], &[1.0; 4]), 0.0);
        assert!(contains(&[0.0, 0.0, 4.0, 4.0], &first) && !contains(&first, &second));
        assert_eq!(to_xywh(&second), [1.0, 1.0, 2.0, 2.0]);
    }
}

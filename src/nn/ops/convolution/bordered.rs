//! Copies of a dense map with a border of zeros, which is what padding reads.

use crate::kernels::activation::Layout;
use crate::workers::Workers;

/// Copies `map` (dense) to `to`, laid out as `layout`; where `mask` is not positive, zeros.
pub(super) fn copy_with_border(
    map: &[f32],
    mask: Option<&[f32]>,
    layout: Layout,
    to: &mut [f32],
    workers: &Workers,
) {
    let (side, inside) = (layout.border * layout.channels, layout.width * layout.channels);
    workers.for_each_piece(to, layout.row_length().max(1), |row, to| {
        let (image, row) = (row / layout.image_rows(), row % layout.image_rows());
        if row < layout.border || row >= layout.border + layout.height {
            to.fill(0.0);
            return;
        }
        let start = (image * layout.height + row - layout.border) * inside;
        let (before, rest) = to.split_at_mut(side);
        let (to, after) = rest.split_at_mut(inside);
        before.fill(0.0);
        after.fill(0.0);
        let from = &map[start..start + inside];
        match mask {
            None => to.copy_from_slice(from),
            Some(mask) => {
                let pairs = from.iter().zip(&mask[start..start + inside]);
                for (to, (value, mask)) in to.iter_mut().zip(pairs) {
                    *to = if *mask > 0.0 { *value } else { 0.0 };
                }
            }
        }
    });
}

//! What padding means to the levels of a batch: masks, valid shares, and where encoder queries look.
//!
//! Images of a batch are padded at the right and at the bottom. A cell is valid where the pixel that
//! nearest-neighbour resizing of the mask would take is inside the image; the valid share of a
//! level scales points between the image and the padded map (official code; algorithm.md §2.1).

/// The levels of a batch of one padded size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchGeometry {
    /// Of the padded images.
    pub height: usize,
    /// Of the padded images.
    pub width: usize,
    /// Height and width of each level, finest first.
    pub levels: Vec<(usize, usize)>,
}

/// The tensors that depend on the sizes of the images alone.
#[derive(Debug)]
pub struct GeometryTensors<'a> {
    /// `[images, cells]` of all levels: 1 where valid, else 0.
    pub mask: &'a mut [f32],
    /// `[images, levels, 2]`: valid share of the width and of the height.
    pub valid_shares: &'a mut [f32],
    /// `[images, cells, levels, 2]`: where each cell looks in each level, x before y.
    pub references: &'a mut [f32],
}

impl BatchGeometry {
    /// Cells of all levels.
    pub fn cells_count(&self) -> usize {
        self.levels.iter().map(|(height, width)| height * width).sum()
    }

    /// Fills `tensors` for images whose un-padded `[height, width]` are `sizes`.
    pub fn fill(&self, sizes: &[[u32; 2]], tensors: &mut GeometryTensors<'_>) {
        let (cells, levels) = (self.cells_count(), self.levels.len());
        let masks = tensors.mask.chunks_exact_mut(cells);
        let shares = tensors.valid_shares.chunks_exact_mut(2 * levels);
        let references = tensors.references.chunks_exact_mut(cells * levels * 2);
        for ((&size, mask), (shares, references)) in
            sizes.iter().zip(masks).zip(shares.zip(references))
        {
            self.fill_image(size, mask, shares, references);
        }
    }

    fn fill_image(
        &self,
        [image_height, image_width]: [u32; 2],
        mask: &mut [f32],
        shares: &mut [f32],
        references: &mut [f32],
    ) {
        let mut cell = 0;
        for (&(height, width), share) in self.levels.iter().zip(shares.chunks_exact_mut(2)) {
            let rows = valid_cells(image_height as usize, self.height, height);
            let columns = valid_cells(image_width as usize, self.width, width);
            share[0] = columns as f32 / width as f32;
            share[1] = rows as f32 / height as f32;
            for y in 0..height {
                for x in 0..width {
                    mask[cell] = if y < rows && x < columns { 1.0 } else { 0.0 };
                    cell += 1;
                }
            }
        }
        let mut targets = references.chunks_exact_mut(2);
        for (&(height, width), own) in self.levels.iter().zip(shares.chunks_exact(2)) {
            for y in 0..height {
                for x in 0..width {
                    let x = (x as f32 + 0.5) / (own[0] * width as f32);
                    let y = (y as f32 + 0.5) / (own[1] * height as f32);
                    for (share, target) in shares.chunks_exact(2).zip(targets.by_ref()) {
                        target[0] = x * share[0];
                        target[1] = y * share[1];
                    }
                }
            }
        }
    }
}

/// How many of `cells` cells along a padded side lie in the image.
fn valid_cells(image: usize, padded: usize, cells: usize) -> usize {
    // Cell i takes pixel floor(i * padded / cells).
    (0..cells).take_while(|cell| cell * padded / cells < image).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_masked_and_points_are_scaled() {
        let geometry = BatchGeometry { height: 8, width: 16, levels: vec![(2, 4), (1, 2)] };
        assert_eq!(geometry.cells_count(), 10);
        let (mut mask, mut shares) = (vec![9.0; 20], vec![9.0; 8]);
        let mut references = vec![9.0; 80];
        let (mask, valid_shares) = (&mut mask[..], &mut shares[..]);
        let mut tensors = GeometryTensors { mask, valid_shares, references: &mut references };
        geometry.fill(&[[8, 16], [4, 12]], &mut tensors);
        assert_eq!(tensors.mask[..10], [1.0; 10]);
        assert_eq!(tensors.mask[10..], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(tensors.valid_shares[..4], [1.0; 4]);
        // 3 of 4 columns and 1 of 2 rows; the coarse level takes pixels 0 and 8 of 12.
        assert_eq!(tensors.valid_shares[4..], [0.75, 0.5, 1.0, 1.0]);
        // First image, second cell of the fine level: its centre in every level.
        assert_eq!(tensors.references[4..8], [0.375, 0.25, 0.375, 0.25]);
        // Second image, the same cell: (1.5 / 3, 0.5 / 1), scaled by each level's valid share.
        assert_eq!(tensors.references[44..48], [0.375, 0.25, 0.5, 0.5]);
    }
}

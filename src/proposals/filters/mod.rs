//! The filters of patent ¶57, one file each: (a) `similar_centroids`, (b) `components_count`,
//! (c) `duplicates`, (d) `nested`, (e) `cap`; they run in this order. `large`, which is ours, comes
//! before the cap.

pub mod cap;
pub mod components_count;
pub mod duplicates;
pub mod large;
pub mod nested;
pub mod similar_centroids;

#[cfg(test)]
pub mod scene {
    //! Regions on a strip of 100 cells, for the tests of the filters.

    use crate::proposals::grid::Grid;
    use crate::proposals::regions::Regions;

    /// Regions that cover the cells `from..to`, with boxes of the same extent and vectors of two
    /// dimensions.
    pub fn strip(regions: &[(usize, usize, [f32; 2])]) -> Regions {
        let mut scene = Regions::default();
        scene.clear(Grid { height: 1, width: 100 }, 2);
        for (index, &(from, to, vector)) in regions.iter().enumerate() {
            scene.push([from as f32, 0.0, to as f32, 1.0], (to - from) as f32 / 100.0, 0, 2);
            for cell in from..to {
                scene.masks[index * 2 + cell / 64] |= 1 << (cell % 64);
            }
            scene.compared.extend(vector);
            scene.pooled.extend(vector);
        }
        scene
    }
}

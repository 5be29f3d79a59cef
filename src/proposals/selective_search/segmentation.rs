//! The regions that Selective Search begins with: graph segmentation of the smoothed image.
//!
//! Source: Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004.
//! Pixels are joined along edges in rising order of colour difference as long as the difference
//! is within what either side already holds, plus `scale` divided by its size.

/// Pixels in a row-major square, each with the number of its region, 0 to `count - 1` in the order
/// in which regions are first met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segmentation {
    pub(super) labels: Vec<u32>,
    pub(super) count: usize,
}

/// Two neighbouring pixels and how much their colours differ.
#[derive(Debug, Clone, Copy)]
struct Edge {
    weight: f32,
    first: u32,
    second: u32,
}

/// The edges of a smoothed image, sorted; they serve every scale.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    edges: Vec<Edge>,
    pixels: usize,
}

impl Graph {
    /// Smooths `pixels` (`side * side`) by a Gaussian of `sigma` pixels and links each pixel with
    /// the four around it.
    pub(super) fn new(pixels: &[[u8; 3]], side: usize, sigma: f32) -> Graph {
        let smoothed = smooth(pixels, side, sigma);
        let mut edges = Vec::with_capacity(2 * smoothed.len());
        let mut link = |first: usize, second: usize| {
            let differences = smoothed[first].iter().zip(smoothed[second]);
            let squares: f32 = differences.map(|(a, b)| (a - b) * (a - b)).sum();
            let weight = squares.sqrt();
            edges.push(Edge { weight, first: first as u32, second: second as u32 });
        };
        for pixel in 0..smoothed.len() {
            if (pixel + 1) % side != 0 {
                link(pixel, pixel + 1);
            }
            if pixel + side < smoothed.len() {
                link(pixel, pixel + side);
            }
        }
        // A stable sort: equal differences keep the order of the pixels on every machine.
        edges.sort_by(|a, b| a.weight.total_cmp(&b.weight));
        Graph { edges, pixels: smoothed.len() }
    }

    /// Segments with one `scale` (the paper's k; larger gives larger regions), then joins every
    /// region under `pixels_min` to its most similar neighbour.
    pub(super) fn segment(&self, scale: f32, pixels_min: u32) -> Segmentation {
        let mut sets = DisjointSets::new(self.pixels);
        let mut thresholds = vec![scale; self.pixels];
        for edge in &self.edges {
            let (first, second) = (sets.root(edge.first), sets.root(edge.second));
            let threshold = thresholds[first as usize].min(thresholds[second as usize]);
            if first != second && edge.weight <= threshold {
                let root = sets.join(first, second) as usize;
                thresholds[root] = edge.weight + scale / sets.sizes[root] as f32;
            }
        }
        for edge in &self.edges {
            let (first, second) = (sets.root(edge.first), sets.root(edge.second));
            let smaller = sets.sizes[first as usize].min(sets.sizes[second as usize]);
            if first != second && smaller < pixels_min {
                sets.join(first, second);
            }
        }
        let mut names = vec![u32::MAX; self.pixels];
        let mut count = 0;
        let labels = (0..self.pixels as u32).map(|pixel| {
            let name = &mut names[sets.root(pixel) as usize];
            if *name == u32::MAX {
                *name = count;
                count += 1;
            }
            *name
        });
        let labels = labels.collect();
        Segmentation { labels, count: count as usize }
    }
}

/// Union by size with path halving.
struct DisjointSets {
    parents: Vec<u32>,
    sizes: Vec<u32>,
}

impl DisjointSets {
    fn new(count: usize) -> DisjointSets {
        DisjointSets { parents: (0..count as u32).collect(), sizes: vec![1; count] }
    }

    fn root(&mut self, mut element: u32) -> u32 {
        loop {
            let parent = self.parents[element as usize];
            if parent == element {
                return element;
            }
            let above = self.parents[parent as usize];
            self.parents[element as usize] = above;
            element = above;
        }
    }

    /// Joins two roots and answers the root of both.
    fn join(&mut self, first: u32, second: u32) -> u32 {
        let (large, small) = match self.sizes[first as usize] < self.sizes[second as usize] {
            true => (second, first),
            false => (first, second),
        };
        self.parents[small as usize] = large;
        self.sizes[large as usize] += self.sizes[small as usize];
        large
    }
}

/// A separable Gaussian, cut at four deviations; beyond the border the image is mirrored around
/// its last pixel.
fn smooth(pixels: &[[u8; 3]], side: usize, sigma: f32) -> Vec<[f32; 3]> {
    let radius = (4.0 * sigma).round() as i64;
    let weight = |offset: i64| (-0.5 * (offset as f32 / sigma).powi(2)).exp();
    let total: f32 = (-radius..=radius).map(weight).sum();
    let kernel: Vec<f32> = (-radius..=radius).map(|offset| weight(offset) / total).collect();
    let along = |source: &dyn Fn(usize) -> [f32; 3], center: usize| {
        let mut sum = [0.0; 3];
        for (tap, weight) in kernel.iter().enumerate() {
            let value = source(mirror(center as i64 + tap as i64 - radius, side));
            (0..3).for_each(|channel| sum[channel] += weight * value[channel]);
        }
        sum
    };
    let cells = 0..side * side;
    let rows: Vec<[f32; 3]> = cells
        .clone()
        .map(|pixel| along(&|x| pixels[pixel / side * side + x].map(f32::from), pixel % side))
        .collect();
    cells.map(|pixel| along(&|y| rows[y * side + pixel % side], pixel / side)).collect()
}

/// Index `at` of a line of `side` pixels that is mirrored at its ends, the last pixel once.
pub(super) fn mirror(at: i64, side: usize) -> usize {
    let last = side as i64 - 1;
    if (0..=last).contains(&at) {
        return at as usize;
    }
    if last == 0 {
        return 0;
    }
    let phase = at.rem_euclid(2 * last);
    phase.min(2 * last - phase) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(side: usize) -> Vec<[u8; 3]> {
        let colour = |pixel: usize| if pixel % side < side / 2 { [20; 3] } else { [220; 3] };
        (0..side * side).map(colour).collect()
    }

    #[test]
    fn two_flat_halves_are_two_regions_and_a_flat_image_one() {
        let graph = Graph::new(&halves(32), 32, 0.8);
        let segmentation = graph.segment(150.0, 100);
        assert_eq!(segmentation.count, 2);
        assert_eq!((segmentation.labels[0], segmentation.labels[31]), (0, 1));
        assert_eq!(Graph::new(&[[7; 3]; 64], 8, 0.8).segment(150.0, 10).count, 1);
        assert_eq!(Graph::new(&[[7; 3]], 1, 0.8).segment(150.0, 10).count, 1);
    }

    #[test]
    fn regions_below_the_smallest_size_join_a_neighbour() {
        let mut pixels = halves(32);
        for pixel in [5 * 32 + 5, 5 * 32 + 6, 6 * 32 + 5, 6 * 32 + 6] {
            pixels[pixel] = [255, 0, 0];
        }
        let graph = Graph::new(&pixels, 32, 0.1);
        assert_eq!(graph.segment(10.0, 1).count, 3);
        assert_eq!(graph.segment(10.0, 5).count, 2);
    }

    /// OpenCV's graph segmentation of the same levels, as pairs of labels that should name the
    /// same pixels. Rounding in the smoothing can swap near ties, so a few pixels may differ.
    #[test]
    fn segments_are_opencvs() {
        const SIDE: usize = 128;
        const LEVELS: &[u8] =
            include_bytes!("../../../tests/golden/selective_search/segmentation_levels.bin");
        const LABELS: &[u8] =
            include_bytes!("../../../tests/golden/selective_search/segmentation_labels.bin");
        let pixels: Vec<[u8; 3]> = LEVELS.as_chunks().0.to_vec();
        let graph = Graph::new(&pixels, SIDE, 0.8);
        for (scale, theirs) in [150.0, 300.0, 450.0].into_iter().zip(LABELS.chunks(SIDE * SIDE)) {
            let ours = graph.segment(scale, 100);
            let mut shared = std::collections::BTreeMap::new();
            for (ours, theirs) in ours.labels.iter().zip(theirs) {
                *shared.entry((*ours, *theirs)).or_insert(0) += 1;
            }
            let mut largest = vec![0; ours.count];
            for ((label, _), pixels) in shared {
                largest[label as usize] = largest[label as usize].max(pixels);
            }
            let agreeing: usize = largest.iter().sum();
            let count = usize::from(*theirs.iter().max().unwrap()) + 1;
            assert!(ours.count.abs_diff(count) <= 1, "{} of {count} segments", ours.count);
            assert!(agreeing as f64 > 0.97 * pixels.len() as f64, "{agreeing} at {scale}");
        }
    }

    #[test]
    fn smoothing_keeps_the_sum_of_a_dot_and_mirrors_at_the_border() {
        let mut pixels = vec![[0; 3]; 15 * 15];
        pixels[7 * 15 + 7] = [200; 3];
        let total: f32 = smooth(&pixels, 15, 0.8).iter().map(|pixel| pixel[1]).sum();
        assert!((total - 200.0).abs() < 1e-3, "{total}");
        assert_eq!((mirror(-2, 5), mirror(6, 5), mirror(4, 5), mirror(3, 1)), (2, 2, 4, 0));
    }
}

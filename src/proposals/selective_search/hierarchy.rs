//! Regions joined two by two, the most similar first, until one is left: every step is a
//! candidate for an object (Uijlings et al. 2013, algorithm 1).

use super::descriptors::{Mix, Region};
use super::segmentation::Segmentation;
use crate::Result;
use crate::control::Control;
use std::collections::BTreeSet;

/// One region of a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// `[x0, y0, x1, y1)` in pixels.
    pub(super) bounds: [u32; 4],
    /// 1 for a segment, one more than the higher of its parts for a union.
    pub(super) level: u32,
    /// The two nodes that were joined; nothing for a segment.
    pub(super) parts: Option<[usize; 2]>,
}

/// Pairs of segments that touch, along sides or corners; each pair once, the smaller first.
pub(super) fn neighbours(segmentation: &Segmentation, side: usize) -> BTreeSet<(usize, usize)> {
    let mut pairs = BTreeSet::new();
    let labels = &segmentation.labels;
    for (pixel, label) in labels.iter().enumerate() {
        let (x, y) = (pixel % side, pixel / side);
        let mut touch = |other: usize| {
            let (first, second) = (*label as usize, labels[other] as usize);
            if first != second {
                pairs.insert((first.min(second), first.max(second)));
            }
        };
        if x > 0 {
            touch(pixel - 1);
        }
        if y > 0 {
            touch(pixel - side);
        }
        if x > 0 && y > 0 {
            touch(pixel - side - 1);
        }
        if x + 1 < side && y > 0 {
            touch(pixel - side + 1);
        }
    }
    pairs
}

struct Pair {
    nodes: [usize; 2],
    similarity: f32,
}

/// Builds the hierarchy over `segments`: they come first, unions after them in the order in which
/// they were made. Each joining leaves one region fewer, so they end whatever the similarities are.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub(super) fn group(
    segments: &[Region],
    neighbours: &BTreeSet<(usize, usize)>,
    mix: Mix,
    image_pixels: u32,
    control: &Control<'_>,
) -> Result<Vec<Node>> {
    let mut regions = segments.to_vec();
    let leaf = |region: &Region| Node { bounds: region.bounds, level: 1, parts: None };
    let mut nodes: Vec<Node> = segments.iter().map(leaf).collect();
    let compare = |regions: &[Region], first: usize, second: usize| Pair {
        nodes: [first, second],
        similarity: regions[first].similarity(&regions[second], mix, image_pixels),
    };
    let mut pairs: Vec<Pair> =
        neighbours.iter().map(|(first, second)| compare(&regions, *first, *second)).collect();
    while let Some(best) = most_similar(&pairs) {
        control.check()?;
        let joined = pairs[best].nodes;
        let [first, second] = joined;
        let union = nodes.len();
        regions.push(regions[first].unite(&regions[second]));
        nodes.push(Node {
            bounds: regions[union].bounds,
            level: nodes[first].level.max(nodes[second].level) + 1,
            parts: Some(joined),
        });
        let mut around = BTreeSet::new();
        pairs.retain(|pair| {
            let [a, b] = pair.nodes;
            match (joined.contains(&a), joined.contains(&b)) {
                (false, false) => return true,
                (true, false) => drop(around.insert(b)),
                (false, true) => drop(around.insert(a)),
                (true, true) => {}
            }
            false
        });
        pairs.extend(around.into_iter().map(|other| compare(&regions, union, other)));
    }
    Ok(nodes)
}

/// The first of the largest, so that ties do not depend on the machine.
fn most_similar(pairs: &[Pair]) -> Option<usize> {
    let indices = 0..pairs.len();
    indices.reduce(
        |best, next| {
            if pairs[next].similarity > pairs[best].similarity { next } else { best }
        },
    )
}

/// The segments that a node is made of.
pub(super) fn segments_of(nodes: &[Node], node: usize) -> Vec<usize> {
    let (mut open, mut segments) = (vec![node], Vec::new());
    while let Some(node) = open.pop() {
        match nodes[node].parts {
            Some(parts) => open.extend(parts),
            None => segments.push(node),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::super::descriptors::{describe, texture_bins};
    use super::*;

    const SIZE_ONLY: Mix = Mix { colour: 0.0, texture: 0.0, size: 1.0, fill: 0.0 };

    /// Four columns of 1, 1, 2 and 4 pixels' width.
    fn columns() -> (Segmentation, Vec<Region>) {
        let side = 8;
        let label = |pixel: usize| [0, 1, 2, 2, 3, 3, 3, 3][pixel % side];
        let segmentation = Segmentation { labels: (0..64).map(label).collect(), count: 4 };
        let pixels = vec![[0; 3]; 64];
        let regions = describe(&pixels, &texture_bins(&pixels, side), &segmentation, side);
        (segmentation, regions)
    }

    #[test]
    fn the_smallest_join_first_until_one_is_left() {
        let (segmentation, regions) = columns();
        let pairs = neighbours(&segmentation, 8);
        assert_eq!(pairs.iter().copied().collect::<Vec<_>>(), [(0, 1), (1, 2), (2, 3)]);
        let nodes = group(&regions, &pairs, SIZE_ONLY, 64, &Control::default()).unwrap();
        let unions: Vec<_> = nodes[4..].iter().map(|node| (node.bounds, node.level)).collect();
        assert_eq!(unions, [([0, 0, 2, 8], 2), ([0, 0, 4, 8], 3), ([0, 0, 8, 8], 4)]);
        let mut segments = segments_of(&nodes, 5);
        segments.sort_unstable();
        assert_eq!(segments, [0, 1, 2]);
    }

    #[test]
    fn one_segment_is_its_own_hierarchy() {
        let (_, regions) = columns();
        let control = Control::default();
        let nodes = group(&regions[..1], &BTreeSet::new(), SIZE_ONLY, 64, &control).unwrap();
        assert_eq!((nodes.len(), nodes[0].level), (1, 1));
    }
}

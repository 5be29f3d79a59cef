//! From logits and boxes of one image to detections.
//!
//! Two readings: the official detectors' (the best pairs of query and class), and that of
//! relabelling (one box a query with its best class, patent ¶40).

/// A box that a detector found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// xyxy in pixels of the original image, clipped to it.
    pub bounds: [f32; 4],
    pub class: u32,
    /// Sigmoid of the class logit.
    pub score: f32,
}

/// What one image's predictions are read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The best pairs of query and class, so that a query may appear with several classes.
    Pairs,
    /// Each query once, with its best class.
    Queries,
}

/// The `count` best detections of one image, best first; ties by query, then by class.
///
/// `logits` are `[queries, classes]`, `boxes` `[queries, 4]` cxcywh in units of the un-padded image
/// of `width` by `height` pixels.
pub fn best(
    logits: &[f32],
    boxes: &[f32],
    (width, height): (f32, f32),
    count: usize,
    reading: Reading,
) -> Vec<Detection> {
    let queries = boxes.len() / 4;
    let classes = logits.len() / queries.max(1);
    let mut candidates: Vec<(f32, u32)> = match reading {
        Reading::Pairs => {
            logits.iter().enumerate().map(|(pair, logit)| (*logit, pair as u32)).collect()
        }
        Reading::Queries => {
            let best_class = |(query, row): (usize, &[f32])| {
                let mut best = 0;
                for (class, logit) in row.iter().enumerate() {
                    if *logit > row[best] {
                        best = class;
                    }
                }
                (row[best], (query * classes + best) as u32)
            };
            logits.chunks_exact(classes).enumerate().map(best_class).collect()
        }
    };
    let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if candidates.len() > count {
        candidates.select_nth_unstable_by(count, order);
        candidates.truncate(count);
    }
    candidates.sort_unstable_by(order);
    let detection = |(logit, pair): (f32, u32)| {
        let (query, class) = (pair as usize / classes, pair as usize % classes);
        let [x, y, w, h] = [0, 1, 2, 3].map(|part| boxes[4 * query + part]);
        let clip = |value: f32, side: f32| (value * side).clamp(0.0, side);
        let bounds = [
            clip(x - w / 2.0, width),
            clip(y - h / 2.0, height),
            clip(x + w / 2.0, width),
            clip(y + h / 2.0, height),
        ];
        Detection { bounds, class: class as u32, score: 1.0 / (1.0 + (-logit).exp()) }
    };
    candidates.into_iter().map(detection).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOXES: [f32; 8] = [0.5, 0.5, 0.5, 0.5, 0.1, 0.5, 0.4, 1.0];

    #[test]
    fn pairs_may_repeat_a_query_and_queries_may_not() {
        let logits = [2.0, 1.0, -3.0, 0.0, -1.0, -2.0];
        let found = best(&logits, &BOXES, (100.0, 50.0), 2, Reading::Pairs);
        assert_eq!([found[0].class, found[1].class], [0, 1]);
        assert_eq!(found[0].bounds, [25.0, 12.5, 75.0, 37.5]);
        assert!((found[0].score - 0.880_797).abs() < 1e-6);
        let found = best(&logits, &BOXES, (100.0, 50.0), 5, Reading::Queries);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].class, found[1].score), (0, 0.5));
        let left = found[1].bounds;
        assert!(left[0] == 0.0 && (left[2] - 30.0).abs() < 1e-4 && left[3] == 50.0);
    }

    #[test]
    fn ties_go_to_the_first_query_and_class() {
        let found = best(&[1.0; 6], &BOXES, (1.0, 1.0), 3, Reading::Pairs);
        assert_eq!(found.iter().map(|one| one.class).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(found.iter().all(|one| one.bounds == found[0].bounds));
    }
}

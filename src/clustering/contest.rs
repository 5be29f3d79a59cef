//! Who can still be the best centroid of each row, while a filter looks at all of them.
//!
//! Filters offer what they could not rule out, and the search tells what it knows exactly; both only
//! ever raise a row's threshold.

/// A centroid that a filter could not rule out, with its rough score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub class: u32,
    pub score: f32,
}

/// Who is still in the running for each row.
#[derive(Debug, Default)]
pub(super) struct Contest {
    /// Rough scores at or below cannot belong to the best centroid.
    pub thresholds: Vec<f32>,
    /// How far below the exact score, less the row's offset, a rough score may be.
    pub slacks: Vec<f32>,
    /// How far below any rough score that of the best centroid may be.
    pub spans: Vec<f32>,
    /// What the filter leaves out of all scores of a row.
    pub offsets: Vec<f32>,
    pub candidates: Vec<Vec<Candidate>>,
}

impl Contest {
    /// Forgets earlier rows; `count` rows begin, filled up to a multiple of `padding`.
    pub fn start(&mut self, count: usize, padding: usize) {
        for values in [&mut self.slacks, &mut self.spans, &mut self.offsets] {
            values.clear();
            values.resize(count, 0.0);
        }
        self.thresholds.clear();
        self.thresholds.resize(count, f32::NEG_INFINITY);
        // Nothing passes in the rows that fill up the last tile.
        self.thresholds.resize(count.next_multiple_of(padding), f32::INFINITY);
        self.candidates.iter_mut().for_each(Vec::clear);
        if self.candidates.len() < count {
            self.candidates.resize(count, Vec::new());
        }
    }

    /// Takes in a score above the row's threshold.
    #[inline]
    pub fn offer(&mut self, row: usize, class: u32, score: f32) {
        self.candidates[row].push(Candidate { class, score });
        self.thresholds[row] = self.thresholds[row].max(score - self.spans[row]);
    }

    /// Takes in the exact score of some centroid.
    pub fn hear(&mut self, row: usize, exact: f32) {
        let threshold = exact - self.offsets[row] - self.slacks[row];
        self.thresholds[row] = self.thresholds[row].max(threshold);
    }
}

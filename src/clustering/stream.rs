//! A table of any size, in blocks that fit a memory budget.

use super::nearest::Nearest;
use super::slab::{Rules, Slab};
use crate::control::Control;
use crate::data::vectors::VectorSource;
use crate::workers::Workers;
use crate::{Error, Result, memory};
use std::ops::Range;

/// With what a call may run.
#[derive(Clone, Copy)]
pub struct Resources<'a> {
    pub workers: &'a Workers,
    pub control: Control<'a>,
    /// Bytes that the call may allocate.
    pub memory_bytes_max: u64,
}

/// What is left of the bytes that a call may allocate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    total: u64,
    taken: u64,
}

impl Budget {
    pub fn new(total: u64) -> Budget {
        Budget { total, taken: 0 }
    }

    pub fn left(&self) -> u64 {
        self.total.saturating_sub(self.taken)
    }

    /// Sets `bytes` aside for `what`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] about `memory_bytes_max` with what it must at least be;
    /// [`Error::OutOfMemory`] where the machine has less.
    pub fn take(&mut self, what: &str, bytes: u64) -> Result<()> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken > self.total {
            let reason = format!("{} bytes, but {what} needs {}", self.total, self.taken);
            return Err(Error::invalid("memory_bytes_max", reason));
        }
        memory::probe(bytes, what)
    }
}

/// Bytes of vectors that one task searches at a time: with the centroids' panels they stay in a
/// second-level cache.
const SLAB_BYTES: usize = 1 << 17;
/// Most and fewest vectors of a slab, multiples of the 14 rows of a tile.
const SLAB_ROWS: Range<usize> = 14..448;
/// Slabs for each thread, so that one that is slow does not hold up the others.
const SLABS_PER_THREAD: usize = 6;

/// Candidates of a vector that the budget counts on; few vectors have more.
const CANDIDATES: usize = 32;

/// Reads a source block by block.
pub(super) struct Stream<'a> {
    source: &'a dyn VectorSource,
    rules: Rules,
    slab_rows: usize,
    slabs: Vec<Slab>,
}

impl<'a> Stream<'a> {
    /// Plans slabs within what is left of `budget`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when not even one fits.
    pub fn new(
        source: &'a dyn VectorSource,
        rules: Rules,
        budget: &mut Budget,
        workers: &Workers,
    ) -> Result<Stream<'a>> {
        let dimensions = source.dimensions();
        let fitting = SLAB_BYTES / dimensions.max(1);
        let fewest = SLAB_ROWS.start;
        let mut slab_rows = (fitting - fitting % fewest).clamp(fewest, SLAB_ROWS.end);
        // Vectors, labels, scores, and four numbers and a list of candidates each.
        let row_bytes = dimensions * 4 + 8 + 16 + size_of::<Vec<u64>>() + CANDIDATES * 8;
        let bytes_of =
            |rows: usize| (rows * row_bytes + Nearest::scratch_bytes(rows, dimensions)) as u64;
        // What the search needs beside the vectors differs between processors.
        while slab_rows > fewest && bytes_of(slab_rows) > budget.left() {
            slab_rows = (slab_rows / 2 / fewest * fewest).max(fewest);
        }
        let slab_bytes = bytes_of(slab_rows);
        let wanted = (workers.count() * SLABS_PER_THREAD) as u64;
        let count = (budget.left() / slab_bytes).clamp(1, wanted);
        budget.take("a block of vectors", count * slab_bytes)?;
        let slabs = (0..count).map(|_| Slab::default()).collect();
        Ok(Stream { source, rules, slab_rows, slabs })
    }

    /// Loads the rows of `range` block by block, searches them if `nearest` is given, and hands
    /// each block to `each`. `guesses` are empty or one for each row of the range; a search
    /// starts from them and leaves its labels there.
    ///
    /// # Errors
    /// Those of reading (of the lowest slab), of `each`, and [`Error::Cancelled`].
    pub fn run(
        &mut self,
        range: Range<u64>,
        nearest: Option<&Nearest<'_>>,
        guesses: &mut [u32],
        resources: &Resources<'_>,
        mut each: impl FnMut(&[Slab]) -> Result<()>,
    ) -> Result<()> {
        let block_rows = (self.slab_rows * self.slabs.len()) as u64;
        let mut first = range.start;
        while first < range.end {
            resources.control.check()?;
            let end = range.end.min(first + block_rows);
            let tasks = (end - first).div_ceil(self.slab_rows as u64) as usize;
            let known = &*guesses;
            self.fill(first..end, tasks, resources.workers, |slab| {
                let from = (slab.first - range.start) as usize;
                if let Some(known) = known.get(from..from + slab.labels.len()) {
                    slab.labels.copy_from_slice(known);
                }
                if let Some(nearest) = nearest {
                    slab.search(nearest);
                }
            })?;
            for slab in &self.slabs[..tasks] {
                let from = (slab.first - range.start) as usize;
                if let Some(guesses) = guesses.get_mut(from..from + slab.labels.len()) {
                    guesses.copy_from_slice(&slab.labels);
                }
            }
            each(&self.slabs[..tasks])?;
            first = end;
        }
        Ok(())
    }

    fn fill(
        &mut self,
        rows: Range<u64>,
        tasks: usize,
        workers: &Workers,
        work: impl Fn(&mut Slab) + Sync,
    ) -> Result<()> {
        let (source, rules, slab_rows) = (self.source, self.rules, self.slab_rows as u64);
        let mut answers: Vec<(&mut Slab, Result<()>)> =
            self.slabs[..tasks].iter_mut().map(|slab| (slab, Ok(()))).collect();
        workers.for_each_piece(&mut answers, 1, |index, answer| {
            let (slab, outcome) = &mut answer[0];
            let first = rows.start + index as u64 * slab_rows;
            let count = slab_rows.min(rows.end - first) as usize;
            *outcome = slab.load(source, first, count, rules);
            if outcome.is_ok() {
                work(slab);
            }
        });
        answers.into_iter().try_for_each(|(_, outcome)| outcome)
    }
}

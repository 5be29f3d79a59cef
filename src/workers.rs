//! Who runs the work: the caller's thread, a pool shared by thread count, or the host's job system.
//!
//! `threads = 1` uses the caller's thread alone: no thread is started and nothing is allocated,
//! which is what frame loops ask for. Other counts share one reference-counted pool for each
//! count; rayon's global pool, which belongs to the host, is never touched (conventions.md,
//! "Options"). Work is split by index and never by thread, so results do not depend on the count.
//! After `fork` the child's handles take pools of their own; see `pools`.

mod ending;
mod host_loop;
pub mod lent;
mod pools;
mod scratch;

use crate::{Error, Result};
use host_loop::Task;
use pools::Pool;
use rayon::prelude::*;
use scratch::Scratch;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use ending::end_call;
pub use ending::ended_by;
pub use host_loop::HostParallelFor;
pub use pools::threads_count;

/// Runs indexed tasks. Cheap to clone; handles keep one.
#[derive(Clone)]
pub struct Workers {
    kind: Kind,
    /// One for all clones.
    scratch: Arc<Scratch>,
}

#[derive(Clone)]
enum Kind {
    Caller,
    Pool(Arc<Pool>),
    Host { count: usize, parallel_for: HostParallelFor },
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Workers({})", self.count())
    }
}

/// Most threads that any key of a document may name; what this machine takes is
/// [`threads_count`]'s to say.
pub const THREADS_MAX: usize = 1024;

impl Workers {
    /// Only the caller's thread.
    pub fn caller() -> Workers {
        Workers::of(Kind::Caller)
    }

    fn of(kind: Kind) -> Workers {
        let count = match &kind {
            Kind::Caller => 1,
            Kind::Pool(pool) => pool.threads(),
            Kind::Host { count, .. } => *count,
        };
        Workers { kind, scratch: Arc::new(Scratch::new(count)) }
    }

    /// Only the thread that asks, with the scratch of these workers: for a task of theirs that has loops
    /// of its own. Allocates nothing.
    pub fn alone(&self) -> Workers {
        Workers { kind: Kind::Caller, scratch: Arc::clone(&self.scratch) }
    }

    /// `threads` threads: 0 is one for each processor, 1 the caller's own.
    ///
    /// # Errors
    /// Those of [`threads_count`]; [`Error::Internal`] when the system refuses to start threads.
    pub fn with_threads(threads: usize) -> Result<Workers> {
        let kind = match threads_count("threads", threads)? {
            1 => Kind::Caller,
            threads => Kind::Pool(Arc::new(Pool::new(threads)?)),
        };
        Ok(Workers::of(kind))
    }

    /// The host's job system; `count` says how many tasks it runs at once. A loop in which it does
    /// not call each task once ends its call by a panic whose payload [`ended_by`] reads.
    pub fn host(count: usize, parallel_for: HostParallelFor) -> Workers {
        Workers::of(Kind::Host { count: count.max(1), parallel_for })
    }

    /// How many tasks run at once.
    pub fn count(&self) -> usize {
        match &self.kind {
            Kind::Caller => 1,
            Kind::Pool(pool) => pool.threads(),
            Kind::Host { count, .. } => *count,
        }
    }

    /// Only the caller's thread, with scratch for a thread of each processor: for a handle whose calls bring
    /// workers of their own, which then share it by [`Workers::sharing_scratch`].
    pub fn keeper() -> Workers {
        Workers { kind: Kind::Caller, scratch: Arc::new(Scratch::new(pools::processors())) }
    }

    /// The same workers with the scratch of `other`.
    pub fn sharing_scratch(self, other: &Workers) -> Workers {
        Workers { scratch: Arc::clone(&other.scratch), ..self }
    }

    /// Runs `task`, part of a loop on these workers, with `length` floats of scratch memory, whose
    /// contents are whatever another task left. Allocates nothing once each thread has run a task of that
    /// length.
    pub fn with_scratch<R>(&self, length: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
        self.scratch.with(length, task)
    }

    /// Bytes of scratch memory that are kept for the next loops.
    pub fn memory_bytes(&self) -> usize {
        self.scratch.memory_bytes()
    }

    /// Runs `work`, whose loops on these workers then start without a change of threads: for many
    /// short loops in a row.
    pub fn within<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.kind {
            Kind::Pool(pool) => match pool.get() {
                Ok(pool) => pool.install(work),
                Err(error) => end_call(error),
            },
            Kind::Caller | Kind::Host { .. } => work(),
        }
    }

    /// Runs `task(0) .. task(tasks - 1)`, each once, and returns when all are done.
    pub fn for_each(&self, tasks: usize, task: impl Fn(usize) + Sync) {
        self.run_tasks(tasks, &task);
    }

    /// Runs `task` on consecutive pieces of `data`, `piece` elements each (the last may be
    /// shorter); `task` gets the piece's number.
    pub fn for_each_piece<T: Send>(
        &self,
        data: &mut [T],
        piece: usize,
        task: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let length = data.len();
        let start_of = |index: usize| (index * piece).min(length);
        self.run_on_parts(data, length.div_ceil(piece), &start_of, &task);
    }

    /// Runs `task` on the same-numbered pieces of several slices: piece `i` of a slice with the
    /// piece length `p` is its elements from `i * p` on, `p` of them or what is left. There are
    /// as many pieces as the first slice has; a length of 0 gives empty pieces.
    pub fn for_each_pieces<T: Send, const N: usize>(
        &self,
        slices: [(&mut [T], usize); N],
        task: impl Fn(usize, [&mut [T]; N]) + Sync,
    ) {
        self.run_on_pieces(slices, &task);
    }

    /// Runs `task` on `parts` consecutive parts of `data`; part `i` ends before element
    /// `start_of(i + 1)`, where the next one starts.
    ///
    /// # Panics
    /// When the starts are not in order or outside `data`.
    pub fn for_each_part<T: Send>(
        &self,
        data: &mut [T],
        parts: usize,
        start_of: impl Fn(usize) -> usize + Sync,
        task: impl Fn(usize, &mut [T]) + Sync,
    ) {
        self.run_on_parts(data, parts, &start_of, &task);
    }

    /// The answers of `task(0) .. task(tasks - 1)` in order, or the error of the lowest index.
    ///
    /// # Errors
    /// Whatever `task` answers.
    pub fn try_map<T: Send>(
        &self,
        tasks: usize,
        task: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let answers: Vec<Mutex<Option<Result<T>>>> = (0..tasks).map(|_| Mutex::new(None)).collect();
        self.for_each(tasks, |index| {
            let answer = Some(task(index));
            *answers[index].lock().unwrap_or_else(PoisonError::into_inner) = answer;
        });
        answers
            .into_iter()
            .map(|answer| {
                answer
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner)
                    .unwrap_or_else(|| Err(Error::Internal { reason: "a task did not run".into() }))
            })
            .collect()
    }
}

// The loops themselves take their tasks by reference to `dyn`: they, rayon's code and each task are
// then there once for each element type, and not once for each caller and kind of workers, which was
// half a megabyte.
impl Workers {
    fn run_tasks(&self, tasks: usize, task: &Task<'_>) {
        match &self.kind {
            _ if tasks <= 1 => (0..tasks).for_each(task),
            Kind::Caller => (0..tasks).for_each(task),
            Kind::Pool(pool) => install(pool, || {
                (0..tasks).into_par_iter().with_max_len(1).for_each(task);
            }),
            Kind::Host { parallel_for, .. } => host_loop::run(parallel_for, tasks, task),
        }
    }

    fn run_on_pieces<T: Send, const N: usize>(
        &self,
        slices: [(&mut [T], usize); N],
        task: &PiecesTask<'_, T, N>,
    ) {
        let lengths = slices.each_ref().map(|(_, piece)| *piece);
        let count = slices.first().map_or(0, |(data, piece)| data.len().div_ceil(*piece.max(&1)));
        let mut rest = slices.map(|(data, _)| data);
        match &self.kind {
            Kind::Pool(pool) if count > 1 => {
                install(pool, || halve(0, count, rest, &lengths, task));
            }
            Kind::Host { parallel_for, .. } if count > 1 => {
                let mut parts = Vec::with_capacity(count);
                for _ in 0..count {
                    let (front, back) = split_pieces(rest, &lengths, 1);
                    parts.push(Mutex::new(Some(front)));
                    rest = back;
                }
                host_loop::run(parallel_for, count, &|index| {
                    let part = parts[index].lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(part) = part {
                        task(index, part);
                    }
                });
            }
            _ => {
                for index in 0..count {
                    let (front, back) = split_pieces(rest, &lengths, 1);
                    task(index, front);
                    rest = back;
                }
            }
        }
    }

    fn run_on_parts<T: Send>(
        &self,
        data: &mut [T],
        parts: usize,
        start_of: &(dyn Fn(usize) -> usize + Sync),
        task: &PieceTask<'_, T>,
    ) {
        match &self.kind {
            Kind::Pool(pool) if parts > 1 => {
                install(pool, || split(data, 0..parts, start_of, task));
            }
            Kind::Host { parallel_for, .. } if parts > 1 => {
                let mut rest = data;
                let cut = |index: usize| {
                    let length = start_of(index + 1) - start_of(index);
                    let (part, after) = std::mem::take(&mut rest).split_at_mut(length);
                    rest = after;
                    Mutex::new(part)
                };
                let slices: Vec<_> = (0..parts).map(cut).collect();
                host_loop::run(parallel_for, parts, &|index| {
                    task(index, &mut slices[index].lock().unwrap_or_else(PoisonError::into_inner));
                });
            }
            _ => {
                let mut rest = data;
                for index in 0..parts {
                    let length = start_of(index + 1) - start_of(index);
                    let (part, after) = rest.split_at_mut(length);
                    task(index, part);
                    rest = after;
                }
            }
        }
    }
}

type PieceTask<'a, T> = dyn Fn(usize, &mut [T]) + Sync + 'a;
type PiecesTask<'a, T, const N: usize> = dyn Fn(usize, [&mut [T]; N]) + Sync + 'a;

/// Runs `work` on the threads of a pool.
fn install(pool: &Pool, work: impl FnOnce() + Send) {
    match pool.get() {
        Ok(pool) => pool.install(work),
        Err(error) => end_call(error),
    }
}

/// Halves `parts` until one is left, which runs `task`; nothing is allocated.
fn split<T: Send>(
    data: &mut [T],
    parts: Range<usize>,
    start_of: &(dyn Fn(usize) -> usize + Sync),
    task: &PieceTask<'_, T>,
) {
    if parts.len() <= 1 {
        return parts.for_each(|index| task(index, data));
    }
    let middle = parts.start + parts.len() / 2;
    let (left, right) = data.split_at_mut(start_of(middle) - start_of(parts.start));
    rayon::join(
        || split(left, parts.start..middle, start_of, task),
        || split(right, middle..parts.end, start_of, task),
    );
}

/// The first `count` pieces of every slice, and the rest.
fn split_pieces<'a, T, const N: usize>(
    slices: [&'a mut [T]; N],
    lengths: &[usize; N],
    count: usize,
) -> ([&'a mut [T]; N], [&'a mut [T]; N]) {
    let mut lengths = lengths.iter();
    let mut back: [&'a mut [T]; N] = std::array::from_fn(|_| Default::default());
    let mut backs = back.iter_mut();
    let front = slices.map(|slice| {
        let wanted = lengths.next().map_or(0, |length| length * count);
        let (front, rest) = slice.split_at_mut(wanted.min(slice.len()));
        if let Some(back) = backs.next() {
            *back = rest;
        }
        front
    });
    (front, back)
}

/// Runs the pieces `first..first + count`, half of them on another thread while one is free.
fn halve<T: Send, const N: usize>(
    first: usize,
    count: usize,
    slices: [&mut [T]; N],
    lengths: &[usize; N],
    task: &PiecesTask<'_, T, N>,
) {
    if count <= 1 {
        // A slice may be longer than its pieces.
        return task(first, split_pieces(slices, lengths, 1).0);
    }
    let half = count / 2;
    let (front, back) = split_pieces(slices, lengths, half);
    rayon::join(
        || halve(first, half, front, lengths, task),
        || halve(first + half, count - half, back, lengths, task),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_kinds() -> Vec<Workers> {
        let serial: HostParallelFor = Arc::new(|tasks, task| (0..tasks).rev().for_each(task));
        vec![Workers::caller(), Workers::with_threads(3).unwrap(), Workers::host(2, serial)]
    }

    #[test]
    fn every_kind_runs_every_task_once_and_keeps_order() {
        for workers in all_kinds() {
            let squares = workers.try_map(100, |index| Ok(index * index)).unwrap();
            assert_eq!(squares, (0..100).map(|index| index * index).collect::<Vec<_>>());
            let mut data = vec![0usize; 10];
            workers.for_each_piece(&mut data, 3, |piece, part| part.fill(piece));
            assert_eq!(data, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
            let starts = [0, 1, 1, 6, 10];
            let number = |part: usize, values: &mut [usize]| values.fill(part);
            workers.for_each_part(&mut data, 4, |part| starts[part], number);
            assert_eq!(data, [0, 2, 2, 2, 2, 2, 3, 3, 3, 3]);
        }
    }

    #[test]
    fn pieces_of_several_slices_go_together() {
        for workers in all_kinds() {
            // The second is longer than its pieces.
            let (mut wide, mut narrow, mut none) = (vec![0; 10], vec![0; 6], Vec::new());
            let slices = [(&mut wide[..], 3), (&mut narrow[..], 1), (&mut none[..], 0)];
            workers.for_each_pieces(slices, |index, [wide, narrow, none]| {
                wide.fill(index);
                assert_eq!(narrow.len(), 1);
                narrow.fill(10 * index + wide.len());
                assert!(none.is_empty());
            });
            assert_eq!(wide, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
            assert_eq!(narrow, [3, 13, 23, 31, 0, 0]);
        }
    }

    #[test]
    fn scratch_is_kept_counted_and_never_shared() {
        for workers in all_kinds() {
            let alone = workers.alone();
            assert_eq!((alone.count(), workers.memory_bytes()), (1, 0));
            let place = alone.with_scratch(100, |outer| {
                outer.fill(1.0);
                // Of a task in a task, and of one on another thread.
                workers.with_scratch(50, |inner| inner.fill(2.0));
                workers.for_each(8, |_| workers.with_scratch(60, |inner| inner.fill(3.0)));
                assert!(outer.iter().all(|value| *value == 1.0));
                outer.as_ptr() as usize
            });
            let again = workers.with_scratch(10, |block| (block.as_ptr() as usize, block.len()));
            assert_eq!(again, (place, 10));
            let kept = workers.memory_bytes();
            assert!(kept >= (100 + 50) * size_of::<f32>(), "{kept}");
            workers.for_each(8, |_| alone.with_scratch(60, |block| block.fill(4.0)));
            assert_eq!(alone.memory_bytes(), workers.memory_bytes());
        }
    }

    #[test]
    fn the_scratch_of_a_task_that_panicked_serves_again() {
        let workers = Workers::caller();
        let failing = || workers.with_scratch(10, |_| panic!("a task fails"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(failing)).is_err());
        let kept = workers.memory_bytes();
        workers.with_scratch(10, |block| block.fill(1.0));
        assert!(kept > 0 && workers.memory_bytes() == kept);
    }

    #[test]
    fn the_error_of_the_lowest_index_wins() {
        for workers in all_kinds() {
            let error = workers
                .try_map(10, |index| match index {
                    4 | 7 => Err(Error::invalid("task", index)),
                    _ => Ok(()),
                })
                .unwrap_err();
            assert_eq!(error.to_string(), "task: 4");
        }
    }
}

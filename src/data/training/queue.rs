//! A bounded queue that hands batches out in order, whichever thread finishes first.
//!
//! A thread may claim batch n only while fewer than `window` batches lie between n and the one
//! that is taken next. So memory is bounded, the order is that of the numbers, and a slow batch
//! delays the others without being overtaken. Batches that were used come back as spare memory.

use super::batch::Batch;
use crate::control::Control;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a waiting consumer looks at its cancel token.
const CANCEL_POLL: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    end: u64,
    window: u64,
}

#[derive(Debug)]
struct State {
    next_claim: u64,
    next_take: u64,
    ready: BTreeMap<u64, Result<Batch>>,
    spare: Vec<Batch>,
    stopped: bool,
}

impl Queue {
    /// A queue of the batches `batches`, at most `window` of them begun and not taken.
    pub(super) fn new(batches: std::ops::Range<u64>, window: usize) -> Queue {
        let state = State {
            next_claim: batches.start,
            next_take: batches.start,
            ready: BTreeMap::new(),
            spare: Vec::new(),
            stopped: false,
        };
        Queue {
            state: Mutex::new(state),
            changed: Condvar::new(),
            end: batches.end,
            window: window.max(1) as u64,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch to be made and memory for it; waits for room. `None` when all are claimed
    /// or the queue was stopped.
    pub(super) fn claim(&self) -> Option<(u64, Batch)> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.next_claim >= self.end {
                return None;
            }
            if state.next_claim < state.next_take.saturating_add(self.window) {
                let number = state.next_claim;
                state.next_claim += 1;
                return Some((number, state.spare.pop().unwrap_or_default()));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The batch that is taken next, for the consumer to make, and memory for it; never waits.
    /// `None` when it has been claimed already, when there is none, or the queue was stopped.
    pub(super) fn claim_next(&self) -> Option<(u64, Batch)> {
        let mut state = self.lock();
        let number = state.next_claim;
        if state.stopped || number >= self.end || number != state.next_take {
            return None;
        }
        state.next_claim += 1;
        Some((number, state.spare.pop().unwrap_or_default()))
    }

    /// Takes back the claim of [`Queue::claim_next`]: the batch will be claimed again.
    pub(super) fn give_up(&self, number: u64) {
        let mut state = self.lock();
        if state.next_claim == number + 1 {
            state.next_claim = number;
        }
    }

    /// Puts what became of a claimed batch.
    pub(super) fn put(&self, number: u64, batch: Result<Batch>) {
        self.lock().ready.insert(number, batch);
        self.changed.notify_all();
    }

    /// The next batch in order; waits for it. `None` after the last one.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once the token of `control` is set; the error that the batch ended in.
    pub(super) fn take(&self, control: &Control) -> Result<Option<Batch>> {
        let mut state = self.lock();
        loop {
            control.check()?;
            if state.next_take >= self.end {
                return Ok(None);
            }
            if state.stopped {
                return Err(Error::Cancelled);
            }
            let next = state.next_take;
            if let Some(batch) = state.ready.remove(&next) {
                state.next_take += 1;
                self.changed.notify_all();
                return batch.map(Some);
            }
            let waited = self.changed.wait_timeout(state, CANCEL_POLL);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Memory of a batch that is no longer needed.
    pub(super) fn recycle(&self, batch: Batch) {
        let mut state = self.lock();
        if state.spare.len() < self.window as usize {
            state.spare.push(batch);
        }
    }

    /// Ends all waiting; nothing more is claimed.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::CancelToken;

    fn batch(number: u64) -> Result<Batch> {
        Ok(Batch { number, ..Batch::default() })
    }

    #[test]
    fn batches_come_in_order_within_the_window_and_memory_comes_back() {
        let queue = Queue::new(5..8, 2);
        assert_eq!(queue.claim().unwrap().0, 5);
        assert_eq!(queue.claim().unwrap().0, 6);
        queue.put(6, batch(6));
        queue.put(5, batch(5));
        let control = Control::default();
        let first = queue.take(&control).unwrap().unwrap();
        assert_eq!(first.number, 5);
        queue.recycle(Batch { maps: vec![1.0; 3], ..first });
        let (number, spare) = queue.claim().unwrap();
        assert_eq!((number, spare.maps.len()), (7, 3));
        queue.put(7, Err(Error::invalid("image", "broken")));
        assert_eq!(queue.take(&control).unwrap().unwrap().number, 6);
        assert!(queue.take(&control).is_err());
        assert!(queue.take(&control).unwrap().is_none() && queue.claim().is_none());
    }

    #[test]
    fn a_full_window_blocks_until_a_batch_is_taken_or_the_queue_stops() {
        let queue = Queue::new(0..9, 1);
        queue.claim().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.claim().map(|claimed| claimed.0));
            queue.put(0, batch(0));
            queue.take(&Control::default()).unwrap();
            assert_eq!(waiting.join().unwrap(), Some(1));
            let waiting = scope.spawn(|| queue.claim());
            queue.stop();
            assert!(waiting.join().unwrap().is_none() && queue.is_stopped());
        });
    }

    #[test]
    fn a_consumer_that_makes_its_batches_itself_never_waits() {
        let queue = Queue::new(0..2, 1);
        assert_eq!(queue.claim_next().unwrap().0, 0);
        assert!(queue.claim_next().is_none(), "claimed already");
        queue.give_up(0);
        assert_eq!(queue.claim_next().unwrap().0, 0);
        queue.put(0, batch(0));
        assert!(queue.claim_next().is_none(), "ready already");
        assert_eq!(queue.take(&Control::default()).unwrap().unwrap().number, 0);
        assert_eq!(queue.claim_next().unwrap().0, 1);
        queue.stop();
        assert!(queue.claim_next().is_none());
    }

    #[test]
    fn waiting_ends_with_the_cancel_token() {
        let (queue, token) = (Queue::new(0..1, 1), CancelToken::default());
        let control = Control { cancel: Some(&token), progress: None };
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take(&control));
            token.cancel();
            assert!(matches!(waiting.join().unwrap(), Err(Error::Cancelled)));
        });
    }
}

//! How far a journal was handed to the operating system, told to followers in the same process.
//!
//! Publishing is one atomic store, so a follower costs the writer nothing. A sleeping follower is woken only by
//! [`Notice::wake`], which the driver calls when it has nothing better to do; without it a follower finds new records when
//! its wait times out.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared between one writer and any number of followers.
#[derive(Clone, Debug, Default)]
pub struct Notice(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    flushed: AtomicU64,
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    news: Condvar,
}

impl Notice {
    /// Number of records that were handed to the operating system: what a reader can see.
    pub fn flushed(&self) -> u64 {
        self.0.flushed.load(SeqCst)
    }

    pub(super) fn publish(&self, records: u64) {
        self.0.flushed.store(records, SeqCst);
    }

    /// Wakes the followers that sleep. One atomic load where none does, a system call (a few µs) where one does.
    pub fn wake(&self) {
        if self.0.sleepers.load(SeqCst) > 0 {
            // Taking the lock makes sure that a follower between its last look and its sleep is asleep by now.
            drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.0.news.notify_all();
        }
    }

    /// Sleeps until more than `seen` records are flushed, or `timeout` is over. Returns the number flushed.
    pub fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let end = Instant::now() + timeout;
        let mut guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.sleepers.fetch_add(1, SeqCst);
        while self.flushed() <= seen {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            guard = self.0.news.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.0.sleepers.fetch_sub(1, SeqCst);
        self.flushed()
    }
}

//! Wrong engines on purpose, compiled only under the test feature `mutants`: a replay that does not notice them is blind.

use std::sync::atomic::{AtomicU8, Ordering};

/// One deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A fee rate is off by one per cent.
    Fee = 1,
    /// A book comparison takes `>` for `>=`.
    Book = 2,
    /// A risk limit is twice as large.
    Risk = 3,
    /// A fill that comes twice is booked twice.
    Dedup = 4,
    /// A create whose answer is lost counts as refused.
    Unknown = 5,
    /// Requests leave before the journals that led to them are handed over.
    Journal = 6,
}

static ACTIVE: AtomicU8 = AtomicU8::new(0);

/// Switches one fault on for the whole process.
pub fn activate(mutant: Mutant) {
    ACTIVE.store(mutant as u8, Ordering::Relaxed);
}

/// Whether a fault is on.
pub fn active(mutant: Mutant) -> bool {
    ACTIVE.load(Ordering::Relaxed) == mutant as u8
}

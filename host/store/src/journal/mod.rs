//! Append-only journals in segments: one writer, any number of readers, in this process or another.
//!
//! What was flushed survives the death of the process; what was synced survives the loss of power. Every byte is under a
//! chained hash: one that changed is detected and named ([`crate::error::Error::Corrupt`]). An end that a crash cut short
//! ([`Tail::Torn`]) is something else: readers stop before it, and the next writer cuts it off. This room knows nothing of
//! what records mean; [`crate::feed`] and [`crate::slot`] do.

mod block;
mod notice;
mod packed;
mod reader;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

pub use notice::Notice;
pub use reader::{Position, Reader, Tail};
pub use writer::{Layout, Writer};

/// Which journal a segment belongs to; it stands in every segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the outside did.
    Feed,
    /// What one slot did.
    Slot,
}

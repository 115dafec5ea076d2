//! What a run leaves on disk: the journals, which are the truth, and the SQL projection, which is derived from them.
//!
//! Everything that can differ between two runs is in the journals. The trading path appends to them and never asks
//! anything here; whoever wants to know something reads a journal or the projection. Start reading at [`run`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod error;
pub mod feed;
pub mod journal;
pub mod projection;
pub mod run;
pub mod slot;

pub use error::{Error, Result};
pub use feed::{FeedReader, FeedRecord, FeedWriter};
pub use journal::{Layout, Notice, Position, Tail};
pub use run::Run;
pub use slot::{Seen, SlotEntry, SlotReader, SlotRecord, SlotWriter};

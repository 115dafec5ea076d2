//! A slot journal: what one slot did, each record naming the input of the feed that it answers.
//!
//! A record is `(seq, at, SlotRecord)` in postcard, where `seq` and `at` are those of the input.

use crate::error::Result;
use crate::journal::{Kind, Layout, Notice, Position, Reader, Tail, Writer};
use isobar_engine::event::{Component, Fault, Level, Report};
use isobar_engine::market::MarketId;
use isobar_engine::snapshot::{Decision, Snapshot};
use isobar_engine::units::{Digest, Probability, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

/// What happened in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlotRecord<'a> {
    /// First record of every slot journal.
    Opening {
        /// Identity of the run.
        run: Cow<'a, str>,
        /// The slot's name.
        slot: Cow<'a, str>,
        /// Settings of its engine, as the program spells them; they are not interpreted here.
        settings: Cow<'a, str>,
    },
    /// The slot holds this component from here on.
    Swapped(Cow<'a, Component>),
    /// A component was offered and not taken.
    Refused {
        /// Where it came from.
        path: Cow<'a, str>,
        /// Hash of its bytes, where they could be read.
        hash: Option<Digest>,
        /// Why, for people.
        reason: Cow<'a, str>,
    },
    /// The component answered a question.
    Decided {
        /// Number of the question within the slot, from 1.
        decision: u64,
        /// The venue's name of the city-day.
        event: Cow<'a, str>,
        /// The brackets as it saw them, in the order that its answer counts in.
        seen: Vec<Seen>,
        /// What it wants, or how it failed.
        outcome: Cow<'a, Result<Decision, Fault>>,
        /// How long the answer took, nanoseconds. Measured, so a replay does not compare it.
        took_ns: u64,
    },
    /// Something happened to an order or a position. Derived: a replay makes it anew.
    Report(Cow<'a, Report>),
    /// All effects of the input that `seq` names and of what followed from it.
    Step {
        /// Rolling hash of the effects of the slot up to here.
        effects: Digest,
    },
    /// The engine's whole state after the input that `seq` names.
    Checkpoint {
        /// Its digest.
        digest: Digest,
    },
    /// Last record of a slot that ended in order.
    Closing,
}

/// What a component saw of one bracket when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The bracket's market.
    pub market: MarketId,
    /// The model's probability, where it had an opinion.
    pub probability: Option<Probability>,
    /// Best bid, nothing where the side was empty.
    pub bid: Option<Level>,
    /// Best ask, nothing where the side was empty.
    pub ask: Option<Level>,
    /// Signed position, 1/100 contracts.
    pub position: i64,
}

impl Seen {
    /// The brackets of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Vec<Self> {
        let seen = snapshot.brackets.iter().map(|bracket| Self {
            market: bracket.market,
            probability: bracket.probability,
            bid: bracket.bids.first().copied(),
            ask: bracket.asks.first().copied(),
            position: bracket.position,
        });
        seen.collect()
    }
}

/// Appends what a slot did.
pub struct SlotWriter(Writer);

impl SlotWriter {
    /// Opens the journal in `folder` for appending; see [`Writer::open`].
    pub fn open(folder: &Path, layout: Layout) -> Result<Self> {
        Writer::open(folder, Kind::Slot, layout).map(Self)
    }

    /// Appends a record in memory. `seq` and `at` are those of the input that it answers.
    pub fn append(&mut self, seq: u64, at: Timestamp, record: &SlotRecord<'_>) -> Result<()> {
        self.0.append(&(seq, at, record)).map(|_| ())
    }

    /// Hands all records to the operating system: they survive the death of the process.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }

    /// Forces all records to disk: they survive the loss of power.
    pub fn sync(&mut self) -> Result<()> {
        self.0.sync()
    }

    /// Number of records written so far.
    pub fn records(&self) -> u64 {
        self.0.next_record()
    }

    /// See [`Notice`].
    pub fn notice(&self) -> Notice {
        self.0.notice()
    }

    /// What was found at the end of the journal when it was opened.
    pub fn recovered(&self) -> &Tail {
        self.0.recovered()
    }
}

/// One record of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotEntry {
    /// Its number in the slot's journal.
    pub number: u64,
    /// The input of the feed that it answers.
    pub seq: u64,
    /// When that input came in.
    pub at: Timestamp,
    /// What happened.
    pub record: SlotRecord<'static>,
}

/// Reads what a slot did in order, and follows a journal that is being written.
pub struct SlotReader(Reader);

impl SlotReader {
    /// Reads from the beginning; see [`Reader::open`].
    pub fn open(folder: &Path) -> Result<Self> {
        Reader::open(folder, Kind::Slot).map(Self)
    }

    /// Goes on where another reader stopped; see [`Reader::resume`].
    pub fn resume(folder: &Path, position: Position) -> Result<Self> {
        Reader::resume(folder, Kind::Slot, position).map(Self)
    }

    /// The next record, or nothing at the current end; ask again after more was flushed.
    #[expect(clippy::should_implement_trait, reason = "the same shape as the feed's reader")]
    pub fn next(&mut self) -> Result<Option<SlotEntry>> {
        let entry = self.0.decode()?;
        Ok(entry.map(|(number, (seq, at, record))| SlotEntry { number, seq, at, record }))
    }

    /// Sleeps until there is more to read, or `timeout` is over. For followers in the writer's process.
    pub fn wait(&self, notice: &Notice, timeout: Duration) {
        notice.wait(self.0.next_record(), timeout);
    }

    /// Where a later reader can go on.
    pub fn position(&self) -> Position {
        self.0.position()
    }

    /// How the journal ended when [`Self::next`] last gave nothing.
    pub fn tail(&self) -> &Tail {
        self.0.tail()
    }
}

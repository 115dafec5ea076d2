//! The feed journal: what the outside did to a run, one record for each external input.
//!
//! A record is `(at, Input)` in postcard; its number in the journal is the `seq` of the input, consecutive from 0.

use crate::error::Result;
use crate::journal::{Kind, Layout, Notice, Position, Reader, Tail, Writer};
use isobar_engine::event::Input;
use isobar_engine::units::Timestamp;
use std::path::Path;
use std::time::Duration;

/// Appends external inputs.
pub struct FeedWriter(Writer);

impl FeedWriter {
    /// Opens the journal in `folder` for appending; see [`Writer::open`].
    pub fn open(folder: &Path, layout: Layout) -> Result<Self> {
        Writer::open(folder, Kind::Feed, layout).map(Self)
    }

    /// The `seq` of the next input.
    pub fn next_seq(&self) -> u64 {
        self.0.next_record()
    }

    /// Appends an input in memory and returns its `seq`.
    pub fn append(&mut self, at: Timestamp, input: &Input<'_>) -> Result<u64> {
        self.0.append(&(at, input))
    }

    /// Hands all inputs to the operating system: they survive the death of the process.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }

    /// Forces all inputs to disk: they survive the loss of power.
    pub fn sync(&mut self) -> Result<()> {
        self.0.sync()
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

/// One external input, borrowed from the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRecord<'a> {
    /// Its place in the order of all inputs.
    pub seq: u64,
    /// When it came in, by the clock of the run.
    pub at: Timestamp,
    /// What it was.
    pub input: Input<'a>,
}

/// Reads external inputs in order, and follows a journal that is being written.
pub struct FeedReader(Reader);

impl FeedReader {
    /// Reads from the beginning; see [`Reader::open`].
    pub fn open(folder: &Path) -> Result<Self> {
        Reader::open(folder, Kind::Feed).map(Self)
    }

    /// Goes on where another reader stopped; see [`Reader::resume`].
    pub fn resume(folder: &Path, position: Position) -> Result<Self> {
        Reader::resume(folder, Kind::Feed, position).map(Self)
    }

    /// The next input, or nothing at the current end; ask again after more was flushed.
    #[expect(clippy::should_implement_trait, reason = "records are lent, which an iterator cannot do")]
    pub fn next(&mut self) -> Result<Option<FeedRecord<'_>>> {
        let record = self.0.decode()?;
        Ok(record.map(|(seq, (at, input))| FeedRecord { seq, at, input }))
    }

    /// Sleeps until there is more to read, or `timeout` is over. For followers in the writer's process.
    pub fn wait(&self, notice: &Notice, timeout: Duration) {
        notice.wait(self.0.next_record(), timeout);
    }

    /// The `seq` of the next input.
    pub fn next_seq(&self) -> u64 {
        self.0.next_record()
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

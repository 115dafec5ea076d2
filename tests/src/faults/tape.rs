//! The two journals of a run, kept in memory as the bytes that a disk would hold, with a mark of what is durable.
//!
//! It is here that a process dies at a write: an armed [`Point`] makes the append or the flush fail, and what was not handed
//! over by then is lost with the process ([`Tape::lose`]).

use anyhow::{Result, bail};
use isobar::Journal;
use isobar_engine::event::Input;
use isobar_engine::snapshot::Decision;
use isobar_engine::units::Timestamp;
use std::cell::RefCell;
use std::rc::Rc;

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// An input came and was not appended.
    BeforeAppend,
    /// It was appended, and not flushed.
    AfterAppend,
    /// Nothing of what waits was flushed.
    BeforeFlush,
    /// A part of what waits reached the disk.
    TornFlush,
    /// The feed journal was flushed, the slot's journal was not.
    BetweenJournals,
    /// Both were flushed, and the requests that they led to did not leave.
    BeforeSend,
    /// Requests left, and no answer came.
    AfterSend,
    /// An answer came and nobody was told.
    BeforeAnswer,
    /// A read of the account is under way.
    DuringRead,
    /// At once, and again while the next process begins.
    DuringRecovery,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::BeforeAppend,
        Self::AfterAppend,
        Self::BeforeFlush,
        Self::TornFlush,
        Self::BetweenJournals,
        Self::BeforeSend,
        Self::AfterSend,
        Self::BeforeAnswer,
        Self::DuringRead,
        Self::DuringRecovery,
    ];
}

/// The journals.
#[derive(Debug, Default)]
pub struct Tape {
    inputs: Vec<Vec<u8>>,
    flushed: usize,
    answers: Vec<(u64, Decision)>,
    answered: usize,
    /// Where the process dies next, after so many writes that could have been it.
    pub armed: Option<(Point, u32)>,
}

/// Shared by the feed's journal and the slot's world.
pub type Shared = Rc<RefCell<Tape>>;

impl Tape {
    fn dies(&mut self, at: Point) -> bool {
        match &mut self.armed {
            Some((point, left)) if *point == at && *left == 0 => {
                self.armed = None;
                true
            }
            Some((point, left)) if *point == at => {
                *left -= 1;
                false
            }
            _ => false,
        }
    }

    /// The process died: what was not durable is gone.
    pub fn lose(&mut self) {
        self.inputs.truncate(self.flushed);
        self.answers.truncate(self.answered);
        self.armed = None;
    }

    /// Number of inputs.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// The bytes of an input.
    pub fn record(&self, index: usize) -> Vec<u8> {
        self.inputs[index].clone()
    }

    /// A recorded answer of the strategy, by its place.
    pub fn answer(&self, index: usize) -> Option<&(u64, Decision)> {
        self.answers.get(index)
    }

    /// Appends an answer of the strategy.
    pub fn answered(&mut self, decision: u64, wanted: &Decision) {
        self.answers.push((decision, wanted.clone()));
    }

    /// Flushes the slot's journal.
    pub fn flush_answers(&mut self) -> Result<()> {
        if self.dies(Point::BetweenJournals) {
            bail!("killed between the journals");
        }
        self.answered = self.answers.len();
        Ok(())
    }
}

/// The feed's journal.
pub struct Memory(pub Shared);

/// One input as it is written.
pub fn decode(bytes: &[u8]) -> (Timestamp, Input<'_>) {
    postcard::from_bytes(bytes).expect("what was encoded here can be decoded")
}

impl Journal for Memory {
    fn append(&mut self, at: Timestamp, input: &Input<'_>) -> Result<u64> {
        let tape = &mut *self.0.borrow_mut();
        if tape.dies(Point::BeforeAppend) {
            bail!("killed before an append");
        }
        tape.inputs.push(postcard::to_stdvec(&(at, input))?);
        if tape.dies(Point::AfterAppend) {
            bail!("killed after an append");
        }
        Ok(tape.inputs.len() as u64 - 1)
    }

    fn flush(&mut self) -> Result<()> {
        let tape = &mut *self.0.borrow_mut();
        let waiting = tape.inputs.len() - tape.flushed;
        if waiting > 0 && tape.dies(Point::BeforeFlush) {
            bail!("killed before a flush");
        }
        if waiting > 0 && tape.dies(Point::TornFlush) {
            tape.flushed += waiting / 2;
            bail!("killed within a flush");
        }
        tape.flushed = tape.inputs.len();
        Ok(())
    }
}

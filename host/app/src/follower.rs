//! The follower: reads the feed journal and runs every paper slot behind it, on a thread of its own.
//!
//! The feed never waits for a slot. A slot that is slow reads on from the journal later; its answers carry the number and
//! the time of the input that they answer, so being late changes nothing in what it does.

use crate::message::Message;
use crate::screen::Screen;
use crate::slot::{Answer, Slot, Tally, World};
use anyhow::{Context, Result};
use isobar_engine::event::{Component, Input};
use isobar_engine::market::MarketId;
use isobar_engine::snapshot::Snapshot;
use isobar_engine::units::{Digest, Timestamp};
use isobar_engine::venue::Request;
use isobar_kalshi::protocol::Protocol;
use isobar_plugins::Strategy;
use isobar_store::{FeedReader, Notice, SlotRecord, SlotWriter};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

/// Most inputs that are applied before commands are looked at again.
const BATCH: usize = 256;

/// What a follower is told from outside.
pub enum Command {
    /// This slot holds another component from its next input on.
    Swap { slot: usize, offered: Box<Offered> },
    /// A file was offered to this slot and not taken.
    Refuse { slot: usize, path: String, hash: Option<Digest>, reason: String },
}

/// A component that passed its probes.
pub struct Offered {
    pub strategy: Strategy,
    pub component: Component,
    /// When its file was seen, to tell how long the swap took.
    pub seen: Option<Instant>,
    pub path: String,
}

/// A component with what the engine needs to know of it.
struct Held {
    strategy: Strategy,
    component: Component,
}

/// The world of a slot that runs: it asks a component and writes the slot's journal.
pub struct Live {
    name: String,
    held: Option<Held>,
    previous: Option<Held>,
    journal: Option<SlotWriter>,
    screen: Arc<Screen>,
    doubts: Option<Sender<Message>>,
    pub tally: Tally,
    /// Nanoseconds of each decision.
    pub took: hdrhistogram::Histogram<u64>,
    error: Option<anyhow::Error>,
}

impl Live {
    pub fn new(name: &str, journal: Option<SlotWriter>, screen: Arc<Screen>, doubts: Option<Sender<Message>>) -> Self {
        Self {
            name: name.to_owned(),
            held: None,
            previous: None,
            journal,
            screen,
            doubts,
            tally: Tally::default(),
            took: hdrhistogram::Histogram::new(3).expect("three digits are allowed"),
            error: None,
        }
    }

    /// Holds another component from now on; the engine must be told at once.
    pub fn hold(&mut self, strategy: Strategy, component: Component) -> Component {
        let held = Held { strategy, component: component.clone() };
        self.previous = self.held.replace(held);
        component
    }

    /// Makes an instance ready for the next decision: called while there is nothing to do.
    pub fn prepare(&mut self) {
        if let Some(held) = &mut self.held {
            held.strategy.prepare();
        }
    }

    /// Hands the journal over, and says what went wrong since the last call.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match &mut self.journal {
            Some(journal) => journal.flush().with_context(|| format!("journal of slot {}", self.name)),
            None => Ok(()),
        }
    }
}

impl World for Live {
    fn decide(&mut self, decision: u64, snapshot: &Snapshot) -> Answer {
        let held = self.held.as_mut().expect("an engine without a component asks nothing");
        let answer = held.strategy.decide(decision, snapshot);
        let (outcome, took_ns) = (answer.outcome, u64::try_from(answer.took.as_nanos()).unwrap_or(u64::MAX));
        // The histogram grows by itself; a value that it cannot hold is no reason to stop.
        let _ = self.took.record(took_ns);
        self.screen.decision(&self.name, decision, snapshot, &outcome);
        Answer { outcome, took_ns }
    }

    fn revert(&mut self) -> Option<Component> {
        let previous = self.previous.take()?;
        let component = previous.component.clone();
        self.held = Some(previous);
        Some(component)
    }

    fn record(&mut self, seq: u64, at: Timestamp, record: &SlotRecord<'_>) {
        self.tally.count(record);
        self.screen.record(&self.name, at, record);
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.append(seq, at, record)
            && self.error.is_none()
        {
            self.error = Some(error.into());
        }
    }

    fn resync(&mut self, market: MarketId) {
        // A full inbox is no reason to wait: the book is stale already, and the next doubt asks again.
        if let Some(doubts) = &self.doubts
            && doubts.try_send(Message::Resync(market)).is_err()
        {
            tracing::warn!(market = market.0, "the inbox is full: a book stays stale for longer");
        }
    }

    fn send(&mut self, _: Request) {
        unreachable!("a paper slot has no venue to ask");
    }
}

/// A slot with its world.
pub struct Seat {
    pub slot: Slot,
    pub live: Live,
}

/// Reads a feed journal to its end and runs the slots behind it.
pub struct Follower {
    reader: FeedReader,
    notice: Notice,
    protocol: Protocol,
    pub seats: Vec<Seat>,
    commands: Receiver<Command>,
    screen: Arc<Screen>,
}

impl Follower {
    pub fn new(
        reader: FeedReader,
        notice: Notice,
        seats: Vec<Seat>,
        commands: Receiver<Command>,
        screen: Arc<Screen>,
    ) -> Self {
        Self { reader, notice, protocol: Protocol::new(), seats, commands, screen }
    }

    /// Runs until the feed's closing record was applied.
    pub fn run(mut self) -> Result<Vec<Seat>> {
        // The opening is journaled before there is a follower. What a slot is given at the start it holds from there on,
        // as in a rerun.
        self.next()?;
        loop {
            let closed = self.batch()?;
            if closed {
                self.finish()?;
                return Ok(self.seats);
            }
            for seat in &mut self.seats {
                seat.live.flush()?;
                seat.live.prepare();
            }
            self.screen.flush();
            // Short enough that a swap offered in a quiet moment is not noticed late.
            self.reader.wait(&self.notice, Duration::from_millis(5));
        }
    }

    /// Applies what there is; says whether the run ended.
    fn batch(&mut self) -> Result<bool> {
        loop {
            self.obey();
            for _ in 0..BATCH {
                match self.next()? {
                    Next::Applied => {}
                    Next::Closed => return Ok(true),
                    Next::Nothing => return Ok(false),
                }
            }
            for seat in &mut self.seats {
                seat.live.flush()?;
            }
            // A follower that lags is not idle for long stretches; what it did is shown all the same.
            self.screen.flush();
        }
    }

    fn next(&mut self) -> Result<Next> {
        let mut unsent = Vec::new();
        let Some(record) = self.reader.next()? else { return Ok(Next::Nothing) };
        let (seq, at) = (record.seq, record.at);
        let closing = matches!(record.input, Input::Closing);
        let body = self.protocol.apply(at, &record.input, &mut unsent);
        self.screen.body(at, &body);
        for Seat { slot, live } in &mut self.seats {
            slot.input(seq, at, &body, live);
        }
        Ok(if closing { Next::Closed } else { Next::Applied })
    }

    /// Swaps fall between two inputs, after the first of the run.
    fn obey(&mut self) {
        if self.seats.iter().any(|seat| seat.slot.seq().is_none()) {
            return;
        }
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Swap { slot, offered } => {
                    let Offered { strategy, component, seen, path } = *offered;
                    let Seat { slot, live } = &mut self.seats[slot];
                    let component = live.hold(strategy, component);
                    self.screen.swapped(&slot.name, &component, &path, seen.map(|seen| seen.elapsed()));
                    slot.swap(component, live);
                }
                Command::Refuse { slot, path, hash, reason } => {
                    let Seat { slot, live } = &mut self.seats[slot];
                    self.screen.refused(&slot.name, &path, &reason);
                    let (seq, at) = (slot.seq().expect("checked above"), slot.at());
                    live.record(seq, at, &SlotRecord::Refused { path: path.into(), hash, reason: reason.into() });
                }
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        for Seat { slot, live } in &mut self.seats {
            slot.close(live);
            live.flush()?;
        }
        self.screen.flush();
        Ok(())
    }
}

enum Next {
    Applied,
    Closed,
    Nothing,
}

//! A slot that runs: its engine with the component that answers it, and the journal that it writes.
//!
//! Followers run paper slots in it behind the feed journal; the driver runs the live slot in it. Swaps and refusals fall
//! between two inputs.

use crate::control::Board;
use crate::message::Message;
use crate::screen::{Screen, Style};
use crate::slot::{Answer, Slot, Tally, World};
use anyhow::{Context, Result};
use isobar_engine::event::{Component, Fault, Report};
use isobar_engine::market::MarketId;
use isobar_engine::snapshot::{Decision, Snapshot};
use isobar_engine::units::{Digest, SECOND, Timestamp};
use isobar_plugins::Strategy;
use isobar_store::{SlotRecord, SlotWriter};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::Sender;

/// A slot with its world.
pub struct Seat<W = Running> {
    /// Its engine, with its place in the feed.
    pub slot: Slot,
    /// What answers the engine.
    pub world: W,
}

/// What a slot is told from outside, between two inputs.
pub enum Order {
    /// Hold another component from the next input on.
    Swap(Box<Offered>),
    /// A file was offered and not taken.
    Refuse { path: String, hash: Option<Digest>, reason: String },
}

impl Seat {
    /// Does what was put off until there was time for it: hashes the last step, and shows what happened since the last call.
    pub fn tell(&mut self) {
        let Self { slot, world } = self;
        slot.settle(world);
        world.tell();
        let second = slot.at().0.div_euclid(SECOND);
        if let Some(board) = world.board.as_ref().filter(|_| second != world.shown) {
            world.shown = second;
            board.show(&slot.name, &slot.engine);
        }
    }

    /// Does as told. The run must have begun: its opening was applied.
    pub fn obey(&mut self, order: Order) {
        let Self { slot, world } = self;
        match order {
            Order::Swap(offered) => {
                let Offered { strategy, component, seen, path } = *offered;
                let component = world.hold(strategy, component);
                world.screen.swapped(&slot.name, &component, &path, seen.map(|seen| seen.elapsed()));
                slot.swap(component, world);
            }
            Order::Refuse { path, hash, reason } => {
                world.screen.refused(&slot.name, &path, &reason);
                let (seq, at) = (slot.seq().expect("the run has begun"), slot.at());
                world.record(seq, at, &SlotRecord::Refused { path: path.into(), hash, reason: reason.into() });
            }
        }
    }
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

/// What happened in a slot and is still to be shown.
enum Untold {
    Decision { number: u64, snapshot: Box<Snapshot>, outcome: Result<Decision, Fault> },
    Report { at: Timestamp, report: Report },
}

/// The world of a slot that runs: it asks a component and writes the slot's journal.
pub struct Running {
    name: String,
    held: Option<Held>,
    previous: Option<Held>,
    journal: Option<SlotWriter>,
    screen: Arc<Screen>,
    /// Kept until there is time for it: an order does not wait for what people read.
    untold: Vec<Untold>,
    /// Where an operator looks; nothing in a rerun.
    board: Option<Board>,
    /// The second as of which the board shows the orders.
    shown: i64,
    doubts: Option<Sender<Message>>,
    pub tally: Tally,
    /// Nanoseconds of each decision.
    pub took: hdrhistogram::Histogram<u64>,
    error: Option<anyhow::Error>,
}

impl Running {
    /// The world of a slot that nobody watches: a rerun.
    pub fn unwatched(name: &str) -> Self {
        Self::new(name, Arc::new(Screen::new(Style::Silent)))
    }

    /// The world of a slot of a run.
    pub fn attended(
        name: &str,
        journal: SlotWriter,
        screen: Arc<Screen>,
        board: Board,
        doubts: Sender<Message>,
    ) -> Self {
        let (journal, board, doubts) = (Some(journal), Some(board), Some(doubts));
        Self { journal, board, doubts, ..Self::new(name, screen) }
    }

    fn new(name: &str, screen: Arc<Screen>) -> Self {
        Self {
            name: name.to_owned(),
            held: None,
            previous: None,
            journal: None,
            screen,
            untold: Vec::new(),
            board: None,
            shown: 0,
            doubts: None,
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

    fn tell(&mut self) {
        for untold in self.untold.drain(..) {
            match untold {
                Untold::Decision { number, snapshot, outcome } => {
                    self.screen.decision(&self.name, number, &snapshot, &outcome);
                }
                Untold::Report { at, report } => self.screen.report(&self.name, at, &report),
            }
        }
    }

    /// Makes an instance ready for the next decision: called while there is nothing to do.
    pub fn prepare(&mut self) {
        if let Some(held) = &mut self.held {
            held.strategy.prepare();
        }
    }
}

impl World for Running {
    fn decide(&mut self, decision: u64, snapshot: &Snapshot) -> Answer {
        let held = self.held.as_mut().expect("an engine without a component asks nothing");
        let answer = held.strategy.decide(decision, snapshot);
        let (outcome, took_ns) = (answer.outcome, u64::try_from(answer.took.as_nanos()).unwrap_or(u64::MAX));
        // The histogram grows by itself; a value that it cannot hold is no reason to stop.
        let _ = self.took.record(took_ns);
        Answer { outcome, took_ns }
    }

    fn decided(&mut self, number: u64, snapshot: Box<Snapshot>, outcome: Result<Decision, Fault>) {
        if !self.screen.is_silent() {
            self.untold.push(Untold::Decision { number, snapshot, outcome });
        }
    }

    fn revert(&mut self) -> Option<Component> {
        let previous = self.previous.take()?;
        let component = previous.component.clone();
        self.held = Some(previous);
        Some(component)
    }

    fn record(&mut self, seq: u64, at: Timestamp, record: &SlotRecord<'_>) {
        self.tally.count(record);
        if let SlotRecord::Report(report) = record {
            if let (Some(board), Report::Notice(notice)) = (&self.board, &**report) {
                board.note(&self.name, notice);
            }
            if !self.screen.is_silent() {
                self.untold.push(Untold::Report { at, report: report.clone().into_owned() });
            }
        }
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

    /// Hands the journal over, and says what went wrong since the last call.
    fn flush(&mut self) -> Result<()> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match &mut self.journal {
            Some(journal) => journal.flush().with_context(|| format!("journal of slot {}", self.name)),
            None => Ok(()),
        }
    }
}

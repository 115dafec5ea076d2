//! One slot: an engine and the world that answers it. Live paper, replay and rerun are this code with another world.

use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::{Body, Component, Effect, Fault, Report};
use isobar_engine::market::MarketId;
use isobar_engine::snapshot::{Decision, Snapshot};
use isobar_engine::units::{Digest, Timestamp};
use isobar_engine::venue::Request;
use isobar_store::{Seen, SlotRecord};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

/// A full state digest is journaled after this many inputs: often enough to find a difference, too seldom to be felt.
pub const CHECKPOINT_EVERY: u64 = 4_096;

/// What a component answered, and how long it took.
pub struct Answer {
    /// What it wants, or how it failed.
    pub outcome: Result<Decision, Fault>,
    /// Nanoseconds; measured, so a replay does not compare it.
    pub took_ns: u64,
}

/// What stands around an engine. One world asks a component and writes a journal, the other reads a journal and compares.
pub trait World {
    /// Answers a question of the engine.
    fn decide(&mut self, decision: u64, snapshot: &Snapshot) -> Answer;
    /// Takes over a question and its answer, once both were recorded and applied.
    fn decided(&mut self, _decision: u64, snapshot: Box<Snapshot>, _outcome: Result<Decision, Fault>) {
        drop(snapshot);
    }
    /// Goes back to the version before, if there is one.
    fn revert(&mut self) -> Option<Component>;
    /// Takes note of what happened in the slot at this input, in order.
    fn record(&mut self, seq: u64, at: Timestamp, record: &SlotRecord<'_>);
    /// The engine doubts its book of a market.
    fn resync(&mut self, market: MarketId);
    /// Makes what was recorded so far survive the death of the process.
    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// An engine with its place in the feed.
pub struct Slot {
    /// Its name within the run.
    pub name: String,
    /// Everything that it knows.
    pub engine: Engine,
    at: Timestamp,
    seq: Option<u64>,
    /// Hash over all effects so far.
    rolling: Digest,
    effects: Vec<Effect>,
    queue: VecDeque<Effect>,
    /// Effects of the last step that are not hashed yet, and the answers to the questions among them, both in order.
    done: Vec<Effect>,
    outcomes: VecDeque<Result<Decision, Fault>>,
    /// What the engine asked of the venue and nobody took yet, in order; only a live slot asks.
    requests: Vec<Request>,
    /// The hash before a step and its effects as bytes, kept for its room.
    encoded: Vec<u8>,
}

impl Slot {
    /// A slot at the beginning of a run.
    pub fn new(name: &str, settings: Settings) -> Self {
        Self {
            name: name.to_owned(),
            engine: Engine::new(settings),
            at: Timestamp(0),
            seq: None,
            rolling: Digest::default(),
            effects: Vec::new(),
            queue: VecDeque::new(),
            done: Vec::new(),
            outcomes: VecDeque::new(),
            requests: Vec::new(),
            encoded: Vec::new(),
        }
    }

    /// Applies one input and everything that follows from it.
    pub fn input(&mut self, seq: u64, at: Timestamp, body: &Body, world: &mut impl World) {
        self.advance(seq, at, body, world);
        self.settle(world);
    }

    /// [`Self::input`], but for what an order need not wait for: [`Self::settle`] does it later, at the latest with the
    /// next step.
    pub fn advance(&mut self, seq: u64, at: Timestamp, body: &Body, world: &mut impl World) {
        self.settle(world);
        self.seq = Some(seq);
        self.at = at;
        self.step(seq, body, world);
        if (seq + 1).is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoint(world);
        }
    }

    /// Takes down the hash of the effects of the last step, and gives away what was asked in it.
    pub fn settle(&mut self, world: &mut impl World) {
        if self.done.is_empty() {
            return;
        }
        self.encoded.clear();
        self.encoded.extend_from_slice(&self.rolling.0);
        for effect in &self.done {
            let encoded = std::mem::take(&mut self.encoded);
            self.encoded = postcard::to_extend(effect, encoded).expect("an effect is plain data");
        }
        self.rolling = Digest::of(&self.encoded);
        let seq = self.seq.expect("a step follows an input");
        world.record(seq, self.at, &SlotRecord::Step { effects: self.rolling });
        for effect in self.done.drain(..) {
            if let Effect::Decide { decision, snapshot } = effect {
                world.decided(decision, snapshot, self.outcomes.pop_front().expect("each question was answered"));
            }
        }
    }

    /// Takes down the digest of the whole state.
    pub fn checkpoint(&mut self, world: &mut impl World) {
        self.settle(world);
        if let Some(seq) = self.seq {
            world.record(seq, self.at, &SlotRecord::Checkpoint { digest: self.engine.digest() });
        }
    }

    /// Ends the slot's journal in order.
    pub fn close(&mut self, world: &mut impl World) {
        self.checkpoint(world);
        if let Some(seq) = self.seq {
            world.record(seq, self.at, &SlotRecord::Closing);
        }
    }

    /// Gives the slot another component, between two inputs.
    pub fn swap(&mut self, component: Component, world: &mut impl World) {
        self.settle(world);
        let seq = self.seq.expect("a run begins with its opening, a slot is filled after it");
        world.record(seq, self.at, &SlotRecord::Swapped(Cow::Borrowed(&component)));
        self.step(seq, &Body::Swapped(component), world);
        self.settle(world);
    }

    /// What the engine asked of the venue since the last call, in order.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Whether it asked something since [`Self::take_requests`].
    pub fn asks(&self) -> bool {
        !self.requests.is_empty()
    }

    /// The number of the last input.
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// The time of the last input.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Drain rule: an event and all that follows from it finish before the next.
    fn step(&mut self, seq: u64, body: &Body, world: &mut impl World) {
        self.apply(seq, body);
        while let Some(effect) = self.queue.pop_front() {
            match &effect {
                Effect::Decide { decision, snapshot } => self.decide(seq, *decision, snapshot, world),
                Effect::Revert => {
                    if let Some(component) = world.revert() {
                        world.record(seq, self.at, &SlotRecord::Swapped(Cow::Borrowed(&component)));
                        self.apply(seq, &Body::Swapped(component));
                    }
                }
                Effect::Resync(market) => world.resync(*market),
                Effect::Send(request) => self.requests.push(*request),
                Effect::Report(report) => world.record(seq, self.at, &SlotRecord::Report(Cow::Borrowed(report))),
            }
            self.done.push(effect);
        }
    }

    fn decide(&mut self, seq: u64, decision: u64, snapshot: &Snapshot, world: &mut impl World) {
        let Answer { outcome, took_ns } = world.decide(decision, snapshot);
        let record = SlotRecord::Decided {
            decision,
            event: Cow::Borrowed(&snapshot.event),
            seen: Seen::of(snapshot),
            outcome: Cow::Borrowed(&outcome),
            took_ns,
        };
        world.record(seq, self.at, &record);
        let body = Body::Decided { decision, outcome };
        self.apply(seq, &body);
        if let Body::Decided { outcome, .. } = body {
            self.outcomes.push_back(outcome);
        }
    }

    fn apply(&mut self, seq: u64, body: &Body) {
        self.engine.apply(seq, self.at, body, &mut self.effects);
        self.queue.extend(self.effects.drain(..));
    }
}

/// What a slot did, for the screen and for reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub decisions: u64,
    pub takes: u64,
    pub quotes: u64,
    pub fills: u64,
    pub refusals: u64,
    /// Decisions by the venue's name of the city-day.
    pub decisions_by_event: BTreeMap<String, u64>,
    /// Fills by market.
    pub fills_by_market: BTreeMap<MarketId, u64>,
}

impl Tally {
    /// Counts one record.
    pub fn count(&mut self, record: &SlotRecord<'_>) {
        match record {
            SlotRecord::Decided { event, .. } => {
                self.decisions += 1;
                match self.decisions_by_event.get_mut(&**event) {
                    Some(count) => *count += 1,
                    None => drop(self.decisions_by_event.insert(event.to_string(), 1)),
                }
            }
            SlotRecord::Report(report) => match **report {
                Report::Placed { take: true, .. } => self.takes += 1,
                Report::Placed { take: false, .. } => self.quotes += 1,
                Report::Filled { market, .. } => {
                    self.fills += 1;
                    *self.fills_by_market.entry(market).or_default() += 1;
                }
                Report::Refused { .. } => self.refusals += 1,
                _ => {}
            },
            _ => {}
        }
    }
}

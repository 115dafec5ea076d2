//! Replay: feeds a run's journals to a fresh engine and compares everything that comes out.
//!
//! Answers and swaps come from the slot journals; nothing is asked of components, models or the network.

use crate::slot::{Answer, Slot, World};
use anyhow::{Context, Result};
use isobar_engine::engine::Settings;
use isobar_engine::event::{Body, Component, Fault};
use isobar_engine::market::MarketId;
use isobar_engine::snapshot::{Decision, Snapshot};
use isobar_engine::units::{Digest, Timestamp};
use isobar_kalshi::protocol::Protocol;
use isobar_store::{FeedRecord, Run, SlotEntry, SlotReader, SlotRecord, Tail};
use serde::Serialize;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// What a replay found.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub events: u64,
    pub frames: u64,
    pub gaps: u64,
    pub unparsed: u64,
    pub crossed_episodes: u64,
    /// State of all slots at the end.
    pub digest: String,
    pub seconds: f64,
    pub events_per_second: f64,
    pub identical: bool,
    pub first_difference: Option<Difference>,
    pub slots: Vec<SlotOutcome>,
    /// Bytes of a block that a crash cut short, which are no part of the run.
    pub torn_bytes: u64,
}

/// What the replay of one slot found.
#[derive(Debug, Serialize)]
pub struct SlotOutcome {
    pub slot: String,
    pub decisions: u64,
    pub digest: String,
}

/// The first place where a journal and a fresh engine disagree.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    pub slot: String,
    /// Number of the input.
    pub seq: u64,
    pub recorded: String,
    pub now: String,
}

/// Someone who looks on while a run is replayed.
pub trait Watcher {
    /// A component answered.
    fn decided(&mut self, slot: &str, number: u64, snapshot: &Snapshot, outcome: &Result<Decision, Fault>);
}

/// A slot journal read in step with the feed.
pub struct Recorded<'w> {
    watcher: Option<Rc<RefCell<&'w mut dyn Watcher>>>,
    slot: String,
    reader: SlotReader,
    next: Option<SlotEntry>,
    pub difference: Option<Difference>,
    /// The journal cannot be read any further: neither equal nor different.
    damage: Option<isobar_store::Error>,
}

impl<'w> Recorded<'w> {
    pub fn open(run: &Run, slot: &str, watcher: Option<Rc<RefCell<&'w mut dyn Watcher>>>) -> Result<(Self, Settings)> {
        let mut reader = run.read_slot(slot).with_context(|| format!("slot {slot}"))?;
        let first = reader.next()?;
        let Some(SlotEntry { record: SlotRecord::Opening { settings, .. }, .. }) = first else {
            anyhow::bail!("the journal of slot {slot} does not begin with its opening");
        };
        let settings = serde_json::from_str(&settings).context("the slot's settings")?;
        let mut recorded = Self { watcher, slot: slot.to_owned(), reader, next: None, difference: None, damage: None };
        recorded.advance()?;
        Ok((recorded, settings))
    }

    /// Whether everything that was recorded was used. The run was killed, or goes on beyond its journal.
    pub fn is_over(&self) -> bool {
        self.next.is_none()
    }

    fn advance(&mut self) -> Result<()> {
        self.next = self.reader.next()?;
        Ok(())
    }

    fn differ(&mut self, seq: u64, recorded: String, now: String) {
        if self.difference.is_none() {
            self.difference = Some(Difference { slot: self.slot.clone(), seq, recorded, now });
        }
    }

    /// What came between the input `seq` and the next, if anything did.
    fn between(&self, seq: u64) -> Option<&SlotRecord<'static>> {
        self.next.as_ref().filter(|next| next.seq == seq).map(|next| &next.record)
    }
}

/// Swaps the slot as its journal says, and compares the digest where a journal ended in order.
pub fn catch_up(slot: &mut Slot, recorded: &mut Recorded<'_>, seq: u64) -> Result<()> {
    // A replay asks no venue anything; that the requests are the same is in the hash of the effects.
    drop(slot.take_requests());
    loop {
        if let Some(damage) = recorded.damage.take() {
            return Err(damage.into());
        }
        match recorded.between(seq) {
            Some(SlotRecord::Swapped(component)) => {
                let component = component.clone().into_owned();
                slot.swap(component, recorded);
            }
            Some(SlotRecord::Checkpoint { .. }) => slot.checkpoint(recorded),
            Some(SlotRecord::Refused { .. } | SlotRecord::Closing) => recorded.advance()?,
            _ => return Ok(()),
        }
        if recorded.difference.is_some() {
            return Ok(());
        }
    }
}

impl World for Recorded<'_> {
    fn decide(&mut self, decision: u64, snapshot: &Snapshot) -> Answer {
        match self.next.as_ref().map(|next| &next.record) {
            Some(SlotRecord::Decided { decision: recorded, outcome, took_ns, .. }) if *recorded == decision => {
                if let Some(watcher) = &self.watcher {
                    watcher.borrow_mut().decided(&self.slot, decision, snapshot, outcome);
                }
                Answer { outcome: outcome.clone().into_owned(), took_ns: *took_ns }
            }
            // `record` sees the same mismatch and names it.
            _ => Answer { outcome: Err(Fault::Refused("no recorded answer".to_owned())), took_ns: 0 },
        }
    }

    fn revert(&mut self) -> Option<Component> {
        match self.next.as_ref().map(|next| &next.record) {
            Some(SlotRecord::Swapped(component)) => Some(component.clone().into_owned()),
            _ => None,
        }
    }

    fn record(&mut self, seq: u64, _: Timestamp, now: &SlotRecord<'_>) {
        if self.difference.is_some() {
            return;
        }
        // A run that was killed has inputs that no slot has answered yet; what is missing at its end is no difference.
        let Some(next) = &self.next else { return };
        if next.seq != seq || next.record != *now {
            let recorded = format!("at {}: {}", next.seq, brief(&next.record));
            return self.differ(seq, recorded, brief(now));
        }
        match self.reader.next() {
            Ok(next) => self.next = next,
            Err(error) => (self.next, self.damage) = (None, Some(error)),
        }
    }

    fn resync(&mut self, _: MarketId) {}
}

/// A record in few words.
fn brief(record: &SlotRecord<'_>) -> String {
    let mut text = format!("{record:?}");
    if text.len() > 300 {
        let cut = (0..=300).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}

/// Feeds every input of `run` to `each`, decoded.
pub fn decode(
    run: &Run,
    mut each: impl FnMut(u64, Timestamp, &Body, &Protocol) -> Result<()>,
) -> Result<(Protocol, u64)> {
    decode_inputs(run, |record, body, protocol| each(record.seq, record.at, body, protocol))
}

/// [`decode`] for those who look at what came in as well as at what it means.
pub fn decode_inputs(
    run: &Run,
    mut each: impl FnMut(&FeedRecord<'_>, &Body, &Protocol) -> Result<()>,
) -> Result<(Protocol, u64)> {
    let mut reader = run.read_feed()?;
    let mut protocol = Protocol::new();
    let mut transmit = Vec::new();
    while let Some(record) = reader.next()? {
        let body = protocol.apply(record.at, &record.input, &mut transmit);
        transmit.clear();
        each(&record, &body, &protocol)?;
    }
    let torn = match reader.tail() {
        Tail::Whole => 0,
        Tail::Torn { bytes, .. } => *bytes,
    };
    Ok((protocol, torn))
}

/// Replays all slots of the run in `folder`.
pub fn replay(folder: &Path) -> Result<Outcome> {
    replay_slots(folder, None)
}

/// Replays all slots of the run in `folder` while somebody looks on.
pub fn replay_watched(folder: &Path, watcher: &mut dyn Watcher) -> Result<Outcome> {
    replay_slots(folder, Some(Rc::new(RefCell::new(watcher))))
}

fn replay_slots(folder: &Path, watcher: Option<Rc<RefCell<&mut dyn Watcher>>>) -> Result<Outcome> {
    let run = Run::open(folder)?;
    let started = Instant::now();
    let mut slots = Vec::new();
    for name in run.slots()? {
        let (recorded, settings) = Recorded::open(&run, &name, watcher.clone())?;
        slots.push((Slot::new(&name, settings), recorded));
    }
    let mut events = 0;
    let (protocol, torn_bytes) = decode(&run, |seq, at, body, _| {
        events += 1;
        for (slot, recorded) in &mut slots {
            slot.input(seq, at, body, recorded);
            catch_up(slot, recorded, seq)?;
        }
        Ok(())
    })?;
    for (slot, recorded) in &mut slots {
        if let Some(left) = recorded.next.take()
            && slot.seq().is_some_and(|seq| left.seq <= seq)
        {
            recorded.differ(left.seq, brief(&left.record), "nothing".to_owned());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let first = slots.iter().filter_map(|(_, recorded)| recorded.difference.clone()).min_by_key(|d| d.seq);
    let counts = protocol.counts();
    let digests: Vec<Digest> = slots.iter().map(|(slot, _)| slot.engine.digest()).collect();
    let all: Vec<u8> = digests.iter().flat_map(|digest| digest.0).collect();
    Ok(Outcome {
        events,
        frames: counts.frames,
        gaps: counts.gaps,
        unparsed: counts.unparsed,
        crossed_episodes: slots.first().map_or(0, |(slot, _)| slot.engine.crossed_episodes()),
        digest: Digest::of(&all).to_string(),
        seconds,
        events_per_second: events as f64 / seconds,
        identical: first.is_none(),
        first_difference: first,
        slots: slots
            .iter()
            .zip(&digests)
            .map(|((slot, _), digest)| SlotOutcome {
                slot: slot.name.clone(),
                decisions: slot.engine.counts().decisions,
                digest: digest.to_string(),
            })
            .collect(),
        torn_bytes,
    })
}

/// What a person reads of a replay.
pub fn render(outcome: &Outcome) -> String {
    let verdict = match &outcome.first_difference {
        None => "identical".to_owned(),
        Some(Difference { slot, seq, recorded, now }) => {
            format!("DIFFERENT, first in slot {slot} at input {seq}\n  recorded: {recorded}\n  now:      {now}")
        }
    };
    let torn = match outcome.torn_bytes {
        0 => String::new(),
        bytes => format!("\n{bytes} bytes of a torn tail are no part of the run"),
    };
    format!(
        "{} events ({} frames) in {:.2} s, {:.0} events/s; {} gaps, {} unparsed, {} crossed episodes\nstate {}\n{verdict}{torn}",
        outcome.events,
        outcome.frames,
        outcome.seconds,
        outcome.events_per_second,
        outcome.gaps,
        outcome.unparsed,
        outcome.crossed_episodes,
        outcome.digest
    )
}

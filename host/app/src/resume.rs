//! Goes on with a run that was killed: a crash is a replay.
//!
//! The journals say everything that the run knew. Every input of the feed is applied again; as far as a slot's journal
//! reaches, its recorded answers and swaps are used and everything that comes out is compared, as in a replay; beyond it,
//! which is at most what was under way when the process died, the component is asked again and the journal is continued.
//! Nothing is sent: a request leaves only after both journals were handed over, so one that was not answered may or may not
//! have reached the venue, and is told to the engine as such by the driver ([`Resumed::awaiting`]).

use crate::registry::Registry;
use crate::replay::{Recorded, catch_up};
use crate::seat::{Running, Seat};
use crate::slot::{Answer, Slot, World};
use anyhow::{Context, Result, bail};
use isobar_engine::event::{Component, Input, Opening};
use isobar_engine::market::MarketId;
use isobar_engine::snapshot::Snapshot;
use isobar_engine::units::Timestamp;
use isobar_engine::venue::Request;
use isobar_kalshi::protocol::Protocol;
use isobar_store::{FeedReader, Run, SlotRecord};

/// A run as it was when its process died.
pub struct Resumed {
    /// How many inputs the feed journal holds.
    pub inputs: u64,
    /// Where the feed journal ends.
    pub reader: FeedReader,
    /// Two protocol cores in the same state: the driver's and the follower's.
    pub protocols: [Protocol; 2],
    pub registry: Registry,
    /// Number of the last connection.
    pub connection: u32,
    /// Connections that were open.
    pub open: Vec<u32>,
    /// Time of the last input.
    pub last: Timestamp,
    /// Requests of the live slot whose answers are lost.
    pub awaiting: Vec<Request>,
}

/// Brings `seats` to where their run was. Each world is given its component by `load`, from the bytes that the run keeps.
///
/// # Errors
/// The run ended in order, was written by another version of the engine, or its journals contradict the engine: then the
/// way on is a new run, which takes the account over as it is.
pub fn resume(
    run: &Run,
    seats: &mut [Seat],
    mut load: impl FnMut(usize, &Component) -> Result<isobar_plugins::Strategy>,
) -> Result<Resumed> {
    let mut recorded = Vec::new();
    for (index, seat) in seats.iter_mut().enumerate() {
        let (reader, settings) = Recorded::open(run, &seat.slot.name, None)?;
        seat.slot = Slot::new(&seat.slot.name, settings);
        for component in held_last(run, &seat.slot.name)? {
            let strategy = load(index, &component)?;
            seat.world.hold(strategy, component);
        }
        recorded.push(reader);
    }
    let mut reader = run.read_feed()?;
    let mut protocols = [Protocol::new(), Protocol::new()];
    let mut registry = Registry::default();
    let (mut opening, mut connection, mut open) = (None::<Opening>, 0, Vec::new());
    let (mut last, mut inputs, mut transmit) = (Timestamp(0), 0, Vec::new());
    while let Some(record) = reader.next()? {
        match &record.input {
            Input::Opening(first) => opening = Some(first.clone()),
            Input::Listed(markets) => drop(registry.found(markets.iter().cloned())),
            Input::Settled { market, .. } => registry.paid(*market),
            Input::Connected { connection: number, .. } => {
                connection = *number;
                open.push(connection);
            }
            Input::Disconnected { connection: gone, .. } => open.retain(|number| number != gone),
            Input::Closing => bail!("{} ended in order: there is nothing to go on with", run.folder().display()),
            _ => {}
        }
        let body = protocols[0].apply(record.at, &record.input, &mut transmit);
        protocols[1].apply(record.at, &record.input, &mut transmit);
        transmit.clear();
        (last, inputs) = (record.at, record.seq + 1);
        for (Seat { slot, world }, recorded) in seats.iter_mut().zip(&mut recorded) {
            slot.input(record.seq, record.at, &body, &mut Resuming { recorded, running: world });
            catch_up(slot, recorded, record.seq)?;
            if let Some(difference) = recorded.difference.take() {
                bail!(
                    "the journals of {} are not what this engine does (slot {} at input {}): start a new run",
                    run.folder().display(),
                    difference.slot,
                    difference.seq
                );
            }
        }
    }
    let opening = opening.with_context(|| format!("{} has no opening record", run.folder().display()))?;
    if opening.engine != isobar_engine::engine::VERSION {
        bail!("the run was written by engine {}: start a new run", opening.engine);
    }
    let awaiting = seats.iter().flat_map(|seat| seat.slot.engine.awaiting()).collect();
    for seat in seats {
        seat.world.flush()?;
    }
    Ok(Resumed { inputs, reader, protocols, registry, connection, open, last, awaiting })
}

/// The last two components that a slot held, the newer one last: what it holds and what it would go back to.
fn held_last(run: &Run, slot: &str) -> Result<Vec<Component>> {
    let mut reader = run.read_slot(slot)?;
    let mut held: Vec<Component> = Vec::new();
    while let Some(entry) = reader.next()? {
        if let SlotRecord::Swapped(component) = entry.record {
            held.push(component.into_owned());
            if held.len() > 2 {
                held.remove(0);
            }
        }
    }
    Ok(held)
}

/// Recorded answers as far as they reach, then the component itself.
struct Resuming<'r, 'w> {
    recorded: &'r mut Recorded<'w>,
    running: &'r mut Running,
}

impl World for Resuming<'_, '_> {
    fn decide(&mut self, decision: u64, snapshot: &Snapshot) -> Answer {
        if self.recorded.is_over() {
            self.running.decide(decision, snapshot)
        } else {
            self.recorded.decide(decision, snapshot)
        }
    }

    fn revert(&mut self) -> Option<Component> {
        if self.recorded.is_over() { self.running.revert() } else { self.recorded.revert() }
    }

    fn record(&mut self, seq: u64, at: Timestamp, record: &SlotRecord<'_>) {
        if self.recorded.is_over() {
            self.running.record(seq, at, record);
        } else {
            self.running.tally.count(record);
            self.recorded.record(seq, at, record);
        }
    }

    fn resync(&mut self, market: MarketId) {
        if self.recorded.is_over() {
            self.running.resync(market);
        }
    }
}

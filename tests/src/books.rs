//! The books of a run as its feed journal tells them, read while the run is still written.

use crate::truth::side;
use isobar_engine::engine::{Engine, Settings};
use isobar_engine::market::{Market, MarketId};
use isobar_engine::units::Side;
use isobar_kalshi::protocol::Protocol;
use isobar_store::{FeedReader, Run, SlotRecord};
use serde_json::Value;
use std::path::Path;

/// Reads a feed journal and keeps its books, as `isobar book` does, without beginning anew each time.
pub struct Books {
    reader: FeedReader,
    protocol: Protocol,
    engine: Engine,
}

impl Books {
    /// Begins at the first record of a run. `slot` is one of its paper slots, whose settings are taken.
    pub fn follow(folder: &Path, slot: &str) -> Self {
        let run = Run::open(folder).expect("a run");
        let first = run.read_slot(slot).expect("a slot").next().expect("readable").expect("a record");
        let SlotRecord::Opening { settings, .. } = first.record else { panic!("{first:?}") };
        let engine = Engine::new(serde_json::from_str::<Settings>(&settings).expect("settings"));
        Self { reader: run.read_feed().expect("a journal"), protocol: Protocol::new(), engine }
    }

    /// Applies what was written since.
    pub fn read_on(&mut self) {
        let (mut transmit, mut effects) = (Vec::new(), Vec::new());
        while let Some(record) = self.reader.next().expect("an undamaged journal") {
            let body = self.protocol.apply(record.at, &record.input, &mut transmit);
            self.engine.apply(record.seq, record.at, &body, &mut effects);
            transmit.clear();
            effects.clear();
        }
    }

    /// Ticker of a market.
    pub fn ticker(&self, market: MarketId) -> &str {
        let found = self.engine.markets().find(|listed| listed.id == market);
        found.map(|listed| listed.ticker.as_str()).expect("a market of the run")
    }

    /// What differs from the exchange's own books (`GET /sim/books`) in markets that trade.
    pub fn differences(&self, truth: &[Value]) -> Vec<String> {
        let active = truth.iter().filter(|book| book["status"] == "active");
        active.filter_map(|book| self.difference(book)).collect()
    }

    fn difference(&self, truth: &Value) -> Option<String> {
        let named = |market: &&Market| truth["ticker"] == market.ticker.as_str();
        let Some(market) = self.engine.markets().find(named) else { return Some(format!("unknown: {truth}")) };
        let book = self.engine.book(market.id);
        if let Some(reason) = book.stale() {
            return Some(format!("{}: stale: {reason:?}", market.ticker));
        }
        let ours = [Side::Bid, Side::Ask].map(|of| side(&self.engine, market.id, of));
        let equal = ours[0] == truth["bids"] && ours[1] == truth["asks"];
        (!equal).then(|| format!("{}: {} | {} instead of {truth}", market.ticker, ours[0], ours[1]))
    }
}

//! What a strategy may see of one city-day at one event, and what it answers.
//!
//! A strategy is a pure function of its snapshot. Everything in here is a plain value; the plugin host converts it to the
//! types of the WIT world and back.

use crate::event::{Level, Trade};
use crate::market::{FeeSchedule, MarketId, PriceRange, Strike};
use crate::units::{Price, Probability, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One city-day at one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The time of the event.
    pub now: Timestamp,
    /// The venue's name of the city-day, for example `KXHIGHCHI-26NOV23`.
    pub event: Arc<str>,
    /// When its markets close.
    pub closes: Timestamp,
    /// Index into `brackets` of the market that changed, where it was one.
    pub changed: Option<u16>,
    /// When the newest input of the forecast was published; nothing without an opinion.
    pub forecast_issued: Option<Timestamp>,
    /// Every bracket of the city-day, by rising temperature.
    pub brackets: Vec<Bracket>,
    /// The slot's parameters in the order in which the component declares them.
    pub parameters: Arc<[i64]>,
    /// The bytes that the slot's last decision left for this city-day.
    pub state: Vec<u8>,
}

/// One market of the city-day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bracket {
    /// Its number in this run.
    pub market: MarketId,
    /// The venue's name.
    pub ticker: Arc<str>,
    /// Which degrees make it come true.
    pub strike: Strike,
    /// The model's probability, where it has an opinion that is young enough.
    pub probability: Option<Probability>,
    /// Whether orders would pass now: market active, book proved current and not crossed.
    pub tradable: bool,
    /// Bids of others to the watched depth, best first. Paper orders are in no book; live ones are taken out.
    pub bids: Vec<Level>,
    /// Asks of others to the watched depth, best first.
    pub asks: Vec<Level>,
    /// Last public trade seen.
    pub last_trade: Option<Trade>,
    /// Signed position in 1/100 contracts: positive YES, negative NO.
    pub position: i64,
    /// Own orders that are not over: quotes that rest or are on their way to, and takes on their way.
    pub resting: Vec<Resting>,
    /// What a fill costs.
    pub fees: FeeSchedule,
    /// The prices it allows.
    pub ladder: Arc<[PriceRange]>,
    /// How many more contracts may be bought before a limit refuses, resting orders counted as filled.
    pub room_bid: Quantity,
    /// How many more contracts may be sold before a limit refuses, resting orders counted as filled.
    pub room_ask: Quantity,
}

/// One own order that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resting {
    /// Its side.
    pub side: Side,
    /// YES price.
    pub price: Price,
    /// What is left of it.
    pub quantity: Quantity,
}

/// What a component wants, from one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// All quotes that should rest in this city-day from now on; what rests and is not among them is cancelled.
    pub quotes: Vec<DesiredQuote>,
    /// Positions to reach at once by taking.
    pub takes: Vec<Target>,
    /// One reason for every market looked at, acting or not.
    pub reasons: Vec<Reason>,
    /// Bytes that the next snapshot of this city-day brings back.
    pub state: Vec<u8>,
}

/// A quote that should rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredQuote {
    /// Index into the brackets of the snapshot.
    pub bracket: u16,
    /// Its side.
    pub side: Side,
    /// YES price, on the ladder.
    pub price: Price,
    /// Contracts that should rest at it.
    pub quantity: Quantity,
}

/// A position to reach by taking what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Index into the brackets of the snapshot.
    pub bracket: u16,
    /// Signed position to reach, 1/100 contracts. The engine subtracts what is held and all that is in flight.
    pub position: i64,
    /// Worst YES price to pay (buying) or to accept (selling).
    pub limit: Price,
}

/// Why a market was acted on or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Index into the brackets of the snapshot.
    pub bracket: u16,
    /// What came of it.
    pub verdict: Verdict,
    /// Side that was looked at.
    pub side: Side,
    /// Price of the action.
    pub price: Option<Price>,
    /// Contracts of the action.
    pub quantity: Quantity,
    /// Expected value of taking one contract, fee included, in 1/1 000 000 dollar.
    pub take_ev: Option<i64>,
    /// Expected value of one contract bought by a resting quote, fee included, in 1/1 000 000 dollar.
    pub make_ev: Option<i64>,
    /// A few words for people, for example `edge too small`.
    pub note: String,
}

/// What a decision does in one market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Crosses the spread.
    Take,
    /// Rests a quote.
    Make,
    /// Nothing.
    Pass,
}

/// Bounds of one decision; beyond them the answer is a fault of the component.
pub mod bounds {
    /// Most desired quotes.
    pub const QUOTES: usize = 64;
    /// Most targets.
    pub const TAKES: usize = 32;
    /// Most reasons.
    pub const REASONS: usize = 64;
    /// Most bytes of state for a city-day.
    pub const STATE_BYTES: usize = 4_096;
    /// Most bytes of one note.
    pub const NOTE_BYTES: usize = 200;
}

//! The strategy of the fault runs, in Rust, and the world around its slot.
//!
//! It quotes two sides of three brackets, moves its quotes, shrinks them in place and takes now and then. Each process
//! decides a little differently, so an answer that was recorded and one that is given again are not the same: what was sent
//! must follow from what is durable, whatever a restarted process would rather do.

use super::tape::Shared;
use anyhow::Result;
use isobar::{Answer, World};
use isobar_engine::event::{Component, Report, Watch};
use isobar_engine::market::MarketId;
use isobar_engine::order::{OrderId, RefusalReason};
use isobar_engine::snapshot::{Decision, DesiredQuote, Snapshot, Target};
use isobar_engine::units::{Digest, Money, Price, Quantity, SECOND, Side, Timestamp};
use isobar_store::SlotRecord;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Brackets of the city-day that are quoted.
pub const BRACKETS: std::ops::Range<u16> = 1..4;

/// Where the price of a bracket is around, in cents.
pub const fn middle(bracket: u16) -> u16 {
    25 + 10 * bracket
}

/// A number that looks random and is the same for the same input.
pub const fn mix(mut number: u64) -> u64 {
    number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What the engine is told of the strategy.
pub fn component() -> Component {
    Component {
        hash: Digest::of(b"native"),
        name: "native".to_owned(),
        watch: Watch { levels: 2, sizes: false, trades: true, every: SECOND, at_most_every: 0 },
        parameters: Vec::new(),
    }
}

/// An execution as the engine reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Booked {
    /// The order.
    pub order: u64,
    /// Its market.
    pub market: MarketId,
    /// Whether YES was bought.
    pub bought: bool,
    /// YES price.
    pub price: Price,
    /// Contracts.
    pub quantity: Quantity,
    /// Net fee.
    pub fee: Money,
}

/// Terms of an order as the engine decided them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Market.
    pub market: MarketId,
    /// Side.
    pub side: Side,
    /// Limit.
    pub price: Price,
    /// Contracts.
    pub quantity: Quantity,
}

/// The world of the live slot in one process.
pub struct Native {
    tape: Shared,
    salt: u64,
    /// The strategy rests what it wants and moves nothing.
    calm: Rc<Cell<bool>>,
    used: usize,
    /// Executions that the engine reported.
    pub booked: Vec<Booked>,
    /// Orders that the engine decided to place.
    pub placed: BTreeMap<OrderId, Terms>,
    /// Books that the engine doubts.
    pub doubts: Vec<MarketId>,
    /// What the engine said to people.
    pub notices: Vec<String>,
    /// Intents that did not pass, by reason.
    pub refusals: BTreeMap<RefusalReason, u64>,
    /// What the strategy wants to rest.
    pub wanted: BTreeMap<(MarketId, bool), Quantity>,
}

impl Native {
    /// A world whose answers so far are on the tape.
    pub fn new(tape: Shared, salt: u64, calm: Rc<Cell<bool>>) -> Self {
        Self {
            tape,
            salt,
            calm,
            used: 0,
            booked: Vec::new(),
            placed: BTreeMap::new(),
            doubts: Vec::new(),
            notices: Vec::new(),
            refusals: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }

    fn choose(&self, snapshot: &Snapshot) -> Decision {
        let calm = self.calm.get();
        let mut decision = Decision::default();
        let beat = if calm { 0 } else { snapshot.now.0.div_euclid(3 * SECOND / 2).unsigned_abs() };
        let step = if calm { 2 } else { (snapshot.now.0.rem_euclid(3 * SECOND / 2) / (SECOND / 2)).unsigned_abs() };
        for bracket in BRACKETS {
            let salt = if calm { 7 } else { self.salt };
            let chance = mix(salt ^ (beat << 8) ^ u64::from(bracket));
            let middle = middle(bracket);
            let shift = (chance % 3) as u16;
            let size = Quantity::new(100 * (2 + (chance >> 8) % 4) - 50 * step);
            let mut quote = |side, cents| {
                let price = Price::from_cents(cents).expect("a price between nothing and a dollar");
                decision.quotes.push(DesiredQuote { bracket, side, price, quantity: size });
            };
            if !(chance >> 16).is_multiple_of(8) {
                quote(Side::Bid, middle - 1 - shift);
            }
            if !(chance >> 20).is_multiple_of(8) {
                quote(Side::Ask, middle + 1 + (2 - shift));
            }
            // One that stays where it is, is never met and has to be renewed.
            quote(Side::Bid, middle - 9);
            if !calm && (chance >> 24).is_multiple_of(6) {
                let position = snapshot.brackets[usize::from(bracket)].position;
                let more = if (chance >> 28).is_multiple_of(2) { 150 } else { -150 };
                let cents = if more > 0 { middle + 6 } else { middle - 6 };
                let limit = Price::from_cents(cents).expect("a price between nothing and a dollar");
                decision.takes.push(Target { bracket, position: position + more, limit });
            }
        }
        decision
    }
}

impl World for Native {
    fn decide(&mut self, decision: u64, snapshot: &Snapshot) -> Answer {
        let recorded = self.tape.borrow().answer(self.used).cloned();
        self.used += 1;
        let wanted = match recorded {
            Some((number, wanted)) => {
                assert_eq!(number, decision, "answers are asked for again in the order in which they were given");
                wanted
            }
            None => {
                let wanted = self.choose(snapshot);
                self.tape.borrow_mut().answered(decision, &wanted);
                wanted
            }
        };
        self.wanted.clear();
        for quote in &wanted.quotes {
            let market = snapshot.brackets[usize::from(quote.bracket)].market;
            *self.wanted.entry((market, quote.side == Side::Bid)).or_default() += quote.quantity;
        }
        Answer { outcome: Ok(wanted), took_ns: 0 }
    }

    fn revert(&mut self) -> Option<Component> {
        None
    }

    fn record(&mut self, _: u64, _: Timestamp, record: &SlotRecord<'_>) {
        let SlotRecord::Report(report) = record else { return };
        match **report {
            Report::Placed { order, market, side, price, quantity, .. } => {
                self.placed.insert(order, Terms { market, side, price, quantity });
            }
            Report::Filled { order, market, side, price, quantity, fee, .. } => {
                self.booked.push(Booked { order: order.0, market, bought: side == Side::Bid, price, quantity, fee });
            }
            Report::ForeignFill { market, side, price, quantity, fee, .. } => {
                self.booked.push(Booked { order: 0, market, bought: side == Side::Bid, price, quantity, fee });
            }
            Report::Refused { reason, .. } => *self.refusals.entry(reason).or_default() += 1,
            Report::Notice(ref notice) => self.notices.push(notice.to_string()),
            _ => {}
        }
    }

    fn resync(&mut self, market: MarketId) {
        self.doubts.push(market);
    }

    fn flush(&mut self) -> Result<()> {
        self.tape.borrow_mut().flush_answers()
    }
}

//! Whether the account at the venue equals the ledger: when it is read, and what a read proves.
//!
//! The first read of a live slot is taken over. Each later one has to equal the ledger exactly in contracts and cash, after
//! the fills that only one side knows were allowed for: those that the read brought are booked before, and those that we
//! heard of after the read are taken out. Cost is not compared: how the venue averages it is not documented. Nor is it
//! clear whether its balance holds back what resting orders would cost: its specification calls it "available" and says that
//! it "only changes on fills, settlements and transfers" (openapi.yaml, GetBalance). Either reading has to be met exactly, the
//! first but for which of several orders closes a position.
//!
//! While the two are not proved equal nothing new is placed; quotes that rest stay (unless their books are stale too: then
//! they are pulled with them), because a cancel may be lost as well and their expiry bounds the risk. A difference with
//! nothing under way, twice in a row, is for a person.

use crate::ledger::Ledger;
use crate::market::MarketId;
use crate::orders::LiveSettings;
use crate::risk::check::premium;
use crate::units::{Money, Price, Quantity, Side, Timestamp};
use crate::venue::{Account, OrderStatus, TradeId, VenueFill, VenueOrder};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many fills are remembered as perhaps newer than a read. Older ones are in every read that matters.
const RECENT: usize = 4_096;

/// What is known of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reconciler {
    /// The ledger was taken over from the venue.
    adopted: bool,
    proved: bool,
    /// When a read was asked for that did not come yet.
    asked: Option<Timestamp>,
    /// When the next read is due.
    due: Timestamp,
    as_of: Timestamp,
    /// The last read differed, with nothing under way.
    differed: bool,
    /// Fills by the time at which we heard of them.
    recent: VecDeque<(Timestamp, VenueFill)>,
    /// Positions that the venue pushed and that differ from ours: what it said, and since when.
    hints: BTreeMap<MarketId, (i64, Timestamp)>,
    foreign: u32,
}

/// What a read says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both are equal.
    Equal,
    /// They differ, which what is under way may explain, or which was seen for the first time.
    Open(String),
    /// They differ for good.
    Different(String),
}

/// Facts of the markets that a comparison needs.
pub(crate) trait Markets {
    /// The market is past its close and not paid as far as we know: the venue may have paid it already.
    fn may_be_paid(&self, market: MarketId) -> bool;
    /// The market was paid as far as we know, too short a time ago for every read to show it.
    fn just_paid(&self, market: MarketId) -> bool;
}

impl Reconciler {
    pub fn new() -> Self {
        Self {
            adopted: false,
            proved: false,
            asked: None,
            due: Timestamp(0),
            as_of: Timestamp(0),
            differed: false,
            recent: VecDeque::new(),
            hints: BTreeMap::new(),
            foreign: 0,
        }
    }

    pub fn adopted(&self) -> bool {
        self.adopted
    }

    pub fn proved(&self) -> bool {
        self.proved
    }

    /// Whether a read was asked for and has not come.
    pub fn awaits(&self) -> bool {
        self.asked.is_some()
    }

    /// The account may differ from the ledger. Says whether that is new.
    pub fn doubt(&mut self, now: Timestamp) -> bool {
        self.due = now;
        std::mem::replace(&mut self.proved, false)
    }

    /// The next read is taken over, whatever it says.
    pub fn adopt_anew(&mut self, now: Timestamp) {
        (self.adopted, self.differed) = (false, false);
        self.doubt(now);
    }

    /// A read is wanted as soon as none is under way.
    pub fn want(&mut self, now: Timestamp) {
        self.due = self.due.min(now);
    }

    /// Whether to ask for a read now.
    pub fn ask(&mut self, now: Timestamp, settings: &LiveSettings) -> bool {
        let lost = self.asked.is_some_and(|asked| now.since(asked) >= settings.read_again);
        let ask = now >= self.due && (self.asked.is_none() || lost);
        if ask {
            self.asked = Some(now);
            self.due = now.plus(settings.read_every);
        }
        ask
    }

    /// A fill was heard of outside of a read of the account.
    pub fn remember(&mut self, now: Timestamp, fill: &VenueFill) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((now, *fill));
    }

    /// The venue pushed a position.
    pub fn hint(&mut self, market: MarketId, contracts: i64, held: i64, now: Timestamp) {
        if contracts == held {
            self.hints.remove(&market);
        } else {
            let since = self.hints.get(&market).map_or(now, |(_, since)| *since);
            self.hints.insert(market, (contracts, since));
        }
    }

    /// Wants a read where a pushed position differs from ours for longer than `patience`.
    pub fn check_hints(&mut self, ledger: &Ledger, now: Timestamp, patience: i64) {
        self.hints.retain(|market, (contracts, _)| ledger.position(*market) != *contracts);
        if self.hints.values().any(|(_, since)| now.since(*since) >= patience) {
            self.hints.clear();
            self.want(now);
        }
    }

    /// Whether a read is newer than all before. An older one says nothing.
    pub fn begin(&mut self, account: &Account) -> bool {
        self.asked = None;
        let newer = account.as_of >= self.as_of;
        self.as_of = self.as_of.max(account.as_of);
        newer
    }

    /// Takes the venue's account over. The slot may trade on the next read that equals it, or at once where no fill was
    /// heard of that the read does not hold.
    pub fn adopt(&mut self, account: &Account, ledger: &mut Ledger, margin: i64) {
        ledger.adopt(account.cash, account.positions.iter().map(|held| (held.market, held.contracts, held.cost)));
        self.adopted = true;
        let read: BTreeSet<TradeId> = account.fills.iter().map(|fill| fill.trade).collect();
        let since = account.as_of.plus(-margin);
        self.recent.retain(|(at, fill)| *at > since && !read.contains(&fill.trade));
        for (_, fill) in &self.recent {
            ledger.fill(fill.market, fill.side, fill.price, fill.quantity, fill.fee);
        }
    }

    /// How many orders of others rest. Says whether that changed.
    pub fn foreign(&mut self, orders: u32) -> bool {
        std::mem::replace(&mut self.foreign, orders) != orders
    }

    /// Compares a read with the ledger, in which its fills are booked.
    pub fn compare(
        &mut self,
        account: &Account,
        ledger: &Ledger,
        markets: &impl Markets,
        unsettled: bool,
        now: Timestamp,
        settings: &LiveSettings,
    ) -> Verdict {
        let read: BTreeSet<TradeId> = account.fills.iter().map(|fill| fill.trade).collect();
        let newer = account.as_of.plus(-settings.margin);
        self.recent.retain(|(at, _)| *at > newer);
        let unread = self.recent.iter().map(|(_, fill)| fill).filter(|fill| !read.contains(&fill.trade));
        let Some(difference) = Comparison::new(account, ledger, unread).judge(account, markets) else {
            self.proved = true;
            self.differed = false;
            return Verdict::Equal;
        };
        self.proved = false;
        self.due = now.plus(settings.retry);
        let difference = difference.unwrap_or_else(|| "a market was paid a moment ago".to_owned());
        let waiting = unsettled || markets_waiting(account, markets);
        if !waiting && std::mem::replace(&mut self.differed, true) {
            return Verdict::Different(difference);
        }
        Verdict::Open(difference)
    }
}

fn markets_waiting(account: &Account, markets: &impl Markets) -> bool {
    account.positions.iter().any(|held| held.contracts != 0 && markets.just_paid(held.market))
}

/// The two accounts side by side, on terms in which a fill changes both by the same amount whatever is held: cash plus a
/// dollar for every contract of NO.
struct Comparison {
    /// By market: ours, the venue's.
    positions: BTreeMap<MarketId, (i64, i64)>,
    ours: Money,
    venue: Money,
}

impl Comparison {
    fn new<'a>(account: &Account, ledger: &Ledger, unread: impl Iterator<Item = &'a VenueFill>) -> Self {
        let mut positions: BTreeMap<MarketId, (i64, i64)> =
            ledger.positions().map(|(market, position)| (market, (position, 0))).collect();
        let mut ours = ledger.cash() + ledger.positions().map(|(_, position)| pledge(position)).sum();
        let mut venue = account.cash;
        for held in &account.positions {
            positions.entry(held.market).or_default().1 += held.contracts;
            venue += pledge(held.contracts);
        }
        for fill in unread {
            positions.entry(fill.market).or_default().0 -= fill.side.sign() * fill.quantity.signed();
            let paid = fill.price.times(fill.quantity);
            // What the fill did to our side is undone.
            ours += fill.fee;
            match fill.side {
                Side::Bid => ours += paid,
                Side::Ask => ours -= paid,
            }
        }
        Self { positions, ours, venue }
    }

    /// Nothing where both are equal; otherwise the difference in words, unless a market that was just paid explains it.
    fn judge(mut self, account: &Account, markets: &impl Markets) -> Option<Option<String>> {
        // A market past its close that the venue shows no more was paid, something between nothing and a dollar each.
        let (mut least, mut most) = (Money::ZERO, Money::ZERO);
        for (market, (ours, venue)) in &mut self.positions {
            if *venue == 0 && *ours != 0 && markets.may_be_paid(*market) {
                least -= pledge(*ours);
                most += Price::ONE.times(Quantity::new(ours.unsigned_abs())) - pledge(*ours);
                *ours = 0;
            }
        }
        let other = self.positions.iter().find(|(_, (ours, venue))| ours != venue);
        let gap = self.venue - self.ours;
        let (fewest, dearest) = held_back(account);
        let equal = (least <= gap && gap <= most) || (least <= gap + dearest && gap + fewest <= most);
        if other.is_none() && equal {
            return None;
        }
        if markets_waiting(account, markets) {
            return Some(None);
        }
        let mut parts = Vec::new();
        if let Some((market, (ours, venue))) = other {
            parts.push(format!("market {}: the venue holds {venue}/100 contracts, we {ours}/100", market.0));
        }
        if !equal {
            parts.push(format!("cash and NO at a dollar: the venue has {}, we {}", self.venue, self.ours));
        }
        Some(Some(parts.join("; ")))
    }
}

/// A dollar for every contract of NO.
fn pledge(position: i64) -> Money {
    Price::ONE.times(Quantity::new((-position).max(0).unsigned_abs()))
}

/// What the resting orders of an account would cost: the least and the most. What closes a position costs nothing, and which
/// of several orders closes it depends on the order in which the venue took them, which may not be that of their sending.
fn held_back(account: &Account) -> (Money, Money) {
    let mut sides: BTreeMap<(MarketId, Side), Vec<&VenueOrder>> = BTreeMap::new();
    for order in account.orders.iter().filter(|order| order.status == OrderStatus::Resting) {
        sides.entry((order.market, order.side)).or_default().push(order);
    }
    let (mut fewest, mut dearest) = (Money::ZERO, Money::ZERO);
    for ((market, side), mut orders) in sides {
        let held = account.positions.iter().find(|held| held.market == market).map_or(0, |held| held.contracts);
        let cover = Quantity::new((-held * side.sign()).max(0).unsigned_abs());
        orders.sort_by_key(|order| premium(order.side, order.price, Quantity::contracts(1)));
        dearest += uncovered(cover, orders.iter().copied());
        fewest += uncovered(cover, orders.iter().rev().copied());
    }
    (fewest, dearest)
}

/// What orders cost beyond `cover`, which the first of them use up.
fn uncovered<'a>(mut cover: Quantity, orders: impl Iterator<Item = &'a VenueOrder>) -> Money {
    let costs = orders.map(|order| {
        let closing = order.remaining.min(cover);
        cover -= closing;
        premium(order.side, order.price, order.remaining - closing)
    });
    costs.sum()
}

//! Accounts: cash, holdings, orders and what came of them.
//!
//! Money is booked by two lines that never look at who opened and who closed: a fill moves price times contracts, and a
//! short YES position (contracts of NO) ties up one dollar each. So a pair of YES and NO returns its dollar by itself.

use super::groups::Group;
use super::order::{Order, Status};
use isobar_engine::units::{Money, Price, Quantity, Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// One execution of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    /// Number of the public trade.
    pub(crate) trade: u64,
    pub(crate) order: u64,
    pub(crate) market: usize,
    pub(crate) side: Side,
    /// YES price.
    pub(crate) price: Price,
    pub(crate) quantity: Quantity,
    pub(crate) taker: bool,
    pub(crate) fee: Money,
    pub(crate) at: Timestamp,
}

/// A market that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settlement {
    pub(crate) market: usize,
    pub(crate) position: i64,
    pub(crate) cost: Money,
    pub(crate) fees: Money,
    pub(crate) revenue: Money,
    pub(crate) yes: bool,
    pub(crate) at: Timestamp,
}

/// What an account did in one market.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// Signed, 1/100 contracts: positive YES, negative NO.
    pub(crate) position: i64,
    /// Paid for the open position, without fees.
    pub(crate) cost: Money,
    /// Fees of the open position.
    pub(crate) open_fees: Money,
    pub(crate) realised: Money,
    pub(crate) fees: Money,
    /// Everything ever paid for contracts here.
    pub(crate) traded: Money,
    /// Contracts ever traded here.
    pub(crate) shares: Quantity,
    pub(crate) updated: Timestamp,
    pub(crate) settled: bool,
}

/// `part` of `whole` contracts' share of `money`, rounded down; all of it for all of them.
fn share(money: Money, part: i64, whole: i64) -> Money {
    let micros = i128::from(money.micros()) * i128::from(part) / i128::from(whole);
    Money::new(i64::try_from(micros).expect("a share is not more than the whole"))
}

/// Dollars that a position ties up for its NO contracts.
fn pledged(position: i64) -> Money {
    Price::ONE.times(Quantity::new((-position).max(0).unsigned_abs()))
}

/// Change of cash of a fill without its fee, and of one whose position becomes `after`.
fn change(before: i64, after: i64, side: Side, price: Price, quantity: Quantity) -> Money {
    let paid = price.times(quantity);
    let signed = if side == Side::Bid { -paid } else { paid };
    signed + pledged(before) - pledged(after)
}

impl Holding {
    /// Books contracts; the change of cash without the fee.
    fn fill(&mut self, side: Side, price: Price, quantity: Quantity, fee: Money, at: Timestamp) -> Money {
        let (before, bought) = (self.position, if side == Side::Bid { price } else { price.complement() });
        let after = before + side.sign() * quantity.signed();
        let closed = quantity.signed().min((-before * side.sign()).max(0));
        let opened = Quantity::new((quantity.signed() - closed).unsigned_abs());
        if closed > 0 {
            let (cost, fees) = (share(self.cost, closed, before.abs()), share(self.open_fees, closed, before.abs()));
            let pairs = Quantity::new(closed.unsigned_abs());
            self.realised += bought.complement().times(pairs) - cost;
            self.cost -= cost;
            self.open_fees -= fees;
        }
        self.cost += bought.times(opened);
        self.open_fees += if opened.is_zero() { Money::ZERO } else { fee };
        self.position = after;
        self.fees += fee;
        self.traded += bought.times(quantity);
        self.shares += quantity;
        self.updated = at;
        change(before, after, side, price, quantity)
    }
}

/// A member of the exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// UUID of the member.
    pub(crate) user: String,
    /// Money at hand, collateral of resting orders included.
    pub(crate) cash: Money,
    pub(crate) holdings: BTreeMap<usize, Holding>,
    pub(crate) orders: BTreeMap<u64, Order>,
    /// Numbers of the orders by their UUID.
    pub(crate) ids: BTreeMap<String, u64>,
    /// Resting orders by market.
    pub(crate) resting: BTreeMap<usize, BTreeSet<u64>>,
    /// Client ids that were ever used: they stay burnt (PROTOCOL.md 3.6).
    pub(crate) burnt: BTreeSet<String>,
    pub(crate) fills: Vec<Fill>,
    pub(crate) settlements: Vec<Settlement>,
    pub(crate) groups: BTreeMap<u64, Group>,
    /// When a cancel-all looks again for orders that came after it.
    pub(crate) sweep: Option<Timestamp>,
    pub(crate) updated: Timestamp,
}

impl Account {
    pub(crate) fn position(&self, market: usize) -> i64 {
        self.holdings.get(&market).map_or(0, |holding| holding.position)
    }

    /// The order of a UUID.
    pub(crate) fn find(&self, id: &str) -> Option<&Order> {
        self.orders.get(self.ids.get(id)?)
    }

    /// A resting order of a UUID. Everything else is `not_found` at the venue.
    pub(crate) fn find_resting(&self, id: &str) -> Option<&Order> {
        self.find(id).filter(|order| order.status == Status::Resting)
    }

    pub(crate) fn resting_in(&self, market: usize) -> impl Iterator<Item = &Order> {
        self.resting.get(&market).into_iter().flatten().map(|number| &self.orders[number])
    }

    /// What resting orders of a market tie up, `except` one and with one `more` that does not rest yet. Contracts that
    /// close a position need nothing, in the order of time.
    pub(crate) fn pledge(&self, market: usize, except: Option<u64>, more: Option<(Side, Price, Quantity)>) -> Money {
        let position = self.position(market);
        let (mut long, mut short) = (position.max(0).unsigned_abs(), (-position).max(0).unsigned_abs());
        let resting = self.resting_in(market).filter(|order| Some(order.number) != except);
        let resting = resting.map(|order| (order.side, order.price, order.remaining));
        let mut sum = Money::ZERO;
        for (side, price, remaining) in resting.chain(more) {
            let (cover, bought) = match side {
                Side::Bid => (&mut short, price),
                Side::Ask => (&mut long, price.complement()),
            };
            let closing = remaining.units().min(*cover);
            *cover -= closing;
            sum += bought.times(remaining - Quantity::new(closing));
        }
        sum
    }

    /// What all resting orders tie up.
    pub(crate) fn pledges(&self) -> Money {
        self.resting.keys().map(|market| self.pledge(*market, None, None)).sum()
    }

    /// Money that new orders may use: what the venue calls the balance.
    pub(crate) fn available(&self) -> Money {
        self.cash - self.pledges()
    }

    pub(crate) fn fill(&mut self, fill: Fill) {
        let holding = self.holdings.entry(fill.market).or_default();
        self.cash += holding.fill(fill.side, fill.price, fill.quantity, fill.fee, fill.at) - fill.fee;
        self.updated = fill.at;
        self.fills.push(fill);
    }

    /// Pays a market whose YES contract is worth `value`. Nothing where nothing was held.
    pub(crate) fn settle(&mut self, market: usize, yes: bool, at: Timestamp) -> Option<()> {
        let holding = self.holdings.get_mut(&market)?;
        holding.settled = true;
        let position = std::mem::take(&mut holding.position);
        let cost = std::mem::take(&mut holding.cost);
        holding.open_fees = Money::ZERO;
        if position == 0 {
            return None;
        }
        let revenue = worth(position, yes);
        holding.realised += revenue - cost;
        holding.updated = at;
        let fees = holding.fees;
        self.cash += revenue;
        self.updated = at;
        self.settlements.push(Settlement { market, position, cost, fees, revenue, yes, at });
        Some(())
    }
}

fn worth(position: i64, yes: bool) -> Money {
    let wins = if yes { position > 0 } else { position < 0 };
    if wins { Price::ONE.times(Quantity::new(position.unsigned_abs())) } else { Money::ZERO }
}

/// The other side of every trade with the background: it holds what clients bought from it. It never lacks money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct House {
    pub(crate) cash: Money,
    pub(crate) positions: BTreeMap<usize, i64>,
}

impl House {
    /// Books the contracts that the house bought as `side`.
    pub(crate) fn fill(&mut self, market: usize, side: Side, price: Price, quantity: Quantity) {
        let position = self.positions.entry(market).or_default();
        let before = *position;
        *position += side.sign() * quantity.signed();
        self.cash += change(before, *position, side, price, quantity);
    }

    pub(crate) fn settle(&mut self, market: usize, yes: bool) {
        self.cash += worth(self.positions.remove(&market).unwrap_or(0), yes);
    }
}

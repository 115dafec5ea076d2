//! Executions: a level is taken front to back, the background in it included, and both sides are booked.

use super::account::Fill;
use super::order::{Key, Order, Reason, SelfTrade, Status, side, yes_price};
use crate::book::{Level, Outcome};
use crate::exchange::{Change, Exchange};
use crate::messages;
use isobar_engine::market::FeeSchedule;
use isobar_engine::units::{Price, Quantity};

/// What an incoming order got out of a level.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub(super) quantity: Quantity,
    /// An order of the same account stood in the way and this one has to end.
    pub(super) stopped: bool,
}

impl Exchange {
    pub(crate) fn order(&self, key: Key) -> &Order {
        &self.accounts[key.0].orders[&key.1]
    }

    pub(super) fn order_mut(&mut self, key: Key) -> &mut Order {
        self.accounts[key.0].orders.get_mut(&key.1).expect("an order is never forgotten")
    }

    /// The fee schedule of a market: `quadratic`, or with maker fees; its event's word wins (PROTOCOL.md 4).
    pub(crate) fn fees(&self, market: usize) -> FeeSchedule {
        let event = self.events.get(&self.markets[market].event);
        let makers_pay = event.and_then(|event| event.makers_pay).unwrap_or(self.maker_fees);
        FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: if makers_pay { 17_500 } else { 0 } }
    }

    /// Changes what a level shows and tells it.
    pub(super) fn shift(
        &mut self,
        market: usize,
        (outcome, price): (Outcome, Price),
        change: i64,
        cause: Option<Key>,
        changes: &mut Vec<Change>,
    ) {
        let by = cause.map(|key| self.order(key).owner());
        let possible = self.markets[market].book.change(outcome, price, change);
        assert!(possible, "a level holds what its orders and its background hold");
        let ts_ms = self.now.0.div_euclid(1_000_000);
        self.tell(market, Change::Level { market, outcome, price, change, ts_ms, by }, changes);
    }

    /// An incoming order takes up to `wanted` contracts of a level.
    pub(super) fn take_level(
        &mut self,
        market: usize,
        level: (Outcome, Price),
        wanted: Quantity,
        taker: Key,
        changes: &mut Vec<Change>,
    ) -> Taken {
        let mut taken = Taken::default();
        for key in self.markets[market].resting.queue(level) {
            let front = self.order(key).ahead.min(wanted - taken.quantity);
            taken.quantity += self.take_background(market, level, front, taker, changes);
            let left = wanted - taken.quantity;
            if left.is_zero() {
                return taken;
            }
            if key.0 == taker.0 {
                if self.order(taker).self_trade == SelfTrade::TakerAtCross {
                    taken.stopped = true;
                    return taken;
                }
                self.end(key, Reason::SelfTradeCancel, changes);
                continue;
            }
            let quantity = left.min(self.order(key).remaining);
            self.fill_resting(key, Some(taker), quantity, changes);
            taken.quantity += quantity;
        }
        let behind = self.visible(market, level).min(wanted - taken.quantity);
        taken.quantity += self.take_background(market, level, behind, taker, changes);
        taken
    }

    fn take_background(
        &mut self,
        market: usize,
        level: (Outcome, Price),
        quantity: Quantity,
        taker: Key,
        changes: &mut Vec<Change>,
    ) -> Quantity {
        if quantity.is_zero() {
            return quantity;
        }
        let resting = &mut self.markets[market].resting;
        let taken = resting.taken(level) + quantity;
        resting.set_taken(level, taken);
        self.pass(market, level, quantity);
        let price = yes_price(level.0, (level.1, quantity));
        let number = self.trade(market, level.0.opposite(), price, quantity, changes);
        self.shift(market, level, -quantity.signed(), Some(taker), changes);
        self.house.fill(market, side(level.0), price, quantity);
        self.book_fill(taker, number, price, quantity, true, changes);
        quantity
    }

    /// Background contracts at the front of a level are gone.
    pub(super) fn pass(&mut self, market: usize, level: (Outcome, Price), quantity: Quantity) {
        for key in self.markets[market].resting.queue(level) {
            let order = self.order_mut(key);
            order.ahead = order.ahead.saturating_sub(quantity);
        }
    }

    /// A resting order trades, with an order or, without `taker`, with the background.
    pub(super) fn fill_resting(&mut self, key: Key, taker: Option<Key>, quantity: Quantity, changes: &mut Vec<Change>) {
        let order = self.order(key);
        let (market, price, level) = (order.market, order.price, order.level());
        let number = self.trade(market, level.0.opposite(), price, quantity, changes);
        self.shift(market, level, -quantity.signed(), Some(key), changes);
        self.book_fill(key, number, price, quantity, false, changes);
        if self.order(key).remaining.is_zero() {
            self.retire(key, Status::Executed);
        }
        self.tell_order(key, Reason::Trade, changes);
        match taker {
            Some(taker) => self.book_fill(taker, number, price, quantity, true, changes),
            None => self.house.fill(market, side(level.0.opposite()), price, quantity),
        }
    }

    /// One side of an execution: the order, its fee, its account.
    fn book_fill(
        &mut self,
        key: Key,
        trade: u64,
        price: Price,
        quantity: Quantity,
        taker: bool,
        changes: &mut Vec<Change>,
    ) {
        let (fees, at) = (self.fees(self.order(key).market), self.now);
        let order = self.order_mut(key);
        let fee = order.rounding.charge(fees, taker, order.side, price, quantity);
        let bought = yes_price(order.outcome(), (price, quantity)).times(quantity);
        order.filled += quantity;
        order.remaining -= quantity;
        order.updated = at;
        let (cost, paid) = if taker {
            (&mut order.taker_cost, &mut order.taker_fees)
        } else {
            (&mut order.maker_cost, &mut order.maker_fees)
        };
        *cost += bought;
        *paid += fee;
        let (market, side, group) = (order.market, order.side, order.group);
        let fill = Fill { trade, order: key.1, market, side, price, quantity, taker, fee, at };
        self.accounts[key.0].fill(fill);
        if let Some(group) = group {
            self.count(key.0, group, quantity);
        }
        changes.push(messages::fill(self, key));
        changes.push(messages::position(self, key.0, market));
    }

    /// Takes an order out of the book's queues. What the level shows is the caller's.
    pub(super) fn retire(&mut self, key: Key, status: Status) {
        let order = self.order_mut(key);
        order.status = status;
        let (market, level, expires) = (order.market, order.level(), order.expires);
        self.markets[market].resting.leave(level, key);
        if let Some(at) = expires {
            self.expiries.remove(&(at, key.0, key.1));
        }
        let resting = &mut self.accounts[key.0].resting;
        if let Some(numbers) = resting.get_mut(&market) {
            numbers.remove(&key.1);
            if numbers.is_empty() {
                resting.remove(&market);
            }
        }
    }

    /// A resting order ends unfilled. Returns how much it still wanted.
    pub(crate) fn end(&mut self, key: Key, reason: Reason, changes: &mut Vec<Change>) -> Quantity {
        let order = self.order(key);
        let (market, level, remaining) = (order.market, order.level(), order.remaining);
        self.shift(market, level, -remaining.signed(), Some(key), changes);
        self.retire(key, Status::Canceled);
        let at = self.now;
        let order = self.order_mut(key);
        (order.remaining, order.updated) = (Quantity::ZERO, at);
        self.tell_order(key, reason, changes);
        remaining
    }

    pub(super) fn tell_order(&mut self, key: Key, reason: Reason, changes: &mut Vec<Change>) {
        changes.push(messages::order(self, key, reason));
    }

    /// Contracts of a level that belong to no client.
    pub(crate) fn visible(&self, market: usize, level: (Outcome, Price)) -> Quantity {
        let listed = &self.markets[market];
        let clients = listed.resting.queues.get(&level).into_iter().flatten();
        let clients: Quantity = clients.map(|key| self.order(*key).remaining).sum();
        listed.book.at(level.0, level.1) - clients
    }

    /// Best level of the opposite ladder that an order of this side and price may trade with.
    pub(super) fn crossing(&self, market: usize, buys: Outcome, most: Price) -> Option<Level> {
        let best = self.markets[market].book.best(buys.opposite())?;
        (best.0.complement() <= most).then_some(best)
    }
}

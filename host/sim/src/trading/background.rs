//! The scene's liquidity beside clients' orders.
//!
//! A scene speaks of the book as it would be without clients. What clients took out of a level stays out for as long as
//! the scene speaks of those contracts; what the scene offers at a price that a client's order accepts trades with that
//! order first.

use super::order::{level, side};
use crate::book::{Book, Outcome};
use crate::exchange::{Change, Exchange};
use isobar_engine::units::{Price, Quantity};
use std::collections::BTreeMap;

impl Exchange {
    /// Contracts of a level as the scene believes it.
    pub(crate) fn background(&self, market: usize, outcome: Outcome, price: Price) -> Quantity {
        self.visible(market, (outcome, price)) + self.markets[market].resting.taken((outcome, price))
    }

    /// The scene changes a level. `false`, and nothing changed, where it would fall below zero.
    pub(crate) fn change_background(
        &mut self,
        market: usize,
        outcome: Outcome,
        price: Price,
        change: i64,
        ts_ms: i64,
        changes: &mut Vec<Change>,
    ) -> bool {
        let level = (outcome, price);
        let shown = self.visible(market, level);
        let believed = shown + self.markets[market].resting.taken(level);
        let Some(believed) = believed.checked_add_signed(change) else { return false };
        if change > 0 {
            let fresh = Quantity::new(change.unsigned_abs());
            let limit = match outcome {
                Outcome::Yes => price,
                Outcome::No => price.complement(),
            };
            let met = self.meet(market, outcome, limit, fresh, changes);
            let taken = self.markets[market].resting.taken(level) + met;
            self.markets[market].resting.set_taken(level, taken);
        } else {
            let taken = self.markets[market].resting.taken(level).min(believed);
            self.markets[market].resting.set_taken(level, taken);
        }
        let wanted = believed - self.markets[market].resting.taken(level);
        let change = wanted.signed() - shown.signed();
        if change != 0 {
            let possible = self.markets[market].book.change(outcome, price, change);
            assert!(possible, "the background of a level is part of it");
            self.tell(market, Change::Level { market, outcome, price, change, ts_ms, by: None }, changes);
        }
        if change < 0 {
            for key in self.markets[market].resting.queue(level) {
                let order = self.order_mut(key);
                order.ahead = order.ahead.min(wanted);
            }
        }
        true
    }

    /// Clients' orders that an offer of the background to buy `buys` at YES price `limit` meets: how much of it.
    fn meet(
        &mut self,
        market: usize,
        buys: Outcome,
        limit: Price,
        offered: Quantity,
        changes: &mut Vec<Change>,
    ) -> Quantity {
        let mut met = Quantity::ZERO;
        let least = level(side(buys.opposite()), limit).1;
        while met < offered {
            let best = self.markets[market].resting.best(buys.opposite()).filter(|price| *price >= least);
            let Some(price) = best else { break };
            for key in self.markets[market].resting.queue((buys.opposite(), price)) {
                let quantity = self.order(key).remaining.min(offered - met);
                if !quantity.is_zero() {
                    self.fill_resting(key, None, quantity, changes);
                    met += quantity;
                }
            }
        }
        self.trip(changes);
        met
    }

    /// The crowd trades among itself at YES price `price`; clients' orders that come first trade instead. How much they
    /// trade.
    pub(crate) fn cross_background(
        &mut self,
        market: usize,
        buys: Outcome,
        price: Price,
        quantity: Quantity,
        changes: &mut Vec<Change>,
    ) -> Quantity {
        let resting = buys.opposite();
        let at = level(side(resting), price);
        let better = at.1.units().checked_add(1).and_then(Price::new);
        let mut met = better.map_or(Quantity::ZERO, |better| {
            let limit = if resting == Outcome::Yes { better } else { better.complement() };
            self.meet(market, buys, limit, quantity, changes)
        });
        let mut passed = Quantity::ZERO;
        for key in self.markets[market].resting.queue(at) {
            let left = quantity - met - passed;
            passed += self.order(key).ahead.saturating_sub(passed).min(left);
            let fills = self.order(key).remaining.min(quantity - met - passed);
            if fills.is_zero() {
                break;
            }
            self.fill_resting(key, None, fills, changes);
            met += fills;
        }
        self.pass(market, at, passed);
        self.trip(changes);
        met
    }

    /// The scene tells a whole book anew. The caller tells the snapshot.
    pub(crate) fn replace_background(&mut self, market: usize, book: &Book, changes: &mut Vec<Change>) {
        self.forget_background(market);
        for outcome in Outcome::BOTH {
            for (price, quantity) in book.bids(outcome) {
                let limit = if outcome == Outcome::Yes { *price } else { price.complement() };
                let met = self.meet(market, outcome, limit, *quantity, changes);
                let listed = &mut self.markets[market];
                listed.resting.set_taken((outcome, *price), met);
                let possible = listed.book.change(outcome, *price, (*quantity - met).signed());
                assert!(possible, "adding to a level is always possible");
            }
        }
    }

    /// Only clients' orders stay in the book.
    pub(crate) fn forget_background(&mut self, market: usize) {
        let mut book = Book::default();
        let mut last = Vec::new();
        for (level, queue) in &self.markets[market].resting.queues {
            for key in queue {
                let possible = book.change(level.0, level.1, self.order(*key).remaining.signed());
                assert!(possible, "adding to a level is always possible");
                last.push(*key);
            }
        }
        for key in last {
            self.order_mut(key).ahead = Quantity::ZERO;
        }
        let listed = &mut self.markets[market];
        listed.book = book;
        listed.resting.taken = BTreeMap::new();
    }
}

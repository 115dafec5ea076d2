//! The limits in force and the one place where an intent becomes an order or a refusal.
//!
//! A check sees position and open orders as the engine has them; open orders, also those being cancelled, count as filled.

use crate::book::Book;
use crate::order::RefusalReason;
use crate::units::{Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// Limits of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most contracts of one order.
    pub order: Quantity,
    /// Most contracts held in one market, YES or NO, open orders counted as filled (MAX_POSITION_PER_MARKET).
    pub position: Quantity,
    /// Most open orders of the slot.
    pub open_orders: u32,
    /// Oldest forecast to trade on, nanoseconds since its newest input was published.
    pub forecast_age: i64,
    /// When a book counts as stale.
    pub stale: StaleRule,
}

/// When a book counts as stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaleRule {
    /// When its subscription is not proved current. A quiet market alone is not stale.
    Proved,
    /// The rule of the user's guide: also when the market did not change for so many nanoseconds.
    LastChange(i64),
}

/// What an intent is checked against.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The market's book.
    pub book: &'a Book,
    /// The time of the event.
    pub now: Timestamp,
    /// When the book changed last.
    pub last_change: Timestamp,
    /// Whether the market takes orders now.
    pub open: bool,
    /// When the newest input of the city-day's forecast was published.
    pub forecast_issued: Option<Timestamp>,
    /// Signed position, 1/100 contracts.
    pub position: i64,
    /// What open orders would buy.
    pub open_bids: Quantity,
    /// What open orders would sell.
    pub open_asks: Quantity,
    /// Number of open orders of the slot.
    pub open_orders: u32,
}

/// What a strategy wants to do in one market, before anything is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its side.
    pub side: Side,
    /// Limit, YES price.
    pub price: Price,
    /// Contracts.
    pub quantity: Quantity,
    /// Whether it takes at once and rests nothing.
    pub take: bool,
}

impl Limits {
    /// How many more contracts may be bought or sold, one order at a time.
    pub fn room(&self, standing: &Standing<'_>, side: Side) -> Quantity {
        let open = match side {
            Side::Bid => standing.open_bids,
            Side::Ask => standing.open_asks,
        };
        let reached = standing.position * side.sign() + open.signed();
        let left = limit(self.position).signed().saturating_sub(reached).max(0);
        self.order.min(Quantity::new(left.unsigned_abs()))
    }

    /// Whether the market may be traded at all now.
    pub fn tradable(&self, standing: &Standing<'_>) -> Result<(), RefusalReason> {
        if !standing.open {
            return Err(RefusalReason::MarketClosed);
        }
        let quiet = match self.stale {
            StaleRule::Proved => false,
            StaleRule::LastChange(nanos) => standing.now.since(standing.last_change) > nanos,
        };
        if !standing.book.is_live() || quiet {
            return Err(RefusalReason::StaleBook);
        }
        if standing.book.is_crossed() {
            return Err(RefusalReason::CrossedBook);
        }
        Ok(())
    }

    /// Whether a forecast published at `issued` is young enough to trade on.
    pub fn young(&self, issued: Option<Timestamp>, now: Timestamp) -> bool {
        issued.is_some_and(|issued| now.since(issued) <= self.forecast_age)
    }

    /// Lets an intent pass or says why not.
    pub fn check(&self, intent: &Intent, standing: &Standing<'_>) -> Result<(), RefusalReason> {
        if intent.quantity.is_zero() {
            return Err(RefusalReason::Empty);
        }
        let inside = intent.price > Price::ZERO && intent.price < Price::ONE;
        if !inside || standing.book.ladder().index_of(intent.price).is_none() {
            return Err(RefusalReason::Price);
        }
        self.tradable(standing)?;
        if !self.young(standing.forecast_issued, standing.now) {
            return Err(RefusalReason::OldForecast);
        }
        if intent.quantity > self.order {
            return Err(RefusalReason::OrderSize);
        }
        if intent.quantity > self.room(standing, intent.side) {
            return Err(RefusalReason::Position);
        }
        if standing.open_orders >= self.open_orders {
            return Err(RefusalReason::OpenOrders);
        }
        let opposite = standing.book.best(intent.side.opposite());
        let crosses = opposite.is_some_and(|level| match intent.side {
            Side::Bid => intent.price >= level.price,
            Side::Ask => intent.price <= level.price,
        });
        if crosses && !intent.take {
            return Err(RefusalReason::PostOnly);
        }
        Ok(())
    }
}

/// The limit in force. A build with the test feature `mutants` can double it, to prove that a replay notices.
fn limit(position: Quantity) -> Quantity {
    #[cfg(feature = "mutants")]
    if crate::mutant::active(crate::mutant::Mutant::Risk) {
        return position + position;
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Level, StaleReason};
    use crate::market::Ladder;
    use crate::units::SECOND;

    fn cents(cents: u16) -> Price {
        Price::from_cents(cents).expect("a price")
    }

    fn limits() -> Limits {
        Limits {
            order: Quantity::contracts(50),
            position: Quantity::contracts(50),
            open_orders: 2,
            forecast_age: 100 * SECOND,
            stale: StaleRule::Proved,
        }
    }

    fn book() -> Book {
        let level = |price| [Level { price: cents(price), quantity: Quantity::contracts(10) }];
        let mut book = Book::new(Ladder::cents());
        book.replace(Timestamp(0), &level(40), &level(45));
        book
    }

    fn standing(book: &Book) -> Standing<'_> {
        Standing {
            book,
            now: Timestamp(0),
            last_change: Timestamp(0),
            open: true,
            forecast_issued: Some(Timestamp(0)),
            position: 0,
            open_bids: Quantity::ZERO,
            open_asks: Quantity::ZERO,
            open_orders: 0,
        }
    }

    fn bid(price: u16, contracts: u32) -> Intent {
        Intent { side: Side::Bid, price: cents(price), quantity: Quantity::contracts(contracts), take: false }
    }

    #[test]
    fn each_limit_refuses_with_its_own_reason() {
        let live = book();
        let mut broken = book();
        broken.distrust(StaleReason::Gap);
        let check = |intent: Intent, standing: Standing<'_>| limits().check(&intent, &standing);
        assert_eq!(check(bid(41, 50), standing(&live)), Ok(()));
        assert_eq!(check(bid(41, 0), standing(&live)), Err(RefusalReason::Empty));
        assert_eq!(check(bid(0, 1), standing(&live)), Err(RefusalReason::Price));
        assert_eq!(check(bid(41, 51), standing(&live)), Err(RefusalReason::OrderSize));
        assert_eq!(check(bid(45, 1), standing(&live)), Err(RefusalReason::PostOnly));
        assert_eq!(check(Intent { take: true, ..bid(45, 1) }, standing(&live)), Ok(()));
        assert_eq!(check(bid(41, 1), standing(&broken)), Err(RefusalReason::StaleBook));
        assert_eq!(check(bid(41, 1), Standing { open: false, ..standing(&live) }), Err(RefusalReason::MarketClosed));
        assert_eq!(check(bid(41, 1), Standing { open_orders: 2, ..standing(&live) }), Err(RefusalReason::OpenOrders));
        let old = Standing { now: Timestamp(101 * SECOND), ..standing(&live) };
        assert_eq!(check(bid(41, 1), old), Err(RefusalReason::OldForecast));
    }

    #[test]
    fn open_orders_count_as_filled() {
        let book = book();
        let standing = Standing { position: 3_000, open_bids: Quantity::contracts(15), ..standing(&book) };
        assert_eq!(limits().room(&standing, Side::Bid), Quantity::contracts(5));
        assert_eq!(limits().room(&standing, Side::Ask), Quantity::contracts(50));
        assert_eq!(limits().check(&bid(41, 6), &standing), Err(RefusalReason::Position));
    }

    #[test]
    fn the_rule_of_the_guide_calls_a_quiet_market_stale() {
        let book = book();
        let quiet = Standing { now: Timestamp(61 * SECOND), ..standing(&book) };
        assert_eq!(limits().tradable(&quiet), Ok(()));
        let guide = Limits { stale: StaleRule::LastChange(60 * SECOND), ..limits() };
        assert_eq!(guide.tradable(&quiet), Err(RefusalReason::StaleBook));
    }
}

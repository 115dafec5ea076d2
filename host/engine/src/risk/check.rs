//! The check itself: what an intent is held against, in which order, and how much room is left.

use crate::book::Book;
use crate::order::{NewOrder, RefusalReason};
use crate::risk::limits::{Limits, StaleRule};
use crate::risk::worst_case::Stakes;
use crate::units::{Money, Price, Quantity, Side, Timestamp};

/// An order that passed. Nothing else can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approved(NewOrder);

impl Approved {
    /// The order.
    pub fn order(&self) -> &NewOrder {
        &self.0
    }
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

impl Intent {
    /// What it costs where it opens a position: price times contracts of the side it buys.
    pub fn premium(&self) -> Money {
        premium(self.side, self.price, self.quantity)
    }
}

/// What `quantity` costs at a YES price on a side.
pub fn premium(side: Side, price: Price, quantity: Quantity) -> Money {
    match side {
        Side::Bid => price.times(quantity),
        Side::Ask => price.complement().times(quantity),
    }
}

/// What holds for the whole slot at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotState {
    /// It was halted, winds down or stopped.
    pub halted: bool,
    /// The account is not proved equal to the ledger.
    pub unproved: bool,
    /// The exchange or trading is paused.
    pub paused: bool,
    /// How far the venue's clock is ahead of ours, nanoseconds.
    pub skew: i64,
    /// What was lost since the day began; negative where it won.
    pub loss: Money,
    /// Premium of today's fills and of open orders.
    pub traded: Money,
    /// Money tied up in positions and open orders.
    pub tied_up: Money,
    /// Number of open orders.
    pub open_orders: u32,
    /// Orders placed in the last second and in the last minute.
    pub rates: (u32, u32),
}

/// What an intent in one market is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The market's book.
    pub book: &'a Book,
    /// The time of the event.
    pub now: Timestamp,
    /// When the book changed last.
    pub last_change: Timestamp,
    /// Whether the market takes orders now.
    pub open: bool,
    /// When it closes.
    pub closes: Timestamp,
    /// When the newest input of the city-day's forecast was published.
    pub forecast_issued: Option<Timestamp>,
    /// Signed position, 1/100 contracts.
    pub position: i64,
    /// What open orders would buy.
    pub open_bids: Quantity,
    /// What open orders would sell.
    pub open_asks: Quantity,
    /// Best price of own bids that the venue could match with us, and of own asks.
    pub own: [Option<Price>; 2],
    /// Whether an order on the bid side may or may not exist, and on the ask side.
    pub frozen: [bool; 2],
    /// Whether the venue refused a bid a moment ago, or an ask.
    pub held: [bool; 2],
    /// Place of the market among the brackets of its city-day.
    pub bracket: usize,
    /// What the city-day can lose.
    pub stakes: &'a Stakes,
    /// What holds for the whole slot.
    pub slot: SlotState,
}

impl Standing<'_> {
    fn open_on(&self, side: Side) -> Quantity {
        match side {
            Side::Bid => self.open_bids,
            Side::Ask => self.open_asks,
        }
    }

    /// How much of what is held the other way is left to be closed by one more order of a side.
    fn closing(&self, side: Side) -> Quantity {
        let held = Quantity::new((-self.position * side.sign()).max(0).unsigned_abs());
        held.saturating_sub(self.open_on(side))
    }
}

impl Limits {
    /// Makes an order of an intent, or says why not.
    pub fn approve(&self, order: NewOrder, standing: &Standing<'_>) -> Result<Approved, RefusalReason> {
        let NewOrder { side, price, quantity, take, .. } = order;
        self.check(&Intent { side, price, quantity, take }, standing)?;
        Ok(Approved(order))
    }

    /// Whether the market may be traded at all now.
    pub fn tradable(&self, standing: &Standing<'_>) -> Result<(), RefusalReason> {
        self.slot_trades(&standing.slot, standing.now)?;
        if !standing.open {
            return Err(RefusalReason::MarketClosed);
        }
        if standing.closes.since(standing.now) < self.before_close {
            return Err(RefusalReason::Window);
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

    /// Whether the slot may trade at all now.
    pub fn slot_trades(&self, slot: &SlotState, now: Timestamp) -> Result<(), RefusalReason> {
        let apart = i64::try_from(slot.skew.unsigned_abs()).unwrap_or(i64::MAX);
        let refusals = [
            (slot.halted, RefusalReason::Halted),
            (slot.unproved, RefusalReason::Unproved),
            (slot.paused, RefusalReason::ExchangePaused),
            (apart > self.skew, RefusalReason::ClockSkew),
            (self.loses_too_much(slot.loss), RefusalReason::DailyLoss),
            (self.windows.iter().any(|window| window.holds(now)), RefusalReason::Window),
        ];
        refusals.into_iter().find(|(holds, _)| *holds).map_or(Ok(()), |(_, reason)| Err(reason))
    }

    /// Whether a loss since the day began is more than a day may lose.
    pub fn loses_too_much(&self, loss: Money) -> bool {
        loss > self.daily_loss
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
        let side = index(intent.side);
        if standing.frozen[side] {
            return Err(RefusalReason::UnknownOutcome);
        }
        if standing.held[side] {
            return Err(RefusalReason::Held);
        }
        self.sizes(intent, standing)?;
        if standing.slot.open_orders >= self.open_orders {
            return Err(RefusalReason::OpenOrders);
        }
        let (second, minute) = standing.slot.rates;
        if second >= self.orders_per_second || minute >= self.orders_per_minute {
            return Err(RefusalReason::Rate);
        }
        self.price(intent, standing)
    }

    /// Whether the limits on sizes and sums let an intent pass.
    pub fn sizes(&self, intent: &Intent, standing: &Standing<'_>) -> Result<(), RefusalReason> {
        let Intent { side, price, quantity, .. } = *intent;
        let (premium, slot, stakes) = (intent.premium(), &standing.slot, standing.stakes);
        if quantity > self.order {
            return Err(RefusalReason::OrderSize);
        }
        if premium > self.order_notional {
            return Err(RefusalReason::OrderNotional);
        }
        if quantity > self.position_room(standing, side) {
            return Err(RefusalReason::Position);
        }
        // An order that hurts no outcome more than it is hurt already is never kept from being placed by the loss.
        let after = stakes.worst_with(standing.bracket, side, price, quantity);
        if after > self.city_day_loss && after > stakes.worst() {
            return Err(RefusalReason::CityDayLoss);
        }
        // What only closes ties up nothing: these limits never keep a slot from getting out.
        if quantity <= standing.closing(side) {
            return Ok(());
        }
        if stakes.contracts() + quantity > self.city_day_contracts {
            return Err(RefusalReason::CityDayContracts);
        }
        if slot.tied_up + premium > self.exposure {
            return Err(RefusalReason::Exposure);
        }
        if slot.traded + premium > self.day_notional {
            return Err(RefusalReason::DayNotional);
        }
        Ok(())
    }

    fn price(&self, intent: &Intent, standing: &Standing<'_>) -> Result<(), RefusalReason> {
        let Intent { side, price, take, .. } = *intent;
        let worst = self.worst_price(standing, side);
        if worst.is_none_or(|worst| !reaches(side, worst, price)) {
            return Err(RefusalReason::Collar);
        }
        if standing.own[index(side.opposite())].is_some_and(|own| reaches(side, price, own)) {
            return Err(RefusalReason::SelfTrade);
        }
        let opposite = standing.book.best(side.opposite());
        if !take && opposite.is_some_and(|level| reaches(side, price, level.price)) {
            return Err(RefusalReason::PostOnly);
        }
        Ok(())
    }

    /// The worst price that the collar allows on a side; none in an empty book, unless the collar is a whole dollar.
    fn worst_price(&self, standing: &Standing<'_>, side: Side) -> Option<Price> {
        let whole = self.collar >= Price::ONE;
        let best = standing.book.best(side.opposite()).or_else(|| standing.book.best(side));
        let from = best.map(|level| level.price);
        let (collar, end) = (self.collar.units(), Price::ONE.units());
        match side {
            Side::Bid if whole => Some(Price::ONE),
            Side::Ask if whole => Some(Price::ZERO),
            Side::Bid => from.and_then(|from| Price::new(from.units().saturating_add(collar).min(end))),
            Side::Ask => from.and_then(|from| Price::new(from.units().saturating_sub(collar))),
        }
    }

    fn position_room(&self, standing: &Standing<'_>, side: Side) -> Quantity {
        let reached = standing.position * side.sign() + standing.open_on(side).signed();
        let left = limit(self.position).signed().saturating_sub(reached).max(0);
        Quantity::new(left.unsigned_abs())
    }

    /// How many more contracts may be bought or sold by one order, at any price that the collar allows.
    pub fn room(&self, standing: &Standing<'_>, side: Side) -> Quantity {
        let whole = match side {
            Side::Bid => Price::ONE,
            Side::Ask => Price::ZERO,
        };
        let worst = self.worst_price(standing, side).unwrap_or(whole);
        let each = premium(side, worst, Quantity::new(1)).micros().unsigned_abs().max(1);
        let affords = |left: Money| Quantity::new(left.max(Money::ZERO).micros().unsigned_abs() / each);
        let growing = affords(self.exposure - standing.slot.tied_up)
            .min(affords(self.day_notional - standing.slot.traded))
            .min(self.city_day_contracts.saturating_sub(standing.stakes.contracts()));
        self.order
            .min(affords(self.order_notional))
            .min(self.position_room(standing, side))
            .min(standing.stakes.room(standing.bracket, side, worst, self.city_day_loss))
            .min(growing.max(standing.closing(side)))
    }
}

/// Place of a side in a pair: bids, asks.
pub fn index(side: Side) -> usize {
    usize::from(side == Side::Ask)
}

/// Whether an order of `side` at this limit is good for something offered at `price`.
fn reaches(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Bid => price <= limit,
        Side::Ask => price >= limit,
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
mod tests;

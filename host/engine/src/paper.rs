//! The paper exchange: what the venue would have done with the orders of one slot, never flattered.
//!
//! An order arrives, and a cancel or a reduction takes effect, one latency after it was sent, against the book of that
//! moment; until then an order may fill. It changes no book.
//!
//! A quote joins behind the size displayed at its price. It fills from public trades at its price once the queue ahead is
//! used up, from trades through it, and from the opposite side quoting at or through it. A take matches against the depth
//! displayed when it arrives, within its limit; what is left is cancelled. Displayed size is used once: what a slot took
//! from a level counts as gone until the venue shows more there or the level disappears. Own orders share every volume,
//! best price first, then first come.
//!
//! A crossed book fills nothing: its opposite side may already be gone. What is still there when it uncrosses counts.

use crate::book::Book;
use crate::event::{CancelReason, Trade};
use crate::fees::OrderFees;
use crate::market::MarketId;
use crate::order::{NewOrder, OpenOrder, OrderEvent, OrderId};
use crate::units::{Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How the paper exchange behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaperSettings {
    /// From sending an order, a cancel or a reduction to its effect, nanoseconds.
    pub latency: i64,
    /// What a shrinking level does to the queue ahead.
    pub queue: QueueRule,
}

/// What a shrinking level does to the queue ahead of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueRule {
    /// Nothing: only trades move the queue, everybody behind the quote cancels first.
    Never,
    /// Nobody can be ahead who is not displayed: the queue is at most the smallest size displayed since arrival. A trade
    /// whose size the level may have lost beforehand is not counted a second time.
    CapAtDisplayed,
}

/// The paper orders of one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paper {
    settings: PaperSettings,
    /// By market number.
    desks: Vec<Desk>,
    /// What is on its way, in order of effect: the latency is constant, so the order of sending is the order of effect.
    underway: VecDeque<Underway>,
    open: u32,
}

/// Orders in one market, first come first, and what they used of the displayed depth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Desk {
    orders: Vec<Working>,
    used: BTreeMap<(Side, Price), Quantity>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Working {
    order: NewOrder,
    remaining: Quantity,
    staying: Quantity,
    cancelling: bool,
    rounding: OrderFees,
    /// Nothing while the order is on its way.
    queue: Option<Queue>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Underway {
    due: Timestamp,
    market: MarketId,
    order: OrderId,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Action {
    Arrive,
    Cancel(CancelReason),
    Reduce(Quantity),
}

impl Paper {
    /// An exchange without orders. Panics where the latency is negative.
    pub fn new(settings: PaperSettings) -> Self {
        assert!(settings.latency >= 0, "an order does not arrive before it is sent");
        Self { settings, desks: Vec::new(), underway: VecDeque::new(), open: 0 }
    }

    /// Sends an order.
    pub fn place(&mut self, order: NewOrder, now: Timestamp) {
        assert!(!order.quantity.is_zero(), "an order is for something");
        if self.desks.len() <= order.market.index() {
            self.desks.resize_with(order.market.index() + 1, Desk::default);
        }
        self.desks[order.market.index()].orders.push(Working {
            remaining: order.quantity,
            staying: order.quantity,
            cancelling: false,
            rounding: OrderFees::default(),
            queue: None,
            order,
        });
        self.open += 1;
        self.send(order.market, order.id, Action::Arrive, now);
    }

    /// Sends a cancel. Nothing happens where the order is over or a cancel is on its way.
    pub fn cancel(&mut self, id: OrderId, now: Timestamp, reason: CancelReason) {
        if let Some(order) = self.find(id).filter(|order| !order.cancelling) {
            order.cancelling = true;
            order.staying = Quantity::ZERO;
            let market = order.order.market;
            self.send(market, id, Action::Cancel(reason), now);
        }
    }

    /// Sends a reduction of what remains to `to`, which keeps the place in the queue; to nothing is a cancel.
    ///
    /// Nothing happens where no more than that would remain anyway.
    pub fn reduce(&mut self, id: OrderId, to: Quantity, now: Timestamp) {
        if to.is_zero() {
            return self.cancel(id, now, CancelReason::Undesired);
        }
        if let Some(order) = self.find(id).filter(|order| order.staying.min(order.remaining) > to) {
            order.staying = to;
            let market = order.order.market;
            self.send(market, id, Action::Reduce(to), now);
        }
    }

    /// When something on its way takes effect next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.underway.front().map(|next| next.due)
    }

    /// Lets take effect what is due at or before `now`, in order, against `books` (by market number) as they are.
    ///
    /// Called before the event at `now` is applied: no book changed in between, so each order meets the book of its time.
    pub fn advance(&mut self, now: Timestamp, books: &[Book], out: &mut Vec<OrderEvent>) {
        while let Some(next) = self.underway.pop_front_if(|next| next.due <= now) {
            let desk = &mut self.desks[next.market.index()];
            // What is over by now has nothing to come.
            let Some(index) = desk.orders.iter().position(|order| order.order.id == next.order) else { continue };
            match next.action {
                Action::Arrive => desk.arrive(index, &books[next.market.index()], out),
                Action::Cancel(reason) => desk.orders[index].end(reason, out),
                Action::Reduce(to) => desk.orders[index].remaining = desk.orders[index].remaining.min(to),
            }
            self.sweep(next.market);
        }
    }

    /// A public trade: hits the quotes on the side opposite to its taker, at its price or better.
    pub fn on_trade(&mut self, trade: &Trade, out: &mut Vec<OrderEvent>) {
        let Some(desk) = self.desks.get_mut(trade.market.index()) else { return };
        let mut left = trade.quantity;
        for index in desk.reached(trade.taker.opposite(), trade.price) {
            let order = &mut desk.orders[index];
            let queue = order.queue.as_mut().expect("only quotes that rest are reached");
            let ahead = if order.order.price == trade.price {
                queue.trade(self.settings.queue, left)
            } else {
                queue.vanish();
                Quantity::ZERO
            };
            // Only what goes past the queue, and what better or earlier own quotes leave of it.
            let amount = left.saturating_sub(ahead).min(order.remaining);
            left -= amount;
            order.fill(order.order.price, amount, false, out);
        }
        self.sweep(trade.market);
    }

    /// The book of a market changed: quotes that the opposite side now reaches fill from it.
    pub fn on_book(&mut self, market: MarketId, book: &Book, out: &mut Vec<OrderEvent>) {
        let Some(desk) = self.desks.get_mut(market.index()) else { return };
        if !book.is_live() {
            return;
        }
        desk.used.retain(|(side, price), used| {
            *used = book.size(*side, *price).min(*used);
            !used.is_zero()
        });
        for order in &mut desk.orders {
            if let Some(queue) = &mut order.queue {
                queue.show(book.size(order.order.side, order.order.price));
            }
        }
        if desk.orders.is_empty() || book.is_crossed() {
            return;
        }
        for side in [Side::Bid, Side::Ask] {
            let Some(best) = book.best(side.opposite()) else { continue };
            for index in desk.reached(side, best.price) {
                // Nobody else's quote is left at this price or better: the book would be crossed.
                desk.orders[index].queue.as_mut().expect("only quotes that rest are reached").vanish();
                desk.consume(index, book, false, out);
            }
        }
        self.sweep(market);
    }

    /// Ends every order of a market at once, also those on their way.
    pub fn close_market(&mut self, market: MarketId, reason: CancelReason, out: &mut Vec<OrderEvent>) {
        let Some(desk) = self.desks.get_mut(market.index()) else { return };
        desk.orders.iter_mut().for_each(|order| order.end(reason, out));
        self.sweep(market);
    }

    /// The orders of a market that are not over, first come first.
    pub fn open(&self, market: MarketId) -> impl Iterator<Item = OpenOrder> {
        let rule = self.settings.queue;
        self.desks.get(market.index()).into_iter().flat_map(|desk| &desk.orders).map(move |order| OpenOrder {
            id: order.order.id,
            side: order.order.side,
            price: order.order.price,
            remaining: order.remaining,
            staying: order.staying.min(order.remaining),
            take: order.order.take,
            cancelling: order.cancelling,
            ahead: order.queue.as_ref().map(|queue| queue.ahead(rule, Quantity::ZERO)),
        })
    }

    /// How many orders are not over.
    pub fn open_orders(&self) -> u32 {
        self.open
    }

    fn send(&mut self, market: MarketId, order: OrderId, action: Action, now: Timestamp) {
        let due = now.plus(self.settings.latency);
        assert!(self.underway.back().is_none_or(|last| last.due <= due), "time does not go back");
        self.underway.push_back(Underway { due, market, order, action });
    }

    fn find(&mut self, id: OrderId) -> Option<&mut Working> {
        self.desks.iter_mut().flat_map(|desk| &mut desk.orders).find(|order| order.order.id == id)
    }

    /// Forgets the orders that are over.
    fn sweep(&mut self, market: MarketId) {
        let desk = &mut self.desks[market.index()];
        desk.orders.retain(|order| {
            let over = order.remaining.is_zero();
            self.open -= u32::from(over);
            !over
        });
    }
}

impl Desk {
    /// An order meets the book.
    fn arrive(&mut self, index: usize, book: &Book, out: &mut Vec<OrderEvent>) {
        let NewOrder { side, price, take, .. } = self.orders[index].order;
        let crosses = book.best(side.opposite()).is_some_and(|best| reaches(side, price, best.price));
        if !book.is_live() || (take && book.is_crossed()) {
            self.orders[index].end(CancelReason::Stale, out);
        } else if take {
            self.consume(index, book, true, out);
            self.orders[index].end(CancelReason::Unfilled, out);
        } else if crosses {
            self.orders[index].end(CancelReason::PostOnly, out);
        } else {
            self.orders[index].queue = Some(Queue::behind(book.size(side, price)));
        }
    }

    /// Fills an order from the opposite side within its limit, best level first, as far as this slot has not used it.
    fn consume(&mut self, index: usize, book: &Book, taker: bool, out: &mut Vec<OrderEvent>) {
        let order = &mut self.orders[index];
        let NewOrder { side, price: limit, .. } = order.order;
        for level in book.levels(side.opposite()).take_while(|level| reaches(side, limit, level.price)) {
            let key = (side.opposite(), level.price);
            let used = self.used.get(&key).copied().unwrap_or_default();
            let amount = level.quantity.saturating_sub(used).min(order.remaining);
            if !amount.is_zero() {
                self.used.insert(key, used + amount);
                order.fill(if taker { level.price } else { limit }, amount, taker, out);
            }
        }
    }

    /// Resting quotes of a side that a trade or an opposite quote at `price` reaches: best price first, then first come.
    fn reached(&self, side: Side, price: Price) -> Vec<usize> {
        let rests = |order: &Working| order.queue.is_some() && order.order.side == side;
        let all = self.orders.iter().enumerate();
        let reached = all.filter(|(_, order)| rests(order) && reaches(side, order.order.price, price));
        let mut indices: Vec<usize> = reached.map(|(index, _)| index).collect();
        indices.sort_by_key(|index| -side.sign() * i64::from(self.orders[*index].order.price.units()));
        indices
    }
}

impl Working {
    fn fill(&mut self, price: Price, quantity: Quantity, taker: bool, out: &mut Vec<OrderEvent>) {
        if quantity.is_zero() {
            return;
        }
        let NewOrder { id: order, market, side, fees, .. } = self.order;
        self.remaining -= quantity;
        let fee = self.rounding.charge(fees, taker, side, price, quantity);
        out.push(OrderEvent::Filled { order, market, side, price, quantity, fee, taker });
    }

    /// Cancels what remains.
    fn end(&mut self, reason: CancelReason, out: &mut Vec<OrderEvent>) {
        if !self.remaining.is_zero() {
            let remaining = std::mem::take(&mut self.remaining);
            let NewOrder { id: order, market, .. } = self.order;
            out.push(OrderEvent::Cancelled { order, market, remaining, reason });
        }
    }
}

/// Place of a quote among the others at its price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Queue {
    /// Contracts ahead, if only trades move the queue.
    ahead: Quantity,
    /// Size displayed at the price now.
    displayed: Quantity,
    /// Smallest size displayed since arrival.
    least: Quantity,
    /// What the level lost without a trade to explain it: the trade may be announced after the change of the level.
    unexplained: Quantity,
}

impl Queue {
    fn behind(displayed: Quantity) -> Self {
        Self { ahead: displayed, displayed, least: displayed, unexplained: Quantity::ZERO }
    }

    /// The level shows another size.
    fn show(&mut self, displayed: Quantity) {
        self.unexplained += self.displayed.saturating_sub(displayed);
        self.displayed = displayed;
        self.least = self.least.min(displayed);
    }

    /// Contracts ahead, `announced` being traded by what the level already lost.
    fn ahead(&self, rule: QueueRule, announced: Quantity) -> Quantity {
        match rule {
            QueueRule::Never => self.ahead,
            QueueRule::CapAtDisplayed => self.ahead.min(self.least + announced),
        }
    }

    /// A trade at the price goes by. Returns how much of it was for those ahead.
    fn trade(&mut self, rule: QueueRule, volume: Quantity) -> Quantity {
        let announced = self.unexplained.min(volume);
        let ahead = self.ahead(rule, announced);
        self.ahead = self.ahead.saturating_sub(volume);
        self.unexplained -= announced;
        ahead
    }

    /// Nobody is ahead any more.
    fn vanish(&mut self) {
        (self.ahead, self.least) = (Quantity::ZERO, Quantity::ZERO);
    }
}

/// Whether an order of `side` with this limit is good for something offered at `price`.
fn reaches(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Bid => price <= limit,
        Side::Ask => price >= limit,
    }
}

#[cfg(test)]
mod tests;

//! Where the orders of a slot go: to the paper exchange inside the engine, or to the venue. The one fork between the two.
//!
//! Only an approved order gets past here. What happens to orders comes out the same way from both.

use crate::book::Book;
use crate::event::{CancelReason, Effect, Level, Trade};
use crate::market::MarketId;
use crate::order::{OpenOrder, OrderEvent, OrderId};
use crate::orders::{LiveSettings, Orders};
use crate::paper::{Paper, PaperSettings};
use crate::risk::Approved;
use crate::units::{Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// Where the orders of a slot go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecutionSettings {
    /// To the paper exchange. Nothing leaves the program.
    Paper(PaperSettings),
    /// To the venue, with real money.
    Live(LiveSettings),
}

/// The orders of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Execution {
    Paper(Paper),
    Live(Box<Orders>),
}

impl Execution {
    pub fn new(settings: ExecutionSettings) -> Self {
        match settings {
            ExecutionSettings::Paper(settings) => Self::Paper(Paper::new(settings)),
            ExecutionSettings::Live(settings) => Self::Live(Box::new(Orders::new(settings))),
        }
    }

    pub fn live(&self) -> Option<&Orders> {
        match self {
            Self::Paper(_) => None,
            Self::Live(orders) => Some(orders),
        }
    }

    pub fn live_mut(&mut self) -> Option<&mut Orders> {
        match self {
            Self::Paper(_) => None,
            Self::Live(orders) => Some(orders),
        }
    }

    fn paper(&self) -> Option<&Paper> {
        match self {
            Self::Paper(paper) => Some(paper),
            Self::Live(_) => None,
        }
    }

    pub fn place(&mut self, order: Approved, now: Timestamp) {
        match self {
            Self::Paper(paper) => paper.place(*order.order(), now),
            Self::Live(orders) => orders.place(*order.order()),
        }
    }

    pub fn cancel(&mut self, id: OrderId, now: Timestamp, reason: CancelReason) {
        match self {
            Self::Paper(paper) => paper.cancel(id, now, reason),
            Self::Live(orders) => orders.cancel(id, reason),
        }
    }

    pub fn reduce(&mut self, id: OrderId, to: Quantity, now: Timestamp) {
        match self {
            Self::Paper(paper) => paper.reduce(id, to, now),
            Self::Live(orders) => orders.reduce(id, to),
        }
    }

    /// What falls due by now takes effect, against the books as they were until now.
    pub fn advance(&mut self, now: Timestamp, books: &[Book], out: &mut Vec<OrderEvent>) {
        if let Self::Paper(paper) = self {
            paper.advance(now, books, out);
        }
    }

    pub fn on_trade(&mut self, trade: &Trade, out: &mut Vec<OrderEvent>) {
        if let Self::Paper(paper) = self {
            paper.on_trade(trade, out);
        }
    }

    pub fn on_book(&mut self, market: MarketId, book: &Book, out: &mut Vec<OrderEvent>) {
        if let Self::Paper(paper) = self {
            paper.on_book(market, book, out);
        }
    }

    /// A market takes no orders any more; where `dead`, no cancels either.
    pub fn close_market(&mut self, market: MarketId, reason: CancelReason, dead: bool, out: &mut Vec<OrderEvent>) {
        match self {
            Self::Paper(paper) => paper.close_market(market, reason, out),
            Self::Live(orders) => orders.close_market(market, reason, dead),
        }
    }

    pub fn reopen_market(&mut self, market: MarketId) {
        if let Self::Live(orders) = self {
            orders.reopen_market(market);
        }
    }

    /// The orders of a market that are not over, first come first.
    pub fn open(&self, market: MarketId) -> impl Iterator<Item = OpenOrder> {
        let paper = self.paper().into_iter().flat_map(move |paper| paper.open(market));
        paper.chain(self.live().into_iter().flat_map(move |orders| orders.open(market)))
    }

    /// How many orders are not over.
    pub fn open_orders(&self) -> u32 {
        match self {
            Self::Paper(paper) => paper.open_orders(),
            Self::Live(orders) => orders.open_orders(),
        }
    }

    /// Levels of others, best first: the book of the venue holds our live orders, and a strategy is not to meet itself.
    /// Paper orders are in no book.
    pub fn levels_of_others<'a>(&'a self, market: MarketId, book: &'a Book, side: Side) -> impl Iterator<Item = Level> {
        let own = self.live().filter(|orders| orders.any(market));
        book.levels(side).filter_map(move |level| {
            let Some(orders) = own else { return Some(level) };
            let quantity = level.quantity.saturating_sub(orders.displayed(market, side, level.price));
            (!quantity.is_zero()).then_some(Level { quantity, ..level })
        })
    }

    /// Best price of own quotes on a side that the venue could match with an order of ours.
    pub fn own_best(&self, market: MarketId, side: Side) -> Option<Price> {
        let own = self.live()?.open(market).filter(|order| order.side == side && !order.take);
        let prices = own.map(|order| order.price);
        match side {
            Side::Bid => prices.max(),
            Side::Ask => prices.min(),
        }
    }

    /// Takes away what happened to live orders; paper says so at once.
    pub fn drain(&mut self, out: &mut Vec<OrderEvent>) {
        if let Self::Live(orders) = self {
            orders.drain(out);
        }
    }

    pub fn drain_effects(&mut self, effects: &mut Vec<Effect>) {
        if let Self::Live(orders) = self {
            orders.drain_effects(effects);
        }
    }
}

//! Orders of a slot as both exchanges know them, and why an intent is refused.

use crate::event::CancelReason;
use crate::market::{FeeSchedule, MarketId};
use crate::units::{Money, Price, Quantity, Side};
use serde::{Deserialize, Serialize};

/// Number of an order within its slot, from 1 in order of placing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(pub u64);

/// An order as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// Its number.
    pub id: OrderId,
    /// The question that led to it.
    pub decision: u64,
    /// Its market.
    pub market: MarketId,
    /// Its side.
    pub side: Side,
    /// Limit, YES price.
    pub price: Price,
    /// Contracts, more than none.
    pub quantity: Quantity,
    /// Whether it takes what is there on arrival and rests nothing; otherwise it only rests.
    pub take: bool,
    /// What its fills cost; the venue itself says so for live orders.
    pub fees: FeeSchedule,
}

/// An order that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its number.
    pub id: OrderId,
    /// Its side.
    pub side: Side,
    /// Limit, YES price.
    pub price: Price,
    /// The most that may still be added to the position by it: what may still fill, and fills not heard of yet.
    pub remaining: Quantity,
    /// What will rest once a reduction or cancel that is on its way has taken effect.
    pub staying: Quantity,
    /// Whether it takes only.
    pub take: bool,
    /// Whether it is to go: a cancel is on its way, or waits to be sent.
    pub cancelling: bool,
    /// Contracts that trade before it: as the venue said last, on paper as the model of the queue has it. Nothing while it
    /// is on its way, or where nobody said.
    pub ahead: Option<Quantity>,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// It traded.
    Filled {
        /// The order.
        order: OrderId,
        /// Its market.
        market: MarketId,
        /// Its side.
        side: Side,
        /// YES price of the fill: its own as maker, the level's as taker.
        price: Price,
        /// Contracts.
        quantity: Quantity,
        /// Net fee of this fill.
        fee: Money,
        /// Whether it was the taker.
        taker: bool,
    },
    /// It is over with something left.
    Cancelled {
        /// The order.
        order: OrderId,
        /// Its market.
        market: MarketId,
        /// What was left.
        remaining: Quantity,
        /// Why.
        reason: CancelReason,
    },
}

/// Why an intent did not become an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RefusalReason {
    /// The order is larger than one order may be.
    OrderSize,
    /// Position and open orders would pass the limit of the market.
    Position,
    /// The book is not proved current.
    StaleBook,
    /// The book is crossed.
    CrossedBook,
    /// The forecast is missing or too old.
    OldForecast,
    /// The market does not trade now.
    MarketClosed,
    /// The price is off the market's ladder, or $0 or $1.
    Price,
    /// A quote would cross the book although it must only rest.
    PostOnly,
    /// Too many orders are open in the slot.
    OpenOrders,
    /// The quantity is zero.
    Empty,
    /// The slot was halted, winds down or stopped.
    Halted,
    /// The account is not proved equal to the ledger.
    Unproved,
    /// An order in this market and on this side has an outcome that nobody knows yet.
    UnknownOutcome,
    /// The venue refused something here a moment ago, and its reason has not had time to pass.
    Held,
    /// The exchange or trading is paused.
    ExchangePaused,
    /// The venue's clock and ours are too far apart.
    ClockSkew,
    /// The order costs more than one order may.
    OrderNotional,
    /// It is too far through the book.
    Collar,
    /// It would meet an own order.
    SelfTrade,
    /// Positions and open orders of the city-day would be more contracts than it may hold.
    CityDayContracts,
    /// The worst outcome of the city-day would cost more than it may.
    CityDayLoss,
    /// The premium traded today would pass its limit.
    DayNotional,
    /// Positions and open orders would tie up more money than they may.
    Exposure,
    /// Too many orders in the last second or minute.
    Rate,
    /// The day's loss reached its limit.
    DailyLoss,
    /// Trading stops at this time: shortly before a close, or in a weekly window.
    Window,
}

//! Orders of a slot and why an intent is refused.

use serde::{Deserialize, Serialize};

/// Number of an order within its slot, from 1 in order of placing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(pub u64);

/// Why an intent did not become an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

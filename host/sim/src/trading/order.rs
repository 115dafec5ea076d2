//! An order and the words that the venue has for its parts.

use crate::book::{Level, Outcome};
use isobar_engine::fees::OrderFees;
use isobar_engine::units::{Money, Price, Quantity, Side, Timestamp};

/// Whose order and which: the account's number and the order's.
pub(crate) type Key = (usize, u64);

/// Whose order changed a level: only that account is told the client's id (PROTOCOL.md 2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) account: usize,
    pub(crate) client_order_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeInForce {
    GoodTillCanceled,
    ImmediateOrCancel,
    FillOrKill,
}

/// What happens where an order would trade with one of the same account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SelfTrade {
    /// The incoming order is cancelled.
    TakerAtCross,
    /// The resting order is cancelled.
    Maker,
}

impl SelfTrade {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::TakerAtCross => "taker_at_cross",
            Self::Maker => "maker",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Resting,
    Canceled,
    Executed,
}

impl Status {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Canceled => "canceled",
            Self::Executed => "executed",
        }
    }
}

/// Why an order changed: `last_update_reason` (PROTOCOL.md 2.9). The venue names none for a cancel that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Placed,
    Asked,
    Decrease,
    Amend,
    SelfTradeCancel,
    ExpiryCancel,
    CloseCancel,
    HaltCancel,
    Trade,
}

impl Reason {
    pub(crate) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Placed | Self::Asked => None,
            Self::Decrease => Some("Decrease"),
            Self::Amend => Some("Amend"),
            Self::SelfTradeCancel => Some("SelfTradeCancel"),
            Self::ExpiryCancel => Some("ExpiryCancel"),
            Self::CloseCancel => Some("CloseCancel"),
            Self::HaltCancel => Some("HaltCancel"),
            Self::Trade => Some("Trade"),
        }
    }
}

/// A request to place an order, its numbers already read.
#[derive(Clone, Debug)]
pub(crate) struct NewOrder {
    pub(crate) market: usize,
    /// Empty where the client gave none.
    pub(crate) client_order_id: String,
    pub(crate) side: Side,
    pub(crate) price: Price,
    pub(crate) count: Quantity,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) self_trade: SelfTrade,
    pub(crate) post_only: bool,
    pub(crate) reduce_only: bool,
    pub(crate) cancel_on_pause: bool,
    pub(crate) expires: Option<Timestamp>,
    /// UUID of its group.
    pub(crate) group: Option<String>,
}

/// An order that the exchange took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) number: u64,
    /// UUID.
    pub(crate) id: String,
    pub(crate) account: usize,
    pub(crate) client_order_id: String,
    pub(crate) market: usize,
    pub(crate) side: Side,
    /// YES price.
    pub(crate) price: Price,
    pub(crate) initial: Quantity,
    pub(crate) filled: Quantity,
    pub(crate) remaining: Quantity,
    pub(crate) status: Status,
    pub(crate) self_trade: SelfTrade,
    pub(crate) post_only: bool,
    pub(crate) cancel_on_pause: bool,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) group: Option<u64>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) taker_cost: Money,
    pub(crate) maker_cost: Money,
    pub(crate) taker_fees: Money,
    pub(crate) maker_fees: Money,
    pub(crate) rounding: OrderFees,
    /// Background contracts at its level that were there before it.
    pub(crate) ahead: Quantity,
}

impl Order {
    /// The ladder that it rests in and its price there: a bid for YES, or a bid for NO at the complement.
    pub(crate) fn level(&self) -> (Outcome, Price) {
        level(self.side, self.price)
    }

    /// Who is told that it changed a level.
    pub(crate) fn owner(&self) -> Owner {
        Owner { account: self.account, client_order_id: self.client_order_id.clone() }
    }

    pub(crate) const fn outcome(&self) -> Outcome {
        outcome(self.side)
    }
}

/// What a side of the YES book buys.
pub(crate) const fn outcome(side: Side) -> Outcome {
    match side {
        Side::Bid => Outcome::Yes,
        Side::Ask => Outcome::No,
    }
}

/// The side of the YES book on which bids for `outcome` stand.
pub(crate) const fn side(outcome: Outcome) -> Side {
    match outcome {
        Outcome::Yes => Side::Bid,
        Outcome::No => Side::Ask,
    }
}

/// A price of the YES book as a bid.
pub(crate) fn level(side: Side, price: Price) -> (Outcome, Price) {
    match side {
        Side::Bid => (Outcome::Yes, price),
        Side::Ask => (Outcome::No, price.complement()),
    }
}

/// Price in YES terms of a bid for `outcome`.
pub(crate) fn yes_price(outcome: Outcome, (price, _): Level) -> Price {
    match outcome {
        Outcome::Yes => price,
        Outcome::No => price.complement(),
    }
}

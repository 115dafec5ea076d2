//! What the live slot and its venue say to one another about orders and the account, in the engine's own types.
//!
//! The engine knows orders by [`OrderId`] alone. The venue's spellings (client order ids, order ids, tickers) stay in the
//! protocol core, which resolves them before anything comes here. Reports by socket and by REST are the same values, and
//! cumulative where the venue's are, so that hearing something twice or late changes nothing.

use crate::market::MarketId;
use crate::order::OrderId;
use crate::units::{Money, Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// Identity of one match at the venue; the same by socket and by REST. Fills are counted once by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TradeId(pub u128);

/// What the engine asks of the venue. Every request is answered, or its answer is said to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Request {
    /// Place an order. Sent once: an order whose answer is lost is looked for, never sent again under another number.
    Create {
        /// The order.
        order: OrderId,
        /// Its market.
        market: MarketId,
        /// Its side.
        side: Side,
        /// Limit, YES price.
        price: Price,
        /// Contracts.
        quantity: Quantity,
        /// Takes at once what is there and rests nothing (immediate or cancel); otherwise only rests (post-only).
        take: bool,
        /// When the venue lets a resting order die by itself; whole seconds.
        expires: Option<Timestamp>,
    },
    /// Cancel what remains of an order.
    Cancel {
        /// The order.
        order: OrderId,
    },
    /// Lower what remains of an order, keeping its place in the queue.
    Decrease {
        /// The order.
        order: OrderId,
        /// Contracts that shall remain.
        to: Quantity,
    },
    /// Move an order's expiry, keeping its place in the queue. Side, price and count of the order stand as they are.
    Renew {
        /// The order.
        order: OrderId,
        /// The new expiry; whole seconds.
        expires: Timestamp,
    },
    /// Look for the order at the venue: evidence where an outcome is unknown.
    Find {
        /// The order.
        order: OrderId,
    },
    /// Read the whole account: cash, positions, orders that rest, fills.
    ReadAccount,
    /// Trigger the run's order group: the venue cancels all orders in it and takes no more until it is reset.
    TriggerGroup,
    /// Reset the run's order group, so that it takes orders again.
    ResetGroup,
    /// Read how many contracts are ahead of each order that rests.
    ReadQueue,
}

/// Where an order stands at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderStatus {
    /// It rests.
    Resting,
    /// It is over with something left.
    Cancelled,
    /// It is over, filled.
    Executed,
}

/// What the venue says of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderReport {
    /// The venue took it. `remaining` zero with nothing filled means that it was taken and is over (self-trade prevented,
    /// nothing to take).
    Accepted {
        /// Contracts filled so far.
        filled: Quantity,
        /// Contracts that rest.
        remaining: Quantity,
    },
    /// The venue refused it: it does not exist.
    Rejected(RejectReason),
    /// The request was never sent: it does not exist.
    Unsent,
    /// Whether the request took effect is not known: no answer, or one that does not tell.
    Unknown(RequestKind),
    /// Its state, cumulative; by socket or by REST.
    State {
        /// Where it stands.
        status: OrderStatus,
        /// Contracts filled so far.
        filled: Quantity,
        /// Contracts that still rest; zero where it is over.
        remaining: Quantity,
    },
    /// A cancel took effect.
    Cancelled {
        /// Contracts that it took out.
        reduced: Quantity,
    },
    /// A decrease took effect.
    Decreased {
        /// Contracts that remain.
        remaining: Quantity,
    },
    /// Its expiry was moved.
    Renewed,
    /// A cancel, decrease or renewal met no such order. The venue says the same of executed, cancelled and never existing
    /// orders, so this is no outcome: it has to be looked for.
    NotThere(RequestKind),
    /// A cancel, decrease or renewal was refused or never sent, and the order stands as it did.
    Failed {
        /// Which of them.
        request: RequestKind,
        /// Why.
        reason: RejectReason,
    },
    /// A complete read of the account's orders, of a read side that is known to be newer than the request, did not show it.
    Absent,
}

/// Which request a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RequestKind {
    /// [`Request::Create`].
    Create,
    /// [`Request::Cancel`].
    Cancel,
    /// [`Request::Decrease`].
    Decrease,
    /// [`Request::Renew`].
    Renew,
    /// [`Request::Find`].
    Find,
}

/// Why the venue refused, by what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RejectReason {
    /// It would have crossed although it must only rest: quote elsewhere.
    PostOnly,
    /// Price, size or another field is wrong: a bug or changed facts of the market; do not repeat.
    Invalid,
    /// Not enough money: place less.
    Balance,
    /// The market takes no orders now: wait for its state to change.
    MarketClosed,
    /// The exchange or trading is paused: wait.
    Paused,
    /// Too many requests: wait.
    RateLimited,
    /// The key is not accepted (signature, scope, clock): stop trading, a person must look.
    Unauthorised,
    /// The order group was triggered.
    Group,
    /// Anything else that is a definite no.
    Other,
}

/// A fill as the venue tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueFill {
    /// The match.
    pub trade: TradeId,
    /// Our order, or nothing for an order that this run did not place.
    pub order: Option<OrderId>,
    /// The market.
    pub market: MarketId,
    /// What we did: [`Side::Bid`] bought YES.
    pub side: Side,
    /// YES price.
    pub price: Price,
    /// Contracts.
    pub quantity: Quantity,
    /// Fee of this fill.
    pub fee: Money,
    /// Whether we were the taker.
    pub taker: bool,
}

/// An order that the venue shows in a read of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueOrder {
    /// Our order, or nothing for one that this run did not place.
    pub order: Option<OrderId>,
    /// Its market.
    pub market: MarketId,
    /// Its side.
    pub side: Side,
    /// Limit, YES price.
    pub price: Price,
    /// Where it stands.
    pub status: OrderStatus,
    /// Contracts filled so far.
    pub filled: Quantity,
    /// Contracts that still rest.
    pub remaining: Quantity,
}

/// A position that the venue shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenuePosition {
    /// Its market.
    pub market: MarketId,
    /// Signed, 1/100 contracts: positive YES, negative NO.
    pub contracts: i64,
    /// What was paid for it, without fees.
    pub cost: Money,
}

/// One consistent read of the account: orders, fills, positions and cash, read until two rounds agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Money at hand on the shard of the weather markets.
    pub cash: Money,
    /// Open positions in listed markets.
    pub positions: Vec<VenuePosition>,
    /// Orders that rest, ours and others', and ours that ended since `since`.
    pub orders: Vec<VenueOrder>,
    /// Fills since `since`, oldest first.
    pub fills: Vec<VenueFill>,
    /// What the read of orders and fills reaches back to.
    pub since: Timestamp,
    /// The read side was at least as new as this: what the venue did before is in here.
    pub as_of: Timestamp,
}

/// Whether the exchange works, as it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExchangeStatus {
    /// Trading.
    Open,
    /// No placing and no amending; cancels work.
    TradingPaused,
    /// Nothing changes state at all.
    ExchangePaused,
}

/// What an operator, or the host on his behalf, decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Place nothing more and pull everything, until re-armed.
    Halt {
        /// Why, for people.
        reason: String,
    },
    /// Trade again after a halt. Refused while something of ours rests and within a minute of the halt, in which the venue
    /// may still cancel what is new. After a halt because the account differed, the venue's account is taken over anew.
    Rearm,
    /// Place nothing more and pull everything: the host ends in order.
    Wind,
    /// Other limits from here on. Orders beyond them are pulled. Limits that let more pass than those in force need a
    /// confirmation; without it nothing changes and a report says so.
    Limits {
        /// The new ones, all of them.
        limits: Box<crate::risk::Limits>,
        /// Whether a person confirmed that more may pass than before.
        confirmed: bool,
    },
}

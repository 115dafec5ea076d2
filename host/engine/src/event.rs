//! Everything that can differ between two runs: what comes in ([`Input`], [`Body`]) and what goes out ([`Effect`]).
//!
//! An [`Input`] is what the outside did, as received, stamped once with `seq` and `at` and journaled in the feed journal.
//! The venue's protocol core turns each input into exactly one [`Body`], which the engine applies. Answers of a slot's
//! strategy and swaps are bodies too ([`Body::Decided`], [`Body::Swapped`]); they carry the `seq` of the input that they
//! answer and are journaled in the slot's own journal.

use crate::market::{Market, MarketId, MarketStatus};
use crate::opinion::{Opinion, Role};
use crate::order::{OrderId, RefusalReason};
use crate::snapshot::{Decision, Snapshot};
use crate::units::{Digest, Money, Price, Probability, Quantity, Side, Timestamp};
use crate::venue::{
    Account, Command, ExchangeStatus, OrderReport, OrderStatus, RejectReason, Request, RequestKind, VenueFill,
    VenuePosition,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One external input of a run: a line of the feed journal is `(seq, at, Input)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input<'a> {
    /// First record of every feed journal.
    Opening(Opening),
    /// Markets found over REST: new ones (whose ids continue the list), or known ones with changed facts.
    Listed(Vec<Market>),
    /// A WebSocket connection is up. Numbers of connections are never used twice in a run.
    Connected {
        /// Number of the connection.
        connection: u32,
        /// Price scale of the NO ladder on every order book subscription of this connection: always sent, never guessed.
        use_yes_price: bool,
        /// Somebody else subscribed (an imported capture): nothing is sent, acknowledgements are adopted as they come.
        observed: bool,
        /// Whether the channels of the account (own orders, fills, positions, order groups) are subscribed too.
        private: bool,
    },
    /// One text frame as received, without any change.
    Frame {
        /// The connection it came on.
        connection: u32,
        /// The bytes of the frame.
        #[serde(with = "serde_bytes")]
        text: &'a [u8],
    },
    /// The venue answered our Ping, or pinged us: the connection lives (its subscriptions may not).
    Pong {
        /// The connection it came on.
        connection: u32,
    },
    /// A connection is gone.
    Disconnected {
        /// The connection.
        connection: u32,
        /// Why, for people.
        reason: String,
    },
    /// An engine doubts its book of a market (negative level, crossed too long): ask for it anew.
    Resync(MarketId),
    /// An opinion on a city-day without what it was made of: somebody else's, or an older journal's.
    Forecast(Forecast),
    /// The venue paid a market: a YES contract is worth `value`.
    Settled {
        /// The market.
        market: MarketId,
        /// $1 for YES, $0 for NO, between for a scalar result.
        value: Price,
    },
    /// A second of the clock went by. Ticks make silence visible; nothing else tells the time between frames.
    Tick,
    /// Last record of a run that ended in order.
    Closing,
    /// The venue answered a request of the live slot over REST.
    Answered {
        /// The request.
        request: Request,
        /// HTTP status.
        status: u16,
        /// The body as received.
        #[serde(with = "serde_bytes")]
        body: &'a [u8],
    },
    /// A request of the live slot got no answer.
    Unanswered {
        /// The request.
        request: Request,
        /// Whether it may have reached the venue. One that never left the host certainly did not.
        sent: bool,
        /// Why, for people.
        reason: String,
    },
    /// The account as read over REST, in the venue's spellings where only the protocol core can resolve them.
    Account(AccountRead),
    /// What the exchange says of itself.
    Exchange(ExchangeStatus),
    /// How far the venue's clock is ahead of ours, nanoseconds.
    Skew(i64),
    /// An operator's command.
    Command(Command),
    /// A model's opinion with what it was made of. Strategies see the forecast in it where it is a traded one.
    Opinion(Box<Opinion>),
    /// From here on this bundle speaks for a city.
    ModelSwapped {
        /// Short name of the city.
        city: String,
        /// What it is for.
        role: Role,
        /// Hash of the bundle.
        model: Digest,
    },
    /// A bundle was offered and not taken: the one before goes on.
    ModelRefused {
        /// Its folder.
        path: String,
        /// Why, for people.
        reason: String,
    },
    /// Where the account's resting orders stand in their queues, as read over REST.
    Queue(Vec<QueueRead>),
}

/// Facts that hold for a whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Random identity of the run, hexadecimal; client order ids begin with it.
    pub run: String,
    /// Version of the engine that wrote the journal: digests compare within one version only.
    pub engine: String,
    /// Which clock stamped `at`: `system`, `scaled(epoch,factor)` or `stamped`.
    pub clock: String,
    /// Nanoseconds without a sign of life after which a book is stale (ORDER_BOOK_STALE_SEC).
    pub stale_after: i64,
    /// Where the frames came from, for people: an address or the name of a capture.
    pub source: String,
    /// Age of a message, nanoseconds from the venue's sending to our receiving, beyond which a book is not believed; 0 for
    /// never (captures, whose recorder's clock is not known).
    pub late_after: i64,
}

/// The probabilities that one model gives to the brackets of one city-day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// The venue's name of the city-day.
    pub event: String,
    /// Hash of the model bundle.
    pub model: Digest,
    /// When the newest input of the model was published.
    pub issued: Timestamp,
    /// Hash of the input row, so that the prediction can be recomputed.
    pub inputs: Digest,
    /// One probability a market, summing to exactly 1 000 000 ppm, or the reason why there is no opinion.
    pub outcome: Result<Vec<(MarketId, Probability)>, String>,
}

/// One read of the account, before the protocol core resolved whose orders these are; see [`Account`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRead {
    /// Money at hand on the shard of the weather markets.
    pub cash: Money,
    /// Open positions in listed markets.
    pub positions: Vec<VenuePosition>,
    /// Orders that rest, and those of ours that ended since `since`.
    pub orders: Vec<OrderRead>,
    /// Fills since `since`, oldest first, each with the venue's id of its order.
    pub fills: Vec<(String, VenueFill)>,
    /// What the read of orders and fills reaches back to.
    pub since: Timestamp,
    /// The read side was at least as new as this.
    pub as_of: Timestamp,
}

/// An order as the venue shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRead {
    /// The client order id; empty where it has none.
    pub client: String,
    /// The venue's id.
    pub id: String,
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

/// Where one order stands in its queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRead {
    /// The venue's id of the order.
    pub id: String,
    /// Contracts that trade before it, by price and time; none at the front.
    pub ahead: Quantity,
}

/// Price and total size resting at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// YES price.
    pub price: Price,
    /// Contracts.
    pub quantity: Quantity,
}

/// A public trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// The market.
    pub market: MarketId,
    /// YES price.
    pub price: Price,
    /// Contracts.
    pub quantity: Quantity,
    /// What the taker did: [`Side::Bid`] bought YES from resting asks.
    pub taker: Side,
}

/// The venue's own summary of a market. It moves no book; it checks one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticker {
    /// The market.
    pub market: MarketId,
    /// Best bid, nothing where the side is empty.
    pub bid: Option<Price>,
    /// Best ask, nothing where the side is empty.
    pub ask: Option<Price>,
    /// Size at the best bid, nothing where the venue left it out.
    pub bid_size: Option<Quantity>,
    /// Size at the best ask, nothing where the venue left it out.
    pub ask_size: Option<Quantity>,
}

/// Why a book cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StaleReason {
    /// No snapshot yet.
    NeverSeen,
    /// The connection went away.
    Disconnected,
    /// A sequence number was skipped or repeated.
    Gap,
    /// The connection gave no sign of life in time.
    SilentConnection,
    /// The connection lives, but the subscription did not answer its probe.
    SilentSubscription,
    /// The venue ended the subscription (errors 10 and 25).
    Terminated,
    /// A level would have become negative, or a price was off the ladder.
    Corrupt,
    /// Bids and asks crossed for too long.
    Crossed,
    /// Its messages come too long after they were sent: it may be current, for a moment that is gone.
    Late,
}

/// What the engine applies: an input after the venue's protocol core, or an answer of the slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Known and without meaning for the engine: an acknowledgement, a pong, a channel nobody asked about.
    Quiet,
    /// A frame that no rule covers, with the reason. Counted; the frame itself is in the journal.
    Unparsed(String),
    /// See [`Input::Listed`].
    Listed(Vec<Market>),
    /// The whole book of a market.
    Snapshot {
        /// The market.
        market: MarketId,
        /// YES bids, best (highest) first.
        bids: Vec<Level>,
        /// YES asks, best (lowest) first.
        asks: Vec<Level>,
    },
    /// A change of one level.
    Delta {
        /// The market.
        market: MarketId,
        /// Side of the YES book.
        side: Side,
        /// YES price.
        price: Price,
        /// Signed change in 1/100 contract.
        change: i64,
    },
    /// These books cannot be trusted until their next snapshot.
    Stale {
        /// Their markets.
        markets: Vec<MarketId>,
        /// Why.
        reason: StaleReason,
    },
    /// A public trade.
    Trade(Trade),
    /// The venue's own best prices.
    Ticker(Ticker),
    /// The venue changed the state of a market.
    Status {
        /// The market.
        market: MarketId,
        /// Its new state.
        status: MarketStatus,
    },
    /// The venue moved a market's close.
    Closes {
        /// The market.
        market: MarketId,
        /// Its new close.
        at: Timestamp,
    },
    /// See [`Input::Settled`].
    Settled {
        /// The market.
        market: MarketId,
        /// Worth of a YES contract.
        value: Price,
    },
    /// See [`Input::Forecast`] and [`Input::Opinion`].
    Forecast(Forecast),
    /// The venue says something about an order of ours: an answer of REST or a message of the socket.
    Order {
        /// The order.
        order: OrderId,
        /// What it says.
        report: OrderReport,
    },
    /// The account traded.
    Fill(VenueFill),
    /// A position as the venue pushes it: it checks ours.
    Position {
        /// The market.
        market: MarketId,
        /// Signed, 1/100 contracts.
        contracts: i64,
    },
    /// See [`Input::Account`].
    Account(Account),
    /// The order group was triggered (or reset): the venue cancelled what was in it.
    Group {
        /// Whether it takes no orders now.
        triggered: bool,
    },
    /// Messages about the account may have been lost: a private channel ended or came back. Books may be whole. (A lost
    /// connection says so by [`Body::Stale`].)
    Unheard,
    /// See [`Input::Exchange`].
    Exchange(ExchangeStatus),
    /// See [`Input::Skew`].
    Skew(i64),
    /// See [`Input::Command`].
    Command(Command),
    /// See [`Input::Tick`].
    Tick,
    /// A component answered a question.
    Decided {
        /// Number of the question within the slot.
        decision: u64,
        /// What it wants, or how it failed.
        outcome: Result<Decision, Fault>,
    },
    /// The slot holds another component from here on.
    Swapped(Component),
    /// Contracts ahead of orders of ours; see [`Input::Queue`].
    Queue(Vec<(OrderId, Quantity)>),
}

/// How a component failed to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Fuel ran out.
    OutOfFuel,
    /// It asked for more memory than its cap.
    OutOfMemory,
    /// It trapped; the text names the trap.
    Trap(String),
    /// It returned an error of its own.
    Refused(String),
    /// It returned something outside the contract (an unknown bracket, too many quotes, too much state).
    Contract(String),
    /// Two instances answered the same question differently (audited reuse).
    NotPure,
    /// It used more wall time than the backstop allows.
    Deadline,
}

/// What a slot knows of the component that it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Hash of its bytes.
    pub hash: Digest,
    /// Name and version, as it describes itself.
    pub name: String,
    /// What it wants to be asked about.
    pub watch: Watch,
    /// Values of its parameters, in the order in which it declares them.
    pub parameters: Vec<i64>,
}

/// When a component wants to be asked. A forecast, a fill and a change of a market's state always ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// How many levels a side are shown to it and watched, 1 to 10.
    pub levels: u8,
    /// Whether a change of size alone is a reason to ask.
    pub sizes: bool,
    /// Whether a public trade is a reason to ask.
    pub trades: bool,
    /// Ask at least this often, nanoseconds; 0 for never on time alone.
    pub every: i64,
    /// Never ask twice within this time for one city-day, nanoseconds.
    pub at_most_every: i64,
}

/// What the engine asks the world to do, or tells it, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Ask the slot's component, and bring its answer back as [`Body::Decided`] before the next input.
    Decide {
        /// Number of the question within the slot, from 1.
        decision: u64,
        /// What the component may see.
        snapshot: Box<Snapshot>,
    },
    /// The component failed: give the slot its previous version, and bring [`Body::Swapped`] before the next input.
    Revert,
    /// Bring [`Input::Resync`] for this market.
    Resync(MarketId),
    /// Something happened to an order or a position; nothing to do but tell.
    Report(Report),
    /// Ask the venue this, and bring its answer as [`Input::Answered`] or [`Input::Unanswered`].
    Send(Request),
}

/// What happened in a slot. Reports are derived: the SQL projection and the screen are made of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// An intent passed risk and is on its way.
    Placed {
        /// The order.
        order: OrderId,
        /// The question that led to it.
        decision: u64,
        /// Its market.
        market: MarketId,
        /// Its side.
        side: Side,
        /// Limit, YES price.
        price: Price,
        /// Contracts.
        quantity: Quantity,
        /// Whether it takes at once what is there and rests nothing.
        take: bool,
    },
    /// An intent did not pass.
    Refused {
        /// The question that led to it.
        decision: u64,
        /// Its market.
        market: MarketId,
        /// Its side.
        side: Side,
        /// Limit, YES price.
        price: Price,
        /// Contracts.
        quantity: Quantity,
        /// Why.
        reason: RefusalReason,
    },
    /// An order traded.
    Filled {
        /// The order.
        order: OrderId,
        /// Its market.
        market: MarketId,
        /// Its side.
        side: Side,
        /// YES price of the fill.
        price: Price,
        /// Contracts.
        quantity: Quantity,
        /// Fee of this fill.
        fee: Money,
        /// Whether we were the taker.
        taker: bool,
        /// Position in the market after the fill, signed 1/100 contracts.
        position: i64,
    },
    /// An order is over with something left.
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
    /// A position was paid.
    Settled {
        /// Its market.
        market: MarketId,
        /// Signed position that was paid, 1/100 contracts.
        position: i64,
        /// Worth of a YES contract.
        value: Price,
        /// What was received.
        payout: Money,
    },
    /// The slot stopped after repeated faults.
    Stopped {
        /// How many in a row.
        faults: u32,
    },
    /// The account traded by an order that this slot did not place. The venue nets it, so it is booked.
    ForeignFill {
        /// The market.
        market: MarketId,
        /// Its side.
        side: Side,
        /// YES price of the fill.
        price: Price,
        /// Contracts.
        quantity: Quantity,
        /// Fee of this fill.
        fee: Money,
        /// Position in the market after the fill, signed 1/100 contracts.
        position: i64,
    },
    /// Something about the slot as a whole, or about how an order fares at the venue. Its `Display` is for people.
    Notice(Notice),
    /// A resting order stands elsewhere in its queue than was known.
    Queued {
        /// The order.
        order: OrderId,
        /// Its market.
        market: MarketId,
        /// Contracts that trade before it.
        ahead: Quantity,
    },
}

/// What a person who watches a slot has to know besides orders and fills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// The slot places nothing more and pulls everything.
    Halted {
        /// Why.
        reason: String,
    },
    /// The slot winds down: it places nothing more and pulls everything.
    Winding,
    /// After a halt or a wind down nothing of ours rests: for a live slot, the venue's own list of orders says so.
    Flat,
    /// After a halt or a wind down the venue still shows orders of ours.
    StillResting {
        /// How many.
        orders: u32,
    },
    /// The slot trades again.
    Rearmed,
    /// The slot stays halted.
    NotRearmed {
        /// Why.
        reason: String,
    },
    /// The ledger was taken over from the venue.
    Adopted {
        /// Cash.
        cash: Money,
        /// Markets with a position.
        positions: u32,
    },
    /// The account was read and equals the ledger: orders pass.
    Proved,
    /// The account may differ from the ledger: no orders pass until it was read.
    Unproved {
        /// Why.
        reason: String,
    },
    /// Orders that this slot did not place rest on the account; they are left alone.
    ForeignOrders {
        /// How many.
        orders: u32,
    },
    /// Whether a request about an order took effect is not known.
    Unknown {
        /// The order.
        order: OrderId,
        /// The request.
        request: RequestKind,
    },
    /// The venue refused a request about an order.
    Refused {
        /// The order.
        order: OrderId,
        /// The request.
        request: RequestKind,
        /// Why.
        reason: RejectReason,
    },
    /// Other limits are in force.
    Limits {
        /// Names of those that let more pass than before.
        loosened: Vec<String>,
    },
    /// Limits that let more pass than before were not confirmed: the old ones stay in force, all of them.
    LimitsUnconfirmed {
        /// Names of those that would let more pass.
        loosened: Vec<String>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Halted { reason } => write!(f, "halted: {reason}"),
            Self::Winding => f.write_str("winding down: nothing new is placed"),
            Self::Flat => f.write_str("nothing of ours rests"),
            Self::StillResting { orders } => write!(f, "{orders} orders of ours still rest"),
            Self::Rearmed => f.write_str("armed again"),
            Self::NotRearmed { reason } => write!(f, "not armed: {reason}"),
            Self::Adopted { cash, positions } => {
                write!(f, "the account was taken over: cash {cash}, {positions} markets with a position")
            }
            Self::Proved => f.write_str("the account equals the ledger"),
            Self::Unproved { reason } => write!(f, "no orders until the account was read: {reason}"),
            Self::ForeignOrders { orders } => write!(f, "{orders} orders that this slot did not place rest"),
            Self::Unknown { order, request } => write!(f, "order {}: the outcome of {request:?} is unknown", order.0),
            Self::Refused { order, request, reason } => {
                write!(f, "order {}: the venue refused {request:?}: {reason:?}", order.0)
            }
            Self::Limits { loosened } if loosened.is_empty() => f.write_str("tighter limits are in force"),
            Self::Limits { loosened } => write!(f, "other limits are in force, looser: {}", loosened.join(", ")),
            Self::LimitsUnconfirmed { loosened } => {
                write!(f, "the old limits stay: looser ones were not confirmed: {}", loosened.join(", "))
            }
        }
    }
}

/// Why an order ended before it was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelReason {
    /// The strategy no longer wants it.
    Undesired,
    /// It takes only, and nothing (more) was there.
    Unfilled,
    /// It would have crossed on arrival although it must only rest.
    PostOnly,
    /// Its market closed, was paused or settled.
    MarketClosed,
    /// The book was stale when it would have arrived, or became stale while it rested.
    Stale,
    /// The component failed.
    Fault,
    /// The slot was halted or winds down.
    Halted,
    /// It is beyond limits that were tightened, or the day's loss reached its limit.
    Limits,
    /// Its expiry came.
    Expired,
    /// The venue refused it.
    Refused,
    /// It never left the host.
    Unsent,
    /// The venue does not know it: its request never took effect, or it ended without a word.
    Absent,
    /// The venue ended it for reasons of its own: an own order would have met it, a pause, the order group.
    Venue,
}

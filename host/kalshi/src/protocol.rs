//! The protocol core: from what came in to what it means, without any I/O, clock or randomness of its own.
//!
//! It owns subscriptions, sequence numbers, the question whether each book is proved current, and the commands that keep it
//! so. Each [`Input`] becomes exactly one [`Body`]; what must be sent is appended to `transmit`. It runs behind the journal,
//! so a replay runs it again on the same inputs and must get the same bodies: time comes only from `at`, and nothing is
//! iterated in hash order. It keeps no levels: a book is the engine's, its trustworthiness is ours. It also knows which order
//! is which (the engine's number, our client order id, the venue's id), so that answers of REST and messages of the socket
//! reach the engine as the same reports.
//!
//! Rules (PROTOCOL.md 2.3 to 2.5): `seq` counts per subscription over all its markets, and acknowledgements and errors use
//! numbers up. A skipped or repeated number makes every book that stands on the subscription alone stale at that very
//! message. Only a new snapshot makes a book fresh again; until then its deltas are [`Body::Quiet`]. Connections are judged
//! one by one and merged by `clock` (`merge.rs`) or, where there is none, by what they repeat (`echoes.rs`).

mod account;
mod connection;
mod echoes;
mod frame;
mod lateness;
mod life;
mod merge;
mod orders;

use crate::tickers::Tickers;
use crate::wire::{Command, Params};
use connection::{Channel, Connection, Purpose, Subscription};
use echoes::Echoes;
use isobar_engine::event::{Body, Input, StaleReason};
use isobar_engine::market::{Market, MarketId, MarketStatus};
use isobar_engine::opinion::Role;
use isobar_engine::units::{Price, SECOND, Timestamp};
use isobar_engine::venue::TradeId;
use lateness::Lateness;
use merge::Merge;
use orders::Orders;

pub use orders::Placed;

/// After all times.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// What must be done on a connection, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Send this text frame.
    Text {
        /// The connection.
        connection: u32,
        /// One JSON command.
        text: String,
    },
    /// Send a Ping; its Pong comes back as [`Input::Pong`].
    Ping {
        /// The connection.
        connection: u32,
    },
    /// Close this connection and open another, under a new number.
    Reconnect {
        /// The connection to close.
        connection: u32,
        /// What was missed.
        reason: StaleReason,
    },
    /// Facts of a market changed (strike or price grid): read it over REST and bring [`Input::Listed`] with what it is now.
    Relist {
        /// The market.
        market: MarketId,
    },
    /// Messages about the account come from here on, and what happened before may have been missed: read the account.
    Reconcile {
        /// The connection on which they come.
        connection: u32,
    },
}

/// What became of all frames. Each frame is in exactly one of the classes, so they sum to `frames`; `gaps` and
/// `terminated` count occasions, not frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Text frames received.
    pub frames: u64,
    /// Class: whole books.
    pub snapshots: u64,
    /// Class: changes of a level.
    pub deltas: u64,
    /// Class: the venue's best prices.
    pub tickers: u64,
    /// Class: public trades.
    pub trades: u64,
    /// Class: changes of a market's state, close or result.
    pub lifecycle: u64,
    /// Class: own orders, fills, positions and order groups.
    pub account: u64,
    /// Class: understood and without meaning for the engine.
    pub quiet: u64,
    /// Class: what another connection had told already.
    pub seen: u64,
    /// Class: deltas of a book that waits for its snapshot, on this connection.
    pub awaiting: u64,
    /// Class: tickers, trades and lifecycle messages of markets that are not listed.
    pub unlisted: u64,
    /// Class: frames that made books stale (a gap, a broken message of a known book, the end of a subscription).
    pub stale: u64,
    /// Class: frames that no rule covers.
    pub unparsed: u64,
    /// Skipped or repeated sequence numbers.
    pub gaps: u64,
    /// Subscriptions that the venue ended.
    pub terminated: u64,
}

impl Counts {
    /// Sum over the classes; equals `frames`.
    pub fn accounted(&self) -> u64 {
        self.snapshots
            + self.deltas
            + self.tickers
            + self.trades
            + self.lifecycle
            + self.account
            + self.quiet
            + self.seen
            + self.awaiting
            + self.unlisted
            + self.stale
            + self.unparsed
    }
}

/// What the protocol knows of a listed market.
#[derive(Debug)]
struct Known {
    status: MarketStatus,
    /// What its book stands on.
    merge: Merge,
    /// The venue's time of its newest ticker, milliseconds, and the connection that brought it.
    ticker: Option<(i64, u32)>,
    /// Worth of a YES contract, once determined.
    worth: Option<Price>,
    /// Names of its day and its series.
    event: Box<str>,
    series: Box<str>,
    /// Its times, of which the venue sends no event.
    opens: Timestamp,
    closes: Timestamp,
}

impl Known {
    /// Whether its book is still of interest.
    fn wanted(&self) -> bool {
        matches!(self.status, MarketStatus::Active | MarketStatus::Paused)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Protocol {
    stale_after: i64,
    late_after: i64,
    tickers: Tickers,
    markets: Vec<Known>,
    connections: Vec<Connection>,
    counts: Counts,
    lateness: Lateness,
    orders: Orders,
    trades: Echoes<TradeId>,
    news: Echoes<Body>,
    /// When the next market opens or closes.
    next_turn: Timestamp,
}

impl Default for Protocol {
    fn default() -> Self {
        Self::new()
    }
}

impl Protocol {
    /// A protocol that knows nothing yet. Until [`Input::Opening`] says otherwise, silence is noticed after 60 seconds.
    pub fn new() -> Self {
        Self {
            stale_after: 60 * SECOND,
            late_after: 0,
            tickers: Tickers::default(),
            markets: Vec::new(),
            connections: Vec::new(),
            counts: Counts::default(),
            lateness: Lateness::default(),
            orders: Orders::default(),
            trades: Echoes::default(),
            news: Echoes::default(),
            next_turn: NEVER,
        }
    }

    /// What became of all frames so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What `input`, which came at `at`, means. Commands to send are appended to `transmit`.
    pub fn apply(&mut self, at: Timestamp, input: &Input<'_>, transmit: &mut Vec<Transmit>) -> Body {
        match input {
            Input::Frame { connection, text } => self.frame(at, *connection, text, transmit),
            Input::Opening(opening) => {
                self.stale_after = opening.stale_after;
                self.late_after = opening.late_after;
                self.orders.begin(&opening.run);
                Body::Quiet
            }
            Input::Listed(markets) => self.listed(at, markets, transmit),
            Input::Connected { connection, use_yes_price, observed, private } => {
                self.connections.retain(|open| open.number != *connection);
                self.connections.push(Connection::new(*connection, *use_yes_price, *observed, *private, at));
                self.reconcile(at, self.connections.len() - 1, transmit);
                Body::Quiet
            }
            Input::Pong { connection } => {
                if let Some(open) = self.connections.iter_mut().find(|open| open.number == *connection) {
                    open.heard = at;
                }
                self.watch(at, transmit).unwrap_or(Body::Quiet)
            }
            Input::Disconnected { connection, .. } => self.disconnected(*connection),
            Input::Resync(market) => self.resync(at, *market, transmit),
            Input::Forecast(forecast) => Body::Forecast(forecast.clone()),
            Input::Opinion(opinion) if opinion.role == Role::Traded => Body::Forecast(opinion.forecast.clone()),
            Input::Opinion(_) | Input::ModelSwapped { .. } | Input::ModelRefused { .. } => Body::Quiet,
            Input::Settled { market, value } => {
                if let Some(known) = self.markets.get_mut(market.index()) {
                    known.status = MarketStatus::Settled;
                }
                Body::Settled { market: *market, value: *value }
            }
            Input::Tick => {
                self.turns(at, transmit);
                self.watch(at, transmit).unwrap_or(Body::Tick)
            }
            Input::Exchange(status) => Body::Exchange(*status),
            Input::Skew(nanos) => Body::Skew(*nanos),
            Input::Command(command) => Body::Command(command.clone()),
            Input::Answered { request, status, body } => self.answered(request, *status, body),
            Input::Unanswered { request, sent, .. } => self.unanswered(request, *sent),
            Input::Account(read) => self.account(read),
            Input::Queue(read) => self.queue(read),
            Input::Closing => Body::Quiet,
        }
    }

    fn listed(&mut self, at: Timestamp, listed: &[Market], transmit: &mut Vec<Transmit>) -> Body {
        for market in listed {
            if !self.tickers.insert(market.id, &market.ticker) {
                return Body::Unparsed(format!("{} is listed out of order or twice", market.ticker));
            }
            match self.markets.get_mut(market.id.index()) {
                Some(known) => {
                    (known.status, known.opens, known.closes) = (market.status, market.opens, market.closes);
                }
                None => self.markets.push(Known {
                    status: market.status,
                    merge: Merge::default(),
                    ticker: None,
                    worth: None,
                    event: market.event.as_str().into(),
                    series: market.series.as_str().into(),
                    opens: market.opens,
                    closes: market.closes,
                }),
            }
        }
        self.next_turn = self.next_turn.min(self.turn_after(at));
        for index in 0..self.connections.len() {
            self.reconcile(at, index, transmit);
        }
        Body::Listed(listed.to_vec())
    }

    /// Has markets read anew whose time to open or to close has come: the venue sends no event for it. (The engine goes by
    /// the times themselves.)
    fn turns(&mut self, at: Timestamp, transmit: &mut Vec<Transmit>) {
        if at < self.next_turn {
            return;
        }
        let due = |time: Timestamp| time >= self.next_turn && time <= at;
        for (index, known) in self.markets.iter().enumerate() {
            if known.wanted() && (due(known.opens) || due(known.closes)) {
                let market = MarketId(u16::try_from(index).expect("a market's number fits u16"));
                transmit.push(Transmit::Relist { market });
            }
        }
        self.next_turn = self.turn_after(at);
    }

    fn turn_after(&self, at: Timestamp) -> Timestamp {
        let times = self.markets.iter().filter(|known| known.wanted()).flat_map(|known| [known.opens, known.closes]);
        times.filter(|time| *time > at).min().unwrap_or(NEVER)
    }

    fn disconnected(&mut self, number: u32) -> Body {
        let Some(index) = self.connections.iter().position(|open| open.number == number) else { return Body::Quiet };
        let deaf = self.deaf_without(index);
        let markets = self.doubt_connection(index);
        self.connections.remove(index);
        self.trades.gone(number);
        self.news.gone(number);
        match markets.is_empty() {
            true if deaf => Body::Unheard,
            true => Body::Quiet,
            false => Body::Stale { markets, reason: StaleReason::Disconnected },
        }
    }

    /// Whether a connection is the only one that tells of the account.
    fn deaf_without(&self, index: usize) -> bool {
        Channel::PRIVATE.into_iter().any(|channel| {
            let hears =
                |open: &Connection| !open.closing && open.subscriptions.iter().any(|sub| sub.channel == channel);
            let mut others = self.connections.iter().enumerate().filter(|(other, _)| *other != index);
            hears(&self.connections[index]) && !others.any(|(_, open)| hears(open))
        })
    }

    /// The book of a market is wrong, whoever brought it: every connection is asked.
    fn resync(&mut self, at: Timestamp, market: MarketId, transmit: &mut Vec<Transmit>) -> Body {
        let Some(known) = self.markets.get_mut(market.index()) else { return Body::Quiet };
        known.merge.forget();
        for index in 0..self.connections.len() {
            let carries = |sub: &Subscription| sub.markets.binary_search(&market).is_ok();
            if let Some(sub) = self.connections[index].subscriptions.iter().position(carries) {
                self.ask(at, index, sub, &[market], transmit);
            }
        }
        Body::Stale { markets: vec![market], reason: StaleReason::Corrupt }
    }

    /// Takes a subscription's word for no book any more, and names those that stand on no other one.
    fn doubt(&mut self, index: usize, sub: usize) -> Vec<MarketId> {
        let open = &self.connections[index];
        let sub = &open.subscriptions[sub];
        let mut doubted = Vec::with_capacity(sub.markets.len());
        for market in &sub.markets {
            let merge = &mut self.markets[market.index()].merge;
            merge.leave(open.number, sub.sid);
            if !merge.is_fresh() {
                doubted.push(*market);
            }
        }
        doubted
    }

    /// The same for all subscriptions of a connection.
    fn doubt_connection(&mut self, index: usize) -> Vec<MarketId> {
        let subs = 0..self.connections[index].subscriptions.len();
        let mut markets: Vec<MarketId> = subs.flat_map(|sub| self.doubt(index, sub)).collect();
        markets.sort_unstable();
        markets.dedup();
        markets
    }

    /// Asks for the snapshots of those of `markets` that are still of interest.
    fn ask(&mut self, at: Timestamp, index: usize, sub: usize, markets: &[MarketId], transmit: &mut Vec<Transmit>) {
        let open = &mut self.connections[index];
        if open.observed || open.closing {
            return;
        }
        let wanted: Vec<MarketId> =
            markets.iter().copied().filter(|market| self.markets[market.index()].wanted()).collect();
        if wanted.is_empty() {
            return;
        }
        open.snapshots_asked(&wanted, at);
        let sub = &mut open.subscriptions[sub];
        sub.probed = at;
        let sid = sub.sid;
        let names = wanted.iter().map(|market| self.tickers.name(*market)).collect();
        let params =
            Params { sid: Some(sid), market_tickers: Some(names), action: Some("get_snapshot"), ..Params::default() };
        transmit.push(open.command(at, "update_subscription", params, Purpose::Snapshot { sid }));
    }

    /// Subscribes what is wanted and not asked for yet.
    fn reconcile(&mut self, at: Timestamp, index: usize, transmit: &mut Vec<Transmit>) {
        let open = &mut self.connections[index];
        if open.observed || open.closing {
            return;
        }
        for channel in Channel::BY_MARKET {
            let asked = open.asked(channel);
            let missing: Vec<MarketId> = (0..self.markets.len())
                .filter(|market| self.markets[*market].wanted())
                .map(|market| MarketId(u16::try_from(market).expect("a market's number fits u16")))
                .filter(|market| !asked.contains(market))
                .collect();
            if missing.is_empty() || open.subscribing(channel) {
                continue;
            }
            if channel == Channel::Book {
                // A subscription to books brings their snapshots without being asked.
                open.snapshots_asked(&missing, at);
            }
            open.asked(channel).extend(&missing);
            let names = missing.iter().map(|market| self.tickers.name(*market)).collect();
            let command = match open.subscriptions.iter_mut().rfind(|sub| sub.channel == channel) {
                Some(sub) => {
                    sub.markets.extend(&missing);
                    sub.markets.sort_unstable();
                    sub.markets.dedup();
                    let params = Params {
                        sid: Some(sub.sid),
                        market_tickers: Some(names),
                        action: Some("add_markets"),
                        ..Params::default()
                    };
                    let purpose = Purpose::Add { sid: sub.sid, channel, markets: missing };
                    open.command(at, "update_subscription", params, purpose)
                }
                None => {
                    let params = Params {
                        channels: Some([channel.name()]),
                        market_tickers: Some(names),
                        use_yes_price: (channel == Channel::Book).then_some(open.use_yes_price),
                        ..Params::default()
                    };
                    open.command(at, "subscribe", params, Purpose::Subscribe(channel))
                }
            };
            transmit.push(command);
        }
        let private: &[Channel] = if open.private { &Channel::PRIVATE } else { &[] };
        for channel in [Channel::Lifecycle].iter().chain(private) {
            if open.wide.insert(*channel) {
                let params = Params { channels: Some([channel.name()]), ..Params::default() };
                transmit.push(open.command(at, "subscribe", params, Purpose::Subscribe(*channel)));
            }
        }
    }
}

impl Connection {
    fn command(&mut self, at: Timestamp, cmd: &'static str, params: Params<'_>, purpose: Purpose) -> Transmit {
        let id = self.remember(at, purpose);
        let text = serde_json::to_string(&Command { id, cmd, params }).expect("a command has only strings and numbers");
        Transmit::Text { connection: self.number, text }
    }
}

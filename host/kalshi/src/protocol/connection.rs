//! State of one WebSocket connection: its subscriptions and the commands that wait for an answer.

use isobar_engine::market::MarketId;
use isobar_engine::units::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// More subscriptions than the venue has channels; beyond it a frame is refused rather than remembered.
pub(super) const MOST_SUBSCRIPTIONS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    Book,
    Ticker,
    Trade,
    Lifecycle,
    Fill,
    Order,
    Position,
    Group,
    Other,
}

impl Channel {
    /// The channels that are subscribed by ticker.
    pub(super) const BY_MARKET: [Self; 3] = [Self::Book, Self::Ticker, Self::Trade];
    /// The channels of the account, subscribed once and for all markets.
    pub(super) const PRIVATE: [Self; 4] = [Self::Fill, Self::Order, Self::Position, Self::Group];
    const NAMED: [Self; 8] =
        [Self::Book, Self::Ticker, Self::Trade, Self::Lifecycle, Self::Fill, Self::Order, Self::Position, Self::Group];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Book => "orderbook_delta",
            Self::Ticker => "ticker",
            Self::Trade => "trade",
            Self::Lifecycle => "market_lifecycle_v2",
            Self::Fill => "fill",
            Self::Order => "user_orders",
            Self::Position => "market_positions",
            Self::Group => "order_group_updates",
            Self::Other => "",
        }
    }

    pub(super) fn named(name: &str) -> Self {
        Self::NAMED.into_iter().find(|channel| channel.name() == name).unwrap_or(Self::Other)
    }

    /// The channel on which messages of a type come.
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "orderbook_snapshot" => Self::Book,
            "event_lifecycle" | "event_fee_update" => Self::Lifecycle,
            "user_order" => Self::Order,
            "market_position" => Self::Position,
            _ => Self::named(kind),
        }
    }
}

/// What a command was for, until it is answered.
#[derive(Debug)]
pub(super) enum Purpose {
    Subscribe(Channel),
    Add { sid: u32, channel: Channel, markets: Vec<MarketId> },
    Snapshot { sid: u32 },
}

#[derive(Debug)]
pub(super) struct Pending {
    pub id: u64,
    pub at: Timestamp,
    pub purpose: Purpose,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub sid: u32,
    pub channel: Channel,
    /// The next sequence number; nothing where the subscription was met in mid-stream.
    pub next: Option<u64>,
    /// Markets whose books it carries, in ascending order.
    pub markets: Vec<MarketId>,
    /// When its last message of any kind came.
    pub heard: Timestamp,
    /// When a snapshot was last asked for.
    pub probed: Timestamp,
    /// Its messages come too late to be believed.
    pub late: bool,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub number: u32,
    pub use_yes_price: bool,
    pub observed: bool,
    pub private: bool,
    /// Given up: its successor is on the way, and its books are not believed any more.
    pub closing: bool,
    pub heard: Timestamp,
    pub pinged: Timestamp,
    /// When refused commands may be tried again.
    pub retry: Option<Timestamp>,
    pub subscriptions: Vec<Subscription>,
    pub pending: Vec<Pending>,
    /// Channels for all markets that were asked for.
    pub wide: BTreeSet<Channel>,
    /// When the snapshots on their way were asked for.
    pub snapshots: BTreeMap<MarketId, Timestamp>,
    asked: [BTreeSet<MarketId>; 3],
    last_id: u64,
}

impl Connection {
    pub(super) fn new(number: u32, use_yes_price: bool, observed: bool, private: bool, at: Timestamp) -> Self {
        Self {
            number,
            use_yes_price,
            observed,
            private,
            closing: false,
            heard: at,
            pinged: at,
            retry: None,
            subscriptions: Vec::new(),
            pending: Vec::new(),
            wide: BTreeSet::new(),
            snapshots: BTreeMap::new(),
            asked: Default::default(),
            last_id: 0,
        }
    }

    /// Markets that were asked for on a channel by ticker.
    pub(super) fn asked(&mut self, channel: Channel) -> &mut BTreeSet<MarketId> {
        match channel {
            Channel::Book => &mut self.asked[0],
            Channel::Ticker => &mut self.asked[1],
            Channel::Trade => &mut self.asked[2],
            _ => unreachable!("only channels by ticker are asked for by market"),
        }
    }

    /// Notes that the snapshots of `markets` are asked for.
    pub(super) fn snapshots_asked(&mut self, markets: &[MarketId], at: Timestamp) {
        self.snapshots.extend(markets.iter().map(|market| (*market, at)));
    }

    /// Takes back that a channel was asked for, so that it is asked for again.
    pub(super) fn forget(&mut self, channel: Channel) {
        if Channel::BY_MARKET.contains(&channel) {
            self.asked(channel).clear();
        } else {
            self.wide.remove(&channel);
        }
    }

    /// Whether a subscription to the channel waits for its acknowledgement.
    pub(super) fn subscribing(&self, channel: Channel) -> bool {
        self.pending.iter().any(|pending| matches!(pending.purpose, Purpose::Subscribe(asked) if asked == channel))
    }

    /// The number for a new command.
    pub(super) fn remember(&mut self, at: Timestamp, purpose: Purpose) -> u64 {
        self.last_id += 1;
        self.pending.push(Pending { id: self.last_id, at, purpose });
        self.last_id
    }

    /// The command that `id` answers.
    pub(super) fn answered(&mut self, id: Option<u64>) -> Option<Purpose> {
        let at = self.pending.iter().position(|pending| Some(pending.id) == id)?;
        Some(self.pending.remove(at).purpose)
    }

    /// Notes a message of a subscription and gives its position; nothing where there are too many.
    pub(super) fn hear(&mut self, at: Timestamp, sid: u32, channel: Channel) -> Option<usize> {
        let known = self.subscriptions.iter().position(|sub| sub.sid == sid);
        let index = match known {
            Some(index) => index,
            None if self.subscriptions.len() < MOST_SUBSCRIPTIONS => {
                self.subscriptions.push(Subscription {
                    sid,
                    channel,
                    next: None,
                    markets: Vec::new(),
                    heard: at,
                    probed: at,
                    late: false,
                });
                self.subscriptions.len() - 1
            }
            None => return None,
        };
        let sub = &mut self.subscriptions[index];
        sub.heard = at;
        if channel == Channel::Book || sub.channel == Channel::Other {
            sub.channel = channel;
        }
        Some(index)
    }
}

impl Subscription {
    /// Whether `seq` is the number expected. The next one is expected after `seq` in any case.
    pub(super) fn in_order(&mut self, seq: Option<u64>) -> bool {
        let Some(seq) = seq else { return true };
        self.next.replace(seq.saturating_add(1)).is_none_or(|expected| expected == seq)
    }

    pub(super) fn carries(&mut self, market: MarketId) {
        if let Err(at) = self.markets.binary_search(&market) {
            self.markets.insert(at, market);
        }
    }
}

//! One client connection: its subscriptions, its sequence numbers, its view of the exchange.
//!
//! Pure: commands and changes go in, frames come out. One sid per channel; `seq` is per sid and used up by snapshots,
//! deltas, trades, lifecycle messages, `ok` and errors that carry the sid (PROTOCOL.md 2.2 to 2.5). It refuses what the
//! venue refuses, with the venue's error codes.

use crate::exchange::{Change, Exchange};
use crate::render::{self, Head, Outbox};
use crate::trouble::Trouble;
use serde::Deserialize;
use serde_json::{Value, json};

/// Channels that the exchange serves (PROTOCOL.md 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Channel {
    /// Books.
    #[serde(rename = "orderbook_delta")]
    OrderbookDelta,
    /// Best prices and volumes.
    #[serde(rename = "ticker")]
    Ticker,
    /// Public trades.
    #[serde(rename = "trade")]
    Trade,
    /// Results, payments, pauses.
    #[serde(rename = "market_lifecycle_v2")]
    MarketLifecycle,
    /// Own executions.
    #[serde(rename = "fill")]
    Fill,
    /// Own orders.
    #[serde(rename = "user_orders")]
    UserOrders,
    /// Own positions.
    #[serde(rename = "market_positions")]
    MarketPositions,
    /// Own order groups.
    #[serde(rename = "order_group_updates")]
    OrderGroupUpdates,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 8] = [
        Self::OrderbookDelta,
        Self::Ticker,
        Self::Trade,
        Self::MarketLifecycle,
        Self::Fill,
        Self::UserOrders,
        Self::MarketPositions,
        Self::OrderGroupUpdates,
    ];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.word() == word)
    }

    /// The venue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OrderbookDelta => "orderbook_delta",
            Self::Ticker => "ticker",
            Self::Trade => "trade",
            Self::MarketLifecycle => "market_lifecycle_v2",
            Self::Fill => "fill",
            Self::UserOrders => "user_orders",
            Self::MarketPositions => "market_positions",
            Self::OrderGroupUpdates => "order_group_updates",
        }
    }

    const fn sequenced(self) -> bool {
        matches!(self, Self::OrderbookDelta | Self::Trade | Self::MarketLifecycle | Self::OrderGroupUpdates)
    }

    /// Whether it shows an account's own data.
    const fn private(self) -> bool {
        matches!(self, Self::Fill | Self::UserOrders | Self::MarketPositions | Self::OrderGroupUpdates)
    }

    /// Whether it can be narrowed to markets.
    const fn narrows(self) -> bool {
        !matches!(self, Self::MarketLifecycle | Self::OrderGroupUpdates)
    }
}

#[derive(Debug)]
struct Subscription {
    sid: u64,
    seq: u64,
    /// Nothing where it covers every market.
    markets: Option<Vec<bool>>,
    use_yes_price: bool,
    skip_ticker_ack: bool,
    /// A fault: it no longer says anything while the connection lives.
    silent: bool,
    /// A fault: its next sequenced message gets lost.
    lose_next: bool,
    /// A fault: its next change of a level is told with one contract too many.
    distort_next: bool,
}

impl Subscription {
    fn covers(&self, market: usize) -> bool {
        self.markets.as_ref().is_none_or(|markets| markets.get(market).copied().unwrap_or(false))
    }

    fn tickers(&self, exchange: &Exchange) -> Vec<String> {
        let covered = exchange.markets.iter().enumerate().filter(|(index, _)| self.covers(*index));
        let mut tickers: Vec<String> = covered.map(|(_, market)| market.ticker.clone()).collect();
        tickers.sort();
        tickers
    }

    /// The head of its next message; nothing where a fault swallows the message.
    fn next(&mut self, sequenced: bool, id: Option<u64>, now_ms: i64) -> Option<Head> {
        let seq = sequenced.then(|| {
            self.seq += 1;
            self.seq
        });
        let lost = self.silent || sequenced && std::mem::take(&mut self.lose_next);
        (!lost).then_some(Head { sid: self.sid, seq, id, sending_ts_ms: now_ms })
    }
}

/// A command as it arrives. `params` stays untyped until the command is known, because errors depend on what is missing.
#[derive(Debug, Deserialize)]
struct Command {
    #[serde(default)]
    id: u64,
    cmd: String,
    params: Option<Params>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Params {
    channels: Option<Vec<String>>,
    market_ticker: Option<String>,
    market_tickers: Option<Vec<String>>,
    market_id: Option<String>,
    market_ids: Option<Vec<String>>,
    sid: Option<u64>,
    sids: Option<Vec<u64>>,
    action: Option<String>,
    use_yes_price: bool,
    skip_ticker_ack: bool,
    send_initial_snapshot: bool,
}

/// The venue's error codes that can occur here (PROTOCOL.md 2.3).
#[derive(Clone, Copy, Debug)]
enum Code {
    Unprocessable = 1,
    ParamsRequired = 2,
    ChannelsRequired = 3,
    SidsRequired = 4,
    UnknownCommand = 5,
    UnknownSid = 7,
    UnknownChannel = 8,
    AuthenticationRequired = 9,
    ChannelError = 10,
    InvalidParameter = 11,
    OneSidRequired = 12,
    UnsupportedAction = 13,
    TickerRequired = 14,
    ActionRequired = 15,
    Overflow = 25,
}

impl Code {
    const fn text(self) -> &'static str {
        match self {
            Self::Unprocessable => "Unable to process message",
            Self::ParamsRequired => "Params required",
            Self::ChannelsRequired => "Channels required",
            Self::SidsRequired => "Subscription IDs required",
            Self::UnknownCommand => "Unknown command",
            Self::UnknownSid => "Unknown subscription ID",
            Self::UnknownChannel => "Unknown channel name",
            Self::AuthenticationRequired => "Authentication required",
            Self::ChannelError => "Channel error",
            Self::InvalidParameter => "Invalid parameter",
            Self::OneSidRequired => "Exactly one subscription ID is required",
            Self::UnsupportedAction => "Unsupported action",
            Self::TickerRequired => "Market ticker required",
            Self::ActionRequired => "Action required",
            Self::Overflow => "Subscription buffer overflow",
        }
    }
}

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    subscriptions: [Option<Subscription>; 8],
    sids: u64,
    /// Whose connection it is; nothing where the exchange serves strangers.
    pub(crate) account: Option<usize>,
    /// Faults of its frames.
    pub(crate) trouble: Trouble,
    pub(crate) out: Outbox,
    /// The connection ends when what is in `out` is written.
    pub(crate) closing: bool,
    /// Frames were taken from `out` and are not on the socket yet.
    pub(crate) writing: bool,
}

impl Session {
    /// A connection of an account, or of a stranger.
    pub(crate) fn of(account: Option<usize>) -> Self {
        Self { account, ..Self::default() }
    }

    /// Whether a book is subscribed: what a flood waits for.
    pub(crate) const fn listens(&self) -> bool {
        self.subscriptions[Channel::OrderbookDelta as usize].is_some() && !self.closing
    }

    /// Answers one text frame of the client.
    pub(crate) fn command(&mut self, text: &str, exchange: &Exchange, now_ms: i64) {
        let command: Command = match serde_json::from_str(text) {
            Ok(command) => command,
            Err(_) => {
                let value: Option<Value> = serde_json::from_str(text).ok();
                let id = value.as_ref().and_then(|value| value["id"].as_u64()).unwrap_or(0);
                let code = if value.is_some_and(|value| value["cmd"].is_string()) {
                    Code::InvalidParameter
                } else {
                    Code::Unprocessable
                };
                return self.error(id, code, now_ms, &[]);
            }
        };
        let refusal = match (command.cmd.as_str(), command.params) {
            ("list_subscriptions", _) => {
                let live = Channel::ALL.into_iter().zip(&self.subscriptions);
                let list = live.filter_map(|(channel, one)| one.as_ref().map(|one| (channel, one.sid)));
                let list: Vec<Value> =
                    list.map(|(channel, sid)| json!({"channel": channel.word(), "sid": sid})).collect();
                render::answer(&mut self.out, command.id, None, "ok", now_ms, Some(list.into()));
                None
            }
            ("subscribe" | "update_subscription" | "unsubscribe", None) => Some(Code::ParamsRequired),
            ("subscribe", Some(params)) => self.subscribe(command.id, params, exchange, now_ms).err(),
            ("update_subscription", Some(params)) => self.update(command.id, params, exchange, now_ms).err(),
            ("unsubscribe", Some(params)) => self.unsubscribe(command.id, params, now_ms).err(),
            _ => Some(Code::UnknownCommand),
        };
        if let Some(code) = refusal {
            self.error(command.id, code, now_ms, &[]);
        }
    }

    fn error(&mut self, id: u64, code: Code, now_ms: i64, tickers: &[String]) {
        let mut msg = json!({"code": code as u64, "msg": code.text()});
        if !tickers.is_empty() {
            msg["market_tickers"] = tickers.into();
        }
        render::answer(&mut self.out, id, None, "error", now_ms, Some(msg));
    }

    /// Indices of the tickers that `params` names; unknown ones are told and left out.
    fn named(
        &mut self,
        id: u64,
        params: &Params,
        exchange: &Exchange,
        now_ms: i64,
    ) -> Result<Option<Vec<usize>>, Code> {
        let tickers = match (&params.market_ticker, &params.market_tickers) {
            (Some(_), Some(_)) => return Err(Code::InvalidParameter),
            (Some(one), None) => vec![one.clone()],
            (None, Some(list)) => list.clone(),
            (None, None) => return Self::identified(params, exchange),
        };
        let (known, unknown): (Vec<_>, Vec<_>) =
            tickers.into_iter().partition(|ticker| exchange.find(ticker).is_some());
        if !unknown.is_empty() {
            self.error(id, Code::InvalidParameter, now_ms, &unknown);
        }
        Ok(Some(known.iter().filter_map(|ticker| exchange.find(ticker)).collect()))
    }

    /// Indices of the markets that `params` names by their UUIDs.
    fn identified(params: &Params, exchange: &Exchange) -> Result<Option<Vec<usize>>, Code> {
        let one = params.market_id.iter();
        let ids: Vec<&String> = one.chain(params.market_ids.iter().flatten()).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let find = |id: &String| exchange.markets.iter().position(|market| market.id == *id);
        ids.into_iter().map(find).collect::<Option<Vec<usize>>>().map(Some).ok_or(Code::InvalidParameter)
    }

    fn subscribe(&mut self, id: u64, params: Params, exchange: &Exchange, now_ms: i64) -> Result<(), Code> {
        let words = params.channels.as_deref().unwrap_or(&[]);
        if words.is_empty() {
            return Err(Code::ChannelsRequired);
        }
        let channels: Option<Vec<Channel>> = words.iter().map(|word| Channel::parse(word)).collect();
        let channels = channels.ok_or(Code::UnknownChannel)?;
        if self.account.is_none() && channels.iter().any(|channel| channel.private()) {
            return Err(Code::AuthenticationRequired);
        }
        let markets = self.named(id, &params, exchange, now_ms)?;
        if channels.contains(&Channel::OrderbookDelta) && markets.as_ref().is_none_or(Vec::is_empty) {
            return Err(Code::TickerRequired);
        }
        // Every acknowledgement precedes the data of every channel.
        let mut snapshots = Vec::new();
        for channel in channels {
            let wanted = if channel.narrows() { markets.clone() } else { None };
            let slot = &mut self.subscriptions[channel as usize];
            if slot.is_some() {
                let added = self.add(channel, wanted);
                self.acknowledge(channel, id, exchange, now_ms);
                snapshots.push((channel, added));
                continue;
            }
            self.sids += 1;
            *slot = Some(Subscription {
                sid: self.sids,
                seq: 0,
                markets: wanted.as_ref().map(|_| Vec::new()),
                use_yes_price: params.use_yes_price,
                skip_ticker_ack: params.skip_ticker_ack,
                silent: false,
                lose_next: false,
                distort_next: false,
            });
            let msg = json!({"channel": channel.word(), "sid": self.sids});
            render::answer(&mut self.out, id, None, "subscribed", now_ms, Some(msg));
            let added = match &wanted {
                Some(_) => self.add(channel, wanted),
                None => (0..exchange.markets.len()).collect(),
            };
            snapshots.push((channel, added));
        }
        for (channel, added) in snapshots {
            match channel {
                Channel::OrderbookDelta => self.snapshots(&added, None, exchange, now_ms),
                Channel::Ticker if params.send_initial_snapshot => {
                    for market in added {
                        self.change(&Change::Ticker { market, ts_ms: now_ms }, exchange, now_ms);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn update(&mut self, id: u64, params: Params, exchange: &Exchange, now_ms: i64) -> Result<(), Code> {
        let sid = match (params.sid, params.sids.as_deref()) {
            (Some(sid), None) => sid,
            (None, Some([sid])) => *sid,
            _ => return Err(Code::OneSidRequired),
        };
        let action = params.action.as_deref().ok_or(Code::ActionRequired)?;
        let channel = self.channel_of(sid).ok_or(Code::UnknownSid)?;
        if !channel.narrows() {
            return Err(Code::UnsupportedAction);
        }
        let markets = self.named(id, &params, exchange, now_ms)?.ok_or(Code::TickerRequired)?;
        match (action, channel) {
            ("add_markets", _) => {
                let added = self.add(channel, Some(markets));
                self.acknowledge(channel, id, exchange, now_ms);
                if channel == Channel::OrderbookDelta {
                    self.snapshots(&added, None, exchange, now_ms);
                }
            }
            ("delete_markets", _) => {
                let slot = self.subscriptions[channel as usize].as_mut().expect("its sid was just found");
                let covered = slot.markets.get_or_insert_with(|| vec![true; exchange.markets.len()]);
                for market in markets {
                    if let Some(covered) = covered.get_mut(market) {
                        *covered = false;
                    }
                }
                self.acknowledge(channel, id, exchange, now_ms);
            }
            ("get_snapshot", Channel::OrderbookDelta) => {
                self.snapshots(&markets, (id != 0).then_some(id), exchange, now_ms);
            }
            _ => return Err(Code::UnsupportedAction),
        }
        Ok(())
    }

    fn unsubscribe(&mut self, id: u64, params: Params, now_ms: i64) -> Result<(), Code> {
        let sids = params.sids.or_else(|| params.sid.map(|sid| vec![sid])).unwrap_or_default();
        if sids.is_empty() {
            return Err(Code::SidsRequired);
        }
        for sid in sids {
            let channel = self.channel_of(sid).ok_or(Code::UnknownSid)?;
            let ended = self.subscriptions[channel as usize].take().expect("its sid was just found");
            render::answer(&mut self.out, id, Some((sid, Some(ended.seq + 1))), "unsubscribed", now_ms, None);
        }
        Ok(())
    }

    fn channel_of(&self, sid: u64) -> Option<Channel> {
        let slots = Channel::ALL.into_iter().zip(&self.subscriptions);
        slots.filter(|(_, slot)| slot.as_ref().is_some_and(|one| one.sid == sid)).map(|(channel, _)| channel).next()
    }

    /// Widens a subscription; the markets that are new to it. A subscription to every market has none.
    fn add(&mut self, channel: Channel, markets: Option<Vec<usize>>) -> Vec<usize> {
        let slot = self.subscriptions[channel as usize].as_mut().expect("only a live subscription is widened");
        let Some(markets) = markets else {
            slot.markets = None;
            return Vec::new();
        };
        let Some(covered) = &mut slot.markets else { return Vec::new() };
        let mut added = Vec::new();
        for market in markets {
            if covered.len() <= market {
                covered.resize(market + 1, false);
            }
            if !std::mem::replace(&mut covered[market], true) {
                added.push(market);
            }
        }
        added
    }

    /// `ok` with the complete set of tickers afterwards.
    fn acknowledge(&mut self, channel: Channel, id: u64, exchange: &Exchange, now_ms: i64) {
        let slot = self.subscriptions[channel as usize].as_mut().expect("only a live subscription acknowledges");
        let Some(head) = slot.next(channel.sequenced(), None, now_ms) else { return };
        let msg = if slot.skip_ticker_ack { json!({}) } else { json!({"market_tickers": slot.tickers(exchange)}) };
        render::answer(&mut self.out, id, Some((head.sid, head.seq)), "ok", now_ms, Some(msg));
    }

    fn snapshots(&mut self, markets: &[usize], id: Option<u64>, exchange: &Exchange, now_ms: i64) {
        let Some(slot) = &mut self.subscriptions[Channel::OrderbookDelta as usize] else { return };
        for market in markets {
            if let Some(head) = slot.next(true, id, now_ms) {
                render::snapshot(&mut self.out, head, &exchange.markets[*market], slot.use_yes_price);
                self.trouble.rendered(Channel::OrderbookDelta, &mut self.out, now_ms);
            }
        }
    }

    /// Tells the client one change, if it subscribed to it. The exchange must be in the state right after the action.
    pub(crate) fn change(&mut self, change: &Change, exchange: &Exchange, now_ms: i64) {
        let (channel, market) = match change {
            Change::Snapshot { market } | Change::Level { market, .. } => (Channel::OrderbookDelta, Some(*market)),
            Change::Trade { market, .. } => (Channel::Trade, Some(*market)),
            Change::Ticker { market, .. } => (Channel::Ticker, Some(*market)),
            Change::Determined { market } | Change::Settled { market } => (Channel::MarketLifecycle, Some(*market)),
            Change::Told { account, .. } if account.is_some() && *account != self.account => return,
            Change::Told { channel, market, .. } => (*channel, *market),
            Change::Down => {
                self.closing = true;
                return;
            }
        };
        let Some(slot) = &mut self.subscriptions[channel as usize] else { return };
        if !market.is_none_or(|market| slot.covers(market)) {
            return;
        }
        let Some(head) = slot.next(channel.sequenced(), None, now_ms) else { return };
        let listed = market.map(|market| &exchange.markets[market]);
        match (change, listed) {
            (Change::Told { kind, msg, .. }, _) => render::told(&mut self.out, head, kind, msg),
            (Change::Snapshot { .. }, Some(listed)) => {
                render::snapshot(&mut self.out, head, listed, slot.use_yes_price);
            }
            (Change::Determined { .. } | Change::Settled { .. }, Some(listed)) => {
                render::lifecycle(&mut self.out, head, listed);
            }
            (Change::Level { .. }, Some(listed)) if std::mem::take(&mut slot.distort_next) => {
                let mut wrong = change.clone();
                if let Change::Level { change, .. } = &mut wrong {
                    *change += 100;
                }
                render::change(&mut self.out, head, listed, &wrong, slot.use_yes_price, self.account);
            }
            (_, Some(listed)) => {
                render::change(&mut self.out, head, listed, change, slot.use_yes_price, self.account);
            }
            (_, None) => unreachable!("what is no told message is about a market"),
        }
        self.trouble.rendered(channel, &mut self.out, now_ms);
    }

    /// Fault: the subscription says nothing any more.
    pub(crate) fn silence(&mut self, channel: Channel) {
        if let Some(slot) = &mut self.subscriptions[channel as usize] {
            slot.silent = true;
            self.trouble.happened("silence");
        }
    }

    /// Fault: the next sequenced message of the subscription gets lost.
    pub(crate) fn lose_next(&mut self, channel: Channel) {
        if let Some(slot) = &mut self.subscriptions[channel as usize] {
            slot.lose_next = true;
            self.trouble.happened("gap");
        }
    }

    /// Fault: the next change of a level is told wrongly.
    pub(crate) fn distort_next(&mut self) {
        if let Some(slot) = &mut self.subscriptions[Channel::OrderbookDelta as usize] {
            slot.distort_next = true;
        }
    }

    /// The client reads too slowly: every subscription ends with the venue's terminal error 25.
    pub(crate) fn overflow(&mut self, now_ms: i64) {
        for channel in Channel::ALL {
            self.break_off(channel, Code::Overflow, now_ms);
        }
    }

    /// Fault: a subscription ends with a terminal error, 25 where the client is to blame and 10 where the venue is.
    pub(crate) fn fail(&mut self, channel: Channel, overflow: bool, now_ms: i64) {
        self.break_off(channel, if overflow { Code::Overflow } else { Code::ChannelError }, now_ms);
    }

    fn break_off(&mut self, channel: Channel, code: Code, now_ms: i64) {
        if let Some(ended) = self.subscriptions[channel as usize].take() {
            self.trouble.happened(if matches!(code, Code::Overflow) { "overflow" } else { "channel_error" });
            let seq = channel.sequenced().then_some(ended.seq + 1);
            let msg = json!({"code": code as u64, "msg": code.text()});
            render::answer(&mut self.out, 0, Some((ended.sid, seq)), "error", now_ms, Some(msg));
        }
    }
}

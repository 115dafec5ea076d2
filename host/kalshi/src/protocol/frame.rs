//! One text frame: which message it is, whether it comes in order, what it means.

use super::connection::{Channel, Purpose};
use super::merge::Step;
use super::{Known, Protocol, Transmit};
use crate::convert;
use crate::scan::{self, Delta};
use crate::wire::{self, Message};
use isobar_engine::event::{Body, StaleReason, Ticker, Trade};
use isobar_engine::market::{MarketId, MarketStatus};
use isobar_engine::units::{Price, Quantity, Timestamp};
use serde::Deserialize;

/// Longest reason that is kept of an unparsed frame, in bytes; the frame itself is in the journal.
const LONGEST_REASON: usize = 200;

impl Protocol {
    pub(super) fn frame(&mut self, at: Timestamp, connection: u32, text: &[u8], transmit: &mut Vec<Transmit>) -> Body {
        self.counts.frames += 1;
        let Some(index) = self.connections.iter().position(|open| open.number == connection) else {
            return self.unparsed("a frame of a connection that is not open".into());
        };
        self.connections[index].heard = at;
        if let Some(delta) = scan::delta(text) {
            let Some(sub) = self.connections[index].hear(at, delta.sid, Channel::Book) else {
                return self.unparsed("too many subscriptions".into());
            };
            if !self.connections[index].subscriptions[sub].in_order(delta.seq) {
                return self.gap(at, index, sub, transmit);
            }
            if let Some(body) = self.overdue(at, index, sub, delta.sent, transmit) {
                return body;
            }
            return self.delta(at, index, sub, &delta, transmit);
        }
        self.message(at, index, text, transmit)
    }

    fn message(&mut self, at: Timestamp, index: usize, text: &[u8], transmit: &mut Vec<Transmit>) -> Body {
        let envelope: wire::Envelope<'_> = match serde_json::from_slice(text) {
            Ok(envelope) => envelope,
            Err(error) => return self.unparsed(format!("no message: {error}")),
        };
        let kind = &*envelope.kind;
        let channel = Channel::of(kind);
        let open = &mut self.connections[index];
        let (mut sub, mut in_order) = (None, true);
        if let Some(sid) = envelope.sid {
            sub = open.hear(at, sid, channel);
            let Some(sub) = sub else { return self.unparsed("too many subscriptions".into()) };
            in_order = open.subscriptions[sub].in_order(envelope.seq);
        }
        match kind {
            "error" => return self.failure(at, index, sub, in_order, &envelope, text, transmit),
            "unsubscribed" if let Some(sub) = sub => return self.ended(at, index, sub, transmit),
            _ => {}
        }
        if let Some(sub) = sub
            && !in_order
        {
            if self.connections[index].subscriptions[sub].channel == Channel::Book {
                return self.gap(at, index, sub, transmit);
            }
            // What was lost on another channel is lost; this message is as good as any.
            self.counts.gaps += 1;
        }
        let read = match (kind, sub) {
            ("orderbook_snapshot" | "orderbook_delta", None) => Err("a book without subscription".into()),
            ("orderbook_snapshot" | "orderbook_delta", Some(sub)) => {
                self.connections[index].answered(envelope.id);
                if let Some(body) = self.overdue(at, index, sub, envelope.sending_ts_ms, transmit) {
                    return body;
                }
                return self.book(at, index, sub, kind, text, transmit);
            }
            ("fill", _) => read(text).and_then(|fill| self.fill(&fill)),
            ("user_order", _) => read(text).and_then(|order| self.user_order(&order)),
            ("market_position", _) => read(text).and_then(|position| self.position(at, index, &position)),
            ("order_group_updates", _) => read(text).map(|update| self.group(at, index, &update)),
            ("event_lifecycle", _) => read(text).map(|event| self.event_lifecycle(&event, transmit)),
            ("event_fee_update", _) => read(text).map(|update| self.fee_update(&update, transmit)),
            ("ticker", _) => read(text).and_then(|ticker| self.best_prices(index, &ticker)),
            ("trade", _) => read(text).and_then(|trade| self.trade(at, index, &trade)),
            ("market_lifecycle_v2", _) => read(text).and_then(|change| self.lifecycle(at, index, &change, transmit)),
            ("subscribed", _) => read(text).map(|ack| self.subscribed(at, index, envelope.id, &ack, transmit)),
            ("ok", _) => self.acknowledged(index, sub, envelope.id, text),
            _ => other(kind, text).map(|()| {
                self.counts.quiet += 1;
                Body::Quiet
            }),
        };
        read.unwrap_or_else(|reason| self.unparsed(format!("{kind}: {reason}")))
    }

    fn unparsed(&mut self, mut reason: String) -> Body {
        self.counts.unparsed += 1;
        let end = (0..=LONGEST_REASON.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end));
        reason.truncate(end.unwrap_or(0));
        Body::Unparsed(reason)
    }

    /// What another connection told already.
    fn seen(&mut self) -> Body {
        self.counts.seen += 1;
        Body::Quiet
    }

    /// A sequence number of a book's subscription was skipped or repeated.
    fn gap(&mut self, at: Timestamp, index: usize, sub: usize, transmit: &mut Vec<Transmit>) -> Body {
        self.counts.gaps += 1;
        let doubted = self.doubt(index, sub);
        let markets = self.connections[index].subscriptions[sub].markets.clone();
        self.ask(at, index, sub, &markets, transmit);
        self.stale(doubted, StaleReason::Gap)
    }

    /// What a frame of a book's subscription means that has no other meaning than the books it leaves without a proof.
    fn stale(&mut self, markets: Vec<MarketId>, reason: StaleReason) -> Body {
        if markets.is_empty() {
            self.counts.quiet += 1;
            return Body::Quiet;
        }
        self.counts.stale += 1;
        Body::Stale { markets, reason }
    }

    fn book(
        &mut self,
        at: Timestamp,
        index: usize,
        sub: usize,
        kind: &str,
        text: &[u8],
        transmit: &mut Vec<Transmit>,
    ) -> Body {
        let sid = self.connections[index].subscriptions[sub].sid;
        let (ticker, read) = if kind == "orderbook_delta" {
            match read::<wire::BookDelta<'_>>(text) {
                Ok(delta) => {
                    (Some(delta.market_ticker.to_string()), self.general_delta(at, index, sub, &delta, transmit))
                }
                Err(reason) => (None, Err(reason)),
            }
        } else {
            match read::<wire::BookSnapshot<'_>>(text) {
                Ok(book) => (Some(book.market_ticker.to_string()), self.snapshot(at, index, sub, &book)),
                Err(reason) => (None, Err(reason)),
            }
        };
        let reason = match read {
            Ok(body) => return body,
            Err(reason) => reason,
        };
        // A book message that cannot be read leaves its book (or, nameless, every book of the subscription) wrong.
        let number = self.connections[index].number;
        let mut broken = match ticker {
            Some(ticker) => self.tickers.find(ticker.as_bytes()).into_iter().collect(),
            None => self.connections[index].subscriptions[sub].markets.clone(),
        };
        broken.retain(|market: &MarketId| self.markets[market.index()].merge.stands_on(number, sid));
        for market in &broken {
            self.markets[market.index()].merge.leave(number, sid);
        }
        self.ask(at, index, sub, &broken, transmit);
        broken.retain(|market| !self.markets[market.index()].merge.is_fresh());
        if broken.is_empty() {
            return self.unparsed(format!("{kind}: {reason}"));
        }
        self.stale(broken, StaleReason::Corrupt)
    }

    fn general_delta(
        &mut self,
        at: Timestamp,
        index: usize,
        sub: usize,
        delta: &wire::BookDelta<'_>,
        transmit: &mut Vec<Transmit>,
    ) -> Result<Body, String> {
        let price = convert::price_of(&delta.price_dollars, delta.price).ok_or("no price")?;
        let change = convert::change_of(&delta.delta_fp, delta.delta).ok_or("no change")?;
        let (ticker, clock, outcome) = (delta.market_ticker.as_bytes(), delta.clock, delta.side);
        let sid = self.connections[index].subscriptions[sub].sid;
        let delta = Delta { sid, seq: None, sent: None, clock, ticker, outcome, price, change };
        Ok(self.delta(at, index, sub, &delta, transmit))
    }

    /// What a message of a book's subscription means where it comes too late; nothing where it is in time, or where its
    /// age is not watched. Once they are in time again, the books are asked for anew.
    fn overdue(
        &mut self,
        at: Timestamp,
        index: usize,
        sub: usize,
        sent: Option<i64>,
        transmit: &mut Vec<Transmit>,
    ) -> Option<Body> {
        let age = self.lateness.age(at, sent?);
        let state = &mut self.connections[index].subscriptions[sub];
        if self.late_after == 0 || (age <= self.late_after && !state.late) {
            return None;
        }
        if state.late && age <= self.late_after / 2 {
            state.late = false;
            let markets = state.markets.clone();
            self.ask(at, index, sub, &markets, transmit);
            return None;
        }
        let begins = !std::mem::replace(&mut state.late, true);
        let markets = if begins { self.doubt(index, sub) } else { Vec::new() };
        if markets.is_empty() {
            self.counts.awaiting += 1;
            return Some(Body::Quiet);
        }
        Some(self.stale(markets, StaleReason::Late))
    }

    fn delta(
        &mut self,
        at: Timestamp,
        index: usize,
        sub: usize,
        delta: &Delta<'_>,
        transmit: &mut Vec<Transmit>,
    ) -> Body {
        let Some(market) = self.tickers.find(delta.ticker) else {
            return self.unparsed(format!("orderbook_delta: unlisted {}", String::from_utf8_lossy(delta.ticker)));
        };
        let open = &self.connections[index];
        let merge = &mut self.markets[market.index()].merge;
        match merge.change(at, self.stale_after / 3, open.number, delta.sid, delta.clock) {
            Step::Applies => {
                self.counts.deltas += 1;
                let (side, price) = convert::level_price(delta.outcome, delta.price, open.use_yes_price);
                Body::Delta { market, side, price, change: delta.change }
            }
            Step::Seen => self.seen(),
            Step::Awaits => {
                self.counts.awaiting += 1;
                Body::Quiet
            }
            Step::Lost => {
                let doubted = if merge.is_fresh() { Vec::new() } else { vec![market] };
                self.ask(at, index, sub, &[market], transmit);
                self.stale(doubted, StaleReason::Gap)
            }
        }
    }

    fn snapshot(
        &mut self,
        at: Timestamp,
        index: usize,
        sub: usize,
        book: &wire::BookSnapshot<'_>,
    ) -> Result<Body, String> {
        let name = &*book.market_ticker;
        let market = self.tickers.find(name.as_bytes()).ok_or_else(|| format!("unlisted {name}"))?;
        let open = &mut self.connections[index];
        let scale = open.use_yes_price;
        let dollars = |outcome, levels: &[wire::Level<'_>]| {
            convert::ladder(outcome, levels, scale, |price| convert::price(price.as_bytes()), convert::count)
        };
        let side =
            |outcome, newest: &Option<Vec<_>>, newer: &Option<Vec<_>>, old: &Option<Vec<wire::CentLevel<'_>>>| match (
                newest.as_deref().or(newer.as_deref()),
                old,
            ) {
                (Some(levels), _) => dollars(outcome, levels),
                (None, Some(old)) => {
                    convert::ladder(outcome, old, scale, |cents| convert::whole_cents(*cents), convert::count)
                }
                (None, None) => Ok(Vec::new()),
            };
        let bids = side(wire::Outcome::Yes, &book.yes_dollars_fp, &book.yes_dollars, &book.yes)?;
        let asks = side(wire::Outcome::No, &book.no_dollars_fp, &book.no_dollars, &book.no)?;
        if open.closing {
            self.counts.awaiting += 1;
            return Ok(Body::Quiet);
        }
        open.subscriptions[sub].carries(market);
        open.snapshots.remove(&market);
        let merge = &mut self.markets[market.index()].merge;
        if !merge.snapshot(at, self.stale_after / 3, open.number, open.subscriptions[sub].sid, book.clock) {
            return Ok(self.seen());
        }
        self.counts.snapshots += 1;
        Ok(Body::Snapshot { market, bids, asks })
    }

    fn best_prices(&mut self, index: usize, ticker: &wire::Ticker<'_>) -> Result<Body, String> {
        let size = |text: &Option<wire::Text<'_>>| match text {
            Some(text) => convert::quantity(text.as_bytes()).map(Some).ok_or_else(|| format!("size {:?}", &**text)),
            None => Ok(None),
        };
        let bid = convert::price_of(&ticker.yes_bid_dollars, ticker.yes_bid).ok_or("no yes_bid")?;
        let ask = convert::price_of(&ticker.yes_ask_dollars, ticker.yes_ask).ok_or("no yes_ask")?;
        let (bid_size, ask_size) = (size(&ticker.yes_bid_size_fp)?, size(&ticker.yes_ask_size_fp)?);
        let Some(market) = self.tickers.find(ticker.market_ticker.as_bytes()) else {
            self.counts.unlisted += 1;
            return Ok(Body::Quiet);
        };
        // What the slower connection tells is older, or the same.
        let number = self.connections[index].number;
        if let Some(time) = ticker.ts_ms {
            let is_open = |other: u32| self.connections.iter().any(|open| open.number == other);
            let newest = self.markets[market.index()].ticker;
            if newest.is_some_and(|(newest, by)| by != number && (time < newest || time == newest && is_open(by))) {
                return Ok(self.seen());
            }
            self.markets[market.index()].ticker = Some((time, number));
        }
        self.counts.tickers += 1;
        // An empty side is shown as $0 or $1, and with size 0 where there is a size (PROTOCOL.md 3.3).
        let real = |price: Price, size: Option<Quantity>| {
            (price != Price::ZERO && price != Price::ONE && size != Some(Quantity::ZERO)).then_some(price)
        };
        let (bid, ask) = (real(bid, bid_size), real(ask, ask_size));
        Ok(Body::Ticker(Ticker { market, bid, ask, bid_size, ask_size }))
    }

    fn trade(&mut self, at: Timestamp, index: usize, trade: &wire::Trade<'_>) -> Result<Body, String> {
        let price = convert::price_of(&trade.yes_price_dollars, trade.yes_price).ok_or("no price")?;
        let quantity = convert::quantity_of(&trade.count_fp, trade.count).ok_or("no count")?;
        let taker = convert::taker(trade).ok_or("no taker side")?;
        let Some(market) = self.tickers.find(trade.market_ticker.as_bytes()) else {
            self.counts.unlisted += 1;
            return Ok(Body::Quiet);
        };
        if trade.is_block_trade {
            // Agreed off the book: it filled nobody's quote.
            self.counts.quiet += 1;
            return Ok(Body::Quiet);
        }
        if (self.connections.len() > 1 || !self.trades.is_empty())
            && let Some(id) = &trade.trade_id
        {
            let open = self.connections.iter().map(|open| open.number);
            if self.trades.is_echo(at, self.connections[index].number, open, convert::trade_id(id)) {
                return Ok(self.seen());
            }
        }
        self.counts.trades += 1;
        Ok(Body::Trade(Trade { market, price, quantity, taker }))
    }

    fn lifecycle(
        &mut self,
        at: Timestamp,
        index: usize,
        change: &wire::MarketLifecycle<'_>,
        transmit: &mut Vec<Transmit>,
    ) -> Result<Body, String> {
        let value = match &change.settlement_value {
            Some(value) => {
                let price = convert::price(value.as_bytes());
                Some(price.ok_or_else(|| format!("settlement value {:?}", &**value))?)
            }
            None => None,
        };
        let closes = match &*change.event_type {
            "close_date_updated" => Some(change.close_ts.and_then(convert::seconds).ok_or("no close_ts")?),
            _ => None,
        };
        let Some(market) = self.tickers.find(change.market_ticker.as_bytes()) else {
            // A new bracket of a day that is listed already.
            let event = change.additional_metadata.as_ref().and_then(|facts| facts.event_ticker.as_deref());
            self.relist(|known| Some(&*known.event) == event, transmit);
            self.counts.unlisted += 1;
            return Ok(Body::Quiet);
        };
        let known = &mut self.markets[market.index()];
        let body = match (&*change.event_type, closes) {
            (_, Some(at)) => Body::Closes { market, at },
            ("deactivated", _) => Body::Status { market, status: MarketStatus::Paused },
            ("activated", _) => Body::Status { market, status: MarketStatus::Active },
            ("determined", _) => {
                // Known, not paid: a dispute may still change it, so it is told only by `settled`.
                known.worth = convert::worth(change.result.as_deref().unwrap_or_default(), value);
                Body::Status { market, status: MarketStatus::Closed }
            }
            ("settled", _) => match known.worth {
                Some(value) => Body::Settled { market, value },
                None => {
                    // What it is worth was told on a connection that is gone; the list says it too.
                    transmit.push(Transmit::Relist { market });
                    Body::Status { market, status: MarketStatus::Settled }
                }
            },
            ("price_level_structure_updated", _) if change.price_ranges.as_deref().is_some_and(unknown_grid) => {
                transmit.push(Transmit::Relist { market });
                Body::Status { market, status: MarketStatus::Paused }
            }
            ("price_level_structure_updated" | "metadata_updated", _) => {
                transmit.push(Transmit::Relist { market });
                self.counts.quiet += 1;
                return Ok(Body::Quiet);
            }
            ("created", _) => {
                self.counts.quiet += 1;
                return Ok(Body::Quiet);
            }
            (other, _) => return Err(format!("unknown event type {other:?}")),
        };
        if self.is_echo(at, index, &body) {
            return Ok(Body::Quiet);
        }
        let known = &mut self.markets[market.index()];
        if let Body::Closes { at, .. } = &body {
            known.closes = *at;
            self.next_turn = self.next_turn.min(*at);
        }
        known.status = match &body {
            Body::Status { status, .. } => *status,
            Body::Settled { .. } => MarketStatus::Settled,
            _ => known.status,
        };
        self.counts.lifecycle += 1;
        for index in 0..self.connections.len() {
            self.reconcile(at, index, transmit);
        }
        Ok(body)
    }

    /// `event_lifecycle`: a new day of a series that is listed has markets to be found.
    fn event_lifecycle(&mut self, event: &wire::EventLifecycle<'_>, transmit: &mut Vec<Transmit>) -> Body {
        let series = event.series_ticker.as_deref();
        self.relist(|known| Some(&*known.series) == series, transmit);
        self.counts.quiet += 1;
        Body::Quiet
    }

    /// `event_fee_update`: the fees of a listed day are others now.
    fn fee_update(&mut self, update: &wire::EventFeeUpdate<'_>, transmit: &mut Vec<Transmit>) -> Body {
        self.relist(|known| *known.event == *update.event_ticker, transmit);
        self.counts.quiet += 1;
        Body::Quiet
    }

    /// Has the facts read anew, by the name of the first market that is meant.
    fn relist(&self, meant: impl Fn(&Known) -> bool, transmit: &mut Vec<Transmit>) {
        if let Some(index) = self.markets.iter().position(meant) {
            let market = MarketId(u16::try_from(index).expect("a market's number fits u16"));
            transmit.push(Transmit::Relist { market });
        }
    }

    fn subscribed(
        &mut self,
        at: Timestamp,
        index: usize,
        id: Option<u64>,
        ack: &wire::Subscribed<'_>,
        transmit: &mut Vec<Transmit>,
    ) -> Body {
        let channel = Channel::named(&ack.channel);
        let open = &mut self.connections[index];
        open.answered(id);
        let met = open.subscriptions.iter().any(|sub| sub.sid == ack.sid);
        let Some(sub) = open.hear(at, ack.sid, channel) else {
            return self.unparsed("too many subscriptions".into());
        };
        if !met {
            open.subscriptions[sub].next = Some(1);
        }
        if channel == Channel::Book {
            let asked: Vec<MarketId> = open.asked(channel).iter().copied().collect();
            asked.into_iter().for_each(|market| open.subscriptions[sub].carries(market));
        }
        if channel == Channel::Fill {
            // From here on fills are told; what came before has to be read.
            transmit.push(Transmit::Reconcile { connection: open.number });
        }
        self.reconcile(at, index, transmit);
        self.counts.quiet += 1;
        Body::Quiet
    }

    /// An update names the complete ticker list of its subscription: of markets met in mid-stream we learn here.
    fn acknowledged(&mut self, index: usize, sub: Option<usize>, id: Option<u64>, text: &[u8]) -> Result<Body, String> {
        let ok: wire::Ok_<'_> = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let open = &mut self.connections[index];
        open.answered(id);
        if let (Some(sub), Some(wire::Acknowledged::Update(update))) = (sub, ok.msg)
            && open.subscriptions[sub].channel == Channel::Book
        {
            for ticker in update.market_tickers.iter().flatten() {
                if let Some(market) = self.tickers.find(ticker.as_bytes()) {
                    open.subscriptions[sub].carries(market);
                }
            }
        }
        self.counts.quiet += 1;
        Ok(Body::Quiet)
    }

    #[allow(clippy::too_many_arguments)]
    fn failure(
        &mut self,
        at: Timestamp,
        index: usize,
        sub: Option<usize>,
        in_order: bool,
        envelope: &wire::Envelope<'_>,
        text: &[u8],
        transmit: &mut Vec<Transmit>,
    ) -> Body {
        let failure = match read::<wire::Failure<'_>>(text) {
            Ok(failure) => failure,
            Err(reason) => return self.unparsed(format!("error: {reason}")),
        };
        let retry = at.plus(self.stale_after / 3);
        let open = &mut self.connections[index];
        let purpose = open.answered(envelope.id);
        // Channel error and buffer overflow end a subscription; an unknown sid says that it ended without our noticing.
        let ended = match (failure.code, &purpose) {
            (10 | 25, _) => sub,
            (7, Some(Purpose::Snapshot { sid } | Purpose::Add { sid, .. })) => {
                open.subscriptions.iter().position(|sub| sub.sid == *sid)
            }
            _ => None,
        };
        if let Some(ended) = ended {
            return self.ended(at, index, ended, transmit);
        }
        match purpose {
            Some(Purpose::Subscribe(channel)) => {
                open.forget(channel);
                open.retry = Some(retry);
            }
            Some(Purpose::Add { channel, markets, .. }) => {
                markets.iter().for_each(|market| {
                    open.asked(channel).remove(market);
                });
                open.retry = Some(retry);
            }
            Some(Purpose::Snapshot { .. }) | None => {}
        }
        match sub {
            Some(sub) if !in_order && open.subscriptions[sub].channel == Channel::Book => {
                self.gap(at, index, sub, transmit)
            }
            _ => {
                self.counts.gaps += u64::from(!in_order);
                self.counts.quiet += 1;
                Body::Quiet
            }
        }
    }

    /// The venue ended a subscription: ask for everything of its channel again.
    fn ended(&mut self, at: Timestamp, index: usize, sub: usize, transmit: &mut Vec<Transmit>) -> Body {
        self.counts.terminated += 1;
        let markets = self.doubt(index, sub);
        let deaf = Channel::PRIVATE.contains(&self.connections[index].subscriptions[sub].channel);
        let deaf = deaf && self.deaf_without(index);
        let open = &mut self.connections[index];
        let ended = open.subscriptions.remove(sub);
        open.pending.retain(|pending| match &pending.purpose {
            Purpose::Add { sid, .. } | Purpose::Snapshot { sid } => *sid != ended.sid,
            Purpose::Subscribe(_) => true,
        });
        open.forget(ended.channel);
        self.reconcile(at, index, transmit);
        if ended.channel != Channel::Book {
            self.counts.quiet += 1;
            return if deaf { Body::Unheard } else { Body::Quiet };
        }
        self.stale(markets, StaleReason::Terminated)
    }
}

fn unknown_grid(ranges: &[wire::PriceRange]) -> bool {
    convert::price_ladder(ranges).is_err()
}

fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice::<Message<T>>(text).map(|message| message.msg).map_err(|error| error.to_string())
}

/// Messages that the engine does not want: read all the same, so that a change of their form is noticed.
fn other(kind: &str, text: &[u8]) -> Result<(), String> {
    fn check<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<(), String> {
        read::<T>(text).map(drop)
    }
    match kind {
        "multivariate_market_lifecycle" => check::<wire::MarketLifecycle<'_>>(text),
        "rfq_created" | "rfq_deleted" => check::<wire::QuoteRequest<'_>>(text),
        "quote_created" | "quote_accepted" => check::<wire::Quote<'_>>(text),
        "quote_executed" => check::<wire::QuoteExecuted<'_>>(text),
        "rfq_batch_created" | "rfq_batch_deleted" => check::<wire::RequestBatch<'_>>(text),
        "batch_quote_created" | "batch_quote_accepted" => check::<wire::BatchQuote<'_>>(text),
        "rfq_batch_best_quotes" => check::<wire::BestQuotes<'_>>(text),
        "rfq_batch_executed" | "batch_quote_executed" => check::<wire::BatchExecuted<'_>>(text),
        "cfbenchmarks_value" | "cfbenchmarks_value_5hz" => check::<wire::IndexValue<'_>>(text),
        "cfbenchmarks_value_indexlist" | "cfbenchmarks_value_5hz_indexlist" => check::<wire::IndexList<'_>>(text),
        "pyth_value" => check::<wire::PythValue<'_>>(text),
        "pyth_value_underlying_list" => check::<wire::PythList<'_>>(text),
        _ => Err("unknown message type".into()),
    }
}

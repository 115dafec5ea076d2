//! Text of the WebSocket messages, written straight into a connection's outbox.
//!
//! Shapes: PROTOCOL.md 2.3 to 2.11. Every message is one line that ends with a newline, as the venue's do. Hot messages
//! are written by hand because a flooding exchange must outrun the host that it measures.

use crate::book::{Book, Outcome};
use crate::exchange::Change;
use crate::listing::{Market, uuid};
use isobar_engine::units::{Price, Quantity};
use std::io::Write as _;

/// Frames that wait to be written to one connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) text: Vec<u8>,
    /// Where each frame ends in `text`.
    pub(crate) ends: Vec<u32>,
}

impl Outbox {
    /// Takes the newest frame back.
    pub(crate) fn pop(&mut self) -> Option<Vec<u8>> {
        self.ends.pop()?;
        let begin = self.ends.last().map_or(0, |end| *end as usize);
        Some(self.text.split_off(begin))
    }

    /// Adds a whole frame.
    pub(crate) fn push(&mut self, frame: &[u8]) {
        self.text.extend_from_slice(frame);
        self.ends.push(u32::try_from(self.text.len()).expect("an outbox is emptied long before 4 GiB"));
    }

    /// The frames as text.
    pub(crate) fn frames(self) -> Vec<String> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|end| *end as usize));
        let bounds = begins.zip(&self.ends);
        bounds.map(|(begin, end)| String::from_utf8_lossy(&self.text[begin..*end as usize]).into_owned()).collect()
    }

    /// Ends the frame that was being written.
    pub(crate) fn end(&mut self) {
        self.text.extend_from_slice(b"}\n");
        self.ends.push(u32::try_from(self.text.len()).expect("an outbox is emptied long before 4 GiB"));
    }
}

/// What the head of a message on a subscription says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) sid: u64,
    pub(crate) seq: Option<u64>,
    pub(crate) id: Option<u64>,
    pub(crate) sending_ts_ms: i64,
}

fn number(text: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).expect("a digit");
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[at..]);
}

fn signed(text: &mut Vec<u8>, value: i64) {
    if value < 0 {
        text.push(b'-');
    }
    number(text, value.unsigned_abs());
}

/// `0.4800`
fn dollars(text: &mut Vec<u8>, price: Price) {
    let units = price.units();
    let digit = |divisor: u16| b'0' + u8::try_from(units / divisor % 10).expect("a digit");
    text.extend_from_slice(&[digit(10_000), b'.', digit(1_000), digit(100), digit(10), digit(1)]);
}

/// `10.00`
fn count(text: &mut Vec<u8>, units: u64) {
    number(text, units / 100);
    let cents = u8::try_from(units % 100).expect("below 100");
    text.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10]);
}

/// `2026-11-22T20:44:01Z`
pub(crate) fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |at| at.to_string())
}

/// `2026-11-22T20:44:01.123456Z`, as REST and private messages spell the time of an order.
pub(crate) fn micros(at: isobar_engine::units::Timestamp) -> String {
    let whole = at.0.div_euclid(1_000) * 1_000;
    jiff::Timestamp::from_nanosecond(whole.into()).map_or_else(|_| String::new(), |at| at.to_string())
}

fn head(text: &mut Vec<u8>, kind: &str, head: Head) {
    text.extend_from_slice(b"{");
    if let Some(id) = head.id {
        text.extend_from_slice(b"\"id\":");
        number(text, id);
        text.push(b',');
    }
    text.extend_from_slice(b"\"type\":\"");
    text.extend_from_slice(kind.as_bytes());
    text.extend_from_slice(b"\",\"sending_ts_ms\":");
    signed(text, head.sending_ts_ms);
    text.extend_from_slice(b",\"sid\":");
    number(text, head.sid);
    if let Some(seq) = head.seq {
        text.extend_from_slice(b",\"seq\":");
        number(text, seq);
    }
    text.push(b',');
}

/// A price of `outcome` as a subscription shows it: NO in YES prices where it asked for that (PROTOCOL.md 2.5).
fn shown(price: Price, outcome: Outcome, use_yes_price: bool) -> Price {
    if use_yes_price && outcome == Outcome::No { price.complement() } else { price }
}

fn ladder(text: &mut Vec<u8>, book: &Book, outcome: Outcome, use_yes_price: bool) {
    // Always ascending in the shown price.
    let mut level = |(first, (price, quantity)): (bool, (&Price, &Quantity))| {
        text.extend_from_slice(if first { b"[\"" } else { b",[\"" });
        dollars(text, shown(*price, outcome, use_yes_price));
        text.extend_from_slice(b"\",\"");
        count(text, quantity.units());
        text.extend_from_slice(b"\"]");
    };
    let firsts = std::iter::once(true).chain(std::iter::repeat(false));
    if use_yes_price && outcome == Outcome::No {
        firsts.zip(book.bids(outcome).iter().rev()).for_each(&mut level);
    } else {
        firsts.zip(book.bids(outcome)).for_each(&mut level);
    }
}

pub(crate) fn snapshot(out: &mut Outbox, begin: Head, market: &Market, use_yes_price: bool) {
    head(&mut out.text, "orderbook_snapshot", begin);
    out.text.extend_from_slice(market.message_head.as_bytes());
    number(&mut out.text, market.clock);
    for outcome in Outcome::BOTH {
        // The key of an empty side is absent.
        if !market.book.bids(outcome).is_empty() {
            out.text.extend_from_slice(b",\"");
            out.text.extend_from_slice(outcome.word().as_bytes());
            out.text.extend_from_slice(b"_dollars_fp\":[");
            ladder(&mut out.text, &market.book, outcome, use_yes_price);
            out.text.push(b']');
        }
    }
    out.text.push(b'}');
    out.end();
}

/// Writes `change` of `market`, which must be a level, a trade or a ticker. `reader` is told of its own orders.
pub(crate) fn change(
    out: &mut Outbox,
    begin: Head,
    market: &Market,
    change: &Change,
    use_yes_price: bool,
    reader: Option<usize>,
) {
    let text = &mut out.text;
    match *change {
        Change::Level { outcome, price, change, ts_ms, ref by, .. } => {
            head(text, "orderbook_delta", begin);
            text.extend_from_slice(market.message_head.as_bytes());
            number(text, market.clock);
            text.extend_from_slice(b",\"price_dollars\":\"");
            dollars(text, shown(price, outcome, use_yes_price));
            text.extend_from_slice(if change < 0 { b"\",\"delta_fp\":\"-" } else { b"\",\"delta_fp\":\"" });
            count(text, change.unsigned_abs());
            text.extend_from_slice(b"\",\"side\":\"");
            text.extend_from_slice(outcome.word().as_bytes());
            text.extend_from_slice(b"\",\"ts_ms\":");
            signed(text, ts_ms);
            if let Some(by) = by.as_ref().filter(|by| Some(by.account) == reader) {
                if !by.client_order_id.is_empty() {
                    let client_order_id = serde_json::Value::from(by.client_order_id.as_str());
                    write!(text, ",\"client_order_id\":{client_order_id}").expect("memory takes every write");
                }
                text.extend_from_slice(b",\"subaccount\":0");
            }
        }
        Change::Trade { number: trade, taker, price, quantity, ts_ms, .. } => {
            head(text, "trade", begin);
            let side = taker.word();
            let book_side = if taker == Outcome::Yes { "bid" } else { "ask" };
            write!(
                text,
                r#""msg":{{"trade_id":"{}","market_ticker":"{}","yes_price_dollars":"{price}","no_price_dollars":"{}","count_fp":"{quantity}","taker_side":"{side}","taker_outcome_side":"{side}","taker_book_side":"{book_side}","is_block_trade":false,"ts":{},"ts_ms":{ts_ms}"#,
                uuid(trade),
                market.ticker,
                price.complement(),
                ts_ms.div_euclid(1_000),
            )
            .expect("memory takes every write");
        }
        Change::Ticker { ts_ms, .. } => {
            head(text, "ticker", begin);
            let (quoted, volume, ts) = (market.quoted, market.volume, ts_ms.div_euclid(1_000));
            write!(
                text,
                r#""msg":{{"market_id":"{}","market_ticker":"{}","price_dollars":"{}","yes_bid_dollars":"{}","yes_ask_dollars":"{}","volume_fp":"{}","open_interest_fp":"{}","dollar_volume":{},"dollar_open_interest":{},"yes_bid_size_fp":"{}","yes_ask_size_fp":"{}","last_trade_size_fp":"{}","ts":{ts},"ts_ms":{ts_ms},"time":"{}""#,
                market.id,
                market.ticker,
                volume.last_price,
                quoted.bid,
                quoted.ask,
                volume.contracts,
                volume.open_interest,
                // Half a dollar a contract, whole dollars: 165 630.96 contracts are shown as 82815 in the recordings.
                volume.contracts.units() / 200,
                volume.open_interest.units() / 200,
                quoted.bid_size,
                quoted.ask_size,
                volume.last_size,
                rfc3339(ts),
            )
            .expect("memory takes every write");
        }
        Change::Snapshot { .. }
        | Change::Determined { .. }
        | Change::Settled { .. }
        | Change::Told { .. }
        | Change::Down => {
            unreachable!("these have writers of their own")
        }
    }
    text.push(b'}');
    out.end();
}

/// A message whose body is ready.
pub(crate) fn told(out: &mut Outbox, begin: Head, kind: &str, msg: &str) {
    head(&mut out.text, kind, begin);
    write!(out.text, "\"msg\":{msg}").expect("memory takes every write");
    out.end();
}

/// A lifecycle message: the result of `market`, or that it was paid.
pub(crate) fn lifecycle(out: &mut Outbox, begin: Head, market: &Market) {
    head(&mut out.text, "market_lifecycle_v2", begin);
    let seconds = |nanos: i64| nanos.div_euclid(1_000_000_000);
    let mut msg = serde_json::json!({"market_ticker": market.ticker});
    match (&market.settled, &market.result) {
        (Some(at), _) => {
            msg["event_type"] = "settled".into();
            msg["settled_ts"] = seconds(at.0).into();
        }
        (None, Some(result)) => {
            msg["event_type"] = "determined".into();
            msg["determination_ts"] = seconds(result.at.0).into();
            msg["result"] = if result.yes { "yes" } else { "no" }.into();
            msg["settlement_value"] = if result.yes { "1.0000" } else { "0.0000" }.into();
        }
        (None, None) => unreachable!("a lifecycle message follows a result"),
    }
    write!(out.text, "\"msg\":{msg}").expect("memory takes every write");
    out.end();
}

/// An answer to a command: `fields` after type, id and sending time.
pub(crate) fn answer(
    out: &mut Outbox,
    id: u64,
    on: Option<(u64, Option<u64>)>,
    kind: &str,
    now_ms: i64,
    msg: Option<serde_json::Value>,
) {
    out.text.push(b'{');
    if id != 0 {
        write!(out.text, "\"id\":{id},").expect("memory takes every write");
    }
    if let Some((sid, seq)) = on {
        write!(out.text, "\"sid\":{sid},").expect("memory takes every write");
        if let Some(seq) = seq {
            write!(out.text, "\"seq\":{seq},").expect("memory takes every write");
        }
    }
    write!(out.text, "\"type\":\"{kind}\",\"sending_ts_ms\":{now_ms}").expect("memory takes every write");
    if let Some(msg) = msg {
        write!(out.text, ",\"msg\":{msg}").expect("memory takes every write");
    }
    out.end();
}

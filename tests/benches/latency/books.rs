//! The books of the measuring exchange and what is said of them: a resting market whose ask one frame makes attractive
//! and another takes away.
//!
//! Messages have the shapes of PROTOCOL.md 2.3 to 2.9. The NO ladder is in YES prices where the subscription asked for it.

use crate::listing::Market;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Resting bids of YES, in cents.
const BIDS: std::ops::RangeInclusive<u8> = 1..=5;
/// Resting asks of YES, in cents: far from any opinion.
const ASKS: std::ops::RangeInclusive<u8> = 90..=94;
/// Size of a resting level.
const SIZE: &str = "100.00";
/// The ask that a trigger shows, in cents.
pub const TRIGGER: u8 = 6;
/// What it shows there, in contracts.
const TRIGGER_SIZE: &str = "10.00";

/// What changes of one market.
#[derive(Clone, Copy, Default)]
pub struct Book {
    /// Whether the trigger's ask is shown.
    pub shown: bool,
    /// Counts changes.
    pub clock: u64,
}

/// What every message of a subscription says of itself.
pub struct Head {
    pub sid: u64,
    pub seq: u64,
    /// The command that it answers.
    pub id: Option<u64>,
    pub use_yes_price: bool,
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())).unwrap_or(0)
}

fn dollars(cents: u8) -> String {
    format!("0.{cents:02}00")
}

/// An ask of YES at `cents` as a bid of NO, on the scale that was asked for.
fn no(cents: u8, use_yes_price: bool) -> String {
    dollars(if use_yes_price { cents } else { 100 - cents })
}

fn asks(book: Book) -> impl DoubleEndedIterator<Item = (u8, &'static str)> {
    book.shown.then_some((TRIGGER, TRIGGER_SIZE)).into_iter().chain(ASKS.map(|cents| (cents, SIZE)))
}

/// Ladders as `yes` and `no`, ascending in the scale that they are in.
fn ladders(book: Book, use_yes_price: bool) -> (Vec<[String; 2]>, Vec<[String; 2]>) {
    let mut down: Vec<[String; 2]> =
        asks(book).map(|(cents, size)| [no(cents, use_yes_price), size.to_owned()]).collect();
    if !use_yes_price {
        down.reverse();
    }
    (BIDS.map(|cents| [dollars(cents), SIZE.to_owned()]).collect(), down)
}

/// `orderbook_snapshot`.
pub fn snapshot(market: &Market, book: Book, head: &Head) -> Value {
    let (yes, no) = ladders(book, head.use_yes_price);
    let mut message = json!({
        "type": "orderbook_snapshot", "sid": head.sid, "seq": head.seq, "sending_ts_ms": now_ms(),
        "msg": {"market_ticker": market.ticker, "market_id": market.id, "clock": book.clock,
            "yes_dollars_fp": yes, "no_dollars_fp": no},
    });
    if let Some(id) = head.id {
        message["id"] = id.into();
    }
    message
}

/// `orderbook_delta`: the trigger's ask appears or is gone, as `book` says. Written by hand, in the venue's order of fields.
pub fn delta(market: &Market, book: Book, head: &Head) -> String {
    let (sign, price) = (if book.shown { "" } else { "-" }, no(TRIGGER, head.use_yes_price));
    let (now, at) = (now_ms(), jiff::Timestamp::now());
    format!(
        concat!(
            r#"{{"type":"orderbook_delta","sending_ts_ms":{},"sid":{},"seq":{},"msg":{{"market_ticker":"{}","market_id":"{}","#,
            r#""clock":{},"price_dollars":"{}","delta_fp":"{}{}","side":"no","ts":"{}","ts_ms":{}}}}}"#,
            "\n"
        ),
        now, head.sid, head.seq, market.ticker, market.id, book.clock, price, sign, TRIGGER_SIZE, at, now
    )
}

/// `GET /markets/{ticker}/orderbook` and an element of `GET /markets/orderbooks`.
pub fn rest(market: &Market, book: Book) -> Value {
    let (yes, no) = ladders(book, false);
    json!({"ticker": market.ticker, "orderbook_fp": {"yes_dollars": yes, "no_dollars": no}})
}

//! The venue's JSON as it is spelled: nothing here is converted, and everything borrows from the frame where it can.
//!
//! Fields carry the venue's names; their meaning is in PROTOCOL.md 2 and 3 and in the venue's asyncapi.yaml and
//! openapi.yaml. Unknown fields are ignored, since the venue adds some every few weeks. Three eras of prices occur in
//! recordings: integer cents (`price`), cents beside dollars (`price_dollars`), and dollars with fixed-point counts
//! (`price_dollars`, `delta_fp`); every message accepts all of them. A field says by its name what it is: `*_dollars` and `*_fp`
//! are decimal strings and nothing else, the old fields are integers and nothing else, so that no cent is taken for a dollar.
#![allow(missing_docs)]

mod account;
mod communications;
mod orders;
mod portfolio;
mod rest;

pub use account::{Fill, MarketPosition, OrderGroupUpdate, UserOrder};
pub use communications::*;
pub use orders::*;
pub use portfolio::*;
pub use rest::*;

use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A string, borrowed from the frame unless it holds escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text_;
        impl<'de> Visitor<'de> for Text_ {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text_)
    }
}

/// The count of a level: a decimal string today, whole contracts in older recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number<'a> {
    Integer(i64),
    Decimal(Text<'a>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Number<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number_;
        impl<'de> Visitor<'de> for Number_ {
            type Value = Number<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal string or an integer")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Number<'de>, E> {
                Ok(Number::Decimal(Text(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Number<'de>, E> {
                Ok(Number::Decimal(Text(Cow::Owned(text.to_owned()))))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Number<'de>, E> {
                Ok(Number::Integer(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Number<'de>, E> {
                i64::try_from(value).map(Number::Integer).map_err(|_| E::custom("an integer beyond all bounds"))
            }
        }
        deserializer.deserialize_any(Number_)
    }
}

/// What every message has in common. Read first; the rest of the message is read by its type.
#[derive(Clone, Debug, Deserialize)]
pub struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(default)]
    pub id: Option<u64>,
    #[serde(default)]
    pub sid: Option<u32>,
    #[serde(default)]
    pub seq: Option<u64>,
    #[serde(default)]
    pub sending_ts_ms: Option<i64>,
}

/// The message inside its envelope.
#[derive(Clone, Debug, Deserialize)]
pub struct Message<T> {
    pub msg: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BookSide {
    Bid,
    Ask,
}

/// Price in dollars and count of a level.
pub type Level<'a> = (Text<'a>, Number<'a>);
/// Price in whole cents and count of a level, in older recordings.
pub type CentLevel<'a> = (i64, Number<'a>);

/// `orderbook_snapshot`. A side without orders is left out.
#[derive(Clone, Debug, Deserialize)]
pub struct BookSnapshot<'a> {
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    #[serde(default)]
    pub clock: Option<i64>,
    #[serde(borrow, default)]
    pub yes_dollars_fp: Option<Vec<Level<'a>>>,
    #[serde(borrow, default)]
    pub no_dollars_fp: Option<Vec<Level<'a>>>,
    #[serde(borrow, default)]
    pub yes_dollars: Option<Vec<Level<'a>>>,
    #[serde(borrow, default)]
    pub no_dollars: Option<Vec<Level<'a>>>,
    #[serde(borrow, default)]
    pub yes: Option<Vec<CentLevel<'a>>>,
    #[serde(borrow, default)]
    pub no: Option<Vec<CentLevel<'a>>>,
}

/// `orderbook_delta`.
#[derive(Clone, Debug, Deserialize)]
pub struct BookDelta<'a> {
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    pub side: Outcome,
    #[serde(borrow, default)]
    pub price_dollars: Option<Text<'a>>,
    #[serde(default)]
    pub price: Option<i64>,
    #[serde(borrow, default)]
    pub delta_fp: Option<Text<'a>>,
    #[serde(default)]
    pub delta: Option<i64>,
    #[serde(default)]
    pub clock: Option<i64>,
}

/// `ticker`. An empty side is shown as $0 or $1 with size 0; `price_dollars` may be the empty string.
#[derive(Clone, Debug, Deserialize)]
pub struct Ticker<'a> {
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    #[serde(borrow, default)]
    pub yes_bid_dollars: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub yes_ask_dollars: Option<Text<'a>>,
    #[serde(default)]
    pub yes_bid: Option<i64>,
    #[serde(default)]
    pub yes_ask: Option<i64>,
    #[serde(borrow, default)]
    pub yes_bid_size_fp: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub yes_ask_size_fp: Option<Text<'a>>,
    #[serde(default)]
    pub ts_ms: Option<i64>,
}

/// `trade`.
#[derive(Clone, Debug, Deserialize)]
pub struct Trade<'a> {
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    #[serde(borrow, default)]
    pub trade_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub yes_price_dollars: Option<Text<'a>>,
    #[serde(default)]
    pub yes_price: Option<i64>,
    #[serde(borrow, default)]
    pub count_fp: Option<Text<'a>>,
    #[serde(default)]
    pub count: Option<i64>,
    #[serde(default)]
    pub taker_book_side: Option<BookSide>,
    #[serde(default)]
    pub taker_outcome_side: Option<Outcome>,
    #[serde(default)]
    pub taker_side: Option<Outcome>,
    #[serde(default)]
    pub is_block_trade: bool,
}

/// `market_lifecycle_v2` and `multivariate_market_lifecycle`. Times are Unix seconds.
#[derive(Clone, Debug, Deserialize)]
pub struct MarketLifecycle<'a> {
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    #[serde(borrow)]
    pub event_type: Text<'a>,
    #[serde(default)]
    pub close_ts: Option<i64>,
    #[serde(borrow, default)]
    pub result: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub settlement_value: Option<Text<'a>>,
    #[serde(default)]
    pub price_ranges: Option<Vec<PriceRange>>,
    #[serde(borrow, default)]
    pub additional_metadata: Option<Metadata<'a>>,
}

/// What a `created` message adds.
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata<'a> {
    #[serde(borrow, default)]
    pub event_ticker: Option<Text<'a>>,
}

/// `event_lifecycle`.
#[derive(Clone, Debug, Deserialize)]
pub struct EventLifecycle<'a> {
    #[serde(borrow)]
    pub event_ticker: Text<'a>,
    #[serde(borrow, default)]
    pub series_ticker: Option<Text<'a>>,
}

/// `event_fee_update`: both overrides are null once cleared.
#[derive(Clone, Debug, Deserialize)]
pub struct EventFeeUpdate<'a> {
    #[serde(borrow)]
    pub event_ticker: Text<'a>,
    #[serde(borrow, default)]
    pub fee_type_override: Option<Text<'a>>,
    #[serde(default)]
    pub fee_multiplier_override: Option<Fraction>,
}

/// `subscribed`.
#[derive(Clone, Debug, Deserialize)]
pub struct Subscribed<'a> {
    #[serde(borrow)]
    pub channel: Text<'a>,
    pub sid: u32,
}

/// `error`.
#[derive(Clone, Debug, Deserialize)]
pub struct Failure<'a> {
    pub code: u16,
    #[serde(borrow, default)]
    pub msg: Option<Text<'a>>,
}

/// `ok`: the message is an object after an update, a list after `list_subscriptions`, and may be missing.
#[derive(Clone, Debug, Deserialize)]
pub struct Ok_<'a> {
    #[serde(borrow, default)]
    pub msg: Option<Acknowledged<'a>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Acknowledged<'a> {
    Subscriptions(#[serde(borrow)] Vec<Subscribed<'a>>),
    Update(#[serde(borrow)] Update<'a>),
}

/// The complete ticker list of the subscription after an update.
#[derive(Clone, Debug, Deserialize)]
pub struct Update<'a> {
    #[serde(borrow, default)]
    pub market_tickers: Option<Vec<Text<'a>>>,
}

/// A JSON number that may have a fraction (a strike, a fee multiplier), kept as its shortest decimal spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fraction(pub String);

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        // Shortest decimal that reads back as the same double: what the venue wrote, for all it can mean.
        match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Self(whole.to_string())),
            (None, Some(double)) if double.is_finite() => Ok(Self(double.to_string())),
            _ => Err(D::Error::custom("a number beyond all bounds")),
        }
    }
}

/// What a client sends.
#[derive(Clone, Debug, Serialize)]
pub struct Command<'a> {
    pub id: u64,
    pub cmd: &'static str,
    pub params: Params<'a>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Params<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market_tickers: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_yes_price: Option<bool>,
}

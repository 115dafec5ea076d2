//! REST bodies (PROTOCOL.md 3.2 to 3.5, 7.1), owned: none of them is read on the trading path.

use super::Fraction;
use serde::Deserialize;

/// `GET /exchange/status`.
#[derive(Clone, Debug, Deserialize)]
pub struct ExchangeStatus {
    pub exchange_active: bool,
    pub trading_active: bool,
    #[serde(default)]
    pub exchange_estimated_resume_time: Option<String>,
    /// Shard by shard; the fields above are those of shard 0.
    #[serde(default)]
    pub exchange_index_statuses: Option<Vec<ShardStatus>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ShardStatus {
    pub exchange_index: u32,
    pub exchange_active: bool,
    pub trading_active: bool,
}

/// `GET /series/{ticker}`.
#[derive(Clone, Debug, Deserialize)]
pub struct SeriesBody {
    pub series: Series,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Series {
    pub ticker: String,
    #[serde(default)]
    pub title: String,
    pub fee_type: String,
    pub fee_multiplier: Fraction,
    #[serde(default)]
    pub settlement_sources: Option<Vec<SettlementSource>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SettlementSource {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub url: String,
}

/// `GET /markets`: one page. The last page has an empty cursor.
#[derive(Clone, Debug, Deserialize)]
pub struct MarketsBody {
    pub markets: Vec<Market>,
    #[serde(default)]
    pub cursor: String,
}

/// `GET /markets/{ticker}`.
#[derive(Clone, Debug, Deserialize)]
pub struct MarketBody {
    pub market: Market,
}

/// A market as listed. `result` and `settlement_value_dollars` are there once it is determined.
#[derive(Clone, Debug, Deserialize)]
pub struct Market {
    pub ticker: String,
    pub event_ticker: String,
    pub status: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub yes_sub_title: String,
    #[serde(default)]
    pub strike_type: Option<String>,
    #[serde(default)]
    pub floor_strike: Option<Fraction>,
    #[serde(default)]
    pub cap_strike: Option<Fraction>,
    pub open_time: String,
    pub close_time: String,
    #[serde(default)]
    pub price_ranges: Vec<PriceRange>,
    #[serde(default)]
    pub result: String,
    #[serde(default)]
    pub expiration_value: String,
    #[serde(default)]
    pub settlement_value_dollars: Option<String>,
    #[serde(default)]
    pub rules_primary: String,
    #[serde(default)]
    pub rules_secondary: String,
    #[serde(default)]
    pub exchange_index: u32,
}

/// `GET /events`: one page.
#[derive(Clone, Debug, Deserialize)]
pub struct EventsBody {
    pub events: Vec<Event>,
    #[serde(default)]
    pub cursor: String,
}

/// `GET /events/{event_ticker}`. Older answers have the markets beside the event.
#[derive(Clone, Debug, Deserialize)]
pub struct EventBody {
    pub event: Event,
    #[serde(default)]
    pub markets: Option<Vec<Market>>,
}

/// A city-day. Its fees win over those of the series where it has any.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub event_ticker: String,
    pub series_ticker: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub mutually_exclusive: bool,
    #[serde(default)]
    pub settlement_sources: Option<Vec<SettlementSource>>,
    #[serde(default)]
    pub fee_type_override: Option<String>,
    #[serde(default)]
    pub fee_multiplier_override: Option<Fraction>,
    #[serde(default)]
    pub exchange_index: u32,
    #[serde(default)]
    pub markets: Option<Vec<Market>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PriceRange {
    pub start: String,
    pub end: String,
    pub step: String,
}

/// `GET /markets/{ticker}/orderbook`: bids only, ascending, NO in NO prices.
#[derive(Clone, Debug, Deserialize)]
pub struct BookBody {
    /// An all-empty book was once answered as `{"orderbook":{}}`.
    #[serde(default, alias = "orderbook")]
    pub orderbook_fp: Book,
}

/// `GET /markets/orderbooks`.
#[derive(Clone, Debug, Deserialize)]
pub struct BooksBody {
    pub orderbooks: Vec<NamedBook>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct NamedBook {
    pub ticker: String,
    #[serde(flatten)]
    pub body: BookBody,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Book {
    #[serde(default)]
    pub yes_dollars: Option<Vec<(String, String)>>,
    #[serde(default)]
    pub no_dollars: Option<Vec<(String, String)>>,
}

/// `GET /series/{series}/markets/{ticker}/candlesticks`.
#[derive(Clone, Debug, Deserialize)]
pub struct CandlesticksBody {
    pub candlesticks: Vec<Candlestick>,
}

/// `end_period_ts` is the inclusive end in Unix seconds.
#[derive(Clone, Debug, Deserialize)]
pub struct Candlestick {
    pub end_period_ts: i64,
    pub yes_bid: Candle,
    pub yes_ask: Candle,
    pub volume_fp: String,
    pub open_interest_fp: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Candle {
    pub open_dollars: String,
    pub low_dollars: String,
    pub high_dollars: String,
    pub close_dollars: String,
}

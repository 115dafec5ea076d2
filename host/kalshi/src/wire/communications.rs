//! Channels that a weather trader does not subscribe: requests for quotes and index feeds. Each is read by its own type
//! (what the venue's asyncapi.yaml requires), so that a recording that has them stays free of unparsed frames.

use super::Text;
use serde::Deserialize;

/// `rfq_created`, `rfq_deleted`.
#[derive(Clone, Debug, Deserialize)]
pub struct QuoteRequest<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub creator_id: Text<'a>,
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    #[serde(borrow, default)]
    pub contracts_fp: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub target_cost_dollars: Option<Text<'a>>,
}

/// `quote_created`, `quote_accepted`.
#[derive(Clone, Debug, Deserialize)]
pub struct Quote<'a> {
    #[serde(borrow)]
    pub quote_id: Text<'a>,
    #[serde(borrow)]
    pub rfq_id: Text<'a>,
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    #[serde(borrow)]
    pub yes_bid_dollars: Text<'a>,
    #[serde(borrow)]
    pub no_bid_dollars: Text<'a>,
}

/// `quote_executed`.
#[derive(Clone, Debug, Deserialize)]
pub struct QuoteExecuted<'a> {
    #[serde(borrow)]
    pub quote_id: Text<'a>,
    #[serde(borrow)]
    pub rfq_id: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow)]
    pub client_order_id: Text<'a>,
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
}

/// `rfq_batch_created`, `rfq_batch_deleted`.
#[derive(Clone, Debug, Deserialize)]
pub struct RequestBatch<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub creator_id: Text<'a>,
    #[serde(borrow, default)]
    pub rfqs: Vec<BatchedRequest<'a>>,
    #[serde(borrow, default)]
    pub rfq_ids: Vec<Text<'a>>,
}

/// One request of `rfq_batch_created`.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchedRequest<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
}

/// `batch_quote_created`, `batch_quote_accepted`.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchQuote<'a> {
    #[serde(borrow)]
    pub batch_quote_id: Text<'a>,
    #[serde(borrow)]
    pub rfq_batch_id: Text<'a>,
    #[serde(borrow)]
    pub quotes: Vec<Quote<'a>>,
}

/// `rfq_batch_best_quotes`.
#[derive(Clone, Debug, Deserialize)]
pub struct BestQuotes<'a> {
    #[serde(borrow)]
    pub rfq_batch_id: Text<'a>,
    pub version: u64,
    pub yes_complete: bool,
    pub no_complete: bool,
}

/// `rfq_batch_executed`, `batch_quote_executed`.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchExecuted<'a> {
    #[serde(borrow)]
    pub rfq_batch_id: Text<'a>,
    #[serde(borrow)]
    pub executed_rfq_ids: Vec<Text<'a>>,
    #[serde(borrow)]
    pub failed_rfq_ids: Vec<Text<'a>>,
    #[serde(borrow)]
    pub close_reason: Text<'a>,
}

/// `cfbenchmarks_value`, `cfbenchmarks_value_5hz`.
#[derive(Clone, Debug, Deserialize)]
pub struct IndexValue<'a> {
    #[serde(borrow)]
    pub index_id: Text<'a>,
    pub received_at: i64,
    #[serde(borrow)]
    pub data: Text<'a>,
}

/// `cfbenchmarks_value_indexlist`, `cfbenchmarks_value_5hz_indexlist`.
#[derive(Clone, Debug, Deserialize)]
pub struct IndexList<'a> {
    #[serde(borrow)]
    pub index_ids: Vec<Text<'a>>,
}

/// `pyth_value`.
#[derive(Clone, Debug, Deserialize)]
pub struct PythValue<'a> {
    #[serde(borrow)]
    pub underlying_ticker: Text<'a>,
    #[serde(borrow)]
    pub value_usd: Text<'a>,
    pub source_ts_ms: i64,
}

/// `pyth_value_underlying_list`.
#[derive(Clone, Debug, Deserialize)]
pub struct PythList<'a> {
    #[serde(borrow)]
    pub underlying_tickers: Vec<Text<'a>>,
}

//! The account over REST (PROTOCOL.md 3.5, 3.7): cash, positions, orders, fills, settlements, limits. Money and counts are
//! decimal strings; the integers beside them are truncated cents and are not read.

use super::{BookSide, Outcome};
use serde::Deserialize;

/// `GET /exchange/user_data_timestamp`: what the account's reads reflect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UserDataTimestamp {
    pub as_of_time: String,
}

/// `GET /portfolio/balance`. The total is over all shards; each shard's cash is its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Balance {
    pub balance_dollars: String,
    #[serde(default)]
    pub balance_breakdown: Vec<ShardBalance>,
    /// Value of open positions in cents, cash not included.
    #[serde(default)]
    pub portfolio_value: i64,
    #[serde(default)]
    pub updated_ts: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ShardBalance {
    pub exchange_index: u32,
    pub balance: String,
}

/// `GET /portfolio/positions`: one page.
#[derive(Clone, Debug, Deserialize)]
pub struct PositionsBody {
    pub market_positions: Vec<RestPosition>,
    #[serde(default)]
    pub cursor: String,
}

/// `position_fp` is signed: negative is NO. `market_exposure_dollars` is what was paid for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RestPosition {
    pub ticker: String,
    #[serde(default)]
    pub exchange_index: u32,
    pub position_fp: String,
    pub market_exposure_dollars: String,
    pub realized_pnl_dollars: String,
    pub fees_paid_dollars: String,
    pub total_traded_dollars: String,
    #[serde(default)]
    pub last_updated_ts: Option<String>,
}

/// `GET /portfolio/orders`: one page.
#[derive(Clone, Debug, Deserialize)]
pub struct OrdersBody {
    pub orders: Vec<RestOrder>,
    #[serde(default)]
    pub cursor: String,
}

/// An order as read. Its direction is `book_side` (or `outcome_side`), never the older `side` and `action`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RestOrder {
    pub order_id: String,
    #[serde(default)]
    pub client_order_id: String,
    pub ticker: String,
    #[serde(default)]
    pub book_side: Option<BookSide>,
    #[serde(default)]
    pub outcome_side: Option<Outcome>,
    pub status: String,
    pub yes_price_dollars: String,
    pub fill_count_fp: String,
    pub remaining_count_fp: String,
    pub initial_count_fp: String,
    pub taker_fees_dollars: String,
    pub maker_fees_dollars: String,
    pub taker_fill_cost_dollars: String,
    pub maker_fill_cost_dollars: String,
    #[serde(default)]
    pub expiration_time: Option<String>,
    #[serde(default)]
    pub created_time: Option<String>,
    #[serde(default)]
    pub last_update_time: Option<String>,
    #[serde(default)]
    pub order_group_id: Option<String>,
    #[serde(default)]
    pub exchange_index: u32,
}

/// `GET /portfolio/fills`: one page. The newest comes first.
#[derive(Clone, Debug, Deserialize)]
pub struct FillsBody {
    pub fills: Vec<RestFill>,
    #[serde(default)]
    pub cursor: String,
}

/// A fill as read. It has no client order id: it is joined by `order_id`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RestFill {
    pub trade_id: String,
    pub order_id: String,
    pub ticker: String,
    #[serde(default)]
    pub book_side: Option<BookSide>,
    #[serde(default)]
    pub outcome_side: Option<Outcome>,
    pub count_fp: String,
    pub yes_price_dollars: String,
    pub is_taker: bool,
    pub fee_cost: String,
    #[serde(default)]
    pub created_time: Option<String>,
    #[serde(default)]
    pub ts: Option<i64>,
}

/// `GET /portfolio/settlements`: one page.
#[derive(Clone, Debug, Deserialize)]
pub struct SettlementsBody {
    pub settlements: Vec<Settlement>,
    #[serde(default)]
    pub cursor: String,
}

/// `revenue` and `value` are integer cents.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Settlement {
    pub ticker: String,
    pub event_ticker: String,
    #[serde(default)]
    pub exchange_index: u32,
    pub market_result: String,
    pub yes_count_fp: String,
    pub yes_total_cost_dollars: String,
    pub no_count_fp: String,
    pub no_total_cost_dollars: String,
    pub revenue: i64,
    pub settled_time: String,
    pub fee_cost: String,
    #[serde(default)]
    pub value: Option<i64>,
}

/// `GET /account/limits`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccountLimits {
    #[serde(default)]
    pub usage_tier: String,
    pub read: BucketLimit,
    pub write: BucketLimit,
}

/// Tokens that a bucket holds at most, and tokens a second that come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct BucketLimit {
    pub bucket_capacity: u32,
    pub refill_rate: u32,
}

/// `GET /account/endpoint_costs`: what does not cost the default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EndpointCosts {
    pub default_cost: u32,
    pub endpoint_costs: Vec<EndpointCost>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EndpointCost {
    pub method: String,
    pub path: String,
    pub cost: u32,
}

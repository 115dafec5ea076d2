//! Messages about the account's own orders, fills and positions (PROTOCOL.md 2.8 to 2.12).

use super::{BookSide, Outcome, Text};
use serde::Deserialize;

/// `fill`. `yes_price_dollars` is the YES price for either side.
#[derive(Clone, Debug, Deserialize)]
pub struct Fill<'a> {
    #[serde(borrow)]
    pub trade_id: Text<'a>,
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow, default)]
    pub client_order_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    pub is_taker: bool,
    #[serde(borrow)]
    pub yes_price_dollars: Text<'a>,
    #[serde(borrow)]
    pub count_fp: Text<'a>,
    #[serde(borrow, default)]
    pub fee_cost: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub post_position_fp: Option<Text<'a>>,
    #[serde(default)]
    pub outcome_side: Option<Outcome>,
    #[serde(default)]
    pub book_side: Option<BookSide>,
    #[serde(default)]
    pub ts_ms: Option<i64>,
}

/// `user_order`. The ticker field is `ticker` here.
#[derive(Clone, Debug, Deserialize)]
pub struct UserOrder<'a> {
    #[serde(borrow)]
    pub order_id: Text<'a>,
    #[serde(borrow, default)]
    pub client_order_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub ticker: Text<'a>,
    #[serde(borrow)]
    pub status: Text<'a>,
    #[serde(borrow)]
    pub yes_price_dollars: Text<'a>,
    #[serde(borrow)]
    pub fill_count_fp: Text<'a>,
    #[serde(borrow)]
    pub remaining_count_fp: Text<'a>,
    #[serde(borrow)]
    pub initial_count_fp: Text<'a>,
    #[serde(default)]
    pub book_side: Option<BookSide>,
    #[serde(default)]
    pub outcome_side: Option<Outcome>,
    #[serde(borrow, default)]
    pub taker_fees_dollars: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub maker_fees_dollars: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub last_update_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub order_group_id: Option<Text<'a>>,
    #[serde(default)]
    pub last_updated_ts_ms: Option<i64>,
}

/// `market_position`. `position_fp` is signed: negative is NO.
#[derive(Clone, Debug, Deserialize)]
pub struct MarketPosition<'a> {
    #[serde(borrow)]
    pub market_ticker: Text<'a>,
    #[serde(borrow)]
    pub position_fp: Text<'a>,
    #[serde(borrow, default)]
    pub position_cost_dollars: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub realized_pnl_dollars: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub fees_paid_dollars: Option<Text<'a>>,
}

/// `order_group_updates`.
#[derive(Clone, Debug, Deserialize)]
pub struct OrderGroupUpdate<'a> {
    #[serde(borrow)]
    pub event_type: Text<'a>,
    #[serde(borrow)]
    pub order_group_id: Text<'a>,
    #[serde(borrow, default)]
    pub contracts_limit_fp: Option<Text<'a>>,
}

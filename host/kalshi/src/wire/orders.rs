//! Orders over REST, V2 (PROTOCOL.md 3.6): what is asked, and what is answered. Numbers are decimal strings both ways; a
//! JSON number is refused by the venue.

use super::{BookSide, RestOrder};
use serde::{Deserialize, Serialize};

/// `POST /portfolio/events/orders`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreateOrder<'a> {
    pub ticker: &'a str,
    pub client_order_id: &'a str,
    pub side: BookSide,
    pub count: String,
    pub price: String,
    pub time_in_force: &'static str,
    pub self_trade_prevention_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<i64>,
    pub post_only: bool,
    pub cancel_order_on_pause: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_group_id: Option<&'a str>,
    pub exchange_index: u32,
}

/// Its answer, 201. Both counts zero: taken and over at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderCreated {
    pub order_id: String,
    #[serde(default)]
    pub client_order_id: Option<String>,
    pub fill_count: String,
    pub remaining_count: String,
    #[serde(default)]
    pub average_fill_price: Option<String>,
    #[serde(default)]
    pub average_fee_paid: Option<String>,
    #[serde(default)]
    pub ts_ms: Option<i64>,
}

/// `DELETE /portfolio/events/orders/{order_id}`: what was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderCancelled {
    pub order_id: String,
    #[serde(default)]
    pub client_order_id: Option<String>,
    pub reduced_by: String,
    #[serde(default)]
    pub ts_ms: Option<i64>,
}

/// `POST …/{order_id}/amend`. `count` is the total, filled contracts included; an expiry of 0 removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AmendOrder<'a> {
    pub ticker: &'a str,
    pub side: BookSide,
    pub price: String,
    pub count: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<i64>,
    pub exchange_index: u32,
}

/// Its answer. Both counts may be null when nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderAmended {
    pub order_id: String,
    #[serde(default)]
    pub client_order_id: Option<String>,
    #[serde(default)]
    pub remaining_count: Option<String>,
    #[serde(default)]
    pub fill_count: Option<String>,
    #[serde(default)]
    pub ts_ms: Option<i64>,
}

/// `POST …/{order_id}/decrease`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecreaseOrder<'a> {
    pub reduce_to: String,
    pub exchange_index: u32,
    pub market_ticker: &'a str,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderDecreased {
    pub order_id: String,
    #[serde(default)]
    pub client_order_id: Option<String>,
    pub remaining_count: String,
    #[serde(default)]
    pub ts_ms: Option<i64>,
}

/// `POST /portfolio/events/orders/batched`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreateOrders<'a> {
    pub orders: Vec<CreateOrder<'a>>,
}

/// `DELETE /portfolio/events/orders/batched`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CancelOrders<'a> {
    pub orders: Vec<CancelOrder<'a>>,
}

/// One item of [`CancelOrders`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CancelOrder<'a> {
    pub order_id: &'a str,
    pub market_ticker: &'a str,
    pub exchange_index: u32,
}

/// Answer of a batch: each item has its fields or an error.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchBody<T> {
    pub orders: Vec<Item<T>>,
}

/// One item of a batch. The error is looked at first: an item that failed may have empty fields beside it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Item<T> {
    Failed { error: ItemError },
    Done(T),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ItemError {
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub details: String,
}

/// `GET /portfolio/orders/{order_id}`.
#[derive(Clone, Debug, Deserialize)]
pub struct OrderBody {
    pub order: RestOrder,
}

/// `POST /portfolio/order_groups/create`. The limit counts contracts filled within 15 seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreateOrderGroup {
    pub contracts_limit_fp: String,
    pub exchange_index: u32,
}

/// Its answer, 201.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderGroupCreated {
    pub order_group_id: String,
}

/// `GET /portfolio/order_groups`.
#[derive(Clone, Debug, Deserialize)]
pub struct OrderGroupsBody {
    #[serde(default)]
    pub order_groups: Vec<OrderGroup>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderGroup {
    pub id: String,
    pub is_auto_cancel_enabled: bool,
    #[serde(default)]
    pub contracts_limit_fp: Option<String>,
}

/// `GET /portfolio/order_groups/{id}`: the orders in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderGroupBody {
    pub is_auto_cancel_enabled: bool,
    #[serde(default)]
    pub contracts_limit_fp: Option<String>,
    pub orders: Vec<String>,
}

/// `GET /portfolio/orders/queue_positions`.
#[derive(Clone, Debug, Deserialize)]
pub struct QueuePositionsBody {
    /// Null where no order rests.
    #[serde(default)]
    pub queue_positions: Option<Vec<QueuePosition>>,
}

/// Contracts that are ahead of an order; 0 at the front.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct QueuePosition {
    pub order_id: String,
    pub market_ticker: String,
    pub queue_position_fp: String,
}

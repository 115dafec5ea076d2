//! Order requests and their answers: what takes is accepted and never filled, what would rest is refused.
//!
//! An order that comes too late for the ask that it saw ends at once, as an immediate-or-cancel order does at the venue:
//! 201 with both counts at zero, and a `user_order` that is cancelled (PROTOCOL.md 2.9, 3.6).

use crate::books::now_ms;
use serde::Deserialize;
use serde_json::{Value, json};

/// One order of a request: what is needed of it.
#[derive(Clone, Deserialize)]
pub struct Order {
    pub ticker: String,
    pub client_order_id: String,
    pub side: String,
    pub count: String,
    pub price: String,
    pub time_in_force: String,
    #[serde(default)]
    pub order_group_id: Option<String>,
}

/// The orders of a create, single or batched.
pub fn parse(path: &str, body: &[u8]) -> Result<Vec<Order>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Batch {
        orders: Vec<Order>,
    }
    if path.ends_with("/batched") {
        serde_json::from_slice::<Batch>(body).map(|batch| batch.orders)
    } else {
        serde_json::from_slice(body).map(|order| vec![order])
    }
}

/// The venue's number of the order that was counted as `number`.
pub fn id(number: u64) -> String {
    format!("10000000-0000-4000-8000-{number:012}")
}

/// The answer to a create.
pub fn created(order: &Order, number: u64) -> Value {
    json!({
        "order_id": id(number), "client_order_id": order.client_order_id,
        "fill_count": "0.00", "remaining_count": "0.00", "ts_ms": now_ms(),
    })
}

/// What the account is told about the order on `user_orders`.
pub fn cancelled(order: &Order, number: u64, sid: u64) -> Value {
    let now = now_ms();
    let outcome = if order.side == "bid" { "yes" } else { "no" };
    let mut message = json!({
        "order_id": id(number), "user_id": "20000000-0000-4000-8000-000000000000", "ticker": order.ticker,
        "exchange_index": 0, "status": "canceled", "side": outcome, "is_yes": outcome == "yes",
        "outcome_side": outcome, "book_side": order.side, "yes_price_dollars": order.price, "fill_count_fp": "0.00",
        "remaining_count_fp": "0.00", "initial_count_fp": order.count, "taker_fill_cost_dollars": "0.000000",
        "maker_fill_cost_dollars": "0.000000", "taker_fees_dollars": "0.000000", "maker_fees_dollars": "0.000000",
        "client_order_id": order.client_order_id, "self_trade_prevention_type": "taker_at_cross",
        "created_time": jiff::Timestamp::now().to_string(), "created_ts_ms": now, "last_updated_ts_ms": now,
        "subaccount_number": 0,
    });
    if let Some(group) = &order.order_group_id {
        message["order_group_id"] = group.clone().into();
    }
    json!({"type": "user_order", "sid": sid, "sending_ts_ms": now, "msg": message})
}

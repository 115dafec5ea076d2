//! Messages that are rare enough to be written by name: private ones and those of the lifecycle.
//!
//! Shapes: asyncapi.yaml; every required member is there and nothing else (PROTOCOL.md 2.8 to 2.12).

use crate::exchange::Change;
use crate::exchange::Exchange;
use crate::listing::{CityDay, HOUR, Market, fee_type, uuid};
use crate::render::{micros, rfc3339};
use crate::session::Channel;
use crate::trading::{Key, Reason};
use isobar_engine::units::{Quantity, Side, Timestamp};
use serde_json::{Value, json};

fn millis(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000)
}

fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000_000)
}

/// Direction in the venue's four ways of saying it: `side`, `outcome_side`, `book_side`, `action`.
pub(crate) const fn direction(side: Side) -> (&'static str, &'static str) {
    match side {
        Side::Bid => ("yes", "bid"),
        Side::Ask => ("no", "ask"),
    }
}

/// `-3.00`
pub(crate) fn signed(position: i64) -> String {
    let sign = if position < 0 { "-" } else { "" };
    format!("{sign}{}", Quantity::new(position.unsigned_abs()))
}

fn told(account: Option<usize>, channel: Channel, market: Option<usize>, kind: &'static str, msg: &Value) -> Change {
    Change::Told { account, channel, market, kind, msg: msg.to_string() }
}

/// `user_order`: the order as it is now.
pub(crate) fn order(exchange: &Exchange, key: Key, reason: Reason) -> Change {
    let order = exchange.order(key);
    let (outcome, book_side) = direction(order.side);
    let mut msg = json!({
        "order_id": order.id,
        "user_id": exchange.accounts[key.0].user,
        "ticker": exchange.markets[order.market].ticker,
        "exchange_index": 0,
        "status": order.status.word(),
        // The legacy members speak of the YES leg.
        "side": "yes",
        "is_yes": true,
        "outcome_side": outcome,
        "book_side": book_side,
        "yes_price_dollars": order.price.to_string(),
        "fill_count_fp": order.filled.to_string(),
        "remaining_count_fp": order.remaining.to_string(),
        "initial_count_fp": order.initial.to_string(),
        "taker_fill_cost_dollars": order.taker_cost.to_string(),
        "maker_fill_cost_dollars": order.maker_cost.to_string(),
        "taker_fees_dollars": order.taker_fees.to_string(),
        "maker_fees_dollars": order.maker_fees.to_string(),
        "client_order_id": order.client_order_id,
        "self_trade_prevention_type": order.self_trade.word(),
        "created_time": micros(order.created),
        "created_ts_ms": millis(order.created),
        "last_update_time": micros(order.updated),
        "last_updated_ts_ms": millis(order.updated),
        "subaccount_number": 0,
    });
    if let Some(group) = order.group.and_then(|group| exchange.accounts[key.0].groups.get(&group)) {
        msg["order_group_id"] = group.id.clone().into();
    }
    if let Some(at) = order.expires {
        msg["expiration_time"] = rfc3339(seconds(at)).into();
        msg["expiration_ts_ms"] = millis(at).into();
    }
    if let Some(reason) = reason.word() {
        msg["last_update_reason"] = reason.into();
    }
    told(Some(key.0), Channel::UserOrders, Some(order.market), "user_order", &msg)
}

/// `fill`: the newest execution of the account, which is of this order.
pub(crate) fn fill(exchange: &Exchange, key: Key) -> Change {
    let account = &exchange.accounts[key.0];
    let fill = account.fills.last().expect("an execution was just booked");
    let order = exchange.order(key);
    let (outcome, book_side) = direction(fill.side);
    let mut msg = json!({
        "trade_id": uuid(fill.trade),
        "order_id": order.id,
        "market_ticker": exchange.markets[fill.market].ticker,
        "exchange_index": 0,
        "is_taker": fill.taker,
        "side": outcome,
        "yes_price_dollars": fill.price.to_string(),
        "count_fp": fill.quantity.to_string(),
        "fee_cost": fill.fee.to_string(),
        "action": "buy",
        "ts": seconds(fill.at),
        "ts_ms": millis(fill.at),
        "post_position_fp": signed(account.position(fill.market)),
        "purchased_side": outcome,
        "outcome_side": outcome,
        "book_side": book_side,
        "subaccount": 0,
    });
    if !order.client_order_id.is_empty() {
        msg["client_order_id"] = order.client_order_id.clone().into();
    }
    told(Some(key.0), Channel::Fill, Some(fill.market), "fill", &msg)
}

/// `market_position`: the account's holding as it is now.
pub(crate) fn position(exchange: &Exchange, account: usize, market: usize) -> Change {
    let member = &exchange.accounts[account];
    let holding = member.holdings.get(&market).cloned().unwrap_or_default();
    let msg = json!({
        "user_id": member.user,
        "market_ticker": exchange.markets[market].ticker,
        "position_fp": signed(holding.position),
        "position_cost_dollars": holding.cost.to_string(),
        "realized_pnl_dollars": holding.realised.to_string(),
        "fees_paid_dollars": holding.fees.to_string(),
        "position_fee_cost_dollars": holding.open_fees.to_string(),
        "volume_fp": holding.shares.to_string(),
        "subaccount": 0,
    });
    told(Some(account), Channel::MarketPositions, Some(market), "market_position", &msg)
}

/// `order_group_updates`
pub(crate) fn group(account: usize, event: &str, id: &str, limit: Option<Quantity>, at: Timestamp) -> Change {
    let mut msg = json!({"event_type": event, "order_group_id": id, "ts_ms": millis(at)});
    if let Some(limit) = limit {
        msg["contracts_limit_fp"] = limit.to_string().into();
    }
    told(Some(account), Channel::OrderGroupUpdates, None, "order_group_updates", &msg)
}

/// `deactivated` or `activated`
pub(crate) fn paused(market: &Market, index: usize) -> Change {
    let event = if market.paused { "deactivated" } else { "activated" };
    let msg = json!({"market_ticker": market.ticker, "event_type": event, "is_deactivated": market.paused});
    told(None, Channel::MarketLifecycle, Some(index), "market_lifecycle_v2", &msg)
}

/// What a new market is: `created`.
pub(crate) fn created(market: &Market, index: usize) -> Change {
    let words = market.strike.words();
    let range = |[start, end, step]: &[&str; 3]| json!({"start": start, "end": end, "step": step});
    let mut metadata = json!({
        "name": words,
        "title": market.title,
        "yes_sub_title": words,
        "no_sub_title": words,
        "rules_primary": crate::rules::primary(market),
        "rules_secondary": "",
        "can_close_early": true,
        "event_ticker": market.event,
        "expected_expiration_ts": seconds(market.closes.plus(9 * HOUR)),
        "strike_type": market.strike.word,
    });
    strikes(&mut metadata, market);
    let msg = json!({
        "market_ticker": market.ticker,
        "exchange_index": 0,
        "event_type": "created",
        "open_ts": seconds(market.opens),
        "close_ts": seconds(market.closes),
        "price_level_structure": market.grid.label(),
        "price_ranges": market.grid.ranges().iter().map(range).collect::<Vec<_>>(),
        "additional_metadata": metadata,
    });
    told(None, Channel::MarketLifecycle, Some(index), "market_lifecycle_v2", &msg)
}

fn strikes(msg: &mut Value, market: &Market) {
    if let Some(floor) = &market.strike.floor {
        msg["floor_strike"] = floor.clone().into();
    }
    if let Some(cap) = &market.strike.cap {
        msg["cap_strike"] = cap.clone().into();
    }
}

/// `event_lifecycle`: a new event.
pub(crate) fn event(event: &CityDay) -> Change {
    let mut msg = json!({
        "event_ticker": event.ticker,
        "exchange_index": 0,
        "title": event.title,
        "subtitle": event.sub_title,
        "collateral_return_type": "MECNET",
        "series_ticker": event.series,
    });
    if let Some(at) = event.strike_date {
        msg["strike_date"] = seconds(at).into();
    }
    told(None, Channel::MarketLifecycle, None, "event_lifecycle", &msg)
}

/// `event_fee_update`: an override, or the end of one.
pub(crate) fn fee(event: &CityDay) -> Change {
    let msg = json!({
        "event_ticker": event.ticker,
        "fee_type_override": event.makers_pay.map(fee_type),
        "fee_multiplier_override": event.makers_pay.map(|_| 1),
    });
    told(None, Channel::MarketLifecycle, None, "event_fee_update", &msg)
}

/// `metadata_updated`: the strikes changed after the listing.
pub(crate) fn restruck(market: &Market, index: usize) -> Change {
    let mut msg = json!({
        "event_type": "metadata_updated",
        "market_ticker": market.ticker,
        "strike_type": market.strike.word,
        "yes_sub_title": market.strike.words(),
    });
    strikes(&mut msg, market);
    told(None, Channel::MarketLifecycle, Some(index), "market_lifecycle_v2", &msg)
}

/// `price_level_structure_updated`
pub(crate) fn regridded(market: &Market, index: usize) -> Change {
    let range = |[start, end, step]: &[&str; 3]| json!({"start": start, "end": end, "step": step});
    let msg = json!({
        "market_ticker": market.ticker,
        "event_type": "price_level_structure_updated",
        "price_level_structure": market.grid.label(),
        "price_ranges": market.grid.ranges().iter().map(range).collect::<Vec<_>>(),
    });
    told(None, Channel::MarketLifecycle, Some(index), "market_lifecycle_v2", &msg)
}

/// `close_date_updated`
pub(crate) fn close_moved(market: &Market, index: usize) -> Change {
    let msg = json!({
        "market_ticker": market.ticker,
        "event_type": "close_date_updated",
        "close_ts": seconds(market.closes),
    });
    told(None, Channel::MarketLifecycle, Some(index), "market_lifecycle_v2", &msg)
}

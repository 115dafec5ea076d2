//! Order writes, second generation: create, cancel, amend, decrease, batches, cancel-all; and order groups.
//!
//! Shapes: openapi.yaml and captured bodies (PROTOCOL.md 3.6). What is captured without an optional member is answered
//! without it: a cancel names no client id.

use super::body::Body;
use super::market_data::find;
use super::{Answered, ok};
use crate::core::Core;
use crate::http::{HttpAnswer, Query};
use crate::refusal::Refusal;
use crate::trading::{Amendment, Cut, NewOrder, Placed, SelfTrade, TimeInForce};
use isobar_engine::units::{Money, Quantity, SECOND, Timestamp};
use serde_json::{Value, json};

/// Limits of a group's contracts (PROTOCOL.md 3.6).
const GROUP_LIMITS: std::ops::RangeInclusive<u64> = 1..=1_000_000;

const CREATE: &str = "CreateOrderV2Request";
const AMEND: &str = "AmendOrderV2Request";
const DECREASE: &str = "DecreaseOrderV2Request";

const SELF_TRADE: [(&str, SelfTrade); 2] = [("taker_at_cross", SelfTrade::TakerAtCross), ("maker", SelfTrade::Maker)];
const TIME_IN_FORCE: [(&str, TimeInForce); 3] = [
    ("good_till_canceled", TimeInForce::GoodTillCanceled),
    ("immediate_or_cancel", TimeInForce::ImmediateOrCancel),
    ("fill_or_kill", TimeInForce::FillOrKill),
];

fn millis(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000)
}

/// Dollars a contract, four decimals and up to six where they are needed.
fn average(sum: Money, count: Quantity) -> String {
    // Micro-dollars times 100 for 1/100 contracts, rounded to the nearest.
    let (sum, count) = (i128::from(sum.micros()) * 100, i128::from(count.units()));
    let micros = i64::try_from((sum + count / 2) / count).expect("an average is not more than the sum");
    let text = Money::new(micros).to_string();
    let kept = text.trim_end_matches('0').len().max(text.len() - 2);
    text[..kept].to_owned()
}

/// An index that is not this shard's: `-1` asks for routing, which leads here.
fn elsewhere(index: Option<i64>) -> bool {
    index.is_some_and(|index| index > 0)
}

fn read_create(core: &Core, body: &Body) -> Result<NewOrder, Refusal> {
    body.typed(
        &[
            "ticker",
            "client_order_id",
            "side",
            "count",
            "price",
            "time_in_force",
            "self_trade_prevention_type",
            "order_group_id",
        ],
        &["expiration_time", "subaccount", "exchange_index"],
        &["post_only", "cancel_order_on_pause", "reduce_only"],
    )?;
    let ticker = body.required("ticker", "Ticker")?;
    let side = body.side()?;
    let time_in_force = body.one_of("time_in_force", "TimeInForce", &TIME_IN_FORCE)?;
    let self_trade = body.one_of("self_trade_prevention_type", "SelfTradePreventionType", &SELF_TRADE)?;
    body.required("count", "Count")?;
    let count = body.count("count")?.filter(|count| !count.is_zero()).ok_or(Refusal::InvalidSize)?;
    let price = body.price()?;
    if elsewhere(body.integer("exchange_index")) || body.integer("subaccount").is_some_and(|number| number != 0) {
        return Err(Refusal::NotFound);
    }
    let market = find(core.exchange(), ticker)?;
    let expires = expiry(core, body)?.flatten();
    if expires.is_some() && time_in_force != TimeInForce::GoodTillCanceled {
        return Err(Refusal::InvalidOrder("expiration_time requires good_till_canceled"));
    }
    let reduce_only = body.flag("reduce_only");
    if reduce_only && time_in_force != TimeInForce::ImmediateOrCancel {
        return Err(Refusal::InvalidOrder("reduce_only requires immediate_or_cancel"));
    }
    Ok(NewOrder {
        market,
        client_order_id: body.text("client_order_id").unwrap_or_default().to_owned(),
        side,
        price,
        count,
        time_in_force,
        self_trade,
        post_only: body.flag("post_only"),
        reduce_only,
        cancel_on_pause: body.flag("cancel_order_on_pause"),
        expires,
        group: body.text("order_group_id").map(str::to_owned),
    })
}

/// Nothing: not named. Inner nothing: zero, which takes an expiry away.
fn expiry(core: &Core, body: &Body) -> Result<Option<Option<Timestamp>>, Refusal> {
    match body.integer("expiration_time") {
        None => Ok(None),
        Some(0) => Ok(Some(None)),
        Some(at) => {
            let at = Timestamp(at.saturating_mul(SECOND));
            if at > core.now() {
                Ok(Some(Some(at)))
            } else {
                Err(Refusal::InvalidOrder("expiration_time is in the past"))
            }
        }
    }
}

fn placed_json(core: &Core, account: usize, placed: &Placed) -> Value {
    let order = core.exchange().order((account, placed.order));
    let mut body = json!({
        "order_id": order.id,
        "fill_count": placed.filled.to_string(),
        "remaining_count": placed.remaining.to_string(),
        "ts_ms": millis(core.now()),
    });
    if !order.client_order_id.is_empty() {
        body["client_order_id"] = order.client_order_id.clone().into();
    }
    if !placed.filled.is_zero() {
        body["average_fill_price"] = average(placed.value, placed.filled).into();
        body["average_fee_paid"] = average(placed.fees, placed.filled).into();
    }
    body
}

fn create_one(core: &mut Core, account: usize, body: &Body) -> Result<Value, Refusal> {
    let new = read_create(core, body)?;
    let placed = core.trade(|exchange, changes| exchange.place(account, new, changes))?;
    Ok(placed_json(core, account, &placed))
}

pub(crate) fn create(core: &mut Core, account: usize, text: &str) -> Answered {
    let body = Body::parse(CREATE, text)?;
    Ok(HttpAnswer::json(201, &create_one(core, account, &body)?))
}

/// The orders of a batch; the body's types are checked for all of them before any is placed.
pub(crate) fn batch(text: &str, creates: bool) -> Result<Vec<Body>, Refusal> {
    let (name, item) = if creates {
        ("BatchCreateOrdersV2Request", CREATE)
    } else {
        ("BatchCancelOrdersV2Request", "BatchCancelOrdersV2RequestOrder")
    };
    Body::parse(name, text)?.items("orders", item)
}

pub(crate) fn batch_create(core: &mut Core, account: usize, items: &[Body]) -> Answered {
    let orders = items.iter().map(|item| {
        create_one(core, account, item).unwrap_or_else(|refusal| {
            let mut answer = json!({"fill_count": null, "remaining_count": null, "error": refusal.item()});
            if let Some(client) = item.text("client_order_id") {
                answer["client_order_id"] = client.into();
            }
            answer
        })
    });
    let orders: Vec<Value> = orders.collect();
    Ok(HttpAnswer::json(201, &json!({"orders": orders})))
}

fn cancel_one(
    core: &mut Core,
    account: usize,
    id: &str,
    ticker: Option<&str>,
    index: Option<i64>,
) -> Result<Value, Refusal> {
    // An order is looked for where the request points; elsewhere it is unknown (PROTOCOL.md 6, 11).
    if elsewhere(index) {
        return Err(Refusal::NotFound);
    }
    let market = core.exchange().accounts[account].find(id).map(|order| order.market);
    let known = market.map(|market| core.exchange().markets[market].ticker.as_str());
    if ticker.is_some_and(|ticker| known.is_some_and(|known| known != ticker)) {
        return Err(Refusal::NotFound);
    }
    let (_, reduced) = core.trade(|exchange, changes| exchange.cancel(account, id, changes))?;
    Ok(json!({"order_id": id, "reduced_by": reduced.to_string(), "ts_ms": millis(core.now())}))
}

pub(crate) fn cancel(core: &mut Core, account: usize, id: &str, query: &Query) -> Answered {
    let index =
        query.integer("exchange_index").map_err(|_| Refusal::BadRequest("invalid exchange_index".to_owned()))?;
    ok(&cancel_one(core, account, id, query.get("market_ticker"), index)?)
}

pub(crate) fn batch_cancel(core: &mut Core, account: usize, items: &[Body]) -> Answered {
    for item in items {
        item.typed(&["order_id", "market_ticker"], &["subaccount", "exchange_index"], &[])?;
        item.required("order_id", "OrderID")?;
    }
    let orders = items.iter().map(|item| {
        let id = item.text("order_id").unwrap_or_default();
        let cancelled = cancel_one(core, account, id, item.text("market_ticker"), item.integer("exchange_index"));
        cancelled.unwrap_or_else(
            |refusal| json!({"order_id": id, "reduced_by": "0.00", "ts_ms": null, "error": refusal.item()}),
        )
    });
    let orders: Vec<Value> = orders.collect();
    ok(&json!({"orders": orders}))
}

pub(crate) fn cancel_all(core: &mut Core, account: usize) -> Answered {
    core.trade(|exchange, changes| exchange.cancel_all(account, changes))?;
    Ok(HttpAnswer::text(204, ""))
}

pub(crate) fn amend(core: &mut Core, account: usize, id: &str, text: &str) -> Answered {
    let body = Body::parse(AMEND, text)?;
    body.typed(
        &["ticker", "side", "price", "count", "client_order_id", "updated_client_order_id"],
        &["expiration_time", "exchange_index"],
        &[],
    )?;
    let ticker = body.required("ticker", "Ticker")?;
    let side = body.side()?;
    body.required("count", "Count")?;
    let count = body.count("count")?.filter(|count| !count.is_zero()).ok_or(Refusal::InvalidSize)?;
    if elsewhere(body.integer("exchange_index")) {
        return Err(Refusal::NotFound);
    }
    let wanted = Amendment {
        market: find(core.exchange(), ticker)?,
        side,
        price: body.price()?,
        count,
        client_order_id: body.text("client_order_id").map(str::to_owned),
        updated_client_order_id: body.text("updated_client_order_id").map(str::to_owned),
        expires: expiry(core, &body)?,
    };
    let (number, changed) = core.trade(|exchange, changes| exchange.amend(account, id, &wanted, changes))?;
    let mut answer = placed_json(core, account, &changed.placed);
    answer["order_id"] = core.exchange().order((account, number)).id.clone().into();
    if !changed.resized {
        answer["fill_count"] = Value::Null;
        answer["remaining_count"] = Value::Null;
    }
    if changed.placed.filled.is_zero() {
        answer["average_fill_price"] = Value::Null;
        answer["average_fee_paid"] = Value::Null;
    }
    ok(&answer)
}

pub(crate) fn decrease(core: &mut Core, account: usize, id: &str, text: &str) -> Answered {
    let body = Body::parse(DECREASE, text)?;
    body.typed(&["reduce_by", "reduce_to", "market_ticker"], &["exchange_index"], &[])?;
    let cut = match (body.count("reduce_by")?, body.count("reduce_to")?) {
        (Some(by), None) if !by.is_zero() => Cut::By(by),
        (None, Some(to)) => Cut::To(to),
        (Some(_), None) => return Err(Refusal::InvalidSize),
        _ => return Err(Refusal::InvalidOrder("exactly one of reduce_by and reduce_to is required")),
    };
    if elsewhere(body.integer("exchange_index")) {
        return Err(Refusal::NotFound);
    }
    let number = core.trade(|exchange, changes| exchange.decrease(account, id, cut, changes))?;
    let order = core.exchange().order((account, number));
    let mut answer = json!({
        "order_id": order.id,
        "remaining_count": order.remaining.to_string(),
        "ts_ms": millis(core.now()),
    });
    if !order.client_order_id.is_empty() {
        answer["client_order_id"] = order.client_order_id.clone().into();
    }
    ok(&answer)
}

/// The limit that a group request names, as a whole or as a fixed-point number; both must say the same.
fn group_limit(body: &Body) -> Result<Option<Quantity>, Refusal> {
    body.typed(&["contracts_limit_fp"], &["contracts_limit", "subaccount", "exchange_index"], &[])?;
    let wrong = || Refusal::Parameter("CreateOrderGroup", "ContractsLimit", "gte");
    let whole = match body.integer("contracts_limit") {
        None => None,
        Some(limit) => Some(u64::try_from(limit).ok().filter(|limit| GROUP_LIMITS.contains(limit)).ok_or_else(wrong)?),
    };
    let whole = whole.map(|limit| Quantity::new(limit * 100));
    let exact = body.count("contracts_limit_fp").map_err(|_| wrong())?;
    if exact.is_some_and(|limit| limit.is_zero() || limit.units() > GROUP_LIMITS.end() * 100) {
        return Err(wrong());
    }
    match (whole, exact) {
        (Some(whole), Some(exact)) if whole != exact => Err(wrong()),
        (whole, exact) => Ok(exact.or(whole)),
    }
}

pub(crate) fn groups(core: &Core, account: usize) -> Answered {
    let groups = core.exchange().accounts[account].groups.values().map(|group| {
        let mut body = json!({"id": group.id, "is_auto_cancel_enabled": group.triggered, "exchange_index": 0});
        if let Some(limit) = group.limit {
            body["contracts_limit_fp"] = limit.to_string().into();
        }
        body
    });
    ok(&json!({"order_groups": groups.collect::<Vec<_>>()}))
}

pub(crate) fn group(core: &Core, account: usize, id: &str) -> Answered {
    let member = &core.exchange().accounts[account];
    let group = member.groups.values().find(|group| group.id == id).ok_or(Refusal::NotFound)?;
    let resting = member.resting.values().flatten().map(|number| &member.orders[number]);
    let orders = resting.filter(|order| order.group == Some(group.number)).map(|order| order.id.as_str());
    let mut body = json!({
        "is_auto_cancel_enabled": group.triggered,
        "orders": orders.collect::<Vec<_>>(),
        "exchange_index": 0,
    });
    if let Some(limit) = group.limit {
        body["contracts_limit_fp"] = limit.to_string().into();
    }
    ok(&body)
}

pub(crate) fn group_create(core: &mut Core, account: usize, text: &str) -> Answered {
    let limit = group_limit(&Body::parse("CreateOrderGroupRequest", text)?)?;
    let id = core.trade(|exchange, changes| Ok(exchange.create_group(account, limit, changes)))?;
    Ok(HttpAnswer::json(201, &json!({"order_group_id": id, "subaccount": 0, "exchange_index": 0})))
}

/// What can be done to a group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GroupAct {
    Delete,
    Reset,
    Trigger,
    Limit,
}

pub(crate) fn group_act(core: &mut Core, account: usize, id: &str, act: GroupAct, text: &str) -> Answered {
    let limit = match act {
        GroupAct::Limit => {
            let limit = group_limit(&Body::parse("UpdateOrderGroupLimitRequest", text)?)?;
            Some(limit.ok_or(Refusal::Parameter("UpdateOrderGroupLimit", "ContractsLimit", "required"))?)
        }
        _ => None,
    };
    core.trade(|exchange, changes| match (act, limit) {
        (GroupAct::Delete, _) => exchange.delete_group(account, id, changes),
        (GroupAct::Reset, _) => exchange.reset_group(account, id, changes),
        (GroupAct::Limit, Some(limit)) => exchange.limit_group(account, id, limit, changes),
        (GroupAct::Trigger | GroupAct::Limit, _) => exchange.trigger_group(account, id, changes),
    })?;
    ok(&json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_have_the_decimals_of_the_captures() {
        assert_eq!(average(Money::new(520_000), Quantity::contracts(1)), "0.5200");
        assert_eq!(average(Money::new(17_500), Quantity::contracts(1)), "0.0175");
        assert_eq!(average(Money::new(1_000_000), Quantity::contracts(3)), "0.333333");
    }
}

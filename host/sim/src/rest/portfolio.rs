//! An account's reads. They may lag behind what was written: that is a fault to inject, as seen at the venue.
//!
//! Shapes: captured bodies and openapi.yaml (PROTOCOL.md 3.5).

use super::market_data::seconds;
use super::page::Page;
use super::{Answered, ok};
use crate::core::Core;
use crate::exchange::Exchange;
use crate::gate::limits::Bucket;
use crate::http::Query;
use crate::listing::uuid;
use crate::messages::{direction, signed};
use crate::refusal::Refusal;
use crate::render::{micros, rfc3339};
use crate::trading::{Account, Fill, Holding, Order, Settlement};
use isobar_engine::units::{Money, Price, Quantity, Side};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `98.0186`: dollars on the balance's grid of $0.0001.
fn grid(money: Money) -> String {
    let text = money.to_string();
    text[..text.len() - 2].to_owned()
}

/// Whole cents, truncated.
const fn cents(money: Money) -> i64 {
    money.micros() / 10_000
}

/// What an account's open positions are worth at the last trades, at cost where there was none.
fn value(account: &Account, exchange: &Exchange) -> Money {
    let open = account.holdings.iter().filter(|(_, holding)| holding.position != 0);
    let worth = |(market, holding): (&usize, &Holding)| {
        let last = exchange.markets[*market].volume.last_price;
        if last == Price::ZERO {
            return holding.cost;
        }
        let price = if holding.position < 0 { last.complement() } else { last };
        price.times(Quantity::new(holding.position.unsigned_abs()))
    };
    open.map(worth).sum()
}

pub(crate) fn balance(core: &Core, account: &Account) -> Answered {
    let available = account.available();
    ok(&json!({
        "balance": cents(available),
        "balance_breakdown": [{"balance": grid(available), "exchange_index": 0}],
        "balance_dollars": grid(available),
        "portfolio_value": cents(value(account, core.exchange())),
        "updated_ts": seconds(core.read_as_of()),
    }))
}

fn position_json(ticker: &str, holding: &Holding) -> Value {
    json!({
        "ticker": ticker,
        "exchange_index": 0,
        "total_traded_dollars": holding.traded.to_string(),
        "position_fp": signed(holding.position),
        "market_exposure_dollars": holding.cost.to_string(),
        "realized_pnl_dollars": holding.realised.to_string(),
        "fees_paid_dollars": holding.fees.to_string(),
        "last_updated_ts": micros(holding.updated),
    })
}

pub(crate) fn positions(core: &Core, account: &Account, query: &Query) -> Answered {
    let page = Page::read(query, "GetPositions", "max", 100, 1_000)?;
    let settled = query.get("settlement_status").unwrap_or("unsettled");
    if !["unsettled", "settled", "all"].contains(&settled) {
        return Err(Refusal::Parameter("GetPositions", "SettlementStatus", "oneof"));
    }
    let exchange = core.exchange();
    let filters = query.list("count_filter").unwrap_or_default();
    let wanted = |(market, holding): &(&usize, &Holding)| {
        let listed = &exchange.markets[**market];
        let counted = filters.is_empty()
            || filters.iter().any(|filter| match filter.as_str() {
                "position" => holding.position != 0,
                "total_traded" => holding.traded != Money::ZERO,
                _ => false,
            });
        counted
            && (settled == "all" || holding.settled == (settled == "settled"))
            && query.get("ticker").is_none_or(|ticker| ticker == listed.ticker)
            && query.get("event_ticker").is_none_or(|event| event == listed.event)
    };
    let chosen = account.holdings.iter().filter(wanted);
    let (chosen, cursor) = page.rising(chosen.map(|(market, holding)| (*market as u64 + 1, (*market, holding))));
    let mut events: BTreeMap<&str, Holding> = BTreeMap::new();
    for (market, holding) in &chosen {
        let event = events.entry(&exchange.markets[*market].event).or_default();
        event.traded += holding.traded;
        event.shares += holding.shares;
        event.cost += holding.cost;
        event.realised += holding.realised;
        event.fees += holding.fees;
    }
    let events = events.into_iter().map(|(event, sum)| {
        json!({
            "event_ticker": event,
            "total_cost_dollars": sum.traded.to_string(),
            "total_cost_shares_fp": sum.shares.to_string(),
            "event_exposure_dollars": sum.cost.to_string(),
            "realized_pnl_dollars": sum.realised.to_string(),
            "fees_paid_dollars": sum.fees.to_string(),
        })
    });
    let markets = chosen.iter().map(|(market, holding)| position_json(&exchange.markets[*market].ticker, holding));
    ok(&json!({
        "cursor": cursor,
        "market_positions": markets.collect::<Vec<_>>(),
        "event_positions": events.collect::<Vec<_>>(),
    }))
}

/// The legacy `side` of a fill is its outcome, unlike an order's, so `action` is `buy` throughout.
fn fill_json(fill: &Fill, account: &Account, exchange: &Exchange) -> Value {
    let (outcome, book_side) = direction(fill.side);
    let (ticker, id) = (&exchange.markets[fill.market].ticker, uuid(fill.trade));
    json!({
        "fill_id": id,
        "trade_id": id,
        "exchange_index": 0,
        "order_id": account.orders[&fill.order].id,
        "ticker": ticker,
        "market_ticker": ticker,
        "side": outcome,
        "action": "buy",
        "outcome_side": outcome,
        "book_side": book_side,
        "count_fp": fill.quantity.to_string(),
        "yes_price_dollars": fill.price.to_string(),
        "no_price_dollars": fill.price.complement().to_string(),
        "is_taker": fill.taker,
        "created_time": micros(fill.at),
        "fee_cost": fill.fee.to_string(),
        "subaccount_number": 0,
        "ts": seconds(fill.at),
    })
}

/// Bounds in Unix seconds, as far as a request names them.
fn bounds(query: &Query) -> Result<impl Fn(i64) -> bool, Refusal> {
    let number = |name: &str| query.integer(name).map_err(|_| Refusal::BadRequest(format!("invalid {name}")));
    let (least, most) = (number("min_ts")?, number("max_ts")?);
    Ok(move |at| least.is_none_or(|least| at >= least) && most.is_none_or(|most| at <= most))
}

pub(crate) fn fills(core: &Core, account: &Account, query: &Query) -> Answered {
    let page = Page::read(query, "GetFills", "max", 100, 1_000)?;
    let (exchange, within, tickers) = (core.exchange(), bounds(query)?, query.list("ticker"));
    let wanted = |fill: &Fill| {
        within(seconds(fill.at))
            && tickers.as_ref().is_none_or(|tickers| tickers.contains(&exchange.markets[fill.market].ticker))
            && query.get("order_id").is_none_or(|id| account.orders[&fill.order].id == id)
    };
    let fills = newest(&account.fills).filter(|(_, fill)| wanted(fill));
    let (fills, cursor) = page.falling(fills.map(|(number, fill)| (number, fill_json(fill, account, exchange))));
    ok(&json!({"fills": fills, "cursor": cursor}))
}

/// The newest first, with the number that each has in the order of time.
fn newest<T>(all: &[T]) -> impl Iterator<Item = (u64, &T)> {
    all.iter().enumerate().rev().map(|(index, one)| (index as u64 + 1, one))
}

fn settlement_json(settlement: &Settlement, exchange: &Exchange) -> Value {
    let market = &exchange.markets[settlement.market];
    let count = Quantity::new(settlement.position.unsigned_abs()).to_string();
    let (none, nothing) = (Quantity::ZERO.to_string(), Money::ZERO.to_string());
    let cost = settlement.cost.to_string();
    let (yes, no) = if settlement.position > 0 {
        ((&count, &cost), (&none, &nothing))
    } else {
        ((&none, &nothing), (&count, &cost))
    };
    json!({
        "ticker": market.ticker,
        "exchange_index": 0,
        "event_ticker": market.event,
        "market_result": if settlement.yes { "yes" } else { "no" },
        "yes_count_fp": yes.0,
        "yes_total_cost_dollars": yes.1,
        "no_count_fp": no.0,
        "no_total_cost_dollars": no.1,
        "revenue": cents(settlement.revenue),
        "settled_time": rfc3339(seconds(settlement.at)),
        "fee_cost": settlement.fees.to_string(),
        "value": if settlement.yes { 100 } else { 0 },
    })
}

pub(crate) fn settlements(core: &Core, account: &Account, query: &Query) -> Answered {
    let page = Page::read(query, "GetSettlements", "max", 100, 1_000)?;
    let (exchange, within) = (core.exchange(), bounds(query)?);
    let wanted = |settlement: &Settlement| {
        let market = &exchange.markets[settlement.market];
        within(seconds(settlement.at))
            && query.get("ticker").is_none_or(|ticker| ticker == market.ticker)
            && query.get("event_ticker").is_none_or(|event| event == market.event)
    };
    let all = newest(&account.settlements).filter(|(_, one)| wanted(one));
    let (settlements, cursor) = page.falling(all.map(|(number, one)| (number, settlement_json(one, exchange))));
    ok(&json!({"cursor": cursor, "settlements": settlements}))
}

/// An order as reads show it. Written without a tree of values between: a host reads all its orders again and again.
#[derive(Serialize)]
struct OrderBody<'a> {
    order_id: &'a str,
    user_id: &'a str,
    client_order_id: &'a str,
    ticker: &'a str,
    /// The legacy pair speaks of the YES leg: an ask sells YES.
    side: &'static str,
    action: &'static str,
    outcome_side: &'static str,
    book_side: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    status: &'static str,
    yes_price_dollars: String,
    no_price_dollars: String,
    fill_count_fp: String,
    remaining_count_fp: String,
    initial_count_fp: String,
    taker_fill_cost_dollars: String,
    maker_fill_cost_dollars: String,
    taker_fees_dollars: String,
    maker_fees_dollars: String,
    created_time: String,
    last_update_time: String,
    self_trade_prevention_type: &'static str,
    cancel_order_on_pause: bool,
    subaccount_number: u8,
    exchange_index: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_group_id: Option<&'a str>,
}

fn order_body<'a>(order: &'a Order, account: &'a Account, exchange: &'a Exchange) -> OrderBody<'a> {
    let (outcome_side, book_side) = direction(order.side);
    let group = order.group.and_then(|group| account.groups.get(&group));
    OrderBody {
        order_id: &order.id,
        user_id: &account.user,
        client_order_id: &order.client_order_id,
        ticker: &exchange.markets[order.market].ticker,
        side: "yes",
        action: if order.side == Side::Bid { "buy" } else { "sell" },
        outcome_side,
        book_side,
        kind: "limit",
        status: order.status.word(),
        yes_price_dollars: order.price.to_string(),
        no_price_dollars: order.price.complement().to_string(),
        fill_count_fp: order.filled.to_string(),
        remaining_count_fp: order.remaining.to_string(),
        initial_count_fp: order.initial.to_string(),
        taker_fill_cost_dollars: order.taker_cost.to_string(),
        maker_fill_cost_dollars: order.maker_cost.to_string(),
        taker_fees_dollars: order.taker_fees.to_string(),
        maker_fees_dollars: order.maker_fees.to_string(),
        created_time: micros(order.created),
        last_update_time: micros(order.updated),
        self_trade_prevention_type: order.self_trade.word(),
        cancel_order_on_pause: order.cancel_on_pause,
        subaccount_number: 0,
        exchange_index: 0,
        expiration_time: order.expires.map(|at| rfc3339(seconds(at))),
        order_group_id: group.map(|group| group.id.as_str()),
    }
}

#[derive(Serialize)]
struct OrdersBody<'a> {
    cursor: String,
    orders: Vec<OrderBody<'a>>,
}

#[derive(Serialize)]
struct OneOrderBody<'a> {
    order: OrderBody<'a>,
}

pub(crate) fn orders(core: &Core, account: &Account, query: &Query) -> Answered {
    let page = Page::read(query, "GetOrders", "max", 100, 1_000)?;
    let (exchange, within) = (core.exchange(), bounds(query)?);
    let (tickers, events) = (query.list("ticker"), query.list("event_ticker"));
    let wanted = |order: &Order| {
        let market = &exchange.markets[order.market];
        within(seconds(order.created))
            && query.get("status").is_none_or(|status| status == order.status.word())
            && tickers.as_ref().is_none_or(|tickers| tickers.contains(&market.ticker))
            && events.as_ref().is_none_or(|events| events.contains(&market.event))
    };
    let orders = account.orders.iter().rev().filter(|(_, order)| wanted(order));
    let (orders, cursor) = page.falling(orders.map(|(number, order)| (*number, order_body(order, account, exchange))));
    ok(&OrdersBody { cursor, orders })
}

pub(crate) fn order(core: &Core, account: &Account, id: &str) -> Answered {
    let order = account.find(id).ok_or(Refusal::NotFound)?;
    ok(&OneOrderBody { order: order_body(order, account, core.exchange()) })
}

/// Queue positions are the engine's and never lag.
pub(crate) fn queue_positions(core: &Core, account: usize, query: &Query) -> Answered {
    let exchange = core.exchange();
    let (tickers, event) = (query.list("market_tickers"), query.get("event_ticker"));
    if tickers.is_none() && event.is_none() {
        return Err(Refusal::Parameter("GetOrderQueuePositions", "MarketTickers", "required_without"));
    }
    let keys = exchange.resting(|order| {
        let market = &exchange.markets[order.market];
        order.account == account
            && tickers.as_ref().is_none_or(|tickers| tickers.contains(&market.ticker))
            && event.is_none_or(|event| event == market.event)
    });
    let positions = keys.into_iter().map(|key| {
        let order = exchange.order(key);
        json!({
            "order_id": order.id,
            "market_ticker": exchange.markets[order.market].ticker,
            "queue_position_fp": exchange.queue_position(key).to_string(),
        })
    });
    ok(&json!({"queue_positions": positions.collect::<Vec<_>>()}))
}

pub(crate) fn queue_position(core: &Core, account: usize, id: &str) -> Answered {
    let order = core.exchange().accounts[account].find_resting(id).ok_or(Refusal::NotFound)?;
    let ahead = core.exchange().queue_position((account, order.number));
    ok(&json!({"queue_position_fp": ahead.to_string()}))
}

pub(crate) fn resting_value(account: &Account) -> Answered {
    let orders = account.resting.values().flatten().map(|number| &account.orders[number]);
    let value = |order: &Order| match order.side {
        Side::Bid => order.price.times(order.remaining),
        Side::Ask => order.price.complement().times(order.remaining),
    };
    let sum: Money = orders.map(value).sum();
    ok(&json!({
        "total_resting_order_value": cents(sum),
        "resting_order_value_breakdown": [{"exchange_index": 0, "balance": grid(sum)}],
    }))
}

pub(crate) fn limits(core: &Core, account: usize) -> Answered {
    let limits = core.limits(account);
    let bucket = |bucket: &Bucket| json!({"bucket_capacity": bucket.capacity, "refill_rate": bucket.rate});
    ok(&json!({
        "grants": [],
        "read": bucket(&limits.read),
        "usage_tier": limits.tier.word(),
        "write": bucket(&limits.write),
    }))
}

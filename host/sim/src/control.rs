//! What only a simulation has, below `/sim`: its clock, its weather, the true books, faults, pauses.
//!
//! Plain JSON, unsigned: whoever reaches the port may use it, so the port belongs on loopback.

use crate::clock::wall;
use crate::core::Core;
use crate::counts::Counts;
use crate::faults::{Fault, FaultRates};
use crate::inspect::{FillView, OrderView};
use crate::server::Shared;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use isobar_engine::units::{Price, Quantity, SECOND, Side, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/sim/clock", get(clock))
        .route("/sim/weather", get(weather))
        .route("/sim/book/{ticker}", get(book))
        .route("/sim/books", get(books))
        .route("/sim/accounts", get(accounts))
        .route("/sim/orders", get(orders))
        .route("/sim/fills", get(fills))
        .route("/sim/counts", get(counts))
        .route("/sim/fault", post(fault))
        .route("/sim/faults", post(fault))
        .route("/sim/faults/rates", post(rates))
        .route("/sim/pause", post(pause))
        .route("/sim/market", post(market))
        .route("/sim/day", post(day))
        .route("/sim/fee", post(fee))
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

fn unknown(what: &str) -> (StatusCode, Json<Value>) {
    (StatusCode::NOT_FOUND, Json(json!({"error": format!("no such {what}")})))
}

/// The exchange's clock, so that a host can run on the same one.
async fn clock(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let venue = shared.venue();
    Json(json!({
        "now_ns": venue.now().0,
        "wall_ns": wall(),
        "epoch_ns": venue.clock.epoch.0,
        "wall_epoch_ns": venue.clock.wall_epoch,
        "factor": venue.clock.factor,
    }))
}

async fn weather(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let venue = shared.venue();
    let now = venue.now();
    Json(venue.core.weather.iter().filter_map(|row| row.told(now)).collect())
}

/// A side of the YES book in the venue's word.
const fn side(side: Side) -> &'static str {
    match side {
        Side::Bid => "bid",
        Side::Ask => "ask",
    }
}

fn pairs(levels: &[(Price, Quantity)]) -> Vec<[String; 2]> {
    levels.iter().map(|(price, quantity)| [price.to_string(), quantity.to_string()]).collect()
}

/// The truth about a book in YES prices, best first on both sides.
fn told(core: &Core, ticker: &str) -> Option<Value> {
    let (bids, asks) = core.inspect().book(ticker)?;
    let market = &core.exchange().markets[core.exchange().find(ticker)?];
    let (clock, status) = (market.clock, market.status(core.now()));
    Some(json!({"ticker": ticker, "status": status, "bids": pairs(&bids), "asks": pairs(&asks), "clock": clock}))
}

async fn book(State(shared): State<Arc<Shared>>, Path(ticker): Path<String>) -> Answer {
    told(&shared.venue().core, &ticker).map(Json).ok_or_else(|| unknown("market"))
}

/// The truth about every book, at one moment.
async fn books(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let venue = shared.venue();
    let markets = venue.core.inspect().markets().into_iter();
    Json(markets.filter_map(|(ticker, _)| told(&venue.core, ticker)).collect())
}

/// Money, positions and resting orders of every account, without lag.
async fn accounts(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let venue = shared.venue();
    let inspect = venue.core.inspect();
    let accounts = inspect.accounts().map(|account| {
        json!({
            "cash": inspect.cash(account).to_string(),
            "available": inspect.available(account).to_string(),
            "fees": inspect.fees(account).to_string(),
            "positions": inspect.positions(account),
            "resting_orders": inspect.resting(account).len(),
            "fills": inspect.fills(account).len(),
        })
    });
    Json(accounts.collect())
}

/// Every order that each account ever placed, without lag.
async fn orders(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let venue = shared.venue();
    let inspect = venue.core.inspect();
    let told = |account: usize, order: OrderView| {
        json!({
            "ahead": inspect.queue_position(account, &order.order_id).map(|ahead| ahead.to_string()),
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "ticker": order.ticker,
            "side": side(order.side),
            "price": order.price.to_string(),
            "initial": order.initial.to_string(),
            "filled": order.filled.to_string(),
            "remaining": order.remaining.to_string(),
            "status": order.status,
        })
    };
    let accounts = inspect
        .accounts()
        .map(|account| inspect.orders(account).into_iter().map(|order| told(account, order)).collect::<Value>());
    Json(accounts.collect())
}

/// Every execution of each account, without lag.
async fn fills(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let venue = shared.venue();
    let inspect = venue.core.inspect();
    let told = |fill: FillView| {
        json!({
            "trade_id": fill.trade_id,
            "order_id": fill.order_id,
            "ticker": fill.ticker,
            "side": side(fill.side),
            "price": fill.price.to_string(),
            "quantity": fill.quantity.to_string(),
            "fee": fill.fee.to_string(),
            "taker": fill.taker,
        })
    };
    let accounts = inspect.accounts().map(|account| inspect.fills(account).into_iter().map(told).collect::<Value>());
    Json(accounts.collect())
}

/// What was answered and what went wrong so far.
async fn counts(State(shared): State<Arc<Shared>>) -> Json<Counts> {
    Json(shared.venue().core.counts())
}

async fn fault(State(shared): State<Arc<Shared>>, Json(fault): Json<Fault>) -> Json<Value> {
    shared.act(|core| core.inject(fault));
    Json(json!({}))
}

async fn rates(State(shared): State<Arc<Shared>>, Json(rates): Json<FaultRates>) -> Json<Value> {
    shared.act(|core| core.set_rates(rates));
    Json(json!({}))
}

/// A pause of everything, or its end.
#[derive(Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
enum Pause {
    /// No placing and amending.
    Trading,
    /// Nothing changes state.
    Exchange,
    /// Trading again.
    Resume,
}

async fn pause(State(shared): State<Arc<Shared>>, Json(pause): Json<Pause>) -> Json<Value> {
    shared.act(|core| match pause {
        Pause::Trading => core.pause(false),
        Pause::Exchange => core.pause(true),
        Pause::Resume => core.resume(),
    });
    Json(json!({}))
}

/// Something that happens to a market on demand.
#[derive(Deserialize)]
struct Demand {
    ticker: String,
    #[serde(flatten)]
    act: Act,
}

#[derive(Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum Act {
    /// `deactivated`
    Pause,
    /// `activated`: resting orders are cancelled.
    Resume,
    /// Closes in so many seconds, earlier than planned.
    Close { in_s: i64 },
    /// The result becomes known.
    Determine { yes: bool },
    /// It is paid.
    Settle,
    /// Other strikes.
    Strike { floor: Option<i64>, cap: Option<i64> },
    /// Another price grid.
    Structure { tapered: bool },
}

async fn market(State(shared): State<Arc<Shared>>, Json(Demand { ticker, act }): Json<Demand>) -> Answer {
    let done = shared.act(|core| match act {
        Act::Pause => core.pause_market(&ticker, true),
        Act::Resume => core.pause_market(&ticker, false),
        Act::Close { in_s } => {
            let closes = Timestamp(core.now().0.saturating_add(in_s.max(0).saturating_mul(SECOND)));
            core.close_early(&ticker, closes)
        }
        Act::Determine { yes } => core.determine(&ticker, yes),
        Act::Settle => core.settle(&ticker),
        Act::Strike { floor, cap } => core.restrike(&ticker, floor, cap),
        Act::Structure { tapered } => core.regrid(&ticker, tapered),
    });
    if done { Ok(Json(json!({}))) } else { Err(unknown("market, or nothing that it can do now")) }
}

/// Another climate day.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    /// `2026-07-02`
    date: String,
    /// °F
    high: i32,
}

async fn day(State(shared): State<Arc<Shared>>, Json(day): Json<Day>) -> Answer {
    let date = day.date.parse().map_err(|_| unknown("date"))?;
    shared.act(|core| core.list_day(date, day.high));
    Ok(Json(json!({})))
}

/// A fee override of an event, or its end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fee {
    event_ticker: String,
    makers_pay: Option<bool>,
}

async fn fee(State(shared): State<Arc<Shared>>, Json(fee): Json<Fee>) -> Answer {
    let known = shared.act(|core| core.override_fee(&fee.event_ticker, fee.makers_pay));
    if known { Ok(Json(json!({}))) } else { Err(unknown("event")) }
}

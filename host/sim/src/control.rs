//! What only a simulation has, below `/sim`: its clock, its weather, the true books, faults, pauses.
//!
//! Plain JSON, unsigned: whoever reaches the port may use it, so the port belongs on loopback.

use crate::clock::wall;
use crate::faults::{Fault, FaultRates};
use crate::server::Shared;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use isobar_engine::units::{Price, Quantity, SECOND, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/sim/clock", get(clock))
        .route("/sim/weather", get(weather))
        .route("/sim/book/{ticker}", get(book))
        .route("/sim/accounts", get(accounts))
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

fn pairs(levels: &[(Price, Quantity)]) -> Vec<[String; 2]> {
    levels.iter().map(|(price, quantity)| [price.to_string(), quantity.to_string()]).collect()
}

/// The truth about a book in YES prices, best first on both sides.
async fn book(State(shared): State<Arc<Shared>>, Path(ticker): Path<String>) -> Answer {
    let venue = shared.venue();
    let (bids, asks) = venue.core.inspect().book(&ticker).ok_or_else(|| unknown("market"))?;
    let exchange = venue.core.exchange();
    let clock = exchange.find(&ticker).map(|market| exchange.markets[market].clock);
    Ok(Json(json!({"ticker": ticker, "bids": pairs(&bids), "asks": pairs(&asks), "clock": clock})))
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

//! The venue's public REST, and the simulation's own endpoints below `/sim`.
//!
//! Shapes: openapi.yaml 3.34.0 and captured bodies (PROTOCOL.md 3.1, 3.3, 3.4, 7). Everything is public, as at the
//! venue; nothing here changes the exchange but the faults.

use crate::book::Outcome;
use crate::clock::wall;
use crate::exchange::Exchange;
use crate::listing::{CityDay, HOUR, Market, SETTLEMENT_TIMER_S, Series};
use crate::render::rfc3339;
use crate::server::Shared;
use crate::session::Channel;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use isobar_engine::units::{Price, Quantity, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn router() -> Router<Arc<Shared>> {
    let venue = Router::new()
        .route("/exchange/status", get(exchange_status))
        .route("/series", get(series_list))
        .route("/series/{ticker}", get(series_one))
        .route("/events", get(events_list))
        .route("/events/{ticker}", get(event_one))
        .route("/markets", get(markets_list))
        .route("/markets/{ticker}", get(market_one))
        .route("/markets/{ticker}/orderbook", get(orderbook));
    Router::new()
        .nest("/trade-api/v2", venue)
        .route("/trade-api/ws/v2", get(crate::socket::upgrade))
        .route("/sim/clock", get(clock))
        .route("/sim/weather", get(weather))
        .route("/sim/book/{ticker}", get(book))
        .route("/sim/fault", post(fault))
}

/// Status and body of what the venue refuses.
type Refusal = (StatusCode, Json<Value>);
type Answer = Result<Json<Value>, Refusal>;

fn not_found() -> Refusal {
    (StatusCode::NOT_FOUND, Json(json!({"error": {"code": "not_found", "message": "not found"}})))
}

fn invalid(parameters: &str, field: &str, tag: &str) -> Refusal {
    let text = format!(
        "Parameter validation failed for {parameters}: Key: '{parameters}Params.{field}' Error:Field validation for '{field}' failed on the '{tag}' tag"
    );
    (StatusCode::BAD_REQUEST, Json(json!({"msg": text})))
}

fn moment(at: Timestamp) -> String {
    rfc3339(at.0.div_euclid(1_000_000_000))
}

fn series_json(series: &Series) -> Value {
    json!({
        "ticker": series.ticker,
        "title": series.title,
        "frequency": "daily",
        "category": series.category,
        "categories": [series.category],
        "tags": ["Daily temperature"],
        "settlement_sources": sources(),
        "contract_url": "https://kalshi-public-docs.s3.amazonaws.com/contract_terms/GLOBALTEMPERATURE.pdf",
        "contract_terms_url": "https://kalshi-public-docs.s3.amazonaws.com/contract_terms/GLOBALTEMPERATURE.pdf",
        "fee_type": "quadratic",
        "fee_multiplier": 1,
        "additional_prohibitions": [],
        "exchange_index": 0,
    })
}

fn sources() -> Value {
    json!([{"name": "The Weather Company", "url": "https://weather.com/kalshi"}])
}

fn event_json(event: &CityDay) -> Value {
    json!({
        "event_ticker": event.ticker,
        "series_ticker": event.series,
        "title": event.title,
        "sub_title": event.sub_title,
        "collateral_return_type": "MECNET",
        "mutually_exclusive": true,
        "category": "Climate and Weather",
        "strike_date": event.strike_date.map(moment),
        "strike_period": "",
        "settlement_sources": sources(),
        "exchange_index": 0,
    })
}

fn market_json(market: &Market, now: Timestamp) -> Value {
    let (quoted, volume, words) = (market.quoted, market.volume, market.strike.words());
    let words = if words.is_empty() { market.ticker.clone() } else { words };
    let created = moment(market.opens.plus(-4 * HOUR));
    let mut body = json!({
        "ticker": market.ticker,
        "event_ticker": market.event,
        "market_type": "binary",
        "title": market.title,
        "subtitle": words,
        "yes_sub_title": words,
        "no_sub_title": words,
        "created_time": created,
        "updated_time": created,
        "open_time": moment(market.opens),
        "close_time": moment(market.closes),
        "expected_expiration_time": moment(market.closes.plus(9 * HOUR)),
        "expiration_time": moment(market.closes.plus(7 * 24 * HOUR)),
        "latest_expiration_time": moment(market.closes.plus(7 * 24 * HOUR)),
        "settlement_timer_seconds": SETTLEMENT_TIMER_S,
        "status": market.status(now),
    });
    // In parts: one macro call of all fields is beyond the compiler's patience.
    let range = |[start, end, step]: &[&str; 3]| json!({"start": start, "end": end, "step": step});
    let quotes = json!({
        "price_ranges": market.grid.ranges().iter().map(range).collect::<Vec<_>>(),
        "notional_value_dollars": "1.0000",
        "yes_bid_dollars": quoted.bid.to_string(),
        "yes_ask_dollars": quoted.ask.to_string(),
        "no_bid_dollars": quoted.ask.complement().to_string(),
        "no_ask_dollars": quoted.bid.complement().to_string(),
        "yes_bid_size_fp": quoted.bid_size.to_string(),
        "yes_ask_size_fp": quoted.ask_size.to_string(),
        "last_price_dollars": volume.last_price.to_string(),
        "previous_yes_bid_dollars": "0.0000",
        "previous_yes_ask_dollars": "0.0000",
        "previous_price_dollars": "0.0000",
        "volume_fp": volume.contracts.to_string(),
        "volume_24h_fp": volume.contracts.to_string(),
        "open_interest_fp": volume.open_interest.to_string(),
        "result": "",
        "can_close_early": true,
        "expiration_value": "",
        "rules_primary": market.title,
        "rules_secondary": "",
        "strike_type": market.strike.word,
        "price_level_structure": market.grid.label(),
        "settlement_bounds_type": "default",
        "exchange_index": 0,
    });
    for (part, value) in quotes.as_object().expect("it was written as an object") {
        body[part] = value.clone();
    }
    if let Some(floor) = &market.strike.floor {
        body["floor_strike"] = floor.clone().into();
    }
    if let Some(cap) = &market.strike.cap {
        body["cap_strike"] = cap.clone().into();
    }
    if let Some(result) = &market.result {
        body["result"] = if result.yes { "yes" } else { "no" }.into();
        body["settlement_value_dollars"] = if result.yes { "1.0000" } else { "0.0000" }.into();
        body["expiration_value"] = result.value.map_or_else(String::new, |degrees| format!("{degrees}.00")).into();
    }
    if let Some(at) = market.settled {
        body["settlement_ts"] = moment(at).into();
    }
    body
}

async fn exchange_status(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let up = !shared.venue().exchange.down;
    Json(json!({
        "exchange_active": up,
        "trading_active": up,
        "exchange_index_statuses": [{"exchange_index": 0, "description": "", "exchange_active": up, "trading_active": up, "intra_exchange_transfers_active": up}],
    }))
}

#[derive(Deserialize)]
struct Filter {
    category: Option<String>,
    series_ticker: Option<String>,
    event_ticker: Option<String>,
    tickers: Option<String>,
    status: Option<String>,
    min_close_ts: Option<i64>,
    max_close_ts: Option<i64>,
    with_nested_markets: Option<bool>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl Filter {
    /// One page of `all` and the cursor of the next; a cursor that is not ours is taken for the beginning, as at the venue.
    fn page<T>(&self, all: Vec<T>, default: usize) -> (Vec<T>, String) {
        let limit = self.limit.unwrap_or(default).max(1);
        let from = self.cursor.as_deref().and_then(|cursor| cursor.strip_prefix("after-")?.parse().ok()).unwrap_or(0);
        let more = all.len().saturating_sub(from) > limit;
        let cursor = if more { format!("after-{}", from + limit) } else { String::new() };
        (all.into_iter().skip(from).take(limit).collect(), cursor)
    }

    /// Words of the status filter to the status of a market (PROTOCOL.md 7.3).
    fn admits(&self, market: &Market, now: Timestamp) -> bool {
        let status = market.status(now);
        match self.status.as_deref() {
            None | Some("") => true,
            Some("unopened") => status == "initialized",
            Some("open") => status == "active",
            Some("closed") => status == "closed" || status == "determined",
            Some("settled") => status == "finalized",
            Some(_) => false,
        }
    }

    fn check(&self, parameters: &str, most: usize) -> Result<(), Refusal> {
        const WORDS: [&str; 6] = ["", "unopened", "open", "paused", "closed", "settled"];
        if self.limit.is_some_and(|limit| limit > most) {
            return Err(invalid(parameters, "Limit", "lte"));
        }
        if self.status.as_deref().is_some_and(|word| !WORDS.contains(&word)) {
            return Err(invalid(parameters, "Status", "oneof"));
        }
        Ok(())
    }
}

async fn series_list(State(shared): State<Arc<Shared>>, Query(filter): Query<Filter>) -> Json<Value> {
    let venue = shared.venue();
    let wanted = |series: &&Series| filter.category.as_deref().is_none_or(|category| category == series.category);
    let series: Vec<Value> = venue.exchange.series.values().filter(wanted).map(series_json).collect();
    Json(json!({"series": series}))
}

async fn series_one(State(shared): State<Arc<Shared>>, Path(ticker): Path<String>) -> Answer {
    let venue = shared.venue();
    let series = venue.exchange.series.get(&ticker).ok_or_else(not_found)?;
    Ok(Json(json!({"series": series_json(series)})))
}

fn markets_of(exchange: &Exchange, event: &str, now: Timestamp) -> Vec<Value> {
    let markets = exchange.markets.iter().filter(|market| market.event == event);
    markets.map(|market| market_json(market, now)).collect()
}

async fn events_list(State(shared): State<Arc<Shared>>, Query(filter): Query<Filter>) -> Answer {
    filter.check("GetEvents", 200)?;
    let venue = shared.venue();
    let (exchange, now) = (&venue.exchange, venue.now());
    let wanted = |event: &&CityDay| {
        filter.series_ticker.as_deref().is_none_or(|series| series == event.series)
            && exchange.markets.iter().any(|market| market.event == event.ticker && filter.admits(market, now))
    };
    let (page, cursor) = filter.page(exchange.events.values().filter(wanted).collect(), 200);
    let nested = filter.with_nested_markets == Some(true);
    let events = page.into_iter().map(|event| {
        let mut body = event_json(event);
        if nested {
            body["markets"] = markets_of(exchange, &event.ticker, now).into();
        }
        body
    });
    Ok(Json(json!({"events": events.collect::<Vec<_>>(), "milestones": [], "cursor": cursor})))
}

async fn event_one(
    State(shared): State<Arc<Shared>>,
    Path(ticker): Path<String>,
    Query(filter): Query<Filter>,
) -> Answer {
    let venue = shared.venue();
    let event = venue.exchange.events.get(&ticker).ok_or_else(not_found)?;
    let markets = markets_of(&venue.exchange, &ticker, venue.now());
    let mut body = event_json(event);
    if filter.with_nested_markets == Some(true) {
        body["markets"] = markets.clone().into();
    }
    Ok(Json(json!({"event": body, "markets": markets})))
}

async fn markets_list(State(shared): State<Arc<Shared>>, Query(filter): Query<Filter>) -> Answer {
    filter.check("GetMarkets", 1_000)?;
    let venue = shared.venue();
    let (exchange, now) = (&venue.exchange, venue.now());
    let named: Option<Vec<&str>> = filter.tickers.as_deref().map(|tickers| tickers.split(',').collect());
    let seconds = |at: Timestamp| at.0.div_euclid(1_000_000_000);
    let wanted = |market: &&Market| {
        let series = exchange.events.get(&market.event).map(|event| event.series.as_str());
        filter.series_ticker.as_deref().is_none_or(|wanted| series == Some(wanted))
            && filter.event_ticker.as_deref().is_none_or(|wanted| wanted == market.event)
            && named.as_ref().is_none_or(|named| named.contains(&market.ticker.as_str()))
            && filter.min_close_ts.is_none_or(|least| seconds(market.closes) >= least)
            && filter.max_close_ts.is_none_or(|most| seconds(market.closes) <= most)
            && filter.admits(market, now)
    };
    let (page, cursor) = filter.page(exchange.markets.iter().filter(wanted).collect(), 100);
    let markets: Vec<Value> = page.into_iter().map(|market| market_json(market, now)).collect();
    Ok(Json(json!({"markets": markets, "cursor": cursor})))
}

fn find<'a>(exchange: &'a Exchange, ticker: &str) -> Result<&'a Market, Refusal> {
    exchange.find(ticker).map(|market| &exchange.markets[market]).ok_or_else(not_found)
}

async fn market_one(State(shared): State<Arc<Shared>>, Path(ticker): Path<String>) -> Answer {
    let venue = shared.venue();
    let market = find(&venue.exchange, &ticker)?;
    Ok(Json(json!({"market": market_json(market, venue.now())})))
}

#[derive(Deserialize)]
struct Depth {
    depth: Option<i64>,
}

fn pair((price, quantity): (&Price, &Quantity)) -> Value {
    json!([price.to_string(), quantity.to_string()])
}

/// Bids of both outcomes, ascending; `depth` keeps the best ones.
async fn orderbook(
    State(shared): State<Arc<Shared>>,
    Path(ticker): Path<String>,
    Query(depth): Query<Depth>,
) -> Answer {
    let venue = shared.venue();
    let market = find(&venue.exchange, &ticker)?;
    let deepest = depth.depth.and_then(|depth| usize::try_from(depth).ok()).filter(|depth| *depth > 0);
    let side = |outcome| {
        let bids = market.book.bids(outcome);
        let skipped = bids.len().saturating_sub(deepest.unwrap_or(usize::MAX));
        bids.iter().skip(skipped).map(pair).collect::<Vec<_>>()
    };
    Ok(Json(json!({"orderbook_fp": {"yes_dollars": side(Outcome::Yes), "no_dollars": side(Outcome::No)}})))
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
    Json(venue.weather.iter().filter_map(|row| row.told(now)).collect())
}

/// The truth about a book in YES prices, best first on both sides.
async fn book(State(shared): State<Arc<Shared>>, Path(ticker): Path<String>) -> Answer {
    let venue = shared.venue();
    let market = find(&venue.exchange, &ticker)?;
    let bids: Vec<Value> = market.book.bids(Outcome::Yes).iter().rev().map(pair).collect();
    let asks =
        market.book.bids(Outcome::No).iter().rev().map(|(price, quantity)| pair((&price.complement(), quantity)));
    Ok(Json(json!({"ticker": ticker, "bids": bids, "asks": asks.collect::<Vec<_>>(), "clock": market.clock})))
}

/// A fault to inject into every connection that is open now.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Fault {
    /// The subscriptions of a channel say nothing more while their connections live.
    Silence { channel: String },
    /// Every connection ends without a closing handshake.
    Disconnect,
    /// The next sequenced message of a channel gets lost.
    Gap { channel: Option<String> },
}

async fn fault(State(shared): State<Arc<Shared>>, Json(fault): Json<Fault>) -> Answer {
    let parse = |word: &str| Channel::parse(word).ok_or_else(|| invalid("Fault", "Channel", "oneof"));
    {
        let mut venue = shared.venue();
        match fault {
            Fault::Silence { channel } => venue.silence(parse(&channel)?),
            Fault::Disconnect => venue.disconnect_all(),
            Fault::Gap { channel } => venue.lose_next(parse(channel.as_deref().unwrap_or("orderbook_delta"))?),
        }
    }
    shared.tell_all();
    Ok(Json(json!({})))
}

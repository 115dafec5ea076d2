//! Public reads: exchange, series, events, markets, books, trades.
//!
//! Shapes: openapi.yaml 3.34.0 and captured bodies (PROTOCOL.md 3.1, 3.3, 3.4, 7).

use super::page::Page;
use super::{Answered, ok};
use crate::book::Outcome;
use crate::core::Core;
use crate::exchange::{Exchange, FeeChange, Halt, Trade};
use crate::http::Query;
use crate::listing::{CityDay, HOUR, Market, SETTLEMENT_TIMER_S, Series, date_of, fee_type, uuid};
use crate::maintenance;
use crate::messages::direction;
use crate::refusal::Refusal;
use crate::render::{micros, rfc3339};
use crate::rules;
use crate::trading::side;
use isobar_engine::units::{Price, Quantity, Timestamp};
use serde_json::{Value, json};

pub(crate) fn moment(at: Timestamp) -> String {
    rfc3339(at.0.div_euclid(1_000_000_000))
}

pub(crate) fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000_000)
}

/// The day at a moment in the middle of the country, for what is listed without a day.
fn day(now: Timestamp) -> jiff::civil::Date {
    jiff::civil::Date::constant(1970, 1, 1) + jiff::Span::new().days(now.plus(-6 * HOUR).0.div_euclid(24 * HOUR))
}

fn series_json(series: &Series, exchange: &Exchange, volume: bool) -> Value {
    let contract = "https://kalshi-public-docs.s3.amazonaws.com/contract_terms/GLOBALTEMPERATURE.pdf";
    let mut body = json!({
        "ticker": series.ticker,
        "title": series.title,
        "frequency": "daily",
        "category": series.category,
        "categories": [series.category],
        "tags": ["Daily temperature"],
        "settlement_sources": rules::sources(&series.ticker, day(exchange.now)),
        "contract_url": contract,
        "contract_terms_url": contract,
        "fee_type": fee_type(exchange.maker_fees),
        "fee_multiplier": 1,
        "additional_prohibitions": [],
        "exchange_index": 0,
    });
    if volume {
        let events = exchange.events.values().filter(|event| event.series == series.ticker);
        let markets = events.flat_map(|event| exchange.markets.iter().filter(|market| market.event == event.ticker));
        body["volume_fp"] = markets.map(|market| market.volume.contracts).sum::<Quantity>().to_string().into();
    }
    body
}

fn event_json(event: &CityDay) -> Value {
    let mut body = json!({
        "event_ticker": event.ticker,
        "series_ticker": event.series,
        "title": event.title,
        "sub_title": event.sub_title,
        "collateral_return_type": "MECNET",
        "mutually_exclusive": true,
        "category": "Climate and Weather",
        "strike_date": event.strike_date.map(moment),
        "strike_period": "",
        "settlement_sources": rules::sources(&event.series, date_of(&event.ticker).unwrap_or_default()),
        "exchange_index": 0,
    });
    if let Some(makers_pay) = event.makers_pay {
        body["fee_type_override"] = fee_type(makers_pay).into();
        body["fee_multiplier_override"] = 1.into();
    }
    body
}

fn fee_change_json(number: u64, change: &FeeChange, exchange: &Exchange) -> Value {
    json!({
        "id": uuid(number),
        "event_ticker": change.event,
        "series_ticker": exchange.events[&change.event].series,
        "fee_type_override": change.makers_pay.map(fee_type),
        "fee_multiplier_override": change.makers_pay.map(|_| 1),
        "scheduled_ts": micros(change.at),
    })
}

/// `GET /events/fee_changes`: overrides of fees and their ends, newest first.
pub(crate) fn event_fee_changes(core: &Core, query: &Query) -> Answered {
    let page = Page::read(query, "GetEventFeeChanges", "lte", 100, 1_000)?;
    let (exchange, event) = (core.exchange(), query.get("event_ticker"));
    let changes =
        (1..).zip(&exchange.fee_changes).filter(|(_, change)| event.is_none_or(|event| event == change.event));
    let changes: Vec<_> = changes.collect();
    let (changes, cursor) = page
        .falling(changes.into_iter().rev().map(|(number, change)| (number, fee_change_json(number, change, exchange))));
    ok(&json!({"event_fee_changes": changes, "cursor": cursor}))
}

fn market_json(market: &Market, core: &Core) -> Value {
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
        "status": market.status(core.now()),
    });
    // The demo exchange showed an ask of nothing for an empty side (PROTOCOL.md 3.3).
    let ask = if core.demo_books() && quoted.ask_size.is_zero() { Price::ZERO } else { quoted.ask };
    // In parts: one macro call of all fields is beyond the compiler's patience.
    let range = |[start, end, step]: &[&str; 3]| json!({"start": start, "end": end, "step": step});
    let quotes = json!({
        "price_ranges": market.grid.ranges().iter().map(range).collect::<Vec<_>>(),
        "notional_value_dollars": "1.0000",
        "yes_bid_dollars": quoted.bid.to_string(),
        "yes_ask_dollars": ask.to_string(),
        "no_bid_dollars": ask.complement().to_string(),
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
        "rules_primary": rules::primary(market),
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

pub(crate) fn status(core: &Core) -> Answered {
    let exchange = core.exchange();
    let active = !exchange.down && !core.out() && exchange.halt != Halt::Exchange;
    let trading = active && exchange.halt == Halt::None;
    let mut body = json!({
        "exchange_active": active,
        "trading_active": trading,
        "intra_exchange_transfers_active": active,
        "exchange_index_statuses": [{
            "exchange_index": 0,
            "description": "Default",
            "exchange_active": active,
            "trading_active": trading,
            "intra_exchange_transfers_active": active,
        }],
    });
    if let Some(at) = core.resumes().filter(|_| !trading) {
        body["exchange_estimated_resume_time"] = moment(at).into();
    }
    ok(&body)
}

pub(crate) fn schedule() -> Answered {
    ok(&json!({"schedule": maintenance::schedule()}))
}

pub(crate) fn user_data_timestamp(core: &Core) -> Answered {
    ok(&json!({"as_of_time": micros(core.read_as_of())}))
}

pub(crate) fn series_list(core: &Core, query: &Query) -> Answered {
    let (exchange, volume) = (core.exchange(), query.flag("include_volume"));
    let wanted = |series: &&Series| query.get("category").is_none_or(|category| category == series.category);
    let series = exchange.series.values().filter(wanted).map(|series| series_json(series, exchange, volume));
    ok(&json!({"series": series.collect::<Vec<_>>()}))
}

pub(crate) fn series(core: &Core, ticker: &str, query: &Query) -> Answered {
    let series = core.exchange().series.get(ticker).ok_or(Refusal::NoSuch)?;
    ok(&json!({"series": series_json(series, core.exchange(), query.flag("include_volume"))}))
}

fn markets_of(core: &Core, event: &str) -> Vec<Value> {
    let markets = core.exchange().markets.iter().filter(|market| market.event == event);
    markets.map(|market| market_json(market, core)).collect()
}

/// Words of the status filter to the status of a market (PROTOCOL.md 7.3).
fn admits(word: Option<&str>, market: &Market, now: Timestamp) -> bool {
    let status = market.status(now);
    match word {
        None => true,
        Some("unopened") => status == "initialized",
        Some("open") => status == "active",
        Some("paused") => status == "inactive",
        Some("closed") => status == "closed" || status == "determined",
        Some("settled") => status == "finalized",
        Some(_) => false,
    }
}

fn status_word<'a>(query: &'a Query, endpoint: &'static str, words: &[&str]) -> Result<Option<&'a str>, Refusal> {
    let word = query.get("status");
    if word.is_some_and(|word| !words.contains(&word)) {
        return Err(Refusal::Parameter(endpoint, "Status", "oneof"));
    }
    Ok(word)
}

fn number(query: &Query, name: &str) -> Result<Option<i64>, Refusal> {
    query.integer(name).map_err(|_| Refusal::BadRequest(format!("invalid {name}")))
}

pub(crate) fn events(core: &Core, query: &Query) -> Answered {
    let page = Page::read(query, "GetEvents", "lte", 200, 200)?;
    let word = status_word(query, "GetEvents", &["unopened", "open", "closed", "settled"])?;
    let (exchange, now) = (core.exchange(), core.now());
    let (named, least) = (query.list("tickers"), number(query, "min_close_ts")?);
    let wanted = |event: &CityDay| {
        let mut markets = exchange.markets.iter().filter(|market| market.event == event.ticker);
        query.get("series_ticker").is_none_or(|series| series == event.series)
            && named.as_ref().is_none_or(|named| named.contains(&event.ticker))
            && markets
                .any(|market| admits(word, market, now) && least.is_none_or(|least| seconds(market.closes) >= least))
    };
    let nested = query.flag("with_nested_markets");
    let events = (1..).zip(exchange.events.values()).filter(|(_, event)| wanted(event));
    let (events, cursor) = page.rising(events.map(|(number, event)| {
        let mut body = event_json(event);
        if nested {
            body["markets"] = markets_of(core, &event.ticker).into();
        }
        (number, body)
    }));
    ok(&json!({"events": events, "milestones": [], "cursor": cursor}))
}

pub(crate) fn event(core: &Core, ticker: &str, query: &Query) -> Answered {
    let event = core.exchange().events.get(ticker).ok_or(Refusal::NoSuch)?;
    let mut body = event_json(event);
    let markets = if query.flag("exclude_markets") { Vec::new() } else { markets_of(core, ticker) };
    if query.flag("with_nested_markets") {
        body["markets"] = markets.clone().into();
    }
    ok(&json!({"event": body, "markets": markets}))
}

pub(crate) fn markets(core: &Core, query: &Query) -> Answered {
    let page = Page::read(query, "GetMarkets", "lte", 100, 1_000)?;
    let word = status_word(query, "GetMarkets", &["unopened", "open", "paused", "closed", "settled"])?;
    let (exchange, now) = (core.exchange(), core.now());
    let named = query.list("tickers");
    let mut bounds = Vec::new();
    for (family, of) in [
        ("created", (|market: &Market| Some(market.opens.plus(-4 * HOUR))) as fn(&Market) -> Option<Timestamp>),
        ("updated", |market| Some(market.opens.plus(-4 * HOUR))),
        ("close", |market| Some(market.closes)),
        ("settled", |market| market.settled),
    ] {
        let (least, most) = (number(query, &format!("min_{family}_ts"))?, number(query, &format!("max_{family}_ts"))?);
        if least.is_some() || most.is_some() {
            bounds.push((of, least, most));
        }
    }
    let wanted = |market: &Market| {
        let series = exchange.events.get(&market.event).map(|event| event.series.as_str());
        query.get("series_ticker").is_none_or(|wanted| series == Some(wanted))
            && query.get("event_ticker").is_none_or(|wanted| wanted == market.event)
            && named.as_ref().is_none_or(|named| named.contains(&market.ticker))
            && query.get("mve_filter") != Some("only")
            && bounds.iter().all(|(of, least, most)| {
                of(market).is_some_and(|at| {
                    least.is_none_or(|least| seconds(at) >= least) && most.is_none_or(|most| seconds(at) <= most)
                })
            })
            && admits(word, market, now)
    };
    let markets = (1..).zip(&exchange.markets).filter(|(_, market)| wanted(market));
    let (markets, cursor) = page.rising(markets.map(|(number, market)| (number, market_json(market, core))));
    ok(&json!({"markets": markets, "cursor": cursor}))
}

pub(crate) fn find(exchange: &Exchange, ticker: &str) -> Result<usize, Refusal> {
    exchange.find(ticker).ok_or(Refusal::NoSuch)
}

pub(crate) fn market(core: &Core, ticker: &str) -> Answered {
    let market = find(core.exchange(), ticker)?;
    ok(&json!({"market": market_json(&core.exchange().markets[market], core)}))
}

pub(crate) fn pair((price, quantity): (&Price, &Quantity)) -> Value {
    json!([price.to_string(), quantity.to_string()])
}

/// Bids of both outcomes, ascending; `depth` keeps the best ones.
fn book_json(market: &Market, depth: usize) -> Value {
    let side = |outcome| {
        let bids = market.book.bids(outcome);
        let skipped = if depth == 0 { 0 } else { bids.len().saturating_sub(depth) };
        bids.iter().skip(skipped).map(pair).collect::<Vec<_>>()
    };
    json!({"yes_dollars": side(Outcome::Yes), "no_dollars": side(Outcome::No)})
}

pub(crate) fn orderbook(core: &Core, ticker: &str, query: &Query) -> Answered {
    let market = &core.exchange().markets[find(core.exchange(), ticker)?];
    let depth = number(query, "depth")?.unwrap_or(0);
    if !(0..=100).contains(&depth) {
        let tag = if depth < 0 { "gte" } else { "lte" };
        return Err(Refusal::Parameter("GetMarketOrderbook", "Depth", tag));
    }
    if core.demo_books() && market.book.is_empty() {
        // Once seen on the demo exchange (PROTOCOL.md 3.4).
        return ok(&json!({"orderbook": {}}));
    }
    ok(&json!({"orderbook_fp": book_json(market, usize::try_from(depth).unwrap_or(0))}))
}

pub(crate) fn orderbooks(core: &Core, query: &Query) -> Answered {
    let tickers = query.list("tickers").unwrap_or_default();
    if tickers.is_empty() || tickers.len() > 100 {
        let tag = if tickers.is_empty() { "required" } else { "max" };
        return Err(Refusal::Parameter("GetMarketOrderbooks", "Tickers", tag));
    }
    let exchange = core.exchange();
    let known = tickers.iter().filter_map(|ticker| exchange.find(ticker)).map(|market| &exchange.markets[market]);
    let books = known.map(|market| json!({"ticker": market.ticker, "orderbook_fp": book_json(market, 0)}));
    ok(&json!({"orderbooks": books.collect::<Vec<_>>()}))
}

fn trade_json(trade: &Trade, exchange: &Exchange) -> Value {
    let (outcome, book_side) = direction(side(trade.taker));
    json!({
        "trade_id": uuid(trade.number),
        "ticker": exchange.markets[trade.market].ticker,
        "count_fp": trade.quantity.to_string(),
        "yes_price_dollars": trade.price.to_string(),
        "no_price_dollars": trade.price.complement().to_string(),
        "taker_side": outcome,
        "taker_outcome_side": outcome,
        "taker_book_side": book_side,
        "created_time": micros(trade.at),
        "is_block_trade": false,
    })
}

pub(crate) fn trades(core: &Core, query: &Query) -> Answered {
    let page = Page::read(query, "GetTrades", "lte", 100, 1_000)?;
    let exchange = core.exchange();
    let (least, most) = (number(query, "min_ts")?, number(query, "max_ts")?);
    let wanted = |trade: &Trade| {
        query.get("ticker").is_none_or(|ticker| exchange.markets[trade.market].ticker == ticker)
            && least.is_none_or(|least| seconds(trade.at) >= least)
            && most.is_none_or(|most| seconds(trade.at) <= most)
            && !query.flag("is_block_trade")
    };
    let trades = exchange.history.iter().rev().filter(|trade| wanted(trade));
    let (trades, cursor) = page.falling(trades.map(|trade| (trade.number, trade_json(trade, exchange))));
    ok(&json!({"trades": trades, "cursor": cursor}))
}

/// Nothing here is old enough to be history.
pub(crate) fn cutoff(core: &Core) -> Answered {
    let begins = moment(core.begins());
    ok(&json!({
        "market_settled_ts": begins,
        "trades_created_ts": begins,
        "orders_updated_ts": begins,
        "market_positions_last_updated_ts": begins,
    }))
}

/// `start_ts`, `end_ts` and `period_interval` of a request for candlesticks.
fn period(query: &Query, endpoint: &'static str) -> Result<(i64, i64, i64), Refusal> {
    let required =
        |name: &'static str, field| number(query, name)?.ok_or(Refusal::Parameter(endpoint, field, "required"));
    let (from, to) = (required("start_ts", "StartTs")?, required("end_ts", "EndTs")?);
    let minutes = required("period_interval", "PeriodInterval")?;
    if [1, 60, 1_440].contains(&minutes) {
        Ok((minutes, from, to))
    } else {
        Err(Refusal::Parameter(endpoint, "PeriodInterval", "oneof"))
    }
}

pub(crate) fn candles(core: &Core, series: &str, ticker: &str, query: &Query) -> Answered {
    let (minutes, from, to) = period(query, "GetMarketCandlesticks")?;
    let exchange = core.exchange();
    let market = &exchange.markets[find(exchange, ticker)?];
    if exchange.events.get(&market.event).is_none_or(|event| event.series != series) {
        return Err(Refusal::NoSuch);
    }
    ok(&json!({"ticker": ticker, "candlesticks": market.candles.json(minutes, from, to)}))
}

pub(crate) fn batch_candles(core: &Core, query: &Query) -> Answered {
    let (minutes, from, to) = period(query, "BatchGetMarketCandlesticks")?;
    let tickers = query.list("market_tickers").unwrap_or_default();
    if tickers.is_empty() || tickers.len() > 100 {
        let tag = if tickers.is_empty() { "required" } else { "max" };
        return Err(Refusal::Parameter("BatchGetMarketCandlesticks", "MarketTickers", tag));
    }
    let exchange = core.exchange();
    let known = tickers.iter().filter_map(|ticker| exchange.find(ticker)).map(|market| &exchange.markets[market]);
    let markets = known
        .map(|market| json!({"market_ticker": market.ticker, "candlesticks": market.candles.json(minutes, from, to)}));
    ok(&json!({"markets": markets.collect::<Vec<_>>()}))
}

//! Every recorded REST body is read by the structs that the host reads its answers with, and by their conversions. A file
//! that nobody decided on is a failure, and so is a file that was to be refused and is not.
//!
//! Skipped where the recordings are not at hand.

use isobar_engine::market::FeeSchedule;
use isobar_engine::venue::RejectReason;
use isobar_kalshi::error::VenueError;
use isobar_kalshi::{convert, wire};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> Option<PathBuf> {
    isobar_tests::data().map(|data| data.join("rest").join(name)).filter(|folder| folder.is_dir())
}

/// The files of a folder by name, without what describes them.
fn bodies(folder: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let mut bodies: Vec<_> = files
        .filter(|path| !path.to_string_lossy().ends_with(".meta.json"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a text"))
        })
        .collect();
    bodies.sort();
    bodies
}

/// The whole body, or why not.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn value<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

fn decimal<T>(what: &str, text: &str, convert: fn(&[u8]) -> Option<T>) -> Result<T, String> {
    convert(text.as_bytes()).ok_or_else(|| format!("{what} {text:?}"))
}

/// Reads the numbers of an order as the host does.
fn order(order: &wire::RestOrder) -> Result<(), String> {
    decimal("price", &order.yes_price_dollars, convert::price)?;
    for count in [&order.fill_count_fp, &order.remaining_count_fp, &order.initial_count_fp] {
        decimal("count", count, convert::quantity)?;
    }
    for money in [
        &order.taker_fees_dollars,
        &order.maker_fees_dollars,
        &order.taker_fill_cost_dollars,
        &order.maker_fill_cost_dollars,
    ] {
        decimal("money", money, convert::money)?;
    }
    convert::order_status(&order.status).ok_or_else(|| format!("status {:?}", order.status))?;
    convert::direction(order.book_side, order.outcome_side).ok_or("no direction")?;
    Ok(())
}

fn market(market: &wire::Market) -> Result<(), String> {
    convert::status(&market.status).ok_or_else(|| format!("status {:?}", market.status))?;
    for time in [&market.open_time, &market.close_time] {
        convert::time(time).ok_or_else(|| format!("time {time:?}"))?;
    }
    convert::price_ladder(&market.price_ranges)?;
    // A result that is there is understood.
    if !market.result.is_empty() && convert::settlement(market).is_none() {
        return Err(format!("result {:?}", market.result));
    }
    Ok(())
}

fn markets(text: &str) -> Result<usize, String> {
    let body: wire::MarketsBody = read(text)?;
    body.markets.iter().try_for_each(market)?;
    Ok(body.markets.len())
}

fn settlements(list: &[wire::Settlement]) -> Result<usize, String> {
    for settled in list {
        for money in [&settled.yes_total_cost_dollars, &settled.no_total_cost_dollars, &settled.fee_cost] {
            decimal("money", money, convert::money)?;
        }
        for count in [&settled.yes_count_fp, &settled.no_count_fp] {
            decimal("count", count, convert::quantity)?;
        }
        convert::time(&settled.settled_time).ok_or_else(|| format!("time {:?}", settled.settled_time))?;
    }
    Ok(list.len())
}

/// A refusal, read into what the caller can do about it.
fn refusal(name: &str, status: u16, text: &str) -> Result<usize, String> {
    use isobar_kalshi::error::Unauthorised as What;
    let error = VenueError::of(status, text.as_bytes()).ok_or("no error is seen")?;
    let refused = |reason| matches!(&error, VenueError::Refused { reason: have, .. } if *have == reason);
    let unauthorised = |wanted| matches!(&error, VenueError::Unauthorised { what, .. } if *what == wanted);
    let meant = match name {
        "auth__bad_signature" => unauthorised(What::Signature),
        "auth__missing_signature_header" => unauthorised(What::Headers),
        "auth__skew_minus30s" | "auth__skew_plus5min" => unauthorised(What::Clock),
        "auth__unknown_key_id" => unauthorised(What::UnknownKey),
        "orders__duplicate_client_order_id" => error == VenueError::AlreadyExists,
        "orders__insufficient_balance" => refused(RejectReason::Balance),
        "orders__post_only_cross" => refused(RejectReason::PostOnly),
        "orders__invalid_price_structure" | "orders__numeric_field_types" | "markets__limit_over_max" => {
            refused(RejectReason::Invalid)
        }
        _ if status == 404 => matches!(error, VenueError::NotFound { .. }),
        _ => return Err("nobody decided on this refusal".to_owned()),
    };
    if meant { Ok(1) } else { Err(format!("it is read as {error:?}")) }
}

/// How many things a successful answer of the demo exchange holds, all of them read.
fn demo(name: &str, text: &str) -> Result<usize, String> {
    match name {
        "account__limits" => read::<wire::AccountLimits>(text).map(|limits| limits.write.refill_rate as usize),
        "auth__balance_alt_host" | "auth__balance_ok" | "auth__skew_minus5s" | "auth__skew_plus5s" => {
            let balance: wire::Balance = read(text)?;
            decimal("money", &balance.balance_dollars, convert::money)?;
            balance
                .balance_breakdown
                .iter()
                .try_for_each(|shard| decimal("money", &shard.balance, convert::money).map(|_| ()))?;
            Ok(balance.balance_breakdown.len())
        }
        "cleanup__stp_resting" | "orders__cancel_v2" => {
            let cancelled: wire::OrderCancelled = read(text)?;
            decimal("count", &cancelled.reduced_by, convert::quantity).map(|_| 1)
        }
        "exchange__status" => read::<wire::ExchangeStatus>(text).map(|_| 1),
        "markets__page1"
        | "markets__page2"
        | "markets__single_filter_lastpage"
        | "markets__status_closed"
        | "markets__status_open"
        | "markets__unauth_list" => markets(text),
        "markets__single" | "markets__unauth_single" => market(&read::<wire::MarketBody>(text)?.market).map(|()| 1),
        "orderbook__base" => {
            let (bids, asks) = convert::book(&read(text)?).map_err(|error| error.to_string())?;
            Ok(bids.len() + asks.len())
        }
        "orders__create_v2_maker" | "orders__create_v2_taker_ioc" => {
            let created: wire::OrderCreated = read(text)?;
            decimal("count", &created.fill_count, convert::quantity)?;
            decimal("count", &created.remaining_count, convert::quantity)?;
            created
                .average_fill_price
                .iter()
                .try_for_each(|price| decimal("price", price, convert::price).map(|_| ()))?;
            created.average_fee_paid.iter().try_for_each(|fee| decimal("money", fee, convert::money).map(|_| ()))?;
            Ok(1)
        }
        // The first generation answered with the order in an envelope, as reads still do.
        "orders__get_after_cancel" | "orders__get_after_create" | "orders__legacy_cancel" | "orders__legacy_create" => {
            order(&read::<wire::OrderBody>(text)?.order).map(|()| 1)
        }
        "portfolio__orders_list" => {
            let body: wire::OrdersBody = read(text)?;
            body.orders.iter().try_for_each(order)?;
            Ok(body.orders.len())
        }
        "portfolio__positions" => {
            let body: wire::PositionsBody = read(text)?;
            for position in &body.market_positions {
                decimal("change", &position.position_fp, convert::change)?;
                decimal("money", &position.market_exposure_dollars, convert::money)?;
                decimal("money", &position.fees_paid_dollars, convert::money)?;
            }
            Ok(body.market_positions.len())
        }
        "settlements__end_of_session" | "settlements__page" => {
            settlements(&read::<wire::SettlementsBody>(text)?.settlements)
        }
        "ws__orderbook_trade_yes" => frames(text),
        other => Err(format!("nobody decided on {other}")),
    }
}

/// What the host never asks for, and why.
const UNREAD: [(&str, &str); 2] = [
    ("series__fee_changes", "an empty list; fees are read with series and events, and changes come by the feed"),
    ("trades__public_recorded", "public trades come by the feed alone"),
];

fn frames(text: &str) -> Result<usize, String> {
    let mut read = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let refuse = |error: serde_json::Error| format!("{error} in {line}");
        let envelope: wire::Envelope<'_> = serde_json::from_str(line).map_err(refuse)?;
        match &*envelope.kind {
            "subscribed" => drop(serde_json::from_str::<wire::Message<wire::Subscribed<'_>>>(line).map_err(refuse)?),
            "orderbook_snapshot" => {
                drop(serde_json::from_str::<wire::Message<wire::BookSnapshot<'_>>>(line).map_err(refuse)?);
            }
            "orderbook_delta" => {
                drop(serde_json::from_str::<wire::Message<wire::BookDelta<'_>>>(line).map_err(refuse)?);
            }
            other => return Err(format!("nobody decided on {other}")),
        }
        read += 1;
    }
    Ok(read)
}

#[test]
fn every_body_of_the_demo_exchange_is_read() {
    let Some(folder) = folder("demo_2026-06") else { return };
    let (mut read, mut refused, mut unread) = (0, 0, BTreeSet::new());
    for (name, text) in bodies(&folder) {
        let meta = std::fs::read_to_string(folder.join(format!("{name}.meta.json"))).expect("every body is described");
        let meta: Value = serde_json::from_str(&meta).expect("a description");
        let status = meta["status"].as_u64().unwrap_or(200);
        if let Some((name, _)) = UNREAD.iter().find(|(unread, _)| *unread == name) {
            unread.insert(*name);
        } else if status >= 400 {
            let status = u16::try_from(status).expect("a status");
            refused += refusal(&name, status, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        } else {
            assert_eq!(VenueError::of(200, text.as_bytes()), None, "{name}: a success is no error");
            read += demo(&name, &text).map(|_| 1).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    assert_eq!(unread.len(), UNREAD.len());
    println!("demo_2026-06: {read} bodies and {refused} refusals read; by name not read: {unread:?}");
    assert_eq!((read, refused), (28, 17));
}

#[test]
fn every_body_of_production_of_august_2026_is_read() {
    let Some(folder) = folder("prod_2026-08") else { return };
    for (name, text) in bodies(&folder) {
        let body: Value = serde_json::from_str(&text).expect("JSON");
        let read = match name.as_str() {
            "market_single" => value::<wire::MarketBody>(&body["single"])
                .and_then(|single| market(&single.market))
                .and_then(|()| value::<wire::Market>(&body["nested"]))
                .and_then(|nested| market(&nested))
                .and_then(|()| value::<wire::BookBody>(&body["orderbook"]))
                .and_then(|book| convert::book(&book).map_err(|error| error.to_string()))
                .map(|(bids, asks)| bids.len() + asks.len()),
            "portfolio_settlements_redacted" => {
                value::<wire::SettlementsBody>(&body["payload"]).and_then(|body| settlements(&body.settlements))
            }
            "price_grids" => {
                let grids = body["grids"].as_array().expect("grids").iter();
                grids
                    .map(|grid| convert::price_ladder(&value::<Vec<wire::PriceRange>>(&grid["price_ranges"])?))
                    .try_fold(0, |count, ladder| ladder.map(|_| count + 1))
            }
            "series_fee_fields" => {
                let payloads = body["payloads"].as_object().expect("payloads");
                let fees = |name: &str| -> Result<FeeSchedule, String> {
                    let series = value::<wire::SeriesBody>(&payloads[name])?.series;
                    convert::fees(&series, None).map_err(|error| error.to_string())
                };
                // Half of both rates, and the whole of one.
                let half = FeeSchedule::Quadratic { taker_ppm: 35_000, maker_ppm: 8_750 };
                assert_eq!(fees("KXMLBGAME"), Ok(half));
                assert_eq!(fees("KXMLBSPREAD"), Ok(FeeSchedule::Quadratic { taker_ppm: 35_000, maker_ppm: 0 }));
                payloads.keys().map(|name| fees(name)).try_fold(0, |count, fees| fees.map(|_| count + 1))
            }
            // No body but an evaluation of some; its times are the venue's.
            "occurrence_datetime_probe" => {
                let pairs = body["period_pairs"].as_array().expect("pairs").iter();
                let times = pairs.flat_map(|pair| ["period_close_time", "game_close_time"].map(|name| &pair[name]));
                let mut times =
                    times.map(|time| convert::time(time.as_str().unwrap_or_default()).ok_or(time.to_string()));
                times.try_fold(0, |count, time| time.map(|_| count + 1))
            }
            other => Err(format!("nobody decided on {other}")),
        };
        let read = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("prod_2026-08: {name}: {read}");
        assert!(read > 0, "{name}");
    }
}

#[test]
fn every_weather_body_is_read() {
    let Some(folder) = folder("weather_2026-07") else { return };
    for (name, text) in bodies(&folder) {
        let read = match name.as_str() {
            "kxhighny_open_trimmed" => markets(&text),
            "candlesticks_trimmed" => read::<wire::CandlesticksBody>(&text).map(|body| body.candlesticks.len()),
            other => Err(format!("nobody decided on {other}")),
        };
        let read = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("weather_2026-07: {name}: {read}");
        assert!(read > 0, "{name}");
    }
}

/// What becomes of a body of January 2026, when money was integer cents and counts were integers.
enum Fate {
    /// The host's struct does not take it.
    Refused(fn(&str) -> Result<(), String>),
    /// It has neither money nor counts, and is the same today.
    Timeless(fn(&str) -> Result<(), String>),
    /// The host never asks for it.
    Unasked,
}

fn only<T: DeserializeOwned>(text: &str) -> Result<(), String> {
    read::<T>(text).map(drop)
}

fn cent_market(text: &str) -> Result<(), String> {
    market(&read::<wire::MarketBody>(text)?.market)
}

const JANUARY: [(&str, Fate); 25] = [
    ("cancel_order_response", Fate::Refused(only::<wire::OrderCancelled>)),
    ("candlesticks_batch_response", Fate::Unasked),
    ("create_order_response", Fate::Refused(only::<wire::OrderCreated>)),
    ("event_metadata_response", Fate::Unasked),
    ("events_list_response", Fate::Timeless(only::<wire::EventsBody>)),
    ("exchange_announcements_response", Fate::Unasked),
    ("exchange_schedule_response", Fate::Unasked),
    ("exchange_status_response", Fate::Timeless(only::<wire::ExchangeStatus>)),
    ("market_single_response", Fate::Timeless(cent_market)),
    ("order_group_create_response", Fate::Timeless(only::<wire::OrderGroupCreated>)),
    ("order_group_delete_response", Fate::Unasked),
    ("order_group_reset_response", Fate::Unasked),
    ("order_group_single_response", Fate::Timeless(only::<wire::OrderGroupBody>)),
    ("order_groups_list_response", Fate::Timeless(only::<wire::OrderGroupsBody>)),
    ("orderbook_response", Fate::Timeless(only::<wire::BookBody>)),
    ("portfolio_balance_response", Fate::Refused(only::<wire::Balance>)),
    ("portfolio_fills_response", Fate::Refused(only::<wire::FillsBody>)),
    ("portfolio_order_single_response", Fate::Refused(only::<wire::OrderBody>)),
    ("portfolio_orders_response", Fate::Refused(only::<wire::OrdersBody>)),
    ("portfolio_total_resting_order_value_response", Fate::Unasked),
    ("series_candlesticks_response", Fate::Refused(only::<wire::CandlesticksBody>)),
    ("series_list_response", Fate::Unasked),
    ("series_single_response", Fate::Timeless(only::<wire::SeriesBody>)),
    ("trades_list_response", Fate::Unasked),
    ("user_data_timestamp_response", Fate::Timeless(only::<wire::UserDataTimestamp>)),
];

/// Cents are never taken for dollars: each body of the old era is refused or left alone, by name.
#[test]
fn bodies_of_january_2026_are_refused_or_left_alone() {
    let Some(folder) = folder("prod_2026-01") else { return };
    let mut fates = std::collections::BTreeMap::new();
    for (name, text) in bodies(&folder) {
        let body: Value = serde_json::from_str(&text).expect("JSON");
        let response = body["response"].to_string();
        let fate = JANUARY.iter().find(|(known, _)| *known == name).map(|(_, fate)| fate);
        let fate = match fate.unwrap_or_else(|| panic!("nobody decided on {name}")) {
            Fate::Refused(read) => {
                let error = read(&response).expect_err(&name);
                println!("prod_2026-01: {name} is refused: {error}");
                "refused"
            }
            Fate::Timeless(read) => {
                read(&response).unwrap_or_else(|error| panic!("{name}: {error}"));
                "the same today"
            }
            Fate::Unasked => "never asked for",
        };
        *fates.entry(fate).or_insert(0) += 1;
    }
    println!("prod_2026-01: {fates:?}");
    assert_eq!(fates.values().sum::<usize>(), JANUARY.len());
}

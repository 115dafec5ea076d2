//! Recorded REST bodies: each decodes into the struct that production uses, each refusal into an error that says what to do,
//! and the format of January 2026 is refused by the name of the field that it lacks.

mod support;

use isobar_engine::venue::RejectReason;
use isobar_kalshi::error::{Unauthorised, VenueError};
use isobar_kalshi::{convert, wire};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use support::recordings;

#[derive(Deserialize)]
struct Meta {
    method: String,
    path: String,
    status: u16,
    #[serde(default)]
    request_body: Value,
}

fn text(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a recording")
}

fn decode<T: DeserializeOwned>(name: &str, body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Decodes the body of a success by the struct of its endpoint and converts its numbers. Says whether there is one.
fn success(name: &str, meta: &Meta, body: &[u8]) -> bool {
    let path = meta.path.split('?').next().expect("a path").trim_start_matches("/trade-api/v2");
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let exact = |text: &str| convert::money(text.as_bytes()).unwrap_or_else(|| panic!("{name}: {text}"));
    match (meta.method.as_str(), parts.as_slice()) {
        ("GET", ["account", "limits"]) => {
            let limits: wire::AccountLimits = decode(name, body);
            assert_eq!((limits.write.bucket_capacity, limits.write.refill_rate), (100, 100));
        }
        ("GET", ["exchange", "status"]) => assert!(decode::<wire::ExchangeStatus>(name, body).trading_active),
        ("GET", ["portfolio", "balance"]) => {
            let balance: wire::Balance = decode(name, body);
            assert_eq!(exact(&balance.balance_dollars).micros(), 98_018_600);
        }
        ("GET", ["portfolio", "positions"]) => {
            let positions: wire::PositionsBody = decode(name, body);
            assert!(
                positions.market_positions.iter().all(|held| convert::change(held.position_fp.as_bytes()).is_some())
            );
        }
        ("GET", ["portfolio", "orders"]) => {
            let orders: wire::OrdersBody = decode(name, body);
            assert!(!orders.orders.is_empty());
            orders.orders.iter().for_each(order);
        }
        ("GET", ["portfolio", "orders", _]) | ("POST" | "DELETE", ["portfolio", "orders", ..]) => {
            order(&decode::<wire::OrderBody>(name, body).order);
        }
        ("GET", ["portfolio", "settlements"]) => drop(decode::<wire::SettlementsBody>(name, body)),
        ("GET", ["markets"]) => {
            let page: wire::MarketsBody = decode(name, body);
            assert!(!page.markets.is_empty());
        }
        ("GET", ["markets", _, "orderbook"]) => {
            let book: wire::BookBody = decode(name, body);
            assert!(!convert::book(&book).expect("a book").0.is_empty());
        }
        ("GET", ["markets", "trades"]) | ("GET", ["series", "fee_changes"]) => return false,
        ("GET", ["markets", _]) => drop(decode::<wire::MarketBody>(name, body)),
        ("POST", ["portfolio", "events", "orders"]) => {
            let created: wire::OrderCreated = decode(name, body);
            assert!(convert::quantity(created.fill_count.as_bytes()).is_some());
            assert_eq!(created.client_order_id.as_deref(), meta.request_body["client_order_id"].as_str());
        }
        ("DELETE", ["portfolio", "events", "orders", id]) => {
            assert_eq!(decode::<wire::OrderCancelled>(name, body).order_id, *id);
        }
        other => panic!("{name}: no struct for {other:?}"),
    }
    true
}

fn order(order: &wire::RestOrder) {
    assert!(convert::order_status(&order.status).is_some(), "{order:?}");
    assert!(convert::direction(order.book_side, order.outcome_side).is_some(), "{order:?}");
    assert!(convert::price(order.yes_price_dollars.as_bytes()).is_some(), "{order:?}");
}

fn refusal(name: &str) -> VenueError {
    let said = |code: &str| format!("{code}: {}", code.replace('_', " "));
    let refused = |reason, detail: &str| VenueError::Refused { reason, detail: detail.into() };
    let auth = |what, detail: &str| VenueError::Unauthorised { what, detail: detail.into() };
    match name {
        "auth__bad_signature" => {
            auth(Unauthorised::Signature, "authentication_error: authentication_error: INCORRECT_API_KEY_SIGNATURE")
        }
        "auth__unknown_key_id" => {
            auth(Unauthorised::UnknownKey, "authentication_error: authentication_error: NOT_FOUND")
        }
        "auth__missing_signature_header" => auth(Unauthorised::Headers, &said("signature_is_missing_from_headers")),
        "auth__skew_minus30s" | "auth__skew_plus5min" => auth(Unauthorised::Clock, &said("header_timestamp_expired")),
        "orders__duplicate_client_order_id" => VenueError::AlreadyExists,
        "orders__insufficient_balance" => refused(RejectReason::Balance, &said("insufficient_balance")),
        "orders__invalid_price_structure" => refused(RejectReason::Invalid, &said("invalid_price")),
        "orders__post_only_cross" => refused(RejectReason::PostOnly, "invalid_order: invalid order: post only cross"),
        "orders__numeric_field_types" => refused(
            RejectReason::Invalid,
            "bad_request: bad request: json: cannot unmarshal number into Go struct field CreateOrderV2Request.count of type string",
        ),
        "markets__limit_over_max" => refused(
            RejectReason::Invalid,
            "Parameter validation failed for GetMarkets: Key: 'GetMarketsParams.Limit' Error:Field validation for 'Limit' failed on the 'lte' tag",
        ),
        name if name.starts_with("cleanup__leftover") || name.starts_with("orders__cancel_") => {
            VenueError::NotFound { detail: said("not_found") }
        }
        other => panic!("{other} was not refused when this was written"),
    }
}

#[test]
fn every_body_of_the_demo_exchange_decodes_or_is_an_error_with_a_name() {
    let Some(folder) = recordings("rest/demo_2026-06") else { return };
    let (mut decoded, mut refused, mut skipped) = (0, 0, Vec::new());
    for file in std::fs::read_dir(&folder).expect("a folder").map(|file| file.expect("a file").path()) {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".meta.json").filter(|name| !name.starts_with("ws__")) else { continue };
        let meta: Meta = decode(name, &text(&file));
        let body = text(&folder.join(format!("{name}.json")));
        match VenueError::of(meta.status, &body) {
            None if success(name, &meta, &body) => decoded += 1,
            None => skipped.push(name.to_owned()),
            Some(error) => {
                assert_eq!(error, refusal(name), "{name}");
                refused += 1;
            }
        }
    }
    skipped.sort();
    assert_eq!((decoded, refused), (27, 17));
    assert_eq!(skipped, ["series__fee_changes", "trades__public_recorded"], "not read by production");
}

#[test]
fn bodies_of_july_and_august_decode() {
    let Some(folder) = recordings("rest") else { return };
    let weather: wire::MarketsBody =
        decode("weather", &text(&folder.join("weather_2026-07/kxhighny_open_trimmed.json")));
    assert!(
        weather
            .markets
            .iter()
            .all(|market| market.rules_primary.is_empty() || market.rules_primary.contains("New York"))
    );
    let candles: wire::CandlesticksBody =
        decode("candles", &text(&folder.join("weather_2026-07/candlesticks_trimmed.json")));
    assert!(!weather.markets.is_empty() && !candles.candlesticks.is_empty());
    let part = |file: &str, pointer: &str| -> Value {
        let whole: Value = decode(file, &text(&folder.join("prod_2026-08").join(file)));
        whole.pointer(pointer).unwrap_or_else(|| panic!("{file} has {pointer}")).clone()
    };
    let settlements: wire::SettlementsBody =
        serde_json::from_value(part("portfolio_settlements_redacted.json", "/payload")).expect("settlements");
    assert!(settlements.settlements.iter().all(|paid| convert::money(paid.fee_cost.as_bytes()).is_some()));
    let market: wire::Market = serde_json::from_value(part("market_single.json", "/nested")).expect("a market");
    assert!(convert::price_ladder(&market.price_ranges).is_ok());
    serde_json::from_value::<wire::MarketBody>(part("market_single.json", "/single")).expect("a market");
    serde_json::from_value::<wire::BookBody>(part("market_single.json", "/orderbook")).expect("a book");
    let grids = part("price_grids.json", "/grids");
    for grid in grids.as_array().expect("grids") {
        let ranges: Vec<wire::PriceRange> = serde_json::from_value(grid["price_ranges"].clone()).expect("ranges");
        assert!(convert::price_ladder(&ranges).is_ok());
    }
    for (ticker, body) in part("series_fee_fields.json", "/payloads").as_object().expect("series") {
        let body: wire::SeriesBody = serde_json::from_value(body.clone()).expect(ticker);
        assert!(convert::fees(&body.series, None).is_ok(), "{ticker}");
    }
}

#[test]
fn bodies_of_january_are_refused_by_the_field_that_they_lack() {
    fn lacks<T: DeserializeOwned>(folder: &Path, file: &str) -> String {
        let whole: Value = decode(file, &text(&folder.join(file)));
        match serde_json::from_value::<T>(whole["response"].clone()) {
            Ok(_) => panic!("{file} was taken"),
            Err(error) => error.to_string(),
        }
    }
    let Some(folder) = recordings("rest/prod_2026-01") else { return };
    let refused = [
        lacks::<wire::Balance>(&folder, "portfolio_balance_response.json"),
        lacks::<wire::FillsBody>(&folder, "portfolio_fills_response.json"),
        lacks::<wire::OrdersBody>(&folder, "portfolio_orders_response.json"),
        lacks::<wire::OrderBody>(&folder, "portfolio_order_single_response.json"),
        lacks::<wire::OrderCreated>(&folder, "create_order_response.json"),
        lacks::<wire::OrderCancelled>(&folder, "cancel_order_response.json"),
    ];
    let expected = ["balance_dollars", "count_fp", "fill_count_fp", "fill_count_fp", "order_id", "order_id"];
    for (error, field) in refused.iter().zip(expected) {
        // Missing under its name of today, or there in the integers of January.
        let integers = error.contains("invalid type: integer");
        assert!(integers || error == &format!("missing field `{field}`"), "{error}");
    }
    let denied = std::fs::read(folder.join("portfolio_total_resting_order_value_response.json")).expect("a recording");
    let denied: Value = decode("denied", &denied);
    let error = VenueError::of(403, denied["response"].to_string().as_bytes()).expect("an error");
    assert_eq!(error.refusal(), Some(RejectReason::Unauthorised));
}

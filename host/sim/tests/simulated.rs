//! The simulated day as a client sees it.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod client;

use client::{Client, get, request, tickers, truth};
use isobar_sim::{Config, Running, Scene, Sim, Speed};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const CHANNELS: [&str; 4] = ["orderbook_delta", "ticker", "trade", "market_lifecycle_v2"];

fn flood(frames: u64, seed: u64) -> Running {
    let scene = Scene::Simulated {
        date: jiff::civil::date(2026, 7, 1),
        start: jiff::civil::time(9, 30, 0, 0),
        frames: Some(frames),
    };
    Sim::start(Config { scene, speed: Speed::Flood, seed, ..Config::default() }).unwrap()
}

async fn whole_day(seed: u64, use_yes_price: bool) -> (Running, Client, Vec<String>) {
    let sim = flood(20_000, seed);
    let tickers = tickers(&sim.rest_url);
    let mut client = Client::connect(&sim.ws_url, use_yes_price).await;
    client.subscribe(&CHANNELS, &tickers).await;
    assert!(client.drain(300).await);
    assert!(sim.finished());
    (sim, client, tickers)
}

#[tokio::test]
async fn a_client_keeps_the_true_books_on_both_scales() {
    for use_yes_price in [false, true] {
        let scene = Scene::default();
        let sim = Sim::start(Config { scene, speed: Speed::Factor(200), seed: 3, ..Config::default() }).unwrap();
        let tickers = tickers(&sim.rest_url);
        assert_eq!(tickers.len(), 36);
        let mut client = Client::connect(&sim.ws_url, use_yes_price).await;
        client.subscribe(&["orderbook_delta"], &tickers).await;
        let begun = Instant::now();
        let mut deltas = 0;
        while begun.elapsed() < Duration::from_millis(1_500) {
            deltas += usize::from(client.next().await.unwrap()["type"] == "orderbook_delta");
        }
        assert!(deltas > 100, "{deltas}");
        let full = tickers.iter().filter(|ticker| client.sides(ticker).0.len() > 2).count();
        assert!(full >= 10, "{full} markets with bids");
        for ticker in &tickers {
            // The day goes on: the truth is asked until nothing moved between two looks at the client's book.
            loop {
                while tokio::time::timeout(Duration::from_millis(5), client.next()).await.is_ok() {}
                let (before, truth) = (client.sides(ticker), truth(&sim.sim_url, ticker));
                while tokio::time::timeout(Duration::from_millis(5), client.next()).await.is_ok() {}
                if client.sides(ticker) == before {
                    assert_eq!(before, truth, "{ticker}");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn sixty_times_real_time_is_lively() {
    let sim = Sim::start(Config::default()).unwrap();
    let tickers = tickers(&sim.rest_url);
    let mut client = Client::connect(&sim.ws_url, true).await;
    client.subscribe(&CHANNELS, &tickers).await;
    let (begun, mut messages) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(3) {
        messages += usize::from(client.next().await.unwrap()["type"] != "orderbook_snapshot");
    }
    eprintln!("{} messages a second", messages / 3);
    assert!(messages / 3 >= 30, "{messages}");
}

#[tokio::test]
async fn a_day_ends_with_one_yes_in_each_event_and_empty_books() {
    let (sim, client, tickers) = whole_day(5, true).await;
    let kinds = |kind: &str| client.frames.iter().filter(|frame| frame["type"] == kind).count();
    assert!(kinds("orderbook_delta") >= 15_000, "{}", kinds("orderbook_delta"));
    assert!(kinds("trade") > 100 && kinds("ticker") > 100);
    for ticker in &tickers {
        client.equals(&sim.sim_url, ticker);
        assert_eq!(client.sides(ticker), Default::default());
    }
    for event in get(&format!("{}/events?with_nested_markets=true", sim.rest_url))["events"].as_array().unwrap() {
        let markets = event["markets"].as_array().unwrap();
        assert_eq!(markets.len(), 6);
        assert!(markets.iter().all(|market| market["status"] == "finalized" && market["settlement_ts"].is_string()));
        let yes: Vec<&Value> = markets.iter().filter(|market| market["result"] == "yes").collect();
        assert_eq!(yes.len(), 1, "{event}");
        assert_eq!(yes[0]["settlement_value_dollars"], "1.0000");
        let degrees: f64 = yes[0]["expiration_value"].as_str().unwrap().parse().unwrap();
        assert!(yes[0]["floor_strike"].as_f64().is_none_or(|floor| floor <= degrees));
        assert!(yes[0]["cap_strike"].as_f64().is_none_or(|cap| degrees <= cap));
    }
    let lifecycle = client.frames.iter().filter(|frame| frame["type"] == "market_lifecycle_v2");
    let told: BTreeSet<(String, String)> = lifecycle
        .map(|frame| (frame["msg"]["market_ticker"].to_string(), frame["msg"]["event_type"].to_string()))
        .collect();
    assert_eq!(told.len(), 72, "a result and a payment of each market");
}

#[tokio::test]
async fn the_crowd_never_crosses_a_book_and_prices_sum_to_about_one() {
    let sim = Sim::start(Config { speed: Speed::Factor(1), ..Config::default() }).unwrap();
    for event in get(&format!("{}/events?with_nested_markets=true", sim.rest_url))["events"].as_array().unwrap() {
        let mut sum = 0.0;
        for market in event["markets"].as_array().unwrap() {
            let price = |field: &str| market[field].as_str().unwrap().parse::<f64>().unwrap();
            assert!(price("yes_bid_dollars") < price("yes_ask_dollars"), "{market}");
            sum += f64::midpoint(price("yes_bid_dollars"), price("yes_ask_dollars"));
        }
        assert!((0.85..1.15).contains(&sum), "{sum}");
    }
}

#[tokio::test]
async fn the_same_seed_is_the_same_day() {
    let stripped = |frames: Vec<Value>| -> Vec<String> {
        let strip = |mut frame: Value| {
            frame.as_object_mut().unwrap().remove("sending_ts_ms");
            frame.to_string()
        };
        frames.into_iter().map(strip).collect()
    };
    let first = stripped(whole_day(7, false).await.1.frames);
    let again = stripped(whole_day(7, false).await.1.frames);
    let other = stripped(whole_day(8, false).await.1.frames);
    assert!(first == again, "the same seed gave another day");
    assert!(first != other, "another seed gave the same day");
}

#[tokio::test]
async fn acknowledgements_use_up_seq_and_errors_have_the_venues_codes() {
    // Real time: hardly anything moves by itself, and seq is checked by the client at every message.
    let sim = Sim::start(Config { speed: Speed::Factor(1), ..Config::default() }).unwrap();
    let tickers = tickers(&sim.rest_url);
    let mut client = Client::connect(&sim.ws_url, false).await;
    client.subscribe(&["orderbook_delta"], &tickers[..2]).await;
    let first = client.next().await.unwrap();
    assert_eq!((&first["type"], &first["id"], &first["msg"]["sid"]), (&json!("subscribed"), &json!(1), &json!(1)));
    let update = |id: u64, action: &str, tickers: &[String]| json!({"id": id, "cmd": "update_subscription", "params": {"sid": 1, "action": action, "market_tickers": tickers}});
    client.send(update(2, "add_markets", &tickers[2..3])).await;
    client.send(update(3, "delete_markets", &tickers[..1])).await;
    client.send(update(4, "get_snapshot", &tickers[2..3])).await;
    client.send(json!({"id": 5, "cmd": "list_subscriptions"})).await;
    let refused = [
        (json!({"id": 6, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"]}}), 14),
        (json!({"id": 6, "cmd": "subscribe", "params": {"channels": ["ticker_v2"]}}), 8),
        (json!({"id": 6, "cmd": "subscribe", "params": {}}), 3),
        (json!({"id": 6, "cmd": "subscribe"}), 2),
        (json!({"id": 6, "cmd": "dance", "params": {}}), 5),
        (
            json!({"id": 6, "cmd": "update_subscription", "params": {"sid": 9, "action": "add_markets", "market_tickers": []}}),
            7,
        ),
        (json!({"id": 6, "cmd": "update_subscription", "params": {"sids": [1, 2], "action": "add_markets"}}), 12),
        (
            json!({"id": 6, "cmd": "update_subscription", "params": {"sid": 1, "market_tickers": []}, "action": "add_markets"}),
            15,
        ),
        (
            json!({"id": 6, "cmd": "update_subscription", "params": {"sid": 1, "action": "sing", "market_tickers": []}}),
            13,
        ),
        (json!({"id": 6, "cmd": "unsubscribe", "params": {"sids": [7]}}), 7),
        (json!({"id": 6, "cmd": "unsubscribe", "params": {}}), 4),
    ];
    for (command, _) in &refused {
        client.send(command.clone()).await;
    }
    client.send(json!({"id": 7, "cmd": "unsubscribe", "params": {"sids": [1]}})).await;
    let mut answers = Vec::new();
    while answers.last().is_none_or(|answer: &Value| answer["type"] != "unsubscribed") {
        let frame = client.next().await.unwrap();
        if frame["id"].is_u64() {
            answers.push(frame);
        }
    }
    assert_eq!(answers[0]["msg"]["market_tickers"].as_array().unwrap().len(), 3);
    assert_eq!(answers[1]["msg"]["market_tickers"].as_array().unwrap().len(), 2);
    assert!(answers[0]["seq"].is_u64() && answers[0]["sid"] == 1);
    assert_eq!((&answers[2]["type"], &answers[2]["id"]), (&json!("orderbook_snapshot"), &json!(4)));
    assert_eq!(answers[3]["msg"], json!([{"channel": "orderbook_delta", "sid": 1}]));
    let codes: Vec<u64> = answers[4..15].iter().map(|answer| answer["msg"]["code"].as_u64().unwrap()).collect();
    assert_eq!(codes, refused.iter().map(|(_, code)| *code).collect::<Vec<_>>());
    assert_eq!(answers.len(), 16);
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let sim = Sim::start(Config { speed: Speed::Factor(600), ..Config::default() }).unwrap();
    let tickers = tickers(&sim.rest_url);
    let fault =
        |fault: Value| assert_eq!(request("POST", &format!("{}/fault", sim.sim_url), &fault.to_string()).0, 200);
    let mut client = Client::connect(&sim.ws_url, true).await;
    client.subscribe(&["orderbook_delta"], &tickers).await;
    client.next().await.unwrap();
    fault(json!({"kind": "silence", "channel": "orderbook_delta"}));
    assert!(client.drain(500).await, "the connection lives on");
    client.send(json!({"id": 9, "cmd": "list_subscriptions"})).await;
    assert_eq!(client.next().await.unwrap()["id"], 9, "and answers");

    let mut client = Client::connect(&sim.ws_url, true).await;
    client.subscribe(&["orderbook_delta"], &tickers).await;
    while client.next().await.unwrap()["type"] != "orderbook_delta" {}
    fault(json!({"kind": "gap"}));
    let last = client.seqs[&1];
    client.seqs.clear();
    let mut expected = last + 1;
    loop {
        use futures_util::StreamExt;
        let Some(Ok(message)) = client.socket.next().await else { panic!("the connection lives on") };
        let Ok(text) = message.into_text() else { continue };
        let Ok(frame) = serde_json::from_str::<Value>(&text) else { continue };
        let seq = frame["seq"].as_u64().unwrap();
        if seq != expected {
            assert_eq!(seq, expected + 1, "exactly one message is lost");
            break;
        }
        expected += 1;
    }
    fault(json!({"kind": "disconnect"}));
    client.seqs.clear();
    loop {
        use futures_util::StreamExt;
        match client.socket.next().await {
            None | Some(Err(_)) => break,
            Some(Ok(message)) => assert!(!message.is_close(), "the connection ends without a handshake"),
        }
    }
    assert_eq!(request("POST", &format!("{}/fault", sim.sim_url), r#"{"kind":"rain"}"#).0, 422);
}

#[tokio::test]
async fn rest_pages_filters_and_spells_as_the_venue() {
    let sim = Sim::start(Config { speed: Speed::Factor(1), ..Config::default() }).unwrap();
    let rest = &sim.rest_url;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = get(&format!("{rest}/markets?limit=5&cursor={cursor}&status=open"));
        seen.extend(page["markets"].as_array().unwrap().iter().map(|market| market["ticker"].to_string()));
        cursor = page["cursor"].as_str().unwrap().to_owned();
        pages += 1;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!((seen.len(), pages, seen.iter().collect::<BTreeSet<_>>().len()), (36, 8, 36));
    assert_eq!(request("GET", &format!("{rest}/markets?limit=1001"), "").0, 400);
    assert_eq!(request("GET", &format!("{rest}/markets?status=active"), "").0, 400);
    assert_eq!(get(&format!("{rest}/markets?cursor=garbage"))["markets"].as_array().unwrap().len(), 36);
    assert_eq!(request("GET", &format!("{rest}/markets/NONE"), "").0, 404);
    assert_eq!(get(&format!("{rest}/exchange/status"))["trading_active"], true);
    let series = get(&format!("{rest}/series/KXHIGHCHI"));
    assert_eq!((&series["series"]["fee_type"], &series["series"]["fee_multiplier"]), (&json!("quadratic"), &json!(1)));
    assert_eq!(get(&format!("{rest}/series?category=Climate%20and%20Weather"))["series"].as_array().unwrap().len(), 6);

    let markets = get(&format!("{rest}/markets?series_ticker=KXHIGHCHI"));
    let markets = markets["markets"].as_array().unwrap();
    let words: Vec<&str> = markets.iter().map(|market| market["strike_type"].as_str().unwrap()).collect();
    assert_eq!(words, ["less", "between", "between", "between", "between", "greater"]);
    let cap = markets[0]["cap_strike"].as_i64().unwrap();
    assert_eq!(markets[5]["floor_strike"], cap + 7);
    assert!(markets[0].get("floor_strike").is_none());
    for market in markets {
        assert_eq!(market["close_time"], "2026-07-02T06:00:00Z");
        assert_eq!(market["status"], "active");
        assert_eq!(market["price_ranges"], json!([{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]));
        for field in REQUIRED {
            assert!(market.get(field).is_some_and(|value| !value.is_null()), "{field}");
        }
    }
    let ticker = markets[2]["ticker"].as_str().unwrap();
    let one = get(&format!("{rest}/markets?tickers={ticker},UNKNOWN"));
    assert_eq!(one["markets"].as_array().unwrap().len(), 1);
    let book = get(&format!("{rest}/markets/{ticker}/orderbook?depth=1"))["orderbook_fp"].clone();
    assert_eq!(book["yes_dollars"][0][0], get(&format!("{rest}/markets/{ticker}"))["market"]["yes_bid_dollars"]);
    let event = get(&format!("{rest}/events/KXHIGHCHI-26JUL01"));
    assert_eq!(
        (event["event"]["mutually_exclusive"].as_bool(), event["markets"].as_array().unwrap().len()),
        (Some(true), 6)
    );
}

/// Required fields of a market in openapi.yaml 3.34.0.
const REQUIRED: [&str; 34] = [
    "ticker",
    "event_ticker",
    "market_type",
    "yes_sub_title",
    "no_sub_title",
    "created_time",
    "updated_time",
    "open_time",
    "close_time",
    "latest_expiration_time",
    "settlement_timer_seconds",
    "status",
    "notional_value_dollars",
    "yes_bid_dollars",
    "yes_ask_dollars",
    "no_bid_dollars",
    "no_ask_dollars",
    "yes_bid_size_fp",
    "yes_ask_size_fp",
    "last_price_dollars",
    "previous_yes_bid_dollars",
    "previous_yes_ask_dollars",
    "previous_price_dollars",
    "volume_fp",
    "volume_24h_fp",
    "open_interest_fp",
    "result",
    "can_close_early",
    "expiration_value",
    "rules_primary",
    "rules_secondary",
    "price_level_structure",
    "price_ranges",
    "settlement_bounds_type",
];

#[tokio::test]
async fn every_message_has_the_fields_that_the_spec_requires() {
    let (_sim, client, _) = whole_day(9, false).await;
    let mut kinds = BTreeSet::new();
    for frame in &client.frames {
        let (head, msg): (&[&str], &[&str]) = match frame["type"].as_str().unwrap() {
            "subscribed" => (&["msg"], &["channel", "sid"]),
            "orderbook_snapshot" => (&["sid", "seq"], &["market_ticker", "market_id", "clock"]),
            "orderbook_delta" => {
                (&["sid", "seq"], &["market_ticker", "market_id", "clock", "price_dollars", "delta_fp", "side"])
            }
            "ticker" => (
                &["sid"],
                &[
                    "market_id",
                    "market_ticker",
                    "price_dollars",
                    "yes_bid_dollars",
                    "yes_ask_dollars",
                    "volume_fp",
                    "open_interest_fp",
                    "dollar_volume",
                    "dollar_open_interest",
                    "yes_bid_size_fp",
                    "yes_ask_size_fp",
                    "last_trade_size_fp",
                    "ts",
                    "ts_ms",
                    "time",
                ],
            ),
            "trade" => (
                &["sid", "seq"],
                &[
                    "trade_id",
                    "market_ticker",
                    "yes_price_dollars",
                    "no_price_dollars",
                    "count_fp",
                    "taker_side",
                    "taker_outcome_side",
                    "taker_book_side",
                    "is_block_trade",
                    "ts",
                    "ts_ms",
                ],
            ),
            "market_lifecycle_v2" => (&["sid", "seq"], &["market_ticker", "event_type"]),
            other => panic!("{other}"),
        };
        kinds.insert(frame["type"].to_string());
        assert!(head.iter().all(|field| frame.get(field).is_some()), "{frame}");
        assert!(msg.iter().all(|field| frame["msg"].get(field).is_some()), "{frame}");
    }
    assert_eq!(kinds.len(), 6);
}

#[tokio::test]
async fn weather_is_told_when_it_is_published_and_not_before() {
    let sim = flood(100, 1);
    let told = get(&format!("{}/weather", sim.sim_url));
    let today = |told: &Value| -> Vec<Value> {
        told.as_array().unwrap().iter().filter(|row| row["date"] == "2026-07-01").cloned().collect()
    };
    assert_eq!(told.as_array().unwrap().len(), 6 * 31);
    assert_eq!(today(&told).len(), 6);
    assert!(today(&told).iter().all(|row| row["observed_high_f"].is_null() && row["observed_published"].is_null()));
    let before = told.as_array().unwrap().iter().filter(|row| row["date"] != "2026-07-01");
    assert!(before.clone().all(|row| row["observed_high_f"].is_i64()));
    assert!(before.clone().all(|row| row["forecast_high_f"].as_object().unwrap().len() == 6));
    let mut client = Client::connect(&sim.ws_url, true).await;
    client.subscribe(&["orderbook_delta"], &tickers(&sim.rest_url)).await;
    client.drain(300).await;
    let rows = today(&get(&format!("{}/weather", sim.sim_url)));
    assert!(rows.iter().all(|row| row["observed_high_f"].is_i64()), "the day is over");
    let clock = get(&format!("{}/clock", sim.sim_url));
    assert!(clock["factor"].is_null() && clock["now_ns"].is_i64());
}

/// Not a benchmark: it only shows that the exchange is not what a host is measured against.
#[tokio::test]
async fn a_flood_is_faster_than_any_host() {
    use futures_util::StreamExt;
    let sim = flood(1_000_000, 2);
    let all = tickers(&sim.rest_url);
    let mut client = Client::connect(&sim.ws_url, true).await;
    client.subscribe(&["orderbook_delta", "trade"], &all).await;
    let (mut begun, mut frames) = (None, 0_u32);
    while frames < 900_000 {
        client.socket.next().await.unwrap().unwrap();
        begun.get_or_insert_with(Instant::now);
        frames += 1;
    }
    let rate = f64::from(frames) / begun.unwrap().elapsed().as_secs_f64();
    eprintln!("{rate:.0} frames/s to a client that only reads");
    assert!(rate > 100_000.0, "{rate}");
}

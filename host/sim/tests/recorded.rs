//! Recordings played again. They are looked for in `ISOBAR_DATA` or `../shared/data`; without them only the small
//! capture that is written here runs.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod client;

use client::{Client, get, tickers};
use isobar_sim::{Config, Error, Recording, Running, Sim, Speed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn data() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("ISOBAR_DATA").map_or(beside, PathBuf::from);
    if !folder.join("ws").is_dir() {
        eprintln!("skipped: no recordings in {}", folder.display());
        return None;
    }
    Some(folder)
}

fn start(recording: Recording) -> Running {
    Sim::start(Config { scene: recording.into(), speed: Speed::Flood, ..Config::default() }).unwrap()
}

/// Reads the whole scene, coming back after every disconnect; the books at the end, in YES prices, and the disconnects.
async fn read_all(
    sim: &Running,
    use_yes_price: bool,
) -> (BTreeMap<String, [BTreeMap<i64, i64>; 2]>, usize, Vec<Value>) {
    let tickers = tickers(&sim.rest_url);
    let (mut frames, mut disconnects) = (Vec::new(), 0);
    loop {
        let mut client = Client::connect(&sim.ws_url, use_yes_price).await;
        for part in tickers.chunks(400) {
            client.subscribe(&["orderbook_delta", "ticker", "market_lifecycle_v2"], part).await;
        }
        let alive = client.drain(400).await;
        frames.append(&mut client.frames);
        if alive {
            assert!(sim.finished());
            assert_eq!(sim.refused(), 0);
            tickers.iter().for_each(|ticker| client.equals(&sim.sim_url, ticker));
            let sides = |ticker: &String| {
                let (bids, asks) = client.sides(ticker);
                (ticker.clone(), [bids, asks])
            };
            return (tickers.iter().map(sides).collect(), disconnects, frames);
        }
        disconnects += 1;
    }
}

const SMALL: &str = r#"{"recv_ns":1000000000,"conn":-1,"control":"watch_market","market_ticker":"KXA-1-B","close_time":"2026-05-11T05:45:00Z","strike":80938.41}
{"recv_ns":1000000000,"conn":0,"frame":{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":2}}}
{"recv_ns":1000000001,"conn":0,"frame":{"type":"orderbook_snapshot","sid":2,"seq":1,"msg":{"market_ticker":"KXA-1-B","market_id":"x","yes_dollars_fp":[["0.0010","1602.00"],["0.4000","10.50"]],"no_dollars_fp":[["0.5500","3.00"]]}}}
{"recv_ns":1000000002,"conn":0,"frame":{"type":"orderbook_delta","sid":2,"seq":2,"msg":{"market_ticker":"KXA-1-B","market_id":"x","price_dollars":"0.4000","delta_fp":"-10.50","side":"yes","ts_ms":7}}}
{"recv_ns":1000000003,"conn":1,"frame":{"type":"orderbook_snapshot","sid":2,"seq":1,"msg":{"market_ticker":"KXA-1-B","market_id":"x","no_dollars_fp":[["0.5500","3.25"]]}}}
{"recv_ns":1000000004,"conn":1,"frame":{"type":"orderbook_delta","sid":2,"seq":2,"msg":{"market_ticker":"KXA-1-B","market_id":"x","price_dollars":"0.5510","delta_fp":"1.00","side":"no"}}}
"#;

#[tokio::test]
async fn a_capture_ends_in_its_own_book_on_both_scales_and_with_its_disconnect() {
    let path = std::env::temp_dir().join(format!("isobar-sim-{}.jsonl", std::process::id()));
    std::fs::write(&path, SMALL).unwrap();
    for use_yes_price in [false, true] {
        let sim = start(Recording::Capture(path.clone()));
        let (books, disconnects, _) = read_all(&sim, use_yes_price).await;
        assert_eq!(disconnects, 1);
        assert_eq!(books["KXA-1-B"], [BTreeMap::new(), BTreeMap::from([(4_500, 325), (4_490, 100)])]);
        let market = get(&format!("{}/markets/KXA-1-B", sim.rest_url))["market"].clone();
        assert_eq!(market["floor_strike"], 80938.41);
        assert_eq!(market["price_level_structure"], "tapered_deci_cent");
        assert_eq!(market["price_ranges"].as_array().unwrap().len(), 3);
    }
    std::fs::write(&path, "{\"recv_ns\":1}\n").unwrap();
    let scene = Recording::Capture(path.clone()).into();
    assert!(matches!(Sim::start(Config { scene, ..Config::default() }), Err(Error::Malformed { .. })));
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn the_captures_play_to_the_end() {
    let Some(data) = data() else { return };
    for (name, disconnects) in [
        ("KXBTC15M_20260511T053340Z-0dc86f34.jsonl.zst", 0),
        ("KXBTC15M_20260513T1259Z.jsonl.zst", 2),
        ("KXBTC15M_20260514T043118Z.jsonl.zst", 1),
        ("KXMLBGAME_12markets_20260807.jsonl", 0),
    ] {
        let path = data.join("ws").join(name);
        let plain = read_all(&start(Recording::Capture(path.clone())), false).await;
        let yes = read_all(&start(Recording::Capture(path)), true).await;
        assert_eq!((plain.1, yes.1), (disconnects, disconnects), "{name}");
        assert_eq!(plain.0, yes.0, "{name}");
        assert!(plain.0.values().any(|[bids, asks]| !bids.is_empty() && !asks.is_empty()), "{name}");
        eprintln!("{name}: {} frames", plain.2.len());
    }
}

#[tokio::test]
async fn march_quotes_have_six_brackets_holes_weather_and_results() {
    let Some(data) = data() else { return };
    let sim = start(Recording::Quotes { data, days: Vec::new() });
    let (_, disconnects, frames) = read_all(&sim, true).await;
    assert!((3..=6).contains(&disconnects), "{disconnects}");
    assert!(frames.len() > 30_000, "{}", frames.len());
    let events = get(&format!("{}/events?with_nested_markets=true", sim.rest_url))["events"].clone();
    assert!(events.as_array().unwrap().iter().all(|event| event["markets"].as_array().unwrap().len() == 6));
    let event = |ticker: &str| get(&format!("{}/events/{ticker}", sim.rest_url))["markets"].as_array().unwrap().clone();
    // 85 degrees, and one recorded market only: 87 is the upper one.
    let miami = event("KXHIGHMIA-26MAR10");
    assert_eq!(miami[0]["ticker"], "KXHIGHMIA-26MAR10-T80");
    let yes: Vec<&Value> =
        miami.iter().filter(|market| market["result"] == "yes").map(|market| &market["ticker"]).collect();
    assert_eq!(yes, ["KXHIGHMIA-26MAR10-B84.5"]);
    // Nobody observed Chicago: the outer markets are inferred, the rest stays open.
    let chicago: Vec<String> =
        event("KXHIGHCHI-26MAR10").iter().map(|market| market["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(chicago, ["finalized", "closed", "closed", "closed", "closed", "finalized"]);
    let weather = get(&format!("{}/weather", sim.sim_url));
    let row = |city: &str, date: &str| {
        weather.as_array().unwrap().iter().find(|row| row["city"] == city && row["date"] == date).cloned().unwrap()
    };
    assert_eq!(row("MIA", "2026-03-10")["forecast_high_f"]["gfs"], 82.6);
    assert_eq!(row("MIA", "2026-03-10")["observed_high_f"], 85);
    assert!(row("CHI", "2026-03-10")["observed_high_f"].is_null());
    assert!(row("AUS", "2026-02-27")["observed_high_f"].is_i64());
}

#[tokio::test]
async fn december_in_new_york_has_all_six_books_and_settles() {
    let Some(data) = data() else { return };
    let sim = start(Recording::TopOfBook { data, days: vec![jiff::civil::date(2025, 12, 19)] });
    let (_, _, frames) = read_all(&sim, false).await;
    let quoted: std::collections::BTreeSet<String> = frames
        .iter()
        .filter(|frame| frame["type"] == "orderbook_delta")
        .map(|frame| frame["msg"]["market_ticker"].to_string())
        .collect();
    assert_eq!(quoted.len(), 6);
    let market = get(&format!("{}/markets/KXHIGHNY-25DEC19-B58.5", sim.rest_url))["market"].clone();
    assert_eq!((market["result"].as_str(), market["expiration_value"].as_str()), (Some("yes"), Some("58.00")));
}

#[tokio::test]
async fn polls_keep_their_full_depth() {
    let Some(data) = data() else { return };
    let sim = start(Recording::Polls(data.join("weather_books/books_2026-07-24.jsonl.zst")));
    let (_, disconnects, frames) = read_all(&sim, true).await;
    assert_eq!(disconnects, 0);
    // The second poll changes books that a client already has, so it arrives as deltas.
    let deltas = frames.iter().filter(|frame| frame["type"] == "orderbook_delta").count();
    assert!(deltas > 10_000, "{deltas}");
}

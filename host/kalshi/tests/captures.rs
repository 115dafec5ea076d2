//! Real recordings: no gap, nothing unparsed, and the two readers of a delta agree on every one.

mod support;

use isobar_engine::event::{Body, Input};
use isobar_engine::units::Timestamp;
use isobar_kalshi::protocol::{Counts, Protocol};
use isobar_kalshi::{convert, wire};
use std::collections::BTreeSet;
use std::path::Path;
use support::{capture, line, markets, recordings};

fn tickers(lines: &str) -> BTreeSet<&str> {
    let found = lines.split("\"market_ticker\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    found.collect()
}

fn replay(path: &Path) -> Counts {
    let lines = capture(path);
    let mut protocol = Protocol::new();
    let mut transmit = Vec::new();
    let mut open = BTreeSet::new();
    protocol.apply(Timestamp(0), &Input::Listed(markets(tickers(&lines))), &mut transmit);
    for text in lines.lines() {
        let (at, connection, Some(frame)) = line(text) else { continue };
        let at = Timestamp(at);
        if open.insert(connection) {
            let connected = Input::Connected { connection, use_yes_price: false, observed: true, private: false };
            protocol.apply(at, &connected, &mut transmit);
        }
        let body = protocol.apply(at, &Input::Frame { connection, text: frame.as_bytes() }, &mut transmit);
        assert!(!matches!(body, Body::Unparsed(_) | Body::Stale { .. }), "{body:?}: {frame}");
        general_reader_agrees(frame, &body);
    }
    assert!(transmit.is_empty());
    protocol.counts()
}

/// The same frame in a spelling that only the general reader takes, through serde alone.
fn general_reader_agrees(frame: &str, body: &Body) {
    let Body::Delta { side, price, change, .. } = body else { return };
    let read: wire::Message<wire::BookDelta<'_>> = serde_json::from_str(frame).expect("a delta");
    let at = convert::price_of(&read.msg.price_dollars, read.msg.price).expect("a price");
    assert_eq!((*side, *price), convert::level_price(read.msg.side, at, false), "{frame}");
    assert_eq!(Some(*change), convert::change_of(&read.msg.delta_fp, read.msg.delta), "{frame}");
}

#[test]
fn seven_captures_of_one_market_are_whole() {
    let Some(folder) = recordings("ws") else { return };
    let mut found = 0;
    for file in std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
        if !file.to_string_lossy().contains("KXBTC15M_") {
            continue;
        }
        let counts = replay(&file);
        found += 1;
        eprintln!("{}: {counts:?}", file.display());
        assert_eq!((counts.gaps, counts.unparsed, counts.awaiting, counts.unlisted, counts.stale), (0, 0, 0, 0, 0));
        assert_eq!(counts.accounted(), counts.frames);
        assert!(counts.snapshots > 0 && counts.deltas > 3_000);
    }
    assert_eq!(found, 7);
}

#[test]
fn twelve_markets_share_one_sequence_with_acknowledgements_in_it() {
    let Some(folder) = recordings("ws") else { return };
    let counts = replay(&folder.join("KXMLBGAME_12markets_20260807.jsonl"));
    assert_eq!((counts.gaps, counts.unparsed, counts.awaiting), (0, 0, 0));
    assert_eq!((counts.snapshots, counts.deltas, counts.quiet, counts.frames), (12, 245, 12, 269));
}

#[test]
fn every_frame_seen_in_the_wild_is_read_or_refused_with_a_reason() {
    #[derive(serde::Deserialize)]
    struct Wild {
        raw: String,
    }
    let Some(folder) = recordings("ws") else { return };
    let lines = capture(&folder.join("wild_frames.jsonl"));
    let wild: Vec<Wild> = lines.lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
    let raw: Vec<String> = wild.into_iter().map(|wild| wild.raw).collect();
    let all = raw.join("\n");
    let mut quiet = 0;
    for frame in &raw {
        // Frames of many sources: each meets a protocol of its own.
        let mut protocol = Protocol::new();
        let mut transmit = Vec::new();
        protocol.apply(Timestamp(0), &Input::Listed(markets(tickers(&all))), &mut transmit);
        let connected = Input::Connected { connection: 0, use_yes_price: false, observed: true, private: false };
        protocol.apply(Timestamp(0), &connected, &mut transmit);
        let body = protocol.apply(Timestamp(0), &Input::Frame { connection: 0, text: frame.as_bytes() }, &mut transmit);
        assert!(!matches!(body, Body::Unparsed(_)), "{body:?}: {frame}");
        quiet += u32::from(body == Body::Quiet);
    }
    assert_eq!(raw.len(), 24);
    // event_lifecycle, subscribed, ok, two errors, and two deltas without their snapshot.
    assert_eq!(quiet, 7);
}

#[test]
fn a_recorded_weather_book_is_reflected_once() {
    let Some(folder) = recordings("ws") else { return };
    let lines = capture(&folder.join("wild_frames.jsonl"));
    let line = lines.lines().find(|line| line.contains("2230.99")).expect("the weather snapshot");
    let raw: serde_json::Value = serde_json::from_str(line).expect("a line");
    let mut bench = support::Bench::new(&["KXHIGHNY-26JUN24-T82"], 60);
    bench.apply(&Input::Connected { connection: 0, use_yes_price: false, observed: true, private: false });
    let Body::Snapshot { bids, asks, .. } = bench.frame(raw["raw"].as_str().expect("text")) else {
        panic!("no snapshot");
    };
    assert_eq!((bids.len(), asks.len()), (10, 57));
    assert_eq!((bids[0].price.to_string(), bids[0].quantity.to_string()), ("0.1000".into(), "29.00".into()));
    assert_eq!((asks[0].price.to_string(), asks[0].quantity.to_string()), ("0.1100".into(), "207.00".into()));
    assert_eq!(asks[56].price.to_string(), "0.9900");
}

//! What a frame costs from bytes to event: `cargo bench -p isobar-kalshi`.

use isobar_engine::event::Input;
use isobar_engine::market::{FeeSchedule, Ladder, Market, MarketId, MarketStatus, Strike};
use isobar_engine::units::Timestamp;
use isobar_kalshi::protocol::Protocol;
use std::fmt::Write;

fn main() {
    divan::main();
}

/// Six cities with six brackets each, as listed on one day.
fn listed() -> Protocol {
    let cities = ["CHI", "AUS", "DEN", "LAX", "MIA", "PHIL"];
    let names = cities.iter().flat_map(|city| {
        ["T28", "B29.5", "B31.5", "B33.5", "B35.5", "T36"].map(|strike| format!("KXHIGH{city}-26NOV23-{strike}"))
    });
    let markets = names.enumerate().map(|(number, ticker)| Market {
        id: MarketId(number as u16),
        event: ticker[..ticker.rfind('-').expect("a ticker has parts")].to_owned(),
        series: "KXHIGHCHI".into(),
        ticker,
        strike: Strike::Other,
        ladder: Ladder::cents(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: Timestamp(0),
        closes: Timestamp(i64::MAX),
    });
    let mut protocol = Protocol::new();
    let mut transmit = Vec::new();
    protocol.apply(Timestamp(0), &Input::Listed(markets.collect()), &mut transmit);
    let connected = Input::Connected { connection: 0, use_yes_price: true, observed: true, private: false };
    protocol.apply(Timestamp(0), &connected, &mut transmit);
    protocol
}

/// A protocol with a fresh book, and a frame whose sequence number is not checked twice.
fn bench(bencher: divan::Bencher<'_, '_>, frame: impl Fn(u64) -> String) {
    const FRAMES: u64 = 4_096;
    let snapshot = include_str!("../testdata/frames.jsonl").lines().nth(4).expect("a snapshot");
    let frames: Vec<String> = (2..FRAMES + 2).map(frame).collect();
    bencher
        .counter(divan::counter::ItemsCount::new(FRAMES))
        .with_inputs(|| {
            let mut protocol = listed();
            let input = Input::Frame { connection: 0, text: snapshot.as_bytes() };
            protocol.apply(Timestamp(0), &input, &mut Vec::new());
            protocol
        })
        .bench_local_values(|mut protocol| {
            let mut transmit = Vec::new();
            for text in &frames {
                let input = Input::Frame { connection: 0, text: text.as_bytes() };
                divan::black_box(protocol.apply(Timestamp(1), &input, &mut transmit));
            }
            assert_eq!(protocol.counts().unparsed + protocol.counts().gaps, 0);
            protocol
        });
}

#[divan::bench]
fn delta(bencher: divan::Bencher<'_, '_>) {
    let spelled = include_str!("../testdata/delta.json");
    bench(bencher, |seq| spelled.replacen("\"seq\":2", &format!("\"seq\":{seq}"), 1));
}

#[divan::bench]
fn delta_with_clock(bencher: divan::Bencher<'_, '_>) {
    let spelled = include_str!("../testdata/delta_clock.json");
    bench(bencher, |seq| spelled.replacen("\"seq\":3", &format!("\"seq\":{seq}"), 1));
}

/// The same delta in another key order, for the general reader.
#[divan::bench]
fn delta_by_the_general_reader(bencher: divan::Bencher<'_, '_>) {
    let spelled = include_str!("../testdata/delta.json").replacen("{\"type\":\"orderbook_delta\",", "{", 1);
    let spelled = spelled.replacen("}}", "},\"type\":\"orderbook_delta\"}", 1);
    bench(bencher, |seq| spelled.replacen("\"seq\":2", &format!("\"seq\":{seq}"), 1));
}

#[divan::bench]
fn ticker(bencher: divan::Bencher<'_, '_>) {
    let spelled = include_str!("../testdata/frames.jsonl").lines().nth(11).expect("a ticker");
    bench(bencher, |_| spelled.to_owned());
}

#[divan::bench]
fn snapshot_of_fifty_levels_a_side(bencher: divan::Bencher<'_, '_>) {
    let side = |scale: &str| {
        (1..=50).fold(String::new(), |mut side, cent| {
            write!(side, "{}[\"0.{cent:02}00\",\"{scale}\"]", if cent > 1 { "," } else { "" }).expect("a string");
            side
        })
    };
    let (yes, no) = (side("2230.99"), side("100.00"));
    bench(bencher, |seq| {
        format!(
            r#"{{"type":"orderbook_snapshot","sid":1,"seq":{seq},"msg":{{"market_ticker":"KXHIGHCHI-26NOV23-B33.5","market_id":"","yes_dollars_fp":[{yes}],"no_dollars_fp":[{no}]}}}}"#
        )
    });
}

//! Mutated frames: the protocol never panics and accounts for every frame, and its two readers of a delta agree. Seeded, so that a finding can be repeated.
//!
//! A short run is part of the tests; `FUZZ_SECONDS` makes it long and `FUZZ_SEED` another one.

mod support;

use isobar_engine::event::{Body, Input};
use isobar_engine::market::MarketId;
use isobar_engine::units::{SECOND, Timestamp};
use isobar_kalshi::protocol::{Protocol, Transmit};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};
use support::{capture, frames, line, markets, recordings};

/// Hand-written frames, and of recorded ones where there are some: every 50th, and each that is not a delta.
fn corpus() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = frames().into_iter().map(|text| text.as_bytes().to_vec()).collect();
    let Some(folder) = recordings("ws") else { return corpus };
    for name in ["KXBTC15M_20260511T053340Z-0dc86f34.jsonl.zst", "KXMLBGAME_12markets_20260807.jsonl"] {
        let lines = capture(&folder.join(name));
        let frames = lines.lines().enumerate().filter_map(|(number, text)| Some((number, line(text).2?)));
        let chosen = frames.filter(|(number, frame)| number % 50 == 0 || !frame.contains("orderbook_delta"));
        corpus.extend(chosen.map(|(_, frame)| frame.as_bytes().to_vec()));
    }
    corpus
}

const BLOWN_UP: [&str; 10] = [
    "0",
    "-1",
    "1e999",
    "99999999999999999999999999",
    "18446744073709551615",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "0.00001",
    "null",
];

fn mutate(rng: &mut ChaCha8Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = corpus[rng.random_range(0..corpus.len())].clone();
    for _ in 0..rng.random_range(0..4) {
        if frame.is_empty() {
            break;
        }
        let at = rng.random_range(0..frame.len());
        match rng.random_range(0..7) {
            0 => frame[at] ^= 1 << rng.random_range(0..8),
            1 => frame[at] = rng.random(),
            2 => frame.truncate(at),
            3 => {
                let other = &corpus[rng.random_range(0..corpus.len())];
                frame.truncate(at);
                frame.extend_from_slice(&other[rng.random_range(0..other.len())..]);
            }
            4 => {
                let end = rng.random_range(at..frame.len().min(at + 40));
                let again = frame[at..end].to_vec();
                frame.splice(at..at, again);
            }
            _ => blow_up(rng, &mut frame, at),
        }
    }
    frame
}

/// Replaces the next number after `at`, in or out of a string, by one from beyond the bounds.
fn blow_up(rng: &mut ChaCha8Rng, frame: &mut Vec<u8>, at: usize) {
    let digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let Some(start) = frame[at..].iter().position(digit).map(|start| at + start) else { return };
    let end = frame[start..].iter().position(|byte| !digit(byte)).map_or(frame.len(), |end| start + end);
    let value = BLOWN_UP[rng.random_range(0..BLOWN_UP.len())];
    frame.splice(start..end, value.bytes());
}

/// What holds after every input, whatever it was.
fn check(body: &Body, markets: u16) {
    match body {
        Body::Snapshot { market, bids, asks } => {
            assert!(market.0 < markets);
            assert!(bids.windows(2).all(|pair| pair[0].price > pair[1].price), "bids fall");
            assert!(asks.windows(2).all(|pair| pair[0].price < pair[1].price), "asks rise");
        }
        Body::Delta { market, change, .. } => assert!(market.0 < markets && change.unsigned_abs() <= 1_000_000_000_000),
        Body::Unparsed(reason) => assert!(!reason.is_empty() && reason.len() <= 200, "{reason}"),
        _ => {}
    }
}

fn run(seed: u64, frames: Option<u64>, until: Instant) -> u64 {
    let corpus = corpus();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let names: Vec<String> = corpus
        .iter()
        .flat_map(|frame| {
            let text = String::from_utf8_lossy(frame).into_owned();
            let after = text.split("\"market_ticker\":\"").skip(1);
            after.filter_map(|rest| rest.split('"').next().map(str::to_owned)).collect::<Vec<_>>()
        })
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let listed = markets(names.iter().map(String::as_str));
    let count = listed.len() as u16;
    let mut transmit: Vec<Transmit> = Vec::new();
    let (mut at, mut done) = (Timestamp(0), 0);
    while frames.is_none_or(|frames| done < frames) && Instant::now() < until {
        // The second one gets every frame behind a blank, which only the general reader takes.
        let (mut protocol, mut general) = (Protocol::new(), Protocol::new());
        for protocol in [&mut protocol, &mut general] {
            protocol.apply(at, &Input::Listed(listed.clone()), &mut transmit);
            for connection in 0..2 {
                let (use_yes_price, observed) = (connection == 1, connection == 1);
                let connected = Input::Connected { connection, use_yes_price, observed, private: false };
                protocol.apply(at, &connected, &mut transmit);
            }
        }
        for step in 0..5_000u32 {
            at = at.plus(rng.random_range(0..SECOND / 10));
            let frame = mutate(&mut rng, &corpus);
            let before = protocol.counts();
            let body = protocol.apply(at, &Input::Frame { connection: step % 2, text: &frame }, &mut transmit);
            check(&body, count);
            let behind_a_blank = [b" ", &frame[..]].concat();
            let input = Input::Frame { connection: step % 2, text: &behind_a_blank };
            let other = general.apply(at, &input, &mut transmit);
            let same = body == other || matches!((&body, &other), (Body::Unparsed(_), Body::Unparsed(_)));
            assert!(same, "seed {seed}: {body:?} and {other:?}: {}", String::from_utf8_lossy(&frame));
            let counts = protocol.counts();
            assert_eq!(counts, general.counts());
            let told = matches!(body, Body::Unparsed(_));
            assert_eq!(told, counts.unparsed > before.unparsed, "seed {seed}: {}", String::from_utf8_lossy(&frame));
            assert_eq!(counts.accounted(), counts.frames, "seed {seed}: {}", String::from_utf8_lossy(&frame));
            let other = match rng.random_range(0..200) {
                0 => Input::Resync(MarketId(rng.random_range(0..count + 2))),
                1 => Input::Pong { connection: rng.random_range(0..3) },
                2..10 => Input::Tick,
                _ => continue,
            };
            let body = protocol.apply(at, &other, &mut transmit);
            check(&body, count);
            assert_eq!(body, general.apply(at, &other, &mut transmit), "seed {seed}");
            transmit.clear();
        }
        done += 5_000;
    }
    done
}

#[test]
fn mutated_frames_are_accounted_for() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let done = match number("FUZZ_SECONDS") {
        Some(seconds) => run(seed, None, Instant::now() + Duration::from_secs(seconds)),
        None => run(seed, Some(100_000), Instant::now() + Duration::from_secs(600)),
    };
    eprintln!("{done} mutated frames, seed {seed}");
    assert!(done > 0);
}

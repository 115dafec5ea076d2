//! Two sockets of one feed, with the real program and the simulated exchange, which breaks one connection after the other:
//! no book is ever stale, each trade is told once, and every book is the exchange's own.

use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::{Body, Input};
use isobar_kalshi::protocol::Protocol;
use isobar_store::{Run, SlotRecord};
use isobar_tests::play::{Play, config, request, slot};
use isobar_tests::truth::Truth;
use isobar_tests::{isobar, replay, strategy};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a connection breaks, each time the older one.
const LOSSES: usize = 8;

#[test]
fn either_of_two_sockets_is_lost_without_a_stale_book_or_a_trade_told_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let rest = slot("edge", &strategy("edge"), None) + "[venue]\nsockets = 2\n";
    let file = config(folder.path(), &rest);
    let mut play =
        Play::start(isobar(["demo", "--speed", "20", "--json", "--config"]).arg(file).arg("--run").arg(&run));
    let exchange = play.exchange();
    play.exchange();
    play.opinions(6);
    let a_while = || std::thread::sleep(Duration::from_millis(400));
    for _ in 0..LOSSES {
        a_while();
        request(&exchange, "POST", "/sim/fault", &json!({"kind": "disconnect_one"}).to_string());
        play.exchange();
    }
    a_while();
    let mut truth = Truth::of(&exchange);
    a_while();
    let summary = play.interrupt();
    replay(&run);

    let run = Run::open(&run).expect("a run");
    let mut slot = run.read_slot("edge").expect("a slot");
    let first = slot.next().expect("readable").expect("a record");
    let SlotRecord::Opening { settings, .. } = first.record else { panic!("{first:?}") };
    let mut engine = Engine::new(serde_json::from_str::<Settings>(&settings).expect("settings"));
    let (mut protocol, mut transmit, mut effects) = (Protocol::new(), Vec::new(), Vec::new());
    let mut reader = run.read_feed().expect("a journal");
    let (mut trades, mut told, mut heard) = (BTreeSet::new(), 0, 0);
    let (mut lost, mut frames) = (0, BTreeMap::new());
    while let Some(record) = reader.next().expect("readable") {
        let body = protocol.apply(record.at, &record.input, &mut transmit);
        engine.apply(record.seq, record.at, &body, &mut effects);
        effects.clear();
        match (&record.input, &body) {
            (Input::Disconnected { .. }, Body::Quiet) => lost += 1,
            (Input::Frame { connection, text }, body) => {
                *frames.entry(*connection).or_insert(0) += 1;
                if text.starts_with(br#"{"type":"trade""#) {
                    let frame: Value = serde_json::from_slice(text).expect("JSON");
                    trades.insert(frame["msg"]["trade_id"].as_str().expect("an id").to_owned());
                    heard += 1;
                    told += u64::from(matches!(body, Body::Trade(_)));
                }
            }
            _ => {}
        }
        assert!(!matches!(body, Body::Stale { .. }), "{body:?} at input {}", record.seq);
        truth.look(record.at, &engine);
    }
    truth.all_found();
    assert_eq!(lost, LOSSES);
    assert_eq!((frames.len(), told), (LOSSES + 2, trades.len() as u64), "{frames:?}");
    assert!(told > 0 && heard > told, "both sockets tell of trades: {told} of {heard}");
    let counts = protocol.counts();
    println!("{counts:?}\n{summary}");
    assert_eq!((counts.gaps, counts.unparsed, counts.stale), (0, 0, 0));
    assert!(counts.seen > counts.deltas / 4, "{counts:?}");
}

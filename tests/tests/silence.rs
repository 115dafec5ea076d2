//! Faults of the exchange, injected while the real program runs: a subscription that dies under a living connection, a
//! connection that breaks, a message that gets lost. Each makes books stale; each book that is live again is the true one.

use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::{Body, StaleReason};
use isobar_engine::units::SECOND;
use isobar_kalshi::protocol::Protocol;
use isobar_store::{Run, SlotRecord};
use isobar_tests::play::{Play, config, request, slot};
use isobar_tests::truth::{Truth, now};
use isobar_tests::{isobar, strategy, succeed};
use serde_json::{Value, json};
use std::time::Duration;

/// ORDER_BOOK_STALE_SEC of the guide.
const STALE_AFTER: i64 = 60 * SECOND;

/// The run's time goes 60 times as fast as the machine's, whose threads may come a little late.
const LATE: i64 = 6 * SECOND;

/// Injects a fault; the exchange's time just before it, and the line that tells of it.
fn fault(play: &mut Play, exchange: &str, fault: &Value, reason: &str) -> (i64, i64) {
    let before = now(exchange);
    request(exchange, "POST", "/sim/fault", &fault.to_string());
    let (_, line) = play.wait(reason, |line| line["type"] == "stale" && line["reason"] == reason);
    assert!(line["markets"].as_u64().expect("a number") >= 1, "{line}");
    (before, line["at"].as_i64().expect("a time"))
}

#[test]
fn a_dead_subscription_a_broken_connection_and_a_gap_are_noticed_and_healed() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let file = config(folder.path(), &slot("edge", &strategy("edge"), None));
    let mut play =
        Play::start(isobar(["demo", "--speed", "60", "--json", "--config"]).arg(file).arg("--run").arg(&run));
    let exchange = play.exchange();
    play.opinions(6);
    let a_while = || std::thread::sleep(Duration::from_millis(700));
    a_while();

    let silence = json!({"kind": "silence", "channel": "orderbook_delta"});
    let (silenced, noticed) = fault(&mut play, &exchange, &silence, "SilentSubscription");
    println!("silence noticed after {:.1} s of the run", (noticed - silenced) as f64 / 1e9);
    assert!(noticed - silenced <= STALE_AFTER + LATE, "{}", noticed - silenced);
    play.exchange();
    a_while();
    let (broken, stale) = fault(&mut play, &exchange, &json!({"kind": "disconnect"}), "Disconnected");
    assert!(stale - broken <= LATE, "{}", stale - broken);
    play.exchange();
    a_while();
    let (lost, gap) = fault(&mut play, &exchange, &json!({"kind": "gap"}), "Gap");
    println!("a gap noticed after {:.1} s of the run", (gap - lost) as f64 / 1e9);
    assert!(gap - lost <= STALE_AFTER, "a lost message is noticed by the next one");
    a_while();

    let mut truth = Truth::of(&exchange);
    a_while();
    play.interrupt();
    let replayed = succeed(isobar(["replay", "--json"]).arg(&run));
    assert_eq!(replayed["identical"], true, "{replayed}");
    assert_eq!(replayed["gaps"], 1, "{replayed}");

    let run = Run::open(&run).expect("a run");
    let mut slot = run.read_slot("edge").expect("a slot");
    let first = slot.next().expect("readable").expect("a record");
    let SlotRecord::Opening { settings, .. } = first.record else { panic!("{first:?}") };
    let mut engine = Engine::new(serde_json::from_str::<Settings>(&settings).expect("settings"));
    let mut protocol = Protocol::new();
    let mut reader = run.read_feed().expect("a journal");
    let mut effects = Vec::new();
    // Inputs from which on not one book is live, up to the first snapshot after.
    let mut dark: Vec<(u64, u64)> = Vec::new();
    let mut asked_again = 0;
    while let Some(record) = reader.next().expect("readable") {
        let mut transmit = Vec::new();
        let (seq, at) = (record.seq, record.at);
        let body = protocol.apply(at, &record.input, &mut transmit);
        engine.apply(seq, at, &body, &mut effects);
        effects.clear();
        if let Body::Stale { markets, reason } = &body {
            if *reason == StaleReason::Gap {
                asked_again += transmit.len();
            }
            assert!(markets.iter().all(|market| !engine.tradable(*market)), "stale at once");
        }
        let live = engine.markets().any(|market| engine.book(market.id).is_live());
        match (dark.last_mut(), live) {
            (Some((_, end)), true) if *end == u64::MAX => *end = seq,
            (Some((_, end)), false) if *end == u64::MAX => {}
            (_, false) if matches!(body, Body::Stale { .. }) => dark.push((seq, u64::MAX)),
            _ => {}
        }
        truth.look(at, &engine);
    }
    assert!(asked_again > 0, "a gap asks for snapshots");
    assert!(dark.len() >= 2 && dark.iter().all(|(_, end)| *end != u64::MAX), "dark and light again: {dark:?}");
    println!("{} dark stretches", dark.len());
    truth.all_found();

    let mut decided = vec![0; dark.len()];
    while let Some(entry) = slot.next().expect("readable") {
        let SlotRecord::Decided { outcome, .. } = entry.record else { continue };
        let Some(index) = dark.iter().position(|(from, to)| (*from..*to).contains(&entry.seq)) else { continue };
        let decision = outcome.into_owned().expect("edge answers");
        assert!(decision.quotes.is_empty() && decision.takes.is_empty(), "{decision:?}");
        assert!(decision.reasons.iter().all(|reason| reason.note == "not tradable"), "{:?}", decision.reasons);
        decided[index] += 1;
    }
    assert!(decided.iter().all(|decisions| *decisions > 0), "asked while nothing is tradable: {decided:?}");
}

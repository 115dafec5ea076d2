//! Live trading through the real programs: `isobar run --live` against `isobar sim`, over real sockets, with real keys.

use isobar_engine::event::{CancelReason, Report};
use isobar_store::{Run, SlotRecord};
use isobar_tests::play::{Play, request};
use isobar_tests::venue::{Venue, live, proved};
use isobar_tests::{isobar, succeed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Beginning of a simulated morning in which all six cities trade.
const MORNING: &str = "2026-11-26T14:00:00Z";

fn the<'a>(summary: &'a Value, slot: &str) -> &'a Value {
    let slots = summary["slots"].as_array().expect("slots");
    slots.iter().find(|one| one["slot"] == slot).expect("the slot")
}

/// Positions that are not nothing, as the exchange tells them: contracts with two decimals, by ticker.
fn held(account: &Value) -> BTreeMap<String, i64> {
    let positions = account["positions"].as_object().expect("positions");
    let units = |value: &Value| -> i64 {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match text.split_once('.') {
            Some((whole, part)) => format!("{whole}{part:0<2}").parse().expect("hundredths"),
            None => text.parse().expect("hundredths"),
        }
    };
    positions.iter().map(|(ticker, value)| (ticker.clone(), units(value))).filter(|(_, held)| *held != 0).collect()
}

/// The accounts of both sides are the same to $0.000001 and 1/100 contract, and nothing rests.
fn equal(summary: &Value, slot: &str, venue: &Venue) -> (String, BTreeMap<String, i64>) {
    let (ours, theirs) = (the(summary, slot), venue.account());
    let positions: BTreeMap<String, i64> = serde_json::from_value(ours["positions"].clone()).expect("positions");
    assert_eq!(positions, held(&theirs), "{theirs}");
    assert_eq!(ours["cash"], theirs["cash"], "{theirs}");
    assert_eq!(theirs["resting_orders"], 0, "{theirs}");
    (ours["cash"].as_str().expect("money").to_owned(), positions)
}

fn trade_until_filled(host: &mut Play, slot: &str, fills: usize) {
    for _ in 0..fills {
        host.wait("fill", |line| line["type"] == "fill" && line["slot"] == slot);
    }
}

fn replays(folder: &Path, run: &str) {
    let replayed = succeed(isobar(["replay", "--json"]).arg(folder.join("runs").join(run)));
    assert_eq!(replayed["identical"], true, "{replayed}");
}

/// Pays every market of the exchange at once.
fn settle_all(venue: &Venue) {
    let listed = request(&venue.exchange, "GET", "/trade-api/v2/markets?limit=1000", "");
    let mut paid: BTreeMap<String, bool> = BTreeMap::new();
    for market in listed["markets"].as_array().expect("markets") {
        let (ticker, event) = (market["ticker"].as_str().expect("a ticker"), market["event_ticker"].to_string());
        let first = paid.insert(event, true).is_none();
        venue.tell("market", &json!({"ticker": ticker, "act": "close", "in_s": 0}));
        venue.tell("market", &json!({"ticker": ticker, "act": "determine", "yes": first}));
        venue.tell("market", &json!({"ticker": ticker, "act": "settle"}));
    }
}

#[test]
fn a_live_run_ends_equal_in_accounting_before_and_after_settlement() {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "60", "--tier", "prestige", "--start", MORNING]);
    let config = venue.config(folder.path(), "patient");

    let mut host = live(&config);
    proved(&mut host);
    trade_until_filled(&mut host, "patient", 12);
    let summary = host.interrupt();
    let (cash, positions) = equal(&summary, "patient", &venue);
    println!("{} fills, cash {cash}, {} positions", the(&summary, "patient")["fills"], positions.len());
    assert!(!positions.is_empty());
    replays(folder.path(), "live-1");

    // Another run takes the account over, and lives to see it paid.
    let mut host = live(&config);
    proved(&mut host);
    trade_until_filled(&mut host, "patient", 3);
    settle_all(&venue);
    let held = held(&venue.account());
    assert!(held.is_empty(), "the exchange paid: {held:?}");
    host.wait("payment", |line| line["type"] == "settled" && line["slot"] == "patient");
    // The results of all six series are read within a round.
    std::thread::sleep(Duration::from_secs(2));
    let (cash, positions) = equal(&host.interrupt(), "patient", &venue);
    println!("after settlement: cash {cash}");
    assert!(positions.is_empty());
    replays(folder.path(), "live-2");
}

#[test]
fn a_halt_pulls_everything_by_each_of_its_doors_and_ends_only_by_an_explicit_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "60", "--tier", "prestige", "--start", MORNING]);
    let mut host = live(&venue.config(folder.path(), "patient"));
    proved(&mut host);
    let run = folder.path().join("runs/live-1");
    let rearm = |host: &mut Play| {
        // A minute of the run is a second of the machine.
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            succeed(isobar(["rearm", "--json"]).arg(&run));
            let status = succeed(isobar(["status", "--json"]).arg(&run));
            if status["status"]["slots"]["patient"]["halted"].is_null() {
                break;
            }
            assert!(Instant::now() < end, "{status}");
        }
        host.wait("arming", |line| line["notice"] == "Rearmed" && line["slot"] == "patient");
    };
    let resting = || venue.account()["resting_orders"].as_u64().expect("a number");
    let quoting = || {
        let end = Instant::now() + Duration::from_secs(30);
        while resting() == 0 {
            assert!(Instant::now() < end, "no quote rests");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let halted = |host: &mut Play, door: &str| {
        host.wait(door, |line| line["slot"] == "patient" && line["notice"] == "Flat");
        assert_eq!(resting(), 0, "{door}");
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(resting(), 0, "{door}: nothing comes after");
    };

    quoting();
    let outcome = succeed(isobar(["halt", "--json", "--reason", "a test"]).arg(&run));
    assert_eq!(outcome["status"]["slots"]["patient"]["flat"], true, "{outcome}");
    println!("halted and proved flat in {} s", outcome["seconds"]);
    halted(&mut host, "command");
    let at_once = succeed(isobar(["rearm", "--json"]).arg(&run));
    assert!(at_once["status"]["slots"]["patient"]["halted"].is_string(), "within a minute: {at_once}");
    rearm(&mut host);

    quoting();
    std::fs::write(run.join("halt"), "").expect("written");
    halted(&mut host, "file");
    assert!(!isobar(["rearm"]).arg(&run).output().expect("runs").status.success(), "the file is there");
    std::fs::remove_file(run.join("halt")).expect("deleted");
    rearm(&mut host);

    quoting();
    host.signal("-USR1");
    halted(&mut host, "signal");
    rearm(&mut host);
    equal(&host.interrupt(), "patient", &venue);
    replays(folder.path(), "live-1");
}

/// Kills the host again and again while it trades; each time it goes on, and nothing is lost or done twice.
fn killed(times: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "60", "--tier", "prestige", "--start", MORNING]);
    let config = venue.config(folder.path(), "patient");
    for kill in 0..times {
        let mut host = live(&config);
        proved(&mut host);
        // Moments of all kinds: before the first orders, in the middle of them, while quotes move.
        std::thread::sleep(Duration::from_millis(u64::from(kill * 37 % 400)));
        host.kill();
    }
    let mut host = live(&config);
    proved(&mut host);
    trade_until_filled(&mut host, "patient", 1);
    let summary = host.interrupt();
    let (cash, positions) = equal(&summary, "patient", &venue);
    println!("{times} kills: {} fills, cash {cash}, {} positions", the(&summary, "patient")["fills"], positions.len());
    assert_eq!(the(&summary, "patient")["fills"], venue.account()["fills"], "each fill once");
    replays(folder.path(), "live-1");
}

#[test]
fn a_killed_live_run_goes_on_and_loses_nothing() {
    killed(4);
}

#[test]
#[ignore = "minutes: make soak"]
fn a_hundred_kills() {
    killed(100);
}

#[test]
fn quotes_are_pulled_where_a_subscription_falls_silent_while_its_connection_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "20", "--tier", "prestige", "--start", MORNING]);
    let mut host = live(&venue.config(folder.path(), "patient"));
    proved(&mut host);
    host.opinions(6);
    let now = || request(&venue.exchange, "GET", "/sim/clock", "")["now_ns"].as_i64().expect("a time");
    let end = Instant::now() + Duration::from_secs(30);
    while venue.account()["resting_orders"] == 0 {
        assert!(Instant::now() < end, "no quote rests");
        std::thread::sleep(Duration::from_millis(20));
    }
    let silenced = now();
    venue.tell("fault", &json!({"kind": "silence", "channel": "orderbook_delta"}));
    let (_, line) = host.wait("silence", |line| line["type"] == "stale" && line["reason"] == "SilentSubscription");
    let noticed = line["at"].as_i64().expect("a time") - silenced;
    println!("silence noticed after {:.1} s of the run", noticed as f64 / 1e9);
    // ORDER_BOOK_STALE_SEC is 60; the machine's threads may come a little late.
    assert!(noticed <= 66_000_000_000, "{noticed}");
    std::thread::sleep(Duration::from_secs(1));
    equal(&host.interrupt(), "patient", &venue);
    replays(folder.path(), "live-1");
    // The subscription is healed by a new connection soon, so what is looked for is the cancel of each quote.
    let mut slot = Run::open(&folder.path().join("runs/live-1")).expect("a run").read_slot("patient").expect("a slot");
    let mut pulled = 0;
    while let Some(entry) = slot.next().expect("an undamaged journal") {
        let SlotRecord::Report(report) = entry.record else { continue };
        pulled += u64::from(matches!(*report, Report::Cancelled { reason: CancelReason::Stale, .. }));
    }
    println!("{pulled} quotes pulled");
    assert!(pulled > 0);
}

#[test]
fn live_trading_over_two_sockets_outlives_the_loss_of_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "60", "--tier", "prestige", "--start", MORNING]);
    let config = venue.config(folder.path(), "patient");
    let text = std::fs::read_to_string(&config).expect("written").replacen("[venue]\n", "[venue]\nsockets = 2\n", 1);
    std::fs::write(&config, text).expect("written");
    let mut host = live(&config);
    proved(&mut host);
    for _ in 0..4 {
        trade_until_filled(&mut host, "patient", 2);
        venue.tell("fault", &json!({"kind": "disconnect_one"}));
        host.wait("connection", |line| line["text"].as_str().is_some_and(|text| text.starts_with("connected to")));
        std::thread::sleep(Duration::from_millis(300));
    }
    let unproved = host.seen.iter().filter(|line| line["type"] == "notice" && line["notice"] == "Unproved").count();
    assert_eq!(unproved, 0, "the other socket went on hearing of the account");
    let summary = host.interrupt();
    let (cash, positions) = equal(&summary, "patient", &venue);
    println!("{} fills, cash {cash}, {} positions", the(&summary, "patient")["fills"], positions.len());
    assert_eq!(the(&summary, "patient")["fills"], venue.account()["fills"], "each fill once");
    replays(folder.path(), "live-1");
}

#[test]
#[ignore = "half an hour: make soak"]
fn a_whole_city_day_at_sixty_times_its_pace_ends_equal_after_settlement() {
    let folder = tempfile::tempdir().expect("a folder");
    let begin = ["--speed", "60", "--tier", "prestige", "--start", "2026-11-26T05:00:00Z", "--date", "2026-11-26"];
    let venue = Venue::start(folder.path(), &begin);
    let mut host = live(&venue.config(folder.path(), "patient"));
    proved(&mut host);
    let end = Instant::now() + Duration::from_secs(40 * 60);
    // The account is read until the exchange has paid all that was held when the day closed.
    let closes = Instant::now() + Duration::from_secs(28 * 60);
    while Instant::now() < end && !(Instant::now() > closes && held(&venue.account()).is_empty()) {
        host.drain();
        std::thread::sleep(Duration::from_secs(1));
    }
    std::thread::sleep(Duration::from_secs(35));
    let summary = host.interrupt();
    let (cash, positions) = equal(&summary, "patient", &venue);
    println!("a day: {} fills, cash {cash}, {} positions left", the(&summary, "patient")["fills"], positions.len());
    replays(folder.path(), "live-1");
}

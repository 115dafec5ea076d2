//! Live trading through the real programs: `isobar run --live` against `isobar sim`, over real sockets, with real keys.

use isobar_engine::event::{CancelReason, Input, Report};
use isobar_engine::venue::Command;
use isobar_store::{Run, SlotRecord};
use isobar_tests::account::{equal, held, the};
use isobar_tests::play::{Play, request};
use isobar_tests::venue::{Venue, live, proved};
use isobar_tests::{answer, isobar, succeed};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// Beginning of a simulated morning in which all six cities trade.
const MORNING: &str = "2026-11-26T14:00:00Z";

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

#[test]
fn limits_tighten_at_once_and_loosen_only_confirmed() {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "60", "--tier", "prestige", "--start", MORNING]);
    let mut host = live(&venue.config(folder.path(), "patient"));
    proved(&mut host);
    let run = folder.path().join("runs/live-1");
    let limits = |arguments: &[&str]| answer(isobar(["limits", "--json", "--run"]).arg(&run).args(arguments));
    let resting = || venue.account()["resting_orders"].as_u64().expect("a number");
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(30);
        while !holds() {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let told = |host: &mut Play, slot: &str, notice: &str| {
        host.wait(notice, |line| line["slot"] == slot && line["notice"].get(notice).is_some()).1
    };

    let shown = limits(&[]);
    assert_eq!((shown.code, &shown.json["limits"]["max_order_usd"]), (Some(0), &json!("50")), "{shown:?}");
    assert_eq!(shown.json["limits"].as_object().expect("limits").len(), 15);
    until("a quote rests", &|| resting() > 0);

    // Tighter: at once, in every slot, and what rests beyond it is pulled.
    let tight = limits(&["max_open_orders=0", "max_order_usd=40"]);
    assert_eq!(tight.code, Some(0), "{tight:?}");
    let change = |key, before, after, looser| json!({"key": key, "before": before, "after": after, "looser": looser});
    let changes = json!([change("max_order_usd", "50", "40", false), change("max_open_orders", "100", "0", false)]);
    assert_eq!((&tight.json["changes"], &tight.json["in_force"]), (&changes, &json!(true)), "{tight:?}");
    let mut slots = BTreeSet::new();
    while slots.len() < 2 {
        let (_, line) = host.wait("Limits", |line| line["notice"].get("Limits").is_some());
        assert_eq!(line["notice"]["Limits"]["loosened"], json!([]), "{line}");
        slots.insert(line["slot"].to_string());
    }
    until("the quotes are pulled", &|| resting() == 0);

    // Looser: not without a confirmation, and nothing that was said beside it either.
    let refused = limits(&["max_open_orders=100", "max_order_contracts=10"]);
    assert_eq!((refused.code, &refused.json["in_force"]), (Some(1), &json!(false)), "{refused:?}");
    let changes =
        json!([change("max_order_contracts", "50", "10", false), change("max_open_orders", "0", "100", true)]);
    assert_eq!(refused.json["changes"], changes);
    assert_eq!(refused.json["limits"]["max_order_contracts"], "50");
    assert_eq!(
        told(&mut host, "patient", "LimitsUnconfirmed")["notice"]["LimitsUnconfirmed"]["loosened"],
        json!(["open_orders"])
    );
    let words = isobar(["limits", "--run"]).arg(&run).arg("max_open_orders=100").output().expect("runs");
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains("--confirm") && words.contains("max_open_orders: 0 -> 100 (looser)"), "{words}");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(resting(), 0);
    let confirmed = limits(&["--confirm", "max_open_orders=100"]);
    assert_eq!((confirmed.code, &confirmed.json["in_force"]), (Some(0), &json!(true)), "{confirmed:?}");
    told(&mut host, "patient", "Limits");
    until("it quotes again", &|| resting() > 0);

    // What cannot be is said in the words of the configuration, and changes nothing.
    for (wrong, why) in [
        ("max_order_usdd=1", "did you mean max_order_usd?"),
        ("max_order_usd=much", "limits.max_order_usd"),
        ("no_trading_utc=Thu", "Thu 07:00-10:00"),
        ("max_open_orders=101", "began with 100"),
    ] {
        let refused = limits(&["--confirm", wrong]);
        assert!(refused.code == Some(1) && refused.said.contains(why), "{wrong}: {refused:?}");
    }
    let windows = limits(&["no_trading_utc=Mon 00:00-01:00, Sat 22:00-Sun 02:00"]);
    assert_eq!(windows.json["limits"]["no_trading_utc"], "Mon 00:00-01:00, Sat 22:00-Sun 02:00", "{windows:?}");

    equal(&host.interrupt(), "patient", &venue);
    replays(folder.path(), "live-1");
    let mut feed = Run::open(&run).expect("a run").read_feed().expect("a feed");
    let mut commands = Vec::new();
    while let Some(record) = feed.next().expect("an undamaged journal") {
        if let Input::Command(Command::Limits { limits, confirmed }) = record.input {
            commands.push((limits.open_orders, confirmed));
        }
    }
    let expected = [(0, false), (100, false), (100, false), (100, true), (100, false)];
    assert_eq!(commands, expected, "each attempt is an input");
}

/// What a rerun of a slot came to, and that it asked nothing of any venue: there is none any more.
fn rerun(run: &Path, arguments: &[&str]) -> Value {
    let mut outcome = succeed(isobar(["rerun", "--json"]).arg(run).args(arguments));
    outcome["slots"][0].take()
}

#[test]
fn a_rerun_of_a_slot_that_traded_live_matches_on_paper() {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "60", "--tier", "prestige", "--start", MORNING]);
    let mut host = live(&venue.config(folder.path(), "patient"));
    proved(&mut host);
    trade_until_filled(&mut host, "patient", 3);
    trade_until_filled(&mut host, "twin", 3);
    let summary = host.interrupt();
    drop(venue);
    let run = folder.path().join("runs/live-1");

    let again = rerun(&run, &["--slot", "patient"]);
    let twin = rerun(&run, &["--slot", "twin"]);
    println!("live {}, on paper again {}", the(&summary, "patient")["fills"], again["fills"]);
    // The twin beside the live slot traded on paper with the same component, limits and cash: that is what the live one
    // would have done there, to the last micro-dollar.
    for fact in ["component", "decisions", "takes", "quotes", "fills", "refusals", "cash", "fees", "pnl", "positions"] {
        let paper = &the(&summary, "twin")[fact];
        assert_eq!((&again[fact], &twin[fact]), (paper, paper), "{fact}");
    }
    assert!(again["fills"].as_u64().expect("a number") >= 3);
    // The run itself is left as it is, and another strategy can take the same place.
    replays(folder.path(), "live-1");
    let edge = isobar_tests::strategy("edge");
    let other = rerun(&run, &["--slot", "patient", "--strategy", edge.to_str().expect("a path")]);
    assert_eq!(other["slot"], "edge");
    assert_ne!(other["component"], again["component"]);
    let unknown = isobar(["rerun", "--slot", "nobody"]).arg(&run).output().expect("runs");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("it has patient, twin"), "{unknown:?}");
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
fn the_places_of_live_orders_are_shown_as_the_exchange_has_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "2", "--tier", "prestige", "--start", MORNING]);
    let config = venue.config(folder.path(), "patient");
    let text =
        std::fs::read_to_string(&config).expect("written").replacen("[live]\n", "[live]\nread_queue_sec = 1\n", 1);
    std::fs::write(&config, text).expect("written");
    let mut host = live(&config);
    proved(&mut host);
    let run = folder.path().join("runs/live-1");
    // Contracts ahead by the number of the order, as each side has it; quantities in 1/100 contract.
    let shown = || {
        let status = succeed(isobar(["status", "--json"]).arg(&run));
        let orders = status["status"]["slots"]["patient"]["orders"].as_array().expect("orders").clone();
        let places = orders.iter().map(|order| (order["order"].as_u64().expect("a number"), order["ahead"].as_u64()));
        places.collect::<BTreeMap<_, _>>()
    };
    let true_places = || {
        let orders = venue.ask("orders")[0].as_array().expect("orders").clone();
        let resting = orders.iter().filter(|order| order["status"] == "resting");
        let number = |order: &Value| order["client_order_id"].as_str()?.rsplit_once('-')?.1.parse::<u64>().ok();
        let hundredths = |order: &Value| order["ahead"].as_str()?.replace('.', "").parse::<u64>().ok();
        resting.map(|order| (number(order).expect("ours"), hundredths(order))).collect::<BTreeMap<_, _>>()
    };
    // Both move: what is looked for is a moment at which they agree, with somebody ahead.
    let end = Instant::now() + Duration::from_secs(60);
    let places = loop {
        let (shown, held) = (shown(), true_places());
        if shown == held && held.values().any(|ahead| ahead.is_some_and(|ahead| ahead > 0)) {
            break held;
        }
        assert!(Instant::now() < end, "shown {shown:?}, at the exchange {held:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    println!("contracts ahead by order, in hundredths: {places:?}");
    let words = isobar(["status"]).arg(&run).output().expect("runs");
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains(" ahead") && words.contains("order "), "{words}");
    // A paper slot shows its own model of the queue.
    let twin = &succeed(isobar(["status", "--json"]).arg(&run))["status"]["slots"]["twin"]["orders"];
    assert!(twin.as_array().expect("orders").iter().any(|order| order["ahead"].is_u64()), "{twin}");
    equal(&host.interrupt(), "patient", &venue);
    replays(folder.path(), "live-1");
}

#[test]
fn live_trading_over_two_sockets_outlives_the_loss_of_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(folder.path(), &["--speed", "60", "--tier", "prestige", "--start", MORNING]);
    let config = venue.config(folder.path(), "patient");
    // Looking for what comes rather than sleeping changes nothing but the time that it takes.
    let text = std::fs::read_to_string(&config).expect("written").replacen("[venue]\n", "[venue]\nsockets = 2\n", 1);
    let text = text.replacen("[run]\n", "[run]\nbusy_poll_ms = 20\n", 1);
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

//! Recorded days, played by the real program over its real sockets. Skipped where the recordings are not at hand.

use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::{Body, Input};
use isobar_engine::market::{Market, MarketId};
use isobar_engine::units::{Price, Timestamp};
use isobar_engine::venue::ExchangeStatus;
use isobar_kalshi::protocol::Protocol;
use isobar_store::{Run, SlotRecord};
use isobar_tests::play::Play;
use isobar_tests::{data, isobar, strategy, succeed};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A whole day in less than a minute; a second of the machine is an hour of the run.
const SPEED: &str = "3600";

/// Least share of market time inside connected periods that is tradable.
const TRADABLE: f64 = 0.95;

/// What a run's journal says about its day.
#[derive(Default)]
struct Day {
    markets: BTreeMap<String, Market>,
    paid: BTreeMap<String, Price>,
    /// Market time of recorded books inside connected periods, nanoseconds, and how much of it was tradable.
    connected: i64,
    tradable: i64,
}

impl Day {
    fn share(&self) -> f64 {
        self.tradable as f64 / self.connected as f64
    }
}

fn settings(run: &Run) -> Settings {
    let first = run.read_slot("edge").expect("a slot").next().expect("readable").expect("a record");
    let SlotRecord::Opening { settings, .. } = first.record else { panic!("{first:?}") };
    serde_json::from_str(&settings).expect("settings")
}

/// Markets whose book was recorded: those that ever hold a level.
fn recorded(run: &Run) -> BTreeSet<MarketId> {
    let (mut reader, mut protocol) = (run.read_feed().expect("a journal"), Protocol::new());
    let mut recorded = BTreeSet::new();
    while let Some(record) = reader.next().expect("readable") {
        match protocol.apply(record.at, &record.input, &mut Vec::new()) {
            Body::Delta { market, .. } => drop(recorded.insert(market)),
            Body::Snapshot { market, bids, asks } if !bids.is_empty() || !asks.is_empty() => {
                recorded.insert(market);
            }
            _ => {}
        }
    }
    recorded
}

fn day(run: &Run) -> Day {
    let recorded = recorded(run);
    let (mut reader, mut protocol) = (run.read_feed().expect("a journal"), Protocol::new());
    let mut engine = Engine::new(settings(run));
    let (mut day, mut effects) = (Day::default(), Vec::new());
    // The exchange pauses on Thursdays: nothing is tradable then, as it should be.
    let (mut connected, mut open, mut last) = (false, true, Timestamp(0));
    while let Some(record) = reader.next().expect("readable") {
        // The time since the last input was spent as that one left things.
        if connected && open {
            for market in engine.markets().filter(|market| recorded.contains(&market.id)) {
                let spent = record.at.min(market.closes).since(last.max(market.opens)).max(0);
                day.connected += spent;
                day.tradable += if engine.tradable(market.id) { spent } else { 0 };
            }
        }
        last = record.at;
        match &record.input {
            Input::Connected { .. } => connected = true,
            Input::Disconnected { .. } => connected = false,
            Input::Exchange(status) => open = *status == ExchangeStatus::Open,
            _ => {}
        }
        let body = protocol.apply(record.at, &record.input, &mut Vec::new());
        engine.apply(record.seq, record.at, &body, &mut effects);
        effects.clear();
        if let Body::Settled { market, value } = body {
            let ticker = engine.markets().nth(market.index()).expect("a listed market").ticker.clone();
            day.paid.insert(ticker, value);
        }
    }
    day.markets = engine.markets().map(|market| (market.ticker.clone(), market.clone())).collect();
    day
}

/// Plays days beside each other and gives, for each, its summary, its notes and its folder.
fn play(data: &Path, folder: &Path, days: &[&str]) -> Vec<(String, Value, Vec<Value>, Run)> {
    let started = days.iter().map(|day| {
        let run = folder.join(day);
        let mut command = isobar(["demo", "--json", "--speed", SPEED, "--day", day, "--recording"]);
        let mut play = Play::start(command.arg(data).arg("--run").arg(&run));
        play.exchange();
        ((*day).to_owned(), run, play)
    });
    let started: Vec<_> = started.collect();
    let ended = started.into_iter().map(|(day, run, play)| {
        let notes = play.seen.clone();
        let summary = play.finish();
        let replayed = succeed(isobar(["replay", "--json"]).arg(&run));
        assert_eq!(replayed["identical"], true, "{day}: {replayed}");
        assert_eq!((&replayed["gaps"], &replayed["unparsed"]), (&0.into(), &0.into()), "{day}");
        (day, summary, notes, Run::open(&run).expect("a run"))
    });
    ended.collect()
}

fn noted(notes: &[Value], words: &str) -> bool {
    notes.iter().any(|note| note["text"].as_str().is_some_and(|text| text.contains(words)))
}

/// The summary lists what the issue asks of it; city-days by their standing.
fn standings<'a>(summary: &'a Value, day: &str) -> BTreeMap<&'a str, &'a str> {
    let mut standings = BTreeMap::new();
    let slots = summary["slots"].as_array().expect("slots");
    assert_eq!(slots.iter().map(|slot| slot["slot"].as_str()).collect::<Vec<_>>(), [Some("edge"), Some("patient")]);
    for slot in slots {
        for number in ["decisions", "fills", "takes", "quotes"] {
            assert!(slot[number].is_u64(), "{number}: {slot}");
        }
        for city in slot["cities"].as_array().expect("cities") {
            for money in ["fees", "pnl"] {
                let text = city[money].as_str().expect("a decimal");
                assert!(text.parse::<f64>().is_ok(), "{city}");
            }
            standings.insert(city["event"].as_str().expect("an event"), city["standing"].as_str().expect("a standing"));
        }
        println!(
            "{day} {}: {} decisions, {} fills, fees {}, profit {}",
            slot["slot"], slot["decisions"], slot["fills"], slot["fees"], slot["pnl"]
        );
    }
    standings
}

#[test]
fn march_and_december_play_settle_and_stay_tradable() {
    let Some(data) = data() else { return };
    strategy("edge");
    let folder = tempfile::tempdir().expect("a folder");
    let played = play(&data, folder.path(), &["26MAR10", "26MAR12", "26MAR13", "25DEC19", "25DEC22"]);

    // What is known of March's results, read here on its own.
    let text = std::fs::read_to_string(data.join("weather_quotes/settlements_2026-03.csv")).expect("settlements");
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    let results: BTreeMap<&str, &str> = rows.map(|row| (row[0], row[4])).collect();

    for (name, summary, notes, run) in &played {
        let day = day(run);
        println!("{name}: {:.2} % of market time inside connected periods is tradable", day.share() * 100.0);
        assert!(day.connected > 0 && day.share() > TRADABLE, "{name}: {}", day.share());

        let standings = standings(summary, name);
        let march = name.starts_with("26MAR");
        assert_eq!(standings.len(), if march { 6 } else { 1 }, "{standings:?}");
        for (event, standing) in &standings {
            let markets: Vec<_> = day.markets.values().filter(|market| market.event == *event).collect();
            assert_eq!(markets.len(), 6, "{event}");
            let all_paid = markets.iter().all(|market| day.paid.contains_key(&market.ticker));
            assert_eq!(*standing, if all_paid { "settled" } else { "unsettled, at the last mid" }, "{event}");
            let ones = markets.iter().filter(|market| day.paid.get(&market.ticker) == Some(&Price::ONE)).count();
            assert!(ones == 1 || !all_paid && ones == 0, "{event} has {ones} winners");
        }
        assert!(standings.values().any(|standing| *standing == "settled"));
        if march {
            assert!(noted(notes, "lead of nearly zero"), "{notes:?}");
            let known =
                day.paid.iter().filter_map(|(ticker, paid)| Some((ticker, paid, *results.get(ticker.as_str())?)));
            let mut compared = 0;
            for (ticker, paid, result) in known.filter(|(_, _, result)| !result.is_empty()) {
                assert_eq!(*paid == Price::ONE, result == "yes", "{ticker}");
                compared += 1;
            }
            assert!(compared >= 8, "{name}: {compared} results compared");
        } else {
            assert!(noted(notes, "no model"), "{notes:?}");
        }
    }
    let fills = played.iter().flat_map(|(_, summary, ..)| summary["slots"].as_array().expect("slots"));
    assert!(fills.map(|slot| slot["fills"].as_u64().expect("a number")).sum::<u64>() > 0, "days without a single fill");
}

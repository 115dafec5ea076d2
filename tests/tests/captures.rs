//! Captures of the venue's WebSocket, end to end: imported and replayed by the program, rebuilt by the plainest means, and
//! held against the venue's own best prices.
//!
//! The venue's captures are read from `ISOBAR_DATA` or `../shared/data` and skipped where there are none. One capture of
//! the simulated exchange is part of the repository (`tests/recordings/capture.jsonl.zst`, see `recorder.rs`).

use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::Input;
use isobar_engine::units::{Side, Timestamp};
use isobar_kalshi::protocol::Protocol;
use isobar_sim::{Recording, Scene, Sim, Speed};
use isobar_store::{Run, SlotRecord};
use isobar_tests::naive::Naive;
use isobar_tests::{data, isobar, program, recording, replay, root, succeed};
use serde_json::Value;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The frames of a capture, as they stand in its lines.
fn frames(capture: &Path) -> Vec<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Line {
        frame: Option<Box<RawValue>>,
    }
    let bytes = std::fs::read(capture).expect("a capture");
    let packed = capture.extension().is_some_and(|ending| ending == "zst");
    let bytes = if packed { zstd::decode_all(bytes.as_slice()).expect("zstd") } else { bytes };
    let text = String::from_utf8(bytes).expect("text");
    text.lines().filter_map(|line| serde_json::from_str::<Line>(line).expect("a line").frame).collect()
}

/// The host's path from an input to its books.
struct Host {
    protocol: Protocol,
    engine: Engine,
    effects: Vec<isobar_engine::event::Effect>,
}

impl Host {
    fn new(settings: &Settings) -> Self {
        Self { protocol: Protocol::new(), engine: Engine::new(settings.clone()), effects: Vec::new() }
    }

    fn apply(&mut self, seq: u64, at: Timestamp, input: &Input<'_>) {
        let body = self.protocol.apply(at, input, &mut Vec::new());
        self.engine.apply(seq, at, &body, &mut self.effects);
        self.effects.clear();
    }

    fn levels(&self, ticker: &str, side: Side) -> Vec<[String; 2]> {
        let market = self.engine.markets().find(|market| market.ticker == ticker).expect("a market").id;
        let levels = self.engine.book(market).levels(side);
        levels.map(|level| [level.price.to_string(), level.quantity.to_string()]).collect()
    }

    /// Whether the best prices are those that the venue tells; an empty side is $0 bid and $1 asked.
    fn agrees(&self, ticker: &Value) -> bool {
        let best = |side, none: &str| {
            let levels = self.levels(ticker["market_ticker"].as_str().expect("a ticker"), side);
            levels.first().map_or(none.to_owned(), |level| level[0].clone())
        };
        ticker["yes_bid_dollars"] == best(Side::Bid, "0.0000") && ticker["yes_ask_dollars"] == best(Side::Ask, "1.0000")
    }
}

fn equal(host: &Host, naive: &Naive, place: u64) {
    for (ticker, book) in &naive.books {
        assert_eq!(host.levels(ticker, Side::Bid), book.bids(), "bids of {ticker} after frame {place}");
        assert_eq!(host.levels(ticker, Side::Ask), book.asks(), "asks of {ticker} after frame {place}");
    }
}

/// The frame as it would be if YES were NO.
fn swapped(frame: &str) -> String {
    let swap = |text: &str, one: &str, other: &str| text.replace(one, "\0").replace(other, one).replace('\0', other);
    swap(&swap(frame, "yes_dollars_fp", "no_dollars_fp"), "\"side\":\"yes\"", "\"side\":\"no\"")
}

fn import(capture: &Path, run: &Path) -> Value {
    let imported = succeed(isobar(["import", "--json", "--run"]).arg(run).arg(capture));
    assert_eq!((&imported["gaps"], &imported["unparsed"]), (&0.into(), &0.into()), "{imported}");
    imported
}

fn shown(run: &Path, ticker: &str) -> (Value, Value) {
    let mut book = succeed(isobar(["book", "--json", "--market", ticker]).arg(run));
    (book["bids"].take(), book["asks"].take())
}

#[derive(Default)]
struct Found {
    tickers: u64,
    agreed: u64,
    agreed_swapped: u64,
    /// Best bid above best ask, and at or above it.
    crossed: u64,
    locked: u64,
}

/// All checks on one capture; books are compared after every `every`th frame.
fn check(capture: &Path, every: u64) -> Found {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let name = capture.file_name().expect("a file").to_string_lossy().into_owned();
    let imported = import(capture, &run);
    let replayed = replay(&run);

    let raw = frames(capture);
    assert_eq!(imported["frames"], raw.len(), "every frame was imported");
    assert_eq!(replayed["frames"], raw.len(), "every frame was replayed");

    let opened = Run::open(&run).expect("a run");
    let opening = opened.read_slot("books").expect("a slot").next().expect("readable").expect("an opening").record;
    let SlotRecord::Opening { settings, .. } = opening else { panic!("{opening:?}") };
    let settings: Settings = serde_json::from_str(&settings).expect("settings");
    let (mut host, mut mirrored, mut naive) = (Host::new(&settings), Host::new(&settings), Naive::default());
    let (mut found, mut place) = (Found::default(), 0);
    let mut feed = opened.read_feed().expect("a feed");
    while let Some(record) = feed.next().expect("readable") {
        host.apply(record.seq, record.at, &record.input);
        let Input::Frame { connection, text } = record.input else {
            mirrored.apply(record.seq, record.at, &record.input);
            continue;
        };
        let frame = raw[usize::try_from(place).expect("few frames")].get();
        assert_eq!(text, frame.as_bytes(), "a frame is journaled byte for byte");
        mirrored.apply(record.seq, record.at, &Input::Frame { connection, text: swapped(frame).as_bytes() });
        let value: Value = serde_json::from_str(frame).expect("a frame is JSON");
        naive.apply(&value);
        place += 1;
        if place % every == 0 {
            equal(&host, &naive, place);
        }
        if value["type"] == "ticker" {
            found.tickers += 1;
            found.agreed += u64::from(host.agrees(&value["msg"]));
            found.agreed_swapped += u64::from(mirrored.agrees(&value["msg"]));
        }
    }
    equal(&host, &naive, place);
    for (ticker, book) in &naive.books {
        let (bids, asks) = shown(&run, ticker);
        assert_eq!((bids, asks), (serde_json::json!(book.bids()), serde_json::json!(book.asks())), "{ticker}");
    }
    found.crossed = naive.books.values().map(|book| book.crossed).sum();
    found.locked = naive.books.values().map(|book| book.locked).sum();
    assert_eq!(replayed["crossed_episodes"], found.crossed, "{name}");
    let share = |part: u64| 100.0 * part as f64 / found.tickers.max(1) as f64;
    eprintln!(
        "{name}: {place} frames, {:.0} events/s; {} of {} tickers agree ({:.1} %), {:.1} % with YES and NO swapped; \
         crossed {} times, or touching {} times",
        replayed["events_per_second"].as_f64().expect("a number"),
        found.agreed,
        found.tickers,
        share(found.agreed),
        share(found.agreed_swapped),
        found.crossed,
        found.locked,
    );
    found
}

/// The oracle that nobody here wrote: our best prices are the venue's, and would not be with YES and NO exchanged.
fn agrees_with_the_venue(found: &Found) {
    assert!(found.tickers > 20);
    assert!(found.agreed * 100 >= found.tickers * 85, "{} of {}", found.agreed, found.tickers);
    assert!(found.agreed_swapped * 2 < found.tickers, "{} of {}", found.agreed_swapped, found.tickers);
}

fn small(data: &Path) -> PathBuf {
    data.join("ws/KXBTC15M_20260511T053340Z-0dc86f34.jsonl.zst")
}

#[test]
fn the_small_capture_is_rebuilt_equally_after_every_frame() {
    let Some(data) = data() else { return };
    agrees_with_the_venue(&check(&small(&data), 1));
}

#[test]
fn all_captures_are_rebuilt_equally() {
    let Some(data) = data() else { return };
    let mut captures: Vec<PathBuf> =
        std::fs::read_dir(data.join("ws")).expect("a folder").map(|file| file.expect("a file").path()).collect();
    captures.retain(|path| path.to_string_lossy().contains("KXBTC15M_") && *path != small(&data));
    captures.sort();
    assert_eq!(captures.len(), 6);
    for capture in captures {
        let found = check(&capture, 1_000);
        agrees_with_the_venue(&found);
        if capture.to_string_lossy().contains("20260513T1541Z") {
            assert_eq!(found.crossed, 53, "what data/README.md counted: best YES bid and best NO bid above one dollar");
        }
    }
}

#[test]
fn twelve_markets_on_one_subscription_are_rebuilt_equally() {
    let Some(data) = data() else { return };
    let found = check(&data.join("ws/KXMLBGAME_12markets_20260807.jsonl"), 1);
    assert_eq!(found.tickers, 0, "it has no ticker frames to agree with");
}

#[test]
fn the_recorded_simulation_is_rebuilt_equally_after_every_frame() {
    agrees_with_the_venue(&check(&recording("capture.jsonl.zst"), 1));
}

/// Plays a capture on the simulated exchange to the whole program, and gives the run's folder.
fn through_the_exchange(capture: &Path, series: &str, use_yes_price: bool, folder: &Path) -> PathBuf {
    let scene = Scene::Recorded(Recording::Capture(capture.to_owned()));
    let exchange = Sim::start(isobar_sim::Config { scene, speed: Speed::Flood, ..isobar_sim::Config::default() });
    let exchange = exchange.expect("an exchange");
    let (runs, models) = (folder.join(format!("runs-{use_yes_price}")), root().join("models"));
    let component = isobar_tests::strategy("patient");
    let config = format!(
        "[venue]\nrest = {:?}\nwebsocket = {:?}\nseries = [{series}]\n[feed]\nuse_yes_price = {use_yes_price}\n\
         [models]\nfolder = {models:?}\n[run]\ndir = {runs:?}\n[[slot]]\nname = \"patient\"\ncomponent = {component:?}\n",
        exchange.rest_url, exchange.ws_url,
    );
    let file = folder.join(format!("{use_yes_price}.toml"));
    std::fs::write(&file, config).expect("a configuration");
    let mut host = Command::new(program("isobar"));
    host.args(["run", "--json", "--seconds", "60", "--config"]).arg(&file).stdout(Stdio::null());
    let mut host = host.spawn().expect("the program starts");
    let patience = Instant::now() + Duration::from_secs(30);
    while !exchange.finished() {
        assert!(Instant::now() < patience, "the exchange was not listened to");
        assert!(host.try_wait().expect("a child").is_none(), "the program ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    // What was sent may still be under way.
    std::thread::sleep(Duration::from_millis(500));
    let interrupted = Command::new("kill").args(["-INT", &host.id().to_string()]).status().expect("kill runs");
    assert!(interrupted.success() && host.wait().expect("a child").success());
    let run = runs.join("run-1");
    replay(&run);
    run
}

/// The same capture by import and over a socket, in both scales of the NO ladder, ends in equal books.
fn three_ways(capture: &Path, series: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let imported = folder.path().join("imported");
    import(capture, &imported);
    let mut naive = Naive::default();
    for frame in frames(capture) {
        naive.apply(&serde_json::from_str(frame.get()).expect("a frame"));
    }
    for use_yes_price in [true, false] {
        let run = through_the_exchange(capture, series, use_yes_price, folder.path());
        for (ticker, book) in &naive.books {
            let live = shown(&run, ticker);
            assert_eq!(live, shown(&imported, ticker), "{ticker}, use_yes_price {use_yes_price}");
            assert_eq!(live.0, serde_json::json!(book.bids()), "{ticker}");
        }
        assert!(naive.books.values().any(|book| !book.bids().is_empty()), "there is something to compare");
    }
}

#[test]
fn a_capture_ends_in_the_same_books_by_import_and_over_a_socket_in_both_scales() {
    let Some(data) = data() else { return };
    three_ways(&small(&data), "\"KXBTC15M\"");
}

#[test]
fn the_recorded_simulation_ends_in_the_same_books_by_import_and_over_a_socket_in_both_scales() {
    three_ways(&recording("capture.jsonl.zst"), "\"KXHIGHCHI\", \"KXHIGHMIA\"");
}

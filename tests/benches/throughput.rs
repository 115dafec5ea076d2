//! What the whole program carries, measured from outside: `cargo bench -p isobar-tests`, after `make build`.
//!
//! One table with machine and date. Each figure is the best of several attempts, since a machine that does other things
//! can only make them worse; the middle one stands beside it. With recordings at hand (`ISOBAR_DATA`) replay and rerun
//! read a recorded capture, otherwise a flood of the simulated exchange. Costs of single steps (a frame, a record, a
//! question) are measured where they are paid: `cargo bench -p isobar-kalshi`, `-p isobar-store`, `-p isobar-plugins`.

use isobar_engine::engine::{Engine, Settings};
use isobar_engine::event::{Body, Input, Level};
use isobar_engine::execution::ExecutionSettings;
use isobar_engine::market::{FeeSchedule, Ladder, Market, MarketId, MarketStatus, Strike};
use isobar_engine::paper::{PaperSettings, QueueRule};
use isobar_engine::risk::Limits;
use isobar_engine::units::{Digest, Money, Price, Quantity, Side, Timestamp};
use isobar_store::Run;
use isobar_tests::play::{Play, config, slot};
use isobar_tests::{data, isobar, strategy, succeed};
use serde_json::Value;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const CAPTURE: &str = "ws/KXBTC15M_20260514T043808Z.jsonl.zst";
const ATTEMPTS: usize = 9;
const FLOODS: usize = 3;
const FLOOD_FRAMES: u64 = 500_000;
const SWAPS: usize = 20;

fn main() {
    // Only a benchmark run measures; a test run of this target has nothing to assert.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("{}\n", machine());
    println!("| what | best | middle | target | command |\n|---|---:|---:|---:|---|");
    let folder = tempfile::tempdir().expect("a folder");
    book();
    let flooded = flood(folder.path());
    let run = match data().map(|data| data.join(CAPTURE)).filter(|capture| capture.is_file()) {
        Some(capture) => {
            let run = folder.path().join("capture");
            succeed(isobar(["import", "--json"]).arg(capture).arg("--run").arg(&run));
            run
        }
        None => {
            eprintln!("no {CAPTURE}: replay and rerun read a simulated flood instead");
            flooded
        }
    };
    replay(&run);
    rerun(&run, "fresh", 200_000.0);
    rerun(&run, "audited", 400_000.0);
    swap(folder.path());
}

/// The processor, how many of them, and the day.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let seconds = std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs());
    let day = civil(i64::try_from(seconds / 86_400).expect("a day number"));
    format!(
        "{} x{count}, {} {}, {day}",
        model.trim_start_matches(['\t', ' ', ':']),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

/// The Gregorian date of a day counted from 1970 (Howard Hinnant, chrono-compatible low-level date algorithms).
fn civil(day: i64) -> String {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let (date, month) = (of_year - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    format!("{:04}-{month:02}-{date:02}", year + 400 * era + i64::from(month <= 2))
}

fn row(what: &str, values: &mut [f64], higher: bool, unit: &str, target: &str, command: &str) {
    values.sort_by(|a, b| if higher { b.total_cmp(a) } else { a.total_cmp(b) });
    let show = |value: f64| if value >= 1_000.0 { thousands(value) } else { format!("{value:.1}") };
    let (best, middle) = (show(values[0]), show(values[values.len() / 2]));
    println!("| {what} | {best} {unit} | {middle} | {target} | `{command}` |");
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let grouped = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    grouped.collect::<Vec<_>>().join(",")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn replay(run: &Path) {
    let mut rates: Vec<f64> = (0..ATTEMPTS)
        .map(|_| {
            let replayed = succeed(isobar(["replay", "--json"]).arg(run));
            assert_eq!(replayed["identical"], true, "{replayed}");
            number(&replayed["events_per_second"])
        })
        .collect();
    row("replay of an L2 capture", &mut rates, true, "events/s", "1,000,000", "isobar replay RUN");
}

fn rerun(run: &Path, reuse: &str, target: f64) {
    let mut last = Value::Null;
    let mut rates: Vec<f64> = (0..ATTEMPTS)
        .map(|_| {
            last =
                succeed(isobar(["rerun", "--json", "--reuse", reuse]).arg(run).arg("--strategy").arg(strategy("edge")));
            number(&last["frames_per_second"])
        })
        .collect();
    let share = 100.0 * number(&last["asked_share"]);
    let best = rates.iter().copied().fold(0.0, f64::max);
    let what = format!(
        "rerun of `edge` over it, {reuse} instances; asked at {share:.1} % of the frames, {} decisions/s",
        thousands(best * share / 100.0)
    );
    let command = format!("isobar rerun RUN --strategy edge.wasm --reuse {reuse}");
    row(&what, &mut rates, true, "frames/s", &thousands(target), &command);
}

/// Floods one slot and gives the folder of the last run.
fn flood(folder: &Path) -> std::path::PathBuf {
    let mut last = folder.to_owned();
    for reuse in ["fresh", "audited"] {
        let slots = format!("{}reuse = {reuse:?}\n", slot("edge", &strategy("edge"), None));
        let file = config(folder, &slots);
        let (mut into_journal, mut through) = (Vec::new(), Vec::new());
        let mut share = 0.0;
        for attempt in 0..FLOODS {
            last = folder.join(format!("flood-{reuse}-{attempt}"));
            let frames = FLOOD_FRAMES.to_string();
            let mut command = isobar(["demo", "--flood", "--json", "--frames", &frames, "--config"]);
            let mut play = Play::start(command.arg(&file).arg("--run").arg(&last));
            let connected = |line: &Value| line["text"].as_str().is_some_and(|text| text.starts_with("connected to"));
            let (started, _) = play.wait("connection", connected);
            let summary = play.finish();
            let seconds = started.elapsed().as_secs_f64();
            let (frames, journaling) = journaled(&last);
            into_journal.push(frames / journaling);
            through.push(frames / seconds);
            share = 100.0 * number(&summary["slots"][0]["decisions"]) / frames;
        }
        let command = "isobar demo --flood";
        if reuse == "fresh" {
            row("flooding socket into the feed journal", &mut into_journal, true, "frames/s", "–", command);
        }
        let what = format!(
            "flooding socket through to decisions of `edge`, journals on, {reuse} instances; asked at {share:.1} % of the frames"
        );
        row(&what, &mut through, true, "frames/s", "200,000", command);
    }
    last
}

/// Frames of a run, and the seconds from its first to its last.
fn journaled(folder: &Path) -> (f64, f64) {
    let mut feed = Run::open(folder).expect("a run").read_feed().expect("a feed journal");
    let (mut frames, mut first, mut last) = (0u64, None, Timestamp(0));
    while let Some(record) = feed.next().expect("readable") {
        if matches!(record.input, Input::Frame { .. }) {
            first.get_or_insert(record.at);
            last = record.at;
            frames += 1;
        }
    }
    (frames as f64, last.since(first.expect("frames came")) as f64 / 1e9)
}

/// From the closing of a component's file to the first moment at which the slot holds it.
fn swap(folder: &Path) {
    let watched = folder.join("drop");
    let file = config(folder, &slot("swapped", &strategy("edge"), Some(&watched)));
    let mut play = Play::start(isobar(["demo", "--json", "--config"]).arg(file).arg("--run").arg(folder.join("swaps")));
    play.opinions(1);
    let mut took: Vec<f64> = (0..SWAPS)
        .map(|number| {
            let name = ["patient", "edge"][number % 2];
            let bytes = fs::read(strategy(name)).expect("a component");
            let mut open = File::create(watched.join(format!("{name}.wasm"))).expect("a file");
            open.write_all(&bytes).expect("written");
            let closed = Instant::now();
            drop(open);
            let holds = |line: &Value| {
                line["type"] == "swapped" && line["component"] == Digest::of(&bytes).to_string().as_str()
            };
            let (when, _) = play.wait("swap", holds);
            when.duration_since(closed).as_secs_f64() * 1e3
        })
        .collect();
    play.interrupt();
    row("swap, from the closing of the file to active", &mut took, false, "ms", "100", "a file into the slot's folder");
}

/// What the engine does for one change of a level, without a component: the book, its crossing, the paper exchange.
fn book() {
    const DELTAS: u64 = 1_000_000;
    let price = |cents| Price::from_cents(cents).expect("at most a dollar");
    let mut times: Vec<f64> = (0..ATTEMPTS)
        .map(|_| {
            let (mut engine, mut effects) = (Engine::new(settings()), Vec::new());
            let markets = (0..6).map(market).collect();
            engine.apply(0, Timestamp(0), &Body::Listed(markets), &mut effects);
            for (seq, number) in (1u64..).zip(0..6) {
                let side = |from: u16| {
                    (from..from + 5).map(|cents| Level { price: price(cents), quantity: Quantity::contracts(50) })
                };
                let body = Body::Snapshot {
                    market: MarketId(number),
                    bids: side(30).rev().collect(),
                    asks: side(40).collect(),
                };
                engine.apply(seq, Timestamp(1), &body, &mut effects);
            }
            // Up and down again on each side, over all markets and levels.
            let deltas: Vec<Body> = (0..6u16 * 5 * 4)
                .map(|step| {
                    let (side, from) = if step % 4 < 2 { (Side::Bid, 30) } else { (Side::Ask, 40) };
                    let change = if step % 2 == 0 { 100 } else { -100 };
                    Body::Delta { market: MarketId(step / 4 % 6), side, price: price(from + step / 24), change }
                })
                .collect();
            let started = Instant::now();
            for (seq, body) in (7..7 + DELTAS).zip(deltas.iter().cycle()) {
                engine.apply(seq, Timestamp(2), black_box(body), &mut effects);
            }
            let nanoseconds = started.elapsed().as_nanos() as f64 / DELTAS as f64;
            assert!(effects.is_empty() && (0..6).all(|number| engine.book(MarketId(number)).is_live()));
            nanoseconds
        })
        .collect();
    row("one change of a level in the engine", &mut times, false, "ns", "–", "cargo bench -p isobar-tests");
}

fn settings() -> Settings {
    let contracts = Quantity::contracts(50);
    let limits = Limits { order: contracts, position: contracts, open_orders: 200, ..Limits::wide() };
    let execution = ExecutionSettings::Paper(PaperSettings { latency: 50_000_000, queue: QueueRule::Never });
    Settings { limits, execution, fees: None, cash: Money::new(1_000_000_000) }
}

fn market(number: u16) -> Market {
    let floor = 70 + 2 * i32::from(number);
    Market {
        id: MarketId(number),
        ticker: format!("KXHIGHNY-26MAR10-B{floor}.5"),
        event: "KXHIGHNY-26MAR10".to_owned(),
        series: "KXHIGHNY".to_owned(),
        strike: Strike::Between { floor, cap: floor + 1 },
        ladder: Ladder::cents(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        status: MarketStatus::Active,
        opens: Timestamp(0),
        closes: Timestamp(i64::MAX),
    }
}

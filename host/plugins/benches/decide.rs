//! What one decision costs: a city-day of six brackets with five levels a side into the `edge` guest.
//!
//! Prints p50 and p99 of each way itself, since a median hides what a trader waits for. Guests: run `.ci/guests` first.

use isobar_engine::event::Level;
use isobar_engine::market::{FeeSchedule, Ladder, MarketId, Strike};
use isobar_engine::snapshot::{Bracket, Snapshot};
use isobar_engine::units::{Price, Probability, Quantity, Timestamp};
use isobar_plugins::{Limits, Loaded, Loader, Reuse, Strategy, resolve};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 50_000;

fn main() {
    // Only a benchmark run measures; a test run of this target has nothing to assert.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let loaded = guest();
    let parameters = resolve(loaded.description(), &[]).expect("defaults");
    let question = question(parameters);
    println!("{:<44}{:>10}{:>10}{:>10}", "six brackets, five levels a side", "p50", "p99", "mean");
    let fresh = loaded.strategy(Reuse::Never);
    row("fresh instance, end to end", fresh, |strategy, number| timed(|| strategy.decide(number, &question)));
    let ready = loaded.strategy(Reuse::Never);
    row("fresh instance, made ready beforehand", ready, |strategy, number| {
        strategy.prepare();
        timed(|| strategy.decide(number, &question))
    });
    let reused = loaded.strategy(Reuse::AUDITED);
    row("reused instance, every 64th audited", reused, |strategy, number| timed(|| strategy.decide(number, &question)));
}

fn row(name: &str, mut strategy: Strategy, measure: impl Fn(&mut Strategy, u64) -> Duration) {
    let mut times: Vec<Duration> = (1..=ROUNDS).map(|number| measure(&mut strategy, number)).collect();
    let mean = times.iter().sum::<Duration>() / u32::try_from(ROUNDS).expect("few rounds");
    times.sort_unstable();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{name:<44}{:>10}{:>10}{:>10}", micros(p50), micros(p99), micros(mean));
}

fn micros(time: Duration) -> String {
    format!("{}.{:02} µs", time.as_nanos() / 1_000, time.as_nanos() % 1_000 / 10)
}

fn timed<R>(work: impl FnOnce() -> R) -> Duration {
    let started = Instant::now();
    black_box(work());
    started.elapsed()
}

fn guest() -> Loaded {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/strategies/edge.wasm");
    let loader = Loader::new(Limits::default(), None).expect("the engine starts");
    loader.load_file(&path).unwrap_or_else(|refusal| panic!("{refusal}: run .ci/guests first"))
}

fn question(parameters: Vec<i64>) -> Snapshot {
    Snapshot {
        now: Timestamp(1_773_154_800_000_000_000),
        event: "KXHIGHNY-26MAR10".into(),
        closes: Timestamp(1_773_201_600_000_000_000),
        changed: Some(2),
        forecast_issued: Some(Timestamp(1_773_151_200_000_000_000)),
        brackets: (0..6).map(bracket).collect(),
        parameters: parameters.into(),
        state: Vec::new(),
    }
}

fn bracket(index: u16) -> Bracket {
    let bid = [5, 14, 33, 30, 12, 6][usize::from(index)];
    let floor = 70 + 2 * i32::from(index);
    let level = |cents| Level {
        price: Price::from_cents(cents).expect("at most a dollar"),
        quantity: Quantity::contracts(20 + u32::from(cents)),
    };
    Bracket {
        market: MarketId(index),
        ticker: format!("KXHIGHNY-26MAR10-B{floor}.5").into(),
        strike: Strike::Between { floor, cap: floor + 1 },
        probability: Probability::new([60_000, 120_000, 420_000, 250_000, 130_000, 20_000][usize::from(index)]),
        tradable: true,
        bids: (bid - 4..=bid).rev().map(level).collect(),
        asks: (bid + 3..bid + 8).map(level).collect(),
        last_trade: None,
        position: 0,
        resting: Vec::new(),
        fees: FeeSchedule::Quadratic { taker_ppm: 70_000, maker_ppm: 0 },
        ladder: Ladder::cents().ranges().into(),
        room_bid: Quantity::contracts(50),
        room_ask: Quantity::contracts(50),
    }
}

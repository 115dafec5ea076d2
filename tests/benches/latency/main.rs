//! From a frame on the feed to an order at the exchange, seen from the exchange: `make bench-latency`.
//!
//! An exchange of the benchmark's own shows an attractive ask every 2 ms and takes the time until the order for it has been
//! read whole. The host (`isobar run --live`, everything on) and a bare bot take turns against it, each time as a new
//! process; what counts is the ratio of the two in the same round, since the machine's pace changes and theirs with it.
//!
//! It measures nothing without `--measure`: a plain `cargo bench` of the workspace must not take ten minutes for it.

mod books;
mod bot;
mod connection;
mod exchange;
mod keys;
mod listing;
mod orders;
mod programs;
mod report;
mod stages;

use clap::{Parser, Subcommand};
use exchange::Exchange;
use keys::{Algorithm, Key};
use programs::{Program, Running, Settings};
use report::{Round, Series};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest until a program has connected, subscribed and acted on the first trigger: the host loads models before.
const START: Duration = Duration::from_secs(60);
/// Longest that a trigger of the warming up is waited for.
const PROBE: Duration = Duration::from_millis(100);
/// Least markets to take turns: the gap between two triggers of one market has to be longer than an order takes.
const LEAST_MARKETS: usize = 6;
/// Triggers that are sent and not counted before a measurement.
const WARM_UP: usize = 200;

/// Measures the time from a frame to an order
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// Measure; without it nothing happens
    #[arg(long)]
    measure: bool,
    /// Triggers of one program in one round
    #[arg(long, default_value_t = 10_000)]
    triggers: usize,
    /// Microseconds between two triggers
    #[arg(long, default_value_t = 2_000)]
    spacing_us: u64,
    /// How long the host looks for the next event before it sleeps; 0 has it sleep at once, as it does by default
    #[arg(long, default_value_t = 5)]
    busy_poll_ms: u32,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Algorithm::Ed25519, Algorithm::Rsa])]
    keys: Vec<Algorithm>,
    /// Only one of the two programs; no ratio then
    #[arg(long, value_enum)]
    only: Option<Program>,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Keep logs, journals and stamps in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Role {
    /// Be the bare bot of a measurement
    #[command(hide = true)]
    Bot(bot::Arguments),
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(Role::Bot(bot)) = &arguments.role {
        return bot::run(bot);
    }
    if !arguments.measure {
        return println!("latency: nothing is measured without --measure; `make bench-latency` does it");
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = arguments.keep.as_deref().unwrap_or(temporary.path());
    let mut markets = None;
    let mut all = Vec::new();
    for algorithm in &arguments.keys {
        let key = Key::read(&algorithm.file());
        let mut rounds = Vec::new();
        for number in 1..=arguments.rounds {
            // Who begins changes, so that a machine that gets slower or faster favours neither.
            let order = if number % 2 == 1 { [Program::Host, Program::Bot] } else { [Program::Bot, Program::Host] };
            for program in order.into_iter().filter(|program| arguments.only.is_none_or(|only| only == *program)) {
                let place = folder.join(format!("{algorithm:?}-{number}-{}", program.name()).to_lowercase());
                let round = round(&arguments, program, *algorithm, &key, number, &mut markets, &place);
                eprintln!(
                    "{algorithm:?}, round {number}, {}: p50 {:.1} µs, p99 {:.1} µs",
                    program.name(),
                    round.p50_us,
                    round.p99_us
                );
                rounds.push(round);
            }
        }
        let series = Series::new(*algorithm, markets.as_ref().map_or(0, Vec::len), rounds);
        if !arguments.json {
            series.print();
        }
        all.push(series);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&all).expect("plain data"));
    }
}

/// One program from its start to its end. `markets` are those on which both programs act, once they are known.
fn round(
    arguments: &Arguments,
    program: Program,
    algorithm: Algorithm,
    key: &Key,
    number: usize,
    markets: &mut Option<Vec<usize>>,
    folder: &Path,
) -> Round {
    let exchange = Exchange::start().expect("loopback has free ports");
    let tickers = exchange.tickers();
    let settings = Settings { algorithm, busy_poll_ms: arguments.busy_poll_ms };
    let mut running =
        Running::start(program, exchange.address, &tickers, settings, folder).expect("the program starts");
    let until = Instant::now() + START;
    if !exchange.subscribed(until, &mut || running.is_alive()) {
        panic!("the {} does not subscribe to all markets:\n{}", program.name(), running.last_words());
    }
    let candidates = markets.clone().unwrap_or_else(|| (0..tickers.len()).collect());
    // The host has an opinion on every market but acts only where it is high enough; the bot always.
    let wanted = markets.as_ref().map_or(LEAST_MARKETS, Vec::len);
    // Opinions come one after the other: the markets are those that answer twice in the same way.
    let mut answered = exchange.probe(&candidates, PROBE);
    loop {
        let again = exchange.probe(&candidates, PROBE);
        let same = again == answered;
        answered = again;
        if same && answered.len() >= wanted {
            break;
        }
        if Instant::now() > until || !running.is_alive() {
            let (count, of) = (answered.len(), candidates.len());
            panic!("the {} acts on {count} of {of} markets only:\n{}", program.name(), running.last_words());
        }
    }
    let among = markets.get_or_insert(answered).clone();
    let spacing = Duration::from_micros(arguments.spacing_us);
    exchange.measure(&among, WARM_UP, spacing, &mut || running.is_alive());
    let outcome = exchange.measure(&among, arguments.triggers, spacing, &mut || running.is_alive());
    if !running.is_alive() {
        panic!("the {} ended while it was measured:\n{}", program.name(), running.last_words());
    }
    let stages = running.stages.clone();
    match program {
        // The host is asked to end, which it does in its own order; the bot ends when the exchange hangs up.
        Program::Host => running.stop(),
        Program::Bot => {
            drop(exchange);
            let until = Instant::now() + Duration::from_secs(5);
            while running.is_alive() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    Round::new(program, number, &outcome, key, stages::read(&stages, &outcome.samples))
}

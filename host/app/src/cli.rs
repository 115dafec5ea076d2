//! What the command line takes. Every reporting command has `--json`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A strategy host for Kalshi weather markets: live feed, order books, models and hot-swapped WebAssembly strategies.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a replay or a forecast differs, 4 a component is refused.
#[derive(Debug, Parser)]
#[command(name = "isobar", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade a simulated or recorded day on paper: what `make run` starts
    Demo(Demo),
    /// Run the simulated exchange alone, for any client (see docs/sim.md)
    Sim(Sim),
    /// Run the host by a configuration file (a dry run unless told otherwise: orders meet the paper exchange)
    Run(Run),
    /// Turn a capture of the venue's WebSocket into a run
    Import(Import),
    /// Prove that the engine still does what the journals of a run say
    Replay(Replay),
    /// Ask strategies anew over the feed of a run
    Rerun(Rerun),
    /// Show the book of a market at the end of a run, or at an input
    Book(Book),
    /// Say whether a component would be accepted, and why not
    Check(Check),
    /// Show the decisions of a run
    Decisions(Decisions),
    /// Rebuild the SQL projection of a run from its journals
    Project(Project),
    /// Draw a city's distribution over degrees and brackets beside the market's prices
    Forecast(Forecast),
    /// List the model bundles and how good they are, and score those of a run
    Models(Models),
    /// Ask the models of a run again about the journaled inputs, and compare
    VerifyForecasts(VerifyForecasts),
    /// Write the features that models are trained with, as the host makes them for trading (CSV)
    Features(Features),
    /// Stop a run that goes on from trading: pull everything, and say whether nothing rests
    Halt(Halt),
    /// Let a halted run trade again
    Rearm(Operate),
    /// Show the limits of a run that goes on, or set some: tighter at once, looser ones only confirmed
    Limits(Limits),
    /// Show what a run that goes on does
    Status(Operate),
}

#[derive(Debug, Args)]
pub struct Forecast {
    /// Short name of the city, for example CHI
    pub city: String,
    /// The moment, for example 2026-07-01T15:00:00Z; the end of the run without it
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Folder of the run; the newest in runs/ without it
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Models {
    /// Folder of a run whose models are scored on its settled city-days, shadows beside the traded ones
    pub run: Option<PathBuf>,
    /// Folder of the bundles
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct VerifyForecasts {
    /// Folder of the run
    pub run: PathBuf,
    /// ONNX Runtime's shared library; ORT_DYLIB_PATH or the one that `make` fetches without it
    #[arg(long, value_name = "FILE")]
    pub library: Option<PathBuf>,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Slots, limits and fees by this file, see isobar.example.toml; the example itself without it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Play recorded quotes instead of a simulated day: a folder like the recordings' `data`
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "", env = "ISOBAR_RECORDING")]
    pub recording: Option<PathBuf>,
    /// Only this recorded day: 26MAR10, 26MAR12 or 26MAR13 of the six cities (all three without it), 25DEC19 or 25DEC22 of
    /// New York
    #[arg(long)]
    pub day: Option<String>,
    /// How many times faster than real time
    #[arg(long, default_value_t = 60)]
    pub speed: u32,
    /// As fast as the host reads, with the time of arrival as the time of events
    #[arg(long, conflicts_with = "speed")]
    pub flood: bool,
    /// Stop after so many frames of a flood
    #[arg(long, requires = "flood")]
    pub frames: Option<u64>,
    /// Seed of the simulated day
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Stop by itself after so many seconds
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub output: Screen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyType {
    /// 32 bytes, what the venue makes by default
    Ed25519,
    /// 2048 bits, what most client libraries read
    Rsa,
}

#[derive(Debug, Args)]
pub struct Sim {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// An account that signs with the private half of this public key (PEM, BEGIN PUBLIC KEY); once for each account
    #[arg(long = "key", value_name = "ID=PUBLIC.PEM")]
    pub keys: Vec<String>,
    /// Accounts for which a key is made; one where there is no --key
    #[arg(long, value_name = "N")]
    pub new_keys: Option<u16>,
    /// Folder of the new private keys, readable by you alone
    #[arg(long, value_name = "DIR", default_value = "run/sim-keys")]
    pub key_dir: PathBuf,
    /// Kind of new keys
    #[arg(long, value_enum, default_value_t = KeyType::Ed25519)]
    pub key_type: KeyType,
    /// Dollars of each account
    #[arg(long, default_value_t = 10_000)]
    pub cash: i32,
    /// Rate limits: basic, advanced, expert, premier, paragon, prime, prestige, or unlimited
    #[arg(long, default_value = "basic", value_parser = tier)]
    pub tier: isobar_sim::Tier,
    /// Connections of one account at a time
    #[arg(long, default_value_t = 200)]
    pub connections: usize,
    /// Seed of everything that is left to chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many times faster than real time
    #[arg(long, default_value_t = 1)]
    pub speed: u32,
    /// When the exchange's clock begins (RFC 3339); now without it
    #[arg(long, value_name = "TIME")]
    pub start: Option<jiff::Timestamp>,
    /// Climate day of the six events; without it the day of the start, or the next one from eight in the evening
    #[arg(long)]
    pub date: Option<jiff::civil::Date>,
    /// Nobody trades but clients
    #[arg(long, conflicts_with = "recording")]
    pub quiet: bool,
    /// Recorded quotes as background liquidity: a folder like the recordings' `data`
    #[arg(long, value_name = "DIR")]
    pub recording: Option<PathBuf>,
    /// Only this recorded day, see `isobar demo --help`
    #[arg(long, requires = "recording")]
    pub day: Option<String>,
    /// No pause of trading on Thursdays from 03:00 to 05:00 Eastern time
    #[arg(long)]
    pub no_maintenance: bool,
    /// Serve public channels also to connections that are not signed, which the venue does not
    #[arg(long)]
    pub unsigned_feed: bool,
    /// Makers pay a quarter of a taker's fee
    #[arg(long)]
    pub maker_fees: bool,
    /// Stop by itself after so many seconds
    #[arg(long)]
    pub seconds: Option<u64>,
    #[arg(long)]
    pub json: bool,
}

fn tier(word: &str) -> Result<isobar_sim::Tier, String> {
    isobar_sim::Tier::parse(word).ok_or_else(|| format!("`{word}` is no tier"))
}

#[derive(Debug, Args)]
pub struct Run {
    /// The configuration, see isobar.example.toml
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Trade the slot of [live] with real money; see docs/going-live.md. A live run that was killed goes on
    #[arg(long)]
    pub live: bool,
    /// Begin a new live run even where the last one was killed: the account is taken over as it is
    #[arg(long, requires = "live")]
    pub fresh: bool,
    /// Write to this file, at the end, when each order of the live slot passed the stages on its way: for measurements
    #[arg(long, value_name = "FILE", requires = "live")]
    pub stages: Option<PathBuf>,
    /// Stop by itself after so many seconds
    #[arg(long)]
    pub seconds: Option<u64>,
    #[command(flatten)]
    pub output: Screen,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct Screen {
    /// One JSON object a line instead of text for people
    #[arg(long)]
    pub json: bool,
    /// Every bracket of every decision, also those that change nothing
    #[arg(long, short)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub struct Import {
    /// Lines of {"recv_ns":…,"conn":…,"frame":{…}}, plain or .zst
    pub capture: PathBuf,
    /// Folder of the run to make
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// The capture's subscriptions asked for NO levels in YES prices
    #[arg(long)]
    pub use_yes_price: bool,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// Folder of the run
    pub run: PathBuf,
    #[arg(long)]
    pub json: bool,
    /// Run a deliberately wrong engine, to see that the replay notices
    #[cfg(feature = "mutants")]
    #[arg(long)]
    pub mutant: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reuse {
    /// A fresh instance for every decision
    Fresh,
    /// One instance for many decisions, audited against fresh ones
    Audited,
}

#[derive(Debug, Args)]
pub struct Rerun {
    /// Folder of the run
    pub run: PathBuf,
    /// Components to ask, one slot each
    #[arg(long, value_name = "FILE", required_unless_present = "slot", num_args = 1..)]
    pub strategy: Vec<PathBuf>,
    /// Begin as this slot of the run did: its limits, fees and cash, and its first component where no other is named. Orders
    /// meet the paper exchange, also where the slot traded live
    #[arg(long, value_name = "NAME")]
    pub slot: Option<String>,
    /// A parameter for every component that declares it, for example MIN_EDGE_TAKE=0.08
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    #[arg(long, value_enum, default_value_t = Reuse::Fresh)]
    pub reuse: Reuse,
    /// Limits, fees and paper settings; the defaults of isobar.example.toml without it. With --slot only how paper fills
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Book {
    /// Folder of the run
    pub run: PathBuf,
    /// Ticker of the market
    #[arg(long)]
    pub market: String,
    /// Number of the input after which to look; the end of the run without it
    #[arg(long)]
    pub seq: Option<u64>,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    /// The component
    pub file: PathBuf,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Decisions {
    /// Folder of the run
    pub run: PathBuf,
    /// Only this slot
    #[arg(long)]
    pub slot: Option<String>,
    /// Only decisions about markets whose ticker contains this
    #[arg(long)]
    pub market: Option<String>,
    #[command(flatten)]
    pub output: Screen,
}

#[derive(Debug, Args)]
pub struct Project {
    /// Folder of the run
    pub run: PathBuf,
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Recording {
    /// Forecasts of several models with a lead of nearly zero, 2022 to February 2026
    Daily,
    /// One forecast of one and two days ahead, October 2025 to February 2026
    Lead,
    /// One forecast of the evening before and station temperatures, July and August 2026
    Live,
}

#[derive(Debug, Args)]
pub struct Features {
    /// Folder of the recordings
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    pub data: Option<PathBuf>,
    /// Which of them
    #[arg(long, value_enum, default_value_t = Recording::Daily)]
    pub recording: Recording,
    /// First day, YYYY-MM-DD; all days without it
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
    /// Last day
    #[arg(long, value_name = "DATE")]
    pub to: Option<String>,
    /// Only these cities, for example CHI
    #[arg(long, num_args = 1..)]
    pub city: Vec<String>,
    /// Local standard time at which each day is asked about
    #[arg(long, value_name = "HH:MM", default_value = "07:00")]
    pub at: String,
    /// Ask so many days before the day
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    pub ahead: u8,
    /// Ask at every hour of the day instead
    #[arg(long, conflicts_with = "at")]
    pub hours: bool,
    /// Take the forecasts of this model alone, for example gfs, as if they were the one forecast of a source (`blend`)
    #[arg(long, value_name = "MODEL")]
    pub as_blend: Option<String>,
    /// Forget all that was received before this day: what a model sees whose history begins then
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Only list the features as JSON: name, unit, source, meaning
    #[arg(long)]
    pub list: bool,
    /// File to write; standard output without it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Halt {
    /// Folder of the run; the only one that goes on in --runs without it
    pub run: Option<PathBuf>,
    /// Where runs are
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs: PathBuf,
    /// Why, for the journal
    #[arg(long, default_value = "the operator")]
    pub reason: String,
    /// Wait at most so many seconds for the proof that nothing rests
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub wait: u64,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Limits {
    /// Keys of [limits] with other values, for example max_order_usd=5 or "no_trading_utc=Thu 07:00-10:00, Sat 00:00-24:00"
    #[arg(value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Let more pass than before; without it such limits change nothing
    #[arg(long)]
    pub confirm: bool,
    /// Folder of the run; the only one that goes on in --runs without it
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Where runs are
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs: PathBuf,
    #[arg(long)]
    pub json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("NAME=VALUE is wanted, not {text}"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[derive(Debug, Args)]
pub struct Operate {
    /// Folder of the run; the only one that goes on in --runs without it
    pub run: Option<PathBuf>,
    /// Where runs are
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs: PathBuf,
    #[arg(long)]
    pub json: bool,
}

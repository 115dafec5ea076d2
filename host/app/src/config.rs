//! The configuration: one TOML file, read in two stages.
//!
//! `Raw…` is what the file says: names, and numbers as the text that was written. [`Config`] is what the program uses:
//! checked, in the engine's integer units, paths resolved. No floating point lies between the two. This is the only
//! place that knows defaults and reads the environment; it starts nothing and opens no other file.

use isobar_engine::market::FeeSchedule;
use isobar_engine::risk::StaleRule;
use isobar_engine::units::{Money, Probability, SECOND};
use isobar_kalshi::sign::KeySource;
use isobar_weather::{SourceConfig, SourceKind};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::{Spanned, Value};

mod decimal;
mod limits;
mod live;

pub use decimal::Decimal;
pub use limits::{Limits, changed, shown};
pub use live::Live;

/// The documented example, which says the same as an empty file and adds the two strategies of `make run`.
pub const EXAMPLE: &str = include_str!("../../../isobar.example.toml");

/// The daily-high series of the guide's six cities.
pub const SERIES: [&str; 6] = ["KXHIGHCHI", "KXHIGHAUS", "KXHIGHDEN", "KXHIGHLAX", "KXHIGHMIA", "KXHIGHPHIL"];

/// Where `make` puts ONNX Runtime, from the repository's root.
const LIBRARY: &str = ".tools/onnxruntime/libonnxruntime.so";

/// Everything that a run can be told, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where frames come from.
    pub venue: Venue,
    /// How books are received and when they are stale.
    pub feed: Feed,
    /// Where weather comes from.
    pub weather: Weather,
    /// Model bundles and their pace.
    pub models: Models,
    /// What one slot may do.
    pub limits: Limits,
    /// The slot that may trade with real money and how; nothing where all trade on paper.
    pub live: Option<Live>,
    /// How paper orders fill.
    pub paper: Paper,
    /// What fills cost.
    pub fees: Fees,
    /// Folder in which each run makes its own.
    pub run_dir: PathBuf,
    /// How long after an event the driver looks for the next one without sleeping.
    pub busy_poll: Duration,
    /// The strategies, at least one, names unique.
    pub slots: Vec<Slot>,
}

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// The addresses of an exchange, or nothing for the simulated one that the program starts itself.
    pub addresses: Option<Addresses>,
    /// Series to follow, at least one, in the order of the file.
    pub series: Vec<String>,
    /// The key of an account. The venue's feed needs one even in a dry run; a key that may only read is enough for that.
    pub key: Option<Key>,
    /// The exchange is `isobar sim`: its clock is taken over.
    pub simulated: bool,
    /// Time between two comparisons of streamed books with the venue's REST books, in the machine's time; nothing where
    /// they are not compared.
    pub audit: Option<Duration>,
    /// Connections that are held to the venue's feed, merged into one: 1 or 2.
    pub sockets: usize,
}

/// The key of an account at the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its id, which is no secret.
    pub id: String,
    /// Where the private key is read from.
    pub source: KeySource,
}

/// The addresses of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// `http://` or `https://`, up to and including the version, without a slash at the end.
    pub rest: String,
    /// `ws://` or `wss://`.
    pub websocket: String,
}

/// How books are received and when they are stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Price scale of the NO ladder on every order book subscription.
    pub use_yes_price: bool,
    /// Nanoseconds without a sign of life after which a book is stale (ORDER_BOOK_STALE_SEC).
    pub stale_after: i64,
    /// Whether a market that did not change for that long is stale too: the guide's rule.
    pub stale_by_last_change: bool,
}

/// Where weather comes from, unless the simulated exchange tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The sources to ask, at least one.
    pub sources: Vec<SourceConfig>,
    /// How the sources can reach whoever asks them: the National Weather Service wants to know.
    pub contact: String,
    /// Recorded days before the run, for the features that look back.
    pub history: Vec<PathBuf>,
}

/// Model bundles and their pace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Models {
    /// Folder with one bundle a city, watched while a run lasts.
    pub folder: PathBuf,
    /// Folder with bundles that are scored beside those and never traded on.
    pub shadow: Option<PathBuf>,
    /// ONNX Runtime's shared library.
    pub library: PathBuf,
    /// Least time between two predictions for a city, nanoseconds (INFERENCE_COOLDOWN_SEC).
    pub cooldown: i64,
    /// Oldest forecast to trade on, nanoseconds since its newest input was published.
    pub forecast_age: i64,
    /// The same for the values of one source, by its name.
    pub source_age: BTreeMap<String, i64>,
    /// Longest that a model may take, in the machine's time.
    pub deadline: Duration,
    /// What a bracket keeps at most that observations rule out, until an official report does.
    pub floor: Probability,
}

/// How paper orders fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Time from a decision to its order's arrival.
    pub latency: Duration,
    /// What a level that shrinks without a trade does to the queue ahead.
    pub queue: Queue,
    /// Cash of each slot at the start.
    pub starting_cash: Money,
}

/// What a level that shrinks without a trade does to the queue ahead of a paper quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Queue {
    /// Nothing: only trades move it.
    Never,
    /// It is at most the size still shown.
    CapAtDisplayed,
}

/// What fills cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fees {
    /// As listed with each market.
    Venue,
    /// The same schedule in every market, whatever the venue lists.
    Fixed(FeeSchedule),
}

/// One strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name: lower-case letters, digits and hyphens, at most 16.
    pub name: String,
    /// The first component's file.
    pub component: PathBuf,
    /// A folder in which a new component takes over.
    pub watch: Option<PathBuf>,
    /// How instances are used.
    pub reuse: Reuse,
    /// Parameters by the names that the component declares.
    pub parameters: BTreeMap<String, Decimal>,
}

/// How instances of a component are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reuse {
    /// A new one answers each decision.
    Fresh,
    /// One answers many and is checked against new ones.
    Audited,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {source}", .file.display())]
    Unreadable {
        /// Its path.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in the file has to be corrected.
    #[error("{}:{line}: {problem}", .file.display())]
    Wrong {
        /// Its path.
        file: PathBuf,
        /// Line from 1.
        line: usize,
        /// What is wrong, and with which key.
        problem: String,
    },
}

impl Feed {
    /// When a book counts as stale, in the engine's own words.
    pub fn stale_rule(&self) -> StaleRule {
        if self.stale_by_last_change { StaleRule::LastChange(self.stale_after) } else { StaleRule::Proved }
    }
}

impl Slot {
    /// The parameters as names and decimal texts, which is how a component's declaration is met.
    pub fn parameter_texts(&self) -> Vec<(String, String)> {
        self.parameters.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
    }
}

impl Config {
    /// Reads and checks a file. `ORT_DYLIB_PATH` of the environment names ONNX Runtime where the file does not.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|source| Error::Unreadable { file: file.to_owned(), source })?;
        Self::parse(&text, file, library_of_environment())
    }

    /// The documented example as if it stood in the working folder: what `isobar demo` starts from.
    pub fn example() -> Self {
        let example = Self::parse(EXAMPLE, Path::new("isobar.example.toml"), library_of_environment());
        example.expect("the example is a configuration: a test reads it")
    }

    /// Checks the text of `file`; `library` is used where the text names none.
    pub fn parse(text: &str, file: &Path, library: Option<PathBuf>) -> Result<Self, Error> {
        let wrong = |problem: Problem| Error::Wrong {
            file: file.to_owned(),
            line: 1 + text[..problem.at.min(text.len())].matches('\n').count(),
            problem: problem.text,
        };
        let raw = toml::from_str::<Raw>(text).map_err(|error| wrong(Problem::of_syntax(&error)))?;
        let source = Source { text, folder: file.parent().unwrap_or(Path::new("")) };
        source.config(raw, library).map_err(wrong)
    }
}

/// A variable of the environment, for what stands in no file: keys and addresses with passwords.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn library_of_environment() -> Option<PathBuf> {
    std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// What the file says. A key that is missing is `None`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    venue: RawVenue,
    #[serde(default)]
    feed: RawFeed,
    #[serde(default)]
    weather: RawWeather,
    #[serde(default)]
    models: RawModels,
    #[serde(default)]
    limits: limits::RawLimits,
    live: Option<Spanned<live::RawLive>>,
    #[serde(default)]
    paper: RawPaper,
    #[serde(default)]
    fees: RawFees,
    #[serde(default)]
    run: RawRun,
    #[serde(default)]
    slot: Vec<RawSlot>,
}

/// A number as written: an integer, a decimal, or either as a text.
type RawNumber = Option<Spanned<Value>>;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawVenue {
    rest: Option<Spanned<String>>,
    websocket: Option<Spanned<String>>,
    series: Option<Spanned<Vec<String>>>,
    simulated: Option<bool>,
    audit_sec: RawNumber,
    sockets: Option<Spanned<usize>>,
    key_id: Option<Spanned<String>>,
    key_file: Option<PathBuf>,
    key_variable: Option<String>,
    key_credential: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawFeed {
    use_yes_price: Option<bool>,
    #[serde(rename = "ORDER_BOOK_STALE_SEC")]
    stale_sec: RawNumber,
    stale: Option<RawStale>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum RawStale {
    Proved,
    LastChange,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawWeather {
    contact: Option<String>,
    #[serde(default)]
    history: Vec<PathBuf>,
    #[serde(default)]
    source: Vec<SourceConfig>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawModels {
    folder: Option<PathBuf>,
    shadow: Option<PathBuf>,
    library: Option<PathBuf>,
    #[serde(rename = "INFERENCE_COOLDOWN_SEC")]
    cooldown_sec: RawNumber,
    max_forecast_age_sec: RawNumber,
    #[serde(default)]
    max_source_age_sec: BTreeMap<String, Spanned<Value>>,
    deadline_ms: RawNumber,
    ruled_out_probability: RawNumber,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawPaper {
    latency_ms: RawNumber,
    queue: Option<Queue>,
    starting_cash_usd: RawNumber,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawFees {
    schedule: Option<RawSchedule>,
    #[serde(rename = "TAKER_FEE_RATE")]
    taker: RawNumber,
    #[serde(rename = "MAKER_FEE_RATE")]
    maker: RawNumber,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawSchedule {
    Venue,
    Quadratic,
    FlatPremium,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawRun {
    dir: Option<PathBuf>,
    busy_poll_ms: RawNumber,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSlot {
    name: Spanned<String>,
    component: PathBuf,
    watch: Option<PathBuf>,
    reuse: Option<Reuse>,
    #[serde(default)]
    parameters: BTreeMap<String, Spanned<Value>>,
}

/// What is wrong, and the byte of the text at which it is.
#[derive(Debug)]
struct Problem {
    at: usize,
    text: String,
}

impl Problem {
    fn new(at: usize, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }

    /// A problem that the TOML reader found; an unknown key gets the nearest known one.
    fn of_syntax(error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let text = match quoted.as_slice() {
            [unknown, known @ ..] if message.starts_with("unknown field") => match nearest(unknown, known) {
                Some(near) => format!("unknown key {unknown}; did you mean {near}?"),
                None => format!("unknown key {unknown}; known here: {}", known.join(", ")),
            },
            [missing] if message.starts_with("missing field") => format!("the key {missing} is missing"),
            _ => message.replace('\n', " "),
        };
        Self { at, text }
    }
}

/// The known key that a slip of the fingers would have made into `unknown`.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let far = |key: &str| distance(&unknown.to_lowercase(), &key.to_lowercase());
    let (distance, key) = known.iter().map(|key| (far(key), *key)).min()?;
    // Two letters that changed places count as two changes, in short words too.
    (distance <= key.len().div_ceil(3).max(2)).then_some(key)
}

/// How many letters must be put in, taken out or changed to make one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let to = to.as_bytes();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// The text that raw values point into, and the folder from which its paths are taken.
struct Source<'a> {
    text: &'a str,
    folder: &'a Path,
}

impl Source<'_> {
    fn config(&self, raw: Raw, library: Option<PathBuf>) -> Result<Config, Problem> {
        let slots = self.slots(raw.slot)?;
        Ok(Config {
            venue: self.venue(raw.venue)?,
            feed: self.feed(raw.feed)?,
            weather: self.weather(raw.weather),
            models: self.models(raw.models, library)?,
            limits: self.limits(raw.limits, raw.live.as_ref().map(|live| live.span().start), &Limits::paper())?,
            live: raw.live.map(|live| self.live(live, &slots)).transpose()?,
            paper: self.paper(raw.paper)?,
            fees: self.fees(raw.fees)?,
            busy_poll: self.busy_poll(&raw.run.busy_poll_ms)?,
            run_dir: self.path(raw.run.dir, "runs"),
            slots,
        })
    }

    fn busy_poll(&self, raw: &RawNumber) -> Result<Duration, Problem> {
        let range = Range { decimals: 3, least: 0, most: 60_000_000, default: 0 };
        Ok(Duration::from_micros(self.number("run.busy_poll_ms", raw, range)?.unsigned_abs()))
    }

    fn venue(&self, raw: RawVenue) -> Result<Venue, Problem> {
        let addresses = match (raw.rest, raw.websocket) {
            (None, None) => None,
            (Some(rest), Some(websocket)) => Some(Addresses {
                rest: address("venue.rest", &rest, ["https://", "http://"])?,
                websocket: address("venue.websocket", &websocket, ["wss://", "ws://"])?,
            }),
            (Some(alone), None) | (None, Some(alone)) => {
                return Err(Problem::new(alone.span().start, "venue.rest and venue.websocket go together"));
            }
        };
        let simulated = raw.simulated.unwrap_or(false);
        let sockets = match raw.sockets {
            None => 1,
            Some(sockets) if (1..=2).contains(sockets.get_ref()) => sockets.into_inner(),
            Some(sockets) => return Err(Problem::new(sockets.span().start, "venue.sockets is 1 or 2")),
        };
        let sources = [
            raw.key_file.map(|file| KeySource::File(self.path(Some(file), ""))),
            raw.key_variable.map(KeySource::Variable),
            raw.key_credential.map(KeySource::Credential),
        ];
        let mut sources = sources.into_iter().flatten();
        let key = match (raw.key_id, sources.next(), sources.next()) {
            (None, None, _) => None,
            (Some(id), Some(source), None) => Some(Key { id: id.into_inner(), source }),
            (id, _, _) => {
                let at = id.map_or(0, |id| id.span().start);
                let problem = "venue.key_id goes with exactly one of key_file, key_variable and key_credential";
                return Err(Problem::new(at, problem));
            }
        };
        let audit = Range { decimals: 9, least: 0, most: 86_400 * SECOND, default: 60 * SECOND };
        let audit = self.number("venue.audit_sec", &raw.audit_sec, audit)?.unsigned_abs();
        let audit = (audit > 0).then(|| Duration::from_nanos(audit));
        let Some(series) = raw.series else {
            return Ok(Venue { addresses, series: SERIES.map(str::to_owned).to_vec(), key, simulated, audit, sockets });
        };
        let at = series.span().start;
        let series = series.into_inner();
        let mut seen = BTreeSet::new();
        if series.is_empty() {
            return Err(Problem::new(at, "venue.series names no series"));
        }
        for name in &series {
            let letters = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
            if name.is_empty() || !letters {
                return Err(Problem::new(at, format!("venue.series: {name:?} is no name of a series")));
            }
            if !seen.insert(name) {
                return Err(Problem::new(at, format!("venue.series names {name} twice")));
            }
        }
        Ok(Venue { addresses, series, key, simulated, audit, sockets })
    }

    fn feed(&self, raw: RawFeed) -> Result<Feed, Problem> {
        Ok(Feed {
            use_yes_price: raw.use_yes_price.unwrap_or(true),
            stale_after: self.seconds("feed.ORDER_BOOK_STALE_SEC", &raw.stale_sec, 60)?,
            stale_by_last_change: raw.stale == Some(RawStale::LastChange),
        })
    }

    fn weather(&self, raw: RawWeather) -> Weather {
        let in_folder = |mut source: SourceConfig| {
            source.secret_file = source.secret_file.map(|file| self.folder.join(file));
            source
        };
        let mut sources: Vec<SourceConfig> = raw.source.into_iter().map(in_folder).collect();
        if sources.is_empty() {
            // Those that the six cities' bundles are trained for.
            let trained = [SourceKind::OpenMeteo, SourceKind::NwsObservations, SourceKind::NwsClimateReports];
            sources.extend(trained.map(SourceConfig::new));
        }
        Weather {
            sources,
            contact: raw.contact.unwrap_or_else(|| "an operator who left no address".to_owned()),
            history: raw.history.into_iter().map(|file| self.folder.join(file)).collect(),
        }
    }

    fn models(&self, raw: RawModels, library: Option<PathBuf>) -> Result<Models, Problem> {
        let library = match (raw.library, library) {
            (None, Some(library)) => library,
            (named, _) => self.path(named, LIBRARY),
        };
        let source_age = raw.max_source_age_sec.into_iter().map(|(source, age)| {
            let age = self.seconds(&format!("models.max_source_age_sec.{source}"), &Some(age), 0)?;
            Ok((source, age))
        });
        let deadline = Range { decimals: 6, least: 1_000_000, most: 60_000_000_000, default: 1_000_000_000 };
        let deadline = self.number("models.deadline_ms", &raw.deadline_ms, deadline)?;
        let floor = Range { decimals: 6, least: 0, most: 10_000, default: 1_000 };
        let floor = self.number("models.ruled_out_probability", &raw.ruled_out_probability, floor)?;
        let floor = u32::try_from(floor).expect("inside its range");
        Ok(Models {
            folder: self.path(raw.folder, "models"),
            shadow: raw.shadow.map(|shadow| self.folder.join(shadow)),
            library,
            cooldown: self.seconds("models.INFERENCE_COOLDOWN_SEC", &raw.cooldown_sec, 30)?,
            forecast_age: self.seconds("models.max_forecast_age_sec", &raw.max_forecast_age_sec, 129_600)?,
            source_age: source_age.collect::<Result<_, _>>()?,
            deadline: Duration::from_nanos(deadline.unsigned_abs()),
            floor: Probability::new(floor).expect("inside its range"),
        })
    }

    fn paper(&self, raw: RawPaper) -> Result<Paper, Problem> {
        let latency = Range { decimals: 6, least: 0, most: 60_000_000_000, default: 50_000_000 };
        let cash = Range { decimals: 6, least: 0, most: 1_000_000_000_000_000, default: 1_000_000_000 };
        let latency = self.number("paper.latency_ms", &raw.latency_ms, latency)?;
        Ok(Paper {
            latency: Duration::from_nanos(latency.unsigned_abs()),
            queue: raw.queue.unwrap_or(Queue::Never),
            starting_cash: Money::new(self.number("paper.starting_cash_usd", &raw.starting_cash_usd, cash)?),
        })
    }

    fn fees(&self, raw: RawFees) -> Result<Fees, Problem> {
        let rate = |key, raw: &RawNumber, default| {
            let ppm = self.number(key, raw, Range { decimals: 6, least: 0, most: 1_000_000, default })?;
            Ok(u32::try_from(ppm).expect("inside its range"))
        };
        let taker_ppm = rate("fees.TAKER_FEE_RATE", &raw.taker, 70_000)?;
        let maker_ppm = rate("fees.MAKER_FEE_RATE", &raw.maker, 0)?;
        Ok(match raw.schedule.unwrap_or(RawSchedule::Venue) {
            RawSchedule::Venue => Fees::Venue,
            RawSchedule::Quadratic => Fees::Fixed(FeeSchedule::Quadratic { taker_ppm, maker_ppm }),
            RawSchedule::FlatPremium => Fees::Fixed(FeeSchedule::FlatPremium { taker_ppm, maker_ppm }),
        })
    }

    fn slots(&self, raw: Vec<RawSlot>) -> Result<Vec<Slot>, Problem> {
        if raw.is_empty() {
            return Err(Problem::new(self.text.len(), "no strategy: add a [[slot]] with a name and a component"));
        }
        let mut names = BTreeSet::new();
        raw.into_iter()
            .map(|raw| {
                let slot = self.slot(raw, &names)?;
                names.insert(slot.name.clone());
                Ok(slot)
            })
            .collect()
    }

    fn slot(&self, raw: RawSlot, taken: &BTreeSet<String>) -> Result<Slot, Problem> {
        let (at, name) = (raw.name.span().start, raw.name.into_inner());
        let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if name.is_empty() || name.len() > 16 || !letters {
            let rule = "lower-case letters, digits and hyphens, at most 16";
            return Err(Problem::new(at, format!("slot.name: {name:?} is not made of {rule}")));
        }
        if taken.contains(&name) {
            return Err(Problem::new(at, format!("slot.name: there are two slots named {name}")));
        }
        let parameters = raw.parameters.into_iter().map(|(key, value)| {
            let decimal = self.decimal(&value);
            let at = value.span().start;
            decimal
                .map_err(|problem| Problem::new(at, format!("slot.parameters.{key}: {problem}")))
                .map(|decimal| (key, decimal))
        });
        Ok(Slot {
            name,
            component: self.folder.join(raw.component),
            watch: raw.watch.map(|watch| self.folder.join(watch)),
            reuse: raw.reuse.unwrap_or(Reuse::Fresh),
            parameters: parameters.collect::<Result<_, _>>()?,
        })
    }

    fn path(&self, named: Option<PathBuf>, default: &str) -> PathBuf {
        self.folder.join(named.unwrap_or_else(|| PathBuf::from(default)))
    }

    /// A time from a millisecond to ten years, in nanoseconds.
    fn seconds(&self, key: &str, raw: &RawNumber, default: i64) -> Result<i64, Problem> {
        let most = 10 * 366 * 86_400 * SECOND;
        self.number(key, raw, Range { decimals: 9, least: 1_000_000, most, default: default * SECOND })
    }

    /// A number in units of its last allowed decimal.
    fn number(&self, key: &str, raw: &RawNumber, range: Range) -> Result<i64, Problem> {
        let Some(value) = raw else { return Ok(range.default) };
        let wrong = |problem: String| Problem::new(value.span().start, format!("{key}: {problem}"));
        let decimal = self.decimal(value).map_err(wrong)?;
        let units = decimal.units(range.decimals);
        let units = units.filter(|units| (range.least..=range.most).contains(units)).ok_or_else(|| {
            let bound = |units| Decimal::new(units, range.decimals);
            let ends = format!("from {} to {}", bound(range.least), bound(range.most));
            wrong(match range.decimals {
                0 => format!("{decimal} is not a whole number {ends}"),
                decimals => format!("{decimal} is not a number {ends} with at most {decimals} decimals"),
            })
        })?;
        Ok(units)
    }

    /// The number that was written, read from the text itself: TOML's own floats would round it.
    fn decimal(&self, value: &Spanned<Value>) -> Result<Decimal, String> {
        match value.get_ref() {
            Value::Integer(whole) => Ok(Decimal::new(*whole, 0)),
            Value::Float(_) => Decimal::read(&self.text[value.span()].replace('_', "")),
            Value::String(text) => Decimal::read(text),
            other => Err(format!("a number is wanted, not a {}", other.type_str())),
        }
    }
}

/// What a number may be, in units of its last allowed decimal.
struct Range {
    decimals: u8,
    least: i64,
    most: i64,
    default: i64,
}

fn address(key: &str, raw: &Spanned<String>, schemes: [&str; 2]) -> Result<String, Problem> {
    let text = raw.get_ref().trim_end_matches('/');
    let host = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    if host.is_none_or(|host| host.is_empty() || host.contains(char::is_whitespace)) {
        let [secure, plain] = schemes;
        return Err(Problem::new(raw.span().start, format!("{key}: {text:?} does not begin with {secure} or {plain}")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;

//! `isobar forecast`: what a model made of a city-day, beside what the market says, from the journal of a run.

use crate::cli;
use crate::replay::decode_inputs;
use anyhow::{Context, Result, bail};
use isobar_engine::engine::Engine;
use isobar_engine::event::Input;
use isobar_engine::market::Market;
use isobar_engine::opinion::{Opinion, Role};
use isobar_engine::units::{Side, Timestamp};
use isobar_inference::degrees;
use isobar_store::Run;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Columns of the longest bar.
const BAR: f64 = 40.0;

/// Degrees with less than this share of certainty at both ends are not drawn.
const NOTHING: f64 = 0.000_5;

/// One city-day at one moment.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub city: String,
    pub event: String,
    /// The moment, UTC.
    pub at: String,
    /// Why there is no opinion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_opinion: Option<String>,
    /// Hash of the bundle.
    pub model: String,
    /// When the newest input was published, UTC.
    pub issued: String,
    /// Hash of the inputs.
    pub inputs: String,
    /// What the day had shown, where something is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<Seen>,
    pub degrees: Vec<Degree>,
    pub brackets: Vec<Bracket>,
}

/// The maximum so far.
#[derive(Debug, Serialize)]
pub struct Seen {
    pub source: String,
    pub maximum_f: f64,
    pub bound_f: f64,
    /// Lowest degree that the day can still settle on.
    pub lowest_possible_f: i32,
}

/// One whole degree.
#[derive(Debug, Serialize)]
pub struct Degree {
    pub degree_f: i32,
    /// Probability by the model alone.
    pub model: f64,
    /// Probability after what the day has shown.
    pub probability: f64,
}

/// One market.
#[derive(Debug, Serialize)]
pub struct Bracket {
    pub ticker: String,
    pub bracket: String,
    /// What strategies saw; nothing without an opinion.
    pub ppm: Option<u32>,
    /// What a shadow said about the same inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_ppm: Option<u32>,
    /// Best YES prices in dollars; nothing where a side is empty or the book is not to be trusted.
    pub bid: Option<String>,
    pub ask: Option<String>,
}

/// The city-days of a city, as of a moment of a run.
pub fn forecast(command: &cli::Forecast) -> Result<Vec<Shown>> {
    let folder = match &command.run {
        Some(run) => run.clone(),
        None => newest_run(&crate::config::Config::example().run_dir)?,
    };
    let until = command.at.as_deref().map(moment).transpose()?;
    let run = Run::open(&folder)?;
    let mut engine = Engine::new(crate::host::settings(&crate::config::Config::example()));
    let (mut effects, mut last) = (Vec::new(), Timestamp(0));
    let mut opinions: BTreeMap<String, BTreeMap<Role, Opinion>> = BTreeMap::new();
    let city = command.city.to_uppercase();
    decode_inputs(&run, |record, body, _| {
        if until.is_some_and(|until| record.at > until) {
            return Ok(());
        }
        engine.apply(record.seq, record.at, body, &mut effects);
        effects.clear();
        last = record.at;
        match &record.input {
            Input::Opinion(opinion) if opinion.city == city => {
                let of_day = opinions.entry(opinion.forecast.event.clone()).or_default();
                of_day.insert(opinion.role, (**opinion).clone());
            }
            _ => {}
        }
        Ok(())
    })?;
    if opinions.is_empty() {
        bail!("{} has no opinion on {city} by then", folder.display());
    }
    let at = until.unwrap_or(last);
    let shown = opinions.values().filter_map(|of_day| {
        let traded = of_day.get(&Role::Traded)?;
        // The shadow's is about the same inputs only where it followed the traded one's.
        let shadow = of_day.get(&Role::Shadow).filter(|shadow| shadow.forecast.issued == traded.forecast.issued);
        Some(show(&engine, traded, shadow, at))
    });
    Ok(shown.collect())
}

fn show(engine: &Engine, traded: &Opinion, shadow: Option<&Opinion>, at: Timestamp) -> Shown {
    let forecast = &traded.forecast;
    let mut markets: Vec<&Market> = engine.markets().filter(|market| market.event == forecast.event).collect();
    markets.sort_by_key(|market| market.strike.rank());
    let ppm = |opinion: &Opinion, market: &Market| {
        let probabilities = opinion.forecast.outcome.as_ref().ok()?;
        Some(probabilities.iter().find(|(id, _)| *id == market.id)?.1.ppm())
    };
    let best = |market: &Market, side| {
        let book = engine.book(market.id);
        let level = book.is_live().then(|| book.levels(side).next()).flatten()?;
        Some(level.price.to_string())
    };
    let bracket = |market: &&Market| Bracket {
        ticker: market.ticker.clone(),
        bracket: market.strike.to_string(),
        ppm: ppm(traded, market),
        shadow_ppm: shadow.and_then(|shadow| ppm(shadow, market)),
        bid: best(market, Side::Bid),
        ask: best(market, Side::Ask),
    };
    let conditions = traded.evidence.as_ref().map(|evidence| &evidence.conditions);
    let observed = conditions.and_then(|conditions| conditions.observed.as_ref()).map(|observed| Seen {
        source: observed.source.clone(),
        maximum_f: f64::from(observed.maximum) / 1e3,
        bound_f: f64::from(observed.bound) / 1e3,
        lowest_possible_f: observed.lowest_possible(),
    });
    Shown {
        city: traded.city.clone(),
        event: forecast.event.clone(),
        at: utc(at),
        no_opinion: forecast.outcome.as_ref().err().cloned(),
        model: forecast.model.to_string(),
        issued: utc(forecast.issued),
        inputs: forecast.inputs.to_string(),
        observed,
        degrees: distribution(traded),
        brackets: markets.iter().map(bracket).collect(),
    }
}

/// The degrees of an opinion, without those of no weight at both ends.
fn distribution(opinion: &Opinion) -> Vec<Degree> {
    let Some((model, conditioned)) = opinion.evidence.as_ref().and_then(degrees) else { return Vec::new() };
    let first = model.lowest.min(conditioned.lowest);
    let of = |prediction: &isobar_inference::Prediction, degree: i32| {
        let index = usize::try_from(degree - prediction.lowest).ok();
        index.and_then(|index| prediction.probabilities.get(index)).copied().unwrap_or(0.0)
    };
    let last = |p: &isobar_inference::Prediction| p.lowest + i32::try_from(p.probabilities.len()).unwrap_or(0);
    let all = (first..last(&model).max(last(&conditioned))).map(|degree_f| Degree {
        degree_f,
        model: of(&model, degree_f),
        probability: of(&conditioned, degree_f),
    });
    let mut all: Vec<Degree> = all.collect();
    let nothing = |degree: &Degree| degree.model < NOTHING && degree.probability < NOTHING;
    let end = all.iter().rposition(|degree| !nothing(degree)).map_or(0, |last| last + 1);
    all.truncate(end);
    let begin = all.iter().position(|degree| !nothing(degree)).unwrap_or(0);
    all.split_off(begin)
}

/// What a person reads of it.
pub fn render(shown: &[Shown]) -> String {
    shown.iter().map(draw).collect::<Vec<_>>().join("\n")
}

fn draw(shown: &Shown) -> String {
    let mut text = format!("{} at {}\n", shown.event, shown.at);
    text.push_str(&format!("model {}, newest input published {}\n", &shown.model[..12], shown.issued));
    if let Some(seen) = &shown.observed {
        text.push_str(&format!(
            "{} has shown {:.1}°, sure to {:.1}°: the day ends at {}° or above\n",
            seen.source, seen.maximum_f, seen.bound_f, seen.lowest_possible_f
        ));
    }
    if let Some(reason) = &shown.no_opinion {
        text.push_str(&format!("no opinion: {reason}\n"));
    }
    let highest = shown.degrees.iter().map(|degree| degree.probability).fold(0.0, f64::max);
    if highest > 0.0 {
        text.push_str("\n  degree  chance\n");
    }
    for degree in shown.degrees.iter().filter(|_| highest > 0.0) {
        let percent = degree.probability * 100.0;
        text.push_str(&format!("{:>7}° {percent:>5.1} %  {}\n", degree.degree_f, bar(degree.probability / highest)));
    }
    text.push_str(&format!("\n  {:<16}{:>8}{:>8}{:>8}\n", "bracket", "model", "bid", "ask"));
    let widest = shown.brackets.iter().filter_map(|bracket| bracket.ppm).max().unwrap_or(1).max(1);
    for bracket in &shown.brackets {
        let model = bracket.ppm.map_or("–".to_owned(), |ppm| format!("{:.1} %", f64::from(ppm) / 1e4));
        let price = |price: &Option<String>| price.clone().unwrap_or_else(|| "–".to_owned());
        let shadow = bracket.shadow_ppm.map_or(String::new(), |ppm| format!("  shadow {:.1} %", f64::from(ppm) / 1e4));
        let share = f64::from(bracket.ppm.unwrap_or(0)) / f64::from(widest);
        text.push_str(&format!(
            "  {:<16}{model:>8}{:>8}{:>8}  {}{shadow}\n",
            bracket.bracket,
            price(&bracket.bid),
            price(&bracket.ask),
            market_bar(bracket, share)
        ));
    }
    text
}

/// A bar of the model's chance with the middle of the market's prices marked on the same scale.
fn market_bar(bracket: &Bracket, share: f64) -> String {
    let mut bar: Vec<char> = bar(share).chars().collect();
    let price = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
    if let (Some(bid), Some(ask), Some(ppm)) = (price(&bracket.bid), price(&bracket.ask), bracket.ppm)
        && ppm > 0
    {
        let scale = share / (f64::from(ppm) / 1e6);
        let place = column((bid + ask) / 2.0 * scale);
        bar.resize(bar.len().max(place + 1), ' ');
        bar[place] = '┃';
    }
    bar.into_iter().collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a screen's width")]
fn column(share: f64) -> usize {
    (share * BAR).round().clamp(0.0, 2.0 * BAR) as usize
}

fn bar(share: f64) -> String {
    "█".repeat(column(share))
}

fn utc(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).map(|at| at.round(jiff::Unit::Second).unwrap_or(at));
    at.map_or_else(|_| "never".to_owned(), |at| at.to_string())
}

/// A moment as people write it, RFC 3339.
fn moment(text: &str) -> Result<Timestamp> {
    let at: jiff::Timestamp =
        text.parse().with_context(|| format!("{text:?} is no time such as 2026-07-01T15:00:00Z"))?;
    Ok(Timestamp(i64::try_from(at.as_nanosecond()).context("a time of this century")?))
}

/// The run in a folder of runs that was written to last.
fn newest_run(runs: &Path) -> Result<PathBuf> {
    let entries =
        std::fs::read_dir(runs).with_context(|| format!("no runs in {}; name one by --run", runs.display()))?;
    let changed = |path: &PathBuf| std::fs::metadata(path.join("feed")).and_then(|facts| facts.modified()).ok();
    let runs = entries.flatten().map(|entry| entry.path()).filter_map(|path| Some((changed(&path)?, path)));
    runs.max().map(|(_, path)| path).context("there is no run yet; name one by --run")
}

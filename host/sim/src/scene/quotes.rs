//! Recorded best prices of weather markets: pairs of open-ended markets (March 2026) and all six of New York
//! (December 2025).
//!
//! A recorded best price is the whole side of a book here: depth was not recorded and none is invented. Brackets without
//! a record exist with empty books. A hole of more than an hour is a disconnect, and what is known of the weather is
//! told with the time at which it became known.

use super::lines::{parsed, price, quantity, rows};
use super::{Stage, ending};
use crate::Error;
use crate::book::{Book, Level, Outcome};
use crate::exchange::{Action, Exchange};
use crate::listing::{DETERMINED_AFTER, HOUR, STATIONS, city_day, date_of, midnight};
use crate::weather::{Row, city_of};
use isobar_engine::units::{Price, Quantity, SECOND, Timestamp};
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A time without any row that is longer is a hole in the recording. Quiet nights have up to 55 minutes.
const HOLE: i64 = HOUR;
/// Size of a level whose size was not recorded.
const UNKNOWN_SIZE: Quantity = Quantity::contracts(100);
/// Clock of the host that recorded December 2025: its first rows, at 07:01, are of the minute after trading opened at
/// 10:00 in New York, so it was on Pacific Standard Time.
const RECORDER_BEHIND: i64 = 8;

/// One recorded row: the best level of each side, where there is one.
struct Best {
    at: Timestamp,
    ticker: String,
    yes: Option<Level>,
    no: Option<Level>,
}

#[derive(Deserialize)]
struct Pair {
    recv_ns: i64,
    ticker: String,
    yes_bid: String,
    yes_ask: String,
    yes_bid_size: String,
    yes_ask_size: String,
}

#[derive(Deserialize)]
struct Top {
    #[serde(deserialize_with = "parsed")]
    timestamp: jiff::civil::DateTime,
    market_ticker: String,
    best_yes_bid: Option<u16>,
    best_no_bid: Option<u16>,
}

#[derive(Deserialize)]
struct Settlement {
    ticker: String,
    strike_type: String,
    observed_high_f: Option<i64>,
    result: String,
}

/// One city and day of the forecast files, by column: the two files do not have the same ones.
struct Forecast {
    series: String,
    date: Date,
    columns: BTreeMap<String, String>,
}

fn forecasts(path: &Path) -> Result<Vec<Forecast>, Error> {
    let parsed = rows::<BTreeMap<String, String>>(path)?.into_iter().map(|mut columns| {
        let (series, date) = (columns.remove("series")?, columns.remove("date")?.parse().ok()?);
        Some(Forecast { series, date, columns })
    });
    let malformed = || Error::Malformed { path: path.to_owned(), reason: "a row without series and date".to_owned() };
    parsed.collect::<Option<_>>().ok_or_else(malformed)
}

#[derive(Deserialize)]
struct Lead {
    event_ticker: String,
    #[serde(deserialize_with = "parsed")]
    date: Date,
    lead_days: u8,
    known_from_epoch_s: i64,
    forecast_high_f: f64,
}

#[derive(Deserialize)]
struct Acis {
    city: String,
    #[serde(deserialize_with = "parsed")]
    date: Date,
    max_f: Option<f64>,
}

/// Files of `folder` that start with `prefix`, with the date in the rest of the name, for the days that are wanted.
fn files(folder: &Path, prefix: &str, days: &[Date]) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let date = name.strip_prefix(prefix).and_then(|rest| rest.split('.').next()).and_then(date_of);
        if date.is_some_and(|date| days.is_empty() || days.contains(&date)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// March 2026: quotes of the two open-ended markets of each event.
pub(super) fn pairs(data: &Path, days: &[Date]) -> Result<Stage, Error> {
    let folder = data.join("weather_quotes");
    let settlements: Vec<Settlement> = rows(&folder.join("settlements_2026-03.csv"))?;
    let mut best = Vec::new();
    for path in files(&folder, "quotes_KXHIGH_", days)? {
        for row in rows::<Pair>(&path)? {
            let level = |at: &str, size: &str| Some((price(at)?, quantity(size)?));
            let levels = level(&row.yes_bid, &row.yes_bid_size).zip(level(&row.yes_ask, &row.yes_ask_size));
            let reason = || format!("a quote of {} that is no price and count", row.ticker);
            let ((bid, bids), (ask, asks)) =
                levels.ok_or_else(|| Error::Malformed { path: path.clone(), reason: reason() })?;
            // A bid of nothing and an ask of a dollar stand for an empty side.
            let yes = (bid != Price::ZERO).then_some((bid, bids));
            let no = (ask != Price::ONE).then_some((ask.complement(), asks));
            best.push(Best { at: Timestamp(row.recv_ns), ticker: row.ticker, yes, no });
        }
    }
    let highs =
        settlements.iter().filter_map(|row| Some((event_of(&row.ticker).to_owned(), row.observed_high_f?))).collect();
    let results =
        settlements.iter().filter(|row| !row.result.is_empty()).map(|row| (row.ticker.clone(), row.result == "yes"));
    let lone = settlements.iter().map(|row| (row.ticker.clone(), row.strike_type == "greater")).collect();
    let known = Known { highs, results: results.collect(), lone };
    let mut stage = stage(best, &known)?;
    let dates: BTreeSet<Date> = stage.exchange.events.keys().filter_map(|event| date_of(event)).collect();
    stage.weather = march_weather(data, &known, &dates)?;
    Ok(stage)
}

/// December 2025: best bids of all six New York markets.
pub(super) fn top_of_book(data: &Path, days: &[Date]) -> Result<Stage, Error> {
    let mut best = Vec::new();
    for path in files(&data.join("weather_quotes"), "topofbook_KXHIGHNY-", days)? {
        // 50 fills the place of a side that the recorder had not seen yet.
        let mut seen: BTreeSet<(String, Outcome)> = BTreeSet::new();
        for row in rows::<Top>(&path)? {
            let mut level = |outcome, cents: Option<u16>| {
                let cents = cents.filter(|cents| (1..=99).contains(cents))?;
                let side = (row.market_ticker.clone(), outcome);
                if cents == 50 && !seen.contains(&side) {
                    return None;
                }
                seen.insert(side);
                Some((Price::from_cents(cents)?, UNKNOWN_SIZE))
            };
            let (yes, no) = (level(Outcome::Yes, row.best_yes_bid), level(Outcome::No, row.best_no_bid));
            let utc = row.timestamp.to_zoned(jiff::tz::TimeZone::UTC).expect("a date of this era is a moment");
            let nanos = i64::try_from(utc.timestamp().as_nanosecond()).expect("a date of this era fits nanoseconds");
            best.push(Best { at: Timestamp(nanos + RECORDER_BEHIND * HOUR), ticker: row.market_ticker, yes, no });
        }
    }
    let acis: Vec<Acis> = rows(&data.join("weather/acis_daily_highs_18_cities_2025-10_2026-02.csv.zst"))?;
    let new_york = acis.iter().filter(|row| row.city == "New York");
    let high = |row: &Acis| {
        Some((format!("KXHIGHNY-{}", crate::listing::ticker_date(row.date)), crate::weather::whole(row.max_f?)))
    };
    let known = Known { highs: new_york.filter_map(high).collect(), ..Known::default() };
    let mut stage = stage(best, &known)?;
    stage.weather = december_weather(data, &known, &stage.exchange)?;
    Ok(stage)
}

/// Outcomes that are known.
#[derive(Default)]
struct Known {
    /// Settled high per event.
    highs: BTreeMap<String, i64>,
    /// Result per market.
    results: BTreeMap<String, bool>,
    /// Whether an open-ended market is the upper one, where only one of an event was recorded.
    lone: BTreeMap<String, bool>,
}

fn event_of(ticker: &str) -> &str {
    ticker.rsplit_once('-').map_or(ticker, |(event, _)| event)
}

/// Cap of the lowest bracket of each event, from its open-ended markets.
fn lowest(best: &[Best], known: &Known) -> BTreeMap<String, i32> {
    let mut strikes: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
    for ticker in best.iter().map(|row| &row.ticker).collect::<BTreeSet<_>>() {
        if let Some(strike) = ticker.rsplit_once("-T").and_then(|(_, strike)| strike.parse().ok()) {
            strikes.entry(event_of(ticker).to_owned()).or_default().insert(strike, ticker.clone());
        }
    }
    let cap = |(event, tails): (String, BTreeMap<i32, String>)| {
        let (strike, ticker) = tails.first_key_value()?;
        let upper = tails.len() == 1 && known.lone.get(ticker).copied()?;
        Some((event, if upper { strike - 7 } else { *strike }))
    };
    strikes.into_iter().filter_map(cap).collect()
}

fn stage(mut best: Vec<Best>, known: &Known) -> Result<Stage, Error> {
    best.sort_by_key(|row| row.at);
    let mut exchange = Exchange::default();
    for (event, cap) in lowest(&best, known) {
        let series = event.split('-').next().expect("splitting yields one part at least");
        let Some(date) = date_of(&event) else { continue };
        let (series, event, markets) = city_day(series, date, cap);
        exchange.list(series, event, markets);
    }
    let mut actions = Vec::new();
    for market in 0..exchange.markets.len() {
        let listed = &exchange.markets[market];
        let high = known.highs.get(&listed.event).copied();
        let by_high = high.and_then(|high| listed.strike.holds(high)).map(|yes| (yes, high));
        let result = by_high.or_else(|| known.results.get(&listed.ticker).map(|yes| (*yes, None)));
        actions.extend(ending(&exchange, market, result));
    }
    let mut last: Option<Timestamp> = None;
    let mut rows = Vec::with_capacity(best.len());
    for row in best {
        // A row of a market whose bracket could not be told is of no use to anyone.
        let Some(market) = exchange.find(&row.ticker) else { continue };
        if row.at >= exchange.markets[market].closes {
            continue;
        }
        if let Some(last) = last.filter(|last| row.at.since(*last) > HOLE) {
            rows.push((last.plus(SECOND), Action::Down));
            rows.push((row.at, Action::Up));
        }
        last = Some(row.at);
        let side = |level: Option<Level>| level.into_iter().collect();
        rows.push((row.at, Action::Target { market, book: Book::new(side(row.yes), side(row.no)) }));
    }
    actions.extend(rows);
    Stage::recorded(exchange, actions, Vec::new())
}

/// The forecasts of the recorded days and, where the data has them, of the thirty days before, with their outcome.
fn march_weather(data: &Path, known: &Known, dates: &BTreeSet<Date>) -> Result<Vec<Row>, Error> {
    let Some(first) = dates.first() else { return Ok(Vec::new()) };
    let since = first.checked_sub(jiff::Span::new().days(30)).expect("a month before a date of this era");
    let folder = data.join("weather");
    let mut all = forecasts(&folder.join("daily_highs_and_forecasts_2025-10_2026-02.csv.zst"))?;
    all.retain(|row| row.date >= since && row.date < *first);
    let recorded = forecasts(&folder.join("forecasts_2026-03.csv"))?;
    all.extend(recorded.into_iter().filter(|row| dates.contains(&row.date)));
    let told = |row: Forecast| {
        let column = |(name, value): (&String, &String)| {
            Some((name.strip_prefix("fcst_")?.to_owned(), value.parse::<f64>().ok()?))
        };
        let event = format!("{}-{}", row.series, crate::listing::ticker_date(row.date));
        let observed = row.columns.get("obs_high_f").and_then(|high| high.parse().ok());
        let high = observed.map(crate::weather::whole).or_else(|| known.highs.get(&event).copied());
        let begins = midnight(row.date, behind(&row.series));
        Row {
            city: city_of(&row.series).to_owned(),
            date: row.date,
            forecast: row.columns.iter().filter_map(column).collect(),
            published: begins,
            observed: high.map(|high| (high, begins.plus(24 * HOUR + DETERMINED_AFTER))),
            shape: None,
        }
    };
    Ok(all.into_iter().map(told).collect())
}

/// New York's forecasts by their honest lead (`lead_1`, `lead_2`), up to the recorded days.
fn december_weather(data: &Path, known: &Known, exchange: &Exchange) -> Result<Vec<Row>, Error> {
    let dates: BTreeSet<Date> = exchange.events.keys().filter_map(|event| date_of(event)).collect();
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else { return Ok(Vec::new()) };
    let since = first.checked_sub(jiff::Span::new().days(30)).expect("a month before a date of this era");
    let mut told: BTreeMap<Date, Row> = BTreeMap::new();
    for lead in rows::<Lead>(&data.join("weather/forecast_high_by_lead.csv.zst"))? {
        if !lead.event_ticker.starts_with("KXHIGHNY-") || lead.date < since || lead.date > *last {
            continue;
        }
        let known_at = Timestamp(lead.known_from_epoch_s * SECOND);
        let row = told.entry(lead.date).or_insert_with(|| Row {
            city: "NY".to_owned(),
            date: lead.date,
            forecast: BTreeMap::new(),
            published: known_at,
            observed: known
                .highs
                .get(&lead.event_ticker)
                .map(|high| (*high, midnight(lead.date, behind("KXHIGHNY")).plus(24 * HOUR + DETERMINED_AFTER))),
            shape: None,
        });
        row.published = row.published.max(known_at);
        row.forecast.insert(format!("lead_{}", lead.lead_days), lead.forecast_high_f);
    }
    Ok(told.into_values().collect())
}

fn behind(series: &str) -> i64 {
    STATIONS.iter().find(|station| station.0 == series).map_or(5, |station| station.2)
}

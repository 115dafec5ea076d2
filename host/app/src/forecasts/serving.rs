//! From weather to what a model may see: features by name with their sources, and what the day itself has shown.

use super::sky::Sky;
use crate::discovery::Settlement;
use isobar_engine::market::Market;
use isobar_engine::opinion::{Conditions, Observed};
use isobar_engine::units::{Probability, SECOND, Timestamp};
use isobar_inference::{Given, Manifest, NoOpinion};
use isobar_weather::{
    City, FEATURES, Listed, Quality, SettlementSource, SourceId, Sources, Stamps, Weather, check_settlement, features,
};
use jiff::ToSpan;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// What a model is bound to.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Whose values its features are made of.
    pub sources: Sources,
    /// Those of them that a feature of it really uses.
    pub used: Vec<SourceId>,
}

impl Bound {
    /// What a manifest binds its model to. The error says what this host cannot give it.
    pub fn of(manifest: &Manifest, served: &[SourceId]) -> Result<Self, String> {
        let source =
            |name: &str| SourceId::from_name(name).ok_or_else(|| format!("features: no source is named {name}"));
        let names = &manifest.sources;
        let sources = Sources {
            forecast: source(&names.forecast)?,
            report: source(&names.report)?,
            observation: source(&names.observation)?,
        };
        let names = |sources: Vec<SourceId>| sources.into_iter().map(SourceId::name).collect();
        let features: Vec<(&str, Vec<&str>)> =
            FEATURES.iter().map(|feature| (feature.name, names(sources.behind(feature)))).collect();
        let features: Vec<(&str, &[&str])> = features.iter().map(|(name, sources)| (*name, &sources[..])).collect();
        manifest.is_served_by(&features).map_err(|error| error.to_string())?;
        let mut used = Vec::new();
        for feature in &manifest.features {
            for name in &feature.source {
                let source = source(name)?;
                if !feature.optional && !served.contains(&source) {
                    return Err(format!("features: {} needs {name}, which this host does not ask", feature.name));
                }
                if !used.contains(&source) {
                    used.push(source);
                }
            }
        }
        Ok(Self { sources, used })
    }
}

/// What can be said about one city-day before a model is asked.
pub struct Served {
    /// Short name of the city, or the series where none is known.
    pub city: String,
    pub row: Result<Row, NoOpinion>,
    pub conditions: Conditions,
}

/// Features with their provenance.
pub struct Row {
    values: Vec<(&'static str, Vec<&'static str>, f32)>,
    /// When the newest value of all was published.
    pub issued: Timestamp,
    /// When the newest value of each source was published.
    pub published: Vec<(&'static str, Timestamp)>,
}

impl Row {
    pub fn given(&self) -> Vec<Given<'_>> {
        self.values.iter().map(|(name, sources, value)| Given { name, sources, value: *value }).collect()
    }
}

/// Features and conditions of the city-day that `markets` are about, for a model that is bound to what `bound` says of its
/// city; nothing where there is none.
pub fn serve<'a>(
    markets: &[&Market],
    sky: &Sky,
    bound: impl FnOnce(&str) -> Option<&'a Bound>,
    floor: Probability,
    at: Timestamp,
) -> Served {
    let series = markets.first().map_or("", |market| market.series.as_str());
    let Some(city) = City::from_series(series) else {
        let row = Err(NoOpinion::NoInputs(format!("no city is known for the series {series}")));
        return Served { city: series.to_owned(), row, conditions: Conditions { floor, ..Conditions::NONE } };
    };
    let date = day_of(city, markets, at);
    let name = city.code().to_owned();
    let row = match bound(&name) {
        None => Err(NoOpinion::NoModel(name.clone())),
        Some(bound) => row(city, date, at, sky, bound),
    };
    Served { city: name, row, conditions: conditions(city, date, at, sky.weather(city), floor) }
}

/// The climate day that markets are about: they close at its end, to the minute or one before it.
fn day_of(city: City, markets: &[&Market], at: Timestamp) -> Date {
    let closes = markets.iter().map(|market| market.closes).max().unwrap_or(at);
    city.day_at(closes.plus(-12 * 3_600 * SECOND))
}

/// Why a city-day must not be traded: the venue's rules or sources are not what the registry says of that day. Nothing where
/// they are, or where the venue was not heard yet.
pub fn stopped(markets: &[&Market], settlements: &BTreeMap<String, Settlement>, at: Timestamp) -> Option<String> {
    let market = markets.first()?;
    let said = settlements.get(&market.series)?;
    let rules = said.rules.get(&market.event)?;
    let date = day_of(City::from_series(&market.series)?, markets, at);
    let sources: Vec<(&str, &str)> = said.sources.iter().map(|one| (one.name.as_str(), one.url.as_str())).collect();
    let listed = Listed { series: &market.series, date, rules, sources: &sources };
    check_settlement(&listed).err().map(|stop| stop.to_string())
}

fn row(city: City, date: Date, at: Timestamp, sky: &Sky, bound: &Bound) -> Result<Row, NoOpinion> {
    let era = city.settlement_on(date);
    if !era.is_some_and(|era| era.verified) {
        let reason = format!("what {city} is settled on that day is not verified: it is shown, not traded");
        return Err(NoOpinion::NoInputs(reason));
    }
    // As soon as the day has begun, what the station shows counts as well.
    let shows = (at >= city.day_begins(date)).then_some(bound.sources.observation);
    let counted: Vec<SourceId> = bound.used.iter().copied().chain(shows).collect();
    if let Some(silence) = counted.iter().find_map(|source| sky.silence(*source, city)) {
        return Err(NoOpinion::NoInputs(silence));
    }
    let row = features(city, date, at, sky.weather(city), bound.sources);
    let row = row.map_err(|reason| NoOpinion::NoInputs(reason.to_string()))?;
    let names = |sources: Vec<SourceId>| sources.into_iter().map(SourceId::name).collect();
    let values = row.with_sources().map(|(name, value, sources)| (name, names(sources), value)).collect();
    let newest = |source: &SourceId| Some((source.name(), newest(city, *source, at, sky.weather(city))?));
    Ok(Row { values, issued: row.issued(), published: counted.iter().filter_map(newest).collect() })
}

/// When the newest value that a source gave of a city was published.
fn newest(city: City, source: SourceId, at: Timestamp, weather: &Weather) -> Option<Timestamp> {
    let observations = weather.observations.iter().map(|value| (value.city, value.source, value.stamps));
    let forecasts = weather.forecasts.iter().map(|value| (value.city, value.source, value.stamps));
    let reports = weather.reports.iter().map(|value| (value.city, value.source, value.stamps));
    let all = observations.chain(forecasts).chain(reports);
    let of_source = all.filter(|(of, from, stamps)| *of == city && *from == source && stamps.received <= at);
    of_source.map(|(.., stamps)| stamps.published).max()
}

/// What the day has shown: the observation that rules out most, and the official final high.
///
/// An intermediate report of whoever decides is a maximum so far as well, and exact.
fn conditions(city: City, date: Date, at: Timestamp, weather: &Weather, floor: Probability) -> Conditions {
    let begins = city.day_begins(date);
    let ends = city.day_begins(date.saturating_add(1.day()));
    let known = |stamps: &Stamps| stamps.received <= at;
    let station = weather.observations.iter().filter_map(|seen| {
        let of_day = seen.city == city && (begins..ends).contains(&seen.stamps.event) && known(&seen.stamps);
        let degrees = seen.temperature_f.filter(|degrees| of_day && degrees.is_finite())?;
        let bound = city.observation_error_f(seen.source).filter(|_| seen.quality == Quality::Good)?;
        Some(observed(seen.source, degrees, bound))
    });
    let decides = city.settlement_on(date).is_some_and(|era| era.source == SettlementSource::NwsClimateReport);
    let reports = || {
        weather.reports.iter().filter(|report| {
            let of_day = report.city == city && report.date == date && known(&report.stamps);
            of_day && decides && report.source == SourceId::NwsClimateReport && report.high_f.is_finite()
        })
    };
    let intermediate =
        reports().filter(|report| !report.is_final).map(|report| observed(report.source, report.high_f, 0.0));
    let official = reports().filter(|report| report.is_final).max_by_key(|report| report.stamps);
    Conditions {
        observed: station.chain(intermediate).max_by_key(|seen| seen.maximum.saturating_sub(seen.bound)),
        official: official.map(|report| thousandths(report.high_f.round()) / 1_000),
        floor,
    }
}

fn observed(source: SourceId, degrees: f64, bound: f64) -> Observed {
    // Rounded so that nothing is ruled out that the exact numbers would not.
    let (maximum, bound) = (thousandths((degrees * 1e3).floor() / 1e3), thousandths((bound * 1e3).ceil() / 1e3));
    Observed { source: source.name().to_owned(), maximum, bound }
}

#[expect(clippy::cast_possible_truncation, reason = "a float that is too large becomes the largest integer")]
fn thousandths(degrees: f64) -> i32 {
    (degrees * 1e3).round() as i32
}

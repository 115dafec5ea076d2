//! The narrow interface that all sources of weather stand behind: ask, and get what is known now or an error.
//!
//! It owns when a value was first received: one that a source repeats keeps the time at which it was told first, so a
//! value's age is true. It refuses to remember for a source that is down: whoever does not answer says nothing, and what
//! it said before is not said again.

mod climate_reports;
mod database;
mod grid;
mod observations;
mod open_meteo;
mod simulated;
mod visual_crossing;

pub use climate_reports::ClimateReports;
pub use database::{Database, FORECASTS_SQL, OBSERVATIONS_SQL, Queries};
pub use grid::Grid;
pub use observations::Observations;
pub use open_meteo::{MODELS as OPEN_METEO_MODELS, OpenMeteo};
pub use simulated::Simulated;
pub use visual_crossing::VisualCrossing;

use crate::quality::Dropped;
use crate::transport::Now;
use crate::{City, Error, SourceId, Stamps, Weather};
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// What a source knows now.
#[derive(Debug, Default)]
pub struct Answer {
    /// The values. Each says when it was received first; how old is too old is for the reader to judge.
    pub weather: Weather,
    /// Values that were refused, because they cannot be or are of no city, day or unit of ours.
    pub dropped: Dropped,
    /// Cities that the source could not be asked about now. Nothing is said about them.
    pub missing: Vec<(City, Error)>,
}

impl Answer {
    /// Takes the outcome for one city.
    fn take(&mut self, city: City, outcome: Result<(Weather, Dropped), Error>) {
        match outcome {
            Ok((weather, dropped)) => {
                self.weather.extend(weather);
                self.dropped.0 += dropped.0;
            }
            Err(error) => self.missing.push((city, error)),
        }
    }

    /// An error where nothing at all was answered.
    fn or_error(mut self) -> Result<Self, Error> {
        let silent = self.weather == Weather::default() && self.dropped == Dropped::default();
        match self.missing.pop() {
            Some((_, error)) if silent => Err(error),
            Some(last) => {
                self.missing.push(last);
                Ok(self)
            }
            None => Ok(self),
        }
    }
}

/// A source of weather. One of these is asked by one task; several stand side by side.
#[derive(Debug)]
pub enum Provider {
    /// Station observations of the National Weather Service.
    Observations(Remembering<Observations>),
    /// Gridpoint forecasts of the National Weather Service.
    Grid(Remembering<Grid>),
    /// Daily climate reports of the National Weather Service.
    ClimateReports(Remembering<ClimateReports>),
    /// Open-Meteo's forecasts.
    OpenMeteo(Remembering<OpenMeteo>),
    /// Visual Crossing's timeline.
    VisualCrossing(Remembering<VisualCrossing>),
    /// A database with the guide's tables.
    Database(Box<Database>),
    /// The simulated exchange's own rows.
    Simulated(Simulated),
    /// What was read from files: a value is told once the run's clock has reached the time it was received.
    Recorded(Weather),
}

impl Provider {
    /// Asks the source. `now` is the clock of the run; it is read after an answer has arrived.
    ///
    /// # Errors
    /// Where the source says nothing at all. It then has no opinion, and no older one of it may be used.
    pub async fn fetch(&mut self, now: Now<'_>) -> Result<Answer, Error> {
        match self {
            Self::Observations(source) => {
                let answer = source.inner.fetch(now).await?;
                Ok(source.remember(answer))
            }
            Self::Grid(source) => {
                let answer = source.inner.fetch(now).await?;
                Ok(source.remember(answer))
            }
            Self::ClimateReports(source) => {
                let answer = source.inner.fetch(now).await?;
                Ok(source.remember(answer))
            }
            Self::OpenMeteo(source) => {
                let answer = source.inner.fetch(now).await?;
                Ok(source.remember(answer))
            }
            Self::VisualCrossing(source) => {
                let answer = source.inner.fetch(now).await?;
                Ok(source.remember(answer))
            }
            Self::Database(source) => source.fetch(now).await,
            Self::Simulated(source) => source.fetch().await,
            Self::Recorded(weather) => Ok(Answer { weather: weather.until(now()), ..Answer::default() }),
        }
    }

    /// For people: which source this is.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Observations(_) => "NWS observations",
            Self::Grid(_) => "NWS gridpoint forecasts",
            Self::ClimateReports(_) => "NWS climate reports",
            Self::OpenMeteo(_) => "Open-Meteo",
            Self::VisualCrossing(_) => "Visual Crossing",
            Self::Database(_) => "database",
            Self::Simulated(_) => "simulation",
            Self::Recorded(_) => "recording",
        }
    }
}

impl From<Observations> for Provider {
    fn from(source: Observations) -> Self {
        Self::Observations(Remembering::new(source))
    }
}

impl From<Grid> for Provider {
    fn from(source: Grid) -> Self {
        Self::Grid(Remembering::new(source))
    }
}

impl From<ClimateReports> for Provider {
    fn from(source: ClimateReports) -> Self {
        Self::ClimateReports(Remembering::new(source))
    }
}

impl From<OpenMeteo> for Provider {
    fn from(source: OpenMeteo) -> Self {
        Self::OpenMeteo(Remembering::new(source))
    }
}

impl From<VisualCrossing> for Provider {
    fn from(source: VisualCrossing) -> Self {
        Self::VisualCrossing(Remembering::new(source))
    }
}

impl Weather {
    /// What had been received at `now`.
    pub fn until(&self, now: Timestamp) -> Self {
        let known = |stamps: &Stamps| stamps.received <= now;
        Self {
            observations: self.observations.iter().filter(|value| known(&value.stamps)).cloned().collect(),
            forecasts: self.forecasts.iter().filter(|value| known(&value.stamps)).cloned().collect(),
            reports: self.reports.iter().filter(|value| known(&value.stamps)).cloned().collect(),
        }
    }
}

/// What a value says, without its times of publication and receipt. Degrees as bits: two floats are the same value or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Observed(City, SourceId, Timestamp, [Option<u64>; 5]),
    Forecast(City, Date, String, SourceId, u64),
    Reported(City, Date, SourceId, bool, u64),
}

impl Said {
    const fn city(&self) -> City {
        match self {
            Self::Observed(city, ..) | Self::Forecast(city, ..) | Self::Reported(city, ..) => *city,
        }
    }
}

/// A source together with when it first said what it says.
#[derive(Debug)]
pub struct Remembering<S> {
    inner: S,
    first: BTreeMap<Said, Timestamp>,
}

impl<S> Remembering<S> {
    const fn new(inner: S) -> Self {
        Self { inner, first: BTreeMap::new() }
    }

    /// Gives every value the time of its first receipt, and forgets values that the source no longer tells. Of a city that
    /// could not be asked about nothing is forgotten: what it repeats afterwards is no younger for the gap.
    fn remember(&mut self, mut answer: Answer) -> Answer {
        let before = std::mem::take(&mut self.first);
        let mut stamp = |said: Said, stamps: &mut Stamps| {
            let first = before.get(&said).copied().unwrap_or(stamps.received).min(stamps.received);
            // A source that does not say when it published has published when we heard it.
            if stamps.published == stamps.received {
                stamps.published = first;
            }
            stamps.received = first;
            self.first.insert(said, first);
        };
        for value in &mut answer.weather.observations {
            let parts = [value.temperature_f, value.humidity_pct, value.pressure_hpa, value.wind_mph, value.cloud_pct];
            let parts = parts.map(|part| part.map(f64::to_bits));
            stamp(Said::Observed(value.city, value.source, value.stamps.event, parts), &mut value.stamps);
        }
        for value in &mut answer.weather.forecasts {
            let bits = value.high_f.to_bits();
            let said = Said::Forecast(value.city, value.date, value.model.clone(), value.source, bits);
            stamp(said, &mut value.stamps);
        }
        for value in &mut answer.weather.reports {
            let said = Said::Reported(value.city, value.date, value.source, value.is_final, value.high_f.to_bits());
            stamp(said, &mut value.stamps);
        }
        let silent: Vec<City> = answer.missing.iter().map(|(city, _)| *city).collect();
        self.first.extend(before.into_iter().filter(|(said, _)| silent.contains(&said.city())));
        answer
    }
}

/// A time of RFC 3339 as a moment.
fn moment(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

/// Seconds since 1970 as a moment.
fn seconds(unix: i64) -> Option<Timestamp> {
    unix.checked_mul(isobar_engine::units::SECOND).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HighForecast;
    use jiff::civil::date;

    fn forecast(high_f: f64, received: i64) -> Answer {
        let city = City::from_code("CHI").expect("a city");
        let (date, at) = (date(2026, 7, 1), Timestamp(received));
        let stamps = Stamps { event: city.day_begins(date), published: at, received: at };
        let model = "gfs".to_owned();
        let forecasts = vec![HighForecast { city, date, model, source: SourceId::OpenMeteo, stamps, high_f }];
        Answer { weather: Weather { forecasts, ..Weather::default() }, ..Answer::default() }
    }

    #[test]
    fn a_value_keeps_the_time_it_was_told_first_and_a_new_one_has_its_own() {
        let mut source = Remembering::new(());
        let mut told = |high, at| source.remember(forecast(high, at)).weather.forecasts[0].stamps;
        assert_eq!(told(88.0, 100).received, Timestamp(100));
        let again = told(88.0, 200);
        assert_eq!((again.received, again.published), (Timestamp(100), Timestamp(100)));
        assert_eq!(told(89.0, 300).received, Timestamp(300));
        assert_eq!(told(88.0, 400).received, Timestamp(400), "it was withdrawn in between");
    }

    #[test]
    fn a_value_is_no_younger_for_a_gap_in_between() {
        let mut source = Remembering::new(());
        source.remember(forecast(88.0, 100));
        let city = City::from_code("CHI").expect("a city");
        let gone = Error::Unavailable { url: String::new(), last: String::new() };
        source.remember(Answer { missing: vec![(city, gone)], ..Answer::default() });
        assert_eq!(source.remember(forecast(88.0, 300)).weather.forecasts[0].stamps.received, Timestamp(100));
    }

    #[tokio::test]
    async fn a_recording_tells_nothing_before_its_time() {
        let mut recorded = Provider::Recorded(forecast(88.0, 100).weather);
        let mut told = async |at: i64| {
            let now = move || Timestamp(at);
            recorded.fetch(&now).await.expect("a recording is always there").weather.forecasts.len()
        };
        assert_eq!((told(99).await, told(100).await), (0, 1));
    }
}

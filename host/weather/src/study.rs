//! The recordings that models are trained and judged by, as values of their sources.
//!
//! It owns what each recording is: whose values they are and when they were known. It refuses same-day analyses (`era_*`,
//! the hourly grid), which nobody had on the day. Serving reads none of this.

use crate::day::plausible;
use crate::recorded::{open, read_recorded};
use crate::{City, Error, HighForecast, Observation, Quality, ReportedHigh, SourceId, Sources, Stamps, Weather};
use isobar_engine::units::{SECOND, Timestamp};
use jiff::{ToSpan, civil::Date};
use serde::Deserialize;
use std::path::Path;

/// One of the recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Six cities from 2022 to February 2026: forecasts of several models with a lead of nearly zero, official highs.
    Daily,
    /// Five cities, October 2025 to February 2026: one forecast, one and two days ahead, with the time at which it was
    /// known; official highs.
    Lead,
    /// July and August 2026: one forecast, fetched the evening before, and station temperatures about once an hour. The
    /// highest logged temperature, rounded, stands for the reported high, which was not recorded: it lies up to 3 °F
    /// below it.
    Live,
}

impl Recording {
    /// Whose values the recording holds.
    pub const fn sources(self) -> Sources {
        match self {
            Self::Daily => Sources::TRAINED,
            Self::Lead => Sources { forecast: SourceId::RecordedLead, ..Sources::TRAINED },
            Self::Live => Sources {
                forecast: SourceId::RecordedLive,
                report: SourceId::RecordedLive,
                observation: SourceId::RecordedLive,
            },
        }
    }

    /// Reads it from `data`, the folder that holds `weather` and `weather_live_2026-07`.
    ///
    /// # Errors
    /// [`Error::File`] where a file cannot be read, [`Error::Invalid`] where it is not what it should be.
    pub fn read(self, data: &Path) -> Result<Weather, Error> {
        match self {
            Self::Daily => {
                let mut weather = Weather::default();
                for name in ["daily_highs_and_forecasts", "daily_highs_and_forecasts_2025-10_2026-02"] {
                    weather.extend(read_recorded(&data.join(format!("weather/{name}.csv.zst")))?.into_iter().collect());
                }
                Ok(weather)
            }
            Self::Lead => lead(&data.join("weather")),
            Self::Live => live(&data.join("weather_live_2026-07")),
        }
    }
}

#[derive(Deserialize)]
struct LeadRow {
    event_ticker: String,
    date: String,
    known_from_epoch_s: i64,
    forecast_high_f: Option<f64>,
}

#[derive(Deserialize)]
struct OfficialRow {
    station: String,
    date: String,
    max_f: Option<f64>,
}

#[derive(Deserialize)]
struct LiveForecastRow {
    forecast_date: String,
    station: String,
    forecast_high_f: String,
    fetched_utc: String,
}

#[derive(Deserialize)]
struct LogRow {
    utc_time: String,
    station: String,
    temp_f: Option<f64>,
    obs_time_utc: Option<String>,
}

#[derive(Deserialize)]
struct LiveHighRow {
    date: String,
    station: String,
    high_f: Option<f64>,
}

fn lead(folder: &Path) -> Result<Weather, Error> {
    let mut weather = Weather::default();
    rows(&folder.join("forecast_high_by_lead.csv.zst"), |row: LeadRow| {
        let series = row.event_ticker.split('-').next().unwrap_or_default();
        let (Some(city), Some(high_f)) = (City::from_series(series), degrees(row.forecast_high_f)?) else {
            return Ok(());
        };
        let known = Timestamp(row.known_from_epoch_s.saturating_mul(SECOND));
        weather.forecasts.push(blend(city, day(&row.date)?, SourceId::RecordedLead, known, high_f));
        Ok(())
    })?;
    // The days around the first of October come from both files; the same high twice does no harm.
    for name in ["acis_daily_highs_18_cities.csv.zst", "acis_daily_highs_18_cities_2025-10_2026-02.csv.zst"] {
        rows(&folder.join(name), |row: OfficialRow| {
            if let (Some(city), Some(high_f)) = (City::from_station(&row.station), degrees(row.max_f)?) {
                weather.reports.push(report(city, day(&row.date)?, SourceId::NwsClimateReport, high_f)?);
            }
            Ok(())
        })?;
    }
    Ok(weather)
}

fn live(folder: &Path) -> Result<Weather, Error> {
    let mut weather = Weather::default();
    rows(&folder.join("forecasts.csv.zst"), |row: LiveForecastRow| {
        // What could not be fetched stands there as a word.
        let Ok(value) = row.forecast_high_f.parse() else { return Ok(()) };
        if let (Some(city), Some(high_f)) = (City::from_station(&row.station), degrees(Some(value))?) {
            let (date, fetched) = (day(&row.forecast_date)?, time(&row.fetched_utc)?);
            weather.forecasts.push(blend(city, date, SourceId::RecordedLive, fetched, high_f));
        }
        Ok(())
    })?;
    rows(&folder.join("temps_log.csv.zst"), |row: LogRow| {
        let (Some(city), Some(value)) = (City::from_station(&row.station), degrees(row.temp_f)?) else { return Ok(()) };
        let received = time(&row.utc_time)?;
        // Before August the log does not say when the station measured.
        let event = row.obs_time_utc.filter(|text| !text.is_empty()).map_or(Ok(received), |text| time(&text))?;
        weather.observations.push(Observation {
            city,
            source: SourceId::RecordedLive,
            stamps: Stamps { event, published: event, received },
            temperature_f: Some(value),
            humidity_pct: None,
            pressure_hpa: None,
            wind_mph: None,
            cloud_pct: None,
            quality: Quality::Good,
        });
        Ok(())
    })?;
    rows(&folder.join("daily_highs.csv.zst"), |row: LiveHighRow| {
        if let (Some(city), Some(value)) = (City::from_station(&row.station), degrees(row.high_f)?) {
            weather.reports.push(report(city, day(&row.date)?, SourceId::RecordedLive, (value + 0.5).floor())?);
        }
        Ok(())
    })?;
    Ok(weather)
}

fn blend(city: City, date: Date, source: SourceId, known: Timestamp, high_f: f64) -> HighForecast {
    let stamps = Stamps { event: city.day_begins(date), published: known, received: known };
    HighForecast { city, date, model: "blend".to_owned(), source, stamps, high_f }
}

/// A final high; it is taken as known six hours after its day, when climate reports are out.
fn report(city: City, date: Date, source: SourceId, high_f: f64) -> Result<ReportedHigh, String> {
    let tomorrow = date.checked_add(1.day()).map_err(|e| e.to_string())?;
    let known = city.day_begins(tomorrow).plus(6 * 3_600 * SECOND);
    let stamps = Stamps { event: city.day_begins(date), published: known, received: known };
    Ok(ReportedHigh { city, date, source, stamps, high_f, is_final: true })
}

fn degrees(value: Option<f64>) -> Result<Option<f64>, String> {
    match value {
        Some(wrong) if !plausible(wrong) => Err(format!("{wrong} is no temperature")),
        other => Ok(other),
    }
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|e| format!("{text:?}: {e}"))
}

fn time(text: &str) -> Result<Timestamp, String> {
    let at: jiff::Timestamp = text.parse().map_err(|e| format!("{text:?}: {e}"))?;
    i64::try_from(at.as_nanosecond()).map(Timestamp).map_err(|_| format!("{at} is out of range"))
}

/// Hands every row of a table to `take`.
fn rows<T: for<'a> Deserialize<'a>>(path: &Path, mut take: impl FnMut(T) -> Result<(), String>) -> Result<(), Error> {
    let wrong = |line: usize, reason: String| Error::Invalid {
        origin: path.display().to_string(),
        reason: format!("row {line}: {reason}"),
    };
    for (at, row) in csv::Reader::from_reader(open(path)?).deserialize().enumerate() {
        let row = row.map_err(|e| wrong(at + 1, e.to_string()))?;
        take(row).map_err(|reason| wrong(at + 1, reason))?;
    }
    Ok(())
}

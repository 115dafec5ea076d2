//! What a source says: observations, forecast highs and reported highs, each with its source and its three times.
//!
//! It owns the shapes that every source produces and that [`crate::features`] reads. It refuses a value without a source
//! or without times: what cannot say when it was known can be used for nothing.

use crate::City;
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use std::fmt;

/// Who said it. A model trained on the values of one source may be asked with the values of that source only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceId {
    /// Station observations of the National Weather Service, `api.weather.gov/stations/*/observations`.
    NwsObservation,
    /// Gridpoint forecasts of the National Weather Service, `api.weather.gov/gridpoints/*`.
    NwsGridpoint,
    /// Daily climate reports (CLI), what the venue settled on until 2026-08-14.
    NwsClimateReport,
    /// Open-Meteo's forecasts, by numerical model. Its historical forecasts, which models are trained on, count as the
    /// same source: same models, same grid, but a lead of nearly zero, which every bundle states.
    OpenMeteo,
    /// Visual Crossing's timeline.
    VisualCrossing,
    /// A database with the guide's tables.
    Database,
    /// Recorded forecasts whose lead of one or two days is known.
    RecordedLead,
    /// A recorded live log: station temperatures and ensemble forecasts as they were fetched.
    RecordedLive,
    /// Hourly analysis of a grid point (ERA5). It is made days later, so it is never a feature of a day that is traded.
    Era5,
    /// The simulated exchange's own weather.
    Simulated,
}

impl SourceId {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NwsObservation,
        Self::NwsGridpoint,
        Self::NwsClimateReport,
        Self::OpenMeteo,
        Self::VisualCrossing,
        Self::Database,
        Self::RecordedLead,
        Self::RecordedLive,
        Self::Era5,
        Self::Simulated,
    ];

    /// The name in manifests and files, for example `open_meteo`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NwsObservation => "nws_observation",
            Self::NwsGridpoint => "nws_gridpoint",
            Self::NwsClimateReport => "nws_climate_report",
            Self::OpenMeteo => "open_meteo",
            Self::VisualCrossing => "visual_crossing",
            Self::Database => "database",
            Self::RecordedLead => "recorded_lead",
            Self::RecordedLive => "recorded_live",
            Self::Era5 => "era5",
            Self::Simulated => "simulated",
        }
    }

    /// The source of a name such as `open_meteo`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// The name.
impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The three times of a value, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamps {
    /// What the value is about: the moment of an observation, the start of the climate day of a high.
    pub event: Timestamp,
    /// When its maker published it, as far as the source says; else when it was received.
    pub published: Timestamp,
    /// When we had it. A value counts from then on, whatever the other two say.
    pub received: Timestamp,
}

/// What a source thinks of an observation. Only [`Self::Good`] ones become features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Passed the checks of the source and ours.
    Good,
    /// The source says that it has not checked it.
    Unchecked,
    /// The source or a check of ours doubts it: out of range, or a jump that no station makes.
    Suspect,
}

/// A station's weather at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The city whose station it is.
    pub city: City,
    /// Who said it.
    pub source: SourceId,
    /// Its times; `event` is the moment of the observation.
    pub stamps: Stamps,
    /// Air temperature, °F.
    pub temperature_f: Option<f64>,
    /// Relative humidity, 0 to 100.
    pub humidity_pct: Option<f64>,
    /// Pressure reduced to sea level, hPa.
    pub pressure_hpa: Option<f64>,
    /// Mean wind speed, miles an hour.
    pub wind_mph: Option<f64>,
    /// Cloud cover, 0 to 100.
    pub cloud_pct: Option<f64>,
    /// How far it is to be trusted.
    pub quality: Quality,
}

/// A forecast of the high of one climate day.
#[derive(Clone, Debug, PartialEq)]
pub struct HighForecast {
    /// The city.
    pub city: City,
    /// The climate day that it is about.
    pub date: Date,
    /// Which model made it, in lower case: `gfs`, `icon`, `blend`, …
    pub model: String,
    /// Who said it.
    pub source: SourceId,
    /// Its times; `event` is when the climate day begins.
    pub stamps: Stamps,
    /// The forecast high, °F.
    pub high_f: f64,
}

/// A high that a source reports for one climate day.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedHigh {
    /// The city.
    pub city: City,
    /// The climate day.
    pub date: Date,
    /// Who said it.
    pub source: SourceId,
    /// Its times; `event` is when the climate day begins.
    pub stamps: Stamps,
    /// The high, °F.
    pub high_f: f64,
    /// Whether the day was over when it was made. An intermediate report is a bound, not the outcome.
    pub is_final: bool,
}

/// All that is known, of any cities and days, in any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weather {
    /// Station observations.
    pub observations: Vec<Observation>,
    /// Forecast highs.
    pub forecasts: Vec<HighForecast>,
    /// Reported highs.
    pub reports: Vec<ReportedHigh>,
}

impl Weather {
    /// Takes what another source knows.
    pub fn extend(&mut self, other: Self) {
        self.observations.extend(other.observations);
        self.forecasts.extend(other.forecasts);
        self.reports.extend(other.reports);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sources_are_their_own() {
        for source in SourceId::ALL {
            assert_eq!(SourceId::from_name(source.name()), Some(source));
        }
        assert_eq!(SourceId::from_name("hearsay"), None);
    }
}

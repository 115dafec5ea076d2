//! Observations and forecasts from their sources, and the features that are made of them.
//!
//! It owns what was known when: every value carries the time at which it was published, and [`features`] uses a value
//! only after that. It refuses to interpret a forecast as a trade, and to know any model. Floating point is allowed
//! here: this is before the wall.
#![forbid(unsafe_code)]

mod city;
mod climate_report;
mod config;
mod day;
mod features;
mod http;
mod provider;
mod quality;
mod recorded;
mod registry;
mod secret;
mod settlement;
mod study;
mod transport;
mod value;

pub use city::City;
pub use climate_report::{ClimateReport, NoReport};
pub use config::{SourceConfig, SourceKind};
pub use day::DailyWeather;
pub use features::{FEATURES, Feature, FeatureRow, History, MODELS, Need, NoFeatures, Sources, features};
pub use http::Source;
pub use provider::{
    Answer, ClimateReports, Database, FORECASTS_SQL, Grid, OBSERVATIONS_SQL, OPEN_METEO_MODELS, Observations,
    OpenMeteo, Provider, Queries, Remembering, Simulated, VisualCrossing,
};
pub use quality::Dropped;
pub use recorded::read_recorded;
pub use registry::{Era, Registry, RegistryError, SettlementSource};
pub use secret::Secret;
pub use settlement::{Listed, Stop, check as check_settlement};
pub use study::Recording;
pub use transport::{Now, Patience, client};
pub use value::{HighForecast, Observation, Quality, ReportedHigh, SourceId, Stamps, Weather};

use std::path::PathBuf;

/// Why weather could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source did not answer in time; ask again later.
    #[error("{url} gave no weather within the deadline; last: {last}")]
    Unavailable {
        /// What was asked.
        url: String,
        /// What the last try met.
        last: String,
    },
    /// The source answered with something that asking again will not change.
    #[error("{origin}: {reason}")]
    Invalid {
        /// Address or file.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A recording cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

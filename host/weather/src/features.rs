//! The features of a city-day as of one moment: the only place where they are made, for training and for trading.
//!
//! It owns their names, units and meaning ([`FEATURES`]) and the rule of what may be seen: values of the bound sources
//! that were received before now, of the day itself only forecasts and observations, of days before also final reports.
//! It refuses a row where nothing is forecast. What is not there, or not yet, is NaN.

mod catalogue;
mod history;
mod today;

pub use catalogue::{FEATURES, Feature, Need};
pub use history::{History, MODELS};

use crate::{City, SourceId, Weather};
use isobar_engine::units::Timestamp;
use jiff::civil::Date;

/// Whose values features are made of. A model is bound to the sources that it was trained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Of forecast highs.
    pub forecast: SourceId,
    /// Of final highs.
    pub report: SourceId,
    /// Of station observations.
    pub observation: SourceId,
}

impl Sources {
    /// The sources that the six cities' bundles are trained for.
    pub const TRAINED: Self = Self {
        forecast: SourceId::OpenMeteo,
        report: SourceId::NwsClimateReport,
        observation: SourceId::NwsObservation,
    };

    /// The source behind a need.
    pub const fn of(self, need: Need) -> SourceId {
        match need {
            Need::Forecast => self.forecast,
            Need::Report => self.report,
            Need::Observation => self.observation,
        }
    }

    /// The sources that a feature is made of, each once; none for the calendar.
    pub fn behind(self, feature: &Feature) -> Vec<SourceId> {
        let mut behind: Vec<SourceId> = feature.needs.iter().map(|need| self.of(*need)).collect();
        behind.sort_unstable();
        behind.dedup();
        behind
    }
}

/// The features of one city-day as of one moment.
#[derive(Clone, Debug)]
pub struct FeatureRow {
    /// The city.
    pub city: City,
    /// The day that is forecast.
    pub date: Date,
    /// When the newest forecast, report and observation in use were published, in this order.
    pub published: [Option<Timestamp>; 3],
    /// Whose values these are.
    pub sources: Sources,
    /// Name and value in the order of [`FEATURES`]; NaN where a value is missing.
    pub values: Vec<(&'static str, f32)>,
}

impl FeatureRow {
    /// When the newest value in use was published.
    pub fn issued(&self) -> Timestamp {
        self.published.iter().flatten().copied().max().expect("a row has at least one forecast")
    }

    /// Name, value, and the sources that the value is made of, in the order of [`FEATURES`].
    pub fn with_sources(&self) -> impl Iterator<Item = (&'static str, f32, Vec<SourceId>)> {
        self.values.iter().zip(FEATURES).map(|((name, value), feature)| (*name, *value, self.sources.behind(feature)))
    }
}

/// Why there is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFeatures {
    /// None of [`MODELS`] had a forecast of the day.
    #[error("no forecast of {date} for {city} from {from} was received yet")]
    NoForecast {
        /// The city.
        city: City,
        /// The day.
        date: Date,
        /// The source that was looked at.
        from: SourceId,
    },
}

/// The features of `date` in `city` at `now`, from what `weather` holds of `sources`.
///
/// For many rows of one city make a [`History`] once.
///
/// # Errors
/// [`NoFeatures`] where no forecast of the day is known.
pub fn features(
    city: City,
    date: Date,
    now: Timestamp,
    weather: &Weather,
    sources: Sources,
) -> Result<FeatureRow, NoFeatures> {
    History::new(city, weather, sources).features(date, now)
}

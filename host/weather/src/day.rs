//! One publication of what is known about one day of one city.

use crate::City;
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// What one publication says about one day of one city. A day may have several, as forecasts are renewed.
#[derive(Clone, Debug, PartialEq)]
pub struct DailyWeather {
    /// The city.
    pub city: City,
    /// The climate day that the values are about.
    pub date: Date,
    /// Forecast high by model, °F. Models are named as in the recordings without `fcst_`: `gfs`, `icon`, …
    pub forecast_high_f: BTreeMap<String, f64>,
    /// When the forecasts were published.
    pub published: Timestamp,
    /// Official high of the settlement station with the time at which it was published, °F.
    pub observed_high_f: Option<(f64, Timestamp)>,
}

/// Beyond every high that was ever measured: a value outside is a fault of the source.
pub(crate) fn plausible(degrees: f64) -> bool {
    (-100.0..=150.0).contains(&degrees)
}

//! One publication of what is known about one day of one city.

use crate::{City, HighForecast, ReportedHigh, SourceId, Stamps, Weather};
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

/// Rows of days as values: forecasts are Open-Meteo's and highs those of the climate reports, which is what recorded
/// files hold and what the simulated exchange imitates.
impl FromIterator<DailyWeather> for Weather {
    fn from_iter<I: IntoIterator<Item = DailyWeather>>(days: I) -> Self {
        let mut weather = Self::default();
        for day in days {
            let (city, date) = (day.city, day.date);
            let stamps = |at| Stamps { event: city.day_begins(date), published: at, received: at };
            weather.forecasts.extend(day.forecast_high_f.into_iter().map(|(model, high_f)| HighForecast {
                city,
                date,
                model,
                source: SourceId::OpenMeteo,
                stamps: stamps(day.published),
                high_f,
            }));
            weather.reports.extend(day.observed_high_f.map(|(high_f, at)| ReportedHigh {
                city,
                date,
                source: SourceId::NwsClimateReport,
                stamps: stamps(at),
                high_f,
                is_final: true,
            }));
        }
        weather
    }
}

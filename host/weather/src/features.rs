//! The features of a city-day, from what was published before now. The same rule as models/features.py.
//!
//! Of the day itself only its forecasts count; of days before, forecasts and observed highs. What is not there, or not
//! yet, is NaN, and the models were trained with such rows. Only a day without any forecast has no row.

use crate::{City, DailyWeather};
use isobar_engine::units::Timestamp;
use jiff::{ToSpan, civil::Date};

/// The forecast models that features are made of. Others may be published; they are not looked at.
pub const MODELS: [&str; 4] = ["gfs", "ecmwf_ifs025", "icon", "gem"];

/// Names of the features in the order of [`FeatureRow::values`], as the models' manifests spell them.
pub const NAMES: [&str; 11] = [
    "fcst_gfs",
    "fcst_ecmwf_ifs025",
    "fcst_icon",
    "fcst_gem",
    "fcst_spread",
    "high_lag_1",
    "error_lag_1",
    "error_lag_2",
    "error_lag_3",
    "season_sin",
    "season_cos",
];

/// The features of one city-day as of one moment.
#[derive(Clone, Debug)]
pub struct FeatureRow {
    /// The city.
    pub city: City,
    /// The day that is forecast.
    pub date: Date,
    /// When the newest value in use was published.
    pub issued: Timestamp,
    /// Name and value: °F, or plain numbers for the season. NaN where a value is missing.
    pub values: [(&'static str, f32); 11],
}

/// Why there is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFeatures {
    /// None of [`MODELS`] had published a forecast of the day.
    #[error("no forecast of {date} for {city} was published yet")]
    NoForecast {
        /// The city.
        city: City,
        /// The day.
        date: Date,
    },
}

/// What was known about one city at one moment.
struct Known<'a> {
    city: City,
    now: Timestamp,
    rows: &'a [DailyWeather],
    /// When the newest value that was asked for was published.
    issued: Timestamp,
}

impl Known<'_> {
    /// The newest forecast of a model for a day.
    fn forecast(&mut self, date: Date, model: &str) -> f64 {
        let (city, now) = (self.city, self.now);
        let published = self.rows.iter().filter(|row| row.city == city && row.date == date && row.published < now);
        let found = published.filter_map(|row| Some((*row.forecast_high_f.get(model)?, row.published)));
        self.newest(found.max_by_key(|(_, at)| *at))
    }

    /// The newest observed high of a day.
    fn observed(&mut self, date: Date) -> f64 {
        let (city, now) = (self.city, self.now);
        let of_day = self.rows.iter().filter(|row| row.city == city && row.date == date);
        let found = of_day.filter_map(|row| row.observed_high_f).filter(|(_, at)| *at < now);
        self.newest(found.max_by_key(|(_, at)| *at))
    }

    fn newest(&mut self, found: Option<(f64, Timestamp)>) -> f64 {
        let Some((value, at)) = found else { return f64::NAN };
        self.issued = self.issued.max(at);
        value
    }
}

/// The features of `date` in `city`, from the values among `rows` that were published before `now`.
///
/// Nothing dated on or after `date` is used, except the forecasts of `date` itself.
///
/// # Errors
/// [`NoFeatures`] where no forecast of the day is known.
#[expect(clippy::cast_possible_truncation, reason = "models take single precision")]
pub fn features(city: City, date: Date, now: Timestamp, rows: &[DailyWeather]) -> Result<FeatureRow, NoFeatures> {
    let mut known = Known { city, now, rows, issued: Timestamp(i64::MIN) };
    let forecasts = MODELS.map(|model| known.forecast(date, model));
    let present = || forecasts.iter().copied().filter(|value| !value.is_nan());
    if present().next().is_none() {
        return Err(NoFeatures::NoForecast { city, date });
    }
    let highest = present().fold(f64::NEG_INFINITY, f64::max);
    let lowest = present().fold(f64::INFINITY, f64::min);
    let spread = if present().count() > 1 { highest - lowest } else { f64::NAN };
    let before = |days: i32| date.checked_sub(days.days()).expect("a day of a market has days before it");
    let high = known.observed(before(1));
    let errors = [1, 2, 3].map(|lag| known.observed(before(lag)) - known.forecast(before(lag), "gfs"));
    let angle = 2.0 * std::f64::consts::PI * f64::from(date.day_of_year()) / 365.25;

    let values = forecasts.into_iter().chain([spread, high]).chain(errors).chain([angle.sin(), angle.cos()]);
    let mut named = NAMES.map(|name| (name, f32::NAN));
    for (slot, value) in named.iter_mut().zip(values) {
        slot.1 = value as f32;
    }
    Ok(FeatureRow { city, date, issued: known.issued, values: named })
}

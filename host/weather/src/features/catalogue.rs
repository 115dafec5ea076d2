//! What features there are: name, unit, meaning, and what they are made of.
//!
//! It owns the list that manifests are written from. It refuses a feature that does not say what it needs.

/// A kind of value that a feature is made of; whose values these are is said by [`super::Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Forecast highs.
    Forecast,
    /// Final highs of days before.
    Report,
    /// Station observations.
    Observation,
}

/// One feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The name in manifests and tables.
    pub name: &'static str,
    /// The unit.
    pub unit: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What it is made of; nothing for the calendar.
    pub needs: &'static [Need],
    /// Whether it is a temperature that a model sees relative to its anchor.
    pub relative: bool,
}

use Need::{Forecast, Observation, Report};

const fn feature(
    name: &'static str,
    unit: &'static str,
    needs: &'static [Need],
    relative: bool,
    about: &'static str,
) -> Feature {
    Feature { name, unit, about, needs, relative }
}

macro_rules! catalogue {
    ($($model:literal),*; $($rest:expr),* $(,)?) => {
        /// All features, in the order of [`super::FeatureRow::values`].
        pub const FEATURES: &[Feature] = &[
            $(
                feature(concat!("fcst_", $model), "degF", &[Forecast], true, "forecast high of the day"),
                feature(concat!("bias_", $model), "degF", &[Forecast, Report], false,
                    "reported high minus forecast over earlier days, near days and near seasons weighing more"),
                feature(concat!("error_sd_", $model), "degF", &[Forecast, Report], false,
                    "root mean square of those errors around their bias, by the same weights"),
                feature(concat!("error_days_", $model), "days", &[Forecast, Report], false,
                    "number of earlier days with forecast and report"),
                feature(concat!("gap_", $model), "degF", &[Forecast, Observation], false,
                    "the forecast's error so far: maximum so far minus forecast high"),
            )*
            $($rest),*
        ];
        /// The models, in the order of their features.
        pub(super) const MODEL_NAMES: &[&str] = &[$($model),*];
    };
}

catalogue! {
    "gfs", "ecmwf_ifs025", "icon", "gem", "jma", "blend";
    feature("fcst_mean", "degF", &[Forecast, Report], true, "mean of the forecasts with a bias, each plus its bias"),
    feature("fcst_spread", "degF", &[Forecast], false, "highest minus lowest of the forecasts present, at least two"),
    feature("fcst_sd", "degF", &[Forecast, Report], false,
        "standard deviation of the forecasts, each plus its bias, at least two"),
    feature("fcst_age", "h", &[Forecast], false, "since the newest forecast of the day was published"),
    feature("surprise_lag_1", "degF", &[Forecast, Report], false,
        "reported high minus forecast minus bias, mean over the models, 1 day before"),
    feature("surprise_lag_2", "degF", &[Forecast, Report], false, "the same, 2 days before"),
    feature("surprise_lag_3", "degF", &[Forecast, Report], false, "the same, 3 days before"),
    feature("high_lag_1", "degF", &[Report], true, "reported high of the day before"),
    feature("high_lag_2", "degF", &[Report], true, "reported high 2 days before"),
    feature("high_lag_3", "degF", &[Report], true, "reported high 3 days before"),
    feature("high_delta_1", "degF", &[Report], false, "high_lag_1 minus high_lag_2"),
    feature("high_delta_2", "degF", &[Report], false, "high_lag_2 minus high_lag_3"),
    feature("temp_now", "degF", &[Observation], true, "newest station temperature, at most 2 hours old"),
    feature("temp_age", "h", &[Observation], false, "age of that observation"),
    feature("max_so_far", "degF", &[Observation], true, "highest station temperature of the climate day"),
    feature("trend_1h", "degF/h", &[Observation], false, "change of the station temperature over the last hour"),
    feature("humidity_now", "%", &[Observation], false, "relative humidity, newest of the last 2 hours"),
    feature("pressure_now", "hPa", &[Observation], false, "pressure at sea level, newest of the last 2 hours"),
    feature("wind_now", "mph", &[Observation], false, "wind speed, newest of the last 2 hours"),
    feature("cloud_now", "%", &[Observation], false, "cloud cover, newest of the last 2 hours"),
    feature("hours_to_peak", "h", &[Observation], false,
        "until the usual hour of the highest temperature: mean of the last days observed, else of the season"),
    feature("hour", "h", &[], false, "since the climate day began, negative before"),
    feature("season_sin", "1", &[], false, "sin(2 pi day_of_year / 365.25)"),
    feature("season_cos", "1", &[], false, "cos(2 pi day_of_year / 365.25)"),
}

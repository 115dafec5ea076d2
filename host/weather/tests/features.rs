//! What enters a feature row: nothing that was not received, nothing of another source, and the arithmetic it promises.

use isobar_engine::units::{SECOND, Timestamp};
use isobar_weather::{
    City, FEATURES, FeatureRow, HighForecast, History, MODELS, Need, NoFeatures, Observation, Quality, Recording,
    ReportedHigh, SourceId, Sources, Stamps, Weather, features, read_recorded,
};
use jiff::{ToSpan, civil::Date};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const HOUR: i64 = 3_600 * SECOND;
fn city(code: &str) -> City {
    City::from_code(code).expect("a city of the registry")
}

fn chicago() -> City {
    city("CHI")
}

/// The cities that are recorded over years.
fn recorded() -> [City; 6] {
    ["CHI", "AUS", "DEN", "LAX", "MIA", "PHIL"].map(city)
}

const DAY: Date = Date::constant(2026, 6, 15);
const OURS: Sources = Sources::TRAINED;

fn bits(row: &FeatureRow) -> Vec<(&'static str, u32)> {
    // All NaNs are one.
    let bits = |value: f32| if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() };
    row.values.iter().map(|(name, value)| (*name, bits(*value))).collect()
}

fn value(row: &FeatureRow, name: &str) -> f64 {
    let found = row.values.iter().find(|(known, _)| *known == name);
    f64::from(found.unwrap_or_else(|| panic!("no feature {name}")).1)
}

fn day(back: i32) -> Date {
    DAY.checked_sub(back.days()).expect("in range")
}

fn stamps(event: Timestamp, received: Timestamp) -> Stamps {
    Stamps { event, published: received.plus(-SECOND), received }
}

fn forecast(date: Date, model: &str, received: Timestamp, high_f: f64) -> HighForecast {
    let stamps = stamps(chicago().day_begins(date), received);
    HighForecast { city: chicago(), date, model: model.to_owned(), source: OURS.forecast, stamps, high_f }
}

fn report(date: Date, received: Timestamp, high_f: f64) -> ReportedHigh {
    let stamps = stamps(chicago().day_begins(date), received);
    ReportedHigh { city: chicago(), date, source: OURS.report, stamps, high_f, is_final: true }
}

fn observation(event: Timestamp, received: Timestamp, temperature_f: f64) -> Observation {
    Observation {
        city: chicago(),
        source: OURS.observation,
        stamps: stamps(event, received),
        temperature_f: Some(temperature_f),
        humidity_pct: Some(50.0 + temperature_f / 10.0),
        pressure_hpa: Some(1_000.0 + temperature_f / 10.0),
        wind_mph: Some(temperature_f / 8.0),
        cloud_pct: Some(temperature_f / 2.0),
        quality: Quality::Good,
    }
}

/// Sixteen days with nearly everything: forecasts of all models, renewed at ten, final highs, hourly observations.
fn everything() -> Weather {
    let mut weather = Weather::default();
    for back in 0..16 {
        let (date, begins) = (day(back), chicago().day_begins(day(back)));
        let wave = f64::from(back * back % 7);
        for (at, model) in MODELS.iter().enumerate() {
            // Models that miss different days learn unlike biases from the same reports.
            if back > 3 && back % MODELS.len() as i32 == at as i32 {
                continue;
            }
            for (renewed, hour) in [(0.0, -1), (0.5, 10)] {
                weather.forecasts.push(forecast(
                    date,
                    model,
                    begins.plus(hour * HOUR),
                    70.0 + wave + at as f64 + renewed,
                ));
            }
        }
        weather.reports.push(report(date, begins.plus(30 * HOUR), 72.0 + 1.5 * wave));
        for hour in 0..24_i32 {
            let event = begins.plus(i64::from(hour) * HOUR);
            let temperature = 60.0 + wave - 0.2 * f64::from((hour - 16).pow(2));
            weather.observations.push(observation(event, event.plus(5 * 60 * SECOND), temperature));
        }
    }
    weather
}

/// Only what was received before `now`.
fn truncated(weather: &Weather, now: Timestamp) -> Weather {
    let mut past = weather.clone();
    past.forecasts.retain(|value| value.stamps.received < now);
    past.reports.retain(|value| value.stamps.received < now);
    past.observations.retain(|value| value.stamps.received < now);
    past
}

/// The same, where whatever was received later says something else.
fn poisoned(weather: &Weather, now: Timestamp) -> Weather {
    let mut poisoned = weather.clone();
    poisoned.forecasts.iter_mut().filter(|value| value.stamps.received >= now).for_each(|value| value.high_f += 40.0);
    poisoned.reports.iter_mut().filter(|value| value.stamps.received >= now).for_each(|value| value.high_f -= 40.0);
    for late in poisoned.observations.iter_mut().filter(|value| value.stamps.received >= now) {
        late.temperature_f = Some(120.0);
        (late.humidity_pct, late.pressure_hpa) = (Some(0.0), Some(900.0));
        (late.wind_mph, late.cloud_pct) = (Some(99.0), Some(99.0));
    }
    poisoned
}

#[test]
fn the_rows_are_the_catalogue_and_every_feature_has_a_value_where_everything_is_known() {
    let row = features(chicago(), DAY, chicago().day_begins(DAY).plus(13 * HOUR), &everything(), OURS).expect("a row");
    let names: Vec<_> = FEATURES.iter().map(|feature| feature.name).collect();
    assert_eq!(row.values.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "{name} twice");
    }
    let missing: Vec<_> = row.values.iter().filter(|(_, value)| !value.is_finite()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(row.issued(), chicago().day_begins(DAY).plus(12 * HOUR + 299 * SECOND), "the newest observation in use");
}

#[test]
fn every_feature_depends_on_what_it_says_it_needs_and_on_nothing_else() {
    let now = chicago().day_begins(DAY).plus(13 * HOUR + 7);
    let weather = everything();
    let whole = bits(&features(chicago(), DAY, now, &weather, OURS).expect("a row"));
    for need in [Need::Forecast, Need::Report, Need::Observation] {
        let mut other = weather.clone();
        match need {
            // Unequal changes: a bias would take up equal ones.
            Need::Forecast => other.forecasts.iter_mut().enumerate().for_each(|(at, value)| {
                value.high_f += 1.0 + (at % 11) as f64;
                value.stamps.published = value.stamps.published.plus(-SECOND * 600);
            }),
            Need::Report => {
                other.reports.iter_mut().enumerate().for_each(|(at, value)| value.high_f += 3.0 + (at % 3) as f64)
            }
            Need::Observation => other.observations.iter_mut().enumerate().for_each(|(at, value)| {
                let more = 1.0 + (at * at % 17) as f64;
                value.temperature_f = value.temperature_f.map(|old| old + more);
                value.humidity_pct = value.humidity_pct.map(|old| old + more);
                value.pressure_hpa = value.pressure_hpa.map(|old| old + more);
                value.wind_mph = value.wind_mph.map(|old| old + more);
                value.cloud_pct = value.cloud_pct.map(|old| old + more);
                value.stamps.event = value.stamps.event.plus(-60 * SECOND);
            }),
        }
        let changed = bits(&features(chicago(), DAY, now, &other, OURS).expect("a row"));
        for ((feature, old), new) in FEATURES.iter().zip(&whole).zip(&changed) {
            // How many days there are is not a matter of what was said on them.
            let counts = feature.name.starts_with("error_days_");
            let expected = feature.needs.contains(&need) && !counts;
            assert_eq!(old != new, expected, "{} and {need:?}", feature.name);
        }
    }
}

#[test]
fn other_sources_and_doubtful_observations_are_as_if_they_were_not() {
    let now = chicago().day_begins(DAY).plus(13 * HOUR);
    let row = features(chicago(), DAY, now, &everything(), OURS).expect("a row");
    let mut more = everything();
    let mut other = everything();
    other.forecasts.iter_mut().for_each(|value| (value.source, value.high_f) = (SourceId::VisualCrossing, 0.0));
    other.reports.iter_mut().for_each(|value| (value.source, value.high_f) = (SourceId::Database, 0.0));
    for (at, value) in other.observations.iter_mut().enumerate() {
        value.temperature_f = Some(150.0);
        if at % 2 == 0 { value.source = SourceId::Era5 } else { value.quality = Quality::Suspect }
    }
    more.extend(other.clone());
    let intermediate = |mut value: ReportedHigh| {
        (value.is_final, value.high_f, value.stamps.received) = (false, 0.0, value.stamps.received.plus(SECOND));
        value
    };
    more.reports.extend(everything().reports.into_iter().map(intermediate));
    assert_eq!(bits(&features(chicago(), DAY, now, &more, OURS).expect("a row")), bits(&row));
    let none = features(chicago(), DAY, now, &other, OURS).expect_err("no forecast of ours");
    assert_eq!(none, NoFeatures::NoForecast { city: chicago(), date: DAY, from: SourceId::OpenMeteo });
    assert!(features(city("MIA"), DAY, now, &everything(), OURS).is_err(), "not of another city");
}

#[test]
fn the_arithmetic_is_what_the_catalogue_says() {
    let begins = |back| chicago().day_begins(day(back));
    let mut weather = Weather::default();
    for (back, said, came) in [(0, 70.0, None), (1, 68.0, Some(71.0)), (2, 66.0, Some(67.0)), (3, 71.0, Some(75.0))] {
        weather.forecasts.push(forecast(day(back), "gfs", begins(back).plus(-HOUR), said));
        weather.reports.extend(came.map(|high| report(day(back), begins(back).plus(30 * HOUR), high)));
        // Renewed in the evening: too late for a question at noon, of earlier days too.
        weather.forecasts.push(forecast(day(back), "gfs", begins(back).plus(20 * HOUR), 99.0));
    }
    weather.forecasts.push(forecast(DAY, "icon", begins(0).plus(2 * HOUR), 73.5));
    for (minutes, temperature) in [(600, 61.0), (653, 63.0), (710, 66.5), (715, 65.0)] {
        let event = begins(0).plus(minutes * 60 * SECOND);
        weather.observations.push(observation(event, event.plus(SECOND), temperature));
    }
    let row = features(chicago(), DAY, begins(0).plus(12 * HOUR), &weather, OURS).expect("a row");
    let near = |name: &str, expected: f64| {
        let found = value(&row, name);
        assert!((found - expected).abs() < 1e-4, "{name} is {found}, not {expected}");
    };
    let weights: Vec<f64> = (1..=3)
        .map(|age| {
            let age = f64::from(age);
            (-0.5 * (age / 20.0_f64).powi(2)).exp() * 0.5_f64.powf(age / 120.0)
        })
        .collect();
    let errors = [3.0, 1.0, 4.0];
    let plain = 8.0 / 3.0;
    let sum: f64 = weights.iter().sum();
    let bias = (weights.iter().zip(errors).map(|(w, e)| w * e).sum::<f64>() + 5.0 * plain) / (sum + 5.0);
    near("fcst_gfs", 70.0);
    near("bias_gfs", bias);
    near("error_days_gfs", 3.0);
    let spread = errors.iter().map(|e| (e - plain).powi(2)).sum::<f64>() / 3.0;
    let squares = weights.iter().zip(errors).map(|(w, e)| w * (e - bias).powi(2)).sum::<f64>();
    near("error_sd_gfs", ((squares + 5.0 * spread) / (sum + 5.0)).sqrt());
    near("gap_gfs", -3.5);
    near("gap_icon", -7.0);
    near("fcst_mean", 70.0 + bias);
    near("fcst_spread", 3.5);
    assert!(value(&row, "fcst_sd").is_nan(), "one forecast with a bias has no deviation");
    near("fcst_age", 10.0 + 1.0 / 3600.0);
    near("surprise_lag_1", 3.0 - bias);
    near("surprise_lag_3", 4.0 - bias);
    near("high_lag_2", 67.0);
    near("high_delta_1", 4.0);
    near("high_delta_2", -8.0);
    near("temp_now", 65.0);
    near("max_so_far", 66.5);
    near("trend_1h", 2.0 / (62.0 / 60.0));
    near("humidity_now", 56.5);
    near("temp_age", 5.0 / 60.0);
    near("hour", 12.0);
    near("hours_to_peak", chicago().peak_hour(DAY).expect("Chicago was observed") - 12.0);
    for absent in ["bias_icon", "fcst_gem", "gap_gem", "error_sd_blend"] {
        assert!(value(&row, absent).is_nan(), "{absent}");
    }
    assert!(features(chicago(), DAY, begins(0).plus(-HOUR), &weather, OURS).is_err(), "received then, not before");
}

#[test]
fn the_one_forecast_of_a_source_is_a_blend_whatever_it_is_called() {
    let now = chicago().day_begins(DAY).plus(HOUR);
    for (model, expected) in [("ndfd", Some(81.5)), ("visual_crossing", Some(81.5)), ("hrrr", None)] {
        let weather = Weather { forecasts: vec![forecast(DAY, model, now.plus(-1), 81.5)], ..Weather::default() };
        let row = features(chicago(), DAY, now, &weather, OURS).ok();
        assert_eq!(row.map(|row| value(&row, "fcst_blend")), expected, "{model}");
    }
}

#[test]
fn a_row_says_what_each_value_is_made_of() {
    let now = chicago().day_begins(DAY).plus(13 * HOUR);
    let row = features(chicago(), DAY, now, &everything(), OURS).expect("a row");
    let behind = |row: &FeatureRow, name: &str| {
        row.with_sources().find(|(known, ..)| *known == name).map(|(.., sources)| sources).expect("a feature")
    };
    assert_eq!(behind(&row, "bias_gfs"), [SourceId::NwsClimateReport, SourceId::OpenMeteo]);
    assert!(behind(&row, "season_sin").is_empty());
    // Of one source for everything each feature is made of that one.
    let one = FeatureRow { sources: Recording::Live.sources(), ..row };
    assert_eq!(behind(&one, "bias_gfs"), [SourceId::RecordedLive]);
}

/// Any weather at all of one city within some days, received at any time, corrections and holes among it.
fn any_weather() -> impl Strategy<Value = Weather> {
    let when = || (0_i32..12, -40_i64 * 60..60 * 60);
    let at = |back: i32, minutes: i64| chicago().day_begins(day(back)).plus(minutes * 60 * SECOND);
    let forecasts = proptest::collection::vec((when(), 0..MODELS.len(), 40_f64..100.0), 0..120);
    let reports = proptest::collection::vec((when(), 40_f64..100.0), 0..30);
    let observations = proptest::collection::vec((when(), 0_i64..180, 40_f64..100.0), 0..150);
    (forecasts, reports, observations).prop_map(move |(forecasts, reports, observations)| Weather {
        forecasts: forecasts
            .into_iter()
            .map(|((back, minutes), model, high)| forecast(day(back), MODELS[model], at(back, minutes), high))
            .collect(),
        reports: reports
            .into_iter()
            .map(|((back, minutes), high)| report(day(back), at(back, minutes), high))
            .collect(),
        observations: observations
            .into_iter()
            .map(|((back, minutes), delay, value)| observation(at(back, minutes), at(back, minutes + delay), value))
            .collect(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Cutting the inputs at any moment, or changing all that came later, changes no feature of any question asked then.
    #[test]
    fn no_feature_sees_what_was_received_later(
        random in any_weather(), rich in any::<bool>(), asked in 0_i32..12, minutes in -30_i64 * 60..40 * 60,
    ) {
        let mut weather = random;
        if rich {
            weather.extend(everything());
        }
        let (date, now) = (day(asked), chicago().day_begins(day(asked)).plus(minutes * 60 * SECOND + 1));
        let expected = features(chicago(), date, now, &weather, OURS);
        for other in [truncated(&weather, now), poisoned(&weather, now)] {
            let row = features(chicago(), date, now, &other, OURS);
            prop_assert_eq!(expected.as_ref().map(bits), row.as_ref().map(bits));
            prop_assert_eq!(expected.as_ref().map(FeatureRow::issued), row.as_ref().map(FeatureRow::issued));
        }
        // Neither does the order in which values are held.
        let mut turned = weather.clone();
        turned.forecasts.reverse();
        turned.reports.reverse();
        let row = features(chicago(), date, now, &turned, OURS);
        prop_assert_eq!(expected.as_ref().map(bits), row.as_ref().map(bits));
    }
}

/// The recordings, where they are.
fn data() -> Option<PathBuf> {
    let beside = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = std::env::var_os("ISOBAR_DATA").map_or_else(|| beside.to_owned(), PathBuf::from);
    let found = folder.join("weather").is_dir().then_some(folder);
    if found.is_none() {
        eprintln!("skipped: no recordings (set ISOBAR_DATA)");
    }
    found
}

#[test]
fn the_days_of_march_have_rows_without_history() {
    let Some(data) = data() else { return };
    let days = read_recorded(&data.join("weather/forecasts_2026-03.csv")).expect("the recording");
    let weather = Weather::from_iter(days);
    for city in recorded() {
        for day in [10, 12, 13] {
            let date = Date::constant(2026, 3, day);
            let row = features(city, date, Timestamp(city.day_begins(date).0 + 1), &weather, OURS).expect("a row");
            assert!(value(&row, "fcst_gfs") > 0.0 && value(&row, "fcst_spread") > 0.0, "{city} {date}");
            assert!(value(&row, "high_lag_1").is_nan(), "{city} {date}: nobody recorded highs");
        }
    }
}

#[test]
fn a_row_of_all_cities_over_four_years_takes_milliseconds() {
    let Some(data) = data() else { return };
    let path = data.join("weather/daily_highs_and_forecasts.csv.zst");
    let weather = Weather::from_iter(read_recorded(&path).expect("the recording"));
    let date = Date::constant(2025, 9, 30);
    let start = std::time::Instant::now();
    for city in recorded() {
        let history = History::new(city, &weather, OURS);
        let row = history.features(date, city.day_begins(date).plus(7 * HOUR)).expect("a row");
        assert!(value(&row, "error_days_gfs") > 1_300.0);
    }
    // Generous, since other tests run at the same time; measured alone it is a few milliseconds.
    println!("six rows over {} forecasts in {:.1?}", weather.forecasts.len(), start.elapsed());
    assert!(start.elapsed().as_millis() < 500);
}

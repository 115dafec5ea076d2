//! What enters a feature row: nothing from the future, and the same as in training.

use isobar_engine::units::{Digest, SECOND, Timestamp};
use isobar_weather::{City, DailyWeather, FeatureRow, NAMES, NoFeatures, features, read_recorded};
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const HOUR: i64 = 3_600 * SECOND;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The recordings, where they are.
fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("ISOBAR_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let found = folder.join("weather").is_dir().then_some(folder);
    if found.is_none() {
        eprintln!("skipped: no recordings (set ISOBAR_DATA)");
    }
    found
}

fn bits(row: &FeatureRow) -> Vec<u32> {
    row.values.iter().map(|(_, value)| value.to_bits()).collect()
}

/// Eight days of two cities; each day's forecasts are renewed at noon of the day.
fn history() -> Vec<DailyWeather> {
    let mut rows = Vec::new();
    for city in [City::Chicago, City::Miami] {
        for day in 1..=8_i8 {
            let date = Date::constant(2026, 6, day);
            let begins = city.day_begins(date);
            for (renewed, at) in [(0.0, begins), (1.0, begins.plus(12 * HOUR))] {
                let forecast = ["gfs", "ecmwf_ifs025", "icon", "gem", "jma"].into_iter().enumerate();
                let forecast_high_f: BTreeMap<_, _> =
                    forecast.map(|(m, name)| (name.to_owned(), 70.0 + f64::from(day) + m as f64 + renewed)).collect();
                let observed = (renewed > 0.0).then(|| (75.0 + f64::from(day) * 1.5, begins.plus(30 * HOUR)));
                rows.push(DailyWeather { city, date, forecast_high_f, published: at, observed_high_f: observed });
            }
        }
    }
    rows
}

const DAY: Date = Date::constant(2026, 6, 5);

#[test]
fn nothing_dated_on_or_after_the_day_counts_except_its_forecast() {
    let rows = history();
    // Long after everything was published: time alone would hide nothing.
    let now = City::Chicago.day_begins(DAY).plus(1_000 * HOUR);
    let expected = features(City::Chicago, DAY, now, &rows).expect("a row");
    let mut changed = 0;
    for at in 0..rows.len() {
        if rows[at].city != City::Chicago || rows[at].date < DAY {
            continue;
        }
        let mut mutated = rows.clone();
        if let Some((high, _)) = &mut mutated[at].observed_high_f {
            *high += 20.0;
        }
        if mutated[at].date > DAY {
            mutated[at].forecast_high_f.values_mut().for_each(|value| *value -= 30.0);
        }
        let row = features(City::Chicago, DAY, now, &mutated).expect("a row");
        assert_eq!(bits(&row), bits(&expected), "row {at} looked ahead");
        assert_eq!(row.issued, expected.issued, "row {at} moved the time of issue");
        changed += 1;
    }
    assert_eq!(changed, 8, "four days from the fifth on, two publications each");

    // What may count does count: without this the test above would also pass for constant features.
    for at in 0..rows.len() {
        let mut mutated = rows.clone();
        if let Some((high, _)) = &mut mutated[at].observed_high_f {
            *high += 20.0;
        }
        mutated[at].forecast_high_f.values_mut().for_each(|value| *value -= 30.0);
        let row = features(City::Chicago, DAY, now, &mutated).expect("a row");
        let newest = rows[at].observed_high_f.is_some();
        let used = rows[at].city == City::Chicago && newest && (2..=5).contains(&rows[at].date.day());
        assert_eq!(bits(&row) != bits(&expected), used, "row {at}");
    }
}

#[test]
fn a_value_counts_only_after_it_was_published() {
    let rows = history();
    let begins = City::Chicago.day_begins(DAY);
    let mut seen = Vec::new();
    for hour in -30..60 {
        let now = begins.plus(hour * HOUR);
        let mut past = rows.clone();
        past.retain(|row| row.published < now);
        for row in &mut past {
            row.observed_high_f = row.observed_high_f.filter(|(_, at)| *at < now);
        }
        let mut poisoned = rows.clone();
        for row in &mut poisoned {
            if row.published >= now {
                row.forecast_high_f.values_mut().for_each(|value| *value = 1.0);
            }
            row.observed_high_f = row.observed_high_f.map(|(high, at)| (if at < now { high } else { 1.0 }, at));
        }
        let all = features(City::Chicago, DAY, now, &rows);
        for other in [&past, &poisoned] {
            let other = features(City::Chicago, DAY, now, other);
            assert_eq!(all.as_ref().map(bits), other.as_ref().map(bits), "hour {hour}");
        }
        match all {
            Ok(row) => {
                assert!(row.issued < now);
                seen.push(bits(&row));
            }
            Err(reason) => {
                assert_eq!(reason, NoFeatures::NoForecast { city: City::Chicago, date: DAY });
                assert!(hour <= 0);
            }
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "the first forecast, yesterday's high, the renewed forecast");
}

#[test]
fn missing_history_is_missing_values_and_not_a_missing_row() {
    let date = Date::constant(2026, 3, 10);
    let published = City::Denver.day_begins(date);
    let forecast_high_f = BTreeMap::from([("gfs".to_owned(), 69.8), ("icon".to_owned(), 67.7)]);
    let rows = [DailyWeather { city: City::Denver, date, forecast_high_f, published, observed_high_f: None }];
    let row = features(City::Denver, date, published.plus(1), &rows).expect("a row");
    assert_eq!(row.issued, published);
    let missing: Vec<&str> = row.values.iter().filter(|(_, v)| v.is_nan()).map(|(name, _)| *name).collect();
    let lags = ["high_lag_1", "error_lag_1", "error_lag_2", "error_lag_3"];
    assert_eq!(missing, [&["fcst_ecmwf_ifs025", "fcst_gem"], &lags[..]].concat());
    assert!((row.values[4].1 - 2.1).abs() < 1e-5);
    assert!(features(City::Denver, date, published, &rows).is_err(), "not before it was published");
    assert!(features(City::Miami, date, published.plus(1), &rows).is_err(), "not of another city");
}

/// Rows of all days of one city that have a forecast, as models/features.py writes them.
fn as_text(city: City, days: &[DailyWeather]) -> String {
    let mut text = String::new();
    let mut days: Vec<_> = days.iter().filter(|day| day.city == city).cloned().collect();
    days.sort_by_key(|day| day.date);
    for (at, day) in days.iter().enumerate() {
        // Noon of standard time: what yesterday was is known by then.
        let now = city.day_begins(day.date).plus(12 * HOUR);
        let Ok(row) = features(city, day.date, now, &days[at.saturating_sub(4)..(at + 2).min(days.len())]) else {
            continue;
        };
        write!(text, "{}", day.date).expect("text grows");
        for (_, value) in row.values {
            if value.is_nan() { text.push(',') } else { write!(text, ",{:.3}", f64::from(value)).expect("text grows") }
        }
        text.push('\n');
    }
    text
}

#[test]
fn features_equal_those_of_training_on_made_up_days() {
    let folder = root().join("host/weather/testdata");
    let days = read_recorded(&folder.join("history.csv")).expect("the history");
    let expected = std::fs::read_to_string(folder.join("rows.csv")).expect("its rows");
    assert_eq!(as_text(City::Chicago, &days), expected);
}

#[test]
fn features_equal_those_of_training_on_every_recorded_day() {
    let Some(data) = data() else { return };
    let mut days = Vec::new();
    for name in ["daily_highs_and_forecasts.csv.zst", "daily_highs_and_forecasts_2025-10_2026-02.csv.zst"] {
        days.extend(read_recorded(&data.join("weather").join(name)).expect("a recording"));
    }
    for city in City::ALL {
        let text = as_text(city, &days);
        assert!(text.lines().count() > 1_500, "{city}");
        let manifest = root().join("models").join(city.code().to_lowercase()).join("model.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).expect("a bundle").parse().expect("TOML");
        let expected = manifest["data"]["features_blake3"].as_str().expect("a hash");
        assert_eq!(Digest::of(text.as_bytes()).to_string(), expected, "{city}");
    }
}

#[test]
fn names_are_those_of_every_bundle_in_order() {
    for city in City::ALL {
        let manifest = root().join("models").join(city.code().to_lowercase()).join("model.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).expect("a bundle").parse().expect("TOML");
        let features = manifest["features"].as_array().expect("a list");
        let names: Vec<_> = features.iter().map(|feature| feature["name"].as_str().expect("a name")).collect();
        assert_eq!(names, NAMES, "{city}");
    }
}

#[test]
fn the_days_of_march_have_rows_without_history() {
    let Some(data) = data() else { return };
    let days = read_recorded(&data.join("weather/forecasts_2026-03.csv")).expect("the recording");
    for city in City::ALL {
        for day in [10, 12, 13] {
            let date = Date::constant(2026, 3, day);
            let now = Timestamp(city.day_begins(date).0 + 1);
            let row = features(city, date, now, &days).expect("a row");
            assert!(row.values[..5].iter().all(|(_, value)| !value.is_nan()), "{city} {date}");
            assert!(row.values[5].1.is_nan(), "{city} {date}: nobody recorded highs");
        }
    }
}

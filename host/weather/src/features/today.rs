//! What the station has shown so far, as of one moment.

use super::history::{HOUR, History};
use crate::Observation;
use isobar_engine::units::Timestamp;
use jiff::{ToSpan, civil::Date};

/// An observation older than this says nothing about now.
const STALE: i64 = 2 * HOUR;
/// The observation an hour before may be this much nearer or farther.
const SLACK: i64 = HOUR / 3;
/// Days that the usual hour of the peak is the mean of, and how many temperatures make a day count.
const PEAK_DAYS: i32 = 10;
const PEAK_LEAST: usize = 12;
/// The usual hour of the peak where neither days were observed nor the registry knows: three hours after noon.
const PEAK_HOUR: f64 = 15.0;

/// The intraday values, NaN where there is none.
pub(super) struct Today {
    /// When the newest observation in use was published.
    pub issued: Option<Timestamp>,
    /// Highest temperature of the climate day, °F.
    pub maximum: f64,
    temperature: f64,
    age: f64,
    trend: f64,
    humidity: f64,
    pressure: f64,
    wind: f64,
    cloud: f64,
    to_peak: f64,
}

impl Today {
    /// What was received of `date` before `now`.
    pub(super) fn of(history: &History, date: Date, now: Timestamp) -> Self {
        let city = history.city();
        let begins = city.day_begins(date);
        let ends = city.day_begins(date.checked_add(1.day()).expect("a day of a market has a next one"));
        let recent = || history.seen(now.plus(-STALE)..now, now).rev();
        let newest = |part: fn(&Observation) -> Option<f64>| recent().find_map(part).filter(|value| value.is_finite());
        let latest = recent().find(|seen| seen.temperature_f.is_some());
        let temperature = latest.and_then(|seen| seen.temperature_f);
        let trend = latest.and_then(|last| {
            let hour_ago = last.stamps.event.plus(-HOUR);
            let near = history.seen(hour_ago.plus(-SLACK)..hour_ago.plus(SLACK), now);
            let near = near.filter(|seen| seen.temperature_f.is_some());
            let then = near.min_by_key(|seen| seen.stamps.event.since(hour_ago).abs())?;
            let hours = last.stamps.event.since(then.stamps.event) as f64 / HOUR as f64;
            Some((last.temperature_f? - then.temperature_f?) / hours)
        });
        let of_day = history.seen(begins..ends.min(now), now).filter_map(|seen| seen.temperature_f);
        let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Self {
            issued: latest.map(|seen| seen.stamps.published),
            maximum: of_day.fold(f64::NAN, f64::max),
            temperature: or_nan(temperature),
            age: latest.map_or(f64::NAN, |seen| now.since(seen.stamps.event) as f64 / HOUR as f64),
            trend: or_nan(trend),
            humidity: or_nan(newest(|seen| seen.humidity_pct)),
            pressure: or_nan(newest(|seen| seen.pressure_hpa)),
            wind: or_nan(newest(|seen| seen.wind_mph)),
            cloud: or_nan(newest(|seen| seen.cloud_pct)),
            to_peak: usual_peak(history, date, now) - now.since(begins) as f64 / HOUR as f64,
        }
    }

    /// In the order of the catalogue, from `temp_now` to `hours_to_peak`.
    pub(super) const fn values(&self) -> [f64; 9] {
        [
            self.temperature,
            self.age,
            self.maximum,
            self.trend,
            self.humidity,
            self.pressure,
            self.wind,
            self.cloud,
            self.to_peak,
        ]
    }
}

/// Mean hour of the climate day at which the highest temperature of the days before came first.
fn usual_peak(history: &History, date: Date, now: Timestamp) -> f64 {
    let (mut total, mut days) = (0.0, 0.0);
    for back in 1..=PEAK_DAYS {
        let day = date.checked_sub(back.days()).expect("a day of a market has days before it");
        let begins = history.city().day_begins(day);
        let temperatures: Vec<(f64, i64)> = history
            .seen(begins..begins.plus(24 * HOUR), now)
            .filter_map(|seen| Some((seen.temperature_f?, seen.stamps.event.since(begins))))
            .collect();
        let mut peak = None;
        for (value, at) in &temperatures {
            if peak.is_none_or(|(highest, _)| *value > highest) {
                peak = Some((*value, *at));
            }
        }
        if let Some((_, at)) = peak.filter(|_| temperatures.len() >= PEAK_LEAST) {
            total += at as f64 / HOUR as f64;
            days += 1.0;
        }
    }
    if days > 0.0 { total / days } else { history.city().peak_hour(date).unwrap_or(PEAK_HOUR) }
}

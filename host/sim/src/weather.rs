//! Weather that is told over HTTP, and the weather of a simulated day.
//!
//! A row is told only when its time of publication has come, so a host cannot see the future by accident. Degrees are
//! Fahrenheit. Floating point stays in here and in the crowd's opinion: nothing of it reaches a price unrounded.

use crate::listing::{DETERMINED_AFTER, HOUR, STATIONS, midnight};
use isobar_engine::units::Timestamp;
use jiff::civil::Date;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::f64::consts::PI;

/// Models of the simulated forecasts, in the order of [`City::models`]: the columns of the training data.
pub(crate) const MODELS: [&str; 6] = ["gfs", "ecmwf_ifs025", "icon", "gem", "jma", "hrrr"];

/// What is known of one city and local day.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) city: String,
    pub(crate) date: Date,
    pub(crate) forecast: BTreeMap<String, f64>,
    pub(crate) published: Timestamp,
    /// The settled high and when it was published.
    pub(crate) observed: Option<(i64, Timestamp)>,
    /// How the day went, where that was simulated.
    pub(crate) shape: Option<Shape>,
}

/// The course of a simulated day, °F and the hour of the high, local standard time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) peak: f64,
}

impl Row {
    /// The row as far as it was published at `now`.
    pub(crate) fn told(&self, now: Timestamp) -> Option<serde_json::Value> {
        let moment = |at: Timestamp| crate::render::rfc3339(at.0.div_euclid(1_000_000_000));
        let observed = self.observed.filter(|(_, at)| *at <= now);
        (self.published <= now).then(|| {
            serde_json::json!({
                "city": self.city,
                "date": self.date.to_string(),
                "forecast_high_f": self.forecast,
                "published": moment(self.published),
                "observed_high_f": observed.map(|(high, _)| high),
                "observed_published": observed.map(|(_, at)| moment(at)),
            })
        })
    }
}

/// The letters that name a city, from the ticker of its series.
pub(crate) fn city_of(series: &str) -> &str {
    series.strip_prefix("KXHIGH").unwrap_or(series)
}

/// How the weather of a city behaves.
///
/// Measured on the observed highs and Open-Meteo forecasts of January 2022 to September 2025, so that a model trained on
/// real days is as right about a simulated one. `highs`: mean of each month. `spread`: deviation of a day from it.
/// `models`: mean and deviation of observed minus forecast. `common`: deviation that all models share.
pub(crate) struct City {
    pub(crate) series: &'static str,
    highs: [f64; 12],
    spread: f64,
    models: [(f64, f64); 6],
    /// How the bias of all models swings over the year: amplitudes of sine and cosine.
    season: (f64, f64),
    pub(crate) common: f64,
}

pub(crate) const CITIES: [City; 6] = [
    City {
        series: "KXHIGHCHI",
        highs: [33., 42., 52., 61., 73., 84., 85., 84., 79., 67., 53., 40.],
        spread: 10.0,
        models: [(4.4, 2.8), (5.4, 2.5), (2.8, 2.0), (3.2, 3.4), (10.5, 6.5), (4.4, 2.6)],
        season: (0.6, -0.8),
        common: 2.5,
    },
    City {
        series: "KXHIGHAUS",
        highs: [61., 66., 76., 81., 89., 96., 97., 100., 95., 86., 72., 68.],
        spread: 8.5,
        models: [(0.5, 1.5), (2.6, 2.3), (1.5, 2.2), (1.3, 2.8), (4.6, 3.3), (0.9, 1.5)],
        season: (-0.7, -0.2),
        common: 1.6,
    },
    City {
        series: "KXHIGHDEN",
        highs: [40., 46., 55., 64., 71., 84., 91., 89., 83., 70., 52., 50.],
        spread: 11.4,
        models: [(-0.7, 2.6), (2.4, 3.5), (0.2, 2.7), (1.6, 3.5), (2.9, 4.4), (-0.6, 2.4)],
        season: (-0.2, -0.1),
        common: 2.2,
    },
    City {
        series: "KXHIGHLAX",
        highs: [65., 65., 64., 67., 68., 71., 74., 77., 78., 74., 71., 66.],
        spread: 5.2,
        models: [(-6.0, 4.9), (-5.6, 5.1), (-2.7, 3.5), (-7.4, 6.0), (-1.1, 5.5), (-6.7, 4.9)],
        season: (1.4, 3.8),
        common: 3.0,
    },
    City {
        series: "KXHIGHMIA",
        highs: [77., 80., 83., 84., 89., 90., 92., 92., 91., 87., 84., 78.],
        spread: 3.7,
        models: [(2.8, 1.8), (2.9, 1.7), (2.3, 1.6), (2.0, 1.8), (5.9, 2.6), (2.0, 1.5)],
        season: (-0.1, -0.3),
        common: 1.2,
    },
    City {
        series: "KXHIGHPHIL",
        highs: [43., 48., 57., 66., 75., 84., 90., 86., 80., 69., 59., 47.],
        spread: 8.4,
        models: [(0.8, 1.6), (2.2, 1.7), (1.5, 1.7), (-1.0, 2.2), (3.7, 2.8), (0.6, 1.6)],
        season: (-0.3, 0.4),
        common: 1.3,
    },
];

/// Days before the simulated one that are told with their outcome.
const HISTORY_DAYS: i64 = 30;
/// How much of a day's deviation is left on the next: the measured correlation of neighbouring days.
const PERSISTENCE: f64 = 0.62;

/// The simulated day in one city.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    /// The high before rounding; rounded it settles the event.
    high: f64,
    low: f64,
    /// Hour of the day, local standard time, at which the high is reached.
    peak: f64,
    /// What the forecasts say together, their known bias taken out.
    pub(crate) consensus: f64,
    common: f64,
    begins: Timestamp,
}

/// A normal variate by Box and Muller: one line instead of a dependency.
pub(crate) fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (2.0 * PI * angle).cos()
}

impl City {
    /// The day `date` and the rows of the thirty days before it.
    pub(crate) fn simulate(&self, date: Date, random: &mut ChaCha8Rng) -> (Day, Vec<Row>) {
        let behind = STATIONS.iter().find(|station| station.0 == self.series).map_or(6, |station| station.2);
        let mut deviation = self.spread * normal(random);
        let (mut rows, mut high, mut consensus) = (Vec::new(), 0.0, 0.0);
        for back in (0..=HISTORY_DAYS).rev() {
            let day = date.checked_sub(jiff::Span::new().days(back)).expect("a month before a date of this era");
            let fresh = (1.0 - PERSISTENCE * PERSISTENCE).sqrt() * self.spread * normal(random);
            deviation = PERSISTENCE * deviation + fresh;
            high = self.highs[usize::from(day.month().unsigned_abs()) - 1]
                + deviation.clamp(-2.5 * self.spread, 2.5 * self.spread);
            let angle = 2.0 * PI * f64::from(day.day_of_year()) / 365.25;
            let swing = self.season.0 * angle.sin() + self.season.1 * angle.cos();
            let shared = swing + self.common * normal(random);
            let mut forecast = BTreeMap::new();
            consensus = 0.0;
            for (name, (bias, error)) in MODELS.into_iter().zip(self.models) {
                let own = (error * error - self.common * self.common).max(0.25).sqrt();
                let value = high - bias - shared - own * normal(random);
                forecast.insert(name.to_owned(), (value * 10.0).round() / 10.0);
                consensus += (value + bias + swing) / 6.0;
            }
            let begins = midnight(day, behind);
            rows.push(Row {
                city: city_of(self.series).to_owned(),
                date: day,
                forecast,
                published: begins,
                observed: Some((whole(high), begins.plus(24 * HOUR + DETERMINED_AFTER))),
                shape: None,
            });
        }
        let day = Day {
            high,
            low: high - random.random_range(14.0..22.0),
            peak: random.random_range(14.5..16.5),
            consensus,
            common: self.common,
            begins: midnight(date, behind),
        };
        if let Some(today) = rows.last_mut() {
            today.shape = Some(Shape { low: day.low, high: day.high, peak: day.peak });
        }
        (day, rows)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "degrees Fahrenheit on Earth fit every integer")]
pub(crate) fn whole(degrees: f64) -> i64 {
    degrees.round() as i64
}

/// Distribution function of the normal distribution (Abramowitz and Stegun 7.1.26, error below 1.5e-7).
fn phi(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * (x.abs() / 2f64.sqrt()));
    let poly =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let half = 0.5 * poly * (-x * x / 2.0).exp();
    if x < 0.0 { half } else { 1.0 - half }
}

impl Day {
    /// The settled high.
    pub(crate) fn settled(&self) -> i64 {
        whole(self.high)
    }

    #[expect(clippy::cast_precision_loss, reason = "hours of one day")]
    fn hour(&self, at: Timestamp) -> f64 {
        at.since(self.begins) as f64 / HOUR as f64
    }

    /// Highest temperature seen until `at`: from the low at six o'clock along a sine to the high at the peak.
    fn seen(&self, at: Timestamp) -> f64 {
        let rise = ((self.hour(at) - 6.0) / (self.peak - 6.0)).clamp(0.0, 1.0);
        self.low + (self.high - self.low) * (rise * PI / 2.0).sin()
    }

    /// What someone who watches the thermometer believes at `at`: mean and deviation of the high, and its lower bound.
    /// `mood` in deviations is how far the crowd as a whole is off.
    pub(crate) fn belief(&self, at: Timestamp, mood: f64) -> Belief {
        let progress = ((self.hour(at) - 7.0) / (self.peak - 6.0)).clamp(0.0, 1.0);
        let known = progress * progress * (3.0 - 2.0 * progress);
        let deviation = (self.common * 1.2 * (1.0 - known)).max(0.25);
        let mean = self.consensus + (self.high - self.consensus) * known + 0.3 * mood * deviation;
        Belief { mean, deviation, at_least: self.seen(at) }
    }
}

/// An opinion on the day's high.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Belief {
    mean: f64,
    deviation: f64,
    at_least: f64,
}

impl Belief {
    /// Probability that the settled high lies from `floor` to `cap`, both included; an absent bound is no bound.
    pub(crate) fn probability(&self, floor: Option<i64>, cap: Option<i64>) -> f64 {
        let bound = self.at_least.round() - 0.5;
        #[expect(clippy::cast_precision_loss, reason = "degrees")]
        let below = |edge: Option<i64>, otherwise: f64| {
            edge.map_or(otherwise, |edge| phi(((edge as f64 - 0.5).max(bound) - self.mean) / self.deviation))
        };
        let beyond = phi((bound - self.mean) / self.deviation);
        let (low, high) = (below(floor, beyond), below(cap.map(|cap| cap + 1), 1.0));
        ((high - low) / (1.0 - beyond).max(1e-9)).clamp(0.0, 1.0)
    }
}

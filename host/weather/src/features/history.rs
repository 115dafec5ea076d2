//! What was known about one city, ordered so that any moment of it can be asked for, and the features of whole days.
//!
//! It owns the rule that a value counts only after it was received. A past day is looked at as of the same hour of its
//! own day, so that past errors are those of forecasts of the same lead as the one in use now.

use super::catalogue::MODEL_NAMES;
use super::today::Today;
use super::{FeatureRow, NoFeatures, Sources};
use crate::{City, Observation, Quality, Stamps, Weather};
use isobar_engine::units::{SECOND, Timestamp};
use jiff::{ToSpan, civil::Date};
use std::ops::Range;

/// The forecast models that features are made of. `blend` is a single forecast that a source makes of several, as
/// forecasters or vendors do. Others may be published; they are not looked at.
pub const MODELS: &[&str] = MODEL_NAMES;

/// What sources call forecasts of the kind `blend`.
const BLENDS: [&str; 3] = ["blend", "ndfd", "visual_crossing"];

/// The place of a source's model among ours.
fn place(model: &str) -> Option<usize> {
    let ours = if BLENDS.contains(&model) { "blend" } else { model };
    MODELS.iter().position(|known| *known == ours)
}

pub(super) const HOUR: i64 = 3_600 * SECOND;

/// Days of the year within which an error says about as much as one of today: the width of a Gaussian.
const NEAR_DAYS: f64 = 20.0;
/// Days after which an error counts half.
const HALF_LIFE_DAYS: f64 = 120.0;
/// What the mean over all days weighs against the near ones, in days.
const PRIOR_DAYS: f64 = 5.0;

/// Length of every climate day: standard time has no clock changes.
const DAY: i64 = 24 * HOUR;

/// What was said about one day, with the times at which it was received and published.
#[derive(Clone, Copy, Debug)]
struct Said {
    date: Date,
    received: Timestamp,
    published: Timestamp,
    value: f64,
}

/// What was said about the days of one thing, by day and within a day oldest first.
#[derive(Clone, Debug, Default)]
struct Days(Vec<Said>);

impl Days {
    fn push(&mut self, date: Date, stamps: Stamps, value: f64) {
        self.0.push(Said { date, received: stamps.received, published: stamps.published, value });
    }

    fn sort(&mut self) {
        let times = |said: &Said| (said.date, said.received, said.published);
        self.0.sort_by(|a, b| times(a).cmp(&times(b)).then(a.value.total_cmp(&b.value)));
    }

    /// The newest about a day that was received before `cut`.
    fn newest(&self, date: Date, cut: Timestamp) -> Option<Said> {
        let upto = self.0.partition_point(|said| (said.date, said.received) < (date, cut));
        self.0[..upto].last().filter(|said| said.date == date).copied()
    }

    /// The days before `date`, each once.
    fn before(&self, date: Date) -> impl Iterator<Item = Date> {
        let upto = self.0.partition_point(|said| said.date < date);
        self.0[..upto].chunk_by(|a, b| a.date == b.date).map(|versions| versions[0].date)
    }
}

/// What was known about one city from the bound sources.
#[derive(Clone, Debug)]
pub struct History {
    city: City,
    sources: Sources,
    /// By model.
    forecasts: Vec<Days>,
    /// Final highs.
    highs: Days,
    /// By time of observation.
    observations: Vec<Observation>,
}

/// How a model has erred on earlier days.
#[derive(Clone, Copy)]
struct Errors {
    days: f64,
    bias: f64,
    deviation: f64,
}

impl History {
    /// Takes what `weather` holds of the city from the sources, in any order. Numbers that are none are left out.
    pub fn new(city: City, weather: &Weather, sources: Sources) -> Self {
        let mut forecasts = vec![Days::default(); MODELS.len()];
        for forecast in &weather.forecasts {
            let ours = forecast.city == city && forecast.source == sources.forecast && forecast.high_f.is_finite();
            if let Some(model) = place(&forecast.model).filter(|_| ours) {
                forecasts[model].push(forecast.date, forecast.stamps, forecast.high_f);
            }
        }
        forecasts.iter_mut().for_each(Days::sort);
        let mut highs = Days::default();
        for report in &weather.reports {
            let ours = report.city == city && report.source == sources.report && report.is_final;
            if ours && report.high_f.is_finite() {
                highs.push(report.date, report.stamps, report.high_f);
            }
        }
        highs.sort();
        let ours = |seen: &&Observation| {
            seen.city == city && seen.source == sources.observation && seen.quality == Quality::Good
        };
        let mut observations: Vec<_> = weather.observations.iter().filter(ours).cloned().collect();
        // Of two about the same moment the one that came later corrects the other.
        observations.sort_by_key(|seen| (seen.stamps.event, seen.stamps.received, seen.stamps.published));
        Self { city, sources, forecasts, highs, observations }
    }

    /// The days of which a forecast is held, oldest first.
    pub fn days(&self) -> Vec<Date> {
        let mut days: Vec<Date> = self.forecasts.iter().flat_map(|days| days.0.iter().map(|said| said.date)).collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    /// The city.
    pub const fn city(&self) -> City {
        self.city
    }

    /// The observations of a span of time that were received before `now`, oldest first.
    pub(super) fn seen(&self, span: Range<Timestamp>, now: Timestamp) -> impl DoubleEndedIterator<Item = &Observation> {
        let from = self.observations.partition_point(|seen| seen.stamps.event < span.start);
        let to = self.observations.partition_point(|seen| seen.stamps.event < span.end);
        self.observations[from..to.max(from)].iter().filter(move |seen| seen.stamps.received < now)
    }

    /// The features of `date` at `now`.
    ///
    /// # Errors
    /// [`NoFeatures`] where no forecast of the day is known.
    #[expect(clippy::cast_possible_truncation, reason = "models take single precision")]
    pub fn features(&self, date: Date, now: Timestamp) -> Result<FeatureRow, NoFeatures> {
        let forecasts: Vec<Option<Said>> = self.forecasts.iter().map(|days| days.newest(date, now)).collect();
        let Some(fresh) = forecasts.iter().flatten().map(|said| said.published).max() else {
            return Err(NoFeatures::NoForecast { city: self.city, date, from: self.sources.forecast });
        };
        let into_day = now.since(self.city.day_begins(date));
        let errors: Vec<Option<Errors>> = self.forecasts.iter().map(|said| self.errors(said, date, now)).collect();
        let today = Today::of(self, date, now);

        let mut values: Vec<f64> = Vec::with_capacity(super::FEATURES.len());
        let mut corrected = Vec::new();
        for (said, errors) in forecasts.iter().zip(&errors) {
            let forecast = said.map_or(f64::NAN, |said| said.value);
            let of = |part: fn(&Errors) -> f64| errors.as_ref().map_or(f64::NAN, part);
            values.extend([forecast, of(|e| e.bias), of(|e| e.deviation), of(|e| e.days), today.maximum - forecast]);
            corrected.extend(errors.map(|errors| forecast + errors.bias).filter(|value| value.is_finite()));
        }
        let present: Vec<f64> = forecasts.iter().flatten().map(|said| said.value).collect();
        let highest = present.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lowest = present.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = mean(&corrected);
        let deviation =
            (corrected.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / corrected.len() as f64).sqrt();
        values.extend([
            mean,
            if present.len() > 1 { highest - lowest } else { f64::NAN },
            if corrected.len() > 1 { deviation } else { f64::NAN },
            now.since(fresh) as f64 / HOUR as f64,
        ]);
        values.extend([1, 2, 3].map(|lag| self.surprise(date, lag, now, &errors)));
        let mut reported = None;
        let [one, two, three] = [1, 2, 3].map(|lag| {
            let said = self.highs.newest(before(date, lag), now);
            reported = reported.max(said.map(|said| said.published));
            said.map_or(f64::NAN, |said| said.value)
        });
        values.extend([one, two, three, one - two, two - three]);
        values.extend(today.values());
        let angle = 2.0 * std::f64::consts::PI * f64::from(date.day_of_year()) / 365.25;
        values.extend([into_day as f64 / HOUR as f64, angle.sin(), angle.cos()]);

        let values = super::FEATURES.iter().zip(values).map(|(feature, value)| (feature.name, value as f32)).collect();
        let published = [Some(fresh), reported, today.issued];
        Ok(FeatureRow { city: self.city, date, published, sources: self.sources, values })
    }

    /// Reported high minus forecast of the day `age` days before the one in question, as known at the same hour of it.
    fn error(&self, forecasts: &Days, day: Date, age: i32, now: Timestamp) -> Option<f64> {
        let forecast = forecasts.newest(day, now.plus(-i64::from(age) * DAY))?;
        Some(self.highs.newest(day, now)?.value - forecast.value)
    }

    /// The errors of all days before `date`, weighed by nearness in time and season.
    fn errors(&self, forecasts: &Days, date: Date, now: Timestamp) -> Option<Errors> {
        let mut past = Vec::new();
        for day in forecasts.before(date) {
            let age = (date - day).get_days();
            if let Some(error) = self.error(forecasts, day, age, now) {
                past.push((nearness(day, date, age), error));
            }
        }
        if past.is_empty() {
            return None;
        }
        let days = past.len() as f64;
        let plain = past.iter().map(|(_, error)| error).sum::<f64>() / days;
        let weight = past.iter().map(|(weight, _)| weight).sum::<f64>() + PRIOR_DAYS;
        let near = past.iter().map(|(weight, error)| weight * error).sum::<f64>();
        let bias = (near + PRIOR_DAYS * plain) / weight;
        let spread = past.iter().map(|(_, error)| (error - plain).powi(2)).sum::<f64>() / days;
        let near = past.iter().map(|(weight, error)| weight * (error - bias).powi(2)).sum::<f64>();
        // One error has no deviation from itself.
        let deviation = if past.len() > 1 { ((near + PRIOR_DAYS * spread) / weight).sqrt() } else { f64::NAN };
        Some(Errors { days, bias, deviation })
    }

    /// How far the high of `lag` days before was from what its corrected forecasts said, mean over the models.
    fn surprise(&self, date: Date, lag: i32, now: Timestamp, errors: &[Option<Errors>]) -> f64 {
        let day = before(date, lag);
        let of =
            |(said, errors): (&Days, &Option<Errors>)| Some(self.error(said, day, lag, now)? - errors.as_ref()?.bias);
        let all: Vec<f64> = self.forecasts.iter().zip(errors).filter_map(of).collect();
        mean(&all)
    }
}

/// NaN of nothing.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The day some days before.
fn before(date: Date, days: i32) -> Date {
    date.checked_sub(days.days()).expect("a day of a market has days before it")
}

/// What an error of `day` weighs on `date`, `age` days later.
fn nearness(day: Date, date: Date, age: i32) -> f64 {
    let apart = f64::from((date.day_of_year() - day.day_of_year()).abs());
    let season = apart.min(365.25 - apart) / NEAR_DAYS;
    (-0.5 * season * season - std::f64::consts::LN_2 * f64::from(age) / HALF_LIFE_DAYS).exp()
}

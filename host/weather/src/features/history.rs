//! What was known about one city, ordered so that any moment of it can be asked for, and the features of whole days.
//!
//! It owns the rule that a value counts only after it was received. A past day is looked at as of the same hour of its
//! own day, so that past errors are those of forecasts of the same lead as the one in use now.

use super::catalogue::MODEL_NAMES;
use super::{FeatureRow, NoFeatures, Sources};
use crate::{City, Observation, Quality, Stamps, Weather};
use isobar_engine::units::{SECOND, Timestamp};
use jiff::{ToSpan, civil::Date};
use std::collections::BTreeMap;
use std::ops::Range;

/// The forecast models that features are made of. `blend` is a single forecast that a source makes of several, as
/// forecasters or vendors do. Others may be published; they are not looked at.
pub const MODELS: &[&str] = MODEL_NAMES;

pub(super) const HOUR: i64 = 3_600 * SECOND;

/// Days of the year within which an error says about as much as one of today: the width of a Gaussian.
const NEAR_DAYS: f64 = 20.0;
/// Days after which an error counts half.
const HALF_LIFE_DAYS: f64 = 120.0;
/// What the mean over all days weighs against the near ones, in days.
const PRIOR_DAYS: f64 = 5.0;

/// A value with the times at which it was received and published.
#[derive(Clone, Copy, Debug)]
struct Known {
    received: Timestamp,
    published: Timestamp,
    value: f64,
}

impl Known {
    fn new(stamps: Stamps, value: f64) -> Self {
        Self { received: stamps.received, published: stamps.published, value }
    }
}

/// Values of one thing, oldest first.
type Versions = Vec<Known>;

fn sort(versions: &mut Versions) {
    versions
        .sort_by(|a, b| (a.received, a.published).cmp(&(b.received, b.published)).then(a.value.total_cmp(&b.value)));
}

/// The newest that was received before `cut`.
fn newest(versions: &[Known], cut: Timestamp) -> Option<Known> {
    versions[..versions.partition_point(|known| known.received < cut)].last().copied()
}

/// What was known about one city from the bound sources.
#[derive(Clone, Debug)]
pub struct History {
    city: City,
    sources: Sources,
    /// By model and day.
    forecasts: Vec<BTreeMap<Date, Versions>>,
    /// Final highs by day.
    highs: BTreeMap<Date, Versions>,
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
        let mut forecasts = vec![BTreeMap::<Date, Versions>::new(); MODELS.len()];
        let ours = |forecast: &&crate::HighForecast| {
            forecast.city == city && forecast.source == sources.forecast && forecast.high_f.is_finite()
        };
        for forecast in weather.forecasts.iter().filter(ours) {
            if let Some(model) = MODELS.iter().position(|model| *model == forecast.model) {
                let versions = forecasts[model].entry(forecast.date).or_default();
                versions.push(Known::new(forecast.stamps, forecast.high_f));
            }
        }
        forecasts.iter_mut().flat_map(BTreeMap::values_mut).for_each(sort);
        let mut highs = BTreeMap::<Date, Versions>::new();
        for report in &weather.reports {
            let ours = report.city == city && report.source == sources.report && report.is_final;
            if ours && report.high_f.is_finite() {
                highs.entry(report.date).or_default().push(Known::new(report.stamps, report.high_f));
            }
        }
        highs.values_mut().for_each(sort);
        let ours = |seen: &&Observation| {
            seen.city == city && seen.source == sources.observation && seen.quality == Quality::Good
        };
        let mut observations: Vec<_> = weather.observations.iter().filter(ours).cloned().collect();
        // Of two about the same moment the one that came later corrects the other.
        observations.sort_by_key(|seen| (seen.stamps.event, seen.stamps.received, seen.stamps.published));
        Self { city, sources, forecasts, highs, observations }
    }

    /// The days of which a forecast or a final high is held, oldest first.
    pub fn days(&self) -> Vec<Date> {
        let mut days: Vec<Date> =
            self.forecasts.iter().flat_map(BTreeMap::keys).chain(self.highs.keys()).copied().collect();
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
        let mut issued = Timestamp(i64::MIN);
        let forecasts: Vec<Option<Known>> = self.forecasts.iter().map(|days| newest(days.get(&date)?, now)).collect();
        let Some(fresh) = forecasts.iter().flatten().map(|known| known.published).max() else {
            return Err(NoFeatures::NoForecast { city: self.city, date, from: self.sources.forecast });
        };
        issued = issued.max(fresh);
        let into_day = now.since(self.city.day_begins(date));
        let errors: Vec<Option<Errors>> =
            (0..MODELS.len()).map(|model| self.errors(model, date, into_day, now)).collect();
        let today = super::today::Today::of(self, date, now);
        issued = today.issued.map_or(issued, |at| issued.max(at));

        let mut values: Vec<f64> = Vec::with_capacity(super::FEATURES.len());
        let mut corrected = Vec::new();
        for (known, errors) in forecasts.iter().zip(&errors) {
            let forecast = known.map_or(f64::NAN, |known| known.value);
            let of = |part: fn(&Errors) -> f64| errors.as_ref().map_or(f64::NAN, part);
            values.extend([forecast, of(|e| e.bias), of(|e| e.deviation), of(|e| e.days), today.maximum - forecast]);
            corrected.extend(errors.map(|errors| forecast + errors.bias).filter(|value| value.is_finite()));
        }
        let present: Vec<f64> = forecasts.iter().flatten().map(|known| known.value).collect();
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
        values.extend([1, 2, 3].map(|lag| self.surprise(before(date, lag), into_day, now, &errors)));
        let [one, two, three] = [1, 2, 3].map(|lag| {
            let known = self.high(before(date, lag), now);
            issued = known.map_or(issued, |known| issued.max(known.published));
            known.map_or(f64::NAN, |known| known.value)
        });
        values.extend([one, two, three, one - two, two - three]);
        values.extend(today.values());
        let angle = 2.0 * std::f64::consts::PI * f64::from(date.day_of_year()) / 365.25;
        values.extend([into_day as f64 / HOUR as f64, angle.sin(), angle.cos()]);

        let values = super::FEATURES.iter().zip(values).map(|(feature, value)| (feature.name, value as f32)).collect();
        Ok(FeatureRow { city: self.city, date, issued, sources: self.sources, values })
    }

    /// The final high of a day as known at `now`.
    fn high(&self, date: Date, now: Timestamp) -> Option<Known> {
        newest(self.highs.get(&date)?, now)
    }

    /// Reported high minus forecast of an earlier day, the forecast as known `into_day` after that day began.
    fn error(&self, model: usize, date: Date, into_day: i64, now: Timestamp) -> Option<f64> {
        let cut = now.min(self.city.day_begins(date).plus(into_day));
        let forecast = newest(self.forecasts[model].get(&date)?, cut)?;
        Some(self.high(date, now)?.value - forecast.value)
    }

    /// The errors of all days before `date`, weighed by nearness in time and season.
    fn errors(&self, model: usize, date: Date, into_day: i64, now: Timestamp) -> Option<Errors> {
        let mut past = Vec::new();
        for day in self.forecasts[model].range(..date).map(|(day, _)| *day) {
            if let Some(error) = self.error(model, day, into_day, now) {
                past.push((nearness(day, date), error));
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

    /// How far a day's high was from what its corrected forecasts said, mean over the models.
    fn surprise(&self, date: Date, into_day: i64, now: Timestamp, errors: &[Option<Errors>]) -> f64 {
        let of = |(model, errors): (usize, &Option<Errors>)| {
            Some(self.error(model, date, into_day, now)? - errors.as_ref()?.bias)
        };
        let all: Vec<f64> = errors.iter().enumerate().filter_map(of).collect();
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

/// What an error of `day` weighs on `date`.
fn nearness(day: Date, date: Date) -> f64 {
    let age = f64::from((date - day).get_days());
    let apart = f64::from((date.day_of_year() - day.day_of_year()).abs());
    let season = apart.min(365.25 - apart) / NEAR_DAYS;
    (-0.5 * season * season).exp() * 0.5_f64.powf(age / HALF_LIFE_DAYS)
}

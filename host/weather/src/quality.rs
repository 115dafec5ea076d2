//! Units, bounds of what weather can be, and readings that no thermometer gives.
//!
//! What is out of bounds is taken out and counted; a spike is kept and marked, so that a person can look at it. It refuses
//! to repair a value.

use crate::{Observation, Quality};
use isobar_engine::units::SECOND;

/// A reading that differs from both its neighbours in the same direction by more than this, °F, is a fault. A front makes
/// a step, which one neighbour shares.
const SPIKE_F: f64 = 15.0;
/// Neighbours further away say nothing about a spike.
const NEIGHBOUR: i64 = 30 * 60 * SECOND;

/// Values that were refused, by the reader's count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped(pub u64);

impl Dropped {
    /// The value, or nothing and one more refusal where it is out of bounds or no number. Nothing stays nothing.
    pub(crate) fn within(&mut self, value: Option<f64>, low: f64, high: f64) -> Option<f64> {
        let kept = value.filter(|value| (low..=high).contains(value));
        self.0 += u64::from(value.is_some() && kept.is_none());
        kept
    }

    /// A temperature, °F.
    pub(crate) fn temperature(&mut self, degrees: Option<f64>) -> Option<f64> {
        self.within(degrees, -100.0, 150.0)
    }

    /// A relative humidity or a cloud cover, percent. Saturation is reported as a little more than 100 at times.
    pub(crate) fn percent(&mut self, value: Option<f64>) -> Option<f64> {
        self.within(value, 0.0, 105.0).map(|value| value.min(100.0))
    }

    /// A pressure at sea level, hPa.
    pub(crate) fn pressure(&mut self, value: Option<f64>) -> Option<f64> {
        self.within(value, 850.0, 1100.0)
    }

    /// A mean wind speed, miles an hour.
    pub(crate) fn wind(&mut self, value: Option<f64>) -> Option<f64> {
        self.within(value, 0.0, 250.0)
    }

    /// One value that makes no sense at all.
    pub(crate) const fn one(&mut self) {
        self.0 += 1;
    }
}

/// A temperature in °F from degrees of a unit code such as `wmoUnit:degC`, nothing for another unit.
pub(crate) fn fahrenheit(value: f64, unit: &str) -> Option<f64> {
    match bare(unit) {
        "degC" => Some(celsius(value)),
        "degF" => Some(value),
        "K" => Some(celsius(value - 273.15)),
        _ => None,
    }
}

/// °C in °F.
pub(crate) fn celsius(value: f64) -> f64 {
    value * 9.0 / 5.0 + 32.0
}

/// A speed in miles an hour.
pub(crate) fn miles_an_hour(value: f64, unit: &str) -> Option<f64> {
    match bare(unit) {
        "km_h-1" => Some(value / 1.609_344),
        "m_s-1" => Some(value * 3.6 / 1.609_344),
        "kt" => Some(value * 1.852 / 1.609_344),
        _ => None,
    }
}

/// A pressure in hPa.
pub(crate) fn hectopascals(value: f64, unit: &str) -> Option<f64> {
    match bare(unit) {
        "Pa" => Some(value / 100.0),
        "hPa" => Some(value),
        _ => None,
    }
}

/// A share in percent.
pub(crate) fn percent(value: f64, unit: &str) -> Option<f64> {
    (bare(unit) == "percent").then_some(value)
}

/// `degC` of `wmoUnit:degC` and of `unit:degC`, the spelling before 2021.
fn bare(unit: &str) -> &str {
    unit.rsplit(':').next().unwrap_or(unit)
}

/// Marks readings that stand out of both neighbours. `observations` are of one station; they are put in order of time.
pub(crate) fn mark_spikes(observations: &mut [Observation]) {
    observations.sort_by_key(|observation| observation.stamps.event);
    let readings: Vec<(usize, i64, f64)> = observations
        .iter()
        .enumerate()
        .filter_map(|(at, seen)| Some((at, seen.stamps.event.0, seen.temperature_f?)))
        .collect();
    for window in readings.windows(3) {
        let [(_, before, left), (at, moment, middle), (_, after, right)] = *window else { continue };
        let near = moment - before <= NEIGHBOUR && after - moment <= NEIGHBOUR;
        let (rise, fall) = (middle - left, middle - right);
        if near && rise.abs().min(fall.abs()) > SPIKE_F && rise.signum() == fall.signum() {
            observations[at].quality = Quality::Suspect;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{City, SourceId, Stamps};
    use isobar_engine::units::Timestamp;

    #[test]
    fn units_of_both_spellings_are_converted_and_others_refused() {
        assert_eq!(fahrenheit(22.0, "wmoUnit:degC"), Some(71.6));
        assert_eq!(fahrenheit(71.6, "unit:degF"), Some(71.6));
        assert_eq!(fahrenheit(22.0, "wmoUnit:m"), None);
        assert_eq!(miles_an_hour(16.093_44, "wmoUnit:km_h-1"), Some(10.0));
        assert!((miles_an_hour(1.0, "unit:m_s-1").expect("known") - 2.236_94).abs() < 1e-4);
        assert_eq!(hectopascals(101_320.0, "wmoUnit:Pa"), Some(1013.2));
        assert_eq!(percent(50.0, "wmoUnit:percent"), Some(50.0));
    }

    #[test]
    fn what_cannot_be_is_taken_out_and_counted() {
        let mut dropped = Dropped::default();
        assert_eq!(dropped.temperature(Some(71.6)), Some(71.6));
        assert_eq!(dropped.temperature(None), None);
        assert_eq!(dropped.temperature(Some(f64::NAN)), None);
        assert_eq!(dropped.temperature(Some(999.0)), None);
        assert_eq!(dropped.percent(Some(100.4)), Some(100.0));
        assert_eq!(dropped.pressure(Some(29.92)), None);
        assert_eq!(dropped, Dropped(3));
    }

    #[test]
    fn a_spike_is_suspect_and_a_front_is_not() {
        let seen = |minute: i64, degrees: f64| Observation {
            city: City::from_code("CHI").expect("a city"),
            source: SourceId::NwsObservation,
            stamps: Stamps { event: Timestamp(minute * 60 * SECOND), published: Timestamp(0), received: Timestamp(0) },
            temperature_f: Some(degrees),
            humidity_pct: None,
            pressure_hpa: None,
            wind_mph: None,
            cloud_pct: None,
            quality: Quality::Good,
        };
        let marked = |degrees: &[(i64, f64)]| {
            let mut all: Vec<Observation> = degrees.iter().rev().map(|(minute, f)| seen(*minute, *f)).collect();
            mark_spikes(&mut all);
            all.into_iter().map(|seen| seen.quality == Quality::Suspect).collect::<Vec<_>>()
        };
        assert_eq!(marked(&[(0, 70.0), (5, 102.0), (10, 71.0)]), [false, true, false]);
        assert_eq!(marked(&[(0, 70.0), (5, 50.0), (10, 49.0)]), [false, false, false], "a front");
        assert_eq!(marked(&[(0, 70.0), (90, 102.0), (180, 71.0)]), [false, false, false], "too far apart to tell");
    }
}

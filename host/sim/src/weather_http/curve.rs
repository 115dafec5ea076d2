//! The temperature over one day: from the low at six o'clock along a sine to the high at the peak, then down again.

use crate::listing::HOUR;
use crate::weather::Row;
use isobar_engine::units::Timestamp;
use std::f64::consts::FRAC_PI_2;

/// The low below the high and the hour of the peak, for days of which the high alone is recorded.
const USUAL_RANGE: f64 = 18.0;
const USUAL_PEAK: f64 = 15.0;
/// How far the evening falls, as a part of the day's range.
const EVENING: f64 = 0.7;

/// One day at one station, degrees Fahrenheit.
pub(super) struct Curve {
    begins: Timestamp,
    low: f64,
    high: f64,
    /// Hour of the day.
    peak: f64,
}

impl Curve {
    /// The curve of a row; nothing for a day whose high nobody knows, not even the simulation.
    #[expect(clippy::cast_precision_loss, reason = "degrees")]
    pub(super) fn of(row: &Row, begins: Timestamp) -> Option<Self> {
        match (row.shape, row.observed) {
            (Some(shape), _) => Some(Self { begins, low: shape.low, high: shape.high, peak: shape.peak }),
            (None, Some((high, _))) => {
                let high = high as f64;
                Some(Self { begins, low: high - USUAL_RANGE, high, peak: USUAL_PEAK })
            }
            (None, None) => None,
        }
    }

    /// The temperature at a moment of the day.
    #[expect(clippy::cast_precision_loss, reason = "hours of one day")]
    pub(super) fn at(&self, at: Timestamp) -> f64 {
        let hour = at.since(self.begins) as f64 / HOUR as f64;
        let range = self.high - self.low;
        if hour < 6.0 {
            self.low + 0.1 * range * (1.0 - hour / 6.0)
        } else if hour <= self.peak {
            self.low + range * ((hour - 6.0) / (self.peak - 6.0) * FRAC_PI_2).sin()
        } else {
            self.high - EVENING * range * (1.0 - ((hour - self.peak) / (24.0 - self.peak) * FRAC_PI_2).cos())
        }
    }

    /// The highest temperature until a moment.
    pub(super) fn highest(&self, until: Timestamp) -> f64 {
        let peak = self.begins.plus(self.peak_nanos());
        if until >= peak { self.high } else { self.at(until).max(self.at(self.begins)) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "nanoseconds of one day")]
    fn peak_nanos(&self) -> i64 {
        (self.peak * HOUR as f64) as i64
    }
}

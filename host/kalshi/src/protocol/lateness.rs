//! How old messages are when they come, although the two clocks differ.
//!
//! Every message says when the venue sent it. Receive time minus that is the time on the way, less what the venue's clock is
//! ahead. The fastest message of a while gives the base; what a message is slower than that is its age. On a bad link
//! messages were seen up to 20 s late without any error (PROTOCOL.md 2.5): such a book is right, for a moment that is gone.

use isobar_engine::units::Timestamp;

const MILLISECOND: i64 = 1_000_000;
/// The base rises by a thousandth of the time that passes: more than clocks drift apart or are slewed, and so slowly that
/// a lasting delay is not soon taken for the base.
const DRIFT: i64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct Lateness {
    /// Least receive time minus sending time, nanoseconds, and when it was last looked at.
    base: Option<(i64, Timestamp)>,
}

impl Lateness {
    /// The age of a message that was sent at `sent` milliseconds of the venue's clock and came at `at`, nanoseconds.
    pub(super) fn age(&mut self, at: Timestamp, sent: i64) -> i64 {
        let way = at.0.saturating_sub(sent.saturating_mul(MILLISECOND));
        let base = match self.base {
            Some((base, seen)) => base.saturating_add(at.since(seen).max(0) / DRIFT).min(way),
            None => way,
        };
        self.base = Some((base, at));
        way.saturating_sub(base)
    }

    /// How far the venue's clock is ahead of ours, nanoseconds, less the time of the fastest message on its way.
    pub(super) fn venue_ahead(&self) -> Option<i64> {
        self.base.map(|(base, _)| base.saturating_neg())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isobar_engine::units::SECOND;

    #[test]
    fn age_does_not_depend_on_the_difference_of_the_clocks() {
        for ahead in [-3_600_000, -450, 0, 560, 3_600_000] {
            let mut lateness = Lateness::default();
            let mut age = |second: i64, way_ms: i64| {
                let sent = second * 1_000;
                lateness.age(Timestamp((sent - ahead + way_ms) * MILLISECOND), sent) / MILLISECOND
            };
            let ages = [age(100, 6), age(101, 10), age(102, 5), age(103, 4_005), age(104, 5)];
            let near = |(age, expected): (i64, i64)| (age - expected).abs() <= 5;
            assert!(ages.into_iter().zip([0, 4, 0, 4_000, 0]).all(near), "{ages:?}, ahead by {ahead} ms");
            let measured = lateness.venue_ahead().expect("measured") / MILLISECOND;
            assert!((measured - (ahead - 5)).abs() <= 2, "{measured} for {ahead}");
        }
    }

    #[test]
    fn a_lasting_delay_stays_a_delay_for_a_long_time() {
        let mut lateness = Lateness::default();
        lateness.age(Timestamp(0), 0);
        let ages: Vec<i64> =
            (1..=600).map(|second| lateness.age(Timestamp((second + 10) * SECOND), second * 1_000)).collect();
        assert!(ages.iter().all(|age| *age > 9 * SECOND), "{:?}", ages.last());
    }
}

//! The program's clock: the only place that reads the time of the machine.
//!
//! It gives the stamp of an event and says how long to wait for a moment. It does not promise that time never goes
//! back (the machine's clock may be set): whoever stamps events takes the later of this and the last stamp. The engine
//! never asks it.

use isobar_engine::units::Timestamp;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many seconds of a run pass in one second of the machine: an exact ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    run: NonZeroU32,
    wall: NonZeroU32,
}

impl Factor {
    /// `run` seconds of the run in `wall` seconds of the machine; nothing where one of them is zero.
    pub const fn new(run: u32, wall: u32) -> Option<Self> {
        match (NonZeroU32::new(run), NonZeroU32::new(wall)) {
            (Some(run), Some(wall)) => Some(Self { run, wall }),
            _ => None,
        }
    }
}

/// `60`, or `1/2` for half the speed.
impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wall.get() {
            1 => write!(f, "{}", self.run),
            wall => write!(f, "{}/{wall}", self.run),
        }
    }
}

impl FromStr for Factor {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) writes. The error is a sentence for the one who typed it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (run, wall) = text.split_once('/').unwrap_or((text, "1"));
        let part = |digits: &str| digits.trim().parse().ok();
        let factor = part(run).zip(part(wall)).and_then(|(run, wall)| Self::new(run, wall));
        factor.ok_or_else(|| format!("{text:?} is no speed: write a number from 1 such as 60, or a ratio such as 1/2"))
    }
}

/// Where the stamps of a run come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's UTC clock.
    System,
    /// A day played slower or faster, agreed with the simulated exchange at the start.
    Scaled {
        /// The moment of the run at which it starts.
        epoch: Timestamp,
        /// The machine's time at that moment.
        wall_epoch: Timestamp,
        /// How fast it goes.
        factor: Factor,
    },
}

impl Clock {
    /// A clock that stands at `epoch` now and goes `factor` times as fast as the machine's.
    pub fn scaled(epoch: Timestamp, factor: Factor) -> Self {
        Self::Scaled { epoch, wall_epoch: wall_now(), factor }
    }

    /// The time of the run.
    pub fn now(&self) -> Timestamp {
        self.at(wall_now())
    }

    /// The machine's own time, whatever the clock of the run: what requests are signed by, since the venue judges the age of
    /// a signature by real time.
    pub fn machine() -> Timestamp {
        wall_now()
    }

    /// How long to sleep, in the machine's time, until the run has reached `moment`; zero where it has.
    pub fn wall_until(&self, moment: Timestamp) -> Duration {
        self.wall_between(wall_now(), moment)
    }

    /// The name in a run's opening record: `system` or `scaled(epoch,factor)`, the epoch in nanoseconds since 1970.
    pub fn describe(&self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::Scaled { epoch, factor, .. } => format!("scaled({},{factor})", epoch.0),
        }
    }

    /// The time of the run when the machine's clock shows `wall`, rounded down to a nanosecond.
    fn at(&self, wall: Timestamp) -> Timestamp {
        match *self {
            Self::System => wall,
            Self::Scaled { epoch, wall_epoch, factor } => {
                let passed = i128::from(wall.since(wall_epoch)) * i128::from(factor.run.get());
                epoch.plus(saturate(passed.div_euclid(i128::from(factor.wall.get()))))
            }
        }
    }

    /// The machine's time from `wall` until the run has reached `moment`, rounded up so that it has.
    fn wall_between(&self, wall: Timestamp, moment: Timestamp) -> Duration {
        let nanos = match *self {
            Self::System => moment.since(wall),
            Self::Scaled { epoch, wall_epoch, factor } => {
                let (run, per) = (i128::from(factor.run.get()), i128::from(factor.wall.get()));
                let needed = (i128::from(moment.since(epoch)) * per + run - 1).div_euclid(run);
                saturate(needed - i128::from(wall.since(wall_epoch)))
            }
        };
        Duration::from_nanos(nanos.max(0).unsigned_abs())
    }
}

/// The end of time rather than a wrong time: a run lives for days, the range is 292 years.
fn saturate(nanos: i128) -> i64 {
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The machine's UTC clock.
fn wall_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the machine's clock is past 1970");
    Timestamp(i64::try_from(since.as_nanos()).expect("the machine's clock is before 2262"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use isobar_engine::units::SECOND;

    fn scaled(factor: &str) -> Clock {
        let factor = factor.parse().expect("a factor");
        Clock::Scaled { epoch: Timestamp(1_000 * SECOND), wall_epoch: Timestamp(50 * SECOND), factor }
    }

    #[test]
    fn a_scaled_clock_starts_at_its_epoch_and_goes_by_its_factor() {
        assert_eq!(scaled("60").at(Timestamp(50 * SECOND)), Timestamp(1_000 * SECOND));
        assert_eq!(scaled("60").at(Timestamp(52 * SECOND)), Timestamp(1_120 * SECOND));
        assert_eq!(scaled("1/2").at(Timestamp(52 * SECOND)), Timestamp(1_001 * SECOND));
        assert_eq!(scaled("60").at(Timestamp(49 * SECOND)), Timestamp(940 * SECOND));
    }

    #[test]
    fn after_the_wait_the_moment_is_reached_and_not_a_nanosecond_before() {
        let wall = Timestamp(51 * SECOND + 7);
        for factor in ["1", "7", "60", "1/3", "22/7"] {
            let clock = scaled(factor);
            let moment = Timestamp(2_000 * SECOND + 1);
            let wait = i64::try_from(clock.wall_between(wall, moment).as_nanos()).expect("fits");
            assert!(clock.at(wall.plus(wait)) >= moment, "{factor}");
            assert!(clock.at(wall.plus(wait - 1)) < moment, "{factor}");
        }
    }

    #[test]
    fn a_moment_that_is_past_needs_no_wait() {
        assert_eq!(scaled("60").wall_between(Timestamp(60 * SECOND), Timestamp(1_100 * SECOND)), Duration::ZERO);
        assert_eq!(Clock::System.wall_until(Timestamp(0)), Duration::ZERO);
    }

    #[test]
    fn the_description_names_epoch_and_factor() {
        assert_eq!(Clock::System.describe(), "system");
        assert_eq!(scaled("60").describe(), "scaled(1000000000000,60)");
        assert_eq!(scaled("1/2").describe(), "scaled(1000000000000,1/2)");
    }

    #[test]
    fn a_speed_of_nothing_is_refused() {
        for text in ["0", "1/0", "", "fast", "-1", "1.5"] {
            assert!(text.parse::<Factor>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_new_scaled_clock_stands_near_its_epoch() {
        let clock = Clock::scaled(Timestamp(0), Factor::new(1, 1).expect("not zero"));
        assert!((0..60 * SECOND).contains(&clock.now().0));
    }
}

//! The exchange's time: a straight line from the wall's, or the time of the newest thing that happened.

use isobar_engine::units::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How fast the scene is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// So many times as fast as the wall; 1 is real time.
    Factor(u32),
    /// As fast as the clients read. Nothing waits; messages carry the scene's time.
    Flood,
}

/// `sim now = epoch + (wall − wall epoch) × factor`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) epoch: Timestamp,
    pub(crate) wall_epoch: i64,
    pub(crate) factor: Option<u32>,
}

/// Nanoseconds of the wall since 1970.
pub(crate) fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the wall is past 1970");
    i64::try_from(since.as_nanos()).expect("nanoseconds of this era fit i64")
}

impl Clock {
    pub(crate) fn new(epoch: Timestamp, speed: Speed) -> Self {
        let factor = match speed {
            Speed::Factor(factor) => Some(factor.max(1)),
            Speed::Flood => None,
        };
        Self { epoch, wall_epoch: wall(), factor }
    }

    /// The time, where `newest` is that of the newest action.
    pub(crate) fn now(&self, newest: Timestamp) -> Timestamp {
        self.factor.map_or(newest, |factor| {
            self.epoch.plus((wall() - self.wall_epoch).saturating_mul(i64::from(factor))).max(newest)
        })
    }

    /// How long the wall takes until `at`, at most `most`.
    pub(crate) fn wait(&self, at: Timestamp, most: Duration) -> Duration {
        let Some(factor) = self.factor else { return Duration::ZERO };
        let nanos = at.since(self.now(self.epoch)) / i64::from(factor);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)).min(most)
    }
}

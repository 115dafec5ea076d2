//! Where the exchange's day comes from: simulated, or a recording that is played again.
//!
//! A scene lists its markets and yields timed actions in order. It knows nothing of clients, clocks on the wall or speed.

mod capture;
mod crowd;
mod lines;
mod polls;
mod quotes;
mod simulated;

use crate::Error;
use crate::exchange::{Action, Exchange};
use crate::listing::{DETERMINED_AFTER, SETTLES_AFTER};
use crate::weather::Row;
use isobar_engine::units::Timestamp;
use jiff::civil::{Date, Time};
use std::collections::VecDeque;
use std::path::PathBuf;

/// What is played.
#[derive(Clone, Debug)]
pub enum Scene {
    /// A day of the simulation's own in six cities, the same for the same seed.
    Simulated {
        /// The climate day of the six events.
        date: Date,
        /// When the scene begins on that day, in Central Standard Time (UTC−6).
        start: Time,
        /// Ends trading after this many changes and hurries to produce them; without it the day takes its natural course.
        frames: Option<u64>,
    },
    /// The same from any moment on, for an exchange whose clock is the wall's. Before the markets open they are listed
    /// and nobody quotes.
    Living {
        /// The climate day of the six events.
        date: Date,
        /// When the scene begins.
        start: jiff::Timestamp,
    },
    /// The six events without participants: every order is a client's. For tests.
    Quiet {
        /// The climate day of the six events.
        date: Date,
        /// When the scene begins.
        start: jiff::Timestamp,
    },
    /// A recording.
    Recorded(Recording),
}

impl Default for Scene {
    /// A summer day from mid-morning.
    fn default() -> Self {
        Self::Simulated { date: jiff::civil::date(2026, 7, 1), start: jiff::civil::time(9, 30, 0, 0), frames: None }
    }
}

/// Recordings that can be played again. Files end in `.zst` or are plain.
#[derive(Clone, Debug)]
pub enum Recording {
    /// WebSocket frames as received, `{"recv_ns", "conn", "frame" | "control"}` a line. A new `conn` is a disconnect.
    Capture(PathBuf),
    /// Top of book of the two open-ended markets of each weather event, March 2026.
    Quotes {
        /// Folder that holds `weather_quotes/` and `weather/`.
        data: PathBuf,
        /// Climate days to play; every recorded one where empty.
        days: Vec<Date>,
    },
    /// Best bids of all six New York markets, December 2025.
    TopOfBook {
        /// Folder that holds `weather_quotes/` and `weather/`.
        data: PathBuf,
        /// Climate days to play; every recorded one where empty.
        days: Vec<Date>,
    },
    /// Full-depth books polled over REST, one JSON object a line.
    Polls(PathBuf),
}

/// A scene that is ready to begin.
pub(crate) struct Stage {
    pub(crate) exchange: Exchange,
    pub(crate) script: Script,
    pub(crate) starts: Timestamp,
    pub(crate) weather: Vec<Row>,
}

/// The timed actions.
pub(crate) enum Script {
    Simulated(Box<simulated::Simulated>),
    Recorded(VecDeque<(Timestamp, Action)>),
}

impl Stage {
    pub(crate) fn build(scene: &Scene, seed: u64) -> Result<Self, Error> {
        match scene {
            Scene::Simulated { date, start, frames } => {
                Ok(simulated::stage(*date, simulated::central(*date, *start), *frames, seed))
            }
            Scene::Living { date, start } => Ok(simulated::stage(*date, nanos(*start), None, seed)),
            Scene::Quiet { date, start } => Ok(simulated::quiet(*date, nanos(*start), seed)),
            Scene::Recorded(Recording::Capture(path)) => capture::stage(path),
            Scene::Recorded(Recording::Quotes { data, days }) => quotes::pairs(data, days),
            Scene::Recorded(Recording::TopOfBook { data, days }) => quotes::top_of_book(data, days),
            Scene::Recorded(Recording::Polls(path)) => polls::stage(path),
        }
    }

    fn recorded(exchange: Exchange, mut actions: Vec<(Timestamp, Action)>, weather: Vec<Row>) -> Result<Self, Error> {
        // Stable: what a recording holds in one order stays in it.
        actions.sort_by_key(|(at, _)| *at);
        let starts = actions.first().ok_or(Error::Empty)?.0;
        Ok(Self { exchange, script: Script::Recorded(actions.into()), starts, weather })
    }
}

fn nanos(at: jiff::Timestamp) -> Timestamp {
    Timestamp(i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX))
}

impl Script {
    /// Time of the next actions; nothing at the end of the scene.
    pub(crate) fn peek(&self) -> Option<Timestamp> {
        match self {
            Self::Simulated(day) => day.peek(),
            Self::Recorded(actions) => actions.front().map(|(at, _)| *at),
        }
    }

    /// The next actions, which belong together.
    pub(crate) fn next(&mut self, exchange: &Exchange, actions: &mut Vec<Action>) {
        match self {
            Self::Simulated(day) => day.next(exchange, actions),
            Self::Recorded(recorded) => actions.extend(recorded.pop_front().map(|(_, action)| action)),
        }
    }
}

/// Close, result and payment of a market, where the result is known.
pub(crate) fn ending(
    exchange: &Exchange,
    market: usize,
    result: Option<(bool, Option<i64>)>,
) -> Vec<(Timestamp, Action)> {
    let closes = exchange.markets[market].closes;
    let mut actions = vec![(closes, Action::Close { market })];
    if let Some((yes, value)) = result {
        let determined = closes.plus(DETERMINED_AFTER);
        actions.push((determined, Action::Determine { market, yes, value }));
        actions.push((determined.plus(SETTLES_AFTER), Action::Settle { market }));
    }
    actions
}

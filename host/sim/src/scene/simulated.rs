//! A simulated day: six cities, one event each, from mid-morning to the payment of the last market.

use super::{Script, Stage, crowd::Crowd, ending};
use crate::exchange::{Action, Exchange};
use crate::listing::{city_day, midnight};
use crate::weather::{CITIES, Day, normal, whole};
use isobar_engine::units::{SECOND, Timestamp};
use jiff::civil::{Date, Time};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Number;
use std::collections::VecDeque;

/// Mean simulated time between two participants' actions, over all cities.
const PACE: i64 = 2 * SECOND;
/// How long an opinion on the weather lasts.
const OPINION: i64 = 20 * SECOND;

/// A city's event on the day.
struct City {
    day: Day,
    /// Its six markets are `first..first + 6`.
    first: usize,
    closes: Timestamp,
    /// How far the crowd as a whole is off, in deviations: it wanders.
    mood: f64,
    formed: Timestamp,
    /// Probability of each bracket, as the crowd and as the informed one see it.
    fair: [[f64; 2]; 6],
}

/// The day as a script.
pub(crate) struct Simulated {
    random: ChaCha8Rng,
    cities: Vec<City>,
    crowds: Vec<Crowd>,
    next_action: Timestamp,
    last_close: Timestamp,
    pace: i64,
    endings: VecDeque<(Timestamp, Action)>,
    /// Changes left before trading ends.
    left: Option<u64>,
}

/// A time of day in Central Standard Time.
pub(super) fn central(date: Date, start: Time) -> Timestamp {
    let since_midnight = i64::from(start.hour()) * 3_600 + i64::from(start.minute()) * 60 + i64::from(start.second());
    midnight(date, 6).plus(since_midnight * SECOND)
}

/// The day with its listing and its results, and nobody in it.
pub(super) fn quiet(date: Date, starts: Timestamp, seed: u64) -> Stage {
    day(date, starts, Some(0), seed)
}

pub(super) fn stage(date: Date, starts: Timestamp, frames: Option<u64>, seed: u64) -> Stage {
    let mut stage = day(date, starts, frames, seed);
    // Everyone has quoted by the time the doors open.
    let open = stage.exchange.markets.iter().all(|market| market.opens <= starts);
    if let Script::Simulated(day) = &mut stage.script
        && open
    {
        let mut actions = Vec::new();
        day.open(starts, &stage.exchange, &mut actions);
        for action in actions {
            stage.exchange.apply(starts, action, &mut Vec::new());
        }
    }
    stage
}

fn day(date: Date, starts: Timestamp, frames: Option<u64>, seed: u64) -> Stage {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut exchange = Exchange::default();
    let (mut cities, mut weather, mut endings) = (Vec::new(), Vec::new(), Vec::new());
    for city in &CITIES {
        let (day, rows) = city.simulate(date, &mut random);
        weather.extend(rows);
        let lowest = whole(day.consensus + normal(&mut random)) - 4 + i64::from(random.random_range(0..2_u8));
        let cap = i32::try_from(lowest).expect("degrees");
        let (series, event, markets) = city_day(city.series, date, cap);
        let (first, closes) = (exchange.markets.len(), markets[0].closes);
        exchange.list(series, event, markets);
        for market in first..first + 6 {
            let settled = day.settled();
            let yes = exchange.markets[market].strike.holds(settled).expect("weather strikes are whole degrees");
            endings.extend(ending(&exchange, market, Some((yes, Some(settled)))));
        }
        cities.push(City {
            day,
            first,
            closes,
            mood: normal(&mut random),
            formed: Timestamp(i64::MIN),
            fair: [[0.0; 2]; 6],
        });
    }
    endings.sort_by_key(|(at, _)| *at);
    let last_close = cities.iter().map(|city| city.closes).max().expect("there are six cities");
    let first_close = cities.iter().map(|city| city.closes).min().expect("there are six cities");
    // With a number of frames the day must be long enough for them: an action makes at least one.
    let pace = frames.map_or(PACE, |frames| {
        let frames = i64::try_from(frames.max(1)).unwrap_or(i64::MAX);
        (first_close.since(starts) / frames / 3).clamp(1, PACE)
    });
    let opens = exchange.markets.iter().map(|market| market.opens).max().expect("there are six cities");
    let crowds = exchange.markets.iter().map(|_| Crowd::default()).collect();
    let day = Simulated {
        random,
        cities,
        crowds,
        next_action: opens.max(starts),
        last_close,
        pace,
        endings: endings.into(),
        left: frames,
    };
    Stage { exchange, script: Script::Simulated(Box::new(day)), starts, weather }
}

impl Simulated {
    pub(super) fn peek(&self) -> Option<Timestamp> {
        let trading = (self.next_action < self.last_close && self.left != Some(0)).then_some(self.next_action);
        let ending = self.endings.front().map(|(at, _)| *at);
        trading.into_iter().chain(ending).min()
    }

    fn open(&mut self, at: Timestamp, exchange: &Exchange, actions: &mut Vec<Action>) {
        for market in 0..self.crowds.len() {
            let fair = self.fair(market, at, exchange)[0];
            for _ in 0..4 {
                self.crowds[market].requote(market, fair, &mut self.random, actions);
            }
        }
    }

    pub(super) fn next(&mut self, exchange: &Exchange, actions: &mut Vec<Action>) {
        let trades = self.peek() == Some(self.next_action) && self.left != Some(0);
        if !trades {
            if let Some((_, action)) = self.endings.pop_front() {
                if let Action::Close { market } = action {
                    self.crowds[market].leave();
                }
                actions.push(action);
            }
            return;
        }
        let at = self.next_action;
        // An exponential wait without a logarithm per action would do; the logarithm is cheap enough.
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "nanoseconds of a short wait")]
        let wait = (-(1.0 - self.random.random::<f64>()).ln() * self.pace as f64) as i64;
        self.next_action = at.plus(wait.max(1));
        let city = self.random.random_range(0..self.cities.len());
        if at < self.cities[city].closes {
            let market = self.cities[city].first + self.random.random_range(0..6);
            let [fair, informed] = self.fair(market, at, exchange);
            let crowd = &mut self.crowds[market];
            match self.random.random_range(0..100_u8) {
                0..74 => crowd.requote(market, fair, &mut self.random, actions),
                74..92 => crowd.noise(market, &mut self.random, actions),
                _ => crowd.informed(market, informed, &mut self.random, actions),
            }
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(actions.len() as u64);
        }
    }

    /// Probability of YES as the crowd and as the informed one see it.
    fn fair(&mut self, market: usize, at: Timestamp, exchange: &Exchange) -> [f64; 2] {
        let city = &mut self.cities[market / 6];
        if city.formed == Timestamp(i64::MIN) || at.since(city.formed) >= OPINION {
            city.formed = at;
            city.mood = 0.995 * city.mood + 0.1 * normal(&mut self.random);
            let beliefs = [city.day.belief(at, city.mood), city.day.belief(at.plus(1_800 * SECOND), 0.0)];
            for (bracket, fair) in city.fair.iter_mut().enumerate() {
                let strike = &exchange.markets[city.first + bracket].strike;
                let (floor, cap) =
                    (strike.floor.as_ref().and_then(Number::as_i64), strike.cap.as_ref().and_then(Number::as_i64));
                *fair = beliefs.map(|belief| match strike.word {
                    "less" => belief.probability(None, cap.map(|cap| cap - 1)),
                    "greater" => belief.probability(floor.map(|floor| floor + 1), None),
                    _ => belief.probability(floor, cap),
                });
            }
        }
        city.fair[market - city.first]
    }
}

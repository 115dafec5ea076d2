//! Full-depth books that were polled over REST: what lies between two polls becomes deltas.

use super::lines::{parsed, price, quantity, read};
use super::{Stage, ending};
use crate::Error;
use crate::book::{Book, Level};
use crate::exchange::{Action, Exchange};
use crate::listing::{CityDay, HOUR, Market, Series, Strike};
use isobar_engine::units::Timestamp;
use serde::Deserialize;
use serde_json::Number;
use std::path::Path;

#[derive(Deserialize)]
struct Poll {
    #[serde(deserialize_with = "parsed")]
    captured_at: jiff::Timestamp,
    #[serde(deserialize_with = "parsed")]
    close_time: jiff::Timestamp,
    series: String,
    ticker: String,
    strike_type: String,
    floor_strike: Option<Number>,
    cap_strike: Option<Number>,
    yes_sub_title: String,
    raw_orderbook: Ladders,
}

#[derive(Deserialize)]
struct Ladders {
    #[serde(default)]
    yes_dollars: Vec<[String; 2]>,
    #[serde(default)]
    no_dollars: Vec<[String; 2]>,
}

fn nanos(at: jiff::Timestamp) -> Timestamp {
    Timestamp(i64::try_from(at.as_nanosecond()).expect("a date of this era fits nanoseconds"))
}

pub(super) fn stage(path: &Path) -> Result<Stage, Error> {
    let text = read(path)?;
    let (mut exchange, mut actions) = (Exchange::default(), Vec::new());
    for (number, text) in text.lines().enumerate() {
        let malformed = |reason: String| Error::Malformed {
            path: path.to_owned(),
            reason: format!("line {}: {reason}", number + 1),
        };
        let poll: Poll = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let (at, closes) = (nanos(poll.captured_at), nanos(poll.close_time));
        let market = exchange.find(&poll.ticker).map_or_else(
            || {
                let word = ["less", "between", "greater", "custom"].into_iter().find(|word| *word == poll.strike_type);
                let word = word.ok_or_else(|| malformed(format!("strike type {}", poll.strike_type)))?;
                let strike = Strike { word, floor: poll.floor_strike.clone(), cap: poll.cap_strike.clone() };
                let event = poll.ticker.rsplit_once('-').map_or(poll.ticker.as_str(), |(event, _)| event);
                let mut market = Market::new(&poll.ticker, event, strike, at.plus(-HOUR), closes);
                market.title.clone_from(&poll.yes_sub_title);
                let series =
                    Series { ticker: poll.series.clone(), title: poll.series.clone(), category: "Climate and Weather" };
                let day = CityDay {
                    ticker: event.to_owned(),
                    series: poll.series.clone(),
                    title: event.to_owned(),
                    sub_title: String::new(),
                    strike_date: Some(closes.plus(-24 * HOUR)),
                    makers_pay: None,
                };
                exchange.list(series, day, vec![market]);
                let market = exchange.markets.len() - 1;
                actions.extend(ending(&exchange, market, None));
                Ok(market)
            },
            Ok,
        )?;
        let side = |levels: &[[String; 2]]| {
            let level = |level: &[String; 2]| Some((price(&level[0])?, quantity(&level[1])?));
            levels.iter().map(level).collect::<Option<Vec<Level>>>()
        };
        let (yes, no) = (side(&poll.raw_orderbook.yes_dollars), side(&poll.raw_orderbook.no_dollars));
        let (Some(yes), Some(no)) = (yes, no) else {
            return Err(malformed("a level that is no price and count".to_owned()));
        };
        if at < closes {
            actions.push((at, Action::Target { market, book: Book::new(yes, no) }));
        }
    }
    Stage::recorded(exchange, actions, Vec::new())
}
